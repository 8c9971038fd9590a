"""The promises that every method keeps in every backbone family, whatever the task."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from models import FAMILIES, LENGTHS, METHODS, TASKS, classes, disturb, make, utterances, waves
from safetensors.torch import load_file, save_file

from sure import registry
from sure.errors import SureError

MERGEABLE = [name for name, given in METHODS.items() if all(method.mergeable for method in classes(given))]
PAPER = [name for name in registry.names("petl") if "variant" in registry.find("petl", name).Config.model_fields]


def possible(folder, method, family, task="language", **settings):
    """The model, or a skip where this family has nothing that the method could train (no biases, say)."""
    try:
        return make(folder, method, family, task, **settings)
    except SureError as error:
        if "can train" not in str(error):
            raise
        pytest.skip(str(error))


def site_of(name):
    """`layer.3.attn.q/lora/a` -> `layer.3.attn.q`"""
    return name.split("/")[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
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


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_trains_what_it_declares_and_nothing_else(folder, method, family, task):
    model = possible(folder, method, family, task)
    frozen = {name: tensor.clone() for name, tensor in model.named_parameters() if not tensor.requires_grad}
    groups = model.parameter_groups()
    declared = {id(parameter) for group in groups.values() for parameter in group.values()}
    assert declared == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW([p for group in groups.values() for p in group.values()], lr=1e-2, weight_decay=0)
    before = {name: parameter.detach().clone() for name, parameter in groups["adapter"].items()}
    targets = [model.task.target(utterance) for utterance in utterances(task)]
    model.train()
    for _ in range(2):
        optimizer.zero_grad()
        model.losses(model.encode(waves(), LENGTHS), targets).sum().backward()
        missing = [name for group in groups.values() for name, parameter in group.items() if parameter.grad is None]
        assert not missing
        optimizer.step()
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in model.named_parameters() if name in frozen)
    moved = {site_of(name) for name, parameter in groups["adapter"].items() if not torch.equal(parameter, before[name])}
    assert moved == {site_of(name) for name in before}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_batch_mates_change_nothing(folder, method, family):
    """Padded equals alone, with every trained tensor moved off its start."""
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
import sys
from pathlib import Path
import torch
from safetensors.torch import load_file, save_file
sys.path.insert(0, sys.argv[2])
from models import LENGTHS, make, waves
folder = Path(sys.argv[1])
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


def test_saved_and_loaded_in_a_fresh_process(folder, request):
    """All combinations go through files to one fresh process and give the same outputs there, bit for bit."""
    wanted = {}
    for method in METHODS:
        for family in FAMILIES:
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
    subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(request.path.parent)],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},  # sums depend on how threads share them
        check=True,
        timeout=600,
    )
    found = load_file(folder / "found.bin")
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
    """`variant: paper` keeps the published form; it may start elsewhere, but trains and has the same size."""
    ours = make(folder, method, family, "language")
    paper = make(folder, method, family, "language", variant="paper")
    assert paper.counts() == ours.counts()
    with torch.no_grad():
        assert not torch.equal(paper.encode(waves(), LENGTHS).last, ours.encode(waves(), LENGTHS).last)
