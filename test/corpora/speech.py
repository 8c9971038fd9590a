"""Artificial speech, a vowel-like sound for each letter and a pitch for each speaker; pronunciations by letters."""

import hashlib
from string import ascii_lowercase

import numpy as np

from sure.text.normalize import normalize

LETTER = 0.06  # seconds
LETTERS = "AE1 B CH D EH1 F G HH IY1 JH K L M N OW1 P DH R S T AH0 V W SH Y Z ZH".split()
PHONES = dict(zip(ascii_lowercase + "'", LETTERS, strict=True))


def speech(text: str, speaker: str = "", rate: int = 16000) -> np.ndarray:
    """(samples,) float32, at least 0.2 s; the same for the same text and speaker."""
    pitch = 90 + 150 * _share("pitch", speaker)
    time = np.arange(int(LETTER * rate)) / rate
    parts = [np.zeros(rate // 20)]
    for letter in text.lower():
        if not letter.isalnum():
            parts.append(np.zeros(rate // 25))
            continue
        formants = [300 + 600 * _share("first", letter), 1000 + 1500 * _share("second", letter)]
        harmonics = np.arange(1, int(3500 / pitch)) * pitch
        heights = sum(np.exp(-(((harmonics - formant) / 120) ** 2)) for formant in formants) + 0.02
        parts.append((np.sin(2 * np.pi * np.outer(time, harmonics)) @ heights) * np.hanning(len(time)))
    wave = np.concatenate([*parts, np.zeros(rate // 20)])
    wave = np.pad(wave, (0, max(0, rate // 5 - len(wave))))
    return (0.5 * wave / max(1e-9, np.abs(wave).max())).astype(np.float32)


def _share(what: str, name: str) -> float:
    """A number in [0, 1) from a digest of the name."""
    return int.from_bytes(hashlib.sha256(f"{what} {name}".encode()).digest()[:4], "big") / 2**32


def phones(word: str) -> str:
    return " ".join(PHONES[letter] for letter in word.lower())


def lexicon(text: str) -> str:
    """Lines `WORD PHONE PHONE ...` for the words of an English text."""
    return "".join(f"{word.upper()} {phones(word)}\n" for word in sorted(set(normalize(text, "en").split())))
