"""Weights of speech encoders from SURE's own file, a Hugging Face folder or a torchaudio bundle."""

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from sure.backbones.base import SpeechEncoder
from sure.backbones.convolution import GroupNorm
from sure.backbones.huggingface import FromHuggingFace
from sure.errors import SureError
from sure.registry import nearest


class Loadable(FromHuggingFace, SpeechEncoder):
    """A speech encoder that can be loaded from transformers or torchaudio; each family gives its shapes and names.

    bundles: prefixes of the names of the family's torchaudio bundles, e.g. WAV2VEC2_ for WAV2VEC2_BASE; such a family
        has `bundle_shape` and `bundle_state` too.
    """

    bundles: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of the encoder under our names, without those of heads, decoders and pretraining.

        By default, of an encoder that begins with `conv1`, alone or in a model with a decoder.
        """
        prefix = next((start for start in ("model.encoder.", "encoder.") if f"{start}conv1.weight" in state), "")
        inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        return {cls.ours(f"encoder.{name}"): tensor for name, tensor in inside.items()}

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
        return cls._from_bundle(weights) if cls._is_bundle(weights) else super()._read(weights)

    @classmethod
    def _has_weights(cls, weights: str) -> bool:
        """Raises SureError for the name of a torchaudio bundle that does not exist."""
        return super()._has_weights(weights) or (cls._is_bundle(weights) and bool(cls._find_bundle(weights)))

    @classmethod
    def other_weights(cls) -> tuple[str, ...]:
        return *super().other_weights(), *(f"a torchaudio bundle ({name}...)" for name in cls.bundles[:1])

    @classmethod
    def _shape_of(cls, weights: str) -> Any:
        if cls._is_bundle(weights):
            bundle = cls._find_bundle(weights)
            return cls.bundle_shape(bundle._params, bundle._normalize_waveform)
        return super()._shape_of(weights)

    @classmethod
    def _is_bundle(cls, weights: str) -> bool:
        path = Path(weights).expanduser()
        return weights.startswith(cls.bundles) and not path.suffix and not path.exists()

    @classmethod
    def _find_bundle(cls, name: str) -> Any:
        """The bundle, without a download. Raises SureError with the nearest name if the family has no such bundle."""
        from torchaudio import pipelines

        known = [one for one in dir(pipelines) if one.startswith(cls.bundles)]
        bundles = {one: bundle for one in known if hasattr(bundle := getattr(pipelines, one), "_params")}
        if name not in bundles:
            raise SureError(
                f"backbone.weights={name}: torchaudio has no such bundle{nearest(name, list(bundles))}; "
                f"available: {', '.join(bundles)}"
            )
        return bundles[name]

    @classmethod
    def _from_bundle(cls, name: str) -> tuple[Any, dict[str, Tensor], str]:
        bundle = cls._find_bundle(name)
        try:
            model = bundle.get_model(dl_kwargs={"weights_only": True})  # so that a pickle cannot run code
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise SureError(
                f"the weights of {name} could not be downloaded ({error}); check the network, "
                "or set backbone.weights to a local Hugging Face folder of the same model"
            ) from None
        state = cls.bundle_state(model.state_dict())
        return cls.bundle_shape(bundle._params, bundle._normalize_waveform), state, sha256_of_tensors(state)


def sha256_of_tensors(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
