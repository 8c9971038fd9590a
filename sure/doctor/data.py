"""Check of a data folder: sorted, complete and readable, with the durations of its table."""

from itertools import pairwise
from pathlib import Path

from sure.data.audio import SEGMENT_TOLERANCE
from sure.data.data_dir import read_data_dir
from sure.data.tables import TABLES, read_lines
from sure.data.validate import inspect_data_dir
from sure.doctor.check import Check
from sure.doctor.marks import check_marks
from sure.errors import counted
from sure.recipe.inputs import changed_content

AGAIN = "run stage 2, prepare, again; --on_bad_utterance skip leaves out unusable utterances"
ORDER = "run stage 2, prepare, again: it sorts the tables"
RESTORE = "restore the recording, or run stage 2, prepare, again"
SHOWN = 20  # ids of one kind of problem


def check_data(folder: Path) -> Check:
    """Decode all audio; no file is changed."""
    check = Check(folder, "data folder")
    with check.collect():
        report, durations = inspect_data_dir(folder)
        check.notes += report.notes
        for line in report.problems(SHOWN):
            check.add(line.strip(), AGAIN)
        for path in filter(Path.exists, (folder / name for name in TABLES)):
            _check_table(path, check)
        if not (folder / "utt2dur").exists():
            check.add(f"{folder / 'utt2dur'} is missing", AGAIN)
        if not check.problems:
            _check_durations(folder, durations, check)
        for path in changed_content(folder):
            check.add(f"{path}: its content changed since stage 2", RESTORE)
        dataset = folder.resolve().parent  # data/asr_es
        check_marks((dataset.parent / ".marks").glob(f"{dataset.name}.*"), dataset.parent.parent, check)
    return check


def _check_table(path: Path, check: Check) -> None:
    try:
        with check.collect(AGAIN):
            for earlier, later in pairwise(line.id for line in read_lines(path)):
                if later < earlier:
                    check.add(f"{path}: not sorted by id in C order: '{later}' comes after '{earlier}'", ORDER)
                    return
    except OSError as error:
        check.add(f"{path} cannot be read ({error.strerror})", AGAIN)


def _check_durations(folder: Path, durations: dict[str, float], check: Check) -> None:
    utterances = read_data_dir(folder)
    for utterance in utterances:
        measured = durations[utterance.id]
        if abs(utterance.seconds - measured) > SEGMENT_TOLERANCE:
            check.add(
                f"{folder / 'utt2dur'}: '{utterance.id}' has {utterance.seconds:.2f} s there, and {measured:.2f} s in "
                f"{utterance.audio}: the recording changed since stage 2",
                RESTORE,
            )
    check.notes.append(f"{counted(len(utterances), 'utterance')}, {sum(durations.values()) / 3600:.2f} hours")
