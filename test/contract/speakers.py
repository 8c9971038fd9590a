"""A small synthesis model for the contract tests: every method on FastSpeech 2."""

import json
from pathlib import Path

import models
import torch

from sure import registry
from sure.backbones.aligner import alignment_prior
from sure.config import Config, make_config
from sure.data.synthesis.dataset import SynthesisBatch, SynthesisItem, collate_synthesis
from sure.models.build import build_model, build_task
from sure.models.synthesis import SynthesisModel

READ_ALL_LAYERS = ("weighted_sum", "l_adapter")
METHODS: dict[str, dict | list] = {
    name: {"name": name} for name in registry.names("petl") if name not in (*READ_ALL_LAYERS, "cnn_adapter")
} | {
    **{name: models.METHODS[name] for name in ("lora-pissa", "prefix-reparametrised")},
    "lora-dropout": {"name": "lora", "dropout": 0.2},
    "lora-modules": [
        {"name": "lora", "sites": "decoder.layer.*.attn.[qv]"},
        {"name": "modules", "sites": "postnet voice"},
    ],
    "bottleneck-encoder": {"name": "bottleneck", "sites": "encoder.layer.[0-1].after_attn encoder.layer.*.ffn"},
}
PHONES = [["A", "B", "C", "A", "D"], ["B", "D"], ["C", "C", "A"]]
FRAMES, MELS = [23, 9, 14], 6
SPEAKERS = ["ann", "bob", "nobody"]


def write_tokens(folder: Path) -> Path:
    """Files of stage 3, unless they are there."""
    if (folder / "statistics.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "phones.txt").write_text("<pad>\n<unk>\nA\nB\nC\nD\n")
    (folder / "speakers.txt").write_text("ann\nbob\n")
    one = {"mean": 5.0, "std": 0.4}
    mel = {"mean": [0.1 * number for number in range(MELS)], "std": [1.5] * MELS}
    (folder / "statistics.json").write_text(json.dumps({"log_f0": one, "energy": one, "mel": mel}))
    return folder


def build(folder: Path, method: str | dict, saved: bool = False) -> tuple[Config, SynthesisModel]:
    """A model with random weights, the same at every call, and its config."""
    given = {
        "task": "tts",
        "seed": 3,
        "data": {"train": str(folder / "train"), "valid": str(folder / "dev")},
        "tokenizer": {"folder": str(write_tokens(folder / "tokens"))},
        "backbone": {"name": "fastspeech2", "weights": "random:tiny"},
        "petl": METHODS[method] if isinstance(method, str) else method,
    }
    config = make_config(given, "test")
    return config, build_model(config, build_task(config), saved=saved)


def make(folder: Path, method: str | dict, saved: bool = False) -> SynthesisModel:
    return build(folder, method, saved)[1]


def batch(model: SynthesisModel, rows: slice = slice(None), given: bool = False) -> SynthesisBatch:
    """Three utterances, or some of them. given: with durations, as for a frozen aligner."""
    generator = torch.Generator().manual_seed(7)
    items = []
    for phones, frames, speaker in zip(PHONES, FRAMES, SPEAKERS, strict=True):
        mel = torch.randn(frames, MELS, generator=generator)
        pitch, energy = 5 + 0.3 * torch.randn(frames, generator=generator), torch.rand(frames, generator=generator)
        shares = [frames // len(phones)] * (len(phones) - 1)
        durations = torch.tensor([*shares, frames - sum(shares)]) if given else None
        prior = None if given else alignment_prior(len(phones), frames)
        number = model.task.speaker(speaker)
        items.append(SynthesisItem(speaker, model.numbers(phones), number, mel, pitch, energy, durations, prior))
    return collate_synthesis(items[rows])


@torch.no_grad()
def outputs(model: SynthesisModel, rows: slice = slice(None)) -> list[torch.Tensor]:
    """Mels of the utterances with their own timing, (frames, mels) each."""
    given, readout = batch(model, rows, given=True), model.attachment.readout
    voices = model.voices(given.speakers)
    synthesis = model.backbone(given.phones, given.lengths, voices, given.durations, readout=readout)
    return synthesis.frames.split(synthesis.refined)
