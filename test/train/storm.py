"""A storm: a training that is killed with SIGKILL and resumed again and again ends with the same weights.

    python test/train/storm.py [--kills 25] [--workers 2] [--processes 2] [--seed 1]

Every other kill hits a checkpoint that is half written. Takes minutes; test_resume.py is a small version of it.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from toys import Child, assert_same, children, make_corpus, read, train_child

SETTINGS = {
    "task": "asr",
    "petl": {"name": "prefix", "length": 4, "reparametrise": True},
    "augment": {"speed": [0.9, 1.1], "time_masks": 1, "time_mask_frames": 4},
    "head__dropout": 0.2,
    "train__batch_seconds": 2.0,
    "train__accumulate": 2,
    "train__epochs": 20,
    "train__patience": 6,
    "train__save_minutes": 1e-9,  # a checkpoint after every step
}


def start(corpus: Path, exp: Path, options: argparse.Namespace) -> list[Child]:
    changes = {**SETTINGS, "train__workers": options.workers}
    if options.processes > 1:
        return children(corpus, exp, options.processes, **changes)
    return [train_child(corpus, exp, **changes)]


def strike(trainers: list[Child], folder: Path, generator: random.Random, in_write: bool) -> str:
    """Kill one trainer some time after the next few checkpoints. Returns where it was, "" if training ended before."""
    last, partial = folder / "last.pt", folder / "next.pt.partial"
    for _ in range(generator.randint(1, 3)):
        before = written(last)
        while written(last) == before:
            if trainers[0].ended():
                return ""
            time.sleep(0.001)
    if in_write:
        while not partial.exists():
            if trainers[0].ended():
                return ""
        time.sleep(generator.uniform(0.0, 0.002))
    else:
        time.sleep(generator.uniform(0.0, 0.1))
    generator.choice(trainers).kill(signal.SIGKILL)
    for child in trainers:
        child.status()
    return "inside a checkpoint's write" if partial.exists() else "elsewhere"


def written(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime_ns
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python test/train/storm.py", description=__doc__)
    for name, default in (("kills", 25), ("workers", 0), ("processes", 1), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        corpus, exp = make_corpus(Path(folder)), Path(folder) / "storm" / "exp"
        reference = Path(folder) / "calm" / "exp"
        for child in start(corpus, reference, options):
            assert child.status() == 0, read(child.stderr)
        places: list[str] = []
        while len(places) < options.kills:
            where = strike(start(corpus, exp, options), exp / "checkpoints", generator, len(places) % 2 == 1)
            if not where:
                sys.exit(f"the training ended after {len(places)} kills; it needs more epochs")
            places.append(where)
            print(f"kill {len(places)}: {where}", flush=True)
        for child in start(corpus, exp, options):
            assert child.status() == 0, read(child.stderr)
        resumed = (exp / "train.log").read_text().count("resuming at")
        assert_same(exp, reference)
        inside = sum("inside" in place for place in places)
        print(f"{len(places)} kills, {inside} inside checkpoint writes, {resumed} resumes: the same, bit for bit")


if __name__ == "__main__":
    main()
