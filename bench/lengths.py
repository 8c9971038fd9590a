"""Cost of long clips compared with short ones, and the share of padding of a corpus.

    python bench/lengths.py --shape base --seconds 120 --rounds 3

First prepare the corpus: `egs/asterisk/run.sh --stop_stage 3`. The recordings of its training set are joined, and cut
into clips of 30 s and, for the other side, of 3 s. Each side computes the same seconds of audio in the batches of a
training: forward and backward, LoRA on six maps of each layer. The sides alternate. Prints the seconds of computing for
a second of audio, the ratio long / short, and the share of padding in the batches of train and dev.
Close other programs first.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from works import settings

from sure.config import make_config
from sure.data.audio import SAMPLE_RATE
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import collate
from sure.data.data_dir import read_data_dir
from sure.data.dataset import Item, load_wave
from sure.device import autocast, describe_device
from sure.models.base import AdaptedModel
from sure.models.build import build_model, build_task

CORPUS = Path(__file__).parent.parent / "egs/asterisk/data/asr_es"


def joined(folder: Path, seconds: float) -> Tensor:
    """The recordings of a data folder, one after the other, repeated to `seconds`: (samples,)."""
    waves, samples, needed = [], 0, int(seconds * SAMPLE_RATE)
    for utterance in read_data_dir(folder):
        waves.append(load_wave(utterance))
        samples += len(waves[-1])
        if samples >= needed:
            break
    return torch.cat(waves).repeat(-(-needed // samples))[:needed]


def measure(model: AdaptedModel, clips: Sequence[Tensor], batch_seconds: float, precision: str) -> float:
    """Seconds of forward and backward passes for a second of audio. clips: (samples,) each."""
    sampler = SecondsBatchSampler([len(clip) / SAMPLE_RATE for clip in clips], batch_seconds)
    batches = [collate([Item(str(index), clips[index], None) for index in batch]) for batch in sampler]
    begun = time.perf_counter()
    for batch in batches:
        with autocast(precision, torch.device("cpu"), model.backbone.dim):
            loss = model.encode(batch.waves, batch.wave_lengths).last.square().mean()
        loss.backward()
        model.zero_grad(set_to_none=True)
    return (time.perf_counter() - begun) * SAMPLE_RATE / sum(map(len, clips))


def padding(sampler: SecondsBatchSampler, epochs: int = 3) -> float:
    """Share of all frames that is padding, in percent, over the first epochs."""
    padded = real = 0.0
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        for batch in sampler:
            seconds = [sampler.seconds[index] for index in batch]
            padded += len(seconds) * max(seconds)
            real += sum(seconds)
    return 100 * (padded - real) / padded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="base", help="wav2vec 2.0: base, large or tiny; or a Moonshine weights file")
    parser.add_argument("--seconds", type=float, default=120.0, help="audio of each side and round")
    parser.add_argument("--clips", type=float, nargs=2, default=(30.0, 3.0), metavar=("LONG", "SHORT"), help="seconds")
    parser.add_argument("--batch_seconds", type=float, default=60.0, help="largest batch, as train.batch_seconds")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each side, after a first one")
    parser.add_argument("--data", type=Path, default=CORPUS, help="folder with train, dev and tokens")
    options = parser.parse_args()
    config = make_config(settings("lora_full_depth", options.shape, options.data.resolve()), "bench/lengths.py")
    model = build_model(config, build_task(config)).train()
    wave = joined(options.data / "train", options.seconds)
    clips = [wave.split(int(seconds * SAMPLE_RATE)) for seconds in options.clips]
    rounds = [
        [measure(model, side, options.batch_seconds, options.precision) for side in clips]
        for _ in range(options.rounds + 1)
    ][1:]
    long, short = (statistics.median(side) for side in zip(*rounds, strict=True))
    ratios = [one / other for one, other in rounds]
    print(describe_device(torch.device("cpu")))
    print(
        f"{options.shape}, {options.precision}, seconds of computing for a second of audio: clips of "
        f"{options.clips[0]:g} s {long:.4f}, of {options.clips[1]:g} s {short:.4f}; ratio "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
    )
    for name, shuffle in (("train", True), ("dev", False)):
        seconds = [utterance.seconds for utterance in read_data_dir(options.data / name)]
        share = padding(SecondsBatchSampler(seconds, options.batch_seconds, shuffle=shuffle))
        print(f"padding of {name} ({len(seconds)} utterances): {share:.2f} % of all frames")


if __name__ == "__main__":
    main()
