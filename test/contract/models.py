"""Small models for the contract tests: every method x every backbone family x every kind of task."""

from __future__ import annotations

from pathlib import Path

import torch

from sure import registry
from sure.backbones.tiny import MODELS
from sure.config import make_config
from sure.data.data_dir import Utterance
from sure.models.build import build_model, build_task
from sure.models.recognition import RecognitionModel

FAMILIES = sorted(MODELS)
# Every method as it comes, and settings that take another way through the code.
METHODS: dict[str, dict | list] = {
    name: {"name": name} for name in registry.names("petl") if registry.find("petl", name).encoders
} | {
    "bottleneck-everywhere": {"name": "bottleneck", "sites": "conv.* layer.*.after_attn layer.*.ffn layer.*.after_ffn"},
    "lora-pissa": {"name": "lora", "rank": 4, "init": "pissa", "rslora": True},
    "lora-orthogonal": {"name": "lora", "init": "orthogonal"},
    "prefix-reparametrised": {"name": "prefix", "reparametrise": True},
    "lora-bottleneck-weighted_sum": [{"name": "lora", "rank": 2}, {"name": "bottleneck"}, {"name": "weighted_sum"}],
}


def classes(given: dict | list) -> list[type]:
    """The methods of one value of METHODS."""
    return [registry.find("petl", item["name"]) for item in (given if isinstance(given, list) else [given])]


TASKS = ("asr", "language", "verification")  # held against every method and family
LENGTHS = torch.tensor([5600, 8000, 3200, 2000])  # samples; the second is the longest
TARGETS = ["abc", "cab a", "b", "a"]
# What an utterance's text, label or speaker is.
GIVEN = {
    "asr": TARGETS,
    "language": ["spanish", "english", "spanish", "french"],
    "verification": ["spanish", "english", "spanish", "french"],  # as names of speakers
    "phoneme": ["AA1 B CH", "CH AA1 B AA1", "B", "AA1"],
    "slots": ["B-x a E-x b", "B-y cab E-y a", "b", "B-x a E-x"],
}
TEXT_TASKS = ("asr", "phoneme", "slots")


def waves() -> torch.Tensor:
    """(batch, samples), zero behind each utterance's end."""
    generator = torch.Generator().manual_seed(7)
    made = 0.1 * torch.randn(len(LENGTHS), int(LENGTHS.max()), generator=generator)
    return made * (torch.arange(made.shape[1])[None] < LENGTHS[:, None])


def utterances(task: str) -> list[Utterance]:
    return [
        Utterance(
            id=f"u{index}",
            audio="",
            start=None,
            end=None,
            seconds=1.0,
            text=word if task in TEXT_TASKS else None,
            labels={} if task in TEXT_TASKS else {"label": word},
            speaker=word if task == "verification" else None,
        )
        for index, word in enumerate(GIVEN[task])
    ]


def make(folder: Path, method: str, family: str, task: str, saved: bool = False, **settings) -> RecognitionModel:
    """A model with random weights that are the same at every call."""
    config = make_config(
        {
            "task": task,
            "seed": 3,
            "data": {"train": str(folder / "train"), "valid": str(folder / "dev")},
            "tokenizer": {"folder": str(folder / task)},
            "backbone": {"name": "tiny", "weights": f"random:{family}"},
            "petl": {**METHODS[method], **settings} if settings else METHODS[method],
        },
        "test",
    )
    if not (folder / task).exists():
        registry.find("tasks", task).fit(
            utterances(task), folder / task, tokenizer=config.tokenizer, language=config.text.language
        )
    return build_model(config, build_task(config), saved=saved)


@torch.no_grad()
def disturb(model: RecognitionModel, size: float = 0.05) -> None:
    """Move everything that trains off its start, as training would."""
    generator = torch.Generator().manual_seed(11)
    for parameters in model.parameter_groups().values():
        for parameter in parameters.values():
            parameter += size * torch.randn(parameter.shape, generator=generator)
