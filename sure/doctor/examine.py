"""Detection of the kind of a folder, and its check."""

from pathlib import Path

from sure.doctor.check import Check
from sure.doctor.data import check_data
from sure.doctor.experiment import check_bundle, check_experiment
from sure.errors import SureError
from sure.petl.bundle import ABOUT, WEIGHTS

# Files of each kind of folder; the first kind that fits counts.
KINDS = (
    (("wav.scp",), check_data),
    ((ABOUT, WEIGHTS), check_bundle),
    (("config.yaml", "checkpoints", "summary.json", "best.safetensors"), check_experiment),
)
LEVELS = 2  # of subfolders to search if a folder is of no kind: exp/<name>/seed1, data/<name>/train


def examine(folder: Path) -> list[Check]:
    """Checks of a folder, or of the folders below it. Raises SureError if there is nothing to check."""
    if not folder.is_dir():
        raise SureError(f"{folder} does not exist; give an existing folder")
    found = _look(folder, LEVELS)
    if not found:
        raise SureError(
            f"{folder} is neither a data folder (wav.scp), nor an experiment (config.yaml), nor a bundle ({ABOUT}); "
            "give one of these, or a folder that contains some"
        )
    return found


def _look(folder: Path, levels: int) -> list[Check]:
    for files, look in KINDS:
        if any((folder / name).exists() for name in files):
            return [look(folder)]
    if not levels:
        return []
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [check for path in below for check in _look(path, levels - 1)]
