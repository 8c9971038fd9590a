"""Use a bundle: recognise audio files, or synthesise a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sure.inference import Sure
from sure.models.build import kind_of


def infer(bundle: str, files: Sequence[str], backbone: str | None, device: str, merge: bool, **options: Any) -> int:
    """Print or write the results; the number of files that could not be used. options: as of `Kind.infer`."""
    sure = Sure.load(bundle, backbone, device)
    if merge:
        sure.merge()
    given = {name: value for name, value in options.items() if value not in (None, False)}
    return kind_of(sure.configs[sure.name]).infer(sure, files, given)
