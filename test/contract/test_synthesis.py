"""The promises that every method keeps on a synthesiser."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from speakers import METHODS, READ_ALL_LAYERS, batch, disturb, make, outputs

from sure import registry
from sure.errors import SureError
from sure.train.summary import coverage_table

WITH_DROPOUT = ("full", "modules", "lora-modules", "lora-dropout")


def mergeable(given):
    return all(registry.find("petl", one["name"]).mergeable for one in (given if isinstance(given, list) else [given]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("synthesis")


@pytest.mark.parametrize("method", METHODS)
def test_starts_as_the_frozen_backbone(folder, method):
    """Bit for bit; what is frozen has no dropout, so also in training mode unless the backbone's own weights train."""
    plain, model = make(folder, "linear_probe").eval(), make(folder, method)
    model.train(method not in WITH_DROPOUT)
    assert all(map(torch.equal, outputs(model), outputs(plain)))


@pytest.mark.parametrize("method", METHODS)
def test_trains_what_it_declares_and_nothing_else(folder, method):
    model = make(folder, method)
    frozen = {name: tensor.clone() for name, tensor in model.named_parameters() if not tensor.requires_grad}
    groups = model.parameter_groups()
    declared = {id(parameter) for group in groups.values() for parameter in group.values()}
    assert declared == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW([p for group in groups.values() for p in group.values()], lr=1e-2, weight_decay=0)
    before = {name: parameter.detach().clone() for name, parameter in groups["adapter"].items()}
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        model(batch(model, given=not model.trains_aligner)).sum().backward()
        assert not [name for group in groups.values() for name, each in group.items() if each.grad is None]
        optimizer.step()
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in model.named_parameters() if name in frozen)
    moved = {name.split("/")[0] for name, each in groups["adapter"].items() if not torch.equal(each, before[name])}
    assert moved == {name.split("/")[0] for name in before}


@pytest.mark.parametrize("method", METHODS)
def test_batch_mates_change_nothing(folder, method):
    model = make(folder, method)
    disturb(model)
    model.eval()
    together, losses = outputs(model), model.evaluate_batch(batch(model))[0]
    for row in range(len(together)):
        alone = slice(row, row + 1)
        torch.testing.assert_close(outputs(model, alone)[0], together[row], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(model.evaluate_batch(batch(model, alone))[0][0], losses[row], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", [name for name, given in METHODS.items() if mergeable(given)])
def test_merged_equals_unmerged(folder, method):
    model = make(folder, method)
    disturb(model)
    model.eval()
    wanted = outputs(model)
    model.attachment.merge()
    for ours, theirs in zip(outputs(model), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert not any(".attached." in name for name in model.backbone.state_dict())


CHILD = """
import sys
from pathlib import Path
from safetensors.torch import load_file, save_file
sys.path.insert(0, sys.argv[2])
from speakers import make, outputs
folder = Path(sys.argv[1])
found = {}
for file in sorted(folder.glob("*.safetensors")):
    model = make(folder, file.stem, saved=True)
    model.load(load_file(file), str(file))
    found |= {f"{file.stem}@{row}": mel.contiguous() for row, mel in enumerate(outputs(model.eval()))}
save_file(found, folder / "found.bin")
"""


def test_saved_and_loaded_in_a_fresh_process(folder, request):
    wanted = {}
    for method in METHODS:
        model = make(folder, method)
        disturb(model)
        model.eval()
        wanted |= {f"{method}@{row}": mel for row, mel in enumerate(outputs(model))}
        tensors = {name: tensor.clone().contiguous() for name, tensor in model.state().items()}
        save_file(tensors, folder / f"{method}.safetensors")
    subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), str(request.path.parent)],
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        check=True,
        timeout=600,
    )
    found = load_file(folder / "found.bin")
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []


@pytest.mark.parametrize("method", [*READ_ALL_LAYERS, "cnn_adapter"])
def test_what_makes_no_sense_is_refused_by_name(folder, method):
    with pytest.raises(SureError, match=method):
        make(folder, {"name": method})


def test_parts_that_train_are_named_and_counted(folder):
    model = make(folder, "linear_probe", trains="variance.* postnet")
    rows = {row.pattern: row.parameters for row in model.attachment.coverage()}
    assert rows["postnet"] == sum(each.numel() for each in model.backbone.postnet.parameters())
    variance = (model.backbone.duration, model.backbone.pitch, model.backbone.energy)
    assert rows["variance.*"] == sum(each.numel() for part in variance for each in part.parameters())
    table = coverage_table(model)
    assert "variance.*" in table and "modules" in table
    names = {site.split("/")[0] for site in model.parameter_groups()["adapter"]}
    assert names == {"variance.duration", "variance.pitch", "variance.energy", "postnet"}


def test_speakers_that_training_does_not_know_have_the_common_voice(folder):
    model = make(folder, "linear_probe")
    disturb(model, 1.0)
    voices = model.voices(torch.tensor([0, 1, -1]))
    assert not torch.equal(voices[0], voices[1])
    assert torch.equal(voices[2], model.backbone.voice()[0])


def test_a_task_and_a_backbone_that_do_not_fit_are_refused(folder):
    from sure.config import make_config
    from sure.models.build import build_model, build_task

    given = {"task": "tts", "data": {"train": "a/train", "valid": "a/dev"}, "petl": "lora"}
    given |= {"backbone": {"name": "tiny"}, "tokenizer": {"folder": str(folder / "tokens")}}
    config = make_config(given, "test")
    with pytest.raises(SureError, match="backbone.name=tiny: the task tts needs a synthesis backbone"):
        build_model(config, build_task(config))
