"""Markdown tables, and escaping of text from data, such as folder names, in Markdown."""

import re
from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """A table without a newline at its end; the first row is the header. Columns after `text_columns` align right."""
    header, *rest = rows
    marks = ["---" if column < text_columns else "---:" for column in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, marks, *rest))


def escaped(value: object) -> str:
    """The text on one line, with characters that have a meaning in Markdown or HTML escaped."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`|\[\]])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def inline_code(value: object) -> str:
    """The text as code within a line."""
    return f"`{' '.join(str(value).split()).replace('`', '')}`"


def code_block(text: str) -> str:
    """The text as a block of code; backticks in the text are allowed."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
