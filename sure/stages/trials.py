"""The trial list of a data folder, for speaker verification."""

from pathlib import Path

from sure.data.data_dir import read_data_dir
from sure.data.trials import FILE, MOST, format_trials, make_trials
from sure.errors import SureError
from sure.files import replace_file


def add_trials(folder: Path, most: int = MOST, seed: int = 0) -> str:
    """Write `trials` into the folder unless it exists; returns a summary for the user.

    Raises SureError if utt2spk is missing, or the speakers do not allow both kinds of trials.
    """
    utterances = read_data_dir(folder)
    if (folder / FILE).is_file():
        return f"kept, {sum(len(utterance.trials) for utterance in utterances):,} trials"
    if utterances[0].speaker is None:
        raise SureError(f"{folder} has no utt2spk, from which trials are generated; write it, or the list {FILE}")
    try:
        trials = make_trials({utterance.id: utterance.speaker for utterance in utterances}, most, seed)
    except SureError as error:
        raise SureError(f"{folder}: {error}; add utterances or speakers, or write its list {FILE}") from None
    replace_file(folder / FILE, format_trials(trials))
    targets = sum(trial.target for trial in trials)
    return f"written, {targets:,} target and {len(trials) - targets:,} nontarget trials"
