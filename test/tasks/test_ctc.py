"""CTC tasks: targets, loss and greedy decoding, against sums over all paths and torchaudio."""

import itertools
import math

import pytest
import torch
import torchaudio.functional
from hypothesis import given, settings
from hypothesis import strategies as st

from sure import registry
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames

Task = registry.find("tasks", "asr")


TRAIN = [Utterance(id, "", text=text) for id, text in {"a": "abba", "b": "a cab", "c": "bac a"}.items()]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    Task.fit(TRAIN, folder, tokenizer=TokenizerConfig(), language="en")
    return Task(Task.Config(), folder, "en")


def collapse(path):
    """The tokens that a path of frames stands for, by definition."""
    return tuple(token for token, _ in itertools.groupby(path) if token != 0)


def loss_over_all_paths(logits, target):
    """-log of the summed probability of every path that collapses to the target."""
    logs = logits.double().log_softmax(-1)
    paths = itertools.product(range(logits.shape[1]), repeat=len(logits))
    sums = [sum(float(logs[t, v]) for t, v in enumerate(path)) for path in paths if collapse(path) == target]
    return -torch.logsumexp(torch.tensor(sums, dtype=torch.float64), 0).item() if sums else math.inf


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), frames=st.lists(st.integers(0, 5), min_size=1, max_size=3), data=st.data())
def test_loss_is_that_of_all_paths_and_zero_where_nothing_fits(task, seed, frames, data):
    targets = [data.draw(st.lists(st.integers(1, 2), max_size=4)) for _ in frames]
    outputs = torch.randn(len(frames), 5, 3, generator=torch.Generator().manual_seed(seed))
    outputs.requires_grad_()
    tensors = [torch.tensor(target, dtype=torch.int64) for target in targets]
    losses, fits = task.loss(outputs, Frames(frames, 5), tensors), task.fits(torch.tensor(frames), tensors)
    assert losses.shape == fits.shape == (len(frames),)
    losses.sum().backward()
    for row, (size, target) in enumerate(zip(frames, targets, strict=True)):
        expected = loss_over_all_paths(outputs[row, :size].detach(), tuple(target))
        assert bool(fits[row]) == math.isfinite(expected)
        if fits[row]:
            assert losses[row].item() == pytest.approx(expected / max(1, len(target)), abs=1e-5)
        else:
            assert losses[row].item() == 0.0 and outputs.grad[row].abs().sum() == 0
        assert outputs.grad[row, size:].abs().sum() == 0


def test_loss_in_half_precision_is_computed_in_single_and_nan_is_not_hidden(task):
    torch.manual_seed(0)
    outputs, frames, targets = torch.randn(1, 40, task.tokenizer.size).bfloat16(), Frames([40]), [task.target(TRAIN[0])]
    loss = task.loss(outputs, frames, targets)
    assert loss.dtype == torch.float32 and loss == task.loss(outputs.float(), frames, targets)
    assert task.loss(outputs * float("nan"), frames, targets).isnan().all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**20), levels=st.integers(1, 4))
def test_greedy_decoding_equals_torchaudio_with_ties_to_the_lowest_id(task, seed, levels):
    generator, frames = torch.Generator().manual_seed(seed), [15, 6, 0]
    outputs = torch.randint(levels, (3, 15, task.tokenizer.size), generator=generator).float()
    for row, text in enumerate(task.decode(outputs, Frames(frames, 15))):
        path = [frame.index(max(frame)) for frame in outputs[row, : frames[row]].tolist()]
        spans = torchaudio.functional.merge_tokens(torch.tensor(path), torch.zeros(len(path)), blank=0)
        assert collapse(path) == tuple(span.token for span in spans)
        assert text == task.tokenizer.decode(collapse(path))


def test_targets_decode_to_the_reference(task):
    one = Utterance("x", "", text="Abba, a CAB!")
    assert task.tokenizer.decode(task.target(one).tolist()) == task.reference(one) == "abba a cab"


def test_unknown_characters_are_left_out_once_with_a_warning(task, caplog):
    for id in ("x", "y"):
        one = Utterance(id, "", text="bad cab")
        assert task.tokenizer.decode(task.target(one).tolist()) == "ba cab"
        assert task.reference(one) == "bad cab"  # so that scores count it
    assert [record.getMessage().split(" is")[0] for record in caplog.records] == ["x: 'd'"]
    with pytest.raises(SureError, match="utt-3.*'привет'.*tokenize"):
        task.target(Utterance("utt-3", "", text="привет"))


@pytest.mark.parametrize(("language", "score"), [
    ("zh", "cer"), ("cmn_hans_cn", "cer"), ("th", "cer"), ("en", "wer"), ("ko", "wer"), ("all", "wer"),
])  # fmt: skip
def test_models_of_languages_without_spaces_are_compared_by_cer(task, tmp_path, language, score):
    task.tokenizer.save(tmp_path)
    assert Task(Task.Config(), tmp_path, language).score_name == score


@pytest.mark.parametrize("language", ["all", "mul"])
def test_several_languages_leave_normalised_texts_alone(task, language):
    for text in ("el niño", "l'été", "позвонить еще раз", "per città"):
        assert task.normalize(text, language) == text
