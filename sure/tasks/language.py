"""Language identification."""

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
