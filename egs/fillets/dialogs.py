"""Reads the dialogue files of the game, which are Lua programs, without running them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from sure.errors import SureError

# Lua 5.1 manual, section 2.1; of the rest only single characters matter here, and `..`
TOKEN = re.compile(
    r"""
    (?P<space>\s+|--\[(?P<comment>=*)\[.*?\](?P=comment)\]|--[^\n]*)
  | \[(?P<level>=*)\[\n?(?P<long>.*?)\](?P=level)\]
  | "(?P<double>(?:[^"\\\n]|\\.)*)"
  | '(?P<single>(?:[^'\\\n]|\\.)*)'
  | (?P<word>[A-Za-z_]\w*)
  | (?P<sign>\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(rb"\\(?:(\d{1,3})|x([0-9a-fA-F]{2})|z\s*|(.))", re.DOTALL)
CONTROLS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}
DIALOGS = ("dialogId", "dialogStr")


class Line(NamedTuple):
    """What one character says; `text` is None where the file has no translation."""

    font: str
    text: str | None


class Token(NamedTuple):
    kind: str  # string, word or sign
    value: str
    row: int


class Call(NamedTuple):
    """An argument that is no constant string is None."""

    function: str
    arguments: list[str | None]
    row: int


def read_dialogs(path: Path) -> tuple[dict[str, Line], list[int]]:
    """name -> line, and the rows of calls that could not be read; of a name that occurs twice the first counts.

    A line is `dialogId("name", "font", "English")` and after it `dialogStr("translation")`. Arguments may be
    strings of every form that Lua has, joined by `..`, but no variables. Raises SureError for a file that is
    not UTF-8.
    """
    try:
        source = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SureError(f"{path}: cannot be read as UTF-8 text ({error}); unpack it again") from None
    lines: dict[str, Line] = {}
    unreadable = []
    name = None  # whose translation comes next
    for call in calls(list(tokens(source))):
        if None in call.arguments[:2] or len(call.arguments) < (2 if call.function == "dialogId" else 1):
            unreadable.append(call.row)
            name = None
        elif call.function == "dialogId":
            name = call.arguments[0] if call.arguments[0] not in lines else None
            if name is not None:
                lines[name] = Line(call.arguments[1], None)
        elif name is not None:
            lines[name] = lines[name]._replace(text=call.arguments[0])
            name = None
    return lines, unreadable


def tokens(source: str) -> Iterator[Token]:
    row = 1
    for match in TOKEN.finditer(source):
        if match["long"] is not None:
            yield Token("string", match["long"], row)
        elif (quoted := match["double"] if match["double"] is not None else match["single"]) is not None:
            yield Token("string", unescape(quoted), row)
        elif match["word"] or match["sign"]:
            yield Token("word" if match["word"] else "sign", match[0], row)
        row += match[0].count("\n")


def unescape(text: str) -> str:
    r"""Lua's escapes; a character that needs none (`\/`) stands for itself, as in Lua 5.1."""

    def byte(match: re.Match[bytes]) -> bytes:
        decimal, hexadecimal, character = match.groups()
        if decimal:
            return bytes([min(int(decimal), 255)])
        return bytes.fromhex(hexadecimal.decode()) if hexadecimal else CONTROLS.get(character, character or b"")

    return ESCAPE.sub(byte, text.encode()).decode(errors="replace")


def calls(sequence: list[Token]) -> Iterator[Call]:
    """Every call of DIALOGS."""
    for position, (token, following) in enumerate(pairwise(sequence)):
        if token.kind != "word" or token.value not in DIALOGS:
            continue
        if following.kind == "string":  # Lua needs no brackets then
            yield Call(token.value, [following.value], token.row)
        elif following.value == "(":
            yield Call(token.value, list(read_arguments(islice(sequence, position + 2, None))), token.row)


def read_arguments(sequence: Iterable[Token]) -> Iterator[str | None]:
    """The arguments before the bracket that closes the call; of a call that never closes the last is None."""
    expression: list[Token] = []
    depth = 0
    for token in sequence:
        if token.kind == "word" and token.value in DIALOGS:
            break
        sign = token.value if token.kind == "sign" else ""
        if depth == 0 and sign in (",", ")"):
            yield constant(expression)
            expression = []
            if sign == ")":
                return
        else:
            depth += (sign in ("(", "{")) - (sign in (")", "}"))
            expression.append(token)
    yield None


def constant(expression: list[Token]) -> str | None:
    """Strings joined by `..`, as one; None for anything else."""
    strings, signs = expression[::2], expression[1::2]
    well_formed = len(strings) == len(signs) + 1 and all(token.kind == "string" for token in strings)
    if not well_formed or any(token.kind == "string" or token.value != ".." for token in signs):
        return None
    return "".join(token.value for token in strings)
