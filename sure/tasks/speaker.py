"""Who speaks, among the speakers of the training set."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    """Who speaks, among the speakers of the training set."""
