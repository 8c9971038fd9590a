"""The typed configuration, from YAML files (a later file overrides an earlier one) and `key=value` overrides."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, model_validator

from sure import registry
from sure.config_sections import (
    BackboneConfig,
    DataConfig,
    DecodeConfig,
    Section,
    TextConfig,
    TokenizerConfig,
    TrainConfig,
    current_keys,
)
from sure.data.augment import AugmentConfig
from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.files import replace_file
from sure.overrides import convert_texts, override_of, read_override
from sure.parsing import read_yaml
from sure.recipe import names
from sure.recipe.rates import rates_of

Model = TypeVar("Model", bound=BaseModel)


class Config(Section):
    task: str = Field(description="name of a file in sure/tasks")
    seed: int = Field(1, ge=0, lt=2**63, description="seed of every random generator; one experiment per seed")
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
    def _check_method_and_head(cls, given: Any) -> Any:
        """Check `petl` and `head` by the config classes of their methods and task."""
        given = dict(given)
        if "task" in given:
            task = registry.find("tasks", given["task"])
            given["head"] = _typed(task.Config, given.get("head", {}), "head")
            if isinstance(given.get("tokenizer", {}), Mapping):
                given["tokenizer"] = {"kind": task.tokenizer_kinds[0], **given.get("tokenizer", {})}
        if "petl" in given:
            given["petl"] = petl_settings(given["petl"])
            if not given["petl"]:
                raise SureError("petl: the list is empty; petl.name=linear_probe trains only the head")
            if "task" in given and task.stack:
                given["petl"] = [_in_stack(method, task.stack) for method in given["petl"]]
        return given

    @model_validator(mode="after")
    def _defaults(self) -> "Config":
        self._choose_padding()
        task, tokenizer, decode = registry.find("tasks", self.task), self.tokenizer, self.decode
        if tokenizer.kind not in task.tokenizer_kinds:
            raise SureError(
                f"tokenizer.kind={tokenizer.kind}: the task {self.task} has {', '.join(task.tokenizer_kinds)}"
            )
        for key in ("lexicon", "fold"):
            if getattr(tokenizer, key) is not None and tokenizer.kind != "phone":
                raise SureError(f"tokenizer.{key} is for phones; the task {self.task} has none: leave the key out")
        if decode.method not in task.decode_methods:
            raise SureError(f"decode.method={decode.method}: the task {self.task} has {', '.join(task.decode_methods)}")
        if decode.lexicon != "none" and tokenizer.kind == "phone":
            raise SureError("decode.lexicon is for tokens that spell words, not for phones: leave the key out")
        if tokenizer.kind == "recognizer":
            tokenizer.recognizer = tokenizer.recognizer or self.backbone.weights
        if not tokenizer.folder:
            tokenizer.folder = str(Path(self.data.train).parent / "tokens")
        return self

    def _choose_padding(self) -> None:
        """Replace `auto`: each family defines the padding of its recogniser; all other models have masked padding."""
        family, task = registry.find("backbones", self.backbone.name), registry.find("tasks", self.task)
        if self.backbone.padding == "auto":
            recognizer = registry.find_recognizer(self.backbone.name) if task.kind == "encoder_decoder" else family
            self.backbone.padding = getattr(recognizer, "usual_padding", "masked")

    @property
    def method(self) -> str:
        """The method's name, `a+b` for a combination."""
        return "+".join(item.name for item in self.petl)

    @property
    def decoding(self) -> str:
        """Name of the decoding: decode.name for a beam search, or for TTS where it is set; else `greedy`."""
        return names.decoding(self.decode.method, self.decode.name, registry.find("tasks", self.task).names_decodings)

    def save(self, path: Path) -> None:
        """Write all values as YAML, readable by `load_config`."""
        plain = self.model_dump(mode="json")
        plain["petl"] = plain["petl"][0] if len(plain["petl"]) == 1 else plain["petl"]
        replace_file(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))


def load_config(files: str | Path | Sequence[str | Path], overrides: Sequence[str] = ()) -> Config:
    """The config from one or more YAML files and `key=value` overrides such as `petl.rank=4`.

    Raises SureError naming the override, or file and key, what was expected, and the nearest known name.
    """
    files = [files] if isinstance(files, (str, Path)) else list(files)
    layers = [("", read_plain_config(Path(file))) for file in files]
    for override in overrides:
        key, value = read_override(override)
        layers.append((key, _current_keys(value)))
    return make_config(_merge_layers(layers), " + ".join(map(str, files)))


def make_config(given: Mapping[str, Any], source: str) -> Config:
    """Check plain values; errors name `source`."""
    return _typed(Config, _current_keys(given), source)


def read_plain_config(path: Path) -> dict[str, Any]:
    """Unchecked keys and values of a YAML file, with today's names of keys and methods. Raises SureError naming it."""
    return _current_keys(read_yaml(path, "correct this config, or give another --config"))


def _current_keys(given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _current_names(value) if key == "petl" else current_keys(key, value) for key, value in given.items()}


def _merge_layers(layers: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The layers, each with its key if it is an override, laid over each other.

    A layer's `petl` is left out if it names another method than the last name; keys without a name are for any method.
    The section `rates` of a layer, {task: {method: rate}}, is first replaced by the rates of this task and method.
    """
    merged = _overlay(layers)
    task, method = str(merged.get("task")), _name_of(merged.get("petl"))
    layers = [(key, _without_others(layer, method)) for key, layer in layers]
    if "rates" not in merged:
        return _overlay(layers)
    plain = []
    for key, layer in layers:
        others = {name: value for name, value in layer.items() if name != "rates"}
        if layer.get("rates") is not None:
            others = _merge({"train": rates_of(layer["rates"], task, method, registry.find)}, others)
        plain.append((key, others))
    return _overlay(plain)


def _overlay(layers: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, layer in layers:
        merged = _merge(merged, layer, key)
    return merged


def _without_others(layer: dict[str, Any], method: str) -> dict[str, Any]:
    """The layer without its `petl` if this names another method."""
    if _name_of(layer.get("petl", {})) in ("", method):
        return layer
    return {name: value for name, value in layer.items() if name != "petl"}


def _merge(base: Any, update: Any, key: str = "") -> Any:
    """`base` updated by `update`, recursively."""
    if not isinstance(base, dict) or not isinstance(update, dict):
        if isinstance(base, list) and isinstance(update, dict):
            if update.keys() == {"name"}:
                return _list_by_name(base, update)
            raise SureError(
                f"override {key}: petl is a list of methods; change the list itself, in conf/petl/{_name_of(base)}.yaml"
            )
        return update
    merged = dict(base)
    for name, value in update.items():
        merged[name] = _merge(merged[name], value, key) if name in merged else value
    return merged


def _list_by_name(base: list[Any], update: dict[str, Any]) -> Any:
    """`petl` for a petl.name over the list `base`: the list itself if the names agree; its settings are never lost."""
    known, wanted = _name_of(base), str(update["name"])
    if wanted == known:
        return base
    if {*wanted.split("+")} & {*known.split("+")}:
        raise SureError(
            f"petl is the list {known} in the config, and petl.name={wanted} would drop its settings; give all names: "
            f"--petl {known}, in conf/petl/{known}.yaml"
        )
    return update


def petl_settings(petl: Any) -> list[BaseModel]:
    """The checked settings of each method of `petl`: a name, `lora+prefix`, keys and values, or a list of these.

    Raises SureError naming an unknown method or setting.
    """
    petl = _current_names(petl)
    names = _name_of(petl).split("+")
    if isinstance(petl, list) or len(names) == 1:
        return [_method(item) for item in (petl if isinstance(petl, list) else [petl])]
    if other := next((key for key in petl if key != "name"), None) if isinstance(petl, dict) else None:
        raise SureError(
            f"petl.{other}: this key must belong to one of {', '.join(names)}; "
            f"write conf/petl/{_name_of(petl)}.yaml with the content {_list_with(names, other, petl[other])}"
        )
    return [_method(name) for name in names]


def _list_with(names: Sequence[str], key: str, value: Any) -> str:
    """The list `petl` of these methods, with `key` for the first one that has it, as a line of YAML."""
    owner = next((name for name in names if key in registry.find("petl", name).Config.model_fields), names[0])
    items = [f"{{name: {name}}}" for name in names]
    items[names.index(owner)] = f"{{name: {owner}, {key}: {value}}}"
    return f"`petl: [{', '.join(items)}]`"


def _current_names(petl: Any) -> Any:
    """The same methods by today's names."""
    if isinstance(petl, list):
        return [_current_names(item) for item in petl]
    if isinstance(petl, dict) and "name" in petl:
        return {**petl, "name": _current_names(petl["name"])}
    return "+".join(registry.current("petl", name) for name in petl.split("+")) if isinstance(petl, str) else petl


def _name_of(petl: Any) -> str:
    """The name of a config's `petl` in any of its forms: `a+b` for a list of methods."""
    items = petl if isinstance(petl, list) else [petl]
    return "+".join(str(item.get("name", "")) if isinstance(item, dict) else str(item) for item in items)


def _method(given: Any) -> BaseModel:
    if isinstance(given, BaseModel):
        return given
    given = {"name": given} if isinstance(given, str) else given
    if not isinstance(given, dict) or not given.get("name"):
        raise SureError(f"petl: expected a method's name, e.g. petl.name=lora; found {given!r}")
    return _typed(registry.find("petl", given["name"]).Config, given, f"petl ({given['name']})")


def _in_stack(method: BaseModel, stack: str) -> BaseModel:
    """A method whose default sites are those of one stack: of the encoder for methods that mix neighbours in time."""
    usual = type(method).model_fields["sites"].default
    if method.sites != usual or not usual.startswith("layer."):
        return method
    found = registry.find("petl", method.name)
    return method.model_copy(update={"sites": f"{stack if found.causal else 'encoder'}.layer.*.*"})


def _typed(model: type[Model], given: Any, where: str) -> Model:
    if not isinstance(given, (BaseModel, Mapping, type(None))):
        raise SureError(f"{where}: expected keys and values such as {{dropout: 0.1}}, found {given!r}")
    try:
        return model.model_validate(given if isinstance(given, BaseModel) else convert_texts(model, given or {}))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] != "missing" and (override := override_of(first["input"])):  # the files are innocent
            where = f"override {override}" if model is Config else f"override {override}: {where}"
        raise SureError(f"{where}: {_explain(error, model)}") from None


def _explain(error: ValidationError, model: type[BaseModel]) -> str:
    """The first error of pydantic as one line: the key, the fault, and the known keys."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        for part in first["loc"][:-1]:
            annotation = model.model_fields[part].annotation if part in model.model_fields else None
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                model = annotation
        known = sorted(model.model_fields)
        return f"unknown key {key!r}{registry.nearest(str(first['loc'][-1]), known)}; there are: {', '.join(known)}"
    if first["type"] == "missing":
        return f"key {key!r} is missing"
    fault = first["msg"].removeprefix("Input ").removeprefix("Value error, ").partition(", unable to parse")[0]
    return f"key {key!r}: {fault}, found {first['input']!r}"
