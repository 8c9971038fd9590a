"""Words that a recogniser with a decoder writes for silence and for noise, as it is and adapted.

    python bench/hallucination.py egs/asterisk/exp/transcription_es_whisper_lora/seed1/bundle

A recogniser as it is has the input of its authors (Whisper: 30 s), the adapted one that of its training; both have the
bundle's settings of generation. Noise is Gaussian with a fixed seed; its level is the root mean square, relative to
full scale. Prints a Markdown table: mean number of words for each clip, and the first text. Noise of real rooms is not
measured.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from recognisers import recogniser, texts
from torch import Tensor

from sure import SAMPLE_RATE
from sure.errors import run

KINDS = {"silence": None, "white noise -60 dB": -60.0, "white noise -40 dB": -40.0, "white noise -20 dB": -20.0,
         "pink noise -40 dB": -40.0, "pink noise -20 dB": -20.0}  # fmt: skip
SHOWN = 60  # characters of a text


def clip(kind: str, seconds: float, seed: int) -> Tensor:
    """A recording (samples,) of 16 kHz."""
    samples = round(seconds * SAMPLE_RATE)
    if KINDS[kind] is None:
        return torch.zeros(samples)
    noise = torch.randn(samples, generator=torch.Generator().manual_seed(seed))
    if kind.startswith("pink"):
        spectrum = torch.fft.rfft(noise)
        noise = torch.fft.irfft(spectrum / torch.arange(1, len(spectrum) + 1).sqrt(), n=samples)
    return (noise / noise.square().mean().sqrt() * 10 ** (KINDS[kind] / 20)).clamp(-1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--backbone", metavar="PATH", help="weights; default: the path in the bundle")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each clip; default: %(default)s")
    parser.add_argument("--clips", type=int, default=5, help="of each kind of noise; default: %(default)s")
    parser.add_argument(
        "--no_speech", type=float, metavar="P", help="decode.generation.no_speech; default: the bundle's"
    )
    options = parser.parse_args()
    changes = {} if options.no_speech is None else {"no_speech": options.no_speech}
    models = {name: recogniser(options.bundle, name == "adapted", options.backbone, **changes)
              for name in ("as it is", "adapted")}  # fmt: skip
    print(
        f"| {options.seconds:g} s of | clips | " + " | ".join(f"{name}: words | first text" for name in models) + " |"
    )
    print("|---|---:|" + "---:|---|" * len(models))
    for kind in KINDS:
        count = options.clips if KINDS[kind] is not None else 1  # all silence is the same
        clips = [clip(kind, options.seconds, seed) for seed in range(count)]
        cells = []
        for model in models.values():
            (found,) = texts(model, clips, batch=1)
            cells += [f"{statistics.fmean(len(one.split()) for one in found):.1f}", found[0][:SHOWN].replace("|", " ")]
        print(f"| {kind} | {count} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    run(main)
