"""One text that a decoder generated."""

from dataclasses import dataclass


@dataclass
class Hypothesis:
    """tokens: without prompt and end.

    score: log probability of the tokens and the end, divided by length ** length_penalty; it ranks the hypotheses of
        one utterance. Greedy search and sampling: equal to `log_probability`.
    log_probability: mean over the tokens and the end, among the tokens that the rules allow.
    no_speech: probability of the token for no speech at the start; None if the decoder has none.
    temperature: of sampling; 0: none.
    """

    tokens: list[int]
    score: float
    log_probability: float
    no_speech: float | None = None
    temperature: float = 0.0
