"""egs/voxpopuli: sessions and cut recordings in other places, damaged lists, times of speeches."""

import gzip
import re
from pathlib import Path

import pytest
from harness import Case, Change, changes, edit, layout, move, remove, rename, table, write
from voxpopuli import LIST

CUT, SESSIONS = "cut", "sessions"
STRAY, FIRST_OF_DEV = "20090101-0900-PLENARY-1-en_1_1", "20090112-0900-PLENARY-3-en_20090112-09:00:04_4"
INVALID = {"rows of no set": "20120703-0900-PLENARY-15-en_20120703-09:00:05_5"}


def times(start_end_vad: str) -> Change:
    """Other values of the last columns in all rows."""
    columns = re.compile(rb"\|[0-9.]+\|[0-9.]+\|\[.*\]")
    return edit(LIST, lambda content: gzip.compress(columns.sub(start_end_vad.encode(), gzip.decompress(content))))


def as_wav(corpus: Path) -> None:
    for path in sorted(corpus.glob("cut/**/*.ogg")):
        move(path, f"cut/en/train/train_part_0/{path.stem}.wav")(corpus)


@table({  # columns of all rows; start and end of the first utterance
    "no pieces of voice": ("|0.05|0.9|", 0.05, 0.9),
    "more after the times": ("|0|9|[(0.1, 2e-1, 5.5), [0.3, 0.4, 'x 7']]", 0.1, 0.4),
    "very many pieces": (f"|0|9|{[(0.1 + number * 1e-6, 0.9) for number in range(8_000)]}", 0.1, 0.9),
})  # fmt: skip
def test_times_of_speeches(corpus, prepared, case):
    columns, start, end = case
    times(columns)(corpus)
    first = next(iter(prepared(corpus / SESSIONS).sets["train"].values()))
    assert (first.start, first.end) == pytest.approx((start, end))


def test_digits_where_there_are_no_number_words(corpus, prepared):
    recordings = rename("cut/**/*.ogg", lambda name: name.replace("-en_", "-de_"))
    rows = edit("cut/de/*.tsv", lambda text: text.replace(b"-en_", b"-de_").replace(b"\tno, no.", b"\t5 nein"))
    for change in (move("cut/en", "cut/de"), recordings, rows):
        change(corpus)
    result = prepared(corpus / CUT, lang="de")
    assert len(result.ids["train"]) == 4
    reason = "texts with digits, which SURE cannot write as words in de"
    assert (reason, "20120703-0900-PLENARY-15-de_20120703-09:00:01_1") in result.left_out


def of_cut(*change, **effect) -> Case:
    """The list of the cut recordings has no rows of no set."""
    return Case(change, given=CUT, not_left_out=INVALID, **effect)


test_changes = changes({
    "sessions of the language alone": layout(
        rename("sessions/**/*_original.ogg", lambda name: name.replace("_original", "_en")), SESSIONS),
    "above": Case([move("cut", "deeper/cut"), remove("sessions", "asr_en.tsv.gz")], not_left_out=INVALID),
    "the language": Case(given="cut/en", not_left_out=INVALID),
    "Hugging Face": of_cut(as_wav),
    "no colons": of_cut(rename("cut/**/*.ogg", lambda name: name.replace(":", "_"))),
    "a recording without a row": of_cut(
        write(f"cut/en/2009/{STRAY}.ogg"), left_out={"cut recordings without a row": f"en/2009/{STRAY}.ogg"}),
    "a row twice": of_cut(edit("cut/en/asr_dev.tsv", lambda text: text + text.splitlines()[1] + b"\n"),
                          left_out={"rows that repeat an id": FIRST_OF_DEV}),
    **{f"no list in {given}": Case(options={"lang": "fr"}, given=given,
                                   error="no list of fr there; expected asr_fr.tsv.gz")
       for given in (SESSIONS, CUT, "cut/en")},
    "no list of cut recordings": Case(remove("cut/en/asr_dev.tsv"), given=CUT, error="asr_dev.tsv is missing"),
    "no times": Case(times("|||"), given=SESSIONS, error="the set train is empty"),
    "another list": Case(write(LIST, gzip.compress(b"session_id|text\nx|y\n")), given=SESSIONS, error="no column id_"),
})  # fmt: skip
