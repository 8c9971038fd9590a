"""Stage 1: download a recipe's corpus to `downloads/corpus`, or record the path of the user's own copy."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sure.corpus.download import fetch
from sure.errors import SureError, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.download", description=__doc__)
    parser.add_argument("--sources", required=True, metavar="FILE", help="the recipe's sources.yaml")
    parser.add_argument("--out", required=True, metavar="DIR", help="such as downloads")
    parser.add_argument("--corpus", metavar="DIR", help="your own copy of the corpus; nothing is downloaded")
    parser.add_argument("options", nargs="*", metavar="key=value", help="values of placeholders, such as lang=en_us")
    options = parser.parse_intermixed_args(argv)
    print(f"Corpus: {fetch(options.sources, options.out, options.corpus, _parse(options.options))}")


def _parse(words: Sequence[str]) -> dict[str, str]:
    """The `key=value` words. Raises SureError for another word."""
    options = dict(word.partition("=")[::2] for word in words)
    for word in words:
        if not word.partition("=")[0].isidentifier() or "=" not in word:
            raise SureError(f"'{word}': expected key=value, such as lang=en_us")
    return options


if __name__ == "__main__":
    run(main)
