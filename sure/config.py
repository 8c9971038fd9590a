"""The typed configuration: YAML files, later ones winning, then `key=value` overrides; an unknown key is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, model_validator

from sure import registry
from sure.config_sections import (
    SEARCH,
    BackboneConfig,
    DataConfig,
    DecodeConfig,
    Section,
    TextConfig,
    TokenizerConfig,
    TrainConfig,
)
from sure.data.augment import AugmentConfig
from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.files import replace_file
from sure.parsing import parse_yaml


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

    @property
    def decoding(self) -> str:
        """What this way of decoding is called: the name of a search, or of synthesis if it has one; else greedy."""
        speaks = registry.find("tasks", self.task).speaks
        is_named = self.decode.method == "beam" or (speaks and self.decode.name != SEARCH)
        return self.decode.name if is_named else "greedy"

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
            if update.keys() == {"name"}:
                return _list_by_name(base, update)
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


def _list_by_name(base: list[Any], update: dict[str, Any]) -> Any:
    """A list is known by the names in it, and stays. One that has other names too would lose its settings unseen."""
    known, wanted = _name_of(base), str(update["name"])
    if wanted == known:
        return base
    if {*wanted.split("+")} & {*known.split("+")}:
        raise SureError(
            f"petl is the list {known} in the config, and petl.name={wanted} would drop its settings; call it by all "
            f"its names: --petl {known}, in conf/petl/{known}.yaml"
        )
    return update


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
