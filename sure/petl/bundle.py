"""Bundles: the trained tensors in adapter.safetensors, their description in adapter.json, the task's files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from sure import hub, registry
from sure.backbones.base import Backbone
from sure.backbones.tensor_checks import check_finite
from sure.config_sections import current_keys
from sure.errors import SureError, compare_names
from sure.files import replace_file
from sure.parsing import read_json
from sure.petl.base import Place
from sure.petl.names import HEAD, current_names, method_keys, parse

FORMAT = 3
READABLE = (1, 2, FORMAT)  # 1: adapter.json has no digest of itself; up to 2: tensors are `site/method_tensor`
WEIGHTS, ABOUT = "adapter.safetensors", "adapter.json"
# Required keys of adapter.json and their types, for an adapter alone and for a bundle with a task. Further keys are
# informative, except `files`: digests of the task's files.
ADAPTER_KINDS = {"format": int, "backbone": dict, "petl": list, "tensors": dict, "sha256": str}
KINDS = {**ADAPTER_KINDS, "task": str, "language": str, "seed": int, "head": dict}
BACKBONE_KEYS = {"name", "weights", "layers", "padding", "dim", "depth", "sha256"}
AGAIN = "pack the bundle again (run.sh: --stage pack), or copy it again"


@dataclass
class Bundle:
    """about: the content of adapter.json, with today's names of methods; tensors by saved name (names.py)."""

    folder: Path
    about: dict[str, Any]
    tensors: dict[str, Tensor]

    def methods(self) -> list[tuple[dict[str, Any], dict[Place, Tensor]]]:
        """Settings and tensors of each method, in their order."""
        items = self.about["petl"]
        found: dict[str, dict[Place, Tensor]] = {key: {} for key in method_keys(item["name"] for item in items)}
        for saved, tensor in self.tensors.items():
            if not saved.startswith(HEAD) and (name := parse(saved)).method in found:
                found[name.method][name.place, name.tensor] = tensor
        return list(zip(items, found.values(), strict=True))

    def check_backbone(self, backbone: Backbone, weights: str) -> None:
        """Raises SureError with the first difference if the bundle was trained on another backbone.

        weights: the name of this backbone's weights in the error.
        """
        wanted, found = self.about["backbone"], describe_backbone(backbone)
        for key, what in (("dim", "width"), ("depth", "number of layers"), ("sha256", "sha256")):
            if wanted[key] != found[key]:
                raise SureError(
                    f"{self.folder} was trained on {wanted['name']} ({wanted['weights']}) with {what} {wanted[key]}; "
                    f"{weights} has {what} {found[key]}. Give the backbone that it was trained on"
                )


def describe_backbone(backbone: Backbone) -> dict[str, Any]:
    return {"dim": backbone.dim, "depth": len(backbone.layers), "sha256": backbone.sha256}


def bundle_files(
    about: Mapping[str, Any], tensors: Mapping[str, Tensor], others: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files of a bundle by name; adapter.json, with the digests of all, is the last.

    others: the task's files by name.
    """
    weights = safetensors.torch.save({name: each.detach().cpu().contiguous().clone() for name, each in tensors.items()})
    about = {
        "format": FORMAT,
        **about,
        "tensors": {name: list(tensor.shape) for name, tensor in sorted(tensors.items())},
        "sha256": _sha256(weights),
        "files": {name: _sha256(content) for name, content in others.items()},
    }
    about["digest"] = digest_of(about)
    text = json.dumps(about, ensure_ascii=False, indent=2) + "\n"
    return {**others, WEIGHTS: weights, ABOUT: text.encode()}


def write_bundle(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files from `bundle_files`, each atomically. Raises SureError if `folder` is a file."""
    if folder.is_file():
        raise SureError(f"{folder} is a file; give a folder")
    for name, content in files.items():
        replace_file(folder / name, content)


def read_bundle(folder: Path, kinds: Mapping[str, type] = KINDS) -> Bundle:
    """Read and check a bundle of any format. Raises SureError naming the file and its fault.

    folder: or the name of a bundle on the hub, which is fetched first. kinds: the required keys of adapter.json; with
        ADAPTER_KINDS an adapter without a task is enough.
    """
    folder = hub.bundle_folder(str(folder)) if hub.is_name(str(folder)) else folder
    about = _read_about(folder / ABOUT, kinds)
    path = folder / WEIGHTS
    try:
        content = _read(path)
        tensors = safetensors.torch.load(content)
    except safetensors.SafetensorError as error:
        raise SureError(f"{path} is damaged ({error}); {AGAIN}") from None
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    compare_names(shapes, about["tensors"], f"{path} and {ABOUT} list different tensors")
    for name, shape in about["tensors"].items():
        if shapes[name] != shape:
            raise SureError(f"{path}: {name} has shape {shapes[name]}, but {shape} in {ABOUT}")
    _check_digest(path, content, about["sha256"])
    check_finite(tensors, path)
    for name, digest in about.get("files", {}).items():  # missing in the first bundles
        _check_digest(folder / name, _read(folder / name), digest)
    methods = [{**item, "name": registry.current("petl", item["name"])} for item in about["petl"]]
    tensors = current_names(tensors, [item["name"] for item in methods])
    return Bundle(folder, {**about, "petl": methods}, tensors)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SureError(f"cannot read {path}: {error.strerror}; {AGAIN}") from None


def digest_of(about: Mapping[str, Any]) -> str:
    """The digest of adapter.json: of all its values except the digest itself, whatever their layout."""
    plain = {key: value for key, value in about.items() if key != "digest"}
    return _sha256(json.dumps(plain, sort_keys=True).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _check_digest(path: Path, content: bytes, digest: str) -> None:
    if _sha256(content) != digest:
        raise SureError(f"{path} is not the file that {ABOUT} describes (sha256); {AGAIN}")


def _read_about(path: Path, kinds: Mapping[str, type]) -> dict[str, Any]:
    if not path.exists():
        inside = path.parent / "bundle"
        remedy = f"pass {inside}" if (inside / ABOUT).is_file() else "stage 8, sure.bin.pack, makes one"
        raise SureError(f"{path.parent} is not a bundle (no {ABOUT}); {remedy}")
    about = read_json(path, AGAIN, sorted(kinds))
    if type(about["format"]) is not int or about["format"] not in READABLE:  # True equals 1
        raise SureError(f"{path} has format {about['format']}; this version of SURE reads formats up to {FORMAT}")
    for key, kind in {**kinds, "files": dict, "code": dict}.items():
        if type(about.get(key, kind())) is not kind:
            raise SureError(f"{path}: {key} is {about[key]!r}, expected {kind.__name__}; {AGAIN}")
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in about["petl"]):
        raise SureError(f"{path}: petl is {about['petl']!r}, expected a list of methods with names; {AGAIN}")
    for name in about.get("files", {}):
        if name != Path(name).name:
            raise SureError(f"{path}: files has {name!r}, which is not a file of this folder; {AGAIN}")
    if about["format"] > 1 and about.get("digest") != digest_of(about):
        raise SureError(f"{path} was changed after it was written (its digest differs); {AGAIN}")
    about["backbone"] = current_keys("backbone", about["backbone"])
    if lacking := sorted(BACKBONE_KEYS - about["backbone"].keys()):
        raise SureError(f"{path}: backbone lacks {', '.join(lacking)}; {AGAIN}")
    return about
