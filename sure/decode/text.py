"""Stage 5's choice of a text: greedy, or by a search with an n-gram model, its weights tuned on dev; and its record."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sure.config import Config
from sure.config_sections import DecodeConfig
from sure.data.data_dir import read_data_dir
from sure.errors import SureError
from sure.models.recognition import SureModel
from sure.parsing import parse_json
from sure.tasks.beam_search import BeamSearch
from sure.text.arpa import format_arpa, load_model
from sure.text.ngram import LanguageModel, estimate

RECORD = "decoding.json"
UNTUNED = {"weight": 0.5, "word_score": 0.0}
NOT_TUNED_FOR = ("weight", "word_score", "name", "batch_seconds", "vocoder")  # what may differ from what was tuned


@dataclass
class Knowledge:
    """What a search knows of the language. model_sha256: of its file, or of it as a file; "" without one."""

    model: LanguageModel | None
    model_sha256: str
    words: frozenset[str] | None


def learn(config: Config, model: SureModel) -> Knowledge:
    """Read what `decode.ngram` and `decode.lexicon` name, or make it of the training texts.

    Raises SureError naming the key, and what is wrong with the file or the texts.
    """
    settings = config.decode
    texts: list[list[str]] = []
    if "train" in (settings.ngram, settings.lexicon):
        texts = [model.task.reference(utterance).split() for utterance in read_data_dir(config.data.train)]
    knowledge = Knowledge(None, "", None)
    try:
        if settings.ngram == "train":
            knowledge.model = estimate(texts, settings.order)
            knowledge.model_sha256 = hashlib.sha256(format_arpa(knowledge.model).encode()).hexdigest()
        elif settings.ngram != "none":
            knowledge.model, knowledge.model_sha256 = load_model(Path(settings.ngram))
    except SureError as error:
        raise SureError(f"decode.ngram={settings.ngram}: {error}") from None
    if settings.lexicon == "train":
        knowledge.words = frozenset(word for words in texts for word in words)
    elif settings.lexicon != "none":
        knowledge.words = read_words(Path(settings.lexicon))
    return knowledge


def read_words(path: Path) -> frozenset[str]:
    """The first word of every line. Raises SureError naming the file when it cannot be read or has none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"decode.lexicon={path}: cannot be read ({error})") from None
    words = frozenset(unicodedata.normalize("NFC", line.split()[0]) for line in lines if line.strip())
    if not words:
        raise SureError(f"decode.lexicon={path}: no word in it; expected one on each line")
    return words


def make_search(model: SureModel, knowledge: Knowledge, settings: DecodeConfig) -> BeamSearch:
    """Raises SureError where no word of the lexicon or of the n-gram model can be said: it is in another spelling."""
    for key, words in {"lexicon": knowledge.words, "ngram": knowledge.model and knowledge.model.words()}.items():
        if words and all(model.task.tokenizer.unknown(word) for word in words):
            raise SureError(
                f"decode.{key}={getattr(settings, key)}: the tokens spell none of its {len(words)} words, "
                f"{min(words)!r} for one; write them as the training texts are written, in lower case perhaps"
            )
    return BeamSearch(model.task.tokenizer.pieces(), settings, knowledge.model, knowledge.words)


def tuned_path(folder: Path, settings: DecodeConfig) -> Path:
    """Where `sure.bin.tune_decode` leaves what it found for an experiment's search."""
    return folder / f"tuned_{settings.name}.json"


def conditions(settings: DecodeConfig, knowledge: Knowledge) -> dict[str, Any]:
    """What weights are tuned for."""
    return {**settings.model_dump(mode="json", exclude=set(NOT_TUNED_FOR)), "ngram_sha256": knowledge.model_sha256}


def with_weights(folder: Path, settings: DecodeConfig, knowledge: Knowledge) -> tuple[DecodeConfig, dict[str, Any]]:
    """The settings with every weight: as given, else as tuned for this experiment, else UNTUNED; and what was tuned.

    Raises SureError when weights were tuned for something else.
    """
    path = tuned_path(folder, settings)
    missing = [key for key in UNTUNED if getattr(settings, key) is None]
    tuned = _read_tuned(path) if missing and path.exists() else {}
    wanted = conditions(settings, knowledge)
    for key, value in tuned.get("conditions", {}).items():
        if wanted.get(key) != value:
            raise SureError(
                f"{path}: weights were tuned with {key} {value}, now it is {wanted.get(key)}; tune them again "
                f"(python -m sure.bin.tune_decode), or give {' and '.join(f'decode.{key}' for key in missing)}"
            )
    return settings.model_copy(update={key: tuned.get(key, UNTUNED[key]) for key in missing}), tuned


def _read_tuned(path: Path) -> dict[str, Any]:
    try:
        tuned = parse_json(path.read_text(encoding="utf-8"))
    except ValueError:
        tuned = None
    if not isinstance(tuned, dict) or not {*UNTUNED, "conditions", "data", "score"} <= tuned.keys():
        raise SureError(f"{path}: not what python -m sure.bin.tune_decode writes; run it again, or delete the file")
    return tuned


@dataclass
class Decoding:
    """answer: one line for each of the waves (batch, samples); record: how, for result.json."""

    answer: Callable[[Tensor, Tensor], Sequence[str]]
    record: dict[str, Any]


def make_decoding(folder: Path, config: Config, model: SureModel) -> Decoding:
    """As `decode` in the config says, for the experiment in `folder`. Raises as `learn` and `with_weights`."""
    label, settings = config.decoding, config.decode
    if settings.method == "greedy":
        return Decoding(model.hypotheses, {"decoding": label, "settings": {"method": "greedy"}})
    knowledge = learn(config, model)
    settings, tuned = with_weights(folder, settings, knowledge)
    search = make_search(model, knowledge, settings)
    shown = settings.model_dump(mode="json", exclude={"name", "batch_seconds", "vocoder"})
    record = {"decoding": label, "settings": {**shown, "ngram_sha256": knowledge.model_sha256}}
    as_tuned = all(tuned.get(key) == getattr(settings, key) for key in UNTUNED)  # the score of others is not known
    record |= {"tuned_on": tuned.get("data"), "dev_score": tuned["score"] if as_tuned else None}
    return Decoding(lambda waves, lengths: list(map(search.best, model.log_probabilities(waves, lengths))), record)


def decoded_folder(folder: Path, config: Config, name: str) -> Path:
    """Where what is said of a set goes: `decode_<set>`, with the decoding's name behind it unless that is greedy.

    Raises SureError when that is the folder of another set.
    """
    label = config.decoding
    if label == "greedy":
        return folder / f"decode_{name}"
    if f"{name}_{label}" in config.data.sets():
        raise SureError(
            f"decode_{name}_{label} is the folder of the set {name}_{label}, too; give this decoding another "
            "name: decode.name=NAME"
        )
    return folder / f"decode_{name}_{label}"


def read_record(folder: Path) -> dict[str, Any]:
    """What stage 5 wrote of a decoded set; of older experiments, what the folder's name says."""
    try:
        record = parse_json((folder / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"set": folder.name.removeprefix("decode_"), "decoding": "greedy", "settings": {"method": "greedy"}}
    except ValueError:
        record = None
    if not isinstance(record, dict) or not {"set", "decoding", "settings"} <= record.keys():
        raise SureError(f"{folder / RECORD}: not what stage 5 writes; decode this set again")
    return record
