"""Greedy search, and sampling at a temperature."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sure.generation.hypothesis import Hypothesis
from sure.generation.rules import TokenRules
from sure.generation.steps import Steps


def greedy_search(
    steps: Steps,
    prompts: Tensor,
    rules: TokenRules,
    limits: Sequence[int],
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Hypothesis]:
    """The most probable next token in each step, or a sample, until the end or the limit.

    prompts: (utterances, n). limits: tokens of each utterance's text. temperature: above 0, tokens are drawn from
    softmax(scores / temperature), by Gumbel noise that is the same for each utterance, so that a text does not depend
    on the batch.
    """
    noise = torch.Generator().manual_seed(seed)
    made: list[list[int]] = [[] for _ in prompts]
    totals = [0.0] * len(prompts)
    counts = [0] * len(prompts)
    running = list(range(len(prompts)))  # the utterance of each row
    done: set[int] = set()
    read, logits = prompts, steps.logits(prompts)
    while True:
        scores = rules.apply(logits, read, prompts.shape[1])
        if temperature:
            gumbel = -torch.empty(scores.shape[1]).exponential_(generator=noise).log()
            chosen = (scores / temperature + gumbel.to(scores.device)).argmax(1)
        else:
            chosen = scores.argmax(1)
        gained = scores.gather(1, chosen[:, None])[:, 0] - scores.logsumexp(1)
        for utterance, token, logarithm in zip(running, chosen.tolist(), gained.tolist(), strict=True):
            if utterance in done:
                continue
            totals[utterance] += logarithm
            counts[utterance] += 1
            if token != rules.end:
                made[utterance].append(token)
            if token == rules.end or counts[utterance] == limits[utterance]:
                done.add(utterance)
        if len(done) == len(prompts):
            break
        read = torch.cat([read, chosen[:, None]], 1)
        rows = [row for row, utterance in enumerate(running) if utterance not in done]
        if 2 * len(rows) <= len(running):  # each row is copied a bounded number of times
            kept = torch.tensor(rows, device=read.device)
            read, running = read[kept], [running[row] for row in rows]
            steps.keep(kept)
            steps.select(kept)
        logits = steps.logits(read[:, -1:])
    means = [total / count for total, count in zip(totals, counts, strict=True)]
    return [Hypothesis(tokens, mean, mean, None, temperature) for tokens, mean in zip(made, means, strict=True)]
