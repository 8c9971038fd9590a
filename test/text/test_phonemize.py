"""Text to phones: difficult texts in English and by espeak-ng, and saved settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from audio_files import write_audio
from speech import speech

from sure.bin.phonemize import main
from sure.config import make_config
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.text.lexicon import ARPABET
from sure.text.phonemize import PAUSES, Phonemizer, nearest_known

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def english() -> Phonemizer:
    return Phonemizer("en")


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("It costs $3.50.", "it costs three dollars, fifty cents"),
        ("Dr. Smith's co. & Mr. Jones", "doctor smith's company and mister jones"),
        (
            "in 1984, 1,984 of 007",
            "in nineteen eighty four, one thousand nine hundred and eighty four of zero zero seven",
        ),
        ("3.14 is 50%", "three point one four is fifty percent"),
        ("the 22nd -- no. 2", "the twenty second -- no. two"),
        ("DTMF of the U.S.A", "d t m f of the u s ay"),
        ("press #", "press pound"),
        ("1999-2005, 1999\u20132005", "nineteen ninety nine two thousand five " * 2),
        ("on 2023-12-25", "on twenty twenty three twelve twenty five"),
        ("the 1990-91 season", "the nineteen ninety ninety one season"),
        ("mid-1945, 5%-10%, $5-10", "mid nineteen forty five five percent ten percent five dollars ten"),
        ("7-3, 20-30, -5 and 3 -2", "seven three twenty thirty minus five and three minus two"),
        ("$5 million, $2.5 billion", "five million dollars two point five billion dollars"),
        ("US$3.5m, \u20ac2bn, $7k", "us three point five million dollars two billion euros seven thousand dollars"),
        ("$5 more, $3 m", "five dollars more three dollars m"),
        ("Mr.Smith, Dr.No, Lt.Col.Kirk", "mister smith doctor no lieutenant colonel kirk"),
        ("<b>hi</b> Hi<br>there {or}not", "b hi b hi b r there or not"),
        ("Smith(Jones), f(x)", "smith jones f x"),
        ("word(s), box(es), colo(u)r, [t]he (re)start", "words boxes colour the restart"),
        ("U.S.A. and 5 a.m.", "u s ay and five ay m"),
        ("plan A.", "plan a"),
        ("12:00, 10:05, 08:05, 10:30", "twelve o'clock ten oh five eight oh five ten thirty"),
        ("12:00 pm, 9:00-5:00", "twelve p m nine o'clock five o'clock"),
        ("16:9, 10:30:05, 1:05.32", "sixteen nine ten thirty zero five one zero five point three two"),
        ("1/2, \u00bd, \u00bc, \u00be", "one half one half one quarter three quarters"),
        ("2\u00bd or 1 1/2 on 1/2/2020", "two and a half or one and a half on one two twenty twenty"),
        ("x\u00b2 y\u00b3", "x squared y cubed"),
        ("1080p at 13:00, a .5 chance", "ten eighty p at thirteen hundred a point five chance"),
        ("In 2008 $5,000, the 1,000th", "in two thousand eight five thousand dollars the one thousandth"),
        ("2 1/8, -\u00bd, $ 5.50", "two and an eighth minus one half five dollars fifty cents"),
        ("1990s, 1800s, 2000s, 1990's", "nineteen nineties eighteen hundreds two thousands nineteen nineties"),
        ("the \u201990s and 80s", "the nineties and eighties"),
        ("it\u2019s \u201cfine\u201d", "it's fine"),
    ],
)
def test_numbers_abbreviations_and_symbols(english, text, same_as):
    ours, words = ([p for p in english.phones(each) if p not in PAUSES] for each in (text, same_as))
    assert ours == words


def test_phones_of_the_dictionary(english):
    assert " ".join(english.phones("Hello, world")) == "HH AH0 L OW1 , W ER1 L D ."


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Yes", "."),
        ("Yes!", "!"),
        ("Is it? Yes; no: maybe...", "? , , ."),
        ("... well -- no", ". ."),
        ("1, 2.", ", ."),
        ("10:30", "."),
        ("7\u20133", "."),
        ("at 3: no\u2014yes", ", , ."),
    ],
)
def test_punctuation_becomes_pause_marks(english, text, marks):
    expected = marks.split() if text != "... well -- no" else ["."]
    assert [phone for phone in english.phones(text) if phone in PAUSES] == expected


HARD = {
    "digits": "0123456789" * 3,
    "thousand": "9" * 1000,
    "words": "word " * 200,
    "one word": "q" * 1000,
    "Chinese": "\u4f60\u597d",
    "Cyrillic": "\u041f\u0440\u0438\u0432\u0435\u0442",
    "control": "a\x00b\x07c",
}
NOTHING = ["", "   ", "...", "\U0001f642", "\x00", "\u200b", "?!"]


@pytest.mark.parametrize("name", HARD)
def test_difficult_texts_have_phones(english, name):
    phones = english.phones(HARD[name])
    assert set(phones) <= {*ARPABET, *PAUSES} and len(phones) > 2
    italian = Phonemizer("it").phones(HARD[name])
    assert len(italian) > 2 and not any(phone.isspace() or "(" in phone for phone in italian)


@pytest.mark.parametrize("text", NOTHING)
def test_text_without_words_is_an_error(english, text):
    for phonemizer in (english, *([Phonemizer("it")] if text != "\U0001f642" else [])):  # espeak-ng describes the emoji
        with pytest.raises(SureError, match="has no words or numbers"):
            phonemizer.phones(text)


def test_long_text_is_pronounced_to_its_end():
    assert Phonemizer("it").phones("casa " * 300 + "libro")[-6:] == Phonemizer("it").phones("libro")
    assert len(Phonemizer("it").phones("casa " * 300)) == 300 * 4 + 1


@pytest.mark.parametrize("language", ["fr", "it", "ru", "es", "de"])
@pytest.mark.parametrize("text", ["10:30", "16:9", "1999\u20132005"])
def test_colon_and_dash_between_digits_are_not_pauses(language, text):
    phones = Phonemizer(language, kind="espeak").phones
    assert phones(text) == phones(text.replace(":", " ").replace("\u2013", " "))


@pytest.mark.parametrize("language", ["en", "fr", "it", "ru", "es", "de-DE"])
def test_phones_equal_espeak_ng(language):
    """The library called directly, without the package phonemizer."""
    code = "import sys, ctypes, espeakng_loader as l; lib = ctypes.CDLL(l.get_library_path());" \
        "lib.espeak_Initialize(2, 0, str(l.get_data_path()).encode(), 0);" \
        "lib.espeak_SetVoiceByName(sys.argv[1].encode());" \
        "lib.espeak_TextToPhonemes.restype = ctypes.c_char_p;" \
        "p = ctypes.c_char_p(sys.argv[2].encode());" \
        "print(lib.espeak_TextToPhonemes(ctypes.byref(p), 1, 0x02).decode())"  # fmt: skip
    voice = {"en": "en-us", "de-DE": "de"}.get(language, language)
    words = {"en": "hello world", "fr": "bonjour monde", "it": "ciao mondo", "ru": "привет мир", "es": "hola mundo",
             "de-DE": "hallo welt"}[language]  # fmt: skip
    command = [sys.executable, "-c", code, voice, words]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = "".join(Phonemizer(language, kind="espeak").phones(words)[:-1])
    assert ours == "".join(theirs.split()).replace("ˌ", "")


def test_lexicon_has_priority(tmp_path):
    (tmp_path / "words.txt").write_text("hello B AY1\nzyx K\n")
    assert Phonemizer("en", [tmp_path / "words.txt"]).phones("Hello zyx")[:3] == ["B", "AY1", "K"]
    found = Phonemizer("it", {"ciao": "b aj", "casa": "k"}).phones("Ciao casa, libro")
    assert found[:4] == ["b", "aj", "k", ","]
    with pytest.raises(SureError, match="'hello' has the phone 'h', which is not a phone of CMUdict"):
        Phonemizer("en", {"hello": "h ˈoʊ"})


def test_invalid_settings():
    with pytest.raises(SureError, match="cmudict for English"):
        Phonemizer("it", kind="cmudict")
    with pytest.raises(SureError, match="espeak-ng does not have the language 'xx'"):
        Phonemizer("xx")


def test_saved_settings_give_the_same_phones(tmp_path):
    first = Phonemizer("it", {"ciao": "b aj"}, known=["k", "a", "aː", "b", "."])
    first.save(tmp_path / "phonemizer.json")
    text = "Ciao casa!"
    assert Phonemizer.load(tmp_path / "phonemizer.json").phones(text) == first.phones(text)
    assert Phonemizer.load(tmp_path / "phonemizer.json", "es").language == "es"
    (tmp_path / "phonemizer.json").write_text("[]")
    with pytest.raises(SureError, match="run stage 3"):
        Phonemizer.load(tmp_path / "phonemizer.json")


@pytest.mark.parametrize(
    ("phone", "found"),
    [
        *[("ˈa", "ˈa"), ("ˈe", "e"), ("i", "ˈi"), ("tː", "t"), ("tʲ", "t"), ("ˈɛː", "ɛ"), ("õ", "o"), ("x", "x")],
        *[("tt", "t t"), ("ˈae", "ˈa e"), ("ˈeto", "e t o"), ("ˈax", "ˈax"), ("OW0", "OW1"), ("B", "B"), ("?", ".")],
    ],
)
def test_unknown_phones_become_the_nearest_known_ones(phone, found):
    assert nearest_known(phone, ["ˈa", "a", "e", "ˈi", "t", "ɛ", "o", "OW1", "."]) == found.split()


def test_no_network_and_no_data_are_needed(tmp_path):
    """With an empty home folder, where nltk looks for data, and failing sockets."""
    code = "import socket; socket.socket.connect = None; from sure.text.phonemize import Phonemizer;" \
        "print(*Phonemizer('en').phones('Zyxwik read the 3rd word'))"  # fmt: skip
    env = os.environ | {"HOME": str(tmp_path), "NLTK_DATA": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.split()[-4:] == ["W", "ER1", "D", "."]


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "a.wav", speech("a"))
    texts = {"train": ["Hello world", "yes, no", "ciao"], "dev": ["vision"], "test": ["the world"]}
    for name, lines in texts.items():
        rows = [Utterance(f"{name}{k}", "a.wav", text=text, speaker="ann") for k, text in enumerate(lines)]
        write_data_dir(Path("data") / name, rows)
    Path("data/train/utt2lang").write_text("train0 en\ntrain1 en\ntrain2 it\n")
    Path("data/statistics.json").write_text("{}")
    sets = {"train": "data/train", "valid": "data/dev", "tests": ["data/test"]}
    plain = {"task": "asr", "data": sets, "backbone": {"name": "tiny"}, "petl": "lora"}
    make_config(plain, "test").save(Path("conf.yaml"))
    return ["--config", "conf.yaml"]


def test_command(corpus, capsys):
    main([*corpus, "text.phones=espeak"])
    phones = dict(line.split(" ", 1) for line in Path("data/train/phones").read_text().splitlines())
    assert phones["train2"] == " ".join(Phonemizer("it").phones("ciao"))
    assert phones["train0"] == " ".join(Phonemizer("en", kind="espeak").phones("Hello world"))
    symbols = Path("data/tokens/phones.txt").read_text().split()
    assert symbols == ["<pad>", "<unk>", *sorted({phone for line in phones.values() for phone in line.split()})]
    assert Path("data/tokens/speakers.txt").read_text() == "ann\n"
    assert json.loads(Path("data/tokens/phonemizer.json").read_text())["kind"] == "espeak"
    assert "data/dev/phones: 1 utterances" in (out := capsys.readouterr().out) and "not in data/train" in out
    Path("pretrained").mkdir()
    Path("pretrained/phones.txt").write_text("<pad>\n<unk>\n,\n.\nh\nə\nl\noʊ\n")
    main([*corpus, "text.phones=espeak", "--like", "pretrained"])
    assert Path("data/train/phones").read_text().startswith("train0 h ə l oʊ ")
    assert Path("data/tokens/phones.txt").read_text() == Path("pretrained/phones.txt").read_text()


def test_utterances_without_phones(corpus, capsys):
    text = Path("data/train/text")
    text.write_text(text.read_text().replace("yes, no", "..."))
    Path("data/train/utt2frames").write_text("train0 5\ntrain1 90\ntrain2 90\n")
    Path("data/train/utt2lang").unlink()
    with pytest.raises(
        SureError, match=r"(?s)2 texts cannot be phonemized.*train0: 9 phones in 5.*train1: the text .* has no words"
    ):
        main(corpus)
    assert not Path("data/tokens").exists()
    main([*corpus, "--on_bad_utterance", "skip"])
    assert Path("data/train/phones").read_text().split()[0] == "train2"
    assert len(Path("data/train/phones_left_out.txt").read_text().splitlines()) == 2
