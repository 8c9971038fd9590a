"""Emotion recognition; for unbalanced labels, see `head.score`: accuracy counts frequent labels most."""

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
