"""Stage 1: bring a recipe's corpus to `downloads/corpus`, or record the user's own copy of it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sure.corpus.download import fetch
from sure.errors import SureError, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.download", description=__doc__)
    parser.add_argument("--sources", required=True, metavar="FILE", help="the recipe's sources.yaml")
    parser.add_argument("--out", required=True, metavar="DIR", help="such as downloads")
    parser.add_argument("--corpus", metavar="DIR", help="a copy of the corpus you have; nothing is fetched")
    parser.add_argument("options", nargs="*", metavar="key=value", help="for the placeholders in FILE")
    options = parser.parse_intermixed_args(argv)
    print(f"Corpus: {fetch(options.sources, options.out, options.corpus, _parse(options.options))}")


def _parse(words: Sequence[str]) -> dict[str, str]:
    """`key=value` words. Raises SureError for one that is none."""
    options = dict(word.partition("=")[::2] for word in words)
    for word in words:
        if not word.partition("=")[0].isidentifier() or "=" not in word:
            raise SureError(f"'{word}': expected key=value, such as lang=en_us")
    return options


if __name__ == "__main__":
    run(main)
