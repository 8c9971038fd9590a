"""Weights of speech encoders from SURE's own file, a Hugging Face folder or a torchaudio bundle."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from sure.backbones.base import SpeechEncoder
from sure.backbones.convolution import GroupNorm
from sure.backbones.huggingface import read_folder
from sure.backbones.own_format import Stored
from sure.backbones.renaming import Names
from sure.backbones.torchaudio import find_bundle, read_bundle
from sure.errors import SureError


class Loadable(Stored, SpeechEncoder):
    """A speech encoder that can be loaded from transformers or torchaudio; each family gives its shapes and names.

    bundles: prefixes of the names of the family's torchaudio bundles; such a family has `bundle_shape` and
        `bundle_state` too.
    huggingface_class: prefix of its classes in transformers, such as `Wav2Vec2` for `Wav2Vec2Model`.
    huggingface_names: from our module names to those of AutoModel.
    huggingface_heads: whether transformers has `...ForCTC` and `...ForSequenceClassification` of the family.
    huggingface_skips: suffixes of our names of linear maps that transformers does not call but reads the weights of,
        so that a module in their place has no effect.
    """

    bundles: ClassVar[tuple[str, ...]] = ()
    huggingface_class: ClassVar[str]
    huggingface_names: ClassVar[Names]
    huggingface_heads: ClassVar[bool] = False
    huggingface_skips: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Any:
        """The shape in a config.json. Raises SureError for settings that our layers do not support."""

    @classmethod
    @abstractmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of the encoder under our names, without those of heads and pretraining."""

    @classmethod
    def huggingface_config(cls, shape: Any) -> dict[str, Any]:
        """The inverse of `huggingface_shape`. Raises SureError for a shape that transformers does not support."""
        raise SureError(f"{cls.family_name()} cannot be written as a Hugging Face model")

    @classmethod
    def huggingface_preprocessor(cls, shape: Any) -> dict[str, Any]:
        """Settings of the feature extractor in transformers."""
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
        """Differences between transformers and SURE with the same weights, as sentences for the user."""
        found = []
        if any(isinstance(module, GroupNorm) for module in self.modules()):
            found.append("padded batches differ: in transformers, the statistics of the front end include padding")
        if self.normalize_waveform:
            found.append("waveform normalisation adds 1e-7 to the variance in transformers, 1e-5 in SURE")
        return found

    @classmethod
    def _read(cls, weights: str) -> tuple[Any, dict[str, Tensor], str]:
        path = Path(weights).expanduser()
        if path.is_dir():
            return cls._from_folder(path)
        if not cls._is_bundle(weights):
            return super()._read(weights)
        parameters, normalize, tensors = read_bundle(weights, cls.bundles)
        state = cls.bundle_state(tensors)
        return cls.bundle_shape(parameters, normalize), state, sha256_of_tensors(state)

    @classmethod
    def _has_weights(cls, weights: str) -> bool:
        """Raises SureError for the name of a torchaudio bundle that does not exist."""
        if cls._is_bundle(weights):
            find_bundle(weights, cls.bundles)
            return True
        return Path(weights).expanduser().exists()

    @classmethod
    def _is_bundle(cls, weights: str) -> bool:
        path = Path(weights).expanduser()
        return weights.startswith(cls.bundles) and not path.suffix and not path.exists()

    @classmethod
    def other_weights(cls) -> tuple[str, ...]:
        return "a Hugging Face folder", *(f"a torchaudio bundle ({name}...)" for name in cls.bundles[:1])

    @classmethod
    def _from_folder(cls, folder: Path) -> tuple[Any, dict[str, Tensor], str]:
        found = read_folder(folder, cls.family_name())
        try:
            shape = cls.huggingface_shape(found.config, found.preprocessor)
        except KeyError as error:
            raise SureError(f"{folder / 'config.json'} lacks {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise SureError(f"{folder / 'config.json'} has a setting of the wrong type ({error})") from None
        except SureError as error:
            raise SureError(f"{folder / 'config.json'}: {error}") from None
        return shape, cls.huggingface_state(found.state), found.sha256


def sha256_of_tensors(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
