"""FLEURS: one language of a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sure.corpus.selection import SETS, Selection
from sure.corpus.walk import walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize
from sure.text.numbers import LANGUAGES as WITH_NUMBER_WORDS

LANGUAGES = Path(__file__).with_name("languages.txt").read_text(encoding="utf-8").split()
COLUMNS = 7  # sentence, file, text as written, text in lower case without punctuation, its letters, samples, gender
PUBLISHED = {"en_us": {"train": 2602, "dev": 394, "test": 647}}
BRACKETS = str.maketrans("()[]<>", " " * 6)  # what stands in them was read aloud


class Row(NamedTuple):
    """One line of a list, without what nobody needs here."""

    file: str
    raw: str
    lower: str


def prepare(corpus: str | Path, out: str | Path, lang: str = "en_us") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` of a language such as fr_fr, and return them. Raises SureError."""
    if lang not in LANGUAGES:
        raise SureError(f"lang={lang}: FLEURS has the languages {' '.join(LANGUAGES)}")
    places = find_folders(Path(corpus), lang)
    selection = Selection(f"fleurs asr ({lang})", published=PUBLISHED.get(lang))
    for name in SETS:
        recordings = find_recordings(places, name)
        for row in read_rows(find_list(places, name, lang), selection):
            audio = recordings.pop(row.file, None)
            text, problem = transcript(row, lang)
            if audio is None:
                selection.leave_out(f"{name} {row.file}", "rows without a recording")
            elif problem:
                selection.leave_out(f"{name} {row.file}", problem)
            else:
                selection.take(name, Utterance(f"{lang}-{audio.stem}", str(audio), text=text))
        for path in recordings.values():
            selection.leave_out(str(path), "recordings without a usable row")
    return selection.write(Path(out))


def find_folders(corpus: Path, lang: str) -> list[Path]:
    """The folders of a language, lists and recordings apart or not: those named after it, or else `corpus` itself."""
    corpus = corpus.absolute()
    folders = [place / lang for place, subfolders, _ in walk(corpus) if lang in subfolders]
    if not folders and corpus.name in LANGUAGES and corpus.name != lang:
        raise SureError(f"{corpus}: this is the folder of {corpus.name}, not of {lang}; {_expected(lang)}")
    return folders or [corpus]


def find_list(places: list[Path], name: str, lang: str) -> Path:
    """The list of a set, such as `train.tsv`."""
    for place in places:
        if (place / f"{name}.tsv").is_file():
            return place / f"{name}.tsv"
    raise SureError(f"{places[0]}: no {name}.tsv of {lang} there; {_expected(lang)}")


def find_recordings(places: list[Path], name: str) -> dict[str, Path]:
    """File name -> recording, of the folders that are called like the set: `audio/train`, `train`."""
    recordings: dict[str, Path] = {}
    for place in places:
        for folder, _, files in walk(place):
            if folder.name == name:
                found = (file for file in files if file.lower().endswith(".wav"))
                recordings |= {file: folder / file for file in found if file not in recordings}
    return recordings


def read_rows(path: Path, selection: Selection) -> Iterator[Row]:
    """The rows of a list that can be read, by file; the others go to `selection`. Quotes are nothing but quotes."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"{path}: cannot be read as UTF-8 text ({error}); unpack it again") from None
    rows: dict[str, Row] = {}
    different = set()
    for number, line in enumerate(lines, 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip() or cells[:2] == ["id", "file_name"]:
            continue
        if len(cells) != COLUMNS or not cells[1]:
            selection.leave_out(f"{path.name}, line {number}: {line}", f"rows without the {COLUMNS} columns")
            continue
        row = Row(Path(cells[1]).name, cells[2], cells[3])
        if rows.setdefault(row.file, row) != row:
            different.add(row.file)
    for file in sorted(different):
        selection.leave_out(f"{path.name} {file}", "recordings with several different rows")
    return (row for file, row in sorted(rows.items()) if file not in different)


def transcript(row: Row, lang: str) -> tuple[str, str]:
    """The normalised text and why there is none.

    Of the text as written where numbers can be said, because the other one has lost `1,000` and `7.5`; else of
    FLEURS' own in lower case, if it has no digits.
    """
    code = lang.split("_")[0]
    if code in WITH_NUMBER_WORDS:
        text = normalize((row.raw or row.lower).translate(BRACKETS), lang)
    elif any(char.isdecimal() for char in row.lower):
        return "", f"texts with digits, as there are no number words for {code}"
    else:
        text = normalize(row.lower.translate(BRACKETS), lang)
    return text, "" if text else "rows without words"


def _expected(lang: str) -> str:
    return (
        f"expected FLEURS' archive, unpacked: {lang}/train.tsv, {lang}/audio/train/*.wav, and dev and test likewise; "
        f"./run.sh --corpus= --lang {lang} fetches it"
    )
