"""Peak memory of training large encoders with LoRA, by setting; prints a Markdown table.

    python bench/memory.py [--models whisper:large_v3 wav2vec2:xlsr_1b] [--seconds 30]

Each cell is a process of its own: random weights, LoRA at all six linear maps of each layer, one utterance of noise,
one step of AdamW in fp32. The peak is that of the whole process: imports, building, and the step; freed blocks of 1 MiB
and more are returned at once, as with train.memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import torch

from sure import registry
from sure.device import peak_memory_megabytes, return_large_blocks
from sure.petl.attach import Attachment
from sure.petl.lora import Method

MODELS = ("whisper:large_v3", "wav2vec2:xlsr_1b")
SETTINGS = {"none": ("fp32", False), "recompute": ("fp32", True), "int8": ("int8", True), "nf4": ("nf4", True)}


def step(model: str, setting: str, seconds: float) -> float:
    """The peak memory of this process after one step, in MB."""
    family, _, shape = model.partition(":")
    weights, recompute = SETTINGS[setting]
    return_large_blocks()
    backbone = registry.find("backbones", family).from_weights(f"random:{shape}", frozen=weights)
    attachment = Attachment(backbone, [Method(Method.Config(name="lora"))])
    backbone.recompute_layers = recompute
    parameters = list(attachment.trained_parameters().values())
    optimizer = torch.optim.AdamW(parameters)
    samples = torch.tensor([int(seconds * backbone.sample_rate)])
    waves = 0.1 * torch.randn(1, int(samples))
    with torch.no_grad():
        taps = backbone.begin(waves, samples)
    backbone.resume(taps, backbone.frame_count(samples)).last.square().mean().backward()
    optimizer.step()
    return peak_memory_megabytes(torch.device("cpu"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="FAMILY:SHAPE", help="shapes of backbones")
    parser.add_argument("--seconds", type=float, default=30.0, help="duration of the utterance")
    parser.add_argument("--setting", choices=SETTINGS, help="print the peak of this setting and one model, in MB")
    given = parser.parse_args()
    if given.setting:
        print(json.dumps(step(given.models[0], given.setting, given.seconds)))
        return
    print(f"| peak MB, {given.seconds:g} s | {' | '.join(SETTINGS)} |\n|---|{' ---: |' * len(SETTINGS)}")
    for model in given.models:
        row = []
        for setting in SETTINGS:
            call = [sys.executable, __file__, "--models", model, "--seconds", str(given.seconds), "--setting", setting]
            row.append(f"{float(subprocess.run(call, check=True, capture_output=True, text=True).stdout):,.0f}")
        print(f"| {model} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
