"""Site patterns: `layer.*.attn.[qv]`, `layer.[6-11].after_ffn`, `layer.{0,5}.ffn.in`, several separated by spaces.

`[0-5,11]` are numbers and ranges, `[qv]` letters, `{attn.q,ffn.in}` words; each of them has to match something.
`layer.[6-11].*` is whole layers: a method's usual places there. `layer.` means the layers of all stacks where a
backbone has several: `decoder.layer.*.attn.q` names one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sure.backbones.base import Site
from sure.errors import SureError
from sure.registry import nearest

CHOICE = re.compile(r"(\[[^\]]*\]|\{[^}]*\})")
RANGE = re.compile(r"(\d{1,4})-(\d{1,4})")
WHOLE_LAYERS = re.compile(r"(.*\blayer\.[^.]+\.)\*")


def match_sites(patterns: str, sites: Sequence[Site], kinds: Sequence[str], method: str) -> dict[str, list[Site]]:
    """The sites each pattern names, in the backbone's order.

    Raises SureError for a pattern (or one number, letter or word of it) that matches nothing, and for a site of a kind
    the method cannot take: a method that is silently not applied does not occur.
    """
    matched: dict[str, list[Site]] = {}
    for pattern in patterns.split():
        parts = _parts(pattern)
        for one in _each_choice(parts):
            if not _among(one, sites):
                plain = "".join(map(_written, one))
                where = "" if plain == pattern else f" at {plain!r}"
                near = nearest(plain, [site.name for site in sites])
                raise SureError(
                    f"petl ({method}): site pattern {pattern!r} matches nothing{where}{near}; "
                    f"sites are: {summary(sites)}"
                )
        found = _among(parts, sites)
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


Part = tuple[str, list[str]]  # of a pattern: as it is written, and what may stand there


def _parts(pattern: str) -> list[Part]:
    """`layer.[6-7].x` -> `layer.`, 6 or 7, `.x`. Raises SureError for brackets that mean nothing."""
    parts = []
    for text in CHOICE.split(pattern):
        if text.startswith("["):
            parts.append((text, _bracket(text, pattern)))
        elif text.startswith("{"):
            parts.append((text, text[1:-1].split(",")))
        else:
            parts.append((text, [text]))
        if any((text and not choice) or set("[]{}") & set(choice) for choice in parts[-1][1]):
            raise SureError(
                f"site pattern {pattern!r}: its brackets cannot be read; write numbers as [0-5,11], letters as [qv], "
                "words as {a,b}, without blanks, and no bracket inside another"
            )
    return parts


def _bracket(text: str, pattern: str) -> list[str]:
    """What `[0-5,11]` or `[qv]` stands for, each once."""
    found: list[str] = []
    for item in text[1:-1].split(","):
        if between := RANGE.fullmatch(item):
            first, last = int(between[1]), int(between[2])
            if first > last:
                raise SureError(f"site pattern {pattern!r}: the range runs backwards; write [{last}-{first}]")
            found += map(str, range(first, last + 1))
        elif re.fullmatch(r"0|[1-9]\d*", item, re.ASCII):
            found.append(item)
        elif re.fullmatch(r"[A-Za-z]+", item):
            found += item
        else:
            raise SureError(
                f"site pattern {pattern!r}: {text} cannot be read at {item!r}; brackets have numbers and ranges, "
                "[0-5,11], or letters, [qv]"
            )
    return list(dict.fromkeys(found))


def _each_choice(parts: list[Part]) -> Iterator[list[Part]]:
    """The pattern with one of its choices made, for every choice there is; the pattern itself without any."""
    if all(len(choices) == 1 for _, choices in parts):
        yield parts
    for index, (_, choices) in enumerate(parts):
        if len(choices) > 1:
            for choice in choices:
                yield [*parts[:index], (choice, [choice]), *parts[index + 1 :]]


def _written(part: Part) -> str:
    """As in the pattern; `6` where `[6]` leaves no choice."""
    text, choices = part
    return choices[0] if len(choices) == 1 else text


def _among(parts: list[Part], sites: Sequence[Site]) -> list[Site]:
    """The sites that fit. `*` is what stands between two dots, or a piece of it."""
    expression = r"(?:\w+\.)?" if parts[0][0].startswith("layer.") else ""
    for _, choices in parts:
        expression += "(?:" + "|".join(re.escape(choice).replace(r"\*", "[^.]+") for choice in choices) + ")"
    return [site for site in sites if re.fullmatch(expression, site.name)]
