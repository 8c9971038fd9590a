"""What a bundle says about audio files: one line each, the file, a tab, and the text or label.

With --timings a line for each word: the file, start and duration in seconds, the word, and how sure the model is of it.
Of verification: how near each file's speaker is to that of the first file, the cosine of their embeddings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial

from torch import Tensor

from sure.data.audio import read_audio
from sure.errors import SureError, run
from sure.inference import Sure

AT_ONCE = 64  # files in memory


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.infer", description=__doc__)
    parser.add_argument("bundle", metavar="BUNDLE", help="such as exp/asr_moonshine_lora/seed1/bundle")
    parser.add_argument("files", nargs="+", metavar="FILE", help="audio of any format and rate")
    parser.add_argument("--backbone", metavar="PATH", help="default: where the bundle says")
    parser.add_argument("--merge", action="store_true", help="fold the adapters into the backbone first")
    parser.add_argument("--timings", action="store_true", help="of transcriptions: when each word is said")
    parser.add_argument("--device", default="auto", help="such as cpu or cuda; default: %(default)s")
    options = parser.parse_args(argv)
    sure = Sure.load(options.bundle, options.backbone, options.device)
    if options.merge:
        sure.merge()
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
