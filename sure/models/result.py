"""All that a model finds in a recording: its line, and by task times of words, scores of labels, or an embedding."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from sure.models.parts import in_sequence
from sure.tasks.base import SpeechTask
from sure.tasks.verification import mean_direction
from sure.text.timed_word import TimedWord


@dataclass
class Result:
    """line: as of `predict`. words: of tasks with CTC. scores: probabilities by group and label, of classification.

    embedding: of unit length (dim,), of verification.
    """

    line: str
    words: list[TimedWord] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    embedding: Tensor | None = None


def merged(task: SpeechTask, parts: Sequence[Result], seconds: Sequence[float]) -> Result:
    """The result of a recording from those of its consecutive parts and their durations."""
    if len(parts) == 1:
        return parts[0]
    line = task.merge([one.line for one in parts], seconds)
    words = in_sequence([one.words for one in parts], seconds)
    scores = {
        group: {label: _mean([one.scores[group][label] for one in parts], seconds) for label in first}
        for group, first in parts[0].scores.items()
    }
    vectors = [one.embedding for one in parts if one.embedding is not None]
    return Result(line, words, scores, mean_direction(vectors, seconds) if vectors else None)


def _mean(values: Sequence[float], seconds: Sequence[float]) -> float:
    return sum(value * second for value, second in zip(values, seconds, strict=True)) / sum(seconds)
