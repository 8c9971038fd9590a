"""egs/asterisk/prepare.py on a miniature of the corpus in its layouts, quirks included, and the recipe's lists."""

import gzip
import importlib.util
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from audio_files import write_audio
from harness import EGS, SETS, Case, Recipe, move, remove, table, write

from sure.corpus.selection import read_lists
from sure.text.lexicon import read_lexicon
from sure.text.normalize import normalize
from sure.text.phones import fold

RECIPE = "asterisk"

TRANSCRIPTS = {
    "en": """\
; Core Asterisk Sounds in English

agent-incorrect: Login incorrect.  Please enter your agent number followed by the pound key.
added: Added.
digits/1: one
digits/0: zero
letters/at: at [@]
silence/1: (1 second of silence)
beep: [this is a simple beep tone]
vm-advopts: press 3 for advanced options
vm-login: Comedian Mail.  Mailbox?
vm-press: press
conf-hasleft: has left the conference.
conf-adminmenu: Please press 1 to mute or unmute yourself, or 8 to exit.
not-recorded: This has no recording.
""",
    "es": """\
; Core Asterisk Sounds in Spanish
agent-incorrect: Clave incorrecta. Por favor, ingese su número de agente
digits/0: cero
digits/0: diez
digits/1: uno
letters/at: arroba
beep: [tono simple]
vm-advopts: Marque 3 para obtener las opciones avanzadas.
vm-login: Correo de voz. Ingrese su extension.
vm-press: marque
conf-hasleft: Ha dejado la conferencia.
dir-welcome:
""",
    "fr": """\
agent-incorrect: Échec à l'ouverture de session.
digits/1: un
letters/at: arobas
beeperr: (ahooga)
vm-advopts: pour les options avancés, appuyez sur 3
vm-login: Messagerie Asterisk. vm-press: appuyez sur...
vm-press: appuyez sur...
conf-hasleft: a quitté la conférence.
""",
    "it": """\
\ufeff; Elenco completo del set “core sound”
agent-incorrect: Login errato.
digits/1: uno
letters/at: a [@]
beep: un suono beep
vm-advopts: premere 3 per le opzioni avanzate
vm-login: Posta vocale. Casella di posta?
vm-press: premi
conf-hasleft: La conferenza ? piena, non si pu? entrare.
phonetic/C_P: c come como
""",
    "ru": """\
agent-incorrect: Ошибка регистрации. Введите номер оператора и нажмите решётку.
digits/1: один
letters/at: at [@]
vm-advopts: Нажмите три для расширенных настроек.
vm-login: Голосовая почта. Номер абонента?
vm-press: Нажмите
conf-hasleft: conf-hasleft: вышел из конференции
is:
""",
}
RECORDINGS = ["agent-incorrect", "digits/1", "letters/at", "vm-advopts", "vm-login", "vm-press",
              "conf-hasleft", "beep", "silence/1"]  # fmt: skip
MORE_RECORDINGS = {
    "en": ["added", "digits/0", "conf-adminmenu"],
    "es": ["digits/0", "digits/10", "dir-welcome"],
    "fr": ["beeperr"],
    "it": ["phonetic/c_p"],
    "ru": [],
}
SPLITS = {
    "train": "vm-login vm-press digits/1 letters/at added conf-adminmenu phonetic/c_p dir-welcome digits/10",
    "dev": "agent-incorrect digits/0",
    "test": "vm-advopts conf-hasleft",
}
SOUNDS, DOC = "usr/share/asterisk/sounds", "usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
ALL = {"lang": "all"}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A copy of the recipe with lists for a miniature in the layout of the Debian packages."""
    folder = tmp_path_factory.mktemp("recipe")
    for name in ("prepare.py", "corrections.yaml", "keywords.yaml"):
        shutil.copy(EGS / RECIPE / name, folder)
    for name, keys in SPLITS.items():
        write(f"splits/{name}.txt", "\n".join(keys.split()) + "\n")(folder)
    corpus = tmp_path_factory.mktemp("debian root") / "root"
    made = Recipe(RECIPE, corpus, folder)
    seed = 0
    for language, text in TRANSCRIPTS.items():
        for key in RECORDINGS + MORE_RECORDINGS[language]:
            seed += 1
            samples = np.random.default_rng(seed).normal(0, 0.1, 248000 if key == "conf-adminmenu" else 16000)
            write_audio(corpus / SOUNDS / made.parts["VOICES"][language][0] / f"{key}.g722", samples)
        write(DOC.format(language), gzip.compress(text.encode()))(corpus)
    write(f"{SOUNDS}/ru_RU_f_IvrvoiceRU/is.g722")(corpus)
    return made


def as_tarballs(corpus):
    """Move the files to the layout of the tarballs, with core-sounds-XX.txt next to the recordings."""
    for path in sorted((corpus / SOUNDS).iterdir()):
        language = path.name[:2]
        write(f"tarballs/{language}/core-sounds-{language}.txt", TRANSCRIPTS[language])(corpus)
        for place in sorted(path.iterdir()):
            move(str(place.relative_to(corpus)), f"tarballs/{language}/{place.name}")(corpus)
    remove("usr")(corpus)


def test_text_of_every_language(prepared):
    result = prepared(**ALL)
    found = result.of("text")
    assert found == found | {
        "en-letters-at": "at",
        "en-agent-incorrect": "login incorrect please enter your agent number followed by the pound key",
        "es-agent-incorrect": "clave incorrecta por favor ingrese su numero de agente",  # corrected
        "es-digits-0": "cero",
        "es-digits-10": "diez",  # under the wrong key in the file
        "es-vm-advopts": "marque tres para obtener las opciones avanzadas",
        "fr-agent-incorrect": "échec à l'ouverture de session",
        "fr-vm-login": "messagerie asterisk",  # the next row on the same line is cut
        "it-conf-hasleft": "la conferenza è piena non si può entrare",
        "it-vm-login": "posta vocale casella di posta",
        "it-phonetic-c_p": "c come como",
        "ru-agent-incorrect": "ошибка регистрации введите номер оператора и нажмите решетку",
        "ru-conf-hasleft": "вышел из конференции",  # its key was written twice
    }
    tones = ["fr-beeperr", *(f"{language}-{key}" for language in TRANSCRIPTS for key in ("beep", "silence-1"))]
    no_text = ["es-dir-welcome", "ru-letters-at"]
    assert set(result.left_out) == {("tones, noises and silences", id) for id in tones} | {
        ("recordings shorter than 0.1 s", "ru-is"), *(("recordings without text", id) for id in no_text)
    }  # fmt: skip
    places = {id: name for name, keys in SPLITS.items() for key in keys.split() for id in [key.replace("/", "-")]}
    assert result.of("set") == {id: places[id[3:]] for id in found}


def test_languages_of_asr_and_phonemes(prepared):
    asr, phoneme, english = prepared(), prepared(task="phoneme"), prepared(lang="en")
    assert {id[:2] for id in asr.of("set")} == {"es"}
    assert phoneme.of("text") == english.of("text")
    printed = prepared(lang="ru").printed
    assert "asterisk asr (ru): 3 train, 1 dev, 2 test" in printed
    assert "left out: 2 tones, noises and silences" in printed
    assert "left out: 1 recordings without text" in printed and "left out: 1 recordings shorter than" in printed


def test_labels(prepared):
    language, speaker, intent = (prepared(task=task).of("label") for task in ("language", "speaker", "intent"))
    assert language == {id: id[:2] for id in language}
    assert "es-dir-welcome" in language  # speech without text
    assert not any(id.endswith(("-beep", "-silence-1", "ru-is")) for id in language)
    voices = {"en": "allison", "es": "allison", "fr": "june", "it": "carlo", "ru": "ivrvoice"}
    assert speaker == {id: voices[id[:2]] for id in language}
    assert prepared(**ALL).of("speaker") == {id: voices[id[:2]] for id in prepared(**ALL).of("text")}
    assert intent["ru-vm-login"] == "voicemail" and intent["fr-digits-1"] == "digits"
    assert "en-added" in language and "en-added" not in intent


@table({"usr": ([], "usr"), "share": ([], "usr/share"), "sounds": ([], SOUNDS), "tarballs": (as_tarballs, "tarballs"),
        "above the tarballs": (as_tarballs, "")})  # fmt: skip
def test_every_layout_gives_the_same(check, case):
    check(*case, **ALL)


ES = DOC.format("es")


@table({
    "nothing": Case(remove("usr"), error=r"es \(g722 recordings\), es \(core-sounds text\).*8 kHz"),
    "no text": Case([as_tarballs, remove("tarballs/es/core-sounds-es.txt")], error=r"not found: es \("),
    "no text of another language": Case([as_tarballs, remove("tarballs/es/core-sounds-es.txt")], {"lang": "fr"}),
    "no list": Case([write(ES, gzip.compress((TRANSCRIPTS["es"] + "vm-new: Nuevo\n").encode())),
                     write(f"{SOUNDS}/es_MX_f_Allison/vm-new.g722", bytes(8000))],
                    left_out={"prompts that are in no list of splits/": "es-vm-new"}),
    "one language for a label": Case(options={"task": "language", "lang": "es"}, error="leave lang out"),
    "phonemes of all languages": Case(options={"task": "phoneme", "lang": "all"}, error="one language"),
    "no colon": Case(write(ES, gzip.compress(b"vm-login Hola\n")), error="es.txt.gz, line 1.*vm-login Hola"),
    "cut": Case(write(ES, gzip.compress(b"x" * 9999)[:40]), error="core-sounds-es.txt.gz.*again"),
    "not UTF-8": Case(write(ES, gzip.compress(b"vm-login: \xff")), error="core-sounds-es.txt.gz.*UTF-8"),
    "not gzip": Case(write(ES, b"plain"), error="core-sounds-es.txt.gz.*again"),
    "damaged": Case(write(ES, gzip.compress(b"vm-login: Hola")[:10] + b"\xff" * 20), error="es.txt.gz.*again"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


def test_the_recipes_lexicon_has_phones_of_cmudict():
    for word, phones in read_lexicon([EGS / RECIPE / "lexicon.txt"]).items():
        assert normalize(word, "en") == word
        assert fold(phones, "no_stress") != phones  # vowels are stressed; another phone is an error


def load(path):
    spec = importlib.util.spec_from_file_location(f"asterisk_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_new_splits_keep_keys_texts_and_audio_together(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "prepare", SimpleNamespace(**recipe.parts))
    make_splits = load(EGS / RECIPE / "splits" / "make_splits.py").make_splits
    prompts = []
    for number in range(40):
        for language in recipe.parts["VOICES"]:
            audio = tmp_path / language / f"vm-{number}.g722"
            audio.parent.mkdir(parents=True, exist_ok=True)
            same_audio = language == "it" and number in (0, 39)
            content = bytes([7]) * 900 if same_audio else f"{language}{number}".encode() * 300
            audio.write_bytes(content * (200 if number == 5 else 1))
            text = "gleich" if language == "fr" and number % 10 == 3 else f"text {number}"
            prompts.append(recipe.parts["Prompt"](language, f"vm-{number}", audio, text))
    split = make_splits(prompts)
    place = {key: name for name, keys in split.items() for key in keys}
    assert len(place) == sum(map(len, split.values())) == 40
    assert len({place[f"vm-{number}"] for number in (3, 13, 23, 33)}) == 1
    assert place["vm-0"] == place["vm-39"]
    assert place["vm-5"] == "train"
    assert len(split["test"]) >= 8 and len(split["dev"]) >= 3 and len(split["train"]) >= 20
    assert make_splits(prompts[::-1]) == split


def test_the_lists_of_the_recipe():
    recipe = load(EGS / RECIPE / "prepare.py")
    split = read_lists(EGS / RECIPE / "splits")  # refuses a key in two lists
    sizes = [sum(name == place for place in split.values()) for name in SETS]
    assert sizes == [426, 76, 127]
    for name in SETS:
        keys = (EGS / RECIPE / "splits" / f"{name}.txt").read_text().split()
        assert keys == sorted(set(keys))
        assert not any(recipe.NOT_SPEECH.fullmatch(key) for key in keys)
        assert {recipe.intent_of(key) for key in keys} == {*recipe.INTENTS.values(), None}
    for pair in [("queue-minutes", "vm-minutes"), ("confbridge-leave-in", "confbridge-leave-out")]:
        assert split[pair[0]] == split[pair[1]]  # the same words
