"""A corpus in the tables of egs/TEMPLATE, with good utterances and deliberately damaged ones."""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from speech import speech

WORDS = "one two three four five six seven eight nine ten red green blue open close start stop left right".split()
RATE = 16000
write = soundfile.write


class Damage(NamedTuple):
    """The damage of an audio file or its text, the expected reason (a regular expression), and words of its place."""

    reason: str
    file: Callable[[Path, np.ndarray], object] | None = None
    text: Callable[[str], str] | None = None
    suffix: str = ".wav"
    where: str = ""


def cut(path, wave):
    write(path, wave, RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def with_sample(value):
    return lambda path, wave: write(path, np.where(np.arange(len(wave)) == 1000, value, wave), RATE, subtype="FLOAT")


def hour_long(path, wave):
    with soundfile.SoundFile(path, "w", 4000, 1) as file:
        for _ in range(60):
            file.write(np.zeros(60 * 4000, np.float32))


def at_44100(path, wave):
    write(path, np.interp(np.arange(0, len(wave) - 1, RATE / 44100), np.arange(len(wave)), wave), 44100)


DAMAGES = {
    "missing": Damage("missing audio file", lambda path, wave: None),
    "a folder": Damage("not a file", lambda path, wave: path.mkdir()),
    "zero bytes": Damage("empty audio file", lambda path, wave: path.write_bytes(b"")),
    "no samples": Damage("empty audio file", lambda path, wave: write(path, wave[:0], RATE)),
    "no audio": Damage("unreadable audio file", lambda path, wave: path.write_text("not audio " * 99)),
    "truncated wav": Damage("truncated audio file", cut),
    "truncated flac": Damage("(truncated|unreadable) audio file", cut, suffix=".flac"),
    "truncated ogg": Damage("(truncated|unreadable) audio file", cut, suffix=".ogg"),
    "not a number": Damage("samples are not finite", with_sample(np.nan), where="1 NaN"),
    "infinite": Damage("samples are not finite", with_sample(np.inf)),
    "minus infinite": Damage("samples are not finite", with_sample(-np.inf)),
    "integers": Damage("samples out of range", lambda path, wave: write(path, wave * 32767, RATE, subtype="FLOAT")),
    "one sample": Damage("shorter than 0.025 s", lambda path, wave: write(path, wave[:1], RATE), where="6.25e-05 s"),
    "an hour": Damage("longer than 600 s", hour_long, suffix=".flac", where="3600 s"),
    "a low rate": Damage("unusable sampling rate", lambda path, wave: write(path, wave, 160), where="160 Hz"),
    "a high rate": Damage("unusable sampling rate", lambda path, wave: write(path, wave, 1_600_000)),
    "nine channels": Damage("too many channels", lambda path, wave: write(path, np.tile(wave[:, None], 9), RATE),
                            where="9; choose one"),
    "inverse": Damage("channels cancel out", lambda path, wave: write(path, np.stack([wave, -wave], axis=1), RATE)),
    "no text": Damage("empty text", text=lambda text: ""),
    "no letter": Damage("text without a letter or digit", text=lambda text: "... !?"),
    "pictures": Damage("text without a letter or digit", text=lambda text: "\U0001f600 \u266b"),
    "other letters": Damage("text without a letter of the training texts", text=lambda text: "\u0434\u0430"),
    "too much text": Damage("text too long for its audio", text=lambda text: f"{text} " * 20),
}  # fmt: skip
GOOD = [
    Damage("", lambda path, wave: write(path, wave, RATE)),
    Damage("", lambda path, wave: write(path, wave[::2], 8000)),
    Damage("", at_44100),
    Damage("", lambda path, wave: write(path, np.stack([wave, wave / 2], axis=1), RATE)),
    Damage("", lambda path, wave: write(path, wave, RATE, subtype="FLOAT")),
    *(Damage("", lambda path, wave: write(path, wave, RATE), suffix=suffix) for suffix in (".flac", ".ogg")),
]


def make(folder, good, damaged):
    """Write the corpus; the expected reason of each id, "" for good ones. All kinds alike, but few files of an hour."""
    generator = random.Random(0)
    (folder / "clips").mkdir(parents=True)
    reasons: dict[str, str] = {}
    for name, share in (("train", 0.7), ("dev", 0.15), ("test", 0.15)):
        kinds = [DAMAGES[kind] for kind in DAMAGES if kind != "an hour" and (name, kind) != ("train", "other letters")]
        bad = [kinds[(number + len(reasons)) % len(kinds)] for number in range(round(share * damaged) - 1)]
        rows = [DAMAGES["an hour"], *bad, *(GOOD[number % len(GOOD)] for number in range(round(share * good)))]
        generator.shuffle(rows)
        lines = ["audio\ttext"]
        for number, damage in enumerate(rows):
            text = " ".join(generator.choices(WORDS, k=generator.randint(1, 3)))
            path = folder / "clips" / f"{name} {number:04d}{damage.suffix}"
            (damage.file or GOOD[0].file)(path, speech(text, str(number % 5)))
            lines.append(f"{path.relative_to(folder)}\t{damage.text(text) if damage.text else text}")
            reasons[f"clips-{path.stem.replace(' ', '_')}"] = damage.reason
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return reasons
