"""Result of checking a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sure.errors import SureError


@dataclass
class Check:
    """A folder, its kind (data folder, experiment or bundle), its problems, and notes, which are not problems.

    problems: each with file and line where there are any, and its remedy, which may be empty.
    """

    folder: Path
    kind: str
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, what: object, remedy: str = "") -> None:
        self.problems.append((str(what), remedy))

    @contextmanager
    def collect(self, remedy: str = "") -> Iterator[None]:
        """A context that ends at a SureError and adds it as a problem."""
        try:
            yield
        except SureError as error:
            self.add(error, remedy)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: folder, kind, problems (each with its remedy) and notes."""
        problems = [{"problem": what, "remedy": remedy} for what, remedy in self.problems]
        return {"folder": str(self.folder), "kind": self.kind, "problems": problems, "notes": self.notes}

    def __str__(self) -> str:
        lines = [f"{self.folder}: {self.kind}, problems: {len(self.problems) or 'none'}"]
        lines += [f"  note: {note}" for note in self.notes]
        for what, remedy in self.problems:
            lines.append(f"  problem: {what}")
            lines += [f"    -> {remedy}"] if remedy else []
        return "\n".join(lines)
