"""Bundles, small enough to send around: adapter.safetensors, adapter.json and the task's own files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from sure.backbones.base import Backbone
from sure.errors import SureError
from sure.files import replace_file
from sure.parsing import parse_json

FORMAT = 2
UNSEALED = 1  # the format before, whose adapter.json has no digest of itself
WEIGHTS, ABOUT = "adapter.safetensors", "adapter.json"
NAMED = 3  # tensors in an error
# What adapter.json has to have, without a task and with one. It has more, for people; and `files`, digests of the
# task's own files.
ADAPTER_KINDS = {"format": int, "backbone": dict, "petl": list, "tensors": dict, "sha256": str}
KINDS = {**ADAPTER_KINDS, "task": str, "language": str, "seed": int, "head": dict}
BACKBONE_KEYS = {"name", "weights", "layers", "group_norm", "dim", "depth", "sha256"}
AGAIN = "pack or copy the bundle again"


@dataclass
class Bundle:
    """about: the content of adapter.json; tensors by saved name."""

    folder: Path
    about: dict[str, Any]
    tensors: dict[str, Tensor]

    def check_backbone(self, backbone: Backbone, weights: str) -> None:
        """Raises SureError naming what differs when the bundle was not trained on this backbone."""
        wanted, found = self.about["backbone"], describe_backbone(backbone)
        for key, what in (("dim", "of width"), ("depth", "with layers"), ("sha256", "with sha256")):
            if wanted[key] != found[key]:
                raise SureError(
                    f"{self.folder} was trained on {wanted['name']} ({wanted['weights']}), a backbone {what} "
                    f"{wanted[key]}; {weights} is one {what} {found[key]}. It fits its own backbone only"
                )


def describe_backbone(backbone: Backbone) -> dict[str, Any]:
    return {"dim": backbone.dim, "depth": len(backbone.layers), "sha256": backbone.sha256}


def bundle_files(
    about: Mapping[str, Any], tensors: Mapping[str, Tensor], others: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of a bundle by name, adapter.json last: it has the digests of the others, and its own."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    weights = safetensors.torch.save(plain)
    about = {
        "format": FORMAT,
        **about,
        "tensors": {name: list(tensor.shape) for name, tensor in sorted(tensors.items())},
        "sha256": hashlib.sha256(weights).hexdigest(),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in others.items()},
    }
    about["digest"] = digest_of(about)
    text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
    return {**others, WEIGHTS: weights, ABOUT: text.encode()}


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write what `bundle_files` gave, each file whole or not at all. Raises SureError where `folder` is a file."""
    if folder.is_file():
        raise SureError(f"{folder} is a file; give a folder")
    for name, content in files.items():
        replace_file(folder / name, content)


def read_bundle(folder: Path, kinds: Mapping[str, type] = KINDS) -> Bundle:
    """Read and check a bundle. Raises SureError naming the file and what is wrong with it.

    kinds: what adapter.json has to have; with ADAPTER_KINDS an adapter alone is enough.
    """
    about = _read_about(folder / ABOUT, kinds)
    path = folder / WEIGHTS
    try:
        content = _read(path)
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise SureError(f"{path} is damaged ({error}); {AGAIN}") from None
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    wanted = about["tensors"]
    missing, extra = sorted(wanted.keys() - shapes.keys()), sorted(shapes.keys() - wanted.keys())
    if missing or extra:
        raise SureError(
            f"{path} lacks what {ABOUT} lists: {len(missing)} missing ({', '.join(missing[:NAMED])}), "
            f"{len(extra)} unexpected ({', '.join(extra[:NAMED])})"
        )
    for name, shape in wanted.items():
        if shapes[name] != shape:
            raise SureError(f"{path}: {name} has shape {shapes[name]}, {ABOUT} says {shape}")
    _check_digest(path, content, about["sha256"])
    for name, digest in about.get("files", {}).items():  # bundles packed earlier do not have it
        _check_digest(folder / name, _read(folder / name), digest)
    return Bundle(folder, about, tensors)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SureError(f"cannot read {path}: {error.strerror}; {AGAIN}") from None


def digest_of(about: Mapping[str, Any]) -> str:
    """Of the values of adapter.json but the digest itself; how they are laid out does not count."""
    plain = {key: value for key, value in about.items() if key != "digest"}
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _check_digest(path: Path, content: bytes, digest: str) -> None:
    if hashlib.sha256(content).hexdigest() != digest:
        raise SureError(f"{path} is not the file that {ABOUT} describes (sha256); {AGAIN}")


def _read_about(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    try:
        about = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SureError(f"{path.parent} is not a bundle (no {ABOUT}); stage 8, sure.bin.pack, makes one") from None
    except (OSError, ValueError) as error:
        raise SureError(f"{path} cannot be read ({error}); {AGAIN}") from None
    if not isinstance(about, dict) or not kinds.keys() <= about.keys():
        lacking = ", ".join(sorted(kinds.keys() - set(about))) if isinstance(about, dict) else "everything"
        raise SureError(f"{path} does not describe a bundle: it lacks {lacking}; {AGAIN}")
    if about["format"] not in (UNSEALED, FORMAT):
        raise SureError(f"{path} has format {about['format']}, this version of SURE reads format {FORMAT}")
    for key, kind in {**kinds, "files": dict}.items():
        if not isinstance(about.get(key, kind()), kind):
            raise SureError(f"{path}: {key} is {about[key]!r}, which no bundle has there; {AGAIN}")
    for name in about.get("files", {}):
        if name != Path(name).name:
            raise SureError(f"{path}: files has {name!r}, which is no file of this folder; {AGAIN}")
    if about["format"] != UNSEALED and about.get("digest") != digest_of(about):
        raise SureError(f"{path} is not as it was written (its digest differs); {AGAIN}")
    if lacking := sorted(BACKBONE_KEYS - about["backbone"].keys()):
        raise SureError(f"{path}: backbone lacks {', '.join(lacking)}; {AGAIN}")
    return about
