"""Recognisers with their decoders compute the logits of transformers, at once and step by step."""

import pytest
import torch
import transformers
from originals import MOONSHINE, WHISPER, enliven, waves

from sure.backbones import moonshine_recognizer, whisper_recognizer
from sure.backbones.huggingface import _renamed
from sure.errors import SureError
from sure.frames import Frames

LENGTHS = [9600, 4000]
TOKENS = torch.tensor([[1, 7, 3, 4, 30, 9, 2], [1, 5, 3, 41, 8, 2, 0]])
WHISPER_DECODER = {**WHISPER, "decoder_layers": 2, "decoder_attention_heads": 3, "vocab_size": 50}
MOONSHINE_DECODER = {**MOONSHINE, "decoder_num_hidden_layers": 2, "vocab_size": 50}
ORIGINALS = {
    "whisper": ("Whisper", {**WHISPER_DECODER, "max_target_positions": 12}, whisper_recognizer),
    "moonshine": ("Moonshine", MOONSHINE_DECODER, moonshine_recognizer),
}


def pair(name):
    """A small random model of transformers and ours with its weights."""
    classes, settings, module = ORIGINALS[name]
    config = getattr(transformers, f"{classes}Config")(**settings)
    theirs = enliven(getattr(transformers, f"{classes}ForConditionalGeneration")(config))
    shape = module.Shape(**{ours: getattr(config, key) for ours, key in module.SIZES.items()})
    ours = module.Recognizer(shape, "as_trained" if name == "whisper" else "masked").eval()
    names = [(their, our) for our, their in module.NAMES.items()]
    state = theirs.state_dict().items()
    ours.load_state_dict(
        {_renamed(key.removeprefix("model."), names): each for key, each in state if "proj_out" not in key}
    )
    return theirs, ours


@pytest.fixture(params=ORIGINALS)
def models(request):
    return pair(request.param)


@torch.no_grad()
def test_logits_equal_transformers(models):
    theirs, ours = models
    encoded = ours.encode(waves(LENGTHS), torch.tensor(LENGTHS))
    assert encoded.lengths.tolist() == ours.memory_lengths(torch.tensor(LENGTHS)).tolist()
    # transformers' Whisper attends to all frames
    masks = {} if encoded.frames.full else {"encoder_attention_mask": encoded.frames.mask(torch.device("cpu")).long()}
    output = theirs.model.decoder(input_ids=TOKENS, encoder_hidden_states=encoded.last, **masks)
    wanted = theirs.proj_out(output.last_hidden_state)
    found = ours.logits(ours.decode(TOKENS, encoded.last, encoded.frames))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_steps_with_a_cache_equal_one_pass(models):
    _, ours = models
    encoded = ours.encode(waves(LENGTHS), torch.tensor(LENGTHS))
    memory, frames = encoded.last, encoded.frames
    whole = ours.decode(TOKENS, memory, frames)
    cache = ours.new_cache()
    steps = [ours.decode(part, memory, frames, cache) for part in TOKENS.split([3, 1, 1, 2], dim=1)]
    assert cache.length == TOKENS.shape[1]
    torch.testing.assert_close(torch.cat(steps, 1), whole, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_rows_of_an_utterance_and_their_selection(models):
    """Two hypotheses per utterance; their rows are exchanged, then only the second utterance is continued."""
    _, ours = models
    memory, frames = ours.encode(waves(LENGTHS), torch.tensor(LENGTHS)).last, Frames([10, 5], 10)
    memory, tokens = memory[:, :10], TOKENS.repeat_interleave(2, 0)
    tokens[[1, 3], 2] = 6
    cache = ours.new_cache()
    ours.decode(tokens[:, :4], memory, frames, cache)
    order = torch.tensor([1, 1, 2, 3])
    cache.select(order)
    ours.decode(tokens[order][:, 4:5], memory, frames, cache)
    cache.select(torch.tensor([2, 3]))
    cache.keep(torch.tensor([1]))
    found = ours.decode(tokens[2:, 5:], memory[1:], Frames([5], 10), cache)
    for row in (0, 1):
        alone = ours.decode(tokens[2 + row :][:1], memory[1:, :5], Frames([5]))
        torch.testing.assert_close(found[row], alone[0, 5:], atol=1e-5, rtol=1e-5)


def test_a_text_longer_than_the_decoder_is_an_error():
    ours = whisper_recognizer.Recognizer.from_weights("random:toy", max_tokens=5)
    with pytest.raises(SureError, match="6 tokens with its prompt, the decoder has 5 positions"):
        ours.decode(torch.zeros(1, 6, dtype=torch.long), torch.zeros(1, 3, 32), Frames([3]))
