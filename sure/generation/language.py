"""The language of an utterance, by the decoder's first token."""

import torch
from torch import Tensor

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.errors import SureError
from sure.frames import Frames
from sure.generation.steps import Steps
from sure.text.recognizer_tokens import RecognizerTokens


@torch.no_grad()
def detect_languages(
    backbone: EncoderDecoder, memory: Tensor, frames: Frames, tokens: RecognizerTokens
) -> list[tuple[str, float]]:
    """For each utterance the most probable language of the recogniser, such as es, and its probability.

    memory (utterances, time, dim), frames: output of the encoder. The probability is among all languages.
    Raises SureError for a recogniser of one language.
    """
    if not tokens.languages:
        raise SureError("this recogniser has one language, so it cannot find the language of an utterance")
    names = list(tokens.languages)
    start = frames.lengths.new_full((len(memory), 1), tokens.start).to(memory.device)
    logits = Steps(backbone, memory, frames).logits(start)
    best = logits[:, list(tokens.languages.values())].softmax(1).max(1)
    return [(names[index], share) for index, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)]
