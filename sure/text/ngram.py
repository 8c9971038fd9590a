"""N-gram language models: estimation by interpolated modified Kneser-Ney smoothing, and scoring.

Chen and Goodman, An empirical study of smoothing techniques for language modeling (1998), in the variant of KenLM's
lmplz: unigrams are interpolated with the uniform distribution, from which <unk> gets its probability.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sure.errors import SureError

BEGIN, END, UNKNOWN = "<s>", "</s>", "<unk>"
NEVER = -99.0  # log10 probability of <s>, which is never predicted
LN10 = math.log(10)
FALLBACK = (0.5, 1.0, 1.5)  # discounts for texts that are too small to estimate them, as in KenLM

Gram = tuple[str, ...]


@dataclass
class Ngram:
    """A back-off model. grams: log10 probability and log10 back-off weight of each n-gram, as in ARPA files."""

    order: int
    grams: dict[Gram, tuple[float, float]]
    discounts: list[tuple[float, ...]] = field(default_factory=list)  # by order, for an estimated model

    def begin(self) -> Gram:
        """The state before the first word; a state represents the words so far."""
        return (BEGIN,)[: self.order - 1]

    def score(self, state: Gram, word: str) -> tuple[float, Gram]:
        """Natural logarithm of p(word | state), and the state after the word; `</s>` counts as a word."""
        if word not in self:
            word = UNKNOWN
        weight, context = 0.0, state
        while (*context, word) not in self.grams:  # ends at the unigram, which exists
            weight += self.grams.get(context, (0.0, 0.0))[1]
            context = context[1:]
        logarithm = weight + self.grams[(*context, word)][0]
        return LN10 * logarithm, (*state, word)[max(0, len(state) + 2 - self.order) :]

    def __contains__(self, word: str) -> bool:
        return (word,) in self.grams

    def words(self) -> set[str]:
        """The vocabulary."""
        return {gram[0] for gram in self.grams if len(gram) == 1} - {BEGIN, END, UNKNOWN}

    def counts(self) -> list[int]:
        """Number of n-grams of each order."""
        lengths = Counter(map(len, self.grams))
        return [lengths[order] for order in range(1, self.order + 1)]


def sentence_score(model: Ngram, words: Iterable[str]) -> float:
    """Natural logarithm of p(words </s> | <s>)."""
    total, state = 0.0, model.begin()
    for word in (*words, END):
        score, state = model.score(state, word)
        total += score
    return total


def perplexity(model: Ngram, sentences: Iterable[Sequence[str]]) -> float:
    """Inverse of the geometric mean probability of words and sentence ends."""
    sentences = list(sentences)
    total = sum(sentence_score(model, words) for words in sentences)
    return math.exp(-total / sum(len(words) + 1 for words in sentences))


def estimate(sentences: Iterable[Sequence[str]], order: int) -> Ngram:
    """Estimate a model; its order is lower than `order` if no sentence is long enough.

    Raises SureError for sentences without words, and for the words <s>, </s> and <unk>.
    """
    padded = [(BEGIN, *words, END) for words in sentences]
    _check(padded)
    order = min(order, max(map(len, padded)))
    model = Ngram(order, {(BEGIN,): (NEVER, 0.0)})
    counts = _adjusted_counts(padded, order)
    size = len(counts[0].keys() | {(UNKNOWN,)})
    lower: dict[Gram, float] = defaultdict(lambda: 1.0 / size)  # probabilities of the next lower order
    for counted in counts:
        discounts = _discounts(counted.values())
        probabilities, weights = _interpolate(counted, discounts, lower)
        if () in weights:  # these are unigrams
            probabilities.setdefault((UNKNOWN,), weights.pop(()) / size)
        model.discounts.append(discounts)
        model.grams |= {gram: (math.log10(probability), 0.0) for gram, probability in probabilities.items()}
        for context, weight in weights.items():
            model.grams[context] = (model.grams[context][0], math.log10(weight))
        lower = probabilities
    return model


def _check(padded: list[Gram]) -> None:
    if all(len(sentence) == 2 for sentence in padded):
        raise SureError("no words to estimate an n-gram model from")
    for sentence in padded:
        if taken := {BEGIN, END, UNKNOWN}.intersection(sentence[1:-1]):
            text = " ".join(sentence[1:-1])
            raise SureError(f"{taken.pop()} in the text {text!r} is a reserved word of n-gram models; remove it")


def _adjusted_counts(padded: Iterable[Gram], order: int) -> list[Counter[Gram]]:
    """Counts by order: occurrences for the highest order and after <s>, otherwise different preceding words."""
    highest: Counter[Gram] = Counter()
    begins: list[Counter[Gram]] = [Counter() for _ in range(order)]
    for sentence in padded:
        highest.update(sentence[start : start + order] for start in range(len(sentence) - order + 1))
        for length in range(2, min(order, len(sentence) + 1)):
            begins[length - 1][sentence[:length]] += 1
    if order == 1:
        del highest[(BEGIN,)]
    counts = [highest]
    for length in range(order - 1, 0, -1):
        counts.insert(0, Counter(gram[1:] for gram in counts[0]) + begins[length - 1])
    return counts


def _discounts(counts: Iterable[int]) -> tuple[float, ...]:
    """Discounts of counts of 1, 2, and 3 or more; FALLBACK if they are not defined."""
    ones, twos, threes, fours = map(Counter(counts).__getitem__, (1, 2, 3, 4))
    if not (ones and twos and threes):
        return FALLBACK
    share = ones / (ones + 2 * twos)
    found = (1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos, 3 - 4 * share * fours / threes)
    return found if all(0 < each <= place for place, each in enumerate(found, 1)) else FALLBACK


def _interpolate(
    counts: Counter[Gram], discounts: Sequence[float], lower: dict[Gram, float]
) -> tuple[dict[Gram, float], dict[Gram, float]]:
    """Probabilities by n-gram, and weights of the lower order by context."""
    totals: Counter[Gram] = Counter()
    taken: defaultdict[Gram, float] = defaultdict(float)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        taken[gram[:-1]] += discounts[min(count, 3) - 1]
    weights = {context: taken[context] / total for context, total in totals.items()}
    probabilities = {
        gram: (count - discounts[min(count, 3) - 1]) / totals[gram[:-1]] + weights[gram[:-1]] * lower[gram[1:]]
        for gram, count in counts.items()
    }
    return probabilities, weights
