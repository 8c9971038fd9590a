"""Which word of a fixed list is said; `unknown` and `silence` are labels like the others."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    """Which word of a fixed list is said; `unknown` and `silence` are labels like the others."""
