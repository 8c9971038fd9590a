#!/usr/bin/env python3
"""Fuzz the readers of outside files, led by coverage: inputs that reach new code are kept and changed further.

    python test/fuzz/run.py [--minutes 10] [--out DIR] [TARGET ...]

Needs atheris (pip install atheris). It stops at an input that ends in any error but SureError, that takes a minute or
4 GB, or that ends the process; the input is kept in DIR.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
with atheris.instrument_imports(include=["sure", "csv", "kaldiio", "yaml", "tarfile", "zipfile"]):
    from targets import SEEDS, TARGETS

    from sure.errors import SureError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], metavar="TARGET", help="default: all")
    parser.add_argument("--minutes", type=float, default=10.0, help="default: %(default)g")
    parser.add_argument("--out", type=Path, default=Path("crashes"), metavar="DIR")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names = options.targets or list(TARGETS)
    corpus = Path(tempfile.mkdtemp())
    for index, name in enumerate(names):
        for number, seed in enumerate(SEEDS[name]):
            (corpus / f"{index}_{number}").write_bytes(bytes([index]) + seed)

    def run(content: bytes) -> None:
        """The first byte selects the reader of the rest."""
        with contextlib.suppress(SureError), open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            TARGETS[names[content[0] % len(names)] if content else names[0]](content[1:])

    flags = ["-rss_limit_mb=4000", "-timeout=60", "-max_len=4096", f"-max_total_time={options.minutes * 60:.0f}"]
    atheris.Setup([sys.argv[0], *flags, f"-artifact_prefix={options.out.resolve()}/", str(corpus)], run)
    os.chdir(tempfile.mkdtemp())
    atheris.Fuzz()


if __name__ == "__main__":
    main()
