"""Site patterns: `layer.*.attn.[qv]`, `layer.[6-11].after_ffn`, `layer.{0,5}.ffn.in`, several separated by spaces.

`layer.[6-11].*` is whole layers: a method's usual places there. `layer.` means the layers of all stacks where a
backbone has several: `decoder.layer.*.attn.q` names one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sure.backbones.base import Site
from sure.errors import SureError
from sure.registry import nearest

RANGE = re.compile(r"\[(\d+)-(\d+)\]")
WHOLE_LAYERS = re.compile(r"(.*\blayer\.[^.]+\.)\*")


def match_sites(patterns: str, sites: Sequence[Site], kinds: Sequence[str], method: str) -> dict[str, list[Site]]:
    """The sites each pattern names, in the backbone's order.

    Raises SureError for a pattern (or one number of a range) that matches nothing, and for a site of a kind the method
    cannot take: a method that is silently not applied does not occur.
    """
    matched: dict[str, list[Site]] = {}
    for pattern in patterns.split():
        found: list[Site] = []
        for plain in _expand(pattern):
            expression = _compile(plain)
            here = [site for site in sites if expression.fullmatch(site.name)]
            if not here:
                where = "" if plain == pattern else f" at {plain!r}"
                near = nearest(plain, [site.name for site in sites])
                raise SureError(
                    f"petl ({method}): site pattern {pattern!r} matches nothing{where}{near}; "
                    f"sites are: {summary(sites)}"
                )
            found.extend(here)
        for site in found:
            if site.kind not in kinds:
                raise SureError(
                    f"petl ({method}): {pattern!r} names {site.name}, a site of kind {site.kind!r}; "
                    f"{method} sits at: {', '.join(kinds)}"
                )
        matched[pattern] = found
    return matched


def spell_out(patterns: str, usual: str) -> str:
    """Patterns of whole layers, `layer.[6-11].*`, as a method's places in a layer by its `usual` patterns."""
    places = [pattern.removeprefix("layer.*.") for pattern in usual.split() if pattern.startswith("layer.*.")]
    written = []
    for pattern in patterns.split():
        whole = WHOLE_LAYERS.fullmatch(pattern)
        written += [whole[1] + place for place in places] if whole and places else [pattern]
    return " ".join(written)


def summary(sites: Sequence[Site]) -> str:
    """The names there are, layers folded into one: `layer.[0-11].attn.q, ...`."""
    shapes: dict[str, list[int]] = {}
    for site in sites:
        shape = re.sub(r"^(\w+(?:\.\w+)*?)\.(\d+)", r"\1.#", site.name)
        number = re.search(r"\d+", site.name)
        shapes.setdefault(shape, []).append(int(number.group()) if number else 0)
    return ", ".join(shape.replace("#", f"[{min(numbers)}-{max(numbers)}]") for shape, numbers in shapes.items())


def _expand(pattern: str) -> list[str]:
    """Ranges written out, so that each number has to exist: `layer.[6-7].x` -> `layer.6.x`, `layer.7.x`."""
    found = RANGE.search(pattern)
    if not found:
        return [pattern]
    first, last = int(found[1]), int(found[2])
    if first > last:
        raise SureError(f"site pattern {pattern!r}: the range runs backwards; write [{last}-{first}]")
    return [
        plain
        for number in range(first, last + 1)
        for plain in _expand(pattern[: found.start()] + str(number) + pattern[found.end() :])
    ]


def _compile(pattern: str) -> re.Pattern[str]:
    """`*` is one part between dots, `[qv]` one of the letters, `{a,b}` one of the words."""
    parts = re.split(r"(\*|\[[^\]]*\]|\{[^}]*\})", pattern)
    expression = r"(?:\w+\.)?" if pattern.startswith("layer.") else ""
    for part in parts:
        if part == "*":
            expression += r"[^.]+"
        elif part.startswith("["):
            expression += part
        elif part.startswith("{"):
            expression += "(?:" + "|".join(re.escape(word) for word in part[1:-1].split(",")) + ")"
        else:
            expression += re.escape(part)
    try:
        return re.compile(expression)
    except re.error as error:
        raise SureError(f"site pattern {pattern!r} cannot be read: {error}") from None
