"""What a bundle says about audio files: one line each, the file, a tab, and the text or label.

Of speech synthesis: --text "..." --out a.wav, with --speed, --pitch, --energy, --speaker.

With --timings a line for each word: the file, start and duration in seconds, the word, and how sure the model is of it.
Of verification: how near each file's speaker is to that of the first file, the cosine of their embeddings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from sure.data.audio import read_audio
from sure.decode.synthesis import write_wave
from sure.errors import SureError, run
from sure.inference import Sure

AT_ONCE = 64  # files in memory
SPEECH = ("text", "out", "speaker", "embedding", "speed", "pitch", "energy", "vocoder", "language")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.infer", description=__doc__)
    parser.add_argument("bundle", metavar="BUNDLE", help="such as exp/asr_moonshine_lora/seed1/bundle")
    parser.add_argument("files", nargs="*", metavar="FILE", help="audio of any format and rate")
    for_speech = parser.add_argument_group("speech synthesis")
    for_speech.add_argument("--text", help="what is to be said")
    for_speech.add_argument("--out", metavar="WAV", help="where it goes, 16 bit")
    for_speech.add_argument("--speaker", metavar="NAME", help="of training; one of them, where there are several")
    for_speech.add_argument(
        "--embedding", metavar="NPY", help="of any speaker, where the model was trained with embeddings"
    )
    for name, more in (("speed", "faster"), ("pitch", "higher"), ("energy", "louder")):
        for_speech.add_argument(f"--{name}", type=float, metavar="FACTOR", help=f"so many times {more}; default: 1")
    for_speech.add_argument("--vocoder", metavar="NAME", help="griffin_lim, or a HiFi-GAN generator's checkpoint")
    for_speech.add_argument("--language", metavar="CODE", help="of the text, where the phones are espeak-ng's")
    parser.add_argument("--backbone", metavar="PATH", help="default: where the bundle says")
    parser.add_argument("--merge", action="store_true", help="fold the adapters into the backbone first")
    parser.add_argument("--timings", action="store_true", help="of transcriptions: when each word is said")
    parser.add_argument("--device", default="auto", help="such as cpu or cuda; default: %(default)s")
    options = parser.parse_intermixed_args(argv)
    sure = Sure.load(options.bundle, options.backbone, options.device)
    if options.merge:
        sure.merge()
    spoken = {name: value for name in SPEECH if (value := getattr(options, name)) is not None}
    if sure.speaks:
        speak(sure, options.files, **spoken)
        return
    if spoken or not options.files:
        raise SureError(f"this bundle hears speech: give audio files, and no --{next(iter(spoken), 'text')}")
    files, answer = options.files, sure.predict
    if sure.embeds:
        if len(files) < 2:
            raise SureError(
                "this bundle compares speakers: give two files or more, the first is compared with the others"
            )
        answer, files = likeness(sure, files[0]), files[1:]
    if options.timings:
        answer = partial(timings, sure)
    broken = 0
    for first in range(0, len(files), AT_ONCE):
        broken += infer(sure, files[first : first + AT_ONCE], answer)
    if broken:
        sys.exit(1)


def speak(
    sure: Sure,
    files: Sequence[str],
    text: str | None = None,
    out: str | None = None,
    embedding: str | None = None,
    **how: Any,
) -> None:
    """Say a text into a file. Raises SureError where one of them is missing, or the embedding cannot be read."""
    if files or text is None or out is None:
        raise SureError('this bundle makes speech: --text "..." --out a.wav, and no audio files')
    if Path(out).suffix.lower() != ".wav" or not Path(out).parent.is_dir():
        raise SureError(f"--out {out}: expected a file in a folder that is there, with a name that ends in .wav")
    if embedding is not None:
        if "speaker" in how:
            raise SureError("--speaker and --embedding both say who speaks; leave one of them out")
        how["speaker"] = read_embedding(embedding)
    wave, sample_rate = sure.synthesize(text, **how)
    write_wave(Path(out), wave, sample_rate)
    print(f"{out}: {len(wave) / sample_rate:.2f} s")


def read_embedding(path: str) -> Tensor:
    """(dim,) float32, as numpy.save wrote it. Raises SureError for another file, and where it is not finite."""
    try:
        found = np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise SureError(f"{path}: not an embedding as numpy.save writes it ({error})") from None
    if not np.isfinite(found).all():
        raise SureError(f"{path}: not an embedding as numpy.save writes it (not all of its numbers are finite)")
    return torch.from_numpy(found.flatten())


def likeness(sure: Sure, file: str) -> Callable[[Sequence[Tensor]], list[str]]:
    """What says of waves how near their speakers are to the file's."""
    enrolled = sure.embed([file])[0]
    return lambda waves: [f"{cosine:.4f}" for cosine in (sure.embed(waves) @ enrolled).tolist()]


def timings(sure: Sure, waves: Sequence[Tensor]) -> list[list[str]]:
    """Lines for each of the waves, one a word."""
    return [
        [f"{one.start:.3f}\t{one.duration:.3f}\t{one.word}\t{one.confidence:.3f}" for one in words]
        for words in sure.timings(waves)
    ]


def infer(sure: Sure, files: Sequence[str], answer: Callable[[Sequence[Tensor]], Sequence[str | list[str]]]) -> int:
    """Print a line or lines for each file; those that cannot be used are named on stderr and counted."""
    usable, waves = [], []
    for file in files:
        try:
            waves.append(sure.usable(read_audio(file), file))
            usable.append(file)
        except SureError as error:
            print(f"error: {error}", file=sys.stderr)
    for file, found in zip(usable, answer(waves), strict=True):
        for line in found if isinstance(found, list) else [found]:
            print(f"{file}\t{line}", flush=True)
    return len(files) - len(usable)


if __name__ == "__main__":
    run(main)
