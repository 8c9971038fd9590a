"""Asterisk core sounds as release tarballs, one for each language, with recordings and text in one folder."""

from __future__ import annotations

import tarfile
from pathlib import Path

from audio_files import write_audio
from speech import speech
from spelling import lexicon

TEXTS = {  # language -> text of a key
    "en": "{key}",
    "es": "el {key}",
    "fr": "le {key}",
    "it": "il {key}",
    "ru": "это {key}",
}
KEYWORDS = {"phonetic/a_p": "alpha", "phonetic/b_p": "bravo", "digits/4": "4", "digits/7": "7"}
SPLITS = Path(__file__).parents[2] / "egs" / "asterisk" / "splits"
PREFIXES = ("digits/", "vm-", "conf-", "queue-")


def make(folder: Path) -> None:
    """Archives as in sources.yaml, and a lexicon of the English words."""
    spoken = " ".join(_text("en", key) for key in keys())
    (folder / "lexicon.txt").write_text(lexicon(spoken), encoding="utf-8")
    for language in TEXTS:
        name = f"asterisk-core-sounds-{language}-g722-1.6.1"
        lines = ["\ufeff; Core sounds", "beep: [this is a simple beep tone]", "silence/1: (1 second of silence)"]
        for key in keys():
            text = _text(language, key)
            lines.append(f"{key}: {text}")
            write_audio(folder / name / f"{key}.g722", speech(text, language))
        write_audio(folder / name / "beep.g722", speech("o"))
        write_audio(folder / name / "silence" / "1.g722", speech(""))
        (folder / name / f"core-sounds-{language}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        with tarfile.open(folder / f"{name}.tar.gz", "w:gz") as tar:
            for path in sorted((folder / name).iterdir()):
                tar.add(path, path.name)


def words(folder: Path, task: str) -> list[str]:
    """Options of a task: a lexicon, so that no package for pronunciations is needed."""
    return ["--lexicon", str(folder / "lexicon.txt")] if task == "phoneme" else []


def _text(language: str, key: str) -> str:
    return KEYWORDS.get(key) or TEXTS[language].format(key=key.split("/")[-1].replace("-", " "))


def keys() -> list[str]:
    """The keywords, and for each set and prefix a few keys of the recipe's lists."""
    chosen = list(KEYWORDS)
    for name, count in (("train", 3), ("dev", 1), ("test", 1)):
        listed = (SPLITS / f"{name}.txt").read_text().split()
        for prefix in PREFIXES:
            chosen += [key for key in listed if key.startswith(prefix)][:count]
    return sorted(set(chosen))
