"""Weights of speech encoders from SURE's own file, a Hugging Face folder or a torchaudio bundle."""

import hashlib
import logging
import pickle
import re
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from torch import Tensor

from sure.backbones.base import SpeechEncoder
from sure.backbones.convolution import GroupNorm
from sure.backbones.own_format import Stored, read_safetensors
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.parsing import read_json
from sure.registry import find, names, nearest

log = logging.getLogger(__name__)

HUGGINGFACE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class Loadable(Stored, SpeechEncoder):
    """A speech encoder that can be loaded from transformers or torchaudio; each family gives its shapes and names.

    bundles: prefixes of the names of the family's torchaudio bundles, e.g. WAV2VEC2_ for WAV2VEC2_BASE; such a family
        has `bundle_shape` and `bundle_state` too.
    huggingface_class: prefix of its classes in transformers, such as `Wav2Vec2` for `Wav2Vec2Model`.
    huggingface_names: from our module names to those of AutoModel; `#` stands for a number. `layers.#.attn.q`:
        `encoder.layers.#.attention.q_proj` also translates `layers.3.attn.q.weight`.
    huggingface_heads: whether transformers has `...ForCTC` and `...ForSequenceClassification` of the family.
    huggingface_skips: suffixes of our names of linear maps that transformers does not call but reads the weights of,
        so that a module in their place has no effect.
    """

    bundles: ClassVar[tuple[str, ...]] = ()
    huggingface_class: ClassVar[str]
    huggingface_names: ClassVar[Mapping[str, str]]
    huggingface_heads: ClassVar[bool] = False
    huggingface_skips: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def ours(cls, name: str) -> str:
        """Our name for one of AutoModel; a name that is not in the table is returned unchanged."""
        return _renamed(name, ((theirs, ours) for ours, theirs in cls.huggingface_names.items()))

    @classmethod
    def theirs(cls, name: str) -> str:
        """AutoModel's name for one of ours; a name that is not in the table is returned unchanged."""
        return _renamed(name, cls.huggingface_names.items())

    @classmethod
    @abstractmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Any:
        """The shape in a config.json. Raises SureError for settings that our layers do not support."""

    @classmethod
    def require(cls, settings: Mapping[str, Any], wanted: Mapping[str, Any], file: str = "config.json") -> None:
        """Raises SureError for a setting of the file that differs from the only supported value."""
        for key, value in wanted.items():
            if settings.get(key, value) != value:
                raise SureError(f"{cls.family_name()}: {file} has {key}={settings[key]!r}; only {value!r} is supported")

    @classmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of the encoder under our names, without those of heads, decoders and pretraining.

        By default, of an encoder that begins with `conv1`, alone or in a model with a decoder.
        """
        prefix = next((start for start in ("model.encoder.", "encoder.") if f"{start}conv1.weight" in state), "")
        inside = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        return {cls.ours(f"encoder.{name}"): tensor for name, tensor in inside.items()}

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
        return cls._from_bundle(weights) if cls._is_bundle(weights) else super()._read(weights)

    @classmethod
    def _has_weights(cls, weights: str) -> bool:
        """Raises SureError for the name of a torchaudio bundle that does not exist."""
        return Path(weights).expanduser().exists() or (cls._is_bundle(weights) and bool(cls._find_bundle(weights)))

    @classmethod
    def other_weights(cls) -> tuple[str, ...]:
        return "a Hugging Face folder", *(f"a torchaudio bundle ({name}...)" for name in cls.bundles[:1])

    @classmethod
    def _shape_of(cls, weights: str) -> Any:
        path = Path(weights).expanduser()
        if path.is_dir():
            return cls._shape_in_folder(path, _read_extractor(path))
        if cls._is_bundle(weights):
            bundle = cls._find_bundle(weights)
            return cls.bundle_shape(bundle._params, bundle._normalize_waveform)
        return super()._shape_of(weights)

    @classmethod
    def _shape_in_folder(cls, folder: Path, preprocessor: dict[str, Any]) -> Any:
        """The shape in config.json. Raises SureError for another family, and for settings that are not supported."""
        path = folder / "config.json"
        config = read_json(path, "pass a folder that save_pretrained wrote")
        kind = str(config.get("model_type")).replace("-", "_")  # data2vec-audio: data2vec_audio
        if kind != cls.family_name():
            raise SureError(f"{folder} holds a {kind} model, not {cls.family_name()}; {_other_family(kind)}")
        if not any((folder / name).is_file() for name in HUGGINGFACE_WEIGHTS):
            raise SureError(
                f"{folder} has neither {' nor '.join(HUGGINGFACE_WEIGHTS)}; save a sharded model as one file"
            )
        try:
            return cls.huggingface_shape(config, preprocessor)
        except KeyError as error:
            raise SureError(f"{path} lacks {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise SureError(f"{path} has a setting of the wrong type ({error})") from None
        except SureError as error:
            raise SureError(f"{path}: {error}") from None

    @classmethod
    def _from_folder(cls, folder: Path) -> tuple[Any, dict[str, Tensor], str]:
        preprocessor = _read_extractor(folder)
        shape = cls._shape_in_folder(folder, preprocessor)
        weights = next(folder / name for name in HUGGINGFACE_WEIGHTS if (folder / name).is_file())
        state = _read_tensors(weights)
        if shape.layers > len(state):  # they would take long to build, only to be found missing
            many = f"{shape.layers} layers, but the weights have {len(state)} tensors"
            raise SureError(f"{folder / 'config.json'}: {many}")
        if not preprocessor and hasattr(shape, "normalize_waveform"):
            log.warning(
                "%s: no file gives do_normalize (preprocessor_config.json, processor_config.json); assumed: %s, as for "
                "the released models with these layers; if the model was trained otherwise, add the file",
                *(folder, shape.normalize_waveform),
            )
        return shape, cls.huggingface_state(state), sha256_of_file(weights)

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


def _renamed(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        if found := re.match(re.escape(old).replace(r"\#", r"(\d+)") + r"(?=\.|$)", name):
            return new.replace("#", found[1] if found.groups() else "#") + name[found.end() :]
    return name


def _other_family(kind: str) -> str:
    known = [name for name in names("backbones") if issubclass(find("backbones", name), Loadable)]
    return f"set backbone.name={kind}" if kind in known else f"the families with such folders are {', '.join(known)}"


def _read_extractor(folder: Path) -> dict[str, Any]:
    """Settings of the feature extractor. transformers 5 reads processor_config.json first, and may write only that."""
    again = "download it again"
    if (folder / "processor_config.json").is_file():
        processor = read_json(folder / "processor_config.json", again)
        for key in ("feature_extractor", "audio_processor"):
            if isinstance(processor.get(key), dict):
                return processor[key]
    settings = folder / "preprocessor_config.json"
    return read_json(settings, again) if settings.is_file() else {}


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return read_safetensors(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SureError(f"{path} cannot be read ({reason}); download it again") from None


def sha256_of_tensors(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
