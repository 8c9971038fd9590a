"""Promises of egs/esd/prepare.py, on a miniature of the corpus and on other layouts of it."""

import shutil
from pathlib import Path

import miniature
import pytest

from sure.data.data_dir import Utterance, read_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

prepare = load_prepare(Path(__file__).parents[2] / "egs" / "esd" / "prepare.py")
SETS = ("train", "dev", "test")
EMOTIONS = ("Neutral", "Angry", "Happy", "Sad", "Surprise")


@pytest.fixture(scope="module")
def miniature_corpus(tmp_path_factory) -> Path:
    return miniature.make("esd", tmp_path_factory.mktemp("esd") / "a corpus")


@pytest.fixture
def corpus(miniature_corpus, tmp_path) -> Path:
    """One to change: the folder of the speakers."""
    shutil.copytree(miniature_corpus, tmp_path / "corpus")
    return tmp_path / "corpus" / "Emotional Speech Dataset (ESD)" / "Emotion Speech Dataset"


def read(out: Path) -> dict[str, dict[str, Utterance]]:
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in SETS}


def prepared(corpus: Path, out: Path, **options) -> dict[str, dict[str, Utterance]]:
    assert [folder.name for folder in prepare(corpus, out, **options)] == list(SETS)
    return read(out)


def left_out(out: Path) -> list[tuple[str, str]]:
    return [tuple(line.split("\t")) for line in (out / "left_out.txt").read_text().splitlines()]


def test_sets_by_folder_and_by_number(miniature_corpus, tmp_path):
    found = prepared(miniature_corpus, tmp_path)
    numbers = {
        "dev": (1, 351, 701, 1051, 1401),
        "test": (21, 371, 721, 1071, 1421),
        "train": (51, 401, 751, 1101, 1451),
    }
    for name, wanted in numbers.items():
        assert sorted(found[name]) == [f"{speaker}_{n:06d}" for speaker in ("0011", "0012") for n in wanted]
        emotions = [found[name][f"0011_{number:06d}"].labels["label"] for number in wanted]
        assert emotions == list(EMOTIONS)
    assert left_out(tmp_path) == []


@pytest.mark.parametrize("number, name", [(20, "dev"), (50, "test"), (350, "train"), (370, "dev"), (400, "test")])
def test_limits_of_the_sets_by_number(corpus, tmp_path, number, name):
    emotion = corpus / "0012" / EMOTIONS[(number - 1) // 350]
    next(emotion.glob("*.wav")).rename(emotion / f"0012_{number:06d}.wav")
    assert f"0012_{number:06d}" in prepared(corpus, tmp_path / "out")[name]


def test_labels_and_speakers(miniature_corpus, tmp_path):
    speakers = prepared(miniature_corpus, tmp_path / "s", task="speaker")["train"]
    assert {u.labels["label"] for u in speakers.values()} == {"0011", "0012"}
    assert all(u.labels["label"] == u.speaker == id[:4] for id, u in speakers.items())
    every = prepared(miniature_corpus, tmp_path / "a", lang="all")
    assert {u.speaker for u in every["test"].values()} == {"0001", "0011", "0012"}
    assert {u.speaker for u in prepared(miniature_corpus, tmp_path / "z", lang="zh")["dev"].values()} == {"0001"}


def test_texts_in_every_encoding(miniature_corpus, tmp_path):
    english = prepared(miniature_corpus, tmp_path / "en", task="asr")
    assert {u.text for u in english["dev"].values()} == {"no it's tom"}
    assert {u.text for u in english["test"].values()} == {"a little bird"}
    assert {u.text for u in english["train"].values()} == {"let the glass be"}
    assert left_out(tmp_path / "en") == [
        ("recordings without a transcript line", "0012_001451"),
        ("transcript lines without a recording", "0011_001700"),
    ]
    assert {u.text for u in prepared(miniature_corpus, tmp_path / "zh", task="asr", lang="zh")["dev"].values()} == {
        "打远一看"
    }


@pytest.mark.parametrize("encoding", ["cp1252", "gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_an_english_transcript_in_any_encoding(corpus, tmp_path, encoding):
    lines = (corpus / "0011/0011.txt").read_bytes().decode("utf-16").replace("Tom.", "naïve.").replace("ï", "i")
    (corpus / "0011/0011.txt").write_bytes(lines.encode(encoding))
    assert prepared(corpus, tmp_path / "out", task="asr")["dev"]["0011_000351"].text == "no it's naive"


@pytest.mark.parametrize(
    "line, text",
    [
        ("0012_000001\tLet it be.\tNeutral", "let it be"),
        ("0012_000001\tLet it be.\tNetural", "let it be"),  # a wrong emotion is one all the same
        ("0012_000001\tLet it be.", "let it be"),
        ("0012_000001 Let it be. Neutral", "let it be"),
        ("0012_000001 Let it be.\tNeutral", "let it be"),
        ("0012_000001\tLet it be. neutral", "let it be"),
        ("\t0012_000001\tLet it be\tSad\t", "let it be"),
        ("0012_000001   Let it be   Sad", "let it be"),
        ("0012_000001\tShe is sad", "she is sad"),
        ("0012_000001 Let us be happy.", "let us be happy"),
        ("0012_000001\tSad.\tSad", "sad"),
    ],
)
def test_lines_of_every_form(corpus, tmp_path, line, text):
    content = (corpus / "0012/0012.txt").read_bytes().decode("gb18030").splitlines()
    lines = [line if old.startswith("0012_000001") else old for old in content]
    (corpus / "0012/0012.txt").write_text("\n".join(lines))
    assert prepared(corpus, tmp_path / "out", task="asr")["dev"]["0012_000001"].text == text


def test_a_mandarin_line_without_tabs(corpus, tmp_path):
    lines = (corpus / "0001/0001.txt").read_bytes().decode("gb18030").replace("\t", " ").replace("生气", "愤怒")
    (corpus / "0001/0001.txt").write_bytes(lines.encode("utf-16"))
    texts = {u.text for u in prepared(corpus, tmp_path / "out", task="asr", lang="zh")["test"].values()}
    assert texts == {"他们来了"}


def test_lines_that_say_nothing_clear_are_left_out(corpus, tmp_path):
    with open(corpus / "0012/0012.txt", "ab") as file:
        file.write(b"\nLet it be.\tNeutral\n0012_000351\tSomething else.\tAngry\n0012_000701\t...\tHappy")
    found = prepared(corpus, tmp_path / "out", task="asr")
    assert "0012_000351" not in found["dev"] and "0012_000701" not in found["dev"]
    for line in (
        ("transcript lines without an id", "0012.txt:17: Let it be. Neutral"),
        ("transcript lines that contradict another", "0012.txt: 0012_000351"),
    ):
        assert line in left_out(tmp_path / "out")


def test_a_transcript_of_no_words(corpus, tmp_path):
    content = (corpus / "0012/0012.txt").read_bytes().decode("gb18030")
    (corpus / "0012/0012.txt").write_text(content.replace("0012_000351\tNo, it’s Tom.", "0012_000351\t..."))
    prepared(corpus, tmp_path / "out", task="asr")
    assert ("recordings without words in the transcript", "0012_000351") in left_out(tmp_path / "out")


def test_lower_case_folders_in_other_places(corpus, tmp_path):
    wanted = prepared(corpus, tmp_path / "as given")
    for folder in [*corpus.glob("*/*/*/"), *corpus.glob("*/*/")]:
        if folder.is_dir():
            folder.rename(folder.with_name(folder.name.lower()))
    for path in corpus.rglob("0011_000401.wav"):
        path.rename(path.with_suffix(".WAV"))
    for number, place in enumerate((corpus, corpus.parent)):
        found = prepared(place, tmp_path / str(number))
        assert {name: list(utterances) for name, utterances in found.items()} == {
            name: list(utterances) for name, utterances in wanted.items()
        }
        assert found["train"]["0011_000401"].labels["label"] == "Angry"


def test_recordings_that_cannot_be_placed(corpus, tmp_path):
    angry = corpus / "0011" / "Angry"
    for place in ("train/0012_000402.wav", "more/0011_000403.wav", "train/noise.wav"):
        (angry / place).parent.mkdir(exist_ok=True)
        shutil.copy(angry / "train" / "0011_000401.wav", angry / place)
    shutil.copy(angry / "train" / "0011_000401.wav", angry / "0011_000401.wav")  # flat, beside the sets
    shutil.copy(angry / "test" / "0011_000371.wav", angry / "train" / "0011_000371.wav")
    found = prepared(corpus, tmp_path / "out")
    assert "0011_000401" in found["train"] and not any("0011_000371" in found[name] for name in SETS)
    assert sorted((reason, Path(item).name) for reason, item in left_out(tmp_path / "out")) == [
        ("copies of a recording", "0011_000401.wav"),
        ("recordings in another speaker's folder", "0012_000402.wav"),
        ("recordings in no known set", "0011_000403.wav"),
        ("recordings in two places that contradict each other", "0011_000371"),
        ("recordings with another name than SPEAKER_NUMBER", "noise.wav"),
    ]


def test_what_is_missing_is_named(corpus, tmp_path):
    with pytest.raises(SureError, match=r"found no speaker, expected folders 0011 to 0020 \(lang=en\)"):
        prepare(corpus / "0011" / "Angry", tmp_path / "out")
    with pytest.raises(SureError, match="found the speakers 0001, expected folders 0011"):
        prepare(corpus / "0001", tmp_path / "out")
    (corpus / "0011/0011.txt").unlink()
    with pytest.raises(SureError, match=r"0011/0011\.txt: no such file, and task=asr needs"):
        prepare(corpus, tmp_path / "out", task="asr")
    prepared(corpus, tmp_path / "out")  # the emotion is in the folder's name
    shutil.copytree(corpus / "0012", corpus.parent / "copy" / "0012")
    with pytest.raises(SureError, match="the speaker 0012 is in .* and in .*give --corpus one of them"):
        prepare(corpus.parent, tmp_path / "out")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"task": "intent"}, "emotion speaker asr"),
        ({"lang": "de"}, "lang=de"),
        ({"task": "asr", "lang": "all"}, "say lang=en"),
    ],
)
def test_unknown_options(miniature_corpus, tmp_path, options, message):
    with pytest.raises(SureError, match=message):
        prepare(miniature_corpus, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_the_order_is_the_same_every_time(miniature_corpus, tmp_path, monkeypatch):
    prepared(miniature_corpus, tmp_path / "one", task="asr")
    iterdir, rglob = Path.iterdir, Path.rglob
    monkeypatch.setattr(Path, "iterdir", lambda path: reversed(sorted(iterdir(path))))
    monkeypatch.setattr(Path, "rglob", lambda path, pattern: reversed(sorted(rglob(path, pattern))))
    prepared(miniature_corpus, tmp_path / "two", task="asr")
    for path in sorted((tmp_path / "one").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
