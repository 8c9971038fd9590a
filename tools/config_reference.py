#!/usr/bin/env python3
"""Every key of the configuration with type, default, bounds and meaning, as Markdown, from the classes that check it.

python tools/config_reference.py --out docs/configuration.md
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from write_page import write_page

from sure import registry
from sure.config import Config
from sure.errors import run
from sure.generation.settings import GenerationConfig
from sure.petl.base import PetlConfig

HEAD = """# Configuration

Made by `python tools/config_reference.py --out docs/configuration.md` from the classes that check a configuration.

A configuration is one or more YAML files (`conf/*.yaml` of a recipe); if several set a key, the last one
counts. `key=value` on the command line sets one key, such as `train.epochs=3` or `petl.rank=4`. An unknown key is
an error. `exp/<name>/config.yaml` of each experiment has all values.
"""
SYMBOLS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


class Key(NamedTuple):
    """One row of the reference; `name` as in `train.epochs`."""

    name: str
    type: str
    default: str
    bounds: str
    meaning: str


def reference() -> str:
    """The whole page as Markdown."""
    tables = "".join(f"\n## {title}\n\n{_table(keys)}" for title, keys in sections())
    return f"{HEAD}{tables}\n## `decode.generation`\n\n{_list(_keys(GenerationConfig, 'decode.generation.'))}"


def sections() -> Iterator[tuple[str, list[Key]]]:
    """Title and keys of each section, task and method."""
    plain = [name for name, field in Config.model_fields.items() if _section(field) is None]
    plain = [name for name in plain if name not in ("head", "petl")]
    yield "At the top", [_key(Config, name, "") for name in plain]
    for name, field in Config.model_fields.items():
        if section := _section(field):
            yield f"`{name}`", _keys(section, f"{name}.")
    heads: dict[tuple[Key, ...], list[str]] = {}
    for task in registry.names("tasks"):
        heads.setdefault(tuple(_keys(registry.find("tasks", task).Config, "head.")), []).append(f"`{task}`")
    for keys, tasks in heads.items():
        yield f"`head`, for `task:` {', '.join(tasks)}", list(keys)
    common = _keys(PetlConfig, "petl.")
    yield "`petl`, for all methods", common
    for method in registry.names("petl"):
        keys = _keys(registry.find("petl", method).Config, "petl.")
        yield f"`petl`, for `petl.name: {method}`", [key for key in keys if key not in common]


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel else None


def _keys(config: type[BaseModel], prefix: str) -> list[Key]:
    return [_key(config, name, prefix) for name in config.model_fields]


def _key(config: type[BaseModel], name: str, prefix: str) -> Key:
    field = config.model_fields[name]
    bases = [base for base in config.__mro__ if issubclass(base, BaseModel) and name in base.model_fields]
    described = (base.model_fields[name].description for base in bases)  # a subclass may change only the default
    default = "required" if field.is_required() else f"`{_plain(field.get_default())}`"
    if isinstance(field.get_default(), BaseModel):
        default = "those below"
    bounds = [_bound(item) for item in field.metadata]
    return Key(prefix + name, _type(field.annotation), default, ", ".join(bounds), next(filter(None, described), ""))


def _bound(item: Any) -> str:
    shown = [f"{sign} {getattr(item, key)}" for key, sign in SYMBOLS.items() if getattr(item, key, None) is not None]
    if isinstance(item, annotated_types.Len) or hasattr(item, "min_length"):
        shown.append(f"{item.min_length} or more")
    if pattern := getattr(item, "pattern", None):
        shown.append(f"matches `{pattern}`")
    return ", ".join(shown)


def _plain(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else f"{value}" or '""'


def _type(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bounds = ", ".join(map(_bound, getattr(arguments[1], "metadata", [])))
        return f"{_type(arguments[0])} ({bounds})" if bounds else _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(map(_type, arguments))
    if origin is list:
        return f"list of {_type(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(map(_type, arguments))}]"
    names = {type(None): "null", bool: "`true` or `false`", int: "integer", float: "number", str: "text"}
    return names.get(kind) or {"Path": "path"}.get(kind.__name__, kind.__name__)


def _list(keys: list[Key]) -> str:
    """A line for each key of a section within a section."""
    lines = (
        f"- `{key.name}` ({', '.join(filter(None, (key.type, key.bounds)))}; default {key.default}): {key.meaning}\n"
        for key in keys
    )
    return "".join(lines)


def _table(keys: list[Key]) -> str:
    if not keys:
        return "No further keys.\n"
    rows = [("key", "type", "default", "bounds", "meaning"), ("---",) * 5]
    rows += [(f"`{key.name}`", *(value.replace("|", r"\|") for value in key[1:])) for key in keys]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    run(lambda: write_page(__doc__, reference))
