"""Progress of long work: a bar on a terminal; elsewhere, such as in the log of a stage, a line every 10 seconds."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

LINE_SECONDS = 10.0  # between lines, and before the first one


class Lines:
    """Standard error for tqdm where it is not a terminal: every state is a line of its own."""

    def write(self, text: str) -> None:
        if text.strip():
            sys.stderr.write(f"{text.strip()}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(items: Iterable[Any] | None = None, name: str = "", total: int | None = None, **options: Any) -> tqdm:
    """tqdm for items, or for `update`. options: of tqdm, such as unit."""
    if not sys.stderr.isatty():
        options |= {"delay": LINE_SECONDS, "mininterval": LINE_SECONDS, "file": Lines(), "ncols": 0}
    return tqdm(items, name, total, **{"leave": False} | options)
