"""A lexicon of all words in data folders, with the phones and the source of each word."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sure.data.data_dir import read_data_dir
from sure.errors import SureError, counted, some_of
from sure.files import replace_file
from sure.text.languages import check_language
from sure.text.lexicon import EXTRA, G2P, Entry, make_lexicon, missing_packages
from sure.text.normalize import normalize
from sure.text.phones import VOWELS


def write_lexicon(folders: Sequence[Path], out: Path, files: Sequence[str | Path], language: str) -> str:
    """Write `out` (word phone phone ...) and `<out>_sources.txt` (source, word, phones); returns a summary.

    If words have no phones, lists them in `<out>_missing.txt`, leaves `out` unchanged, and raises SureError.
    """
    words = {word for folder in folders for word in _words(folder, check_language(language))}
    entries = make_lexicon(words, files, language)
    missing_file, sources_file = (out.with_name(f"{out.stem}_{name}.txt") for name in ("missing", "sources"))
    if missing := sorted(words - entries.keys()):
        replace_file(missing_file, "".join(f"{word}\n" for word in missing))
        raise SureError(_remedy(missing, missing_file, language))
    missing_file.unlink(missing_ok=True)
    rows = sorted((entry.source, word, entry.phones) for word, entry in entries.items())
    replace_file(sources_file, "".join("\t".join(row) + "\n" for row in rows))
    replace_file(out, "".join(f"{word} {entry.phones}\n" for word, entry in entries.items()))
    return _summary(out, entries, sources_file)


def _words(folder: Path, language: str) -> set[str]:
    words: set[str] = set()
    for utterance in read_data_dir(folder):
        if utterance.text is None:
            raise SureError(f"{folder} has no file `text` with the words for the lexicon; run stage 2 (prepare)")
        words.update(normalize(utterance.text, language).split())
    return words


def _remedy(missing: list[str], listing: Path, language: str) -> str:
    message = f"without phones: {counted(len(missing), 'word')}: {some_of(missing, 20)} (complete list: {listing}); "
    if packages := missing_packages(language):
        message += f"install {' and '.join(packages)} for English words: tools/install.sh --extras {EXTRA}; or "
    return message + "write lines `word phone phone ...` for these words to a file and pass --lexicon FILE"


def _summary(out: Path, entries: dict[str, Entry], sources_file: Path) -> str:
    lines = [f"{out}: {counted(len(entries), 'word')}"]
    for source, count in Counter(entry.source for entry in entries.values()).most_common():
        lines.append(f"{count:,} from {source}" + ", predicted from the letters" * (source == G2P))
    lines.append(f"complete list: {sources_file}")
    phones = {phone for entry in entries.values() for phone in entry.phones.split()}
    if mixed := sorted(vowel for vowel in VOWELS if vowel in phones and phones & {f"{vowel}{mark}" for mark in "012"}):
        lines.append(f"vowels with and without stress ({' '.join(mixed)}): tokenizer.fold=no_stress removes the stress")
    return "\n  ".join(lines)
