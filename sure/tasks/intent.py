"""What the speaker wants: one label, or one for each slot (action, object, ...); all have to be right."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    """What the speaker wants: one label, or one for each slot (action, object, ...); all have to be right."""
