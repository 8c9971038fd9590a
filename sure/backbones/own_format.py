"""Backbones with random weights, and loading and saving of backbones in SURE's own file format."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sure.backbones.base import Backbone
from sure.backbones.positions import Sinusoids, sinusoids
from sure.backbones.quantised import linear_maps, store
from sure.backbones.recognizer_file import RECOGNIZER, WHOLE, encoder_alone, sha256_of_content
from sure.backbones.tensor_checks import check_finite, check_names_and_shapes
from sure.device import return_freed_memory
from sure.errors import SureError
from sure.files import replace_file, sha256_of_file
from sure.parsing import parse_json
from sure.registry import nearest

# raised by torch and our modules for impossible sizes
BUILDING_ERRORS = (TypeError, ValueError, RuntimeError, ZeroDivisionError, OverflowError, MemoryError)
METADATA = "sure_backbone"  # metadata key of our files; the value is JSON: {"family": ..., "shape": {...}}


class Stored(Backbone):
    """A backbone that is built by `__init__(shape, padding)`.

    shapes: by the name after `random:`; the first one is plain `random`.
    """

    shapes: ClassVar[Mapping[str, Any]]
    shape: Any

    @classmethod
    def family_name(cls) -> str:
        """Name of the family's file, as in backbone.name."""
        return cls.__module__.rsplit(".", 1)[-1]

    @classmethod
    def from_weights(
        cls, weights: str, padding: str = "masked", seed: int = 0, frozen: str = "fp32", **shape: object
    ) -> Stored:
        kind, _, name = weights.partition(":")
        if kind == "random":
            return cls._random(name or next(iter(cls.shapes)), padding, seed, frozen, shape)
        if shape:
            raise SureError(f"backbone: {', '.join(shape)} can only be set for random weights, not for {weights}")
        found, state, sha256 = cls._read(weights)
        backbone = cls._without_values(found, padding, weights)
        check_names_and_shapes(state, backbone.state_dict(), weights, "take weights and settings of one model")

        def load(name: str, part: nn.Module) -> None:
            for own in [key for key in part.state_dict() if "." not in key]:
                full_name = f"{name}.{own}" if name else own
                tensor = state.pop(full_name)  # frees it when it is copied
                check_finite({full_name: tensor}, weights)
                getattr(part, own).copy_(tensor)

        materialise(backbone, load, frozen)
        backbone.sha256 = sha256
        return backbone

    @classmethod
    def _read(cls, weights: str) -> tuple[Any, dict[str, Tensor], str]:
        """Shape, tensors and sha256 of the weights."""
        cls.check_weights(weights)
        path = Path(weights).expanduser()
        try:
            with safe_open(path, "pt") as file:
                about = parse_json((file.metadata() or {}).get(METADATA, "null"))
            state = read_safetensors(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise SureError(f"{path} is not a complete .safetensors file ({error}); create it again") from None
        if about is None:
            raise SureError(
                f"{path} has no metadata {METADATA}, so its backbone is unknown; "
                "for a Hugging Face model pass the folder with its config.json"
            )
        if isinstance(about, dict) and about.get("family") == f"{cls.family_name()}{RECOGNIZER}":
            about, state = encoder_alone(about, state, next(iter(cls.shapes.values())))
            return cls._described(about, len(state), path), state, sha256_of_content(state, _metadata(about))
        return cls._described(about, len(state), path), state, sha256_of_file(path)

    @classmethod
    def check_weights(cls, weights: str) -> None:
        """Raises SureError for a file that does not exist, and for `random:<shape>` with a shape of no such name."""
        kind, _, name = weights.partition(":")
        if kind == "random":
            if name and name not in cls.shapes:
                known = list(cls.shapes)
                raise SureError(
                    f"backbone.weights=random:{name}: {cls.family_name()} has no such shape{nearest(name, known)}; "
                    f"available: {', '.join(known)}"
                )
        elif not cls._has_weights(weights):
            expected = ", ".join(("a .safetensors file", *cls.other_weights()))
            raise SureError(f"backbone.weights: {weights} does not exist; pass {expected}, or random")

    @classmethod
    def _has_weights(cls, weights: str) -> bool:
        return Path(weights).expanduser().is_file()

    @classmethod
    def other_weights(cls) -> tuple[str, ...]:
        """Kinds of weights that are not a file of ours, in words."""
        return ()

    def save(self, path: str | Path, tokens: str | None = None) -> None:
        """Write the weights, without attached modules, to a file for `from_weights`. Raises SureError if that fails.

        tokens: those of a recogniser, as `RecognizerTokens.dumps` writes them.
        """
        about = {"family": self.family_name(), "shape": dataclasses.asdict(self.shape)}
        about |= {} if tokens is None else {"tokens": tokens}  # safetensors writes several keys in any order
        state = {name: own.contiguous() for name, own in self.state_dict().items() if ".attached." not in name}
        replace_file(Path(path), save(state, _metadata(about)))

    @classmethod
    def _described(cls, about: Any, tensors: int, path: Path) -> Any:
        """The shape in the metadata of a file with `tensors` tensors. Raises SureError for an invalid shape."""
        family, given = (about.get(key) if isinstance(about, dict) else None for key in ("family", "shape"))
        if not isinstance(family, str) or not isinstance(given, dict):
            raise SureError(f"{path}: the metadata {METADATA} are not a family and a shape; create it again")
        if f"{family}{RECOGNIZER}" == cls.family_name():
            raise SureError(f"{path} has the encoder alone; {WHOLE}")
        if family != cls.family_name():
            raise SureError(f"{path} contains a {family} backbone; set backbone.name={family.removesuffix(RECOGNIZER)}")
        example = next(iter(cls.shapes.values()))
        settings = {key: _as_tuple(value) for key, value in given.items()}
        for key, value in settings.items():
            # more layers than tensors would take long to build, only to be found missing
            if not _like(value, getattr(example, key, ...)) or ("layers" in key and value > tensors):
                raise SureError(f"{path}: the metadata have {key}={value!r}, invalid for {family}; create it again")
        shape = type(example)(**settings)
        if not shape.dim or not shape.heads or shape.dim % shape.heads:
            raise SureError(f"{path}: the metadata have dim={shape.dim}, heads={shape.heads}; create it again")
        return shape

    @classmethod
    def skeleton(cls, weights: str, padding: str = "masked", **shape: object) -> Stored:
        kind, _, name = weights.partition(":")
        found = cls._random_shape(name or next(iter(cls.shapes)), shape) if kind == "random" else cls._read(weights)[0]
        return cls._without_values(found, padding, weights)

    @classmethod
    def outline(cls, weights: str) -> Stored:
        return cls._without_values(cls._shape_of(weights), "masked", weights)

    @classmethod
    def _shape_of(cls, weights: str) -> Any:
        kind, _, name = weights.partition(":")
        if kind == "random":
            return cls._random_shape(name or next(iter(cls.shapes)), {})
        if not cls._has_weights(weights):
            family = cls.family_name().removesuffix(RECOGNIZER)
            named = Path(weights).stem.removeprefix(f"{family}_")  # moonshine_tiny_en.safetensors of stage 1
            return cls.shapes.get(named) or max(cls.shapes.values(), key=lambda shape: shape.dim)
        return cls._read(weights)[0]

    @classmethod
    def _without_values(cls, shape: Any, padding: str, weights: str) -> Stored:
        """The backbone on the device `meta`. Raises SureError for an impossible shape."""
        try:
            with torch.device("meta"):
                return cls(shape, padding)
        except BUILDING_ERRORS as error:
            raise SureError(f"{weights}: its shape is not possible for {cls.family_name()} ({error})") from None

    @classmethod
    def _random_shape(cls, name: str, changes: dict[str, Any]) -> Any:
        cls.check_weights(f"random:{name}")
        try:
            return dataclasses.replace(cls.shapes[name], **changes)
        except TypeError as error:
            raise SureError(f"backbone: {cls.family_name()} has no such size ({error})") from None

    @classmethod
    def _random(cls, name: str, padding: str, seed: int, frozen: str, changes: dict[str, Any]) -> Stored:
        shape = cls._random_shape(name, changes)
        backbone = cls._without_values(shape, padding, f"random:{name}")
        materialise(backbone, random_values(seed), frozen)
        described = "".join(f",{key}={value}" for key, value in sorted(changes.items()))
        backbone.sha256 = f"random:{cls.family_name()}_{name}{described}:{seed}"
        return backbone


@torch.no_grad()
def materialise(backbone: Backbone, fill: Callable[[str, nn.Module], None], frozen: str) -> None:
    """Give a backbone on the device `meta` its tensors, one module after the other.

    fill: writes the module's own tensors, which have memory and no values yet; called with its name.
    frozen: format of the linear maps of layers (quantised.py), or fp32. The exact weights of one map at a time exist.
    """
    maps = set(map(id, linear_maps(backbone)))
    for name, part in list(backbone.named_modules()):
        part.to_empty(device="cpu", recurse=False)
        fill(name, part)
        if frozen != "fp32" and id(part) in maps:
            store(part, frozen)
            return_freed_memory()


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file. Each has its own memory map, which is released with the tensor.

    Raises SafetensorError or OSError. (safetensors maps the whole file, until the last of its tensors is gone.)
    """
    with safe_open(path, "pt") as file:
        whole = {name: file.get_tensor(name) for name in file.keys()}
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
    found = {}
    for name, tensor in whole.items():
        offset = 8 + size + header[name]["data_offsets"][0]
        numbers = np.memmap(path, np.uint8, "c", offset, tensor.nbytes) if tensor.nbytes else tensor.numpy()
        found[name] = torch.from_numpy(numbers).view(tensor.dtype).view(tensor.shape)
    return found


def _metadata(about: Mapping[str, Any]) -> dict[str, str]:
    return {METADATA: json.dumps(about, sort_keys=True)}


def _like(value: Any, example: Any, least: int = 0) -> bool:
    """Whether a value has the type of the example, and is not negative, or less than 1 in a list."""
    if isinstance(example, tuple):
        return isinstance(value, tuple) and all(_like(one, example[0], 1) for one in value)
    if isinstance(example, float) and type(value) in (int, float):
        return math.isfinite(value)
    return type(value) is type(example) and not (type(value) is int and value < least)


def _as_tuple(value: Any) -> Any:
    """Lists, from JSON, as tuples, at every level."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


@torch.no_grad()
def initialise(module: nn.Module, seed: int) -> None:
    """Write the `random_values` of this seed."""
    write = random_values(seed)
    for name, part in module.named_modules():
        write(name, part)


def random_values(seed: int) -> Callable[[str, nn.Module], None]:
    """A function of a module's name and the module that writes the module's own parameters.

    Values depend on `seed` and the order of calls only: norms 1, biases 0, sinusoids, the rest N(0, gain / fan in).
    """
    generator = torch.Generator().manual_seed(seed)

    def write(_: str, part: nn.Module) -> None:
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

    return write
