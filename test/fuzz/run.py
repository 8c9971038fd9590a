#!/usr/bin/env python3
"""Fuzz the readers of outside files: inputs that reach new code are kept and changed further, as long as there is time.

    python test/fuzz/run.py --minutes 10 [--out DIR] [TARGET ...]

Needs atheris (pip install atheris); without it hypothesis makes inputs that know nothing of the code. What crashes a
reader, anything but SureError, is kept in DIR with its traceback and named at the end; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEGABYTES = 4000  # of the process
SECONDS = 60  # for one input
NOTE_EVERY = 100  # inputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all of targets.py")
    parser.add_argument("--minutes", type=float, default=10.0, help="default: %(default)g")
    parser.add_argument("--out", type=Path, default=Path("crashes"), metavar="DIR")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # a process of its own
    options = parser.parse_args()
    sys.path[:0] = [str(HERE), str(HERE.parents[1])]
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if options.inside:
        fuzz(options.targets, options.minutes * 60, Notes(out))
        return
    end = time.monotonic() + options.minutes * 60
    words = [*options.targets, "--inside", "--out", str(out)]
    counts: Counter[str] = Counter()
    fatal = []
    while (minutes := (end - time.monotonic()) / 60) > 0:  # again after what Python cannot catch
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(HERE / "run.py"), *words, "--minutes", str(minutes)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
        counts.update(json.loads((out / "counts.json").read_text()))
        if done.returncode:
            fatal.append(done.stderr[-3000:])
        if len(fatal) > 5:
            break
    for name, count in sorted(counts.items()):
        print(f"{name:24} {count:9,} inputs")
    crashes = sorted(out.glob("*.txt"))
    for crash in crashes:
        print(f"\n{crash}:\n{crash.read_text()}")
    print(*fatal, sep="\n")
    print(f"{counts.total():,} inputs, {len(crashes)} readers' crashes, {len(fatal)} ends of the process")
    sys.exit(bool(crashes or fatal))


class Notes:
    """What was run, and one input for each place that something else than SureError came from."""

    def __init__(self, out: Path):
        self.out = out
        self.counts: Counter[str] = Counter()
        self.save()

    def save(self) -> None:
        (self.out / "counts.json").write_text(json.dumps(self.counts))

    def run(self, name: str, target: Callable[[bytes], object], content: bytes) -> None:
        from sure.errors import SureError

        self.counts[name] += 1
        if self.counts.total() % NOTE_EVERY == 0:
            self.save()
        (self.out / "last").write_bytes(name.encode() + b"\n" + content)  # should it end the process
        try:
            with contextlib.suppress(SureError), open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
                target(content)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            stem = f"{name.replace('.', '_')}-{type(error).__name__}-{Path(place.filename).stem}-{place.lineno}"
            if not (self.out / f"{stem}.txt").exists():
                (self.out / f"{stem}.bin").write_bytes(content)
                (self.out / f"{stem}.txt").write_text("".join(traceback.format_exception(error)[-6:]))


def fuzz(names: list[str], seconds: float, notes: Notes) -> None:
    """Of an input the first byte says which reader gets the rest."""
    try:
        import atheris
    except ImportError:
        by_hypothesis(names, seconds, notes)
        return
    with atheris.instrument_imports(include=["sure", "csv", "kaldiio", "yaml", "tarfile", "zipfile"]):
        from targets import SEEDS, TARGETS
    chosen = [(name, TARGETS[name]) for name in names or TARGETS]
    Path("corpus").mkdir()
    Path("work").mkdir()
    for index, (name, _) in enumerate(chosen):
        for number, seed in enumerate(SEEDS[name]):
            Path("corpus", f"{index}_{number}").write_bytes(bytes([index]) + seed)
    corpus = str(Path("corpus").resolve())
    os.chdir("work")

    def run(content: bytes) -> None:
        if content:
            name, target = chosen[content[0] % len(chosen)]
            notes.run(name, target, content[1:])

    flags = [f"-max_total_time={max(1, int(seconds))}", f"-rss_limit_mb={MEGABYTES}", f"-timeout={SECONDS}"]
    atheris.Setup([sys.argv[0], *flags, "-max_len=4096", f"-artifact_prefix={notes.out}/fatal-", corpus], run)
    atheris.Fuzz()


def by_hypothesis(names: list[str], seconds: float, notes: Notes) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st
    from targets import SEEDS, TARGETS
    from test_fuzz import damaged

    pairs = st.sampled_from(names or list(TARGETS)).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(SEEDS[name]).flatmap(damaged))
    )
    checks, phases = list(HealthCheck), [Phase.generate]

    @settings(max_examples=1000, deadline=None, database=None, phases=phases, suppress_health_check=checks)
    @given(pairs)
    def look(pair: tuple[str, bytes]) -> None:
        notes.run(pair[0], TARGETS[pair[0]], pair[1])

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        look()
    notes.save()


if __name__ == "__main__":
    main()
