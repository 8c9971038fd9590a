"""Data folders: what is written is read; what is inconsistent is named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from audio_files import tone, write_audio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.errors import SureError

word = st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="/\\="), min_size=1, max_size=8)
labels = st.fixed_dictionaries({"action": word, "place": word}) | st.fixed_dictionaries({"label": word})


def make(folder: Path, **tables: str) -> Path:
    """A data folder from the texts of its tables (`wav_scp=` for wav.scp); utt2dur unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    if "utt2dur" not in tables:
        listing = tables.get("segments", tables["wav_scp"])
        tables["utt2dur"] = "".join(f"{line.split()[0]} 1.5\n" for line in listing.splitlines() if line.strip())
    for name, text in tables.items():
        (folder / name.replace("wav_scp", "wav.scp")).write_text(text, encoding="utf-8")
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read(here: Path, data: st.DataObject) -> None:
    ids = data.draw(st.lists(word.filter(lambda id: id not in {".", ".."}), min_size=1, max_size=6, unique=True))
    kind = data.draw(labels)
    segmented, has_text, has_speaker = (data.draw(st.booleans()) for _ in range(3))
    utterances = [
        Utterance(
            id,
            audio=f"some where/{data.draw(word)}.wav",
            start=number * 0.25 if segmented else None,
            end=number * 0.25 + 1.125 if segmented else None,
            seconds=1.125,
            text=" ".join(data.draw(st.lists(word, min_size=1, max_size=4))) if has_text else None,
            labels={group: data.draw(word) for group in kind},
            speaker=data.draw(word) if has_speaker else None,
        )
        for number, id in enumerate(ids)
    ]
    folder = write_data_dir(here / "set", utterances)
    (folder / "utt2dur").write_text("".join(f"{id} 1.125\n" for id in ids), encoding="utf-8")
    assert read_data_dir(folder) == sorted(utterances, key=lambda utterance: utterance.id)
    for table in folder.iterdir():
        lines = table.read_bytes().splitlines() if table.name != "utt2dur" else []
        assert [line.split(b" ")[0] for line in lines] == sorted(line.split(b" ")[0] for line in lines)


def test_tables_of_an_earlier_run_do_not_stay(here: Path) -> None:
    write_data_dir("set", [Utterance("a", "a.wav", 0.0, 1.0, text="x", speaker="s", labels={"label": "l"})])
    written = {path.name for path in (here / "set").iterdir()}
    assert written == {"wav.scp", "segments", "text", "utt2spk", "utt2label"}
    write_data_dir("set", [Utterance("a", "a.wav")])
    assert {path.name for path in (here / "set").iterdir()} == {"wav.scp"}


def test_files_of_the_same_name_are_different_recordings(here: Path) -> None:
    utterances = [Utterance(f"u{n}", f"{n}/same name.wav", 0.0, 1.0, 1.0) for n in range(3)]
    assert read_data_dir(write_data_dir("set", utterances)) == utterances


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "a/b"}, "path separator"),
        ({"id": "a b"}, "whitespace"),
        ({"id": "a\nb"}, "whitespace"),
        ({"id": "a\u00a0b"}, "whitespace"),
        ({"id": ""}, "not a name"),
        ({"id": ".."}, "not a name"),
        ({"id": "a" * 201}, "too long for a file name"),
        ({"id": "é" * 101}, "too long for a file name: 202 bytes"),
        ({"labels": {"label": "two words"}}, "one word"),
        ({"labels": {"label": "a=b"}}, "'='"),
        ({"labels": {"a=b": "c"}}, "'='"),
        ({"speaker": ""}, "one word"),
        ({"audio": "x.wav\ny.wav"}, "unusable audio path"),
        ({"audio": " "}, "unusable audio path"),
    ],
)
def test_what_a_line_cannot_hold_is_refused(here: Path, changes: dict, message: str) -> None:
    with pytest.raises(SureError, match=message):
        write_data_dir("set", [Utterance(**{"id": "a", "audio": "a.wav", **changes})])
    assert not (here / "set").exists()


def test_some_with_and_some_without(here: Path) -> None:
    with pytest.raises(SureError, match="some utterances have text, but 'b' has none"):
        write_data_dir("set", [Utterance("a", "a.wav", text="x"), Utterance("b", "b.wav")])
    with pytest.raises(SureError, match="'a' is given to two"):
        write_data_dir("set", [Utterance("a", "a.wav"), Utterance("a", "b.wav")])
    with pytest.raises(SureError, match="no utterances"):
        write_data_dir("set", [])


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"wav_scp": "a x.wav\na y.wav\n"}, r"wav\.scp:2: the id 'a' is already on line 1"),
        ({"wav_scp": "a\n"}, r"wav\.scp:1: 'a' has no path"),
        ({"wav_scp": "a sox x |\n"}, r"wav\.scp:1: 'sox x \|' is a command; .*--allow_commands true"),
        ({"wav_scp": "a x.wav\n", "text": "a hello\n\nb you\n"}, r"text:3: the utterance 'b' has no audio"),
        ({"wav_scp": "a x.wav\nb y.wav\n", "text": "a hello\n"}, r"text: no line for the utterance 'b'"),
        ({"wav_scp": "a x.wav\n", "text": "a\n"}, r"text:1: no value after the id 'a'"),
        ({"wav_scp": "a x.wav\n", "utt2label": "a x y\n"}, r"utt2label:1: expected one label"),
        ({"wav_scp": "a x.wav\n", "utt2label": "a g=x g=y\n"}, r"utt2label:1: expected one label"),
        ({"wav_scp": "a x.wav\nb y.wav\n", "utt2label": "a g=x\nb h=x\n"}, r"utt2label: 'b' has the groups"),
        ({"wav_scp": "r x.wav\n", "segments": "a r 2 1\n"}, r"segments:1: expected 0 <= start < end"),
        ({"wav_scp": "r x.wav\n", "segments": "a r 0 nan\n"}, r"segments:1: expected seconds, found 'nan'"),
        ({"wav_scp": "r x.wav\n", "segments": "a r 0\n"}, r"segments:1: expected 'id recording start end'"),
        (
            {"wav_scp": "r x.wav\n", "segments": "a q 0 1\n"},
            r"segments:1: the recording 'q' is not in wav\.scp",
        ),
        ({"wav_scp": "a x.wav\n", "utt2dur": "a long\n"}, r"utt2dur:1: expected seconds, found 'long'"),
        ({"wav_scp": "a\\b x.wav\n"}, r"wav\.scp:1: the id 'a\\b' contains a path separator"),
        ({"wav_scp": f"{'a' * 300} x.wav\n"}, r"wav\.scp:1: the id 'a+' is too long for a file name: 300 bytes"),
        ({"wav_scp": "\n"}, "no utterances"),
    ],
)
def test_faults_are_named_by_file_and_line(here: Path, tables: dict[str, str], message: str) -> None:
    with pytest.raises(SureError, match=message):
        read_data_dir(make(here / "set", **tables))


def test_not_a_folder_and_not_utf8(here: Path) -> None:
    with pytest.raises(SureError, match=r"set is not a data folder \(no wav.scp\)"):
        read_data_dir("set")
    make(here / "set", wav_scp="a x.wav\nb y.wav\n")
    (here / "set" / "text").write_bytes(b"a good\nb caf\xe9\n")
    with pytest.raises(SureError, match="text:2: not UTF-8"):
        read_data_dir("set")


def test_foreign_formatting_is_understood(here: Path) -> None:
    folder = make(here / "set", wav_scp="\ufeffb\tmy  file.wav\r\n\r\na  x.wav \r\n", text="a one\ttwo   three\nb x\n")
    a, b = read_data_dir(folder)
    assert (a.id, a.audio, a.text, b.audio) == ("a", "x.wav", "one two three", "my  file.wav")


def test_order_is_by_bytes(here: Path) -> None:
    ids = ["a-1", "B", "aa", "é", "a", "Z", "\U0001f600", "\uffee"]
    folder = make(here / "set", wav_scp="".join(f"{id} x.wav\n" for id in ids))
    assert [u.id for u in read_data_dir(folder)] == sorted(ids, key=lambda id: id.encode())


def test_durations_without_utt2dur_come_from_the_audio(here: Path) -> None:
    write_audio(here / "x.wav", tone(2.5))
    (here / "set").mkdir()
    (here / "set" / "wav.scp").write_text("r x.wav\n")
    assert read_data_dir("set")[0].seconds == 2.5
    (here / "set" / "segments").write_text("a r 0.5 1.25\nb r 1 -1\n")
    assert [u.seconds for u in read_data_dir("set")] == [0.75, 1.5]
    assert read_data_dir("set")[1].end is None
