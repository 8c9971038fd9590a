"""What every method guarantees on a synthesis model."""

import pytest
import torch
from models import check_training, disturb, found_in_a_fresh_process
from safetensors.torch import save_file
from speakers import METHODS, READ_ALL_LAYERS, batch, make, outputs

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
    """Bit for bit; in training mode too, unless there is dropout: frozen modules have none."""
    plain, model = make(folder, "linear_probe").eval(), make(folder, method)
    model.train(method not in WITH_DROPOUT)
    assert all(map(torch.equal, outputs(model), outputs(plain)))


@pytest.mark.parametrize("method", METHODS)
def test_trains_what_it_declares_and_nothing_else(folder, method):
    model = make(folder, method)
    check_training(model, lambda: model(batch(model, given=not model.trains_aligner)), steps=3)


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
from speakers import make, outputs
found = {}
for file in sorted(folder.glob("*.safetensors")):
    model = make(folder, file.stem, saved=True)
    model.load(load_file(file), str(file))
    found |= {f"{file.stem}@{row}": mel.contiguous() for row, mel in enumerate(outputs(model.eval()))}
save_file(found, folder / "found.bin")
"""


def test_saved_and_loaded_in_a_fresh_process(folder):
    wanted = {}
    for method in METHODS:
        model = make(folder, method)
        disturb(model)
        model.eval()
        wanted |= {f"{method}@{row}": mel for row, mel in enumerate(outputs(model))}
        tensors = {name: tensor.clone().contiguous() for name, tensor in model.state().items()}
        save_file(tensors, folder / f"{method}.safetensors")
    found = found_in_a_fresh_process(folder, CHILD)
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
