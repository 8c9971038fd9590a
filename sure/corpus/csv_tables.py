"""Tables with a header, with tabs, commas, semicolons or bars between the cells."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sure.corpus.texts import read_text
from sure.errors import SureError

DELIMITERS = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
LONGEST_CELL = 1 << 30  # characters; the default of the csv module is 131,072
QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def read_csv(path: Path, columns: Sequence[str] = (), text: str | None = None) -> list[tuple[int, dict[str, str]]]:
    """Line number and cells by column of each row; rows without any content are left out.

    The most frequent delimiter of the first line is that of the table. A quoted cell is one in double quotes, with
    inner ones doubled; with tabs, other quotes have no special meaning, and no cell has a line break.
    columns: must exist. text: the content, if it is not UTF-8. Raises SureError naming table and line.
    """
    text = read_text(path, newline="") if text is None else text
    delimiter = max(DELIMITERS, key=text.lstrip().partition("\n")[0].count)
    rows = (row for row in _split(path, text, delimiter) if any(row[1]))
    line, header = next(rows, (1, []))
    for column in (*columns, *filter(None, header)):
        if header.count(column) != 1:
            expected = f"expected a header with tabs or commas between {', '.join(columns)}"
            found = f"found {', '.join(map(repr, header)) or 'an empty table'}"
            problem = "more than one column" if column in header else "no column"
            raise SureError(f"{path}, line {line}: {problem} {column!r}; {expected}; {found}")
    return [(line, _by_column(path, line, cells, header, delimiter)) for line, cells in rows]


def _split(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The first line number and the cells of each row."""
    if delimiter == "\t":
        for line, row in enumerate(re.split("\r\n|\r|\n", text), 1):
            cells = (cell.strip() for cell in row.split("\t"))
            yield line, [quoted[1].replace('""', '"') if (quoted := QUOTED.fullmatch(cell)) else cell for cell in cells]
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    limit, line = csv.field_size_limit(LONGEST_CELL), 1
    try:
        for cells in reader:
            yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        raise SureError(f"{path}, line {line}: not a row of a table ({error}); correct its double quotes") from None
    finally:
        csv.field_size_limit(limit)


def _by_column(path: Path, line: int, cells: list[str], header: list[str], delimiter: str) -> dict[str, str]:
    if len(cells) != len(header):
        name = DELIMITERS[delimiter]
        remedy = f"put one {name} between cells, and none inside" + ", except in double quotes" * (delimiter != "\t")
        raise SureError(f"{path}, line {line}: {len(cells)} cells, but the header has {len(header)} columns; {remedy}")
    return dict(zip(header, cells, strict=True))
