"""Emotion recognition; for corpora with unbalanced labels, compare unweighted average recall."""

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
