"""`data.on_bad_utterance: skip` in training: recordings that went bad after stage 2 are gaps in every epoch's plan."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sure.config_sections import DataConfig
from sure.data.data_dir import Utterance
from sure.data.dataset import UtteranceError, load_wave
from sure.errors import SureError
from sure.files import replace_file
from sure.train.feed_recognition import Feed

log = logging.getLogger(__name__)

FILE = "left_out.txt"  # of an experiment: reason, tab, id
IDS_SHOWN = 10


def leave_out_bad(feed: Feed, folder: Path, settings: DataConfig) -> int:
    """Read every recording of the training set once, and list those that cannot be used, to be left out of its plans.

    An epoch's plan is made of all utterances, so without these it has the same batches in the same order, with gaps.
    They are in `folder/left_out.txt` before a step is taken without them, and stay out after a resume, even if they
    can be read again: so a run that is killed and resumed takes the steps of one that was not. Returns how many were
    found now. Raises SureError where more are bad than settings.max_bad_percent.
    """
    path = folder / FILE
    known = read_left_out(path)
    there = [utterance for utterance in feed.utterances if utterance.id not in known]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = {one.id: reason for one, reason in zip(there, pool.map(_problem, there), strict=True) if reason}
    everyone = known | found
    percent = 100 * len(everyone) / len(feed.utterances)
    listed = _by_reason(everyone)
    if percent > settings.max_bad_percent:
        raise SureError(
            f"{percent:.1f} % of the training set cannot be used, more than data.max_bad_percent="
            f"{settings.max_bad_percent:g}: {'; '.join(listed)}; is a disk missing? Bring them back, or run stage 2"
        )
    if found:
        replace_file(path, "".join(f"{reason}\t{id}\n" for id, reason in sorted(everyone.items())))
    for line in listed:
        log.warning("left out of training: %s (%s)", line, path)
    return len(found)


def read_left_out(path: Path) -> dict[str, str]:
    """id -> reason. Nothing where nothing was left out. Raises SureError for a file that is damaged."""
    if not path.is_file():
        return {}
    try:
        rows = [line.partition("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError:
        rows = [("", "", "")]
    if not all(tab for _, tab, _ in rows):
        raise SureError(f"{path} is damaged: expected lines of a reason, a tab and an id; mend it, or --restart")
    return {id: reason for reason, _, id in rows}


def _problem(utterance: Utterance) -> str | None:
    try:
        load_wave(utterance)
    except UtteranceError as error:
        return error.reason
    return None


def _by_reason(left_out: dict[str, str]) -> list[str]:
    groups = defaultdict(list)
    for id, reason in sorted(left_out.items()):
        groups[reason].append(id)
    return [
        f"{len(ids)} {reason}: {', '.join(ids[:IDS_SHOWN])}{', ...' if len(ids) > IDS_SHOWN else ''}"
        for reason, ids in sorted(groups.items())
    ]
