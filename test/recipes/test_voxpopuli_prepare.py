"""egs/voxpopuli/prepare.py on a miniature of the publisher's files, and on cut recordings."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
import tarfile
from pathlib import Path

import miniature
import pytest
from audio_files import write_audio
from harness import SETS, Case, append, edit, move, remove, rename, replace, table, write
from speech import speech

RECIPE = "voxpopuli"
TEXTS = {
    "20090112-0900-PLENARY-3-en_20090112-09:00:00_0": ("train", "madam"),
    "20090112-0900-PLENARY-3-en_20090112-09:00:01_1": ("train", "he said no"),
    "20090112-0900-PLENARY-3-en_20090112-09:00:02_2": ("train", "five men"),
    "20120703-0900-PLENARY-15-en_20120703-09:00:00_0": ("train", "so be it"),
    "20120703-0900-PLENARY-15-en_20120703-09:00:01_1": ("train", "no no"),
    "20090112-0900-PLENARY-3-en_20090112-09:00:04_4": ("dev", "a vote"),
    "20120703-0900-PLENARY-15-en_20120703-09:00:02_2": ("dev", "thanks"),
    "20120703-0900-PLENARY-15-en_20120703-09:00:03_3": ("test", "done"),
    "20120703-0900-PLENARY-15-en_20120703-09:00:04_4": ("test", "i say so"),
}
LEFT_OUT = [
    ("rows of no set", "20120703-0900-PLENARY-15-en_20120703-09:00:05_5"),
    ("rows without a normalised text", "20090112-0900-PLENARY-3-en_20090112-09:00:03_3"),
    ("rows without a recording", "20200101-0900-PLENARY-1-en_20200101-09:00:00_0"),
]
HEADER = "id raw_text normalized_text speaker_id split gender is_gold_transcript accent".split()
SESSION_LIST = "sessions/annotations/asr/asr_en.tsv.gz"


def build(folder: Path) -> None:
    """As sources.yaml unpacks it, and in transcribed_data as the publisher's program cuts it: a list for each set."""
    made = miniature.make(RECIPE, folder / "made")
    write(SESSION_LIST, (made / "asr_en.tsv.gz").read_bytes())(folder)
    for path in made.glob("*.tar"):
        with tarfile.open(path) as tar:
            tar.extractall(folder / "sessions" / "raw_audios")
    for name in SETS:
        lines = ["\t".join(HEADER)]
        for row in rows(folder / SESSION_LIST):
            id = f"{row['session_id']}-{row['id_']}"
            keys = ("original_text", "normed_text", "speaker_id", "split", "gender", "is_gold_transcript", "accent")
            lines += ["\t".join([id, *(row[key] for key in keys)])] * (row["split"] == name)
            if row["split"] == name and not id.startswith("2020"):
                wave = speech(row["normed_text"], row["speaker_id"])
                write_audio(folder / "cut" / "en" / id[:4] / f"{id}.ogg", wave)
        write(f"cut/en/asr_{name}.tsv", "\n".join(lines) + "\n")(folder)
    shutil.rmtree(made)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines(), delimiter="|"))


def texts(result) -> dict[str, tuple[str, str]]:
    return {id: (name, result.of("text")[id]) for id, name in result.of("set").items()}


def in_all_rows(**changes: str):
    def change(corpus: Path) -> None:
        file = io.StringIO()
        found = rows(corpus / SESSION_LIST)
        writer = csv.DictWriter(file, found[0], delimiter="|")
        writer.writeheader()
        writer.writerows(row | changes for row in found)
        write(SESSION_LIST, gzip.compress(file.getvalue().encode()))(corpus)

    return change


def test_speeches_are_parts_of_sessions(recipe, prepared, tmp_path):
    result = prepared(recipe.corpus / "sessions")
    assert texts(result) == TEXTS and result.left_out == LEFT_OUT
    first, second, *_ = result.sets["train"].values()
    assert first.audio == second.audio and first.audio.endswith("original/2009/20090112-0900-PLENARY-3_original.ogg")
    # from the beginning of the first piece of voice to the end of the last
    assert first.start == pytest.approx(0.1) and first.end > 0.5 and second.start == pytest.approx(first.end + 0.1)
    train = tmp_path / "out 0" / "train"
    assert len((train / "wav.scp").read_text().splitlines()) == 2 and (train / "segments").is_file()
    speakers = [one.speaker for one in result.sets["train"].values()]
    assert speakers == ["840", "840", "unknown_20090112-0900-PLENARY-3", "2002", "2002"]


def test_cut_recordings_give_the_same_utterances(recipe, prepared, tmp_path):
    result = prepared(recipe.corpus / "cut")
    assert texts(result) == TEXTS and result.left_out == LEFT_OUT[1:]  # the program writes no rows of no set
    assert set(result.of("start").values()) == {None} and not (tmp_path / "out 0" / "train" / "segments").exists()
    assert result.of("speaker") == prepared(recipe.corpus / "sessions").of("speaker")


CUT, SESSIONS = "cut", "sessions"
STRAY, FIRST_OF_DEV = "20090101-0900-PLENARY-1-en_1_1", "20090112-0900-PLENARY-3-en_20090112-09:00:04_4"


def repeat(corpus: Path) -> None:
    path = corpus / "cut/en/asr_dev.tsv"
    append("cut/en/asr_dev.tsv", path.read_text().splitlines()[1] + "\n")(corpus)


def as_wav(corpus: Path) -> None:
    for path in sorted(corpus.glob("cut/**/*.ogg")):
        write_audio(corpus / "cut/en/train/train_part_0" / f"{path.stem}.wav", speech(path.stem[-1]))
        path.unlink()


@table({  # change, folder given, more that is left out
    "above": ([move("cut", "deeper/cut"), remove("sessions")], "", []),
    "the language": ([], "cut/en", []),
    "Hugging Face": (as_wav, CUT, []),
    "no colons": (rename("cut/**/*.ogg", lambda name: name.replace(":", "_")), CUT, []),
    "cut recordings and sessions": ([], "", LEFT_OUT[:1]),
    "a recording without a row": (lambda corpus: write_audio(corpus / f"cut/en/2009/{STRAY}.ogg", speech("stray")), CUT,
                                  [("cut recordings without a row", f"en/2009/{STRAY}.ogg")]),
    "a row twice": (repeat, CUT, [("rows that repeat an id", FIRST_OF_DEV)]),
})  # fmt: skip
def test_cut_recordings_in_other_places(corpus, prepared, case):
    changes, given, more = case
    for change in [changes] if callable(changes) else changes:
        change(corpus)
    result = prepared(corpus / given)
    assert texts(result) == TEXTS and set(result.of("start").values()) == {None}
    assert result.left_out == sorted([*LEFT_OUT[1:], *more])


def test_sessions_of_the_language_alone(corpus, prepared):
    rename("sessions/**/*_original.ogg", lambda name: name.replace("_original", "_en"))(corpus)
    assert texts(prepared(corpus / SESSIONS)) == TEXTS


@table({  # values of all rows, start and end of the first utterance
    "no pieces of voice": ({"vad": ""}, 0.05, None),
    "more after the times": ({"vad": "[(0.1, 2e-1, 5.5), [0.3, 0.4, 'x 7']]"}, 0.1, 0.4),
    "very many pieces": ({"vad": str([(0.1 + number * 1e-6, 0.9) for number in range(20_000)])}, 0.1, 0.9),
})  # fmt: skip
def test_times_of_speeches(corpus, prepared, case):
    changes, start, end = case
    in_all_rows(**changes)(corpus)
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


@table({
    "no list": [Case(options={"lang": "fr"}, given=given, error="no list of fr there; expected asr_fr.tsv.gz")
                for given in (SESSIONS, CUT, "cut/en")],
    "a list of cut recordings": [Case(remove("cut/en/asr_dev.tsv"), given=CUT, error="asr_dev.tsv is missing")],
    "a cut list": [Case(edit(SESSION_LIST, lambda content: content[:40]), given=SESSIONS,
                        error="asr_en.tsv.gz: cannot be read as UTF-8 text")],
    "another list": [Case(write(SESSION_LIST, gzip.compress(b"session_id|text\nx|y\n")), given=SESSIONS,
                          error="no column id_")],
    "no times": [Case(in_all_rows(vad="", start_time="", end_time=""), given=SESSIONS, error="the set train is empty")],
})  # fmt: skip
def test_missing_and_damaged_files_are_named(check, tmp_path, case):
    for one in case:
        check(one)
    if "empty" in case[0].error:
        assert "rows without a recording\t" in (tmp_path / "out/left_out.txt").read_text()
