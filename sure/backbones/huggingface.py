"""Weights of models from a Hugging Face folder, with names and settings of transformers."""

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

from sure import hub
from sure.backbones.own_format import RECOGNIZER, Stored, read_safetensors
from sure.errors import SureError, some_of
from sure.files import sha256_of_file
from sure.parsing import read_json
from sure.registry import find, names

log = logging.getLogger(__name__)

AGAIN = "download it again"
HUGGINGFACE_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class FromHuggingFace(Stored):
    """A backbone that can be loaded from transformers; each family gives its shapes and names.

    huggingface_class: prefix of its classes in transformers, such as `Wav2Vec2` for `Wav2Vec2Model`.
    huggingface_names: from our module names to those of AutoModel; `#` stands for a number. `layers.#.attn.q`:
        `encoder.layers.#.attention.q_proj` also translates `layers.3.attn.q.weight`.
    huggingface_heads: whether transformers has `...ForCTC` and `...ForSequenceClassification` of the family.
    huggingface_skips: suffixes of our names of linear maps that transformers does not call but reads the weights of,
        so that a module in their place has no effect.
    """

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
    @abstractmethod
    def huggingface_state(cls, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of the backbone under our names, without those of other parts of the model."""

    @classmethod
    def huggingface_config(cls, shape: Any) -> dict[str, Any]:
        """The inverse of `huggingface_shape`. Raises SureError for a shape that transformers does not support."""
        raise SureError(f"{cls.family_name()} cannot be written as a Hugging Face model")

    @classmethod
    def _read(cls, weights: str) -> tuple[Any, dict[str, Tensor], str]:
        path = hub.local(weights)
        return cls._from_folder(path) if path.is_dir() else super()._read(weights)

    @classmethod
    def _has_weights(cls, weights: str) -> bool:
        return Path(weights).expanduser().exists() or hub.is_name(weights)

    @classmethod
    def other_weights(cls) -> tuple[str, ...]:
        return ("a Hugging Face folder", "the name of a model on the Hugging Face Hub (owner/name)")

    @classmethod
    def _shape_of(cls, weights: str) -> Any:
        path = hub.local(weights)
        return cls._shape_in_folder(path, _read_extractor(path)) if path.is_dir() else super()._shape_of(weights)

    @classmethod
    def _shape_in_folder(cls, folder: Path, preprocessor: dict[str, Any]) -> Any:
        """The shape in config.json. Raises SureError for another family, and for settings that are not supported."""
        path = folder / "config.json"
        config = read_json(path, "pass a folder that save_pretrained wrote")
        kind = str(config.get("model_type")).replace("-", "_")  # data2vec-audio: data2vec_audio
        family = cls.family_name().removesuffix(RECOGNIZER)
        if kind != family:
            raise SureError(f"{folder} contains a {kind} model, not {family}; {_other_family(kind)}")
        _weights_files(folder)
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
        files = _weights_files(folder)
        state = {name: tensor for file in files for name, tensor in _read_tensors(file).items()}
        if shape.layers > len(state):  # they would take long to build, only to be found missing
            many = f"{shape.layers} layers, but the weights have {len(state)} tensors"
            raise SureError(f"{folder / 'config.json'}: {many}")
        if not preprocessor and hasattr(shape, "normalize_waveform"):
            log.warning(
                "%s: no file gives do_normalize (preprocessor_config.json, processor_config.json); assumed: %s, as for "
                "the released models with these layers; if the model was trained otherwise, add the file",
                *(folder, shape.normalize_waveform),
            )
        try:
            return shape, cls.huggingface_state(state), _sha256_of_files(files)
        except SureError as error:
            raise SureError(f"{files[0]}: {error}") from None


def _weights_files(folder: Path) -> list[Path]:
    """The file with the weights, or the several files that an index lists. Raises SureError if one is missing."""
    for name in HUGGINGFACE_WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        if (index := folder / f"{name}.index.json").is_file():
            listed = read_json(index, AGAIN, keys=["weight_map"])["weight_map"]
            parts = sorted(set(listed.values())) if isinstance(listed, dict) else []
            files = [
                folder / Path(str(part)).name for part in parts
            ]  # only names: a path in the index cannot leave the folder
            if missing := [file.name for file in files if not file.is_file()]:
                raise SureError(f"{folder} lacks {some_of(missing)}, which {index.name} names; {AGAIN}")
            if files:
                return files
    raise SureError(f"{folder} has neither {' nor '.join(HUGGINGFACE_WEIGHTS)}, in one file or with an index; {AGAIN}")


def _sha256_of_files(files: list[Path]) -> str:
    digests = [sha256_of_file(file) for file in files]
    return digests[0] if len(files) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _renamed(name: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        if found := re.match(re.escape(old).replace(r"\#", r"(\d+)") + r"(?=\.|$)", name):
            return new.replace("#", found[1] if found.groups() else "#") + name[found.end() :]
    return name


def _other_family(kind: str) -> str:
    known = [name for name in names("backbones") if issubclass(find("backbones", name), FromHuggingFace)]
    return f"set backbone.name={kind}" if kind in known else f"the families with such folders are {', '.join(known)}"


def _read_extractor(folder: Path) -> dict[str, Any]:
    """Settings of the feature extractor. transformers 5 reads processor_config.json first, and may write only that."""
    if (folder / "processor_config.json").is_file():
        processor = read_json(folder / "processor_config.json", AGAIN)
        for key in ("feature_extractor", "audio_processor"):
            if isinstance(processor.get(key), dict):
                return processor[key]
    settings = folder / "preprocessor_config.json"
    return read_json(settings, AGAIN) if settings.is_file() else {}


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return read_safetensors(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SureError(f"{path} cannot be read ({reason}); {AGAIN}") from None
