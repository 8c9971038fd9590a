"""The format of a recipe's `sources.yaml`, which lists the downloads of its corpus.

licence:     [lines to print]
attribution: [lines to print]
items:                              # all are fetched, into one folder
  - kind: archive                   # tar (any compression) or zip; with unpack: false, any file
    urls: [https://..., https://...]    # mirrors, tried in order
    sha256: 64 hex digits           # or md5; without either, the checksum of the download is printed
    bytes: 123456                   # size; checked, also against the free disk space
    unpacked_bytes: 234567          # limit for the unpacked content, also of each nested archive; default: see
                                    # sure.corpus.unpack.most_bytes
    into: some/folder               # below the corpus folder; default: the corpus folder itself
    nested: [in/it/part.tar.gz]     # archives in the archive: unpacked in their folder, in this order, then deleted
  - kind: debian                    # fetched by apt-get without root, unpacked by dpkg-deb
    packages: [{name: ..., version: ..., sha256: ...}]
  - kind: python_package            # one file of a wheel
    {name: ..., version: ..., member: path/in/wheel, sha256: of the member}
  - kind: manual                    # a corpus that must be downloaded by hand, such as after a registration
    instructions: text for the user, including the --corpus DIR to give
  - any_of:                         # alternative groups with the same content; the first available group is fetched
      - {name: Debian packages, items: [...]}
      - {name: release tarballs, items: [...]}

`urls` and `into` may have placeholders such as {lang}; the options of `sure.bin.download` (lang=en_us) fill them. A
value is one word of letters, digits, - and _. The name of a file that depends on an option must contain the option,
because all files are stored in one folder. Files that do not depend on it are fetched once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from sure.errors import SureError
from sure.parsing import read_yaml

FILLED = ("urls", "into")  # keys that may have placeholders
PLACEHOLDER = re.compile(r"\{(\w*)\}")
OPTION_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")  # cannot be a path or a part of a query


def _inside(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"expected a path below the corpus folder, got '{path}'")
    return path


def _with_kind(item: Any) -> Any:
    return {"kind": "any_of", **item} if isinstance(item, dict) and "any_of" in item else item


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Url = Annotated[str, Field(pattern=r"^https?://[^\s{}]+[^/\s{}]$")]
# names and versions become arguments of apt-get and pip, so they cannot begin with a hyphen
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
    def _nested_needs_unpack(self) -> Archive:
        if self.nested and not self.unpack:
            raise ValueError("nested needs unpack: true")
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
    unpack: ClassVar[bool] = True
    unpacked_bytes: ClassVar[None] = None
    nested: ClassVar[tuple] = ()


class PythonPackage(_Strict):
    kind: Literal["python_package"]
    name: Name
    version: Version
    member: Inside
    sha256: Sha256
    into: Inside = "."
    unpack: ClassVar[bool] = False


class Manual(_Strict):
    kind: Literal["manual"]
    instructions: str


class Group(_Strict):
    name: str
    items: list[Item] = Field(min_length=1)


class AnyOf(_Strict):
    kind: Literal["any_of"] = "any_of"
    any_of: list[Group] = Field(min_length=1)


Fetched = Archive | Debian | PythonPackage
Item = Annotated[Fetched | Manual | AnyOf, Field(discriminator="kind"), BeforeValidator(_with_kind)]


class Sources(_Strict):
    """The content of sources.yaml."""

    licence: list[str]
    attribution: list[str] = []
    items: list[Item] = Field(min_length=1)


def read_sources(path: Path, options: Mapping[str, str] | None = None) -> Sources:
    """Read sources.yaml and fill its placeholders with `options`.

    Raises SureError naming the file and key of any error, including a placeholder without an option and an option
    without a placeholder.
    """
    plan = read_yaml(path, "its format is described in sure/corpus/sources.py")
    try:
        sources = Sources.model_validate(_fill(path, plan, options or {}))
    except ValidationError as error:
        first = error.errors()[0]
        raise SureError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    _distinct_names(path, sources.items, {})
    return sources


def _fill(path: Path, plan: Any, options: Mapping[str, str]) -> Any:
    """`plan` with the placeholders of its FILLED keys replaced by the values of `options`."""
    for name, value in options.items():
        if not OPTION_VALUE.fullmatch(value):
            raise SureError(f"{name}={value!r}: expected letters, digits, - and _, with a letter or digit first")
    used = set()

    def value_of(match: re.Match) -> str:
        if match[1] not in options:
            raise SureError(f"{path}: no value for {match[0]}; give {match[1] or 'NAME'}=...")
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
        raise SureError(f"{path}: no item depends on {unused[0]}; leave out {unused[0]}=...")
    return filled


def _distinct_names(path: Path, items: list[Item], seen: dict[str, Archive]) -> None:
    """Check that different archives have different names: each is stored under the name in its URL."""
    for item in items:
        if isinstance(item, AnyOf):
            for group in item.any_of:
                _distinct_names(path, group.items, seen)
        elif isinstance(item, Archive):
            other = seen.setdefault(item.file_name, item)
            if (other.sha256, other.md5, other.bytes) != (item.sha256, item.md5, item.bytes):
                raise SureError(f"{path}: two different archives have the name {item.file_name}; rename one of them")
