"""Stage 3: learn tokens or labels from the training set, into tokenizer.folder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sure.config import load_config
from sure.errors import run
from sure.stages.tokenize import tokenize


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.tokenize", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="later ones win")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as tokenizer.kind=bpe")
    options = parser.parse_intermixed_args(argv)
    config = load_config(options.config, options.overrides)
    folder = tokenize(config)
    print(f"Tokens: {folder} ({', '.join(sorted(path.name for path in folder.iterdir()))})")


if __name__ == "__main__":
    run(main)
