"""Stage 1: download a recipe's corpus to `downloads/corpus`, or record the path of the user's own copy."""

import argparse

from sure.corpus.download import fetch
from sure.errors import SureError, run


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.download", description=__doc__, allow_abbrev=False)
    parser.add_argument("--sources", required=True, metavar="FILE", help="the recipe's sources.yaml")
    parser.add_argument("--out", required=True, metavar="DIR", help="such as downloads")
    parser.add_argument("--corpus", metavar="DIR", help="your own copy of the corpus; or a dataset, hf://owner/name")
    parser.add_argument("--columns", default="", metavar="WORDS", help='of a dataset, such as "text=sentence"')
    parser.add_argument("options", nargs="*", metavar="key=value", help="values of placeholders, such as lang=en_us")
    options = parser.parse_intermixed_args(argv)
    placeholders = {}
    for word in options.options:
        key, equals, placeholders[key] = word.partition("=")
        if not key.isidentifier() or not equals:
            raise SureError(f"'{word}': expected key=value, such as lang=en_us")
    print(f"Corpus: {fetch(options.sources, options.out, options.corpus, placeholders, options.columns)}")


if __name__ == "__main__":
    run(main)
