"""Build a backbone from random numbers, our file, a Hugging Face folder or a torchaudio bundle; save it."""

from __future__ import annotations

import dataclasses
import json
import os
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from sure.backbones.base import Backbone, check_keys
from sure.backbones.bundles import read_bundle
from sure.backbones.convolution import GROUP_NORMS, GroupNorm
from sure.backbones.digests import sha256_of_file, sha256_of_tensors
from sure.backbones.huggingface import read_folder
from sure.backbones.names import Names
from sure.backbones.positions import Sinusoids, sinusoids
from sure.errors import SureError
from sure.plain import parse_json
from sure.registry import nearest

METADATA = "sure_backbone"  # key of the json in our files: {"family": ..., "shape": {...}}


class Loadable(Backbone):
    """A backbone that `__init__(shape, group_norm)` builds; a family says its shapes and others' names.

    shapes: by the name behind `random:`; the first one is plain `random`.
    bundles: how the names of this family's torchaudio bundles start; the family then has `bundle_shape`
        and `bundle_state` too.
    huggingface_class: how the names of its classes in transformers start, `Wav2Vec2` of `Wav2Vec2Model`.
    huggingface_names: our names and those of the model that AutoModel builds.
    huggingface_heads: whether there are a `...ForCTC` and a `...ForSequenceClassification`.
    huggingface_skips: maps whose weights the model there reads without calling them, so that a module in their
        place does nothing; by the end of our names.
    """

    shapes: ClassVar[Mapping[str, Any]]
    bundles: ClassVar[tuple[str, ...]] = ()
    huggingface_class: ClassVar[str]
    huggingface_names: ClassVar[Names]
    huggingface_heads: ClassVar[bool] = False
    huggingface_skips: ClassVar[tuple[str, ...]] = ()
    shape: Any

    @classmethod
    @abstractmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Any:
        """The shape that config.json describes. Raises SureError for what our layers do not compute."""

    @classmethod
    @abstractmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The encoder's tensors under our names; what belongs to heads and pretraining is left out."""

    @classmethod
    def huggingface_config(cls, shape: Any) -> dict[str, Any]:
        """The settings that `huggingface_shape` reads as this shape. Raises SureError where there are none."""
        raise SureError(f"{cls.family_name()} cannot be written as a Hugging Face model")

    @classmethod
    def huggingface_preprocessor(cls, shape: Any) -> dict[str, Any]:
        """The settings of the feature extractor there."""
        return {
            "feature_extractor_type": "Wav2Vec2FeatureExtractor",
            "do_normalize": getattr(shape, "normalize_waveform", False),
            "feature_size": 1,
            "padding_side": "right",
            "padding_value": 0.0,
            "return_attention_mask": True,  # padding is left out of attention, as here
            "sampling_rate": cls.sample_rate,
        }

    def huggingface_differences(self) -> list[str]:
        """What transformers computes otherwise around the same weights, for people to know."""
        found = []
        if any(isinstance(module, GroupNorm) for module in self.modules()):
            found.append("on padded batches it differs: transformers lets padding into the front end's statistics")
        if self.normalize_waveform:
            found.append("normalising a waveform, transformers adds 1e-7 to the variance, SURE 1e-5, as in training")
        return found

    @classmethod
    def family_name(cls) -> str:
        """The name of the family's file, as a config says it."""
        return cls.__module__.rsplit(".", 1)[-1]

    @classmethod
    def from_weights(cls, weights: str, group_norm: str = "masked", seed: int = 0, **shape: object) -> Loadable:
        if group_norm not in GROUP_NORMS:
            raise SureError(f"backbone.group_norm is one of {', '.join(GROUP_NORMS)}, not {group_norm!r}")
        kind, _, name = weights.partition(":")
        if kind == "random":
            return cls._random(name or next(iter(cls.shapes)), group_norm, seed, shape)
        if shape:
            raise SureError(f"backbone: {', '.join(shape)} can be set for random weights only, not for {weights}")
        path = Path(weights).expanduser()
        if path.is_dir():
            found, state, sha256 = cls._from_folder(path)
        elif path.is_file():
            found, state, sha256 = cls._from_file(path)
        elif weights.startswith(cls.bundles) and not path.suffix:
            parameters, normalize, tensors = read_bundle(weights, cls.bundles)
            state = cls.bundle_state(tensors)
            found, sha256 = cls.bundle_shape(parameters, normalize), sha256_of_tensors(state)
        else:
            bundles = f", a torchaudio bundle ({cls.bundles[0]}...)" if cls.bundles else ""
            raise SureError(
                f"backbone.weights: {weights} is not there; "
                f"give a .safetensors file, a Hugging Face folder{bundles}, or random"
            )
        return cls._filled(found, state, group_norm, sha256, weights)

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
    def _from_folder(cls, folder: Path) -> tuple[Any, dict[str, Tensor], str]:
        found = read_folder(folder, cls.family_name())
        try:
            shape = cls.huggingface_shape(found.config, found.preprocessor)
        except KeyError as error:
            raise SureError(f"{folder / 'config.json'} lacks {error}") from None
        except SureError as error:
            raise SureError(f"{folder / 'config.json'}: {error}") from None
        return shape, cls.huggingface_state(found.state), found.sha256

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
        if about["family"] != cls.family_name():
            raise SureError(f"{path} holds a {about['family']} backbone; set backbone.name={about['family']}")
        shape = type(next(iter(cls.shapes.values())))
        settings = {key: _as_tuple(value) for key, value in about["shape"].items()}
        return shape(**settings), state, sha256_of_file(path)

    @classmethod
    def _empty(cls, shape: Any, group_norm: str) -> Loadable:
        """Built without spending time on numbers that are about to be replaced."""
        with torch.device("meta"):
            backbone = cls(shape, group_norm)
        return backbone.to_empty(device="cpu")

    @classmethod
    def _filled(cls, shape: Any, state: Mapping[str, Tensor], group_norm: str, sha256: str, what: str) -> Loadable:
        backbone = cls._empty(shape, group_norm)
        wanted = backbone.state_dict()
        check_keys(set(wanted), set(state), what)
        unlike = [
            f"{name} {list(state[name].shape)} instead of {list(tensor.shape)}"
            for name, tensor in wanted.items()
            if tensor.shape != state[name].shape
        ]
        if unlike:
            raise SureError(f"{what}: {len(unlike)} tensors have another shape: {'; '.join(unlike[:5])}")
        backbone.load_state_dict(state)
        backbone.sha256 = sha256
        return backbone

    @classmethod
    def _random(cls, name: str, group_norm: str, seed: int, changes: dict[str, Any]) -> Loadable:
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
        backbone = cls._empty(shape, group_norm)
        initialise(backbone, seed)
        described = "".join(f",{key}={value}" for key, value in sorted(changes.items()))
        backbone.sha256 = f"random:{cls.family_name()}_{name}{described}:{seed}"
        return backbone


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
