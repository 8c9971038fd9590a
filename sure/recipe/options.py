"""Options of run.sh that list methods, seeds, rates or decodings: each word checked, in one spelling, and once."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from sure.errors import SureError
from sure.recipe.rates import spell_rate
from sure.registry import nearest

SURE = Path(__file__).resolve().parents[1]


def check_backbone(name: str) -> None:
    """Raises SureError for a name that no family of sure/backbones has."""
    families = _names("backbones", "Family")
    if name not in families:
        hint = nearest(name, families)
        raise SureError(f"--backbone: no {name!r} in sure/backbones{hint}; there are: {' '.join(families)}")


def read_methods(text: str) -> list[str]:
    """The methods of --petl: `lora`, or `lora+prefix` for both at once. Raises SureError naming an unknown one."""
    methods = _each_once("petl", text, str, "names of methods")
    if not methods:
        raise SureError("--petl names no method")
    known = _names("petl", "Method")
    for method in "+".join(methods).split("+"):
        if method not in known:
            hint = " (separate methods by spaces)" if "," in method else nearest(method, known)
            if method.isidentifier() and (SURE / "petl" / f"{method}.py").is_file():
                hint = f" ({method}.py has no class Method)"
            raise SureError(f"--petl: no method {method!r} in sure/petl{hint}; there are: {' '.join(known)}")
    return methods


def read_seeds(text: str) -> list[str]:
    """The seeds of --seeds, without leading zeros."""
    expected = 'numbers from 0 such as "1 2 3"'
    seeds = _each_once("seeds", text, _spell_seed, expected)
    if not seeds:
        raise SureError(f"--seeds takes {expected}, not {text!r}")
    return seeds


def read_rates(text: str) -> list[str]:
    """The rates of --rates in the spelling of `spell_rate`; none where the option is empty."""
    return _each_once("rates", text, spell_rate, 'learning rates such as "3e-4 1e-3"')


def read_decodings(text: str, task: str, known: Sequence[str]) -> list[str]:
    """The decodings of --decode. Raises SureError where the task does not have one."""
    decodings = _each_once("decode", text, str, "names of decodings")
    for decoding in decodings:
        if decoding not in known:
            hint = nearest(decoding, known)
            raise SureError(f"--decode: task {task} has no decoding {decoding!r}{hint}; there are: {' '.join(known)}")
    if not decodings:
        raise SureError(f"--decode names no decoding; there are: {' '.join(known)}")
    return decodings


def _names(folder: str, name: str) -> list[str]:
    """The files of sure/<folder> with this class; to import them would take seconds."""
    defined = re.compile(rf"^class {name}\b", re.MULTILINE)
    return sorted(
        path.stem for path in (SURE / folder).glob("*.py") if defined.search(path.read_text(encoding="utf-8"))
    )


def read_words(option: str, text: str, expected: str) -> list[str]:
    """The words of an option, each of which may become part of a folder's name."""
    for word in text.split():
        if not re.fullmatch(r"[A-Za-z0-9._-]+", word):
            raise SureError(f"--{option} takes {expected}, not {word!r}")
    return _each_once(option, text, str, expected)


def read_tag(text: str) -> str:
    """The ending of --tag, which becomes part of folder names."""
    if not re.fullmatch(r"[A-Za-z0-9._-]*", text):
        raise SureError(f"--tag takes letters, digits and . _ -, not {text!r}")
    return text


def _spell_seed(text: str) -> str:
    if not re.fullmatch(r"[0-9]+", text) or int(text) >= 2**63:  # the range of torch's generators
        raise ValueError(text)
    return str(int(text))


def _each_once(option: str, text: str, spell: Callable[[str], str], expected: str) -> list[str]:
    found: dict[str, str] = {}
    for word in text.split():
        try:
            spelled = spell(word)
        except ValueError:
            raise SureError(f"--{option} takes {expected}, not {word!r}") from None
        if spelled in found:
            first = found[spelled]
            pair = f"{word} twice" if first == word else f"{first} and {word}, which are the same"
            raise SureError(f"--{option} has {pair}; pass each of them once")
        found[spelled] = word
    return list(found)
