"""Recordings that became unreadable after stage 2; `data.on_bad_utterance: skip` leaves them out of training."""

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sure.config_sections import DataConfig
from sure.data.dataset import UtteranceError
from sure.errors import SureError, some_of
from sure.files import replace_file
from sure.train.distributed import Processes
from sure.train.feed import Feed

log = logging.getLogger(__name__)

FILE = "left_out.txt"  # in the experiment folder; lines of reason, tab, utterance id


class LeftOut:
    """Finds unreadable recordings of the training set, and leaves them out of the plans of `feed`.

    They are listed in `folder`/left_out.txt before a step is taken without them, and stay left out in every later run,
    even if they can be read again: so a training that is killed and resumed takes the same steps as one that is not.
    """

    def __init__(self, feed: Feed, folder: Path, data: DataConfig, processes: Processes):
        self.feed, self.path, self.processes = feed, folder / FILE, processes
        self.skip, self.max_bad_percent = data.on_bad_utterance == "skip", data.max_bad_percent

    def update(self) -> int:
        """Leave out recordings that are listed and, with `skip`, those found now. Returns how many were found now.

        Raises SureError where more than `max_bad_percent` of the set are unreadable.
        """
        found = self.processes.from_first(self._find) if self.skip else 0
        self.feed.leave_out(read_left_out(self.path))
        return found

    def add_after(self, error: UtteranceError) -> None:
        """After a recording could not be read in training: leave it out. Raises `error` where that is not allowed."""
        if self.skip and self.processes.size > 1:
            raise SureError(f"{error}; run the same command again to continue without it") from None
        if not self.update():
            raise error  # without `skip`, or in the dev set, which always stays complete

    def _find(self) -> int:
        """Read every recording once, and list those that cannot be read."""
        known = read_left_out(self.path)
        others = [utterance for utterance in self.feed.utterances if utterance.id not in known]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            problems = zip(others, pool.map(self.feed.problem, others), strict=True)
            bad = known | {one.id: problem for one, problem in problems if problem}
        percent = 100 * len(bad) / len(self.feed.utterances)
        reasons = {reason: [id for id in sorted(bad) if bad[id] == reason] for reason in sorted({*bad.values()})}
        listed = [f"{len(ids)} {reason}: {some_of(ids, 10)}" for reason, ids in reasons.items()]
        if percent > self.max_bad_percent:
            raise SureError(
                f"{percent:.1f} % of the training set cannot be read, more than data.max_bad_percent="
                f"{self.max_bad_percent:g}: {'; '.join(listed)}; is a disk missing? Restore them, or run stage 2"
            )
        if bad != known:
            replace_file(self.path, "".join(f"{reason}\t{id}\n" for id, reason in sorted(bad.items())))
        for line in listed:
            log.warning("left out of training: %s (%s)", line, self.path)
        return len(bad) - len(known)


def read_left_out(path: Path) -> dict[str, str]:
    """Reasons by utterance id; empty without the file. Raises SureError for a damaged file."""
    if not path.is_file():
        return {}
    try:
        rows = [line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        rows = [("", "", "")]
    if not all(tab for _, tab, _ in rows):
        raise SureError(f"{path} is damaged: expected lines of reason, tab, utterance id; correct it, or use --restart")
    return {id: reason for reason, _, id in rows}
