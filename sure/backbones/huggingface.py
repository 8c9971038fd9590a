"""Read a local Hugging Face folder: config.json and model.safetensors or pytorch_model.bin."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sure.errors import SureError
from sure.files import sha256_of_file
from sure.parsing import parse_json

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass
class Folder:
    """What a folder holds: its settings, its tensors under their own names, and the weights file's sha256."""

    config: dict[str, Any]
    preprocessor: dict[str, Any]
    state: dict[str, Tensor]
    sha256: str


def read_folder(folder: Path, family: str) -> Folder:
    """Raises SureError when a file is missing or torn, or the model is of another family."""
    config = _read_json(folder / "config.json")
    if config is None:
        raise SureError(f"{folder} has no config.json; give the folder that save_pretrained wrote")
    kind = str(config.get("model_type")).replace("-", "_")  # as files are named: data2vec-audio is data2vec_audio
    if kind != family:
        raise SureError(f"{folder} holds a {kind} model; set backbone.name={kind} instead of {family}")
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise SureError(f"{folder} has neither {' nor '.join(WEIGHTS)}; save a model in shards as one file")
    preprocessor = _read_json(folder / "preprocessor_config.json") or {}
    return Folder(config, preprocessor, _read_tensors(path), sha256_of_file(path))


def rename(name: str, names: Iterable[tuple[str, str]]) -> str:
    """The name with each pattern replaced, one after the other; unknown names stay as they are."""
    for theirs, ours in names:
        name = re.sub(theirs, ours, name)
    return name


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SureError(f"{path} is not valid JSON: {error}") from None


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SureError(f"{path} cannot be read ({reason}); fetch it again") from None
