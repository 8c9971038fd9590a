"""Read a local Hugging Face folder: config.json, and model.safetensors or pytorch_model.bin."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from sure.errors import SureError
from sure.files import sha256_of_file
from sure.parsing import read_json

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass
class Folder:
    """Content of a folder: settings, tensors under their original names, and sha256 of the weights file."""

    config: dict[str, Any]
    preprocessor: dict[str, Any]
    state: dict[str, Tensor]
    sha256: str


def read_folder(folder: Path, family: str) -> Folder:
    """Raises SureError if a file is missing or damaged, or the model is of another family."""
    config = read_json(folder / "config.json", "pass a folder that save_pretrained wrote")
    kind = str(config.get("model_type")).replace("-", "_")  # data2vec-audio: data2vec_audio
    if kind != family:
        raise SureError(f"{folder} holds a {kind} model; set backbone.name={kind} instead of {family}")
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise SureError(f"{folder} has neither {' nor '.join(WEIGHTS)}; save a sharded model as one file")
    settings = folder / "preprocessor_config.json"
    preprocessor = read_json(settings, "download it again") if settings.is_file() else {}
    return Folder(config, preprocessor, _read_tensors(path), sha256_of_file(path))


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SureError(f"{path} cannot be read ({reason}); download it again") from None
