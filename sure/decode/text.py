"""Stage 5 of recognition: greedy decoding, or beam search with an n-gram model whose weights are tuned on dev."""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sure.config import Config
from sure.config_sections import DecodeConfig
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.tables import format_table
from sure.decode.record import write_record
from sure.device import describe_device, pick_device
from sure.errors import SureError
from sure.files import replace_file
from sure.models.loading import audio_batches, in_batches
from sure.models.precision import convert
from sure.models.recognition import RecognitionModel
from sure.parsing import read_json
from sure.progress import progress_bar
from sure.recipe import names
from sure.tasks.beam_search import BeamSearch
from sure.text.arpa import LanguageModel, format_arpa, load_model
from sure.text.lexicon_files import read_words
from sure.text.ngram import estimate

UNTUNED = {"weight": 0.5, "word_score": 0.0}
NOT_SEARCH = {"name", "batch_seconds", "vocoder", "precision"}  # settings that do not change the search


@dataclass
class LanguageResources:
    """N-gram model and word list of a search. ngram_sha256: of the model's ARPA file; "" without a model."""

    ngram: LanguageModel | None
    ngram_sha256: str
    words: frozenset[str] | None


def load_language_resources(config: Config, model: RecognitionModel) -> LanguageResources:
    """Read the files of `decode.ngram` and `decode.lexicon`, or make both from the training texts.

    Raises SureError naming the key and the problem with the file or the texts.
    """
    settings = config.decode
    texts: list[list[str]] = []
    if "train" in (settings.ngram, settings.lexicon):
        texts = [model.task.reference(utterance).split() for utterance in read_data_dir(config.data.train)]
    found = LanguageResources(None, "", None)
    try:
        if settings.ngram == "train":
            found.ngram = estimate(texts, settings.order)
            found.ngram_sha256 = hashlib.sha256(format_arpa(found.ngram).encode()).hexdigest()
        elif settings.ngram != "none":
            found.ngram, found.ngram_sha256 = load_model(Path(settings.ngram))
    except SureError as error:
        raise SureError(f"decode.ngram={settings.ngram}: {error}") from None
    if settings.lexicon == "train":
        found.words = frozenset(word for words in texts for word in words)
    elif settings.lexicon != "none":
        found.words = read_words(settings.lexicon, "decode.lexicon")
        if not found.words:
            raise SureError(f"decode.lexicon={settings.lexicon}: no word in it; expected one on each line")
    return found


def make_search(model: RecognitionModel, resources: LanguageResources, settings: DecodeConfig) -> BeamSearch:
    """Raises SureError where the model's tokens can spell no word of the lexicon or of the n-gram model."""
    for key, words in {"lexicon": resources.words, "ngram": resources.ngram and resources.ngram.words()}.items():
        if words and all(model.task.tokenizer.unknown(word) for word in words):
            raise SureError(
                f"decode.{key}={getattr(settings, key)}: the tokens spell none of its {len(words)} words, "
                f"for example {min(words)!r}; write them as in the training texts, perhaps in lower case"
            )
    return BeamSearch(model.task.tokenizer.pieces(), settings, resources.ngram, resources.words)


def tuning_conditions(settings: DecodeConfig, resources: LanguageResources) -> dict[str, Any]:
    """All settings that tuned weights depend on."""
    shown = settings.model_dump(mode="json", exclude=NOT_SEARCH | UNTUNED.keys())
    return {**shown, "ngram_sha256": resources.ngram_sha256}


def with_weights(
    folder: Path, settings: DecodeConfig, resources: LanguageResources
) -> tuple[DecodeConfig, dict[str, Any]]:
    """The settings with all weights, and the content of the tuning file that was used, or {}.

    A weight is the given one, else the one tuned for this experiment, else that of UNTUNED. Raises SureError where
    weights were tuned under other conditions.
    """
    path = folder / names.tuned_file(settings.name)
    missing = [key for key in UNTUNED if getattr(settings, key) is None]
    again = "run python -m sure.bin.tune_decode again, which writes it, or delete the file"
    tuned = read_json(path, again, (*UNTUNED, "conditions", "data", "score")) if missing and path.exists() else {}
    wanted = tuning_conditions(settings, resources)
    for key, value in tuned.get("conditions", {}).items():
        if wanted.get(key) != value:
            raise SureError(
                f"{path}: weights were tuned with {key} {value}, now it is {wanted.get(key)}; tune them again "
                f"(python -m sure.bin.tune_decode), or set {' and '.join(f'decode.{key}' for key in missing)}"
            )
    return settings.model_copy(update={key: tuned.get(key, UNTUNED[key]) for key in missing}), tuned


@dataclass
class Decoding:
    """How to decode.

    decode: lines for waves (batch, samples) and their lengths (batch,). record: the settings, for decoding.json.
    precision: the context in which `decode` is to be called.
    by_language: `decode` also takes `language`, that of the utterances (`utt2lang`) or None.
    """

    decode: Callable[[Tensor, Tensor], Sequence[str]]
    record: dict[str, Any]
    precision: AbstractContextManager
    by_language: bool = False


def make_decoding(folder: Path, config: Config, model: RecognitionModel) -> Decoding:
    """The decoding of the config's section `decode`, for the experiment in `folder`.

    Converts the model to `decode.precision`. Raises SureError as `load_language_resources` and `with_weights`.
    """
    label, settings = config.decoding, config.decode
    precision = convert(model, settings.precision, pick_device(config.train.device))
    other = {} if settings.precision == "fp32" else {"precision": settings.precision}
    if settings.method == "greedy":
        return Decoding(model.hypotheses, {"decoding": label, "settings": {"method": "greedy", **other}}, precision)
    resources = load_language_resources(config, model)
    settings, tuned = with_weights(folder, settings, resources)
    search = make_search(model, resources, settings)
    shown = settings.model_dump(mode="json", exclude=NOT_SEARCH)
    record = {"decoding": label, "settings": {**shown, **other, "ngram_sha256": resources.ngram_sha256}}
    as_tuned = all(tuned.get(key) == getattr(settings, key) for key in UNTUNED)  # other weights have no dev score
    record |= {"tuned_on": tuned.get("data"), "dev_score": tuned["score"] if as_tuned else None}

    def decode(waves: Tensor, lengths: Tensor) -> list[str]:
        return list(map(search.best, model.log_probabilities(waves, lengths)))

    return Decoding(decode, record, precision)


def decode_set(config: Config, model: RecognitionModel, data: str, out: Path, decoding: Decoding) -> None:
    """Decode a data folder into `out`: hyp.txt and ref.txt, sorted by id, and decoding.json."""
    utterances = read_data_dir(data)
    model.task.check_set(utterances, data)
    device, begun = pick_device(config.train.device), time.monotonic()
    rows = _decoded(config, model, utterances, decoding, device)
    found = dict(progress_bar(rows, out.name, len(utterances), unit="utterance"))
    speed = {"decode_seconds": round(time.monotonic() - begun, 3), "decode_device": describe_device(device)}
    about = {"set": names.set_name(data, config.data.sets()), "data": data}
    languages = {one.language for one in utterances}
    if len(languages) == 1 and None not in languages:
        about |= {"language": languages.pop()}
    write_record(out, {**about, **decoding.record, **speed})
    replace_file(out / "ref.txt", format_table([(one.id, model.task.reference(one)) for one in utterances]))
    replace_file(out / "hyp.txt", format_table([(one.id, found[one.id]) for one in utterances]))


def _decoded(
    config: Config, model: RecognitionModel, utterances: Sequence[Utterance], decoding: Decoding, device: torch.device
) -> Iterator[tuple[str, str]]:
    """The id and line of each utterance."""
    groups: dict[str | None, list[Utterance]] = {}
    for one in utterances:
        groups.setdefault(one.language if decoding.by_language else None, []).append(one)
    for language, group in groups.items():
        decode = partial(decoding.decode, language=language) if decoding.by_language else decoding.decode
        batches = audio_batches(group, model.encoder, config, model.decode_difference)
        yield from in_batches(decode, batches, device, decoding.precision)
