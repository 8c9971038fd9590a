"""Artificial pronunciations: a phone for each letter."""

from __future__ import annotations

from sure.text.normalize import normalize

LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz'",
        "AE1 B CH D EH1 F G HH IY1 JH K L M N OW1 P DH R S T AH0 V W SH Y Z ZH".split(),
        strict=True,
    )
)


def phones(word: str) -> str:
    return " ".join(LETTERS[letter] for letter in word.lower())


def lexicon(text: str) -> str:
    """Lines `WORD PHONE PHONE ...` for the words of an English text."""
    return "".join(f"{word.upper()} {phones(word)}\n" for word in sorted(set(normalize(text, "en").split())))
