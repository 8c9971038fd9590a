"""The least time that a training can take on this machine. Called by training.py.

    python bench/floor.py CONFIG

Counts the floating-point operations that must be computed, and divides them by the rate of a large matrix product in
the same precision. The front end and the layers below the first trained one count once for each utterance; with
prefix_cache=off, and where the front end trains, once in each epoch. The layers above count forward in each epoch and,
for training, once more for the gradient of their input; with `full` a third time for the gradients of their weights.
A trained parameter of a method counts 6 operations for each frame.
Prints a line of JSON: operations, operations a second, seconds, and the machine.
"""

from __future__ import annotations

import json
import sys
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from sure.config import Config, load_config
from sure.data.data_dir import read_data_dir
from sure.device import autocast, describe_device
from sure.models.build import build_model, build_task

SECONDS = 8  # of the waveform whose operations are counted
SIZES = (1536, 768, 3072)  # of the matrix product: 30 s of frames, width and FFN of the base shape


def operations(config: Config) -> float:
    """Floating-point operations that must be computed. Attention is counted where torch counts it."""
    model = build_model(config, build_task(config))
    backbone, depth = model.backbone, model.attachment.cacheable_taps - 1
    samples = torch.tensor([SECONDS * backbone.sample_rate])
    frames = backbone.frame_count(samples)
    with torch.no_grad(), FlopCounterMode(display=False) as front:
        taps = backbone.begin(torch.zeros(1, int(samples)), samples)
    with torch.no_grad(), FlopCounterMode(display=False) as layers:
        backbone.resume(taps, frames)
    layer = layers.get_total_flops() / len(backbone.layers)
    below = front.get_total_flops() + max(depth, 0) * layer
    above = (len(backbone.layers) - max(depth, 0)) * layer
    passes = 3 if config.petl[0].name == "full" else 2
    counts = model.counts()
    trained = counts.head if passes == 3 else counts.trained
    epochs = config.train.epochs
    repeats = epochs if config.train.prefix_cache == "off" or depth < 0 else 1
    train, dev = (sum(u.seconds for u in read_data_dir(folder)) for folder in (config.data.train, config.data.valid))
    total = (train + dev) * repeats * below + epochs * above * (passes * train + dev)
    return (total + epochs * trained * int(frames) * (6 * train + 2 * dev)) / SECONDS


def rate(config: Config) -> float:
    """Operations a second of the best of 20 matrix products in the precision of the config."""
    rows, width, columns = SIZES
    left, right = torch.randn(rows, width), torch.randn(width, columns)
    best = float("inf")
    with autocast(config.train.precision, torch.device("cpu"), width), torch.no_grad():
        if torch.is_autocast_enabled("cpu"):
            left, right = left.bfloat16(), right.bfloat16()
        for _ in range(20):
            begun = time.perf_counter()
            left @ right
            best = min(best, time.perf_counter() - begun)
    return 2 * rows * width * columns / best


if __name__ == "__main__":
    given = load_config(sys.argv[1])
    needed, speed = operations(given), rate(given)
    machine = describe_device(torch.device("cpu"))
    found = {"operations": needed, "operations_per_second": speed, "seconds": needed / speed, "machine": machine}
    print(json.dumps(found))
