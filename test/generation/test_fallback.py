"""Doubtful texts are sampled again, silence has no text, and the language is the first token's."""

import pytest
import torch
from recognizer_toy import START, TOKENS, memory, recognizers, settings

from sure.errors import SureError
from sure.frames import Frames
from sure.generation.fallback import compression_ratio, with_fallback
from sure.generation.generate import generate
from sure.generation.hypothesis import Hypothesis
from sure.generation.language import detect_languages

COUNT = 5
WHISPER = {"temperatures": [0.0, 0.5, 1.0]}


class Letters:
    """Each token is a letter."""

    def decode(self, ids):
        return "".join(map(chr, ids))


def made(text, log_probability=-0.1, no_speech=None):
    return [Hypothesis(list(map(ord, text)), log_probability, log_probability, no_speech)]


def texts(answers, **changes):
    """The text of each utterance. answers: by utterance and temperature."""
    found = with_fallback(
        lambda rows, temperature: [answers[row][temperature] for row in rows],
        len(answers),
        settings(**changes),
        Letters(),
    )
    return [Letters().decode(best[0].tokens) for best in found]


def test_a_text_is_sampled_again_until_it_is_probable_and_does_not_repeat_itself():
    answers = [
        {0.0: made("at once")},
        {0.0: made("unlikely", -1.5), 0.5: made("likely")},
        {0.0: made("again " * 40), 0.5: made("again " * 40), 1.0: made("once")},
        {0.0: made("x", -2.0), 0.5: made("y", -2.0), 1.0: made("the last one stays", -2.0)},
    ]
    assert texts(answers, **WHISPER) == ["at once", "likely", "once", "the last one stays"]
    assert texts(answers)[1] == "unlikely"  # one temperature: no fallback
    assert compression_ratio("again " * 40) > 2.4 > compression_ratio("an ordinary sentence of some length")


def test_silence_has_no_text():
    answers = [{0.0: made("thank you", -1.5, 0.9)}, {0.0: made("hello", -0.2, 0.9)}, {0.0: made("faint", -1.5, 0.3)}]
    assert texts(answers, no_speech=0.6) == ["", "hello", "faint"]
    assert texts(answers, no_speech=0.6, temperatures=[0.0, 1.0], log_probability=-1.6) == [
        "thank you",
        "hello",
        "faint",
    ]
    assert texts(answers) == ["thank you", "hello", "faint"]


def sampled(rows, **changes):
    values, frames = memory(COUNT)
    prompts = torch.tensor([[START, 42, 45]] * len(rows))
    chosen = settings(temperatures=[0.7], max_tokens=12, **changes)
    found = generate(recognizers()[0], values[rows], Frames(frames.lengths[rows]), prompts, chosen, TOKENS)
    return [best[0].tokens for best in found]


def test_samples_depend_on_the_seed_and_not_on_the_batch():
    together = sampled(list(range(COUNT)))
    assert together == [sampled([row])[0] for row in range(COUNT)]
    assert together != sampled(list(range(COUNT)), seed=1)


def test_probabilities_are_those_of_the_network():
    """Mean log probability and no-speech probability, computed again from one pass over the whole text."""
    network, (values, frames) = recognizers()[0], memory(3)
    prompt = [START, 42, 45]
    chosen = settings(no_speech=1.0, max_tokens=5)
    found = generate(network, values, frames, torch.tensor([prompt] * 3), chosen, TOKENS)
    for row, (one,) in enumerate(found):
        text = one.tokens if len(one.tokens) == 5 else [*one.tokens, TOKENS.end]
        read = torch.tensor([prompt + text])
        with torch.no_grad():
            logits = network.logits(network.decode(read, values[row : row + 1], Frames([values.shape[1]])))[0]
        silence = logits[0].softmax(0)[TOKENS.no_speech]
        logits[:, TOKENS.suppressed] = float("-inf")
        logits[2, TOKENS.suppressed_first] = float("-inf")
        logs = logits.log_softmax(1)[range(2, 2 + len(text)), text]
        torch.testing.assert_close(torch.tensor(one.log_probability), logs.mean(), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(torch.tensor(one.no_speech), silence, atol=1e-5, rtol=1e-4)


def test_the_language_is_the_most_probable_language_token():
    network, (values, frames) = recognizers()[0], memory(COUNT)
    with torch.no_grad():
        start = torch.full((COUNT, 1), START)
        logits = network.logits(network.decode(start, values, frames))[:, 0, [42, 43]]
        found = detect_languages(network, values, frames, TOKENS)
    assert [name for name, _ in found] == [["en", "es"][best] for best in logits.argmax(1).tolist()]
    assert [share for _, share in found] == pytest.approx(logits.softmax(1).amax(1).tolist(), abs=1e-5)
    alone = type(TOKENS)(**{**vars(TOKENS), "languages": {}})
    with pytest.raises(SureError, match="one language"):
        detect_languages(network, values, frames, alone)
