"""Check of a bundle: its files are complete and consistent, and it fits its backbone."""

from __future__ import annotations

from pathlib import Path

from sure.doctor.problem import Check
from sure.errors import SureError
from sure.inference import Sure


def check_bundle(folder: Path) -> Check:
    """Load the bundle as for inference."""
    check = Check(folder, "bundle")
    try:
        sure = Sure.load(folder, device="cpu")
    except SureError as error:
        check.add(error)  # the message has the remedy
        return check
    about = next(iter(sure.bundles.values())).about
    check.notes.append(f"task {about['task']}, on {sure.weights}")
    return check
