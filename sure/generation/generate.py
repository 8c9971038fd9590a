"""Text by a decoder from the output of an encoder."""

import math

import torch
from torch import Tensor

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.errors import SureError
from sure.frames import Frames
from sure.generation.beam import beam_search
from sure.generation.fallback import with_fallback
from sure.generation.greedy import greedy_search
from sure.generation.hypothesis import Hypothesis
from sure.generation.rules import TokenRules
from sure.generation.settings import GenerationConfig
from sure.generation.steps import Steps, Within
from sure.text.recognizer_tokens import RecognizerTokens


@torch.no_grad()
def generate(
    backbone: EncoderDecoder,
    memory: Tensor,
    frames: Frames,
    prompts: Tensor,
    settings: GenerationConfig,
    tokens: RecognizerTokens,
    within: Within | None = None,
) -> list[list[Hypothesis]]:
    """The hypotheses of each utterance, best first: `beam` of a beam search, one otherwise.

    The text is empty where the settings call an utterance silent.

    backbone: in evaluation mode. memory (utterances, time, dim), frames: output of its encoder.
    prompts: (utterances, n).
    within: for mixed batches, the context of each step of the decoder for the utterances with these numbers; with it,
        the settings have no beam.
    Raises SureError for a prompt that leaves no position.
    """
    limit = backbone.max_tokens - prompts.shape[1]
    if limit < 1:
        raise SureError(f"a prompt of {prompts.shape[1]} tokens fills the {backbone.max_tokens} positions; shorten it")
    limits = _limits(backbone, frames, settings, min(limit, settings.max_tokens or limit))
    rules = TokenRules(tokens, settings, backbone.vocabulary, memory.device)
    no_speech = tokens.no_speech if settings.no_speech is not None else None

    def search(rows: list[int], temperature: float) -> list[list[Hypothesis]]:
        everything = len(rows) == len(memory)
        chosen = (memory, frames) if everything else (memory[rows], Frames(frames.lengths[rows], frames.time))
        steps, start = Steps(backbone, *chosen, no_speech, rows, within), prompts[rows].to(memory.device)
        most = [limits[row] for row in rows]
        if temperature or settings.beam == 1:
            found = [[one] for one in greedy_search(steps, start, rules, most, temperature, settings.seed)]
        else:
            found = beam_search(steps, start, rules, most, settings.beam, settings.length_penalty)
        for best, probability in zip(found, steps.no_speech_probabilities, strict=True):
            for one in best:
                one.no_speech = probability
        return found

    return with_fallback(search, len(memory), settings, tokens)


def _limits(backbone: EncoderDecoder, frames: Frames, settings: GenerationConfig, limit: int) -> list[int]:
    """The largest number of tokens of each utterance's text, the end included."""
    if settings.tokens_per_second is None:
        return [limit] * len(frames.lengths)
    rate = settings.tokens_per_second * backbone.encoder.frame_clock()[0]
    return [min(limit, 1 + math.ceil(rate * length)) for length in frames.lengths.tolist()]
