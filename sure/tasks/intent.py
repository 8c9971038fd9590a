"""Intent classification: one label, or one in each group (action, object, ...); an intent needs all of them right."""

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    pass
