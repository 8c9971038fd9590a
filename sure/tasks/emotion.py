"""Which emotion is heard; of unbalanced corpora the unweighted average recall is the score to compare."""

from __future__ import annotations

from sure.tasks.classification import ClassificationTask


class Task(ClassificationTask):
    """Which emotion is heard; of unbalanced corpora the unweighted average recall is the score to compare."""
