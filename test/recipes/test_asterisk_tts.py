"""Promises of task tts of egs/asterisk: the texts of voices as they are written, and so many minutes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sure.corpus.selection import read_lists
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "asterisk"
FOLDERS = {"en": "en_US_f_Allison", "it": "it_IT_m_Carlo"}
SECONDS = 5
LONG = "demo-instruct"  # of train
prepare = load_prepare(RECIPE / "prepare.py")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Every prompt of the lists, each of SECONDS but one; recordings are empty of sound: preparing decodes none."""
    root = tmp_path_factory.mktemp("asterisk")
    for language, name in FOLDERS.items():
        lines = ["beep: [this is a simple beep tone]", "ha/phone: no list has this"]
        for key in read_lists(RECIPE / "splits"):
            lines.append(f"{key}: Press 1, for {language} -- {key.replace('/', ' ')}! (note: a remark)")
            path = root / name / f"{key}.g722"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(8000 * (40 if key == LONG else SECONDS)))
        (root / name / f"core-sounds-{language}.txt").write_text("\n".join(lines), encoding="utf-8")
    return root


def table(path: Path) -> dict[str, str]:
    return dict(line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines())


def train_ids(corpus: Path, out: Path, **options) -> set[str]:
    prepare(corpus, out, task="tts", **options)
    return set(table(out / "train" / "wav.scp"))


def test_texts_keep_their_punctuation_and_languages_are_listed(corpus, tmp_path):
    prepare(corpus, tmp_path, task="tts", voice="carlo+allison")
    texts, speakers = table(tmp_path / "train" / "text"), table(tmp_path / "train" / "utt2spk")
    assert texts[f"it-{LONG}"] == f"Press 1, for it -- {LONG}!" and speakers[f"it-{LONG}"] == "carlo"
    assert table(tmp_path / "train" / "utt2lang") == {id: id[:2] for id in texts}
    assert set(speakers.values()) == {"allison", "carlo"}


def test_minutes_are_of_each_voice_and_within_more_minutes(corpus, tmp_path):
    two, five = (train_ids(corpus, tmp_path / text, voice="carlo+allison", minutes=text) for text in ("2", "5"))
    everything = train_ids(corpus, tmp_path / "all", voice="carlo+allison")
    assert two < five < everything
    for voice in ("en-", "it-"):
        assert sum(id.startswith(voice) for id in two) == 2 * 60 // SECONDS
        assert sum(id.startswith(voice) for id in five) == 5 * 60 // SECONDS
        assert f"{voice}{LONG}" in everything - five, "long recordings come last"
    for name in ("dev", "test"):
        counts = [len(table(tmp_path / part / name / "wav.scp")) for part in ("2", "all")]
        assert counts[0] == counts[1] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"voice": "clara"}, "voice=allison.june.carlo.ivrvoice"),
        ({"voice": "carlo", "lang": "it"}, "no lang"),
        ({"voice": "carlo", "minutes": "few"}, "minutes=few: expected all"),
        ({"voice": "carlo", "minutes": "0.01"}, "the set train is empty"),
    ],
)
def test_options_that_do_not_fit(corpus, tmp_path, options, words):
    with pytest.raises(SureError, match=words):
        prepare(corpus, tmp_path, task="tts", **options)
