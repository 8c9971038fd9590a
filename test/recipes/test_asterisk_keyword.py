"""Promises of task keyword of egs/asterisk: who is trained on, who is tested, and which recordings are the words."""

import shutil
from pathlib import Path

import pytest
import yaml

from sure.data.data_dir import read_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare
from sure.text.normalize import normalize

RECIPE = Path(__file__).parents[2] / "egs" / "asterisk"
SETS = ("train", "dev", "test")
TEXTS = {
    "en": "phonetic/a_p: alpha\nphonetic/c_p: charlie\nphonetic/x_p: X-Ray\ndigits/4: four\nvm-login: alpha\n",
    "es": "phonetic/a_p: Alfa\nphonetic/c_p: Carlos\nphonetic/x_p: xray\ndigits/4: cuatro\nvm-login: alpha\n",
    "fr": "phonetic/a_p: alpha\nphonetic/c_p: charlie\nphonetic/x_p: xray\ndigits/4: quatre\nvm-login: alpha\n",
    "it": "phonetic/a_p: a come como\nphonetic/c_p: como\nphonetic/x_p: ics\ndigits/4: quattro\nvm-login: alpha\n",
    "ru": "phonetic/a_p: Альфа\nphonetic/c_p: Чарли\nphonetic/x_p: Рентген\ndigits/4: четыре\nvm-login: alpha\n",
}
prepare = load_prepare(RECIPE / "prepare.py")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Recordings are empty of sound: preparing decodes none."""
    root = tmp_path_factory.mktemp("tarballs")
    for language, text in TEXTS.items():
        folder = root / f"asterisk-core-sounds-{language}-g722-1.6.1"
        for line in text.splitlines():
            path = folder / f"{line.partition(':')[0]}.g722"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(1600))
        (folder / f"core-sounds-{language}.txt").write_text(text, encoding="utf-8")
    return root


def sets(corpus: Path, out: Path, **options) -> dict[str, dict[str, str]]:
    prepare(corpus, out, task="keyword", **options)
    return {name: {one.id: one.labels["label"] for one in read_data_dir(out / name)} for name in SETS}


def test_the_spelling_alphabet(corpus, tmp_path):
    assert sets(corpus, tmp_path) == {
        "train": {"en-phonetic-a_p": "alfa", "en-phonetic-c_p": "charlie", "en-phonetic-x_p": "xray",
                  "es-phonetic-a_p": "alfa", "es-phonetic-x_p": "xray"},
        "dev": {"ru-phonetic-a_p": "alfa", "ru-phonetic-c_p": "charlie"},
        "test": {"fr-phonetic-a_p": "alfa", "fr-phonetic-c_p": "charlie", "fr-phonetic-x_p": "xray"},
    }  # fmt: skip
    other = {"es-phonetic-c_p", "it-phonetic-a_p", "it-phonetic-c_p", "it-phonetic-x_p", "ru-phonetic-x_p"}
    lines = [line.split("\t") for line in (tmp_path / "left_out.txt").read_text().splitlines()]
    assert {item for reason, item in lines if reason == "recordings of another word, by their text"} == other
    rest = {item for reason, item in lines if reason == "prompts that are none of the words"}
    assert rest == {f"{language}-{key}" for language in TEXTS for key in ("digits-4", "vm-login")}


@pytest.mark.parametrize("voice", ["allison", "june", "ivrvoice", "carlo"])
def test_one_voice_is_left_out(corpus, tmp_path, voice):
    prepare(corpus, tmp_path, task="keyword", keywords="digits", voice=voice)
    speakers = {name: {one.speaker for one in read_data_dir(tmp_path / name)} for name in SETS}
    assert speakers["test"] == {voice} and len(speakers["dev"]) == 1
    assert speakers["train"] == {"allison", "june", "carlo", "ivrvoice"} - speakers["dev"] - {voice}


def test_voices_that_do_not_say_the_words(corpus, tmp_path):
    with pytest.raises(SureError, match="voice=carlo: the alphabet are said by allison june ivrvoice"):
        prepare(corpus, tmp_path / "out", task="keyword", voice="carlo")
    few = tmp_path / "few"
    shutil.copytree(corpus, few)
    for language in ("en", "es"):
        shutil.rmtree(few / f"asterisk-core-sounds-{language}-g722-1.6.1" / "phonetic")
    with pytest.raises(SureError, match="said by june ivrvoice; .*three or more"):
        prepare(few, tmp_path / "out", task="keyword")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"keywords": "months"}, "keywords=months.*alphabet digits"),
        ({"voice": "anna"}, "voice=anna.*allison june"),
        ({"lang": "es"}, "task=keyword lang=es.*leave lang out"),
    ],
)
def test_unknown_options(corpus, tmp_path, options, message):
    with pytest.raises(SureError, match=message):
        prepare(corpus, tmp_path / "out", task="keyword", **options)
    assert not (tmp_path / "out").exists()


def test_the_list_of_words():
    words = yaml.safe_load((RECIPE / "keywords.yaml").read_text(encoding="utf-8"))
    assert {name: len(found) for name, found in words.items()} == {"alphabet": 26, "digits": 10}
    assert "".join(word[0] for word in words["alphabet"]) == "abcdefghijklmnopqrstuvwxyz"
    for found in words.values():
        spellings = [text for texts in found.values() for text in texts]
        assert len(spellings) == len(set(spellings))
        assert all(normalize(text, "en") == text for text in spellings)
    for number, spellings in enumerate(words["digits"].values()):  # num2words has them too
        assert {normalize(str(number), language) for language in ("en", "es", "fr", "it", "ru")} == set(spellings)
