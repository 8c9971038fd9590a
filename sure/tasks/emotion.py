"""Emotion recognition; for corpora with unbalanced labels, compare unweighted average recall."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
