"""Data folders: what is written is read; inconsistencies are named by file and line."""

import os
from unicodedata import normalize

import pytest
from audio_files import tone, write_audio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.errors import SureError

letters = st.characters(exclude_categories=["Z", "C"], exclude_characters="/\\=")
word = st.text(letters, min_size=1, max_size=8).map(lambda text: normalize("NFC", text))
labels = st.fixed_dictionaries({"action": word, "place": word}) | st.fixed_dictionaries({"label": word})


def make(folder, tables):
    """A data folder from the texts of its tables; utt2dur unless given."""
    folder.mkdir()
    listing = tables.get("segments", tables["wav.scp"])
    durations = "".join(f"{line.split()[0]} 1.5\n" for line in listing.splitlines() if line.strip())
    for name, text in {"utt2dur": durations, **tables}.items():
        (folder / name).write_bytes(text.encode(errors="surrogateescape"))
    return folder


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_written_is_read(here, data):
    ids = data.draw(st.lists(word.filter(lambda id: id not in {".", ".."}), min_size=1, max_size=6, unique=True))
    kind = data.draw(labels)
    segmented, has_text, has_speaker = (data.draw(st.booleans()) for _ in range(3))
    utterances = []
    for number, id in enumerate(ids):
        file = data.draw(word | st.just("same name"))
        place = (f"{number}/{file}.wav", *((number * 0.25, number * 0.25 + 1.125) if segmented else ()))
        text = " ".join(data.draw(st.lists(word, min_size=1, max_size=4))) if has_text else None
        kinds = {group: data.draw(word) for group in kind}
        speaker = data.draw(word) if has_speaker else None
        utterances.append(Utterance(id, *place, seconds=1.125, text=text, labels=kinds, speaker=speaker))
    folder = write_data_dir(here / "set", utterances)
    (folder / "utt2dur").write_text("".join(f"{id} 1.125\n" for id in ids), encoding="utf-8")
    assert read_data_dir(folder) == sorted(utterances, key=lambda utterance: utterance.id)
    for table in folder.iterdir():
        lines = table.read_bytes().splitlines() if table.name != "utt2dur" else []
        assert [line.split(b" ")[0] for line in lines] == sorted(line.split(b" ")[0] for line in lines)


def test_tables_of_an_earlier_run_are_deleted(here):
    one = Utterance("a", "a.wav", 0.0, 1.0, text="x", speaker="s", labels={"label": "l"}, trials=(("a", True),))
    write_data_dir("set", [one])
    names = {"wav.scp", "segments", "text", "utt2spk", "utt2label", "trials"}
    assert {path.name for path in (here / "set").iterdir()} == names
    write_data_dir("set", [Utterance("a", "a.wav")])
    assert {path.name for path in (here / "set").iterdir()} == {"wav.scp"}


@pytest.mark.parametrize(("changes", "message"), [
    ([{"id": "a/b"}], "path separator"),
    ([{"id": "a b"}, {"id": "a\nb"}, {"id": "a\u00a0b"}], "whitespace"),
    ([{"id": ""}, {"id": ".."}], "not a name"),
    ([{"id": "a" * 201}], "too long for a file name: 201 bytes"),
    ([{"id": "é" * 101}], "too long for a file name: 202 bytes"),
    ([{"labels": {"label": "two words"}}, {"speaker": ""}, {"speaker": "a\u00a0b"}], "one word"),
    ([{"labels": {"label": "a=b"}}, {"labels": {"a=b": "c"}}], "'='"),
    ([{"audio": "x.wav\ny.wav"}, {"audio": " "}, {"audio": "x.wav "}], "unusable audio path"),
    ([{"audio": os.fsdecode(b"/\xff.wav")}, {"text": "\ud800"}, {"speaker": "\udcff"}], "'a': .*ud.* is not UTF-8"),
    ([[{"text": "x"}, {"id": "b"}]], "some utterances have text, but 'b' has none"),
    ([[{"labels": {"label": "x"}}, {"id": "b"}]], "have labels, but 'b' has none"),
    ([[{}, {"id": "b", "speaker": "x"}]], "have speaker, but 'a' has none"),
    ([[{}, {"audio": "b.wav"}]], "'a' is given to two"),
    ([[]], "no utterances"),
])  # fmt: skip
def test_utterances_that_a_folder_cannot_hold_are_refused(here, changes, message):
    """changes: each one of a single utterance, or a list of those of all utterances."""
    for change in changes:
        each = change if isinstance(change, list) else [change]
        with pytest.raises(SureError, match=message):
            write_data_dir("set", [Utterance(**{"id": "a", "audio": "a.wav", **one}) for one in each])
    assert not (here / "set").exists()


ONE, TWO, CUT = {"wav.scp": "a x.wav\n"}, {"wav.scp": "a x.wav\nb y.wav\n"}, {"wav.scp": "r x.wav\n"}


@pytest.mark.parametrize(("tables", "message"), [
    ({"wav.scp": "a x.wav\na y.wav\n"}, r"wav\.scp:2: the id 'a' is already on line 1"),
    ({"wav.scp": "a\n"}, r"wav\.scp:1: 'a' has no path"),
    ({"wav.scp": "a sox x |\n"}, r"wav\.scp:1: 'sox x \|' is a command; .*--allow_commands true"),
    ({"wav.scp": "a\\b x.wav\n"}, r"wav\.scp:1: the id 'a\\b' contains a path separator"),
    ({"wav.scp": "\n"}, "no utterances"),
    ({**ONE, "text": "a hello\n\nb you\n"}, r"text:3: the utterance 'b' has no audio"),
    ({**TWO, "text": "a hello\n"}, r"text: no line for the utterance 'b'"),
    ({**ONE, "text": "a\n"}, r"text:1: no value after the id 'a'"),
    ({**ONE, "utt2spk": "a s t\n"}, r"utt2spk:1: expected one speaker, found 's t'"),
    ({**TWO, "text": "a good\nb caf\udce9\n"}, "text:2: not UTF-8"),
    ({**ONE, "utt2label": "a x y\n"}, r"utt2label:1: expected one label"),
    ({**ONE, "utt2label": "a g=x g=y\n"}, r"utt2label:1: expected one label"),
    ({**TWO, "utt2label": "a g=x\nb h=x\n"}, r"utt2label: 'b' has the groups"),
    ({**CUT, "segments": "a r 2 1\n"}, r"segments:1: expected 0 <= start < end"),
    ({**CUT, "segments": "a r 0 nan\n"}, r"segments:1: expected seconds, found 'nan'"),
    ({**CUT, "segments": "a r 0\n"}, r"segments:1: expected 'id recording start end'"),
    ({**CUT, "segments": "a q 0 1\n"}, r"segments:1: the recording 'q' is not in wav\.scp"),
    ({**ONE, "trials": "a a target\n"}, r"set/trials:1: 'a' is compared with itself"),
    ({**ONE, "utt2dur": "a long\n"}, r"utt2dur:1: expected seconds, found 'long'"),
])  # fmt: skip
def test_faults_are_named_by_file_and_line(here, tables, message):
    with pytest.raises(SureError, match=r"set is not a data folder \(no wav.scp\)"):
        read_data_dir("set")
    with pytest.raises(SureError, match=message):
        read_data_dir(make(here / "set", tables))


def test_other_formatting_is_accepted(here):
    tables = {"wav.scp": "\ufeffb\tmy  file.wav\r\n\r\na  x.wav \r\n", "text": "a one\ttwo   three\nb x\n"}
    a, b = read_data_dir(make(here / "set", tables))
    assert (a.id, a.audio, a.text, b.audio) == ("a", "x.wav", "one two three", "my  file.wav")


def test_labels_that_look_alike_are_the_same(here):
    labels = "a caf\u00e9\nb cafe\u0301\nc caf\u00e9\u200b\n"
    folder = make(here / "set", {"wav.scp": "a a.wav\nb b.wav\nc c.wav\n", "utt2label": labels})
    assert {utterance.labels["label"] for utterance in read_data_dir(folder)} == {"caf\u00e9"}


def test_durations_without_utt2dur_come_from_the_audio(here):
    write_audio(here / "x.wav", tone(2.5))
    (here / "set").mkdir()
    (here / "set" / "wav.scp").write_text("r x.wav\n")
    assert read_data_dir("set")[0].seconds == 2.5
    (here / "set" / "segments").write_text("a r 0.5 1.25\nb r 1 -1\n")
    assert [(u.seconds, u.end) for u in read_data_dir("set")] == [(0.75, 1.25), (1.5, None)]
