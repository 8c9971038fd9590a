"""Validation: bad utterances are found, reported and removed; good ones stay, byte for byte."""

import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from audio_files import tone, write_audio
from damage import replace

from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.data.limits import Limits, alphabet
from sure.data.tables import PER_UTTERANCE, read_lines
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.recipe.inputs import DIGESTS, STATES


def validate(folder, **options):
    """Validation that removes any number of bad utterances."""
    return validate_data_dir(folder, **{"on_bad_utterance": "skip", "limits": Limits(max_bad_percent=100), **options})


def snapshot(folder, report=True):
    """Bytes and modification time of every file; without `report`, validation.txt is left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and (report or path.name != "validation.txt")]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def stopped(folder, message, **options):
    """The error of a validation that changes no file except the report."""
    before = snapshot(folder, report=False)
    with pytest.raises(SureError, match=f"(?s){message}") as error:
        validate(folder, **options)
    assert snapshot(folder, report=False) == before
    return str(error.value)


def good_set(here, ids="abcd"):
    utterances = []
    for number, id in enumerate(ids):
        path = write_audio(here / "corpus" / f"{id}.wav", tone(0.5 + number / 4, seed=number)).relative_to(here)
        utterances.append(
            Utterance(id, str(path), text=f"words of {id}", labels={"label": "x"}, speaker="s", language="es")
        )
    return write_data_dir(here / "set", utterances)


def reasons(report):
    return {problem.id: problem.reason for problem in report.removed}


def ids(folder):
    return "".join(utterance.id for utterance in read_data_dir(folder))


def test_a_good_folder_gets_durations_and_stays_as_it_is(here):
    folder = good_set(here)
    before = snapshot(folder)
    report = validate(folder)
    after = snapshot(folder)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"utt2dur", "validation.txt", DIGESTS, STATES}
    assert (folder / "utt2dur").read_text() == "a 0.5000\nb 0.7500\nc 1.0000\nd 1.2500\n"
    assert (report.utterances, report.seconds, report.removed, report.notes) == (4, 3.5, [], [])
    validate(folder)
    assert snapshot(folder) == after


def test_order_spacing_and_repeated_lines_are_corrected(here):
    folder = good_set(here)
    expected = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        lines = path.read_text().splitlines()
        path.write_text("\ufeff" + "\r\n".join(reversed(lines)).replace(" ", "  \t", 1) + "\n\n" + lines[0])
    assert validate(folder).removed == []
    assert {name: (folder / name).read_bytes() for name in expected} == expected


BAD = [  # more audio and texts: test_damaged_corpus.py
    ("wav.scp", "b corpus/b.wav", "b", "b", "no path", "wav.scp:2"),
    ("wav.scp", "", "b corpus/a.wav\n", "b", "duplicate id", "wav.scp:3"),
    ("text", "", "b other\n", "b", "duplicate id", "text:3"),
    ("text", "b words of b\n", "", "b", "no line in text", "wav.scp:2"),
    ("utt2label", "b x\n", "", "b", "no line in utt2label", "wav.scp:2"),
    ("utt2label", "b x", "b x y", "b", "unreadable label", "utt2label:2"),
    ("utt2label", "b x", "b action=x", "b", "label groups other than label", "utt2label:2"),
    ("utt2spk", "b s\n", "", "b", "no line in utt2spk", "wav.scp:2"),
    ("utt2lang", "b es", "b es fr", "b", "language of several words", "utt2lang:2"),
    *((table, "", "ghost x\n", "ghost", f"{table} without audio", f"{table}:1") for table in PER_UTTERANCE),
    *(("wav.scp", "", f"{id} corpus/a.wav\n", id, "unusable id", "wav.scp:1") for id in ("../up", "a\\b", "x\u0007y")),
]


@pytest.mark.parametrize(("table", "old", "new", "id", "reason", "where"), BAD)
def test_one_bad_line_is_removed_and_named(here, table, old, new, id, reason, where):
    folder = good_set(here)
    replace(folder / table, old, new)
    original = {path.name: path.read_bytes() for path in folder.iterdir()}
    message = stopped(folder, r"set: unusable utterances: \d+; no table was changed", on_bad_utterance="stop")
    assert f"1 {reason}:\n  {id}\t" in (folder / "validation.txt").read_text()
    assert re.search(rf"1 {reason}: {re.escape(id)} \(.*{re.escape(where)}", message)

    report, good = validate(folder), "abcd".replace(id, "")
    assert reasons(report) == {id: reason} and where in report.removed[0].where
    assert [[line.id for line in read_lines(folder / name)] for name in PER_UTTERANCE] == [list(good)] * 4
    assert f"1 {reason}:\n  {id}\t" in (folder / "validation.txt").read_text()
    assert id in report.summary() and where in report.summary()
    for path in (folder / ".backup").iterdir():
        assert path.read_bytes() == original[path.name]
    assert validate(folder).removed == [] and ids(folder) == good


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_silence_with_a_text_is_removed_and_other_silence_noted(here, level):
    folder = good_set(here)
    write_audio(here / "corpus" / "b.wav", np.full(8000, level))
    labelled = shutil.copytree(folder, here / "labelled")
    (labelled / "text").unlink()
    assert reasons(validate(folder)) == {"b": "silent audio with a text"}
    report = validate(labelled)
    assert not report.removed and report.notes == ["1 silent, as all samples are equal: b"]


def test_many_problems_are_all_counted_and_limited(here):
    folder = good_set(here, "abcdefghijklmnop")
    for name in "bcdefghi":
        (here / "corpus" / f"{name}.wav").unlink()
    message = r"50 % of the utterances cannot be used, more than --max_bad_percent 49\.9"
    stopped(folder, message, limits=Limits(max_bad_percent=49.9))
    report = validate(folder, limits=Limits(max_bad_percent=50))
    assert ids(folder) == "ajklmnop"
    text = (folder / "validation.txt").read_text()
    assert "8 missing audio file:" in text and all(f"  {name}\tcorpus/{name}.wav" in text for name in "bcdefghi")
    assert "8 problems removed" in text
    assert "and 3 more" in report.summary() and report.summary().startswith(f"{folder}: 8 utterances")
    shutil.rmtree(here / "corpus")
    stopped(folder, r"nothing usable remains.*8 missing audio file: a \(corpus/a.wav\)")


def test_segments(here):
    for seconds, name in ((2.0, "one.wav"), (1.0, "two.wav")):
        write_audio(here / name, tone(seconds))
    (here / "cut.wav").write_bytes((here / "two.wav").read_bytes()[:-100])
    folder = here / "set"
    folder.mkdir()
    (folder / "wav.scp").write_text("r1 one.wav\nr2 two.wav\nr3 cut.wav\nr4 two.wav\n")
    (folder / "segments").write_text(
        "a r1 0 1.5\nb r1 1.5 2.05\nc r1 1.5 2.5\nd r2 0.5 -1\ne r2 1.0 1.05\nf r2 0.5 0.4\ng r3 0 0.5\nh r9 0 0.5\n"
        "i r2 zero 1\nj r3 0.9 1.2\n"
    )
    report = validate(folder)
    past, unusable = dict.fromkeys("cej", "segment past the end"), dict.fromkeys("fi", "unusable segment")
    assert reasons(report) == {**past, **unusable, "h": "segment without a recording"}
    kept = [("a", "one.wav", 1.5), ("b", "one.wav", 0.5), ("d", "two.wav", 0.5), ("g", "cut.wav", 0.5)]
    assert [(u.id, u.audio, u.seconds) for u in read_data_dir(folder)] == kept
    assert (folder / "wav.scp").read_text() == "r1 one.wav\nr2 two.wav\nr3 cut.wav\n"
    assert "left out: 1 recording without a usable segment" in report.notes
    assert "truncated audio file; segments before their last samples are kept (1): r3" in report.notes
    after = snapshot(folder, report=False)
    validate(folder)
    assert snapshot(folder, report=False) == after


def test_commands(here):
    folder = good_set(here)
    for id, command in (("b", "cat 'corpus/b.wav' | tee ran"), ("c", "cat nowhere.wav"), ("d", "echo hello")):
        replace(folder / "wav.scp", f"{id} corpus/{id}.wav", f"{id} {command} |")
    stopped(folder, r"wav\.scp:2: .* is a command.*--allow_commands true")
    assert not (here / "ran").exists() and not (folder / "validation.txt").exists()
    stopped(folder, "1 command failed", on_bad_utterance="stop", allow_commands=True)

    report = validate(folder, allow_commands=True)
    assert reasons(report) == {"c": "command failed", "d": "unreadable audio file"}
    assert "nowhere.wav" in next(problem.where for problem in report.removed if problem.id == "c")
    assert "2 commands run" in report.notes[0]
    assert (folder / "audio/b.wav").read_bytes() == (here / "corpus/b.wav").read_bytes()
    a, b = read_data_dir(folder)
    assert (a.id, b.id, b.seconds) == ("a", "b", 0.75) and Path(b.audio) == folder / "audio/b.wav"
    assert "tee ran |" in (folder / ".backup/wav.scp").read_text()
    assert not (folder / "audio.part").exists()
    assert validate(folder).removed == []


def test_arguments(here):
    with pytest.raises(SureError, match="not a data folder"):
        validate(here)
    folder = good_set(here)
    stopped(folder, "expected one of stop, skip, found 'ignore'", on_bad_utterance="ignore")
    (folder / "trials").write_text("a b target\nc c target\n")
    stopped(folder, f"^{folder}/trials:2: 'c' is compared with itself")
    (folder / "trials").unlink()
    for id, text in (("b", "слова"), ("c", "WÖRDS 3"), ("d", "3")):
        replace(folder / "text", f"words of {id}", text)
    known = alphabet(["words of a"])
    assert reasons(validate(folder, known=known)) == {"b": "text without a letter of the training texts"}


VALUES = {
    "wav.scp": ["corpus/a.wav", "corpus/b.wav", "corpus/none.wav", ""],
    "text": ["words", "", "words of a"],
    "utt2label": ["x", "y", "x y", "g=x", "g=x h=y", ""],
    "utt2spk": ["s", ""],
}


@pytest.mark.parametrize("seed", range(60))
def test_any_tables_give_a_readable_and_stable_folder_or_an_error(here, seed):
    """Random lines in every table; with an error, no table is changed."""
    folder, chance = good_set(here), random.Random(seed)
    for name, values in VALUES.items():
        lines = [line for line in (folder / name).read_text().splitlines() if chance.random() < 0.9]
        lines += [f"{chance.choice('abcd')} {chance.choice(values)}" for _ in range(chance.randint(0, 2))]
        lines += [f"{id} {chance.choice(values)}" for id in ("ghost", "x/y") if chance.random() < 0.2]
        (folder / name).write_text("\n".join(chance.sample(lines, len(lines))) + "\n")
    before = snapshot(folder)
    try:
        report = validate(folder, nj=1)
    except SureError:
        assert snapshot(folder, report=False) == before
        return
    after, seconds = snapshot(folder, report=False), [utterance.seconds for utterance in read_data_dir(folder)]
    assert len(seconds) == report.utterances and sum(seconds) == pytest.approx(report.seconds, abs=1e-3)
    assert validate(folder, nj=1).removed == [] and snapshot(folder, report=False) == after
