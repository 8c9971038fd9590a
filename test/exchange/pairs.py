"""Random transformers models, and ours on the same weights with methods that have moved off their start."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

import peft
import torch
from models import disturb, utterances
from originals import huggingface, saved, waves, whisper_features
from torch import Tensor, nn

from sure import registry
from sure.config import make_config
from sure.models.build import build_model, build_task
from sure.models.recognition import RecognitionModel

FAMILIES = [(family, size) for family in ("wav2vec2", "hubert", "wavlm") for size in ("base", "large")]
FAMILIES += [("data2vec_audio", "base"), ("moonshine", "base"), ("whisper", "base")]
SMALL = {"side_network": {"name": "side_network", "heads": 3}}  # methods whose defaults need wider models


def with_families(names: Iterable[str]) -> list[tuple[str, str, str]]:
    """(family, size, name) for all families and names; HuBERT, the network of wav2vec 2.0, with the first name only."""
    first, *_ = names
    return [(*pair, name) for pair in FAMILIES for name in names if pair[0] != "hubert" or name == first]


AS_THERE = {"whisper": "as_trained"}
TOLERANCE = 1e-5
SAMPLES = 5000


def config_of(folder: Path, family: str, petl: object, task: str = "language", **sections: object):
    """A config whose backbone is the transformers model in `folder/family`, with tokens or labels learned."""
    config = make_config(
        {
            "task": task,
            "seed": 3,
            "data": {"train": str(folder / "train"), "valid": str(folder / "dev")},
            "tokenizer": {"folder": str(folder / task)},
            # with the silence that transformers' Whisper hears behind every utterance
            "backbone": {"name": family, "weights": str(folder / family), "padding": AS_THERE.get(family, "masked")},
            "petl": petl,
            **sections,
        },
        "test",
    )
    if not (folder / task).exists():
        registry.find("tasks", task).fit(
            utterances(task), folder / task, tokenizer=config.tokenizer, language=config.text.language
        )
    return config


def pair(
    folder: Path, family: str, size: str, petl: object, task: str = "language"
) -> tuple[RecognitionModel, nn.Module]:
    """Our adapted model, disturbed as training would, and the plain transformers model below it."""
    theirs = huggingface(family, size)
    saved(theirs, folder / family)
    config = config_of(folder, family, petl, task)
    model = build_model(config, build_task(config)).eval()
    model.backbone.normalize_waveform = False  # which is the feature extractor's part there
    disturb(model)
    return model, theirs


def written(folder: Path, files: dict[str, bytes]) -> str:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


def sound() -> Tensor:
    return waves([SAMPLES, SAMPLES])


@torch.no_grad()
def ours(model: RecognitionModel) -> Tensor:
    """The last layer's output (2, time, width)."""
    return model.encode(sound(), torch.tensor([SAMPLES, SAMPLES])).last


@torch.no_grad()
def logits(model: RecognitionModel) -> Tensor:
    return model.outputs(model.encode(sound(), torch.tensor([SAMPLES, SAMPLES])))


@torch.no_grad()
def encoded(theirs: nn.Module) -> Tensor:
    """What a transformers model, wrapped by PEFT or not, makes of the same sound."""
    inner = theirs.get_base_model() if isinstance(theirs, peft.PeftModel) else theirs
    model = inner.encoder if hasattr(inner, "decoder") else theirs
    return model(heard(type(inner).__name__)).last_hidden_state


def heard(name: str) -> Tensor:
    """The same sound as a class of transformers takes it: (2, samples), or Whisper's (2, bins, time)."""
    return torch.cat([whisper_features(wave) for wave in sound()]) if name.startswith("Whisper") else sound()


def load_peft(theirs: nn.Module, folder: str) -> nn.Module:
    """Load an adapter; what PEFT does not know, misses or finds too much is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Unsupported layer type .*Norm")  # said of every LN-tuning
        warnings.filterwarnings("ignore", category=FutureWarning)  # deprecations inside the libraries
        return peft.PeftModel.from_pretrained(theirs, folder).eval()


def distance(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()
