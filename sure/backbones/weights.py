"""Weights of the speech encoders: our file, a Hugging Face folder or a torchaudio bundle."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from sure.backbones.base import SpeechEncoder
from sure.backbones.convolution import GroupNorm
from sure.backbones.digests import sha256_of_tensors
from sure.backbones.huggingface import read_folder
from sure.backbones.own_format import Stored
from sure.backbones.renaming import Names
from sure.backbones.torchaudio import read_bundle
from sure.errors import SureError


class Loadable(Stored, SpeechEncoder):
    """A speech encoder that others publish too; a family says its shapes and others' names.

    bundles: how the names of this family's torchaudio bundles start; the family then has `bundle_shape`
        and `bundle_state` too.
    huggingface_class: how the names of its classes in transformers start, `Wav2Vec2` of `Wav2Vec2Model`.
    huggingface_names: our names and those of the model that AutoModel builds.
    huggingface_heads: whether there are a `...ForCTC` and a `...ForSequenceClassification`.
    huggingface_skips: maps whose weights the model there reads without calling them, so that a module in their
        place does nothing; by the end of our names.
    """

    bundles: ClassVar[tuple[str, ...]] = ()
    huggingface_class: ClassVar[str]
    huggingface_names: ClassVar[Names]
    huggingface_heads: ClassVar[bool] = False
    huggingface_skips: ClassVar[tuple[str, ...]] = ()

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
    def _read(cls, weights: str) -> tuple[Any, dict[str, Tensor], str]:
        path = Path(weights).expanduser()
        if path.is_dir():
            return cls._from_folder(path)
        if path.is_file():
            return cls._from_file(path)
        if weights.startswith(cls.bundles) and not path.suffix:
            parameters, normalize, tensors = read_bundle(weights, cls.bundles)
            state = cls.bundle_state(tensors)
            return cls.bundle_shape(parameters, normalize), state, sha256_of_tensors(state)
        bundles = f", a torchaudio bundle ({cls.bundles[0]}...)" if cls.bundles else ""
        raise SureError(
            f"backbone.weights: {weights} is not there; "
            f"give a .safetensors file, a Hugging Face folder{bundles}, or random"
        )

    @classmethod
    def _from_folder(cls, folder: Path) -> tuple[Any, dict[str, Tensor], str]:
        found = read_folder(folder, cls.family_name())
        try:
            shape = cls.huggingface_shape(found.config, found.preprocessor)
        except KeyError as error:
            raise SureError(f"{folder / 'config.json'} lacks {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise SureError(f"{folder / 'config.json'} has a setting of another kind ({error})") from None
        except SureError as error:
            raise SureError(f"{folder / 'config.json'}: {error}") from None
        return shape, cls.huggingface_state(found.state), found.sha256
