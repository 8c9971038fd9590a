"""An n-gram language model from text files, as an ARPA file."""

import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path

from sure.data.tables import read_lines
from sure.errors import SureError
from sure.files import replace_file
from sure.progress import progress_bar
from sure.text.arpa import format_arpa
from sure.text.languages import check_language
from sure.text.ngram import FALLBACK, estimate, perplexity
from sure.text.normalize import normalize


def write_ngram(
    text: Sequence[Path], lines: Sequence[Path], language: str | None, order: int, measured: Sequence[Path], out: Path
) -> Iterator[str]:
    """Write the model; yield its counts and discounts, the perplexity of each file of `measured`, and the path.

    text, measured: files with lines `id words`; lines: files with lines of words; language: of the normalisation.
    Raises SureError for an order below 1, for no lines at all, and for a file that cannot be read.
    """
    if language:
        check_language(language)
    if order < 1:
        raise SureError(f"--order {order}: expected 1 or more")
    sentences = [*_read(text, language), *_read(lines, language, ids=False)]
    if not sentences:
        raise SureError("no lines to estimate from; pass files with --text or --lines")
    model = estimate(sentences, order)
    content = format_arpa(model).encode()
    replace_file(out, gzip.compress(content, mtime=0) if out.suffix == ".gz" else content)
    for size, (count, discounts) in enumerate(zip(model.counts(), model.discounts, strict=True), 1):
        shown = " ".join(f"{discount:.3f}" for discount in discounts)
        small = " (defaults, as the text is too small to estimate them)" if discounts == FALLBACK else ""
        yield f"{count:,} {size}-grams, discounts {shown}{small}"
    if model.order < order:
        yield f"no sentence is long enough for order {order}, so this model has order {model.order}"
    for file in measured:
        yield f"perplexity {perplexity(model, _read([file], language)):.2f} of {file}"
    yield str(out)


def _read(files: Sequence[Path], language: str | None, ids: bool = True) -> list[list[str]]:
    """The words of each line, without its id."""
    sentences: list[list[str]] = []
    for file in files:
        try:
            texts = [line.value for line in read_lines(file)] if ids else file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SureError(f"cannot read {file}: {getattr(error, 'strerror', error)}") from None
        # a million lines take minutes
        lines = progress_bar(texts, str(file), unit="line") if language else texts
        sentences += [(normalize(text, language) if language else text).split() for text in lines]
    return sentences
