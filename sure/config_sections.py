"""The sections of the configuration: for every key its type, default, bounds and meaning (docs/configuration.md)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sure.errors import SureError
from sure.generation.settings import GenerationConfig
from sure.recipe.names import GREEDY, SEARCH
from sure.text.languages import check_language
from sure.text.phones import Fold

EARLIER_KEYS = {"backbone": {"group_norm": "padding"}}  # by section: keys of earlier versions, and today's


def current_keys(section: str, given: Any) -> Any:
    """The keys and values of a section, with today's names for keys of earlier versions."""
    names = EARLIER_KEYS.get(section, {})
    return {names.get(key, key): value for key, value in given.items()} if isinstance(given, Mapping) else given


class Section(BaseModel):
    """A part of the configuration; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


class DataConfig(Section):
    train: str = Field(description="folder of the training set")
    valid: str = Field(
        description="folder of the dev set, whose score selects the best epoch; at equal scores the lower dev loss"
    )
    tests: list[str] = Field([], description="folders of the test sets, decoded and scored in stages 5 and 6")
    min_seconds: float = Field(0.1, ge=0, description="seconds; shorter training utterances are left out and counted")
    max_seconds: float = Field(
        20.0, gt=0, description="seconds; longer training utterances are left out and counted, dev and test ones never"
    )
    on_bad_utterance: Literal["stop", "skip"] = Field(
        "stop",
        description="for a training recording that cannot be read any more, or a transcript that cannot be encoded: "
        "stop with an error, or skip the utterance and list it in left_out.txt",
    )
    max_bad_percent: float = Field(
        5.0,
        ge=0,
        le=100,
        description="with skip, in training: largest percentage of bad utterances (stage 2 checks --max_bad_percent)",
    )
    cache_gigabytes: float = Field(2.0, ge=0, description="memory for decoded audio, in GB")

    @model_validator(mode="after")
    def _names_differ(self) -> "DataConfig":
        self.sets()
        return self

    def sets(self) -> dict[str, str]:
        """The data folder of each set, by the folder's own name. Raises SureError if two folders have the same name."""
        known: dict[str, str] = {}
        for folder in (self.train, self.valid, *self.tests):
            other = known.setdefault(Path(folder).name, folder)
            if Path(other) != Path(folder):
                raise SureError(
                    f"data: {other} and {folder} have the same name, so both would be decoded into "
                    f"decode_{Path(folder).name}; rename one of the folders"
                )
        return known


class TokenizerConfig(Section):
    kind: Literal["character", "bpe", "unigram", "phone", "slot", "recognizer"] = Field(
        "character", description="unit of the targets; the default is the first one that the task has"
    )
    size: int | None = Field(None, gt=0, description="vocabulary size, for bpe and unigram")
    lexicon: list[str] | None = Field(
        None, description="for phones: files with lines `word phone phone ...`; without one, transcripts are phones"
    )
    fold: Fold | None = Field(None, description="for phones: smaller phone set that phones are mapped to")
    recognizer: str = Field(
        "", description="for kind recognizer: the weights whose own tokens are used; default: backbone.weights"
    )
    folder: str = Field("", description="output folder of stage 3; the default is `tokens` next to the training set")

    @field_validator("lexicon", mode="before")
    @classmethod
    def _one_file_is_a_list(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given


class TextConfig(Section):
    language: str = Field("en", description="ISO 639 code of the language, for text normalisation and phones")
    phones: Literal["cmudict", "espeak"] | None = Field(None, description="for TTS; default: cmudict (en) or espeak")

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str) -> str:
        return check_language(language)


class BackboneConfig(Section):
    name: str = Field(description="backbone family: the name of a file in sure/backbones")
    weights: str = Field("random", description="file, folder or torchaudio bundle; random:<shape> draws new weights")
    layers: Literal["last", "weighted_sum"] = Field(
        "last", description="encoder output that the head reads, unless a method combines the layers itself"
    )
    padding: Literal["auto", "masked", "as_trained"] = Field(
        "auto",
        description="masked: padding never changes the result; as_trained: as in the original model, where padding "
        "enters group norms and position convolutions, and Whisper pads every utterance to 30 s; auto: masked, except "
        "for Whisper with its own decoder",
    )
    frozen_weights: Literal["auto", "fp32", "bf16", "int8", "nf4"] = Field(
        "auto",
        description="number format of the linear maps of layers that no method trains; auto: bf16 for training in "
        "bf16, else fp32; int8 and nf4 store less and change results; a bundle is used with the exact weights",
    )


class TrainConfig(Section):
    epochs: int = Field(30, gt=0, description="number of passes over the training set")
    batch_seconds: float = Field(
        60.0,
        gt=0,
        description="largest batch: utterances times the longest one, in seconds; for attention, one of 20 s counts "
        "1.1 times its seconds, of 30 s 1.2 times; batches of similar lengths may be smaller",
    )
    accumulate: int = Field(1, gt=0, description="batches per optimizer step")
    lr_adapter: float = Field(1e-3, ge=0, description="peak learning rate of the methods' parameters")
    lr_head: float = Field(1e-3, ge=0, description="peak learning rate of the head")
    weight_decay: float = Field(0.0, ge=0, description="weight decay of AdamW")
    warmup: float = Field(0.1, ge=0, le=1, description="fraction of all steps with a linearly rising learning rate")
    hold: float = Field(0.0, ge=0, le=1, description="fraction of all steps at the peak rate; then linear decay to 0")
    clip: float = Field(1.0, gt=0, description="largest gradient norm")
    patience: int = Field(0, ge=0, description="epochs without a better dev score before training stops; 0: never")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="number format of the forward pass; auto: bf16 where that is faster, else fp32"
    )
    recompute_layers: bool = Field(
        False, description="store no activations of layers that train: less memory, one more forward pass, same results"
    )
    memory: str = Field(
        "",
        description="most memory of the training process, such as 8gb or 900mb: chooses recompute_layers, "
        "frozen_weights, batches and caches, and logs the choice; empty: no limit",
    )
    prefix_cache: Literal["auto", "off"] = Field("auto", description="whether outputs of frozen layers may be cached")
    prefix_cache_disk_gigabytes: float = Field(
        20.0,
        ge=0,
        description="disk for the prefix caches of all trainings on a corpus, in GB; unused ones are "
        "removed for new ones",
    )
    prefix_cache_folder: str = Field(
        "", description="folder of prefix caches; default: the folder prefix_cache next to data.train"
    )
    prefix_cache_gigabytes: float = Field(
        4.0, ge=0, description="memory for the prefix cache where it cannot be on disk, in GB"
    )
    save_minutes: float = Field(10.0, gt=0, description="minutes between checkpoints; each epoch also ends with one")
    workers: str = Field(
        "auto",
        pattern=r"^(auto|\d{1,3})$",
        description="processes that decode audio, for recognition; auto: several on a GPU, a thread on a CPU; the "
        "batches are the same; TTS reads features",
    )
    threads: int = Field(0, ge=0, description="CPU threads of torch; 0: torch's default")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:<number>; auto: a GPU if there is one")
    track: Literal["", "wandb", "mlflow"] = Field(
        "", description="tracker that shows scores and config of the training too; run.sh: --track"
    )
    explode: float = Field(1e4, gt=0, description="training stops with an error at a mean loss above this value")

    @field_validator("workers", mode="before")
    @classmethod
    def _is_text(cls, workers: Any) -> Any:
        """Numbers, as in configs of earlier versions, as text."""
        return str(workers) if type(workers) is int else workers

    @field_validator("memory")
    @classmethod
    def _is_a_size(cls, memory: str) -> str:
        if memory and not re.fullmatch(r"\d+(\.\d+)?(gb|mb)", memory.lower()):
            raise SureError(f"train.memory={memory}: expected a size such as 8gb or 900mb, or nothing for no limit")
        return memory.lower()


class DecodeConfig(Section):
    """Settings of stage 5, except `batch_seconds`, which also holds for the greedy dev decoding during training."""

    method: Literal["greedy", "beam"] = Field("greedy", description="best label of each frame, or beam search")
    batch_seconds: float = Field(
        120.0,
        gt=0,
        description="largest batch: utterances times the longest one, in seconds; for attention, one of 20 s counts "
        "1.1 times its seconds, of 30 s 1.2 times; batches of similar lengths may be smaller",
    )
    precision: Literal["fp32", "bf16", "int8"] = Field(
        "fp32",
        description="for recognition, number format of stage 5; bf16 is faster on many devices, int8 stores linear "
        "maps in a quarter of the memory; both merge methods where possible and change results slightly",
    )
    vocoder: str = Field("griffin_lim", description="for TTS: griffin_lim, or the checkpoint of a HiFi-GAN generator")
    name: str = Field(SEARCH, pattern="^[A-Za-z0-9._-]+$", description="name of this decoding in folders and tables")
    beam: int = Field(50, gt=0, description="beam search: hypotheses kept after each frame")
    margin: float = Field(15.0, gt=0, description="beam search: largest distance from the best, in log probability")
    min_probability: float = Field(1e-3, ge=0, lt=1, description="beam search: least probability of extending tokens")
    ngram: str = Field(
        "train",
        description="beam search: word n-gram model: a file (ARPA or KenLM), train (estimated on the training "
        "transcripts) or none",
    )
    order: int = Field(4, gt=0, description="order of the n-gram model that is estimated on the training transcripts")
    lexicon: str = Field(
        "none",
        description="beam search: allowed words: a file with a word at the start of each line, train (those of the "
        "training transcripts) or none (any word)",
    )
    weight: float | None = Field(None, ge=0, description="weight of the n-gram model; default: as tuned on dev, or 0.5")
    word_score: float | None = Field(
        None, description="natural logarithm added per word; default: as tuned on dev, or 0"
    )
    generation: GenerationConfig = Field(
        GenerationConfig(),
        description="for a recogniser's own decoder: settings of the search, listed at the end of this page",
    )
    unknown: float = Field(-10.0, le=0, description="natural logarithm added for each word outside the n-gram model")

    @model_validator(mode="after")
    def _names_differ(self) -> "DecodeConfig":
        if self.name == GREEDY:
            raise SureError("decode.name=greedy is the name of decoding without a search; choose another name")
        return self
