"""Speaker identification, among the speakers of the training set."""

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
