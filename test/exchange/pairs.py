"""Random transformers models, and ours on the same weights with methods that have moved off their start."""

import json
import warnings
from collections.abc import Iterable
from pathlib import Path

import peft
import torch
from models import disturb, utterances
from originals import huggingface, saved, waves, whisper_features
from torch import Tensor, nn

from sure import registry
from sure.config import Config, make_config
from sure.exchange.to_peft import peft_files
from sure.models.build import build_model, build_task
from sure.models.recognition import RecognitionModel

FAMILIES = [(family, size) for family in ("wav2vec2", "hubert", "wavlm") for size in ("base", "large")]
FAMILIES += [("data2vec_audio", "base"), ("moonshine", "base"), ("whisper", "base")]
METHODS = {name: name for name in registry.names("petl") if registry.find("petl", name).encoders}
METHODS["side_network"] = {"name": "side_network", "heads": 3}  # its default needs wider models
AS_THERE = {"whisper": "as_trained"}  # with the silence that transformers' Whisper adds after every utterance
TOLERANCE = 1e-5
SAMPLES = 5000


def with_families(names: Iterable[str]) -> list[tuple[str, str, str]]:
    """(family, size, name) for all families and names; HuBERT, the network of wav2vec 2.0, with the first name only."""
    first, *_ = names
    return [(*pair, name) for pair in FAMILIES for name in names if pair[0] != "hubert" or name == first]


def config_of(folder: Path, family: str, petl: object, task: str = "language", weights: str = "") -> Config:
    """A config whose backbone is the transformers model in `folder/family`, with tokens or labels learned."""
    backbone = {"name": family, "weights": weights or str(folder / family)}
    given = {"task": task, "seed": 3, "data": {"train": str(folder / "train"), "valid": str(folder / "dev")}}
    given |= {"tokenizer": {"folder": str(folder / task)}, "petl": petl}
    config = make_config({**given, "backbone": {**backbone, "padding": AS_THERE.get(family, "masked")}}, "test")
    if not (folder / task).exists():
        settings = {"tokenizer": config.tokenizer, "language": config.text.language}
        registry.find("tasks", task).fit(utterances(task), folder / task, **settings)
    return config


def built(config: Config) -> RecognitionModel:
    """Our adapted model, disturbed as training would."""
    model = build_model(config, build_task(config)).eval()
    disturb(model)
    return model


def pair(
    folder: Path, family: str, size: str, petl: object, task: str = "language"
) -> tuple[RecognitionModel, nn.Module]:
    """Our adapted model, and the plain transformers model below it."""
    theirs = huggingface(family, size)
    saved(theirs, folder / family)
    model = built(config_of(folder, family, petl, task))
    model.backbone.normalize_waveform = False  # the feature extractor does it there
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
    assert distance(one, other) < TOLERANCE
