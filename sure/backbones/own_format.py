"""A backbone from random numbers or from our own file, and its saving."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sure.backbones.base import Backbone, check_keys
from sure.backbones.convolution import GROUP_NORMS
from sure.backbones.positions import Sinusoids, sinusoids
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.parsing import parse_json
from sure.registry import nearest

# what torch and our modules raise for sizes that no model can have
BUILDING_ERRORS = (TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError, MemoryError)
METADATA = "sure_backbone"  # key of the json in our files: {"family": ..., "shape": {...}}


class Stored(Backbone):
    """A backbone that `__init__(shape, group_norm)` builds.

    shapes: by the name behind `random:`; the first one is plain `random`.
    """

    shapes: ClassVar[Mapping[str, Any]]
    shape: Any

    @classmethod
    def family_name(cls) -> str:
        """The name of the family's file, as a config says it."""
        return cls.__module__.rsplit(".", 1)[-1]

    @classmethod
    def from_weights(cls, weights: str, group_norm: str = "masked", seed: int = 0, **shape: object) -> Stored:
        if group_norm not in GROUP_NORMS:
            raise SureError(f"backbone.group_norm is one of {', '.join(GROUP_NORMS)}, not {group_norm!r}")
        kind, _, name = weights.partition(":")
        if kind == "random":
            return cls._random(name or next(iter(cls.shapes)), group_norm, seed, shape)
        if shape:
            raise SureError(f"backbone: {', '.join(shape)} can be set for random weights only, not for {weights}")
        found, state, sha256 = cls._read(weights)
        return cls._filled(found, state, group_norm, sha256, weights)

    @classmethod
    def _read(cls, weights: str) -> tuple[Any, dict[str, Tensor], str]:
        """Shape, tensors and sha256 of what `weights` names."""
        path = Path(weights).expanduser()
        if not path.is_file():
            raise SureError(f"backbone.weights: {weights} is not there; give a .safetensors file, or random")
        return cls._from_file(path)

    def save(self, path: str | Path) -> None:
        """Write the weights, without attached modules, to a file that `from_weights` reads; atomic."""
        path = Path(path)
        about = {"family": self.family_name(), "shape": dataclasses.asdict(self.shape)}
        state = {name: own.contiguous() for name, own in self.state_dict().items() if ".attached." not in name}
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                file.write(save(state, {METADATA: json.dumps(about, sort_keys=True)}))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def _from_file(cls, path: Path) -> tuple[Any, dict[str, Tensor], str]:
        try:
            with safe_open(path, "pt") as file:
                about = parse_json((file.metadata() or {}).get(METADATA, "null"))
                state = {name: file.get_tensor(name) for name in file.keys()}
        except (SafetensorError, OSError, ValueError) as error:
            raise SureError(f"{path} is not a whole .safetensors file ({error}); make it again") from None
        if about is None:
            raise SureError(
                f"{path} does not say which backbone it holds (its metadata have no {METADATA}); "
                f"for a Hugging Face model give the folder with its config.json"
            )
        return cls._described(about, len(state), path), state, sha256_of_file(path)

    @classmethod
    def _described(cls, about: Any, tensors: int, path: Path) -> Any:
        """The shape that metadata tell of a file with so many tensors. Raises SureError for what is none."""
        family, given = (about.get(key) if isinstance(about, dict) else None for key in ("family", "shape"))
        if not isinstance(family, str) or not isinstance(given, dict):
            raise SureError(f"{path}: its metadata {METADATA} are no family and shape; make it again")
        if family != cls.family_name():
            raise SureError(f"{path} holds a {family} backbone; set backbone.name={family}")
        example = next(iter(cls.shapes.values()))
        settings = {key: _as_tuple(value) for key, value in given.items()}
        for key, value in settings.items():
            # a layer has tensors: more layers than those would take long to build, only to be found missing
            if not _like(value, getattr(example, key, None)) or ("layers" in key and value > tensors):
                raise SureError(f"{path}: its metadata say {key}={value!r}, which no {family} has; make it again")
        try:
            shape = type(example)(**settings)
        except TypeError as error:
            raise SureError(f"{path}: its metadata are no shape of a {family} ({error}); make it again") from None
        if not shape.dim or not shape.heads or shape.dim % shape.heads:
            raise SureError(f"{path}: its metadata say dim={shape.dim}, heads={shape.heads}; make it again")
        return shape

    @classmethod
    def _sketch(cls, shape: Any, group_norm: str) -> Stored:
        """Without numbers, as they are about to be replaced, and without memory for them."""
        with torch.device("meta"):
            return cls(shape, group_norm)

    @classmethod
    def _filled(cls, shape: Any, state: Mapping[str, Tensor], group_norm: str, sha256: str, what: str) -> Stored:
        try:
            backbone = cls._sketch(shape, group_norm)
        except BUILDING_ERRORS as error:
            raise SureError(f"{what}: no {cls.family_name()} can have the shape that it says ({error})") from None
        wanted = backbone.state_dict()
        check_keys(set(wanted), set(state), what)
        unlike = [
            f"{name} {list(state[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in wanted.items()
            if tensor.shape != state[name].shape
        ]
        if unlike:
            raise SureError(f"{what}: {len(unlike)} tensors have another shape: {'; '.join(unlike[:5])}")
        backbone = backbone.to_empty(device="cpu")
        backbone.load_state_dict(state)
        backbone.sha256 = sha256
        return backbone

    @classmethod
    def _random(cls, name: str, group_norm: str, seed: int, changes: dict[str, Any]) -> Stored:
        if name not in cls.shapes:
            known = list(cls.shapes)
            raise SureError(
                f"{cls.family_name()} has no shape for backbone.weights=random:{name}{nearest(name, known)}; "
                f"there are: {', '.join(known)}"
            )
        try:
            shape = dataclasses.replace(cls.shapes[name], **changes)
        except TypeError as error:
            raise SureError(f"backbone: a shape of {cls.family_name()} has no such setting ({error})") from None
        backbone = cls._sketch(shape, group_norm).to_empty(device="cpu")
        initialise(backbone, seed)
        described = "".join(f",{key}={value}" for key, value in sorted(changes.items()))
        backbone.sha256 = f"random:{cls.family_name()}_{name}{described}:{seed}"
        return backbone


def _like(value: Any, example: Any, least: int = 0) -> bool:
    """Whether a shape may have the value where another has the example: its type, no size below 0, or 1 in a list."""
    if isinstance(example, tuple):
        return isinstance(value, tuple) and all(_like(one, example[0], 1) for one in value)
    if isinstance(example, float) and type(value) in (int, float):
        return math.isfinite(value)
    return type(value) is type(example) and not (type(value) is int and value < least)


def _as_tuple(value: Any) -> Any:
    """JSON has lists where shapes have tuples."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


@torch.no_grad()
def initialise(module: nn.Module, seed: int) -> None:
    """Random weights from a generator of its own: norms 1, biases 0, sinusoids, the rest N(0, gain / fan in)."""
    generator = torch.Generator().manual_seed(seed)
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            if name == "bias":
                parameter.zero_()
            elif name == "scale" or isinstance(part, nn.GroupNorm | nn.LayerNorm):
                parameter.fill_(1.0)
            elif isinstance(part, Sinusoids):
                parameter.copy_(sinusoids(*parameter.shape))
            else:
                gain = 2.0 if isinstance(part, nn.Conv1d) else 1.0
                fan_in = parameter[0].numel() if parameter.dim() > 1 else parameter.numel()
                parameter.normal_(0.0, (gain / fan_in) ** 0.5, generator=generator)
