"""Seconds from the start of a training to a given dev score, with SURE and with transformers + PEFT.

    python bench/time_to_quality.py --shape egs/asterisk/downloads/moonshine_tiny_en.safetensors --target 12 --epochs 15

First prepare the corpus: `egs/asterisk/run.sh --stop_stage 3`. Both sides train the same LoRA with each rate of one
grid, alternating, each training in a process of its own, and score the dev set after each epoch. The seconds are those
from the start of the process to the end of the first epoch whose score is at most the target: imports, reading, filling
of the prefix cache, steps and scoring. Each side counts with its best rate. Close other programs first.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from training import CORPUS, with_peer, with_sure
from works import WORKS, part_of, settings, write

LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) INFO epoch \d+: ")


def history_of_sure(config: Path, folder: Path, score: str) -> list[tuple[float, float]]:
    """Seconds since the start of the process, and dev score, of each epoch."""
    begun = datetime.datetime.now()
    with_sure(config, folder, folder / "prefix_cache")
    times = [
        datetime.datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f")
        for line in (folder / "exp/train.log").read_text().splitlines()
        if (found := LINE.match(line))
    ]
    lines = map(json.loads, (folder / "exp/metrics.jsonl").read_text().splitlines())
    return [((now - begun).total_seconds(), line[f"dev_{score}"]) for now, line in zip(times, lines, strict=True)]


def history_of_peer(config: Path, folder: Path, score: str) -> list[tuple[float, float]]:
    """As `history_of_sure`."""
    found = with_peer(config, folder)
    start = found["seconds"] - found["loop_seconds"]
    return [(start + line["seconds"], line[score]) for line in found["history"]]


def reached(history: list[tuple[float, float]], target: float) -> float | None:
    """Seconds until the score is at most the target; None if it never is."""
    return next((seconds for seconds, score in history if score <= target), None)


def best(row: dict[str, Any], side: str) -> tuple[float, float] | None:
    """Seconds and rate of a side's fastest training; None if none reaches the target."""
    times = [(one[side]["seconds"], one["rate"]) for one in row["trainings"] if one[side]["seconds"] is not None]
    return min(times, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default="lora_full_depth", choices=WORKS, help="default: %(default)s")
    parser.add_argument("--shape", required=True, help="wav2vec 2.0: base, large or tiny; or a Moonshine weights file")
    parser.add_argument("--score", default="cer", help="default: %(default)s")
    parser.add_argument("--target", type=float, default=12.0, help="in percent; default: %(default)s")
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-3, 3e-3], help="default: 1e-3 3e-3")
    parser.add_argument("--epochs", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--minutes", type=float, default=0, help="minutes of training audio; default: the whole corpus")
    parser.add_argument("--data", type=Path, default=CORPUS, help="folder with train, dev and tokens")
    parser.add_argument("--out", type=Path, help="append the result as a line of JSON")
    options = parser.parse_args()
    trainings: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        data = part_of(options.data, Path(place) / "data", options.minutes)
        for rate in options.rates:
            folder = Path(place) / f"{rate:g}"
            folder.mkdir()
            train = {"epochs": options.epochs, "precision": options.precision, "lr_adapter": rate, "lr_head": rate}
            config = write(settings(options.work, options.shape, data, **train), folder / "config.yaml")
            found: dict[str, Any] = {"rate": rate}
            for side, history_of in (("sure", history_of_sure), ("peer", history_of_peer)):
                history = history_of(config, folder, options.score)
                seconds = reached(history, options.target)
                found[side] = {"seconds": seconds, "history": history}
                least = min(score for _, score in history)
                shown = "not reached" if seconds is None else f"{seconds:.1f} s"
                print(f"{side}, rate {rate:g}: {shown}; best {options.score} {least:.2f}", flush=True)
            trainings.append(found)
    row = {"target": options.target, "shape": options.shape, "work": options.work, "trainings": trainings}
    ours, theirs = best(row, "sure"), best(row, "peer")
    if ours and theirs:
        print(f"{options.score} {options.target:g}: SURE {ours[0]:.1f} s (rate {ours[1]:g}), "
              f"peer {theirs[0]:.1f} s (rate {theirs[1]:g}), peer / SURE {theirs[0] / ours[0]:.2f}")  # fmt: skip
    else:
        print(f"{options.score} {options.target:g} was not reached by both sides: more epochs, or other rates")
    if options.out:
        with options.out.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
