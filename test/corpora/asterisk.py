"""Asterisk core sounds: release tarballs, one for each language, and the layout of the Debian packages."""

import gzip
from itertools import product
from pathlib import Path

from miniature import lines, pack, write_files
from speech import lexicon, speech

ROOT = "debian"
VOICES = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June", "it": "it_IT_m_Carlo",
          "ru": "ru_RU_f_IvrvoiceRU"}  # fmt: skip
BEFORE = {"en": "", "es": "el ", "fr": "le ", "it": "il ", "ru": "это "}  # the words of a key
KEYWORDS = {"phonetic/a_p": "alpha", "phonetic/b_p": "bravo", "digits/4": "4", "digits/7": "7"}
SPLITS = Path(__file__).parents[2] / "egs" / "asterisk" / "splits"
PREFIXES = ("digits/", "vm-", "conf-", "queue-")
SOUNDS, DOC = "usr/share/asterisk/sounds", "usr/share/doc/asterisk-core-sounds-{0}/core-sounds-{0}.txt.gz"
RECORDED = "agent-incorrect digits/1 letters/at vm-advopts vm-login vm-press conf-hasleft beep silence/1 phonetic/a_p \
phonetic/c_p phonetic/x_p digits/4".split()
RECORDED_IN_ONE = {"en": ["added", "digits/0", "conf-adminmenu", "ha/phone"], "fr": ["beeperr"],
                   "es": ["digits/0", "digits/10", "dir-welcome"]}  # fmt: skip


def make(folder: Path) -> None:
    """Write archives as in sources.yaml, a lexicon of the English words, and in `debian` a corpus with many quirks."""
    write_files(folder, {"lexicon.txt": lexicon(" ".join(_text("en", key) for key in keys()))})
    for language in VOICES:
        top = folder / f"asterisk-core-sounds-{language}-g722-1.6.1"
        texts = {key: _text(language, key) for key in keys()}
        files = {f"{key}.g722": speech(text, language) for key, text in texts.items()}
        rows = ["\ufeff; Core sounds", "beep: [this is a simple beep tone]", "silence/1: (1 second of silence)"]
        files[f"core-sounds-{language}.txt"] = lines(rows + [f"{key}: {text}" for key, text in texts.items()])
        write_files(top, files | {"beep.g722": speech("o"), "silence/1.g722": speech("")})
        pack(folder / f"{top.name}.tar.gz", top)

        recorded, place = RECORDED + RECORDED_IN_ONE.get(language, []), f"{SOUNDS}/{VOICES[language]}"
        write_files(folder / ROOT, {f"{place}/{key}.g722": speech(40 * "o", key + language) for key in recorded})
        write_files(folder / ROOT, {DOC.format(language): gzip.compress(quirks(language).encode())})
    write_files(folder / ROOT, {f"{SOUNDS}/{VOICES['ru']}/is.g722": b""})


def quirks(language: str) -> str:
    """Lines of the true transcripts that need care."""
    return (Path(__file__).parent / "asterisk_texts" / f"core-sounds-{language}.txt").read_text(encoding="utf-8")


def _text(language: str, key: str) -> str:
    return KEYWORDS.get(key) or BEFORE[language] + key.split("/")[-1].replace("-", " ")


def keys() -> list[str]:
    """The keywords, and for each set and prefix a few keys of the recipe's lists."""
    chosen = set(KEYWORDS)
    for (name, count), prefix in product({"train": 3, "dev": 1, "test": 1}.items(), PREFIXES):
        listed = (SPLITS / f"{name}.txt").read_text().split()
        chosen.update([key for key in listed if key.startswith(prefix)][:count])
    return sorted(chosen)
