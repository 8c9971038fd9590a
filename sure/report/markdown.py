"""What comes from data, such as a folder's name, inside Markdown: as it reads, never as a table, link or tag."""

from __future__ import annotations

import re


def plain(value: object) -> str:
    """On one line, with what means something to Markdown or HTML escaped."""
    text = " ".join(str(value).split())
    return re.sub(r"([\\`|\[\]])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")


def coded(value: object) -> str:
    """As code within a line."""
    return f"`{' '.join(str(value).split()).replace('`', '')}`"


def fenced(text: str) -> str:
    """As a block of code, whatever it has of backticks."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
