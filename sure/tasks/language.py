"""Which language is spoken."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    """Which language is spoken."""
