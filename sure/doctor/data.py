"""A data folder: sorted, complete, readable, as long as it says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from sure.data.audio import SEGMENT_TOLERANCE
from sure.data.data_dir import read_data_dir
from sure.data.tables import TABLES, read_lines
from sure.data.validate import inspect_data_dir
from sure.doctor.finding import Patient
from sure.errors import SureError

AGAIN = "run stage 2, prepare, again; --on_bad_utterance skip leaves out what cannot be used"
ORDER = "run stage 2, prepare, again: it sorts"
SHOWN = 20  # ids of one kind of problem


def examine_data(folder: Path) -> Patient:
    """Decodes everything; changes nothing."""
    patient = Patient(folder, "data folder")
    try:
        report, durations = inspect_data_dir(folder)
    except SureError as error:
        patient.wrong(error)
        return patient
    patient.notes += report.notes
    for line in report.problems(SHOWN):
        patient.wrong(line.strip(), AGAIN)
    for name in TABLES:
        _check_table(folder / name, patient)
    if not (folder / "utt2dur").exists():
        patient.wrong(f"{folder / 'utt2dur'} is missing", AGAIN)
    if not patient.findings:
        _check_durations(folder, durations, patient)
    return patient


def _check_table(path: Path, patient: Patient) -> None:
    if not path.exists():
        return
    try:
        ids = [line.id for line in read_lines(path)]
    except SureError as error:
        patient.wrong(error, AGAIN)
        return
    except OSError as error:
        patient.wrong(f"{path} cannot be read ({error.strerror})", AGAIN)
        return
    for earlier, later in pairwise(ids):
        if later < earlier:
            patient.wrong(f"{path}: not sorted by id in C order: '{later}' is behind '{earlier}'", ORDER)
            return


def _check_durations(folder: Path, durations: dict[str, float], patient: Patient) -> None:
    try:
        utterances = read_data_dir(folder)
    except SureError as error:
        patient.wrong(error)
        return
    for utterance in utterances:
        measured = durations[utterance.id]
        if abs(utterance.seconds - measured) > SEGMENT_TOLERANCE:
            patient.wrong(
                f"{folder / 'utt2dur'}: '{utterance.id}' has {utterance.seconds:.2f} s there, and {measured:.2f} s in "
                f"{utterance.audio}: it was changed since stage 2",
                "bring the recording back, or run stage 2, prepare, again",
            )
    patient.notes.append(f"{len(utterances)} utterances, {sum(durations.values()) / 3600:.2f} hours")
