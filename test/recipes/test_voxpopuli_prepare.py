"""egs/voxpopuli: sessions and cut recordings in other places, damaged lists, times of speeches."""

import csv
import gzip
from pathlib import Path

import pytest
from audio_files import write_audio
from harness import Case, changes, edit, layout, move, remove, rename, replace, table, write
from miniature import table as as_table
from speech import speech
from voxpopuli import LIST

RECIPE = "voxpopuli"
CUT, SESSIONS = "cut", "sessions"
STRAY, FIRST_OF_DEV = "20090101-0900-PLENARY-1-en_1_1", "20090112-0900-PLENARY-3-en_20090112-09:00:04_4"
INVALID = {"rows of no set": "20120703-0900-PLENARY-15-en_20120703-09:00:05_5"}


def in_all_rows(**cells: str):
    def change(content: bytes) -> bytes:
        rows = list(csv.DictReader(gzip.decompress(content).decode().splitlines(), delimiter="|"))
        values = [(row | cells).values() for row in rows]
        return gzip.compress(as_table([rows[0], *values], delimiter="|").encode())

    return edit(LIST, change)


def as_wav(corpus: Path) -> None:
    for path in sorted(corpus.glob("cut/**/*.ogg")):
        write_audio(corpus / "cut/en/train/train_part_0" / f"{path.stem}.wav", speech(path.stem[-1]))
        path.unlink()


@table({  # values of all rows, start and end of the first utterance
    "no pieces of voice": ({"vad": ""}, 0.05, None),
    "more after the times": ({"vad": "[(0.1, 2e-1, 5.5), [0.3, 0.4, 'x 7']]"}, 0.1, 0.4),
    "very many pieces": ({"vad": str([(0.1 + number * 1e-6, 0.9) for number in range(8_000)])}, 0.1, 0.9),
})  # fmt: skip
def test_times_of_speeches(corpus, prepared, case):
    values, start, end = case
    in_all_rows(**values)(corpus)
    first = next(iter(prepared(corpus / SESSIONS).sets["train"].values()))
    assert first.start == pytest.approx(start) and (first.end > 0.5 if end is None else first.end == pytest.approx(end))


def test_digits_where_there_are_no_number_words(corpus, prepared):
    (corpus / "cut/en").rename(corpus / "cut/de")
    for change in (rename("cut/**/*.ogg", lambda name: name.replace("-en_", "-de_")),
                   replace("cut/de/*.tsv", "-en_", "-de_"),
                   replace("cut/de/*.tsv", "\tno, no.", "\t5 nein")):  # fmt: skip
        change(corpus)
    result = prepared(corpus / CUT, lang="de")
    assert len(result.ids["train"]) == 4
    reason = "texts with digits, as there are no number words for de"
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
        lambda corpus: write_audio(corpus / f"cut/en/2009/{STRAY}.ogg", speech("stray")),
        left_out={"cut recordings without a row": f"en/2009/{STRAY}.ogg"}),
    "a row twice": of_cut(edit("cut/en/asr_dev.tsv", lambda text: text + text.splitlines()[1] + b"\n"),
                          left_out={"rows that repeat an id": FIRST_OF_DEV}),
    **{f"no list in {given}": Case(options={"lang": "fr"}, given=given,
                                   error="no list of fr there; expected asr_fr.tsv.gz")
       for given in (SESSIONS, CUT, "cut/en")},
    "no list of cut recordings": Case(remove("cut/en/asr_dev.tsv"), given=CUT, error="asr_dev.tsv is missing"),
    "no times": Case(in_all_rows(vad="", start_time="", end_time=""), given=SESSIONS, error="the set train is empty"),
    "another list": Case(write(LIST, gzip.compress(b"session_id|text\nx|y\n")), given=SESSIONS, error="no column id_"),
})  # fmt: skip
