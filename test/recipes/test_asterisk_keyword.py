"""Task keyword of egs/asterisk: who is trained on, who is tested, and which recordings are the words."""

import pytest
import yaml
from harness import EGS, Case, remove, table, write

from sure.text.normalize import normalize

RECIPE = "asterisk"
TEXTS = {
    "en": "phonetic/a_p: alpha\nphonetic/c_p: charlie\nphonetic/x_p: X-Ray\ndigits/4: four\nvm-login: alpha\n",
    "es": "phonetic/a_p: Alfa\nphonetic/c_p: Carlos\nphonetic/x_p: xray\ndigits/4: cuatro\nvm-login: alpha\n",
    "fr": "phonetic/a_p: alpha\nphonetic/c_p: charlie\nphonetic/x_p: xray\ndigits/4: quatre\nvm-login: alpha\n",
    "it": "phonetic/a_p: a come como\nphonetic/c_p: como\nphonetic/x_p: ics\ndigits/4: quattro\nvm-login: alpha\n",
    "ru": "phonetic/a_p: Альфа\nphonetic/c_p: Чарли\nphonetic/x_p: Рентген\ndigits/4: четыре\nvm-login: alpha\n",
}
KEYWORD = {"task": "keyword"}


def build(root):
    """Recordings are empty of sound: preparing decodes none."""
    for language, text in TEXTS.items():
        folder = f"asterisk-core-sounds-{language}-g722-1.6.1"
        write(f"{folder}/core-sounds-{language}.txt", text)(root)
        for line in text.splitlines():
            write(f"{folder}/{line.partition(':')[0]}.g722", bytes(1600))(root)


def test_the_spelling_alphabet(prepared):
    result = prepared(**KEYWORD)
    labels = result.of("label")
    assert {name: {id: labels[id] for id in ids} for name, ids in result.ids.items()} == {
        "train": {"en-phonetic-a_p": "alfa", "en-phonetic-c_p": "charlie", "en-phonetic-x_p": "xray",
                  "es-phonetic-a_p": "alfa", "es-phonetic-x_p": "xray"},
        "dev": {"ru-phonetic-a_p": "alfa", "ru-phonetic-c_p": "charlie"},
        "test": {"fr-phonetic-a_p": "alfa", "fr-phonetic-c_p": "charlie", "fr-phonetic-x_p": "xray"},
    }  # fmt: skip
    other = {"es-phonetic-c_p", "it-phonetic-a_p", "it-phonetic-c_p", "it-phonetic-x_p", "ru-phonetic-x_p"}
    rest = {f"{language}-{key}" for language in TEXTS for key in ("digits-4", "vm-login")}
    assert set(result.left_out) == {("recordings of another word, by their text", id) for id in other} | {
        ("prompts that are none of the words", id) for id in rest
    }


@pytest.mark.parametrize("voice, dev", [("allison", "ivrvoice"), ("june", "ivrvoice"), ("ivrvoice", "carlo"),
                                        ("carlo", "ivrvoice")])  # fmt: skip
def test_one_voice_is_left_out(prepared, voice, dev):
    speakers = prepared(**KEYWORD, keywords="digits", voice=voice).values("speaker")
    train = {"allison", "june", "carlo", "ivrvoice"} - {dev, voice}
    assert speakers == {"train": train, "dev": {dev}, "test": {voice}}


PHONETIC = "asterisk-core-sounds-{}-g722-1.6.1/phonetic"


@table({
    "another voice": Case(options=KEYWORD | {"voice": "carlo"},
                          error="voice=carlo: the speakers of alphabet are allison june ivrvoice"),
    "too few voices": Case(remove(PHONETIC.format("en"), PHONETIC.format("es")), KEYWORD,
                           error="are june ivrvoice; .*three or more"),
    "no voice": Case(options=KEYWORD | {"voice": "anna"}, error="voice=anna.*allison june"),
    "one language": Case(options=KEYWORD | {"lang": "es"}, error="task=keyword lang=es.*leave lang out"),
})  # fmt: skip
def test_options_and_corpora_that_cannot_be_split(check, case):
    check(case)


def test_the_list_of_words():
    words = yaml.safe_load((EGS / RECIPE / "keywords.yaml").read_text(encoding="utf-8"))
    assert {name: len(found) for name, found in words.items()} == {"alphabet": 26, "digits": 10}
    assert "".join(word[0] for word in words["alphabet"]) == "abcdefghijklmnopqrstuvwxyz"
    for found in words.values():
        spellings = [text for texts in found.values() for text in texts]
        assert len(spellings) == len(set(spellings))
        assert all(normalize(text, "en") == text for text in spellings)
    for number, spellings in enumerate(words["digits"].values()):  # num2words has them too
        assert {normalize(str(number), language) for language in ("en", "es", "fr", "it", "ru")} == set(spellings)
