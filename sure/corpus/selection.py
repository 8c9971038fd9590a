"""What of a corpus goes into which set, by lists or otherwise, and what is left out and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from sure.data.data_dir import Utterance, is_utf8, write_data_dir
from sure.errors import SureError
from sure.files import replace_file

FILE = "left_out.txt"
SETS = ("train", "dev", "test")


def read_lists(folder: Path) -> dict[str, str]:
    """What a recipe's lists `train.txt`, `dev.txt` and `test.txt` name -> the set.

    Raises SureError naming the list and what is in another one too.
    """
    set_of: dict[str, str] = {}
    for name in SETS:
        for item in (folder / f"{name}.txt").read_text(encoding="utf-8").split():
            if item in set_of:
                raise SureError(f"{folder / name}.txt: {item} is also in the {set_of[item]} list")
            set_of[item] = name
    return set_of


class Selection:
    """Collects utterances by set, and reasons. Nothing of a corpus disappears without a line in `left_out.txt`.

    what: of which corpus and task, for messages.
    published: utterances by set that others report of the full corpus, to compare with.
    """

    def __init__(self, what: str, sets: Sequence[str] = SETS, published: Mapping[str, int] | None = None):
        self.what = what
        self.sets: dict[str, list[Utterance]] = {name: [] for name in sets}
        self.published = dict(published or {})
        self.left_out: list[tuple[str, str]] = []

    def take(self, name: str, utterance: Utterance) -> None:
        """Into a set; but a recording with a name that `wav.scp` cannot hold is left out."""
        if is_utf8(utterance.audio):
            self.sets[name].append(utterance)
        else:
            self.leave_out(utterance.audio, "recordings whose name or folder is not UTF-8")

    def leave_out(self, item: str, reason: str) -> None:
        """item: a file, id or line that a user can find; reason: the same words for all that have it.

        What is not UTF-8 in a file's name is listed as `\\udcff`.
        """
        self.left_out.append((reason, " ".join(item.split()).encode("utf-8", "backslashreplace").decode()))

    def write(self, out: Path) -> list[Path]:
        """Write `out/<set>` and `out/left_out.txt` (reason, tab, item), print the counts; returns the sets' folders.

        Raises SureError naming a set that has nothing.
        """
        counts = {name: len(utterances) for name, utterances in self.sets.items()}
        print(f"{self.what}: {', '.join(f'{count} {name}' for name, count in counts.items())}")
        for reason, count in sorted(Counter(reason for reason, _ in self.left_out).items()):
            print(f"  left out: {count} {reason}")
        out.mkdir(parents=True, exist_ok=True)
        replace_file(out / FILE, "".join(f"{reason}\t{item}\n" for reason, item in sorted(self.left_out)))
        if self.left_out:
            print(f"  every one of them: {out / FILE}")
        self._compare(counts)
        for name, count in counts.items():
            if not count:
                raise SureError(f"{self.what}: nothing for the set {name}; is the corpus complete? See {out / FILE}")
        return [write_data_dir(out / name, utterances) for name, utterances in self.sets.items()]

    def _compare(self, counts: Mapping[str, int]) -> None:
        if not self.published:
            return
        differing = {name: count for name, count in self.published.items() if counts.get(name, 0) != count}
        if not differing:
            print("  as published for the full corpus")
        for name, count in differing.items():
            print(f"  {name}: {counts.get(name, 0)}, published for the full corpus: {count}")
