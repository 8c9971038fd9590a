"""A bundle: its files are whole and belong together, and it fits its backbone."""

from __future__ import annotations

from pathlib import Path

from sure.doctor.finding import Patient
from sure.errors import SureError
from sure.inference import Sure


def examine_bundle(folder: Path) -> Patient:
    """Loads it as whoever uses it does."""
    patient = Patient(folder, "bundle")
    try:
        sure = Sure.load(folder, device="cpu")
    except SureError as error:
        patient.wrong(error)  # says what to do
        return patient
    about = next(iter(sure.bundles.values())).about
    patient.notes.append(f"task {about['task']}, on {sure.weights}")
    return patient
