"""egs/asterisk: its layouts and damaged files, the voices of keyword and tts, and the recipe's own lists."""

import gzip
from itertools import product

import asterisk
import pytest
import yaml
from harness import EGS, Case, changes, copy, layout, load_make_splits, move, remove, write

from sure.corpus.selection import read_lists
from sure.text.lexicon_files import read_lexicon
from sure.text.normalize import normalize
from sure.text.phones import fold

VOICE_OF = {"en": "allison", "es": "allison", "fr": "june", "it": "carlo", "ru": "ivrvoice"}
ALL, KEYWORD, TTS = {"lang": "all"}, {"task": "keyword"}, {"task": "tts", "voice": "carlo+allison"}
SOUNDS, ES = asterisk.SOUNDS, asterisk.DOC.format("es")


@pytest.mark.parametrize("task", ["language", "speaker"])
def test_labels_of_languages_and_speakers(prepared, task):
    labels = prepared(task=task).of("labels")
    assert labels == {id: {"label": id[:2] if task == "language" else VOICE_OF[id[:2]]} for id in labels}
    assert {"es-dir-welcome", "ru-letters-at"} < labels.keys()  # speech without text


def test_translations_are_the_english_prompts_of_the_same_key(prepared):
    found, english = prepared(task="translation", lang="all"), prepared(task="tts", voice="allison")
    texts, spoken = found.of("text"), english.of("text")
    assert {id[:2] for id in texts} == {"es", "fr", "it", "ru"}
    shared = [id for id in texts if f"en{id[2:]}" in spoken]
    assert len(shared) > 0.9 * len(texts) and all(texts[id] == spoken[f"en{id[2:]}"] for id in shared)
    assert all(found.set_of[id] == english.set_of[f"en{id[2:]}"] for id in shared)
    spanish = prepared(task="translation").of("text")
    assert spanish == {id: text for id, text in texts.items() if id.startswith("es")}


def as_tarballs(corpus):
    """Move the files to the layout of the tarballs, with core-sounds-XX.txt next to the recordings."""
    for language, folder in asterisk.VOICES.items():
        move(f"{SOUNDS}/{folder}", f"tarballs/{language}")(corpus)
        write(f"tarballs/{language}/core-sounds-{language}.txt", asterisk.quirks(language))(corpus)
    remove("usr")(corpus)


def tts(error, **options):
    return Case(options={"task": "tts"} | options, error=error)


NO_TEXT = [as_tarballs, remove("tarballs/es/core-sounds-es.txt")]
ENGLISH_AND_SPANISH = [f"{SOUNDS}/{asterisk.VOICES[language]}/phonetic" for language in ("en", "es")]
test_changes = changes({
    **{given: layout((), given, ALL) for given in ("usr", "usr/share", SOUNDS)},
    "tarballs": layout(as_tarballs, "tarballs", ALL),
    "above the tarballs": layout(as_tarballs, "", ALL),
    "nothing": Case(remove("usr"), error=r"es \(g722 recordings\), es \(core-sounds text\).*8 kHz"),
    "both layouts": Case([copy("usr", "packages/usr"), as_tarballs],
                         error="recordings of es are in .*packages.*es_MX_f_Allison and in .*tarballs/es; move one"),
    "a label needs no text": Case(remove("usr/share/doc"), {"task": "language"}),
    "no text": Case(NO_TEXT, error=r"not found: es \("),
    "no list": Case([write(ES, gzip.compress((asterisk.quirks("es") + "vm-new: Nuevo\n").encode())),
                     write(f"{SOUNDS}/es_MX_f_Allison/vm-new.g722", bytes(8000))],
                    left_out={"prompts that are in no list of splits/": "es-vm-new"}),
    "one language for a label": Case(options={"task": "language", "lang": "es"}, error="leave lang out"),
    "English into English": Case(options={"task": "translation", "lang": "en"}, error="the texts are English"),
    "phonemes of all languages": Case(options={"task": "phoneme", "lang": "all"}, error="one language"),
    "no colon": Case(write(ES, gzip.compress(b"vm-login Hola\n")), error="es.txt.gz, line 1.*vm-login Hola"),
    "not gzip": Case(write(ES, b"plain"), error="core-sounds-es.txt.gz.*again"),
    "another voice": Case(options=KEYWORD | {"voice": "carlo"},
                          error="voice=carlo: the speakers of alphabet are allison june ivrvoice"),
    "too few voices": Case(remove(*ENGLISH_AND_SPANISH), KEYWORD, error="are june ivrvoice; .*three or more"),
    "an unknown voice": tts("voice=allison.june.carlo.ivrvoice", voice="clara"),
    "a language of tts": tts("no lang", voice="carlo", lang="it"),
    "no number": tts("minutes=few: expected all", voice="carlo", minutes="few"),
    "too few minutes": tts("the set train is empty", voice="carlo", minutes="0.01"),
})  # fmt: skip


@pytest.fixture
def every_prompt(tmp_path):
    """Every prompt of the lists in two voices, each of 5 s but one; without sound, as preparing decodes none."""
    for voice in (asterisk.VOICES[language] for language in ("en", "it")):
        lines = ["beep: [this is a simple beep tone]", "ha/phone: no list has this"]
        for key in read_lists(EGS / "asterisk" / "splits"):
            lines.append(f"{key}: Press 1, for {voice[:2]} -- {key.replace('/', ' ')}! (note: a remark)")
            write(f"{voice}/{key}.g722", bytes(8000 * (40 if key == "privacy-thankyou" else 5)))(tmp_path)
        write(f"{voice}/core-sounds-{voice[:2]}.txt", "\n".join(lines))(tmp_path)
    return tmp_path


def test_tts_has_punctuation_languages_and_minutes_of_each_voice(prepared, every_prompt):
    two, five, whole = (prepared(every_prompt, **TTS, minutes=minutes) for minutes in ("2", "5", "all"))
    assert whole.of("text")["it-privacy-thankyou"] == "Press 1, for it -- privacy-thankyou!"
    assert whole.of("speaker") == {id: VOICE_OF[id[:2]] for id in whole.set_of}
    for name, ids in whole.ids.items():
        lines = (every_prompt / "out 2" / name / "utt2lang").read_text().splitlines()
        assert lines == [f"{id} {id[:2]}" for id in ids]
        assert name == "train" or two.ids[name] == ids != []
    assert set(two.ids["train"]) < set(five.ids["train"]) < set(whole.ids["train"])
    for language, (minutes, result) in product(("en", "it"), ((2, two), (5, five))):
        assert sum(id.startswith(language) for id in result.ids["train"]) == minutes * 60 // 5
        assert f"{language}-privacy-thankyou" not in result.ids["train"], "long recordings come last"
    assert ("training prompts beyond 2 minutes of a voice", "it-privacy-thankyou") in two.left_out


def test_the_recipes_lexicon_has_phones_of_cmudict():
    for word, phones in read_lexicon([EGS / "asterisk" / "lexicon.txt"]).items():
        assert normalize(word, "en") == word
        assert fold(phones, "no_stress") != phones  # vowels are stressed; another phone is an error


def test_the_list_of_words():
    words = yaml.safe_load((EGS / "asterisk" / "keywords.yaml").read_text(encoding="utf-8"))
    assert {name: len(found) for name, found in words.items()} == {"alphabet": 26, "digits": 10}
    assert "".join(word[0] for word in words["alphabet"]) == "abcdefghijklmnopqrstuvwxyz"
    for found in words.values():
        spellings = sum(found.values(), [])
        assert len(spellings) == len(set(spellings)) and [normalize(text, "en") for text in spellings] == spellings
    for number, spellings in enumerate(words["digits"].values()):  # num2words has them too
        assert {normalize(str(number), language) for language in VOICE_OF} == set(spellings)


def test_new_splits_keep_keys_texts_and_audio_together(recipe, tmp_path, monkeypatch):
    make_splits = load_make_splits(recipe, monkeypatch)
    prompts = []
    for language, number in product(VOICE_OF, range(40)):
        audio = tmp_path / f"{language}{number}.g722"
        audio.write_bytes(f"{language} {min(number, 36)}".encode() * (40_000 if number == 5 else 600))
        text = "the same" if language == "fr" and number % 6 == 3 else f"text {number}"
        prompts.append(recipe.parts["Prompt"](language, f"vm-{number}", audio, text))
    split = make_splits(prompts)
    place = {key: name for name, keys in split.items() for key in keys}
    assert len(place) == sum(map(len, split.values())) == 40
    assert len({place[f"vm-{number}"] for number in range(3, 40, 6)}) == 1
    assert len({place[f"vm-{number}"] for number in range(36, 40)}) == 1 and place["vm-5"] == "train"
    assert len(split["test"]) >= 8 and len(split["dev"]) >= 3 and len(split["train"]) >= 20
    assert make_splits(prompts[::-1]) == split
