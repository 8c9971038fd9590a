"""What is said of a folder that was looked at."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple


class Finding(NamedTuple):
    """Something wrong, with file and line where there are any, and what to do about it."""

    what: str
    todo: str = ""


@dataclass
class Patient:
    """A folder, what it is, and what was found; notes are no faults."""

    folder: Path
    kind: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wrong(self, what: object, todo: str = "") -> None:
        self.findings.append(Finding(str(what), todo))

    def __str__(self) -> str:
        count = len(self.findings)
        lines = [f"{self.folder}: {self.kind}, {f'{count} wrong' if count else 'nothing wrong'}"]
        lines += [f"  note: {note}" for note in self.notes]
        for what, todo in self.findings:
            lines.append(f"  wrong: {what}")
            lines += [f"    -> {todo}"] if todo else []
        return "\n".join(lines)
