"""Report of the validation of a data folder: a summary to print, and the whole report in `validation.txt`."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sure.errors import counted, some_of

REPORT = "validation.txt"
BACKUP = ".backup"
IDS_SHOWN = 5


class Problem(NamedTuple):
    """Why an id was removed: a reason, for counting, and a place (file and line, or the audio)."""

    id: str
    reason: str
    where: str


@dataclass
class Report:
    """`str(report)` is the content of `validation.txt`; `summary()` shows the first ids of every reason."""

    folder: Path
    utterances: int = 0
    seconds: float = 0.0
    removed: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)  # utterance -> digest of its samples (sure.data.measure)

    def remove(self, id: str, reason: str, where: str) -> None:
        self.removed.append(Problem(id, reason, where))

    def summary(self) -> str:
        notes = [f"  note: {note}" for note in self.notes]
        return "\n".join([f"{self.folder}: {self._heading()}", *self.problems(), *notes])

    def problems(self, most: int = IDS_SHOWN) -> list[str]:
        """A line for each reason, with its first ids."""
        lines = []
        for reason, problems in self._by_reason():
            shown = some_of([f"{problem.id} ({problem.where})" for problem in problems], most)
            lines.append(f"  {len(problems)} {reason}: {shown}")
        return lines

    def __str__(self) -> str:
        lines = [self._heading(), *(f"note: {note}" for note in self.notes)]
        for reason, problems in self._by_reason():
            lines.append(f"{len(problems)} {reason}:")
            lines += [f"  {problem.id}\t{problem.where}" for problem in problems]
        return "\n".join(lines) + "\n"

    def _heading(self) -> str:
        removed = f"{counted(len(self.removed), 'problem')} removed" if self.removed else "no problems"
        return f"{counted(self.utterances, 'utterance')}, {self.seconds / 3600:.2f} hours, {removed}"

    def _by_reason(self) -> list[tuple[str, list[Problem]]]:
        groups = defaultdict(list)
        for problem in sorted(self.removed):
            groups[problem.reason].append(problem)
        return sorted(groups.items())
