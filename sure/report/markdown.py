"""Markdown tables, escaping of text from data, such as folder names, and a report as a terminal shows it."""

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


SHORT = ("dev", "trained without head", "bundle kB")  # columns of a short table, after the scores


def short(report: str) -> str:
    """A report of `sure.bin.report` for a terminal: titles, tables and notes, without facts and commands.

    Of the columns of a table: method, seeds, at most three scores, the first with its interval, and those of SHORT.
    """
    lines: list[str] = []
    columns, in_code = [], False
    for line in report.splitlines():
        if line.startswith("```"):
            in_code = not in_code
        elif line.startswith("| ") and not in_code:
            cells = line[2:-2].split(" | ")
            if "dev" in cells and not columns:
                columns = [*range(cells.index("dev"))[:5], *(cells.index(name) for name in SHORT if name in cells)]
            cells = [re.sub(r" \[.*\]$", "", cell) if place > 2 else cell for place, cell in enumerate(cells)]
            lines.append("| " + " | ".join([cells[place] for place in columns] or cells) + " |")
        elif not in_code and not line.startswith("- ") and (line or lines[-1:] != [""]):
            lines.append(line)
            columns = []
    return "\n".join(lines).strip() + "\n"
