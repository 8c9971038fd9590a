"""Keyword spotting: one word of a fixed list; `unknown` and `silence` are labels like the others."""

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
