"""Prefix beam search for CTC outputs, with an n-gram model of words and a list of allowed words.

Prefixes are extended frame by frame, and the probability of a prefix is the sum over its alignments (Hannun et al.,
First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs, 2014).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from torch import Tensor

from sure.text.arpa import LanguageModel
from sure.text.ngram import END
from sure.text.tokenizer import Piece, Tokenizer


class History(NamedTuple):
    """The complete words of a prefix, their score, and the state of the n-gram model after them."""

    words: tuple[str, ...]
    score: float
    state: Any


@dataclass(slots=True, eq=False)
class Prefix:
    """A prefix of a text: its last token, its complete words, and the letters of an incomplete word.

    score: of the complete words, and `unknown` if no word of the n-gram model begins with the letters.
    """

    token: int
    history: History
    letters: str
    score: float
    longer: dict[int, Prefix | None] = field(default_factory=dict)  # by the next token


@dataclass
class BeamSearch:
    """Finds the text with the highest log p(text | audio) + sum of word scores + weight log p(end).

    The score of a word is weight log p(word | previous words) + word_score, + unknown if the model lacks the word.
    """

    pieces: Sequence[Piece]  # of the tokenizer
    settings: Any  # with beam, margin, min_probability, weight, word_score and unknown, the keys of `decode`
    model: LanguageModel | None = None  # of words; without one, the score of a word is word_score
    words: Collection[str] | None = None  # allowed in addition to tokens that are whole words; None: any word

    def __post_init__(self) -> None:
        self.beginnings = self.words and beginnings(self.words)
        if self.words:
            self.words = {*self.words, *(piece.letters for piece in self.pieces if piece.begins and piece.ends)}
        known = self.model and self.model.words()
        self.known_beginnings = known and beginnings(known)

    def best(self, logs: Tensor) -> str:
        """The best text. logs: (frames, tokens), log probabilities; token 0 is the blank."""
        probabilities = logs.double().exp().cpu()
        likely = (probabilities >= self.settings.min_probability).tolist()
        root = Prefix(Tokenizer.blank, History((), 0.0, self.model.begin() if self.model else None), "", 0.0)
        # For each prefix, the probabilities of its alignments that end with a blank and with its last token, relative
        # to the most probable prefix, which avoids underflow.
        beam: dict[Prefix, tuple[float, float]] = {root: (1.0, 0.0)}
        for frame, tried in zip(probabilities.tolist(), likely, strict=True):
            tokens = [token for token, is_likely in enumerate(tried) if is_likely and token != Tokenizer.blank]
            beam = self._prune(self._extend(beam, frame, tokens)) or beam
        return self._best_text(beam)

    def _extend(
        self, beam: dict[Prefix, tuple[float, float]], frame: Sequence[float], tokens: Iterable[int]
    ) -> dict[Prefix, list[float]]:
        """Every prefix of the beam, with and without one more token, and its probabilities after this frame."""
        found: dict[Prefix, list[float]] = {}
        for prefix, (blank, token) in beam.items():
            both = blank + token
            here = found.setdefault(prefix, [0.0, 0.0])
            here[0] += both * frame[Tokenizer.blank]
            here[1] += token * frame[prefix.token]
            for next_token in tokens:
                if next_token not in prefix.longer:
                    prefix.longer[next_token] = self._longer(prefix, next_token)
                if longer := prefix.longer[next_token]:
                    before = blank if next_token == prefix.token else both  # equal tokens need a blank between them
                    found.setdefault(longer, [0.0, 0.0])[1] += before * frame[next_token]
        return found

    def _prune(self, found: dict[Prefix, list[float]]) -> dict[Prefix, tuple[float, float]]:
        """At most `beam` prefixes, within `margin` of the best; none if all are impossible."""
        scored = [
            (math.log(blank + token) + prefix.score, prefix, blank, token)
            for prefix, (blank, token) in found.items()
            if blank + token > 0
        ]
        scored.sort(key=itemgetter(0), reverse=True)  # stable: among equals, the first one found comes first
        lowest = scored[0][0] - self.settings.margin if scored else 0.0
        kept = [one for one in scored[: self.settings.beam] if one[0] >= lowest]
        largest = max((blank + token for _, _, blank, token in kept), default=0.0)
        return {prefix: (blank / largest, token / largest) for _, prefix, blank, token in kept}

    def _longer(self, prefix: Prefix, token: int) -> Prefix | None:
        """The prefix with one more token; None if no allowed text begins with it."""
        piece = self.pieces[token]
        history, letters = prefix.history, prefix.letters
        if piece.begins and letters:
            history, letters = self._with_word(history, letters), ""
        letters += piece.letters
        if piece.ends and history:
            history, letters = self._with_word(history, letters), ""
        if history is None or (letters and self.beginnings is not None and letters not in self.beginnings):
            return None
        is_unknown = letters and self.known_beginnings is not None and letters not in self.known_beginnings
        return Prefix(token, history, letters, history.score + (self.settings.unknown if is_unknown else 0.0))

    def _with_word(self, history: History, word: str) -> History | None:
        """The words with one more word; None if that word is not allowed."""
        if self.words is not None and word not in self.words:
            return None
        score, state = history.score + self.settings.word_score, history.state
        if self.model is not None:
            logarithm, state = self.model.score(state, word)
            score += self.settings.weight * logarithm + (0.0 if word in self.model else self.settings.unknown)
        return History((*history.words, word), score, state)

    def _best_text(self, beam: dict[Prefix, tuple[float, float]]) -> str:
        """The most probable text; its probability is the sum over the token sequences that spell it."""
        probabilities: dict[tuple[str, ...], float] = {}
        scores: dict[tuple[str, ...], float] = {}
        for prefix, pair in beam.items():
            if history := self._with_word(prefix.history, prefix.letters) if prefix.letters else prefix.history:
                end = self.settings.weight * self.model.score(history.state, END)[0] if self.model else 0.0
                probabilities[history.words] = probabilities.get(history.words, 0.0) + sum(pair)
                scores[history.words] = history.score + end
        if not probabilities:  # every prefix ends inside a word
            return " ".join(next(iter(beam)).history.words)
        return " ".join(max(probabilities, key=lambda words: math.log(probabilities[words]) + scores[words]))


def beginnings(words: Iterable[str]) -> set[str]:
    """All beginnings of the words, the words included."""
    return {word[:length] for word in words for length in range(1, len(word) + 1)}
