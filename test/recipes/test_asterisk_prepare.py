"""Promises of egs/asterisk/prepare.py, on a miniature of the corpus in its layouts, quirks included."""

import gzip
import importlib.util
import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from sure.corpus.selection import SETS, read_lists
from sure.corpus.sources import read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.text.normalize import normalize
from sure.text.phones import fold
from sure.text.pronunciation import read_lexicon

RECIPE = Path(__file__).parents[2] / "egs" / "asterisk"

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


def load(path: Path):
    """A module by its path, as sure.bin.prepare does it."""
    spec = importlib.util.spec_from_file_location(f"asterisk_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_g722(path: Path, seconds: float, seed: int) -> None:
    samples = (np.random.default_rng(seed).normal(0, 3000, round(seconds * 16000))).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="g722") as file:
        stream = file.add_stream("g722", rate=16000, layout="mono")
        for start in range(0, len(samples), 320):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 320], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A copy of the recipe with lists for the miniature corpus."""
    folder = tmp_path_factory.mktemp("recipe")
    for name in ("prepare.py", "corrections.yaml"):
        shutil.copy(RECIPE / name, folder)
    shutil.copytree(RECIPE / "splits", folder / "splits", ignore=shutil.ignore_patterns("*.txt", "__pycache__"))
    for name, keys in SPLITS.items():
        (folder / "splits" / f"{name}.txt").write_text("\n".join(keys.split()) + "\n")
    return load(folder / "prepare.py")


@pytest.fixture(scope="module")
def debian(tmp_path_factory, recipe):
    """usr/share/asterisk/sounds/<voice>/ and usr/share/doc/<package>/core-sounds-XX.txt.gz"""
    root = tmp_path_factory.mktemp("debian root")
    seed = 0
    for language, text in TRANSCRIPTS.items():
        sounds = root / "usr/share/asterisk/sounds" / recipe.VOICES[language][0]
        for key in RECORDINGS + MORE_RECORDINGS[language]:
            seed += 1
            write_g722(sounds / f"{key}.g722", 15.5 if key == "conf-adminmenu" else 1.0, seed)
        if language == "ru":
            (sounds / "is.g722").touch()
        doc = root / f"usr/share/doc/asterisk-core-sounds-{language}"
        doc.mkdir(parents=True)
        (doc / f"core-sounds-{language}.txt.gz").write_bytes(gzip.compress(text.encode()))
        (doc / "copyright").write_text("see CREDITS")
    return root


@pytest.fixture(scope="module")
def tarballs(tmp_path_factory, recipe, debian):
    """<tarball>/core-sounds-XX.txt with the recordings beside it."""
    root = tmp_path_factory.mktemp("tarballs")
    for language, text in TRANSCRIPTS.items():
        folder = root / f"asterisk-core-sounds-{language}-g722-1.6.1"
        shutil.copytree(debian / "usr/share/asterisk/sounds" / recipe.VOICES[language][0], folder)
        (folder / f"core-sounds-{language}.txt").write_text(text, encoding="utf-8")
    return root


def read(out: Path) -> dict:
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in SPLITS}


def texts(sets: dict) -> dict[str, str]:
    return {id: u.text for utterances in sets.values() for id, u in utterances.items()}


def test_text_of_every_language(recipe, debian, tmp_path):
    recipe.prepare(debian, tmp_path, lang="all")
    found = texts(read(tmp_path))
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
    absent = ["en-beep", "it-beep", "fr-beeperr", "en-silence-1", "es-dir-welcome", "ru-is", "ru-letters-at"]
    assert not set(absent) & set(found)


def test_both_layouts_give_the_same(recipe, debian, tarballs, tmp_path):
    places = [debian, debian / "usr/share", debian / "usr/share/asterisk/sounds", tarballs]
    for number, corpus in enumerate(places):
        recipe.prepare(corpus, tmp_path / str(number), lang="all")
    first, *others = [texts(read(tmp_path / str(number))) for number in range(len(places))]
    assert all(other == first for other in others)


def test_folders_are_valid_as_written(recipe, debian, tmp_path, monkeypatch):
    monkeypatch.chdir(debian)
    folders = recipe.prepare("usr", tmp_path / "out", lang="all")  # a relative corpus gives absolute paths
    monkeypatch.chdir(tmp_path)
    assert [folder.name for folder in folders] == ["train", "dev", "test"]
    for folder in folders:
        before = (folder / "wav.scp").read_bytes()
        assert not validate_data_dir(folder, on_bad_utterance="stop").removed
        assert (folder / "wav.scp").read_bytes() == before


def test_one_language_has_only_its_utterances(recipe, debian, tmp_path):
    recipe.prepare(debian, tmp_path)
    assert {id.split("-")[0] for id in texts(read(tmp_path))} == {"es"}


def test_phones_are_of_english_words(recipe, debian, tmp_path):
    recipe.prepare(debian, tmp_path / "phoneme", task="phoneme")
    recipe.prepare(debian, tmp_path / "asr", lang="en")
    assert texts(read(tmp_path / "phoneme")) == texts(read(tmp_path / "asr"))


def test_the_recipes_lexicon_has_phones_of_cmudict():
    for word, phones in read_lexicon([RECIPE / "lexicon.txt"]).items():
        assert normalize(word, "en") == word
        assert fold(phones, "no_stress") != phones  # vowels are stressed; another phone is an error


def test_labels(recipe, debian, tmp_path):
    for task in ("language", "speaker", "intent"):
        recipe.prepare(debian, tmp_path / task, task=task)
    labels = {
        task: {id: u.labels["label"] for s in read(tmp_path / task).values() for id, u in s.items()}
        for task in ("language", "speaker", "intent")
    }
    assert labels["language"]["it-vm-login"] == "it"
    assert labels["speaker"]["en-vm-login"] == labels["speaker"]["es-vm-login"] == "allison"
    assert len(set(labels["speaker"].values())) == 4
    assert labels["intent"]["ru-vm-login"] == "voicemail" and labels["intent"]["fr-digits-1"] == "digits"
    assert "es-dir-welcome" in labels["language"]  # speech without text
    assert not any(id.endswith(("-beep", "-silence-1", "ru-is")) for id in labels["language"])
    assert "en-added" in labels["language"] and "en-added" not in labels["intent"]


def test_what_is_left_out_is_counted(recipe, debian, tmp_path, capsys):
    recipe.prepare(debian, tmp_path, lang="ru")
    printed = capsys.readouterr().out
    assert "asterisk asr (ru): 3 train, 1 dev, 2 test" in printed
    assert "left out: 2 tones, noises and silences" in printed
    assert "left out: 1 recordings without text" in printed
    assert "left out: 1 recordings shorter than" in printed


@pytest.mark.parametrize(
    "options, message",
    [
        ({"task": "emotion"}, "emotion.*asr .*language speaker intent"),
        ({"lang": "de"}, "lang=de.*en es fr it ru and all"),
        ({"task": "language", "lang": "es"}, "leave lang out"),
        ({"task": "phoneme", "lang": "all"}, "a lexicon is of one language"),
    ],
)
def test_unknown_options(recipe, debian, tmp_path, options, message):
    with pytest.raises(SureError, match=message):
        recipe.prepare(debian, tmp_path, **options)
    assert not any(tmp_path.iterdir())


def test_an_incomplete_corpus_is_described(recipe, tarballs, tmp_path):
    with pytest.raises(SureError, match=r"es \(g722 recordings\), es \(core-sounds text\).*8 kHz"):
        recipe.prepare(tmp_path, tmp_path / "out")
    corpus = tmp_path / "corpus"
    shutil.copytree(tarballs, corpus)
    (corpus / "asterisk-core-sounds-es-g722-1.6.1" / "core-sounds-es.txt").unlink()
    recipe.prepare(corpus, tmp_path / "out", lang="fr")
    with pytest.raises(SureError, match=r"not found: es \("):
        recipe.prepare(corpus, tmp_path / "out", lang="es")


@pytest.mark.parametrize(
    "content, message",
    [(gzip.compress(b"vm-login Hola\n"), "line 1.*vm-login Hola"),
     (gzip.compress(b"x" * 9999)[:40], "unpack it again"),
     (gzip.compress(b"vm-login: \xff"), "UTF-8"), (b"plain", "unpack it again"),
     (gzip.compress(b"vm-login: Hola")[:10] + b"\xff" * 20, "unpack it again")],
    ids=["no colon", "cut", "not UTF-8", "not gzip", "damaged"],
)  # fmt: skip
def test_a_damaged_transcript_is_named(recipe, tmp_path, content, message):
    path = tmp_path / "core-sounds-es.txt.gz"
    path.write_bytes(content)
    with pytest.raises(SureError, match=f"core-sounds-es.txt.gz.*{message}"):
        recipe.read_transcript(path)


def test_new_splits_keep_keys_texts_and_audio_together(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "prepare", recipe)
    make_splits = load(RECIPE / "splits" / "make_splits.py").make_splits
    prompts = []
    for number in range(40):
        for language in recipe.VOICES:
            audio = tmp_path / language / f"vm-{number}.g722"
            audio.parent.mkdir(parents=True, exist_ok=True)
            same_audio = language == "it" and number in (0, 39)
            content = bytes([7]) * 900 if same_audio else f"{language}{number}".encode() * 300
            audio.write_bytes(content * (200 if number == 5 else 1))
            text = "gleich" if language == "fr" and number % 10 == 3 else f"text {number}"
            prompts.append(recipe.Prompt(language, f"vm-{number}", audio, text))
    split = make_splits(prompts)
    place = {key: name for name, keys in split.items() for key in keys}
    assert len(place) == sum(map(len, split.values())) == 40
    assert len({place[f"vm-{number}"] for number in (3, 13, 23, 33)}) == 1
    assert place["vm-0"] == place["vm-39"]
    assert place["vm-5"] == "train"
    assert len(split["test"]) >= 8 and len(split["dev"]) >= 3 and len(split["train"]) >= 20
    assert make_splits(prompts[::-1]) == split


def test_the_lists_of_the_recipe():
    recipe = load(RECIPE / "prepare.py")
    split = read_lists(RECIPE / "splits")  # refuses a key in two lists
    sizes = [sum(name == place for place in split.values()) for name in SETS]
    assert sizes == [426, 76, 127]
    for name in SETS:
        keys = (RECIPE / "splits" / f"{name}.txt").read_text().split()
        assert keys == sorted(set(keys))
        assert not any(recipe.NOT_SPEECH.fullmatch(key) for key in keys)
        assert {recipe.intent_of(key) for key in keys} == {*recipe.INTENTS.values(), None}
    for pair in [("queue-minutes", "vm-minutes"), ("confbridge-leave-in", "confbridge-leave-out")]:
        assert split[pair[0]] == split[pair[1]]  # the same words


def test_sources_name_both_publications():
    (both,) = read_sources(RECIPE / "sources.yaml").items
    packages, archives = (group.items for group in both.any_of)
    assert len(packages[0].packages) == 10 and len({archive.into for archive in archives}) == 5
