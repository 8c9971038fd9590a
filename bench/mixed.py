"""A batch in which each utterance asks for another adapter: one mixed pass, or switching between the adapters.

    python bench/mixed.py --backbones moonshine:random:tiny_en wav2vec2:random:base --rounds 3 --out mixed.jsonl

Eight bundles of the task asr on one backbone with random weights: `lora`, eight LoRAs; `methods`, eight methods. A
batch has eight utterances of noise. `switching` is `Sure.use` and `Sure.predict` for each of them, `mixed` is
`Sure.predict(adapters=...)`; `one` is a single adapter for all eight, for its memory. `frozen` is one pass of the
backbone without adapters over all eight: frozen / switching is the bound of mixed / switching, which adapters without
any cost would reach. Each measurement has its own process; the modes alternate. Prints utterances per second, the two
ratios, and the peak memory of mixed compared with one adapter. Both modes find the same numbers within 1e-5, or the
script fails. Close other programs first; with `--threads 1` on a CPU, times are those of the processor, on which other
programs have less influence.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sure import SAMPLE_RATE
from sure.config import make_config
from sure.data.data_dir import Utterance
from sure.device import describe_device, peak_memory_megabytes, pick_device
from sure.inference import Sure
from sure.models.build import build_model, build_task
from sure.petl.bundle import write_bundle
from sure.registry import find

SETS = {
    "lora": ["lora"] * 8,
    "methods": ["lora", "bottleneck", "conv_adapter", "ia3", "ssf", "prefix", "bitfit", "weighted_sum"],
}
FROZEN = "linear_probe"  # in the last bundle
MODES = ("switching", "mixed", "one", "frozen")
SAMPLE = ["the quick brown fox", "jumps over the lazy dog"]  # texts for the vocabulary


def write_bundles(folder: Path, backbone: str, methods: list[str]) -> list[Path]:
    """Bundles of models whose trained parameters differ from their start, and from each other."""
    name, _, weights = backbone.partition(":")
    paths = []
    for number, method in enumerate(methods):
        config = make_config(
            {
                "task": "asr",
                "seed": 1,
                "data": {"train": "", "valid": ""},
                "tokenizer": {"folder": str(folder / "tokens")},
                "backbone": {"name": name, "weights": weights},
                "petl": {"name": method},
            },
            "bench",
        )
        if not (folder / "tokens").exists():
            texts = [Utterance(f"u{index}", "", seconds=2.0, text=text) for index, text in enumerate(SAMPLE)]
            fit = find("tasks", "asr").fit
            fit(texts, folder / "tokens", tokenizer=config.tokenizer, language=config.text.language)
        model = build_model(config, build_task(config))
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for group in model.parameter_groups().values():
                for parameter in group.values():
                    parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
        paths.append(folder / f"{number}_{method}")
        write_bundle(paths[-1], model.bundle(config, folder / "tokens"))
    return paths


def utterances(seconds: float) -> list[Tensor]:
    """Eight recordings of noise, whose durations differ by up to a fifth."""
    generator = torch.Generator().manual_seed(5)
    sizes = [round(SAMPLE_RATE * seconds * (1 + 0.2 * number / 7)) for number in range(8)]
    return [0.1 * torch.randn(size, generator=generator) for size in sizes]


def measure(paths: list[Path], mode: str, options: argparse.Namespace) -> dict[str, Any]:
    """Utterances per second and peak memory of this process."""
    torch.set_num_threads(options.threads)
    device, waves = pick_device(options.device), utterances(options.seconds)
    clock = time.process_time if device.type == "cpu" and options.threads == 1 else time.perf_counter
    *paths, frozen = paths
    if mode in ("one", "frozen"):
        paths = [frozen if mode == "frozen" else paths[0]]
    names = [path.name for path in paths]
    sure = Sure.load(paths[0], device=options.device, name=names[0])
    for path in paths[1:]:
        sure.add(path.name, path)

    def batch() -> None:
        if mode == "switching":
            for name, wave in zip(names, waves, strict=True):
                sure.use(name)
                sure.predict([wave])
        else:
            sure.predict(waves, adapters=names if mode == "mixed" else [names[0]] * len(waves))
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    if mode == "mixed":
        check(sure, names, waves)
    batch()
    begin, batches = clock(), 0
    while (spent := clock() - begin) < options.measure_seconds or batches < 3:
        batch()
        batches += 1
    rate = len(waves) * batches / spent
    return {"rate": rate, "megabytes": peak_memory_megabytes(device), "device": describe_device(device)}


def check(sure: Sure, names: list[str], waves: list[Tensor]) -> None:
    """Raises AssertionError where an adapter finds other probabilities of words in a mixed batch than alone."""
    mixed = sure.results(waves, names)
    for name, wave, found in zip(names, waves, mixed, strict=True):
        (alone,) = sure.results([wave], [name])
        numbers = [[(one.start, one.confidence) for one in each[name].words] for each in (found, alone)]
        torch.testing.assert_close(*map(torch.tensor, numbers), atol=1e-5, rtol=0)
        assert found[name].line == alone[name].line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbones", nargs="+", default=["moonshine:random:tiny_en", "wav2vec2:random:base"])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seconds", type=float, default=1.5, help="of the shortest utterance; default: %(default)s")
    parser.add_argument("--measure-seconds", type=float, default=5.0, help="of one measurement; default: %(default)s")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, help="a line of JSON for each measurement")
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--bundles", nargs="+", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.mode:
        print(json.dumps(measure(options.bundles, options.mode, options)))
        return
    for backbone in options.backbones:
        for name in options.sets:
            compare(backbone, name, options)


def compare(backbone: str, name: str, options: argparse.Namespace) -> None:
    """Measure all modes in turn, and print their medians."""
    found: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    with tempfile.TemporaryDirectory() as place:
        paths = write_bundles(Path(place), backbone, [*SETS[name], FROZEN])
        for _ in range(options.rounds):
            for mode in MODES:
                found[mode].append(in_process(paths, mode, options))
                if options.out:
                    line = {"backbone": backbone, "set": name, "mode": mode, **found[mode][-1]}
                    with options.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
    rates = {mode: statistics.median(one["rate"] for one in each) for mode, each in found.items()}
    memory = {mode: statistics.median(one["megabytes"] for one in each) for mode, each in found.items()}
    shown = {mode: f"{mode} {rates[mode]:.2f}" for mode in MODES}
    print(f"{backbone}, {name}, {found['mixed'][0]['device']}: utterances/s {', '.join(shown.values())}")
    print(f"  mixed / switching {ratios(found, 'mixed')}; frozen / switching {ratios(found, 'frozen')}; memory / one "
          f"{memory['mixed'] / memory['one']:.2f} ({memory['mixed']:.0f} MB)", flush=True)  # fmt: skip


def ratios(found: dict[str, list[dict[str, Any]]], mode: str) -> str:
    """Median, smallest and largest ratio of a mode's throughput to that of switching, over the rounds."""
    pairs = zip(found[mode], found["switching"], strict=True)
    each = sorted(one["rate"] / switching["rate"] for one, switching in pairs)
    return f"{statistics.median(each):.2f} [{each[0]:.2f}, {each[-1]:.2f}]"


def in_process(paths: list[Path], mode: str, options: argparse.Namespace) -> dict[str, Any]:
    given = {"seconds": options.seconds, "measure-seconds": options.measure_seconds, "threads": options.threads}
    words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    command = [
        sys.executable,
        __file__,
        "--mode",
        mode,
        "--device",
        options.device,
        *words,
        "--bundles",
        *map(str, paths),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{mode} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
