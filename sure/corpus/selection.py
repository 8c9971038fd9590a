"""Assignment of the utterances of a corpus to sets, with the reason for each utterance that is left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sure.data.data_dir import Utterance, write_data_dir
from sure.data.tables import is_utf8
from sure.errors import SureError
from sure.files import replace_file

FILE = "left_out.txt"
SETS = ("train", "dev", "test")
Value = TypeVar("Value")


def read_lists(folder: Path) -> dict[str, str]:
    """The set of each item in a recipe's lists `train.txt`, `dev.txt` and `test.txt`.

    Raises SureError naming an item that is in two lists.
    """
    set_of: dict[str, str] = {}
    for name in SETS:
        for item in (folder / f"{name}.txt").read_text(encoding="utf-8").split():
            if item in set_of:
                raise SureError(f"{folder / name}.txt: {item} is also in the {set_of[item]} list")
            set_of[item] = name
    return set_of


def last_tenths(names: Sequence[str], at_least: int = 0) -> dict[str, str]:
    """The set of each name: the last tenth of the names is test, the tenth before it dev, the rest train.

    at_least: the size of dev and of test if there are fewer than ten names.
    """
    tenth = max(at_least, len(names) // 10)
    sets = ["train"] * (len(names) - 2 * tenth) + ["dev"] * tenth + ["test"] * tenth
    return dict(zip(names, sets[len(sets) - len(names) :], strict=True))


def agreeing(pairs: Iterable[tuple[str, Value]]) -> tuple[dict[str, Value], list[str]]:
    """Key -> value for keys with one value, in the order of their first pairs; and, sorted, the keys with several."""
    values: dict[str, Value] = {}
    contradicting = {key for key, value in pairs if values.setdefault(key, value) != value}
    return {key: value for key, value in values.items() if key not in contradicting}, sorted(contradicting)


class Selection:
    """Utterances by set, and what is left out with its reason: each such item has a line in `left_out.txt`.

    what: corpus and task, for messages.
    published: number of utterances by set in publications on the full corpus, for comparison.
    """

    def __init__(self, what: str, sets: Sequence[str] = SETS, published: Mapping[str, int] | None = None):
        self.what = what
        self.sets: dict[str, list[Utterance]] = {name: [] for name in sets}
        self.published = dict(published or {})
        self.left_out: list[tuple[str, str]] = []

    def take(self, name: str, utterance: Utterance) -> None:
        """Add an utterance to a set, or leave it out if `wav.scp` cannot hold the name of its recording."""
        if is_utf8(utterance.audio):
            self.sets[name].append(utterance)
        else:
            self.leave_out(utterance.audio, "recordings whose name or folder is not UTF-8")

    def leave_out(self, item: str, reason: str) -> None:
        """Leave out `item` (a file, id or line that a user can find); equal reasons are counted together.

        Bytes of a file name that are not UTF-8 are listed as `\\udcff`.
        """
        self.left_out.append((reason, " ".join(item.split()).encode("utf-8", "backslashreplace").decode()))

    def write(self, out: Path) -> list[Path]:
        """Write `out/<set>` and `out/left_out.txt` (reason, tab, item), print counts, return the folders of the sets.

        Raises SureError naming a set without utterances.
        """
        counts = {name: len(utterances) for name, utterances in self.sets.items()}
        print(f"{self.what}: {', '.join(f'{count} {name}' for name, count in counts.items())}")
        for reason, count in sorted(Counter(reason for reason, _ in self.left_out).items()):
            print(f"  {count:,} left out: {reason}")
        out.mkdir(parents=True, exist_ok=True)
        replace_file(out / FILE, "".join(f"{reason}\t{item}\n" for reason, item in sorted(self.left_out)))
        if self.left_out:
            print(f"  listed in {out / FILE}")
        self._compare(counts)
        for name, count in counts.items():
            if not count:
                why = f"is the corpus complete? {self._usual_reason()}See {out / FILE}"
                raise SureError(f"{self.what}: the set {name} is empty; {why}")
        return [write_data_dir(out / name, utterances) for name, utterances in self.sets.items()]

    def _usual_reason(self) -> str:
        reasons = Counter(reason for reason, _ in self.left_out).most_common(1)
        return "".join(f"Left out: {count:,} {reason}. " for reason, count in reasons)

    def _compare(self, counts: Mapping[str, int]) -> None:
        differing = {name: count for name, count in self.published.items() if counts.get(name, 0) != count}
        if self.published and not differing:
            print("  counts are as published for the full corpus")
        for name, count in differing.items():
            print(f"  {name}: {counts.get(name, 0)}, published for the full corpus: {count}")
