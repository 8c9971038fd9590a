"""Trial lists of speaker verification: pairs of utterances, and whether both have the same speaker.

The file `trials` of a data folder has a line for each: `id id target` or `id id nontarget` as in Kaldi, or `1 id id`
and `0 id id` as in VoxCeleb. Results are comparable only on the same trials, so the file is never repaired.
"""

import bisect
import random
from collections.abc import Collection, Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from sure.data.tables import Line, read_lines
from sure.errors import SureError

FILE = "trials"
MOST = 20_000  # generated trials of a set


class Trial(NamedTuple):
    """Two utterance ids, and whether they have the same speaker."""

    first: str
    second: str
    target: bool


def kind_of(target: bool) -> str:
    return "target" if target else "nontarget"


def format_trials(trials: Iterable[Trial]) -> str:
    return "".join(f"{first} {second} {kind_of(target)}\n" for first, second, target in trials)


def read_trials(path: Path, known: Collection[str]) -> list[Trial]:
    """The trials of a file, in its order.

    Raises SureError naming file and line for a malformed line, an id that is not in `known`, an utterance compared with
    itself, a repeated trial, and a pair that is both target and nontarget.
    """
    lines: dict[tuple[str, str], int] = {}
    kinds: dict[frozenset[str], bool] = {}
    trials = []
    for line in read_lines(path):
        where = f"{path}:{line.number}"
        trial = _parse(where, line)
        pair = trial[:2]
        for id in pair:
            if id not in known:
                raise SureError(f"{where}: no utterance '{id}' in this data folder; correct the line or delete it")
        if trial.first == trial.second:
            raise SureError(f"{where}: '{trial.first}' is compared with itself; delete the line")
        if pair in lines:
            raise SureError(f"{where}: the trial '{' '.join(pair)}' is already on line {lines[pair]}; delete one")
        if kinds.setdefault(frozenset(pair), trial.target) != trial.target:
            before = lines[pair[::-1]]
            raise SureError(f"{where}: '{' '.join(pair)}' is {kind_of(trial.target)} here, but not on line {before}")
        lines[pair] = line.number
        trials.append(trial)
    return trials


def make_trials(speakers: Mapping[str, str], most: int = MOST, seed: int = 0) -> list[Trial]:
    """Generate trials from the speaker of each utterance id: all pairs, or a sample if there are more than `most`.

    Half of a sample are target trials, half nontarget; if one kind has fewer, all of them. Error rates do not depend on
    the proportion. The result depends only on the arguments, in every version of Python. Raises SureError if one kind
    is missing.
    """
    if most < 2:
        raise SureError(f"{most} trials are too few; give 2 or more")
    ids = sorted(speakers, key=lambda id: (speakers[id], id))
    ends = [bisect.bisect_right(ids, speakers[id], key=speakers.__getitem__) for id in ids]
    # after an utterance come first those of its own speaker, up to `ends`, then all others
    same = [range(place + 1, end) for place, end in enumerate(ends)]
    other = [range(end, len(ids)) for end in ends]
    targets, nontargets = (sum(map(len, side)) for side in (same, other))
    if not targets or not nontargets:
        lacking = "no two utterances of one speaker" if nontargets else "fewer than two speakers"
        raise SureError(f"{lacking}, so there are no {kind_of(not targets)} trials")
    wanted = min(targets, max(most // 2, most - nontargets))
    generator = random.Random(seed)
    trials = []
    for partners, count, target in ((same, wanted, True), (other, min(nontargets, most - wanted), False)):
        for place, partner in _pick(partners, count, generator):
            trials.append(Trial(*sorted((ids[place], ids[partner])), target))
    return sorted(trials)


def _pick(partners: list[range], count: int, generator: random.Random) -> Iterable[tuple[int, int]]:
    """`count` random pairs (place, one of its partners); pairs are numbered, so that not all of them are listed."""
    bounds = list(accumulate(map(len, partners)))
    numbers: set[int] = set(range(bounds[-1])) if count == bounds[-1] else set()
    while len(numbers) < count:
        numbers.add(int(generator.random() * bounds[-1]))  # `random()` is equal in all versions
    for number in sorted(numbers):
        place = bisect.bisect_right(bounds, number)
        yield place, partners[place][number - bounds[place]]  # negative: counted from the end of the range


def _parse(where: str, line: Line) -> Trial:
    match [line.id, *line.value.split()]:
        case [first, second, "target" | "nontarget" as kind]:
            return Trial(first, second, kind == "target")
        case ["0" | "1" as digit, first, second]:
            return Trial(first, second, digit == "1")
        case words:
            expected = "expected 'id id target', 'id id nontarget', '1 id id' or '0 id id'"
            raise SureError(f"{where}: {expected}, found '{' '.join(words)}'")
