"""Generation gives the tokens of transformers' `generate`, in any batch."""

import pytest
import torch
from recognizer_toy import END, START, TOKENS, memory, recognizers, settings
from transformers.generation.logits_process import LogitsProcessorList, WhisperTimeStampLogitsProcessor
from transformers.generation.utils import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

from sure.frames import Frames
from sure.generation.generate import generate

PROMPT = [START, 42, 45]  # without timestamps
COUNT = 7
SETTINGS = {
    "greedy": {},
    "beam": {"beam": 5},
    "long beam": {"beam": 3, "length_penalty": 2.0},
    "short": {"max_tokens": 4},
    "short beam": {"beam": 5, "max_tokens": 4},
    "repetition": {"no_repeat_ngram": 2},
    "repetition beam": {"no_repeat_ngram": 2, "beam": 4},
    "timestamps": {"timestamps": True},
    "timestamps beam": {"timestamps": True, "beam": 5},
}


def prompts(chosen, count=COUNT):
    return torch.tensor([PROMPT[:-1] if chosen.timestamps else PROMPT] * count)


def theirs(chosen, count=COUNT):
    """The hypotheses of transformers, without prompt and end, best first."""
    network = recognizers()[1]
    prompt = prompts(chosen)
    config = network.generation_config
    config.eos_token_id, config.no_timestamps_token_id, config.max_initial_timestamp_index = END, 45, 50
    stamps = [WhisperTimeStampLogitsProcessor(config, prompt.shape[1])] if chosen.timestamps else []
    found = GenerationMixin.generate(
        network,
        encoder_outputs=BaseModelOutput(memory(count)[0]),
        decoder_input_ids=prompt,
        suppress_tokens=TOKENS.suppressed,
        begin_suppress_tokens=TOKENS.suppressed_first,
        num_beams=chosen.beam,
        num_return_sequences=chosen.beam,
        length_penalty=chosen.length_penalty,
        no_repeat_ngram_size=chosen.no_repeat_ngram or None,
        max_length=prompt.shape[1] + chosen.max_tokens if chosen.max_tokens else 32,
        do_sample=False,
        logits_processor=LogitsProcessorList(stamps),
    )
    texts = [row[prompt.shape[1] :].tolist() for row in found]
    texts = [text[: text.index(END)] if END in text else text for text in texts]
    return [texts[start : start + chosen.beam] for start in range(0, len(texts), chosen.beam)]


def ours(chosen, count=COUNT, rows=None):
    values, frames = memory(count)
    if rows is not None:
        values, frames = values[rows], Frames(frames.lengths[rows])
    found = generate(recognizers()[0], values, frames, prompts(chosen, len(values)), chosen, TOKENS)
    return [[one.tokens for one in best] for best in found]


@pytest.mark.parametrize("name", SETTINGS)
def test_tokens_of_transformers(name):
    chosen = settings(**SETTINGS[name])
    found = ours(chosen)
    assert found == theirs(chosen)
    lengths = {len(best[0]) for best in found}
    assert len(lengths) > 2 or chosen.max_tokens, "the texts should end at different steps"


@pytest.mark.parametrize("beam", [1, 4])
def test_short_utterances_have_short_texts(beam):
    """25 and 10 frames of 0.02 s, at 20 tokens a second: the limits are 11 and 5 tokens."""
    values, frames = memory(COUNT)[0], Frames([25, 10] * 3 + [25])
    chosen = settings(beam=beam, tokens_per_second=20)
    found = generate(recognizers()[0], values, frames, prompts(chosen), chosen, TOKENS)
    for row, best in enumerate(found):
        one, length = settings(beam=beam, max_tokens=5 if row % 2 else 11), Frames(frames.lengths[row : row + 1])
        alone = generate(
            recognizers()[0], values[[row]][:, : int(length.lengths[0])], length, prompts(one, 1), one, TOKENS
        )
        assert [one.tokens for one in best] == [one.tokens for one in alone[0]]
    assert max(len(best[0].tokens) for best in found[1::2]) == 5


@pytest.mark.parametrize("name", ["greedy", "beam", "timestamps beam"])
def test_an_utterance_has_the_same_text_alone(name):
    chosen = settings(**SETTINGS[name])
    assert [ours(chosen, rows=[row])[0] for row in range(COUNT)] == ours(chosen)
