"""Site patterns: `layer.*.attn.[qv]`, `layer.[6-11].after_ffn`, `layer.{0,5}.ffn.in`, several separated by spaces.

`[0-5,11]` stands for numbers and ranges, `[qv]` for letters, `{attn.q,ffn.in}` for words; each must match a site.
`layer.[6-11].*` stands for the method's default sites in these layers, `layer.[upper]` and `layer.[lower]` for half of
the layers of a stack; of an odd number, the upper half has one more. In a backbone with several stacks, `layer.`
matches the layers of all of them, and `decoder.layer.*.attn.q` those of one.
"""

import re
from collections.abc import Iterator, Sequence

from sure.backbones.base import Site
from sure.errors import SureError
from sure.registry import nearest

CHOICE = re.compile(r"(\[[^\]]*\]|\{[^}]*\})")
RANGE = re.compile(r"(\d{1,4})-(\d{1,4})")
HALF = re.compile(r"(\w+\.)?layer\.\[(upper|lower)\](\..*)")
WHOLE_LAYERS = re.compile(r"(.*\blayer\.[^.]+\.)\*")


def match_sites(
    patterns: str, sites: Sequence[Site], kinds: Sequence[str], method: str, usual: str = "", causal: bool = True
) -> dict[str, list[Site]]:
    """The sites each pattern names, in the backbone's order. usual: the method's default sites.

    causal: as of the method; if not, `layer.` names no layers of a decoder.

    Raises SureError for a pattern (or a number, letter or word in it) that matches nothing, for a site of a kind that
    the method does not accept, and for a site of a decoder if the method is not causal.
    """
    everywhere, sites = sites, [site for site in sites if causal or not site.causal]
    matched: dict[str, list[Site]] = {}
    for given in patterns.split():
        _parts(given)  # errors of its brackets name the pattern as given
        for pattern in (one for half in halves(given, sites) for one in spell_out(half, usual, sites)):
            named = repr(given) if pattern == given else f"{given!r} (that is, {pattern!r})"
            parts = _parts(pattern)
            refused = [site for site in _among(parts, everywhere) if site.causal and not causal]
            if refused and not pattern.startswith("layer."):
                raise SureError(
                    f"petl ({method}): site pattern {named} matches {refused[0].name}, but {method} computes each "
                    "frame from its neighbours, and a decoder that generates has no later tokens; choose sites of the "
                    "encoder"
                )
            _check_each_choice(parts, pattern, sites, f"petl ({method}): site pattern {named}")
            matched[pattern] = _among(parts, sites)
            for site in matched[pattern]:
                if site.kind not in kinds:
                    raise SureError(
                        f"petl ({method}): site pattern {named} matches {site.name}, a site of kind {site.kind!r}; "
                        f"{method} accepts: {', '.join(kinds)}"
                    )
    return matched


def spell_out(pattern: str, usual: str, sites: Sequence[Site] = ()) -> list[str]:
    """`layer.[6-11].*` as the default sites in these layers; any other pattern as it is. usual: the default sites.

    In layers with cross-attention, these are also the same places of it.
    """
    places = [one.removeprefix("layer.*.") for one in usual.split() if one.startswith("layer.*.")]
    whole = WHOLE_LAYERS.fullmatch(pattern)
    if not whole or not places:
        return [pattern]
    found = [whole[1] + place for place in places]
    across = [whole[1] + place.replace("attn", "cross") for place in places if "attn" in place]
    return [*found, *(one for one in across if _among(_parts(one), sites))]


def halves(pattern: str, sites: Sequence[Site]) -> list[str]:
    """`layer.[upper].x` with the numbers of these layers, for each stack; any other pattern as it is."""
    half = HALF.fullmatch(pattern)
    counts: dict[str, int] = {}
    for site in sites:
        if layer := re.match(r"(\w+\.)?layer\.(\d+)\.", site.name):
            counts[layer[1] or ""] = max(counts.get(layer[1] or "", 0), int(layer[2]) + 1)
    if half and half[1]:
        counts = {stack: count for stack, count in counts.items() if stack == half[1]}
    if not half or not counts:
        return [pattern]
    ranges = {"lower": lambda count: (0, count // 2 - 1), "upper": lambda count: (count // 2, count - 1)}
    found = {stack: ranges[half[2]](count) for stack, count in counts.items()}
    return [f"{stack}layer.[{first}-{last}]{half[3]}" for stack, (first, last) in found.items() if first <= last]


def summary(sites: Sequence[Site]) -> str:
    """The names of all sites, with layer numbers as ranges: `layer.[0-11].attn.q, ...`."""
    shapes: dict[str, list[int]] = {}
    for site in sites:
        before, number, after = re.fullmatch(r"(.*?)(\d+|$)(.*)", site.name).groups()
        shapes.setdefault(f"{before}#{after}" if number else before, []).append(int(number or 0))
    return ", ".join(shape.replace("#", f"[{min(numbers)}-{max(numbers)}]") for shape, numbers in shapes.items())


Part = tuple[str, list[str]]  # part of a pattern: its text (`6` for `[6]`), and its alternatives


def _parts(pattern: str) -> list[Part]:
    """`layer.[6-7].x` -> `layer.`, 6 or 7, `.x`. Raises SureError for malformed brackets."""
    parts = []
    for text in CHOICE.split(pattern):
        choices = [text]
        if text.startswith("["):
            choices = _bracket(text, pattern)
        elif text.startswith("{"):
            choices = text[1:-1].split(",")
        parts.append((choices[0] if len(choices) == 1 else text, choices))
        if any((text and not choice) or set("[]{}") & set(choice) for choice in choices):
            raise SureError(
                f"site pattern {pattern!r}: its brackets cannot be read; write numbers as [0-5,11], letters as [qv], "
                "words as {a,b}, without spaces or nested brackets"
            )
    return parts


def _bracket(text: str, pattern: str) -> list[str]:
    """The alternatives of `[0-5,11]` or `[qv]`, each once."""
    found: list[str] = []
    for item in text[1:-1].split(","):
        if between := RANGE.fullmatch(item):
            first, last = int(between[1]), int(between[2])
            if first > last:
                raise SureError(f"site pattern {pattern!r}: the range is backwards; write [{last}-{first}]")
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
    """The pattern with one choice fixed, for every alternative of every choice; without choices, the pattern itself."""
    if all(len(choices) == 1 for _, choices in parts):
        yield parts
    for index, (_, choices) in enumerate(parts):
        if len(choices) > 1:
            for choice in choices:
                yield [*parts[:index], (choice, [choice]), *parts[index + 1 :]]


def _check_each_choice(parts: list[Part], pattern: str, sites: Sequence[Site], start: str) -> None:
    """Raise SureError, which begins with `start`, for an alternative that matches nothing."""
    for one in _each_choice(parts):
        if not _among(one, sites):
            plain = "".join(text for text, _ in one)
            where = "" if plain == pattern else f" at {plain!r}"
            near = nearest(plain, [site.name for site in sites])
            raise SureError(f"{start} matches nothing{where}{near}; sites are: {summary(sites)}")


def _among(parts: list[Part], sites: Sequence[Site]) -> list[Site]:
    """The matching sites. `*` matches characters other than dots."""
    expression = r"(?:\w+\.)?" if parts[0][0].startswith("layer.") else ""
    for _, choices in parts:
        expression += "(?:" + "|".join(re.escape(choice).replace(r"\*", "[^.]+") for choice in choices) + ")"
    return [site for site in sites if re.fullmatch(expression, site.name)]
