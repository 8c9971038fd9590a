"""Estimate an n-gram language model from texts and write an ARPA file (interpolated modified Kneser-Ney smoothing)."""

from __future__ import annotations

import argparse
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from sure.data.tables import read_lines
from sure.errors import SureError, run
from sure.files import replace_file
from sure.text.arpa import format_arpa
from sure.text.ngram import FALLBACK, estimate, perplexity
from sure.text.normalize import normalize


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.ngram", description=__doc__)
    parser.add_argument(
        "--text", nargs="+", default=[], metavar="FILE", help="lines `id words`, such as data/asr_es/train/text"
    )
    parser.add_argument("--lines", nargs="+", default=[], metavar="FILE", help="lines of words, without ids")
    parser.add_argument(
        "--language", metavar="CODE", help="normalise the texts in this language; default: they are normalised"
    )
    parser.add_argument("--order", type=int, default=4, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--perplexity", nargs="+", default=[], metavar="FILE", help="files as for --text, to compute the perplexity of"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="such as 4gram.arpa, or 4gram.arpa.gz")
    options = parser.parse_args(argv)
    if options.order < 1:
        raise SureError(f"--order {options.order}: expected 1 or more")
    texts = [*with_ids(options.text), *without_ids(options.lines)]
    if not texts:
        raise SureError("no lines to estimate from; pass files with --text or --lines")
    model = estimate(sentences(texts, options.language), options.order)
    content = format_arpa(model).encode()
    out = Path(options.out)
    replace_file(out, gzip.compress(content, mtime=0) if out.suffix == ".gz" else content)
    for order, (count, discounts) in enumerate(zip(model.counts(), model.discounts, strict=True), 1):
        shown = " ".join(f"{discount:.3f}" for discount in discounts)
        small = " (defaults, as the text is too small to estimate them)" if discounts == FALLBACK else ""
        print(f"{count:,} {order}-grams, discounts {shown}{small}")
    if model.order < options.order:
        print(f"no sentence is long enough for order {options.order}, so this model has order {model.order}")
    for file in options.perplexity:
        print(f"perplexity {perplexity(model, sentences(with_ids([file]), options.language)):.2f} of {file}")
    print(out)


def with_ids(files: Sequence[str]) -> Iterator[str]:
    for file in files:
        try:
            yield from (line.value for line in read_lines(Path(file)))
        except OSError as error:
            raise SureError(f"cannot read {file}: {error.strerror}") from None


def without_ids(files: Sequence[str]) -> Iterator[str]:
    for file in files:
        try:
            yield from Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SureError(f"cannot read {file}: {error}") from None


def sentences(texts: Sequence[str] | Iterator[str], language: str | None) -> list[list[str]]:
    return [(normalize(text, language) if language else text).split() for text in texts]


if __name__ == "__main__":
    run(main)
