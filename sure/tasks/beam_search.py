"""Beam search over the texts that a CTC output stands for, with an n-gram model of words and a list of words.

Prefixes are extended frame by frame as by Hannun et al. (First-pass large vocabulary continuous speech recognition
using bi-directional recurrent DNNs, 2014), so that the probability of a prefix is the sum over its alignments.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from torch import Tensor

from sure.text.ngram import END, LanguageModel
from sure.text.tokenizer import Piece, Tokenizer


class Said(NamedTuple):
    """The finished words of a prefix, their score, and the model's state behind them."""

    words: tuple[str, ...]
    score: float
    state: Any


class Prefix:
    """Tokens so far, of which it knows the last, what they said, and the letters of a word that is not finished.

    score: of its words, with what is certain of the unfinished one.
    """

    __slots__ = ("letters", "longer", "said", "score", "token")

    def __init__(self, token: int, said: Said, letters: str, score: float):
        self.token = token
        self.said = said
        self.letters = letters
        self.score = score
        self.longer: dict[int, Prefix | None] = {}  # by the next token


class BeamSearch:
    """Finds the text with the highest log p(text | audio) + the sum of its words' scores + weight log p(end).

    A word's score is weight log p(word | words before) + word_score, + unknown if the model does not have the word.

    pieces: of the tokenizer.
    settings: beam, margin, min_probability, weight, word_score and unknown, as `decode` in the config has them.
    model: of words; without one their scores are word_score.
    words: those that may be said, besides tokens that are whole words; None: any.
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        settings: Any,
        model: LanguageModel | None = None,
        words: Collection[str] | None = None,
    ):
        self.pieces = pieces
        self.settings = settings
        self.model = model
        self.words = words and {*words, *(piece.letters for piece in pieces if piece.begins and piece.ends)}
        self.beginnings = words and beginnings(words)
        known = model.words() if model else None
        self.known_beginnings = known and beginnings(known)

    def best(self, logs: Tensor) -> str:
        """The best text for log probabilities (frames, tokens), token 0 the blank."""
        probabilities = logs.double().exp().cpu()
        likely = (probabilities >= self.settings.min_probability).tolist()
        root = Prefix(Tokenizer.blank, Said((), 0.0, self.model.begin() if self.model else None), "", 0.0)
        # By prefix: how probable its alignments are that end with a blank, and those that end with its last token;
        # both relative to the most probable prefix, so that they do not vanish.
        beam: dict[Prefix, tuple[float, float]] = {root: (1.0, 0.0)}
        for frame, tried in zip(probabilities.tolist(), likely, strict=True):
            tokens = [token for token, is_likely in enumerate(tried) if is_likely and token != Tokenizer.blank]
            beam = self._prune(self._extend(beam, frame, tokens)) or beam
        return self._best_text(beam)

    def _extend(
        self, beam: dict[Prefix, tuple[float, float]], frame: Sequence[float], tokens: Iterable[int]
    ) -> dict[Prefix, list[float]]:
        """Every prefix of the beam, with and without one more token, and its probabilities behind this frame."""
        found: dict[Prefix, list[float]] = {}
        for prefix, (blank, token) in beam.items():
            both = blank + token
            here = found.setdefault(prefix, [0.0, 0.0])
            here[0] += both * frame[Tokenizer.blank]
            here[1] += token * frame[prefix.token]
            for next_token in tokens:
                if longer := self._longer(prefix, next_token):
                    before = blank if next_token == prefix.token else both  # equal ones need a blank between
                    found.setdefault(longer, [0.0, 0.0])[1] += before * frame[next_token]
        return found

    def _prune(self, found: dict[Prefix, list[float]]) -> dict[Prefix, tuple[float, float]]:
        """The best prefixes, at most `beam` and within `margin` of the best; none when all have become impossible."""
        scored = [
            (math.log(blank + token) + prefix.score, prefix, blank, token)
            for prefix, (blank, token) in found.items()
            if blank + token > 0
        ]
        scored.sort(key=itemgetter(0), reverse=True)  # of equals, what was found first stays in front
        lowest = scored[0][0] - self.settings.margin if scored else 0.0
        kept = [one for one in scored[: self.settings.beam] if one[0] >= lowest]
        largest = max((blank + token for _, _, blank, token in kept), default=0.0)
        return {prefix: (blank / largest, token / largest) for _, prefix, blank, token in kept}

    def _longer(self, prefix: Prefix, token: int) -> Prefix | None:
        """The prefix with one more token, made once; None where no allowed text begins so."""
        if token not in prefix.longer:
            prefix.longer[token] = self._make_longer(prefix, token)
        return prefix.longer[token]

    def _make_longer(self, prefix: Prefix, token: int) -> Prefix | None:
        piece = self.pieces[token]
        said, letters = prefix.said, prefix.letters
        if piece.begins and letters:
            said, letters = self._say(said, letters), ""
        letters += piece.letters
        if piece.ends and said:
            said, letters = self._say(said, letters), ""
        if said is None or (letters and self.beginnings is not None and letters not in self.beginnings):
            return None
        is_unknown = letters and self.known_beginnings is not None and letters not in self.known_beginnings
        return Prefix(token, said, letters, said.score + (self.settings.unknown if is_unknown else 0.0))

    def _say(self, said: Said, word: str) -> Said | None:
        """What is said with one more word; None where that word may not be."""
        if self.words is not None and word not in self.words:
            return None
        score, state = said.score + self.settings.word_score, said.state
        if self.model is not None:
            logarithm, state = self.model.score(state, word)
            score += self.settings.weight * logarithm + (0.0 if word in self.model else self.settings.unknown)
        return Said((*said.words, word), score, state)

    def _best_text(self, beam: dict[Prefix, tuple[float, float]]) -> str:
        """Different tokens may spell one text; its probability is their sum."""
        probabilities: dict[tuple[str, ...], float] = {}
        scores: dict[tuple[str, ...], float] = {}
        for prefix, pair in beam.items():
            if said := self._say(prefix.said, prefix.letters) if prefix.letters else prefix.said:
                end = self.settings.weight * self.model.score(said.state, END)[0] if self.model else 0.0
                probabilities[said.words] = probabilities.get(said.words, 0.0) + sum(pair)
                scores[said.words] = said.score + end
        if not probabilities:  # all that is left ends inside a word
            return " ".join(next(iter(beam)).said.words)
        return " ".join(max(probabilities, key=lambda words: math.log(probabilities[words]) + scores[words]))


def beginnings(words: Iterable[str]) -> set[str]:
    """All that the words begin with, themselves included."""
    return {word[:length] for word in words for length in range(1, len(word) + 1)}
