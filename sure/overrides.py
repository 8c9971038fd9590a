"""Overrides of the config, `key=value`: the text after `=` becomes a value by the type of its key."""

from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from sure.errors import SureError
from sure.parsing import parse_yaml

PLAIN = ("task", "seed")  # keys at the top that are no sections


class Text(str):
    """Text of the override `override`, which errors name."""

    override: str

    def __new__(cls, text: str, override: str) -> "Text":
        made = super().__new__(cls, text)
        made.override = override
        return made


def read_override(word: str) -> tuple[str, dict[str, Any]]:
    """The key of `key=value`, and its nested form: `train.epochs=3` is {train: {epochs: Text 3}}.

    Raises SureError for a word that is no override.
    """
    key, equals, text = word.partition("=")
    if not equals or not all(key.split(".")):
        raise SureError(f"override {word!r}: expected key=value, e.g. train.epochs=3")
    value: Any = Text(text, word)
    if "." not in key and key not in PLAIN:  # a section, which is merged with others key by key
        value = _parse(value)
    for part in reversed(key.split(".")):
        value = {part: value}
    return key, value


def convert_texts(model: type[BaseModel], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with each Text converted for its field of `model`.

    A text field gets the text itself, also where YAML would read something else (`no`, `2024_05`, `hf #3`). For other
    fields the text is YAML whose scalars stay text, which pydantic converts; `null` is None where the field takes None.
    """
    converted = {}
    for key, value in given.items():
        annotation = model.model_fields[key].annotation if key in model.model_fields else None
        if isinstance(value, Text):
            value = _convert(value, annotation)
        if isinstance(value, Mapping) and isinstance(annotation, type) and issubclass(annotation, BaseModel):
            value = convert_texts(annotation, value)
        converted[key] = value
    return converted


def override_of(value: Any) -> str:
    """The override that a value comes from; empty for a value from elsewhere."""
    if isinstance(value, Text):
        return value.override
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return next(filter(None, map(override_of, inner)), "")


def _convert(text: Text, annotation: Any) -> Any:
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if type(None) in kinds and text in ("null", "~", ""):
        return None
    return _parse(text) if any(get_origin(kind) in (list, tuple) for kind in kinds) else text


def _parse(text: Text) -> Any:
    """Lists, mappings and Text of a text in YAML. Raises SureError naming the override."""
    try:
        return _with_override(parse_yaml(text, scalars_as_text=True), text.override)
    except ValueError as error:
        raise SureError(f"override {text.override!r}: the value is not YAML ({error})") from None


def _with_override(value: Any, override: str) -> Any:
    if isinstance(value, dict):
        return {key: _with_override(inner, override) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_override(inner, override) for inner in value]
    return Text(value, override)
