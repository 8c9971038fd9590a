"""Make the trial list of speaker verification for data folders that have none, from their utt2spk."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.data.data_dir import read_data_dir
from sure.data.trials import FILE, MOST, format_trials, make_trials
from sure.errors import SureError, run
from sure.files import replace_file


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.trials", description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="such as data/verification/test")
    parser.add_argument("--most", type=int, default=MOST, metavar="N", help="all pairs up to so many: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sample where there are more")
    options = parser.parse_args(argv)
    for folder in map(Path, options.folders):
        print(f"{folder / FILE}: {add_trials(folder, options.most, options.seed)}")


def add_trials(folder: Path, most: int = MOST, seed: int = 0) -> str:
    """Write the folder's `trials` unless it has that file; what there is now, in words.

    Raises SureError naming the folder without utt2spk, and when its speakers do not give both kinds of trial.
    """
    utterances = read_data_dir(folder)
    if (folder / FILE).is_file():
        return f"kept, {sum(len(utterance.trials) for utterance in utterances):,} trials"
    if utterances[0].speaker is None:
        raise SureError(f"{folder}: no utt2spk, which trials are made from; write it, or the list itself ({FILE})")
    try:
        trials = make_trials({utterance.id: utterance.speaker for utterance in utterances}, most, seed)
    except SureError as error:
        raise SureError(f"{folder}: {error}; give this set more utterances or speakers, or a list of its own") from None
    replace_file(folder / FILE, format_trials(trials))
    targets = sum(trial.target for trial in trials)
    return f"made, {targets:,} target and {len(trials) - targets:,} nontarget trials"


if __name__ == "__main__":
    run(main)
