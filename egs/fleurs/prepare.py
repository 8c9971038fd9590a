"""Data folders from one language of FLEURS; README.md describes the corpus and the decisions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.selection import SETS, Selection, agreeing
from sure.corpus.texts import read_text
from sure.corpus.walk import files_below, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize
from sure.text.numbers import LANGUAGES as WITH_NUMBER_WORDS

LANGUAGES = tuple(Path(__file__).with_name("languages.txt").read_text(encoding="utf-8").split())
COLUMNS = 7  # sentence, file, text as written, text in lower case without punctuation, its letters, samples, gender
PUBLISHED = {"en_us": {"train": 2602, "dev": 394, "test": 647}}
BRACKETS = str.maketrans("()[]<>（）［］＜＞", " " * 12)  # the words in brackets were read aloud


class Row(NamedTuple):
    """The columns of a line that are used here: file, text as written, text in lower case without punctuation."""

    file: str
    raw: str
    lower: str


def prepare(corpus: str | Path, out: str | Path, lang: Literal[LANGUAGES] = "en_us") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` of a language such as fr_fr, and return them.

    Raises SureError for a missing language or list.
    """
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
                selection.take(name, Utterance(f"{lang}-{audio.stem}", str(audio), text=text, language=lang))
        for path in recordings.values():
            selection.leave_out(str(path), "recordings without a usable row")
    return selection.write(Path(out))


def find_folders(corpus: Path, lang: str) -> list[Path]:
    """The folders named after a language, where lists and recordings may be in different ones, or else `corpus`."""
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
    """File name -> recording, in the folders named after the set: `audio/train`, `train`."""
    recordings: dict[str, Path] = {}
    for path in (path for place in places for path in files_below(place, ".wav") if path.parent.name == name):
        recordings.setdefault(path.name, path)
    return recordings


def read_rows(path: Path, selection: Selection) -> Iterator[Row]:
    """The rows of a list, sorted by file, without contradicting ones. Quotation marks have no special meaning."""
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not line.strip() or cells[:2] == ["id", "file_name"]:
            continue
        if len(cells) != COLUMNS or not cells[1]:
            expected = f"expected {COLUMNS} cells with one tab between them, and a file name in the second"
            raise SureError(f"{path}, line {number}: {expected}; found {line!r}; download the list again")
        rows.append(Row(Path(cells[1]).name, cells[2], cells[3]))
    row_of, contradicting = agreeing((row.file, row) for row in rows)
    for file in contradicting:
        selection.leave_out(f"{path.name} {file}", "recordings with several different rows")
    return (row for _, row in sorted(row_of.items()))


def transcript(row: Row, lang: str) -> tuple[str, str]:
    """The normalised text and, if there is none, the reason.

    It is made from the text as written if the language has number words, because FLEURS' text in lower case lost
    `1,000` and `7.5`; otherwise from the text in lower case, if that has no digits.
    """
    code = lang.split("_")[0]
    if code in WITH_NUMBER_WORDS:
        text = normalize((row.raw or row.lower).translate(BRACKETS), lang)
    else:
        try:
            text = normalize(row.lower.translate(BRACKETS), lang)
        except SureError:
            return "", f"texts with digits, which SURE cannot write as words in {code}"
    return text, "" if text else "rows without words"


def _expected(lang: str) -> str:
    return (
        f"expected FLEURS' archive, unpacked: {lang}/train.tsv, {lang}/audio/train/*.wav, and dev and test likewise; "
        f"./run.sh --corpus= --lang {lang} fetches it"
    )
