"""Finds out what a folder is, and has it looked at."""

from __future__ import annotations

from pathlib import Path

from sure.doctor.bundle import examine_bundle
from sure.doctor.data import examine_data
from sure.doctor.experiment import examine_experiment
from sure.doctor.finding import Patient
from sure.errors import SureError
from sure.petl.bundle import ABOUT, WEIGHTS

# What a folder has that is one of these; the first that fits.
KINDS = (
    (("wav.scp",), examine_data),
    ((ABOUT, WEIGHTS), examine_bundle),
    (("config.yaml", "checkpoints", "summary.json", "best.safetensors"), examine_experiment),
)
LEVELS = 2  # of folders below one that is none of them: exp/<name>/seed1, data/<name>/train


def examine(folder: Path) -> list[Patient]:
    """What can be looked at in a folder, or in the folders below it. Raises SureError where there is nothing."""
    if not folder.is_dir():
        raise SureError(f"{folder}: no such folder")
    found = _look(folder, LEVELS)
    if not found:
        raise SureError(
            f"{folder}: neither a data folder (wav.scp), nor an experiment (config.yaml), nor a bundle ({ABOUT}); "
            "give one of them, or a folder over some"
        )
    return found


def _look(folder: Path, levels: int) -> list[Patient]:
    for files, look in KINDS:
        if any((folder / name).exists() for name in files):
            return [look(folder)]
    if not levels:
        return []
    below = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [patient for path in below for patient in _look(path, levels - 1)]
