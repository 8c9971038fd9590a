"""A corpus in the tables of egs/TEMPLATE, with good utterances and deliberately damaged ones.

    python test/data/damaged_corpus.py DIR --good 300 --damaged 200

DIR/damage.tsv lists the id of each damaged utterance, its damage, and the reason that `prepare` must report.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from speech import speech

SETS = ("train", "dev", "test")
WORDS = (
    "one two three four five six seven eight nine ten red green blue open close start stop left right up down".split()
)
RATE = 16000
HOUR = 3600


class Damage(NamedTuple):
    """The damage of an audio file or its text, the expected reason (a regular expression), and words of its place."""

    reason: str
    file: Callable[[Path, np.ndarray], object] | None = None
    text: Callable[[str], str] | None = None
    suffix: str = ".wav"
    where: str = ""


def write(path: Path, wave: np.ndarray, rate: int = RATE, **options: str) -> None:
    soundfile.write(path, wave, rate, **options)


def cut(path: Path, wave: np.ndarray) -> None:
    write(path, wave)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoilt(value: float) -> Callable[[Path, np.ndarray], None]:
    def make(path: Path, wave: np.ndarray) -> None:
        write(path, np.where(np.arange(len(wave)) == 1000, value, wave), subtype="FLOAT")

    return make


def hour_long(path: Path, wave: np.ndarray) -> None:
    with soundfile.SoundFile(path, "w", 4000, 1) as file:
        for _ in range(HOUR // 60):
            file.write(np.zeros(60 * 4000, np.float32))


DAMAGES = {
    "missing": Damage("missing audio file", lambda path, wave: None),
    "a folder": Damage("not a file", lambda path, wave: path.mkdir()),
    "zero bytes": Damage("empty audio file", lambda path, wave: path.write_bytes(b"")),
    "no samples": Damage("empty audio file", lambda path, wave: write(path, wave[:0])),
    "no audio": Damage("unreadable audio file", lambda path, wave: path.write_text("not audio " * 99)),
    "truncated wav": Damage("truncated audio file", cut),
    "truncated flac": Damage("(truncated|unreadable) audio file", cut, suffix=".flac"),
    "truncated ogg": Damage("(truncated|unreadable) audio file", cut, suffix=".ogg"),
    "not a number": Damage("samples are not finite", spoilt(np.nan)),
    "infinite": Damage("samples are not finite", spoilt(-np.inf)),
    "integers": Damage("samples out of range", lambda path, wave: write(path, wave * 32767, subtype="FLOAT")),
    "one sample": Damage("shorter than 0.025 s", lambda path, wave: write(path, wave[:1]), where="6.25e-05 s"),
    "an hour": Damage("longer than 600 s", hour_long, suffix=".flac", where="3600 s"),
    "a low rate": Damage("unusable sampling rate", lambda path, wave: write(path, wave, 160), where="160 Hz"),
    "a high rate": Damage("unusable sampling rate", lambda path, wave: write(path, wave, 1_600_000)),
    "nine channels": Damage(
        "too many channels", lambda path, wave: write(path, np.tile(wave[:, None], 9)), where="9; choose one"
    ),
    "upside down": Damage("channels cancel out", lambda path, wave: write(path, np.stack([wave, -wave], axis=1))),
    "no text": Damage("empty text", text=lambda text: ""),
    "no letter": Damage("text without a letter or digit", text=lambda text: "... !?"),
    "pictures": Damage("text without a letter or digit", text=lambda text: "\U0001f600 \u266b"),
    "other letters": Damage("text without a letter of the training texts", text=lambda text: "\u0434\u0430"),
    "too much text": Damage("text too long for its audio", text=lambda text: f"{text} " * 20),
}
GOOD = ("16 kHz", "8 kHz", "44.1 kHz", "two channels", "float", "flac", "ogg")


def make(folder: Path, good: int = 300, damaged: int = 200, seed: int = 0) -> dict[str, Damage]:
    """Write the corpus; returns the damage of each damaged id. Kinds take turns, but few files are an hour long."""
    generator = random.Random(seed)
    (folder / "clips").mkdir(parents=True)
    found: dict[str, Damage] = {}
    turns = [kind for kind in DAMAGES if kind != "an hour"]
    for name, sound_ones, bad_ones in zip(SETS, shares(good), shares(damaged), strict=True):
        sound = [("", number) for number in range(sound_ones)]
        kinds = [kind for kind in turns if name != "train" or kind != "other letters"]
        wanted = ["an hour", *(kinds[(number + len(found)) % len(kinds)] for number in range(bad_ones - 1))]
        rows = sound + [(kind, number) for number, kind in enumerate(wanted, len(sound))]
        generator.shuffle(rows)
        lines = ["audio\ttext"]
        for kind, number in rows:
            damage = DAMAGES.get(kind, Damage(""))
            text = " ".join(generator.choices(WORDS, k=generator.randint(1, 3)))
            variety = GOOD[number % len(GOOD)]
            suffix = {"flac": ".flac", "ogg": ".ogg"}.get(variety, ".wav") if not kind else damage.suffix
            path = folder / "clips" / f"{name} {number:04d}{suffix}"
            wave = speech(text, str(number % 5))
            (damage.file or (lambda path, wave, variety=variety: write_good(path, wave, variety)))(path, wave)
            lines.append(f"{path.relative_to(folder)}\t{damage.text(text) if damage.text else text}")
            if kind:
                found[f"clips-{path.stem.replace(' ', '_')}"] = damage
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = {id(damage): kind for kind, damage in DAMAGES.items()}
    listed = [f"{key}\t{names[id(damage)]}\t{damage.reason}\n" for key, damage in sorted(found.items())]
    (folder / "damage.tsv").write_text("".join(listed), encoding="utf-8")
    return found


def shares(count: int) -> tuple[int, int, int]:
    """Number of utterances of each set: most for training, the same for the others."""
    other = round(0.15 * count)
    return count - 2 * other, other, other


def write_good(path: Path, wave: np.ndarray, variety: str) -> None:
    if variety == "8 kHz":
        write(path, wave[::2], 8000)
    elif variety == "44.1 kHz":
        places = np.arange(0, len(wave) - 1, RATE / 44100)
        write(path, np.interp(places, np.arange(len(wave)), wave), 44100)
    elif variety == "two channels":
        write(path, np.stack([wave, wave / 2], axis=1))
    elif variety == "float":
        write(path, wave, subtype="FLOAT")
    else:
        write(path, wave)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--good", type=int, default=300)
    parser.add_argument("--damaged", type=int, default=200)
    options = parser.parse_args()
    found = make(options.folder, options.good, options.damaged)
    print(f"{options.folder}: {options.good} good utterances, {len(found)} damaged ones (damage.tsv)")


if __name__ == "__main__":
    main()
