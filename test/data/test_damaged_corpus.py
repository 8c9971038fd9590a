"""A corpus with many damaged utterances: each is named with its reason, and the good ones stay."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from audio_files import write_audio
from speech import speech

from sure.bin import prepare
from sure.data.data_dir import read_data_dir
from sure.data.dataset import SpeechDataset
from sure.errors import SureError

RECIPE = Path(__file__).parents[2] / "egs" / "TEMPLATE"
FOLDERS = [Path("data") / name for name in ("train", "dev", "test")]
WORDS = "one two three four five six seven eight nine ten red green blue open close start stop left right".split()


def sound(change=np.asarray, rate=16000, **options):
    return lambda path, wave: soundfile.write(path, change(wave), rate, **options)


def with_sample(value):
    return sound(lambda wave: np.where(np.arange(len(wave)) == 1000, value, wave), subtype="FLOAT")


def cut(path, wave):
    write_audio(path, wave)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path, wave):
    path.write_bytes(b"")


def not_audio(path, wave):
    path.write_text("not audio " * 99)


class Row(NamedTuple):
    """The expected reason (a regular expression, "" for a good utterance), the file, the text, words of the place."""

    reason: str = ""
    write: Callable = sound()
    text: str = "{}"
    suffix: str = ".wav"
    where: str = ""


FORMATS = (".wav", ".flac", ".ogg", ".mp3", ".m4a", ".mp4")
GOOD = [
    Row(), Row(suffix=".flac"), Row(suffix=".ogg"), Row(write=sound(subtype="FLOAT")),
    Row(write=sound(lambda wave: wave[::2], 8000)),
    Row(write=sound(lambda wave: np.interp(np.arange(0, len(wave) - 1, 16 / 44.1), np.arange(len(wave)), wave), 44100)),
    Row(write=sound(lambda wave: np.stack([wave, wave / 2], axis=1))),
]  # fmt: skip
OTHER_LETTERS = Row("text without a letter of the training texts", text="да", where="text:")
DAMAGED = [
    Row("longer than 600 s", sound(lambda wave: np.zeros(4000 * 601), 4000), suffix=".flac", where="601 s"),
    Row("missing audio file", lambda path, wave: None, where="clips/"),
    Row("not a file", lambda path, wave: path.mkdir(), where="clips/"),
    *(Row("empty audio file", empty, suffix=suffix, where="0 bytes") for suffix in (".wav", ".g722")),
    Row("empty audio file", sound(lambda wave: wave[:0]), where="no samples"),
    *(Row("unreadable audio file", not_audio, suffix=suffix) for suffix in FORMATS),
    *(Row("(truncated|unreadable) audio file", cut, suffix=suffix) for suffix in FORMATS),
    *(Row("samples are not finite", with_sample(value), where="1 NaN") for value in (np.nan, np.inf, -np.inf)),
    Row("samples out of range", sound(lambda wave: wave * 32767, subtype="FLOAT"), where="peak"),
    Row("shorter than 0.025 s", sound(lambda wave: wave[:1]), where="6.25e-05 s"),
    Row("unusable sampling rate", sound(rate=160), where="160 Hz"),
    Row("unusable sampling rate", sound(rate=1_600_000)),
    Row("too many channels", sound(lambda wave: np.tile(wave[:, None], 9)), where="9; choose one"),
    Row("channels cancel out", sound(lambda wave: np.stack([wave, -wave], axis=1))),
    Row("empty text", text="", where="text:"),
    Row("text without a letter or digit", text="... !?", where="text:"),
    Row("text without a letter or digit", text="\U0001f600 \u266b"),
    Row("text with U.FFFD, .*", text="caf\ufffd", where="text:"),
    Row("text with entities of HTML, .*", text="you &amp; me"),
    Row("text in UTF-8 that was read as Latin-1, .*", text="espaÃ±ol"),
    Row("text too long for its audio", text="{} " * 20, where="text:"),
]


def make(folder):
    """Write the corpus; the row of each id."""
    generator = random.Random(0)
    (folder / "clips").mkdir(parents=True)
    bad = {"train": DAMAGED, "dev": [OTHER_LETTERS, *DAMAGED[:6]], "test": [OTHER_LETTERS, *DAMAGED[6:12]]}
    found = {}
    for name, good in (("train", 46), ("dev", 10), ("test", 10)):
        rows = [*bad[name], *(GOOD[number % len(GOOD)] for number in range(good))]
        generator.shuffle(rows)
        lines = ["audio\ttext"]
        for number, row in enumerate(rows):
            text = " ".join(generator.choices(WORDS, k=generator.randint(1, 3)))
            path = folder / "clips" / f"{name} {number:04d}{row.suffix}"
            row.write(path, speech(text, str(number % 5)))
            lines.append(f"{path.relative_to(folder)}\t{row.text.format(*[text] * 20)}")
            found[f"clips-{path.stem.replace(' ', '_')}"] = row
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found


def problems(folder):
    """id, reason and place of each line of validation.txt."""
    reason = ""
    for line in (folder / "validation.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("  "):
            id, where = line.strip().split("\t")
            yield id, reason, where
        else:
            reason = re.sub(r"^\d+ (.*):$", r"\1", line)


def test_every_damaged_utterance_is_named_and_the_good_ones_are_read(here):
    rows = make(here / "corpus")
    bad = {id: row for id, row in rows.items() if row.reason}
    words = ["--recipe", str(RECIPE), "--corpus", "corpus", "--out", "data", "task=asr"]
    with pytest.raises(SureError, match="--on_bad_utterance skip") as stopped:
        prepare.main(words)
    assert all(f"{folder}: " in str(stopped.value) for folder in FOLDERS)

    prepare.main([*words, "--on_bad_utterance", "skip"])
    found = [problem for folder in FOLDERS for problem in problems(folder)]
    assert sorted(id for id, _, _ in found) == sorted(bad)
    wrong = [one for one in found if not (re.fullmatch(bad[one[0]].reason, one[1]) and bad[one[0]].where in one[2])]
    assert wrong == []
    note = "resampled to 16000 Hz when read: 1 at 4000 Hz, 6 at 8000 Hz, 6 at 44100 Hz"
    assert note in Path("data/train/validation.txt").read_text()
    left = [utterance for folder in FOLDERS for utterance in read_data_dir(folder)]
    assert {utterance.id for utterance in left} == rows.keys() - bad.keys()
    dataset = SpeechDataset(left, target=str)
    assert all(len(dataset[number].wave) > 1000 for number in range(len(left)))
