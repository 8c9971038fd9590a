"""Speaker identification, among the speakers of the training set."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
