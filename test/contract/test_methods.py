"""What every method guarantees in every backbone family and for every kind of task."""

from __future__ import annotations

import pytest
import torch
from models import (
    FAMILIES,
    LENGTHS,
    METHODS,
    PAIRS,
    TASKS,
    TRIPLES,
    check_training,
    classes,
    disturb,
    found_in_a_fresh_process,
    make,
    utterances,
    waves,
)
from safetensors.torch import save_file

from sure import registry
from sure.errors import SureError

MERGEABLE = [name for name, given in METHODS.items() if all(method.mergeable for method in classes(given))]
PAPER = [name for name in registry.names("petl") if "variant" in registry.find("petl", name).Config.model_fields]


def possible(folder, method, family, task="language", **settings):
    """The model, or a skip if this family has no parameter that the method can train (no biases, say)."""
    try:
        return make(folder, method, family, task, **settings)
    except SureError as error:
        if "can train" not in str(error):
            raise
        pytest.skip(str(error))


def test_tasks_meet_every_method_and_every_family():
    for column, known in ((0, METHODS), (1, FAMILIES)):
        assert {(triple[column], triple[2]) for triple in TRIPLES} == {(one, task) for one in known for task in TASKS}


@pytest.mark.parametrize("size", ["tiny", "tiny_large"])
def test_hubert_is_the_network_of_wav2vec2(size):
    """Why HuBERT is not among the families here: its outputs are equal bit for bit."""
    bias = {"convolution_bias": False} if size == "tiny_large" else {}
    hubert, wav2vec2 = (
        registry.find("backbones", name).from_weights(f"random:{size}", seed=3, **more)
        for name, more in (("hubert", {}), ("wav2vec2", bias))
    )
    assert [site.name for site in hubert.sites()] == [site.name for site in wav2vec2.sites()]
    with torch.no_grad():
        pairs = zip(hubert(waves(), LENGTHS).taps, wav2vec2(waves(), LENGTHS).taps, strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_starts_as_the_frozen_backbone(folder, method, family):
    """Every layer's output equals that of the backbone alone, bit for bit, also in training mode."""
    plain = make(folder, "linear_probe", family, "language")
    model = possible(folder, method, family)
    model.train()
    with torch.no_grad():
        wanted = plain.encode(waves(), LENGTHS).taps
        found = model.encode(waves(), LENGTHS).taps
    assert len(wanted) == len(found)
    for ours, theirs in zip(found, wanted, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("method", "family", "task"), TRIPLES)
def test_trains_what_it_declares_and_nothing_else(folder, method, family, task):
    model = possible(folder, method, family, task)
    targets = [model.task.target(utterance) for utterance in utterances(task)]
    check_training(model, lambda: model.losses(model.encode(waves(), LENGTHS), targets), steps=2)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_batch_mates_change_nothing(folder, method, family):
    """An utterance alone has the outputs that it has in a padded batch."""
    model = possible(folder, method, family, "asr")
    disturb(model)
    model.eval()
    with torch.no_grad():
        together = model.encode(waves(), LENGTHS)
        outputs = model.outputs(together)
        for row, samples in enumerate(LENGTHS.tolist()):
            alone = model.encode(waves()[row : row + 1, :samples], LENGTHS[row : row + 1])
            frames = int(together.lengths[row])
            assert int(alone.lengths[0]) == frames
            torch.testing.assert_close(model.outputs(alone)[0, :frames], outputs[row, :frames], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", MERGEABLE)
def test_merged_equals_unmerged(folder, method, family):
    model = possible(folder, method, family)
    disturb(model)
    model.eval()
    with torch.no_grad():
        wanted = model.outputs(model.encode(waves(), LENGTHS))
        weights = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
        model.train()
        model.eval()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in model.backbone.state_dict().items())
        model.attachment.merge()
        found = model.outputs(model.encode(waves(), LENGTHS))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    assert not any(".attached." in name for name in model.backbone.state_dict())


@pytest.mark.parametrize("method", [name for name in METHODS if name not in MERGEABLE])
def test_merging_what_cannot_be_merged_is_refused(folder, method):
    model = make(folder, method, FAMILIES[0], "language")
    if not list(model.attachment.built()):
        pytest.skip("nothing sits in the backbone")
    with pytest.raises(SureError, match="cannot be merged"):
        model.attachment.merge()


CHILD = """
import torch
from models import LENGTHS, make, waves
outputs = {}
for file in sorted(folder.glob("*.safetensors")):
    method, family = file.stem.split("@")
    model = make(folder, method, family, "language", saved=True)
    model.load(load_file(file), str(file))
    model.eval()
    with torch.no_grad():
        outputs[file.stem] = model.outputs(model.encode(waves(), LENGTHS)).contiguous()
save_file(outputs, folder / "found.bin")
"""


def test_saved_and_loaded_in_a_fresh_process(folder):
    """All pairs are loaded from files by one new process and give the same outputs there, bit for bit."""
    wanted = {}
    for method, family in PAIRS:
        try:
            model = make(folder, method, family, "language")
        except SureError:
            continue
        disturb(model)
        model.eval()
        with torch.no_grad():
            wanted[f"{method}@{family}"] = model.outputs(model.encode(waves(), LENGTHS)).contiguous()
        tensors = {name: tensor.clone().contiguous() for name, tensor in model.state().items()}
        save_file(tensors, folder / f"{method}@{family}.safetensors")
    found = found_in_a_fresh_process(folder, CHILD)
    assert sorted(found) == sorted(wanted)
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []


@pytest.mark.parametrize("method", [name for name in METHODS if name != "linear_probe"])
def test_a_file_of_another_method_or_width_is_refused(folder, method):
    model = make(folder, method, FAMILIES[0], "language", saved=True)
    state = model.state()
    with pytest.raises(SureError, match="does not fit|unexpected|missing"):
        make(folder, "linear_probe", FAMILIES[0], "language").load(state, "other.safetensors")
    name = next(name for name in state if not name.startswith("head/"))
    wrong = {**state, name: torch.zeros(3, 5, 7)}
    with pytest.raises(SureError, match="shape"):
        model.load(wrong, "other.safetensors")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", PAPER)
def test_the_published_variant_runs(folder, method, family):
    """`variant: paper` is the published form: another start, with the same number of parameters."""
    ours = make(folder, method, family, "language")
    paper = make(folder, method, family, "language", variant="paper")
    assert paper.counts() == ours.counts()
    with torch.no_grad():
        assert not torch.equal(paper.encode(waves(), LENGTHS).last, ours.encode(waves(), LENGTHS).last)
