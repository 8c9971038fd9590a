"""The typed configuration: YAML files, later ones winning, then `key=value` overrides; an unknown key is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator, model_validator

from sure import registry
from sure.data.acoustic import AcousticConfig
from sure.data.augment import AugmentConfig
from sure.errors import SureError
from sure.files import replace_file
from sure.plain import parse_yaml
from sure.text.phones import Fold


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
    # What follows is of beam search; scores are natural logarithms.
    name: str = Field("beam", pattern="^[A-Za-z0-9._-]+$")  # of this search, in folders and tables
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

    @property
    def label(self) -> str:
        return self.name if self.method == "beam" else self.method


class Config(Section):
    task: str
    seed: int = Field(1, ge=0, lt=2**63)  # what torch's generators take
    data: DataConfig
    tokenizer: TokenizerConfig = TokenizerConfig()
    text: TextConfig = TextConfig()
    acoustic: AcousticConfig = AcousticConfig()
    backbone: BackboneConfig
    petl: list[SerializeAsAny[BaseModel]]
    head: SerializeAsAny[BaseModel]
    train: TrainConfig = TrainConfig()
    decode: DecodeConfig = DecodeConfig()
    augment: AugmentConfig = AugmentConfig()

    @model_validator(mode="before")
    @classmethod
    def _settings_of_the_named(cls, given: Any) -> Any:
        """`petl` and `head` are checked by the classes that their method and task define."""
        given = dict(given)
        if "task" in given:
            task = registry.find("tasks", given["task"])
            given["head"] = _typed(task.Config, given.get("head", {}), "head")
            if isinstance(given.get("tokenizer", {}), Mapping):
                given["tokenizer"] = {"kind": task.tokenizer_kinds[0], **given.get("tokenizer", {})}
        if "petl" in given:
            given["petl"] = petl_settings(given["petl"])
            if not given["petl"]:
                raise SureError("petl: the list is empty; petl.name=linear_probe trains the head alone")
        return given

    @model_validator(mode="after")
    def _defaults(self) -> Config:
        registry.find("backbones", self.backbone.name)
        kinds = registry.find("tasks", self.task).tokenizer_kinds
        if self.tokenizer.kind not in kinds:
            raise SureError(f"tokenizer.kind={self.tokenizer.kind}: the task {self.task} has {', '.join(kinds)}")
        for key in ("lexicon", "fold"):
            if getattr(self.tokenizer, key) is not None and self.tokenizer.kind != "phone":
                raise SureError(f"tokenizer.{key} is about phones; the task {self.task} has none, so leave it out")
        methods = registry.find("tasks", self.task).decode_methods
        if self.decode.method not in methods:
            raise SureError(f"decode.method={self.decode.method}: the task {self.task} has {', '.join(methods)}")
        if self.decode.lexicon != "none" and self.tokenizer.kind == "phone":
            raise SureError("decode.lexicon lists words that tokens spell; phones are no spelling, so leave it out")
        if not self.tokenizer.folder:
            self.tokenizer.folder = str(Path(self.data.train).parent / "tokens")
        return self

    @property
    def method(self) -> str:
        """The method's name, `a+b` for a combination."""
        return "+".join(item.name for item in self.petl)

    def save(self, path: Path) -> None:
        """Write the whole resolved config as YAML, readable by `load_config`."""
        plain = self.model_dump(mode="json")
        plain["petl"] = plain["petl"][0] if len(plain["petl"]) == 1 else plain["petl"]
        replace_file(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def load_config(files: str | Path | Sequence[str | Path], overrides: Sequence[str] = ()) -> Config:
    """The config of one or more YAML files with `key=value` overrides such as `petl.rank=4`.

    Raises SureError naming the file or key, what was expected, and the nearest name there is.
    """
    files = [files] if isinstance(files, (str, Path)) else list(files)
    merged: dict[str, Any] = {}
    for file in files:
        merged = _merge(merged, read_plain_config(Path(file)))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise SureError(f"override {override!r}: expected key=value, e.g. train.epochs=3")
        merged = _merge(merged, _nested(key.split("."), _parse(text, override)), key)
    return make_config(merged, " + ".join(str(file) for file in files))


def make_config(given: Mapping[str, Any], source: str) -> Config:
    """A checked config from plain values; `source` is named in errors."""
    try:
        return Config.model_validate(given)
    except ValidationError as error:
        raise SureError(f"{source}: {_explain(error, Config)}") from None


def read_plain_config(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file, unchecked. Raises SureError naming the file when it has none."""
    try:
        loaded = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SureError(f"cannot read config {path}: {error.strerror}") from None
    except ValueError as error:
        raise SureError(f"config {path} is not YAML: {error}") from None
    if not isinstance(loaded, dict):
        raise SureError(f"config {path}: expected keys and values at the top, found {type(loaded).__name__}")
    return loaded


def _parse(text: str, override: str) -> Any:
    try:
        return parse_yaml(text)
    except ValueError:
        raise SureError(f"override {override!r}: the value is not YAML") from None


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: _nested(keys[1:], value) if len(keys) > 1 else value}


def _merge(base: Any, update: Any, key: str = "") -> Any:
    """`update` laid over `base`. Another method's name starts `petl` anew: its settings mean nothing to the new one."""
    if not isinstance(base, dict) or not isinstance(update, dict):
        if isinstance(base, list) and isinstance(update, dict):
            if update.keys() == {"name"}:  # a list is known by the names in it
                return base if update["name"] == _name_of(base) else update
            raise SureError(f"override {key}: petl is a list of methods here; write petl='[{{name: ...}}, ...]'")
        return update
    merged = dict(base)
    for name, value in update.items():
        old = merged.get(name)
        if (
            name == "petl"
            and isinstance(value, dict)
            and isinstance(old, dict)
            and value.get("name", old.get("name")) != old.get("name")
        ):
            merged[name] = value
        else:
            merged[name] = _merge(old, value, key) if name in merged else value
    return merged


def petl_settings(petl: Any) -> list[BaseModel]:
    """The settings of every method in what a config's `petl` may be: a name, `lora+prefix`, a method, a list of them.

    Raises SureError naming the method or setting that there is not.
    """
    return [_method(item) for item in _listed(petl)]


def _listed(petl: Any) -> Iterator[Any]:
    """The methods of `petl`; the name `lora+prefix` stands for two of them."""
    name = petl if isinstance(petl, str) else petl.get("name") if isinstance(petl, dict) else None
    if not isinstance(name, str) or "+" not in name:
        yield from petl if isinstance(petl, list) else [petl]
        return
    if isinstance(petl, dict) and len(petl) > 1:
        other = next(key for key in petl if key != "name")
        raise SureError(
            f"petl.{other}: which of {name.replace('+', ', ')} is meant? "
            f"Write petl='[{{name: {name.partition('+')[0]}, {other}: ...}}, ...]'"
        )
    yield from name.split("+")


def _name_of(petl: list[Any]) -> str:
    return "+".join(str(item.get("name", "")) if isinstance(item, dict) else str(item) for item in petl)


def _method(given: Any) -> BaseModel:
    given = {"name": given} if isinstance(given, str) else given
    if isinstance(given, BaseModel):
        return given
    if not isinstance(given, dict) or not given.get("name"):
        raise SureError(f"petl: expected a method's name, e.g. petl.name=lora; found {given!r}")
    return _typed(registry.find("petl", given["name"]).Config, given, f"petl ({given['name']})")


def _typed(model: type[BaseModel], given: Any, where: str) -> BaseModel:
    if not isinstance(given, (BaseModel, Mapping, type(None))):
        raise SureError(f"{where}: expected keys and values such as {{dropout: 0.1}}, found {given!r}")
    try:
        return model.model_validate(given if isinstance(given, BaseModel) else dict(given or {}))
    except ValidationError as error:
        raise SureError(f"{where}: {_explain(error, model)}") from None


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first complaint in words: key, what is wrong, what exists."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys_beside(model, first["loc"])
        return f"unknown key {key!r}{registry.nearest(str(first['loc'][-1]), known)}; there are: {', '.join(known)}"
    if first["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r}: {first['msg']}, found {first['input']!r}"


def _keys_beside(model: type[BaseModel], location: Sequence[Any]) -> list[str]:
    for part in location[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return sorted(model.model_fields)
