"""Random transformers models, and ours on the same weights with methods that have moved off their start."""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path

import peft
import torch
from models import build, disturb
from originals import huggingface, saved, waves, whisper_features
from torch import Tensor, nn

from sure import registry
from sure.exchange.to_peft import peft_files
from sure.models.recognition import RecognitionModel

FAMILIES = [(family, size) for family in ("wav2vec2", "hubert", "wavlm") for size in ("base", "large")]
FAMILIES += [("data2vec_audio", "base"), ("moonshine", "base"), ("whisper", "base")]
METHODS = {name: name for name in registry.names("petl") if registry.find("petl", name).encoders}
METHODS["side_network"] = {"name": "side_network", "heads": 3}  # its default needs wider models
AS_THERE = {"whisper": "as_trained"}  # with the silence that transformers' Whisper adds after every utterance
LENGTHS = torch.tensor([5000, 5000])


def with_families(names: Iterable[str]) -> list[tuple[str, str, str]]:
    """(family, size, name) for all families and names; HuBERT, the network of wav2vec 2.0, with the first name only."""
    first, *_ = names
    return [(*pair, name) for pair in FAMILIES for name in names if pair[0] != "hubert" or name == first]


def pair(
    folder: Path, family: str, size: str, petl: object, task: str = "language"
) -> tuple[RecognitionModel, nn.Module]:
    """Our adapted model, disturbed as by training, and the plain transformers model below it, in folder/family."""
    theirs = huggingface(family, size)
    backbone = {"weights": saved(theirs, folder / family), "padding": AS_THERE.get(family, "masked")}
    _, model = build(folder, petl, task=task, name=family, **backbone)
    disturb(model.eval())
    model.backbone.normalize_waveform = False  # the feature extractor does it there
    return model, theirs


def written(folder: Path, files: dict[str, bytes]) -> str:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return str(folder)


def sound() -> Tensor:
    return waves(LENGTHS.tolist())


@torch.no_grad()
def ours(model: RecognitionModel) -> Tensor:
    """The last layer's output (2, time, width)."""
    return model.encode(sound(), LENGTHS).last


@torch.no_grad()
def logits(model: RecognitionModel) -> Tensor:
    return model.outputs(model.encode(sound(), LENGTHS))


@torch.no_grad()
def encoded(theirs: nn.Module) -> Tensor:
    """The last layer's output of a transformers model, wrapped by PEFT or not, for the same sound."""
    inner = theirs.get_base_model() if isinstance(theirs, peft.PeftModel) else theirs
    model = inner.encoder if hasattr(inner, "decoder") else theirs
    return model(input_of(type(inner).__name__)).last_hidden_state


def input_of(name: str) -> Tensor:
    """The same sound as input for a class of transformers: (2, samples), or Whisper's (2, bins, time)."""
    return sound() if not name.startswith("Whisper") else torch.cat([whisper_features(w, seconds=3) for w in sound()])


def load_peft(theirs: nn.Module, folder: str) -> nn.Module:
    """Load an adapter; unknown, missing or unexpected content is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Unsupported layer type .*Norm")  # at every LN-tuning
        warnings.filterwarnings("ignore", category=FutureWarning)  # deprecations inside the libraries
        return peft.PeftModel.from_pretrained(theirs, folder).eval()


def exported(model: RecognitionModel, theirs: nn.Module, folder: Path) -> tuple[dict, nn.Module]:
    """adapter_config.json of our export, and PEFT's model of it."""
    files, _ = peft_files(model, None)
    return json.loads(files["adapter_config.json"]), load_peft(theirs, written(folder / "peft", files))


def distance(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


def check_equal(one: Tensor, other: Tensor) -> None:
    assert distance(one, other) < 1e-5
