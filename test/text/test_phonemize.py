"""Text to phones: difficult texts in English and by espeak-ng, and saved settings."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import toys
from audio_files import write_audio
from speech import speech

from sure.bin.phonemize import main
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.text.lexicon import ARPABET
from sure.text.phonemize import PAUSES, Phonemizer, nearest_known


@pytest.fixture(scope="module")
def english() -> Phonemizer:
    return Phonemizer("en")


@pytest.mark.parametrize(("text", "same_as"), [
    ("It costs $3.50.", "it costs three dollars, fifty cents"),
    ("Dr. Smith's co. & Mr. Jones", "doctor smith's company and mister jones"),
    ("the 22nd -- no. 2", "the twenty second -- no. two"),
    ("DTMF of the U.S.A", "d t m f of the u s ay"),
    ("U.S.A. and 5 a.m.", "u s ay and five ay m"),
    ("Mr.Smith, Dr.No, Lt.Col.Kirk", "mister smith doctor no lieutenant colonel kirk"),
    ("<b>hi</b> Hi<br>there {or}not", "b hi b hi b r there or not"),
    ("Smith(Jones), f(x)", "smith jones f x"),
    ("word(s), box(es), colo(u)r, [t]he (re)start", "words boxes colour the restart"),
    ("plan A. A, b", "plan a, ay, b"),
    ("1999\u20132005", "nineteen ninety nine two thousand five"),
    ("it\u2019s \u201cfine\u201d", "it's fine"),
])  # fmt: skip
def test_numbers_abbreviations_and_symbols(english, text, same_as):
    ours, words = ([p for p in english.phones(each) if p not in PAUSES] for each in (text, same_as))
    assert ours == words


@pytest.mark.parametrize(("text", "marks"), [
    ("Yes", "."), ("Yes!", "!"), ("Is it? Yes; no: maybe...", "? , , ."), ("... well -- no", "."), ("1, 2.", ", ."),
    ("10:30", "."), ("7\u20133", "."), ("at 3: no\u2014yes", ", , ."),
])  # fmt: skip
def test_punctuation_becomes_pause_marks(english, text, marks):
    assert [phone for phone in english.phones(text) if phone in PAUSES] == marks.split()


@pytest.mark.parametrize(
    "text", ["0123456789" * 3, "9" * 1000, "word " * 200, "q" * 1000, "你好", "Привет", "a\x00b\x07c"]
)
def test_difficult_texts_have_phones(english, text):
    phones, italian = english.phones(text), Phonemizer("it").phones(text)
    assert set(phones) <= {*ARPABET, *PAUSES} and len(phones) > 2
    assert len(italian) > 2 and not any(phone.isspace() or "(" in phone for phone in italian)


@pytest.mark.parametrize("text", ["", "   ", "...", "\U0001f642", "\x00", "\u200b", "?!"])
def test_text_without_words_is_an_error(english, text):
    for phonemizer in (english, *([Phonemizer("it")] if text != "\U0001f642" else [])):  # espeak-ng describes the emoji
        with pytest.raises(SureError, match="has no words or numbers"):
            phonemizer.phones(text)


def test_long_text_is_pronounced_to_its_end():
    phones = Phonemizer("it").phones("casa " * 300 + "libro")
    assert len(phones) == 300 * 4 + 6 and phones[-6:] == Phonemizer("it").phones("libro")


@pytest.mark.parametrize("language", ["fr", "it", "ru", "es", "de"])
@pytest.mark.parametrize("text", ["10:30", "16:9", "1999\u20132005"])
def test_colon_and_dash_between_digits_are_not_pauses(language, text):
    phones = Phonemizer(language, kind="espeak").phones
    assert phones(text) == phones(text.replace(":", " ").replace("\u2013", " "))


@pytest.mark.parametrize("word", ["xअy", "ꜣ", "x가y", "Ж", "你", "ǂ"])
def test_an_unknown_letter_is_named_and_does_not_change_other_words(word, caplog):
    phones, rest = Phonemizer("it", kind="espeak").phones, "la casa è bella"
    assert phones(f"buongiorno {word} {rest}")[-len(phones(rest)) :] == phones(rest)
    (message,) = (record.getMessage() for record in caplog.records)
    assert f"in '{word}' is not a letter of it" in message


@pytest.mark.parametrize(("language", "text", "same"), [
    ("de", "gute ﬁlme", "gute filme"), ("es", "ＨＯＬＡ", "HOLA"), ("tr", "IĞDIR", "ığdır"), ("lb", "Lëtzebuerg", None),
])  # fmt: skip
def test_forms_of_letters_have_the_same_phones(language, text, same, caplog):
    phonemizer = Phonemizer(language, {"ığdır": "k"} if language == "tr" else {}, kind="espeak")
    assert phonemizer.phones(text) == phonemizer.phones(same or text) and not caplog.records


ESPEAK = """
import ctypes, sys, espeakng_loader as loader
library = ctypes.CDLL(loader.get_library_path())
library.espeak_Initialize(2, 0, str(loader.get_data_path()).encode(), 0)
library.espeak_SetVoiceByName(sys.argv[1].encode())
library.espeak_TextToPhonemes.restype = ctypes.c_char_p
text = ctypes.c_char_p(sys.argv[2].encode())
print(library.espeak_TextToPhonemes(ctypes.byref(text), 1, 0x02).decode())
"""


@pytest.mark.parametrize(("language", "voice", "words"), [
    ("en", "en-us", "hello world"), ("fr", "fr", "bonjour monde"), ("it", "it", "ciao mondo"),
    ("ru", "ru", "привет мир"), ("es", "es", "hola mundo"), ("de-DE", "de", "hallo welt"),
])  # fmt: skip
def test_phones_equal_espeak_ng(language, voice, words):
    """The library called directly, without the package phonemizer."""
    command = [sys.executable, "-c", ESPEAK, voice, words]
    theirs = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = "".join(Phonemizer(language, kind="espeak").phones(words)[:-1])
    assert ours == "".join(theirs.split()).replace("ˌ", "")


def test_lexicon_has_priority(tmp_path):
    (tmp_path / "words.txt").write_text("hello B AY1\nzyx K\n")
    words = Phonemizer("en", [tmp_path / "words.txt"]).phones("Hello zyx, world")
    assert " ".join(words) == "B AY1 K , W ER1 L D ."
    found = Phonemizer("it", {"ciao": "b aj", "casa": "k"}).phones("Ciao casa, libro")
    assert found[:4] == ["b", "aj", "k", ","]
    with pytest.raises(SureError, match="'hello' has the phone 'h', which is not a phone of CMUdict"):
        Phonemizer("en", {"hello": "h ˈoʊ"})


@pytest.mark.parametrize(("language", "kind", "message"), [
    ("it", "cmudict", "cmudict for English"), ("xx", None, "espeak-ng does not have the language 'xx'"),
])  # fmt: skip
def test_invalid_settings(language, kind, message):
    with pytest.raises(SureError, match=message):
        Phonemizer(language, kind=kind)


def test_saved_settings_give_the_same_phones(tmp_path):
    first = Phonemizer("it", {"ciao": "b aj"}, known=["k", "a", "aː", "b", "."])
    first.save(tmp_path / "phonemizer.json")
    text = "Ciao casa!"
    assert Phonemizer.load(tmp_path / "phonemizer.json").phones(text) == first.phones(text)
    assert Phonemizer.load(tmp_path / "phonemizer.json", "es").language == "es"
    (tmp_path / "phonemizer.json").write_text("[]")
    with pytest.raises(SureError, match="run stage 3"):
        Phonemizer.load(tmp_path / "phonemizer.json")


@pytest.mark.parametrize(("phone", "found"), [
    *[("ˈa", "ˈa"), ("ˈe", "e"), ("i", "ˈi"), ("tː", "t"), ("tʲ", "t"), ("ˈɛː", "ɛ"), ("õ", "o"), ("x", "x")],
    *[("tt", "t t"), ("ˈae", "ˈa e"), ("ˈeto", "e t o"), ("ˈax", "ˈax"), ("OW0", "OW1"), ("B", "B"), ("?", ".")],
])  # fmt: skip
def test_unknown_phones_become_the_nearest_known_ones(phone, found):
    assert nearest_known(phone, ["ˈa", "a", "e", "ˈi", "t", "ɛ", "o", "OW1", "."]) == found.split()


@pytest.fixture
def corpus(tmp_path, monkeypatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "a.wav", speech("a"))
    for name, texts in (("train", ["Hello world", "yes, no", "ciao"]), ("dev", ["vision"]), ("test", ["the world"])):
        rows = [Utterance(f"{name}{k}", "a.wav", text=text, speaker="ann") for k, text in enumerate(texts)]
        write_data_dir(Path("data") / name, rows)
    Path("data/train/utt2lang").write_text("train0 en\ntrain1 en\ntrain2 it\n")
    Path("data/statistics.json").write_text("{}")
    return ["--config", str(toys.write_config(Path(), Path("conf.yaml"), tokenizer__folder="data/tokens"))]


def test_command(corpus, capsys):
    main([*corpus, "text.phones=espeak"])
    phones = dict(line.split(" ", 1) for line in Path("data/train/phones").read_text().splitlines())
    assert phones["train2"] == " ".join(Phonemizer("it").phones("ciao"))
    assert phones["train0"] == " ".join(Phonemizer("en", kind="espeak").phones("Hello world"))
    symbols = Path("data/tokens/phones.txt").read_text().split()
    assert symbols == ["<pad>", "<unk>", *sorted({phone for line in phones.values() for phone in line.split()})]
    assert Path("data/tokens/speakers.txt").read_text() == "ann\n"
    assert json.loads(Path("data/tokens/phonemizer.json").read_text())["kind"] == "espeak"
    assert "data/dev/phones: 1 utterance" in (out := capsys.readouterr().out) and "not in data/train" in out
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
    message = r"(?s)2 texts cannot be phonemized.*train0: 9 phones in 5.*train1: the text .* has no words"
    with pytest.raises(SureError, match=message):
        main(corpus)
    assert not Path("data/tokens").exists()
    main([*corpus, "--on_bad_utterance", "skip"])
    assert Path("data/train/phones").read_text().split()[0] == "train2"
    assert len(Path("data/train/phones_left_out.txt").read_text().splitlines()) == 2
    Path("data/train/utt2frames").write_text("train1 90\ntrain2 90\n")
    main([*corpus, "--on_bad_utterance", "skip"])
    assert "train0: no features; data/train/features_left_out" in Path("data/train/phones_left_out.txt").read_text()
