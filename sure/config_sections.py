"""The sections of the configuration: every key, its default and its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sure.errors import SureError
from sure.text.phones import Fold

SEARCH = "beam"  # what a search is called that has no name of its own


class Section(BaseModel):
    """A part of the config; keys it does not have are refused."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class DataConfig(Section):
    train: str
    valid: str
    tests: list[str] = []
    min_seconds: float = 0.1
    max_seconds: float = 20.0  # longer training utterances are left out, and counted; dev and test are never cut
    on_bad_utterance: Literal["stop", "skip"] = "stop"  # a training recording gone bad, a text that is no target
    max_bad_percent: float = Field(5.0, ge=0, le=100)  # of the training set; with more, skip stops, too
    cache_gigabytes: float = 2.0  # decoded audio kept in memory

    @model_validator(mode="after")
    def _names_differ(self) -> DataConfig:
        self.sets()
        return self

    def sets(self) -> dict[str, str]:
        """Data folders by set: the folder's own name, as in decode_<set>. Raises SureError for two with one name."""
        known: dict[str, str] = {}
        for folder in (self.train, self.valid, *self.tests):
            other = known.setdefault(Path(folder).name, folder)
            if Path(other) != Path(folder):
                raise SureError(
                    f"data: {other} and {folder} have one name, so both would be decoded into "
                    f"decode_{Path(folder).name}; rename one of the folders"
                )
        return known


class TokenizerConfig(Section):
    kind: Literal["character", "bpe", "unigram", "phone", "slot"] = "character"  # in a config: the task's own
    size: int | None = None  # of sentencepiece vocabularies
    lexicon: list[str] | None = None  # of phones: files of `word phone phone ...`; without one, texts are phones
    fold: Fold | None = None  # of phones: to the smaller set that is learned
    folder: str = ""  # what stage 3 writes; default: `tokens` beside the training set

    @field_validator("lexicon", mode="before")
    @classmethod
    def _one_file_is_a_list(cls, given: Any) -> Any:
        return [given] if isinstance(given, str) else given


class TextConfig(Section):
    language: str = "en"
    phones: Literal["cmudict", "espeak"] | None = None  # of synthesis; default: cmudict for English, espeak for others


class BackboneConfig(Section):
    name: str
    weights: str = "random"
    layers: Literal["last", "weighted_sum"] = "last"  # what the head reads, unless a method reads the layers itself
    group_norm: Literal["masked", "as_trained"] = "masked"


class TrainConfig(Section):
    epochs: int = Field(30, gt=0)
    batch_seconds: float = Field(60.0, gt=0)
    accumulate: int = Field(1, gt=0)  # batches an optimizer step
    lr_adapter: float = Field(1e-3, ge=0)
    lr_head: float = Field(1e-3, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    warmup: float = Field(0.1, ge=0, le=1)  # part of all steps with a rising rate
    hold: float = Field(0.0, ge=0, le=1)  # part after it with a constant one; then linear decay to 0
    clip: float = Field(1.0, gt=0)
    patience: int = Field(0, ge=0)  # epochs without a better dev score before stopping; 0: never
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    prefix_cache: Literal["auto", "off"] = "auto"
    prefix_cache_gigabytes: float = Field(4.0, ge=0)
    save_minutes: float = Field(10.0, gt=0)  # between checkpoints inside an epoch; every epoch's end has one
    workers: int = Field(0, ge=0)  # processes that decode audio; synthesis reads features, and needs none
    threads: int = Field(0, ge=0)  # of torch on the CPU; 0: torch's choice
    device: str = "auto"
    explode: float = Field(1e4, gt=0)  # a training loss above this stops the run


class DecodeConfig(Section):
    """All but `batch_seconds` is about stage 5, which may be told otherwise; the dev scores of training are greedy."""

    method: Literal["greedy", "beam"] = "greedy"
    batch_seconds: float = Field(120.0, gt=0)
    vocoder: str = "griffin_lim"  # of speech synthesis; or the checkpoint of a HiFi-GAN generator
    name: str = Field(SEARCH, pattern="^[A-Za-z0-9._-]+$")  # of this search, or this vocoder, in folders and tables
    # What follows is of beam search; scores are natural logarithms.
    beam: int = Field(50, gt=0)  # texts that are kept after each frame
    margin: float = Field(15.0, gt=0)  # of these, how far the last may be below the best
    min_probability: float = Field(1e-3, ge=0, lt=1)  # of a token in a frame, to be tried there
    ngram: str = "train"  # the model of words: a file, ARPA or kenlm's; train: made of the training texts; none
    order: int = Field(4, gt=0)  # of the model that is made of the training texts
    lexicon: str = "none"  # words that may be said: a file, one first on each line; train: of training texts; none: any
    weight: float | None = Field(None, ge=0)  # of the model; default: as tuned on dev, untuned 0.5
    word_score: float | None = None  # added for each word; default: as tuned on dev, untuned 0
    unknown: float = Field(-10.0, le=0)  # added for a word that the model does not have

    @model_validator(mode="after")
    def _names_differ(self) -> DecodeConfig:
        if self.name == "greedy":
            raise SureError("decode.name=greedy is what decoding without a search is called; choose another name")
        return self
