"""Reading the dialogue files of the game, which are Lua programs, without running them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

from sure.corpus.texts import read_text

# Lua 5.1 manual, section 2.1; of other tokens only `..` and single characters matter here
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
    """A line of a dialogue; `text` is None if the file has no translation."""

    font: str
    text: str | None


class Token(NamedTuple):
    kind: str  # string, word or sign
    value: str
    row: int


class Call(NamedTuple):
    """A call of one of DIALOGS. An argument that is not a constant string is None."""

    function: str
    arguments: list[str | None]
    row: int


def read_dialogs(path: Path) -> tuple[dict[str, Line], list[int]]:
    """Name -> line, and the rows of calls that cannot be read. If a name occurs twice, the first line is taken.

    A line is `dialogId("name", "font", "English")` followed by `dialogStr("translation")`. Arguments may be strings in
    every notation of Lua, joined by `..`, but not variables. Raises SureError for a file that is not UTF-8.
    """
    lines: dict[str, Line] = {}
    unreadable = []
    name = None  # the line whose translation comes next
    for call in calls(list(tokens(read_text(path)))):
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
    r"""`text` with Lua's escapes replaced; a character that needs no escape (`\/`) stands for itself, as in Lua 5.1."""

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
        if following.kind == "string":  # Lua needs no brackets around a single string
            yield Call(token.value, [following.value], token.row)
        elif following.value == "(":
            yield Call(token.value, list(read_arguments(islice(sequence, position + 2, None))), token.row)


def read_arguments(sequence: Iterable[Token]) -> Iterator[str | None]:
    """The arguments before the bracket that closes the call. In a call that is not closed the last is None."""
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
    """The string that strings joined by `..` make; None for any other expression."""
    strings, signs = expression[::2], expression[1::2]
    well_formed = len(strings) == len(signs) + 1 and all(token.kind == "string" for token in strings)
    if not well_formed or any(token.kind == "string" or token.value != ".." for token in signs):
        return None
    return "".join(token.value for token in strings)
