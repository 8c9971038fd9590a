"""Beam search with a decoder: the `beam` most probable texts are continued together."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sure.generation.hypothesis import Hypothesis
from sure.generation.rules import TokenRules
from sure.generation.steps import Steps


@dataclass
class Candidates:
    """The best continuations of each utterance, best first: twice as many as the beam, since half of them may end.

    All (utterances, 2 beam): tokens; rows of the beam that they continue; log probability of the whole text, and the
    same among the tokens that the rules allow.
    """

    tokens: Tensor
    rows: Tensor
    totals: Tensor
    allowed: Tensor


@dataclass
class Search:
    """The finished hypotheses of one utterance, best first, at most `beam`."""

    beam: int
    length_penalty: float
    finished: list[Hypothesis] = field(default_factory=list)

    def finish(self, tokens: list[int], total: float, allowed: float, length: int) -> None:
        """length: number of tokens, the end included."""
        self.finished.append(Hypothesis(tokens, total / length**self.length_penalty, allowed / length))
        self.finished.sort(key=lambda one: -one.score)
        del self.finished[self.beam :]

    def is_done(self, best: float, length: int) -> bool:
        """Whether no running text replaces a finished one. best: highest log probability of texts of `length`."""
        full = len(self.finished) == self.beam
        return full and best / length**self.length_penalty <= self.finished[-1].score


def beam_search(
    steps: Steps,
    prompts: Tensor,
    rules: TokenRules,
    limits: Sequence[int],
    beam: int,
    length_penalty: float = 1.0,
) -> list[list[Hypothesis]]:
    """For each utterance `beam` hypotheses, best first. prompts: (utterances, n). limits: tokens of each one's text.

    The search of transformers' `generate` with early_stopping=False: it ends with `beam` finished texts whose scores
    no running text has at its present length.
    """
    start = prompts.shape[1]
    searches = [Search(beam, length_penalty) for _ in prompts]
    running, done = list(range(len(prompts))), set()  # the utterance at each place of the batch
    read = prompts[:, None]  # (utterances, running texts, n)
    totals = allowed = torch.zeros(read.shape[:2], device=prompts.device)
    logits = steps.logits(prompts)
    for length in range(1, max(limits) + 1):
        found = _candidates(rules.apply(logits.log_softmax(1), read.flatten(0, 1), start), totals, allowed, beam)
        texts = read.gather(1, found.rows[..., None].expand(-1, -1, read.shape[2]))
        texts = torch.cat([texts, found.tokens[..., None]], 2)
        ends = found.tokens == rules.end
        for place, utterance in enumerate(running):
            if utterance not in done:
                last = ends | (length == limits[utterance])
                _finish(searches[utterance], place, found, texts, last, start, rules.end, length)
        order = ends.long().argsort(dim=1, stable=True)[:, :beam]  # the best candidates that do not end
        totals, allowed = found.totals.gather(1, order), found.allowed.gather(1, order)
        rows = found.rows.gather(1, order)
        best = totals[:, 0].tolist()
        done |= {one for place, one in enumerate(running) if searches[one].is_done(best[place], length)}
        done |= {one for one in running if length == limits[one]}
        if len(done) == len(prompts):
            break
        width, read = read.shape[1], texts.gather(1, order[..., None].expand(-1, -1, texts.shape[2]))
        rows += torch.arange(len(running), device=rows.device)[:, None] * width
        places = [place for place, utterance in enumerate(running) if utterance not in done]
        if 2 * len(places) <= len(running):  # each utterance is copied a bounded number of times
            kept = torch.tensor(places, device=rows.device)
            running = [running[place] for place in places]
            steps.keep(kept)
            read, rows, totals, allowed = (each[kept] for each in (read, rows, totals, allowed))
        steps.select(rows.flatten())
        logits = steps.logits(read.flatten(0, 1)[:, -1:])
    return [search.finished for search in searches]


def _candidates(scores: Tensor, totals: Tensor, allowed: Tensor, beam: int) -> Candidates:
    """scores: (rows, vocabulary) log probabilities after the rules; totals, allowed: (utterances, rows of each)."""
    count = min(2 * beam, scores.shape[1])
    gains, tokens = (each.view(*totals.shape, count) for each in scores.topk(count))
    normalisers = scores.logsumexp(1).view(*totals.shape, 1)
    found, places = (totals[..., None] + gains).flatten(1).topk(count)
    among = (allowed[..., None] + gains - normalisers).flatten(1)
    return Candidates(tokens.flatten(1).gather(1, places), places // count, found, among.gather(1, places))


def _finish(
    search: Search, place: int, found: Candidates, texts: Tensor, ends: Tensor, start: int, end: int, length: int
) -> None:
    """Add the texts of one utterance that end among its `beam` best candidates."""
    for at in ends[place, : search.beam].nonzero()[:, 0].tolist():
        total = float(found.totals[place, at])
        if total > float("-inf"):
            tokens = texts[place, at, start:].tolist()
            tokens = tokens[:-1] if tokens[-1] == end else tokens
            search.finish(tokens, total, float(found.allowed[place, at]), length)
