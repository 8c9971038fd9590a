"""What every method guarantees in every backbone family, for every kind of task, and in a synthesis model."""

import os
import subprocess
import sys
from pathlib import Path

import models
import pytest
import speakers
import torch
from models import FAMILIES, IN_TURN, LENGTHS, METHODS, PAIRS, TRIPLES, disturb, utterances, waves
from safetensors.torch import load_file, save_file

from sure import registry
from sure.errors import SureError
from sure.models.synthesis import SynthesisModel

SYNTHESIS = "fastspeech2"
WITH_DROPOUT = ("full", "modules", "lora-modules", "lora-dropout")  # they switch on the synthesis model's dropout
ALL = [*PAIRS, *((method, SYNTHESIS) for method in speakers.METHODS)]
WITH_TASK = [*TRIPLES, *((method, SYNTHESIS, "tts") for method in speakers.METHODS)]


def classes(method, family=""):
    """The classes of a row of METHODS."""
    given = (speakers if family == SYNTHESIS else models).METHODS[method]
    return [registry.find("petl", item["name"]) for item in (given if isinstance(given, list) else [given])]


MERGEABLE = [pair for pair in ALL if all(one.mergeable for one in classes(*pair))]


def make(folder, method, family, task="language", saved=False):
    """The model, or a skip if this family has no parameter that the method can train (such as biases)."""
    try:
        if family == SYNTHESIS:
            return speakers.make(folder, method, saved)
        return models.make(folder, method, family, task, saved)
    except SureError as error:
        if "can train" not in str(error):
            raise
        pytest.skip(str(error))


def outputs(model, rows=slice(None)):
    return (speakers if isinstance(model, SynthesisModel) else models).outputs(model, rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("contract")


@pytest.mark.parametrize(("method", "family"), ALL)
def test_starts_as_the_frozen_backbone(folder, method, family):
    """Outputs of all layers and of a synthesis model equal those of the backbone alone, bit for bit.

    In training mode too, unless the method switches dropout on: frozen modules have none.
    """
    plain, model = make(folder, "linear_probe", family).eval(), make(folder, method, family)
    model.train(family != SYNTHESIS or method not in WITH_DROPOUT)
    with torch.no_grad():
        found, wanted = (
            outputs(each) if family == SYNTHESIS else each.encode(waves(), LENGTHS).taps for each in (model, plain)
        )
    assert len(found) == len(wanted) and all(map(torch.equal, found, wanted))


@pytest.mark.parametrize(("method", "family", "task"), WITH_TASK)
def test_trains_what_it_declares_and_nothing_else(folder, method, family, task):
    """Declared parameters get gradients and move at every site; all others stay bit for bit."""
    model = make(folder, method, family, task)
    if task != "tts":
        targets = [model.task.target(utterance) for utterance in utterances(task)]
    frozen = {name: tensor.clone() for name, tensor in model.named_parameters() if not tensor.requires_grad}
    groups = model.parameter_groups()
    declared = {id(parameter) for group in groups.values() for parameter in group.values()}
    assert declared == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW([p for group in groups.values() for p in group.values()], lr=1e-2, weight_decay=0)
    before = {name: parameter.detach().clone() for name, parameter in groups["adapter"].items()}
    model.train()
    for _ in range(3 if task == "tts" else 2):
        optimizer.zero_grad()
        if task == "tts":
            losses = model(speakers.batch(model, given=not model.trains_aligner))
        else:
            losses = model.losses(model.encode(waves(), LENGTHS), targets)
        losses.sum().backward()
        assert not [name for group in groups.values() for name, each in group.items() if each.grad is None]
        optimizer.step()
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in model.named_parameters() if name in frozen)
    moved = {name.split("/")[0] for name, each in groups["adapter"].items() if not torch.equal(each, before[name])}
    assert moved == {name.split("/")[0] for name in before}


@pytest.mark.parametrize(("method", "family"), ALL)
def test_batch_mates_change_nothing(folder, method, family):
    """An utterance alone has the outputs that it has in a padded batch; in synthesis, the dev losses too."""
    model = make(folder, method, family, "asr")
    disturb(model)
    model.eval()
    together = outputs(model)
    losses = model.evaluate_batch(speakers.batch(model))[0] if family == SYNTHESIS else None
    for row, wanted in enumerate(together):
        alone = slice(row, row + 1)
        torch.testing.assert_close(outputs(model, alone)[0], wanted, atol=1e-5, rtol=1e-5)
        if losses is not None:
            loss = model.evaluate_batch(speakers.batch(model, alone))[0][0]
            torch.testing.assert_close(loss, losses[row], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("method", "family"), MERGEABLE)
def test_merged_equals_unmerged(folder, method, family):
    model = make(folder, method, family)
    disturb(model)
    model.eval()
    wanted = outputs(model)
    weights = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    model.train()
    model.eval()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.backbone.state_dict().items())
    model.attachment.merge()
    for found, unmerged in zip(outputs(model), wanted, strict=True):
        torch.testing.assert_close(found, unmerged, atol=1e-5, rtol=1e-5)
    assert not any(".attached." in name for name in model.backbone.state_dict())


@pytest.mark.parametrize("method", [name for name in METHODS if (name, FAMILIES[0]) not in MERGEABLE])
def test_a_method_that_cannot_be_merged_is_named_and_nothing_changes(folder, method):
    model = make(folder, method, FAMILIES[0])
    name = next(one.__module__.rpartition(".")[2] for one in classes(method) if not one.mergeable)
    before = {name: tensor.clone() for name, tensor in model.backbone.state_dict().items()}
    with pytest.raises(SureError, match=rf"petl \({name}\) cannot be merged"):
        model.attachment.merge()
    after = model.backbone.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


CHILD = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
sys.path.insert(0, sys.argv[2])
from safetensors.torch import load_file, save_file
from test_methods import make, outputs
found = {}
for file in sorted(folder.glob("*.safetensors")):
    model = make(folder, *file.stem.split("@"), saved=True)
    model.load(load_file(file), str(file))
    found |= {f"{file.stem}@{row}": each.contiguous() for row, each in enumerate(outputs(model.eval()))}
save_file(found, folder / "found.bin")
"""


def test_saved_and_loaded_in_a_fresh_process(folder):
    """Each method is loaded from a file by one new process and gives the same outputs there, bit for bit."""
    wanted = {}
    for method, family in [*IN_TURN, *((method, SYNTHESIS) for method in speakers.METHODS)]:
        model = make(folder, method, family)
        disturb(model)
        wanted |= {f"{method}@{family}@{row}": each for row, each in enumerate(outputs(model.eval()))}
        tensors = {name: tensor.clone().contiguous() for name, tensor in model.state().items()}
        save_file(tensors, folder / f"{method}@{family}.safetensors")
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums depend on the number of threads
    command = [sys.executable, "-c", CHILD, str(folder), str(Path(__file__).parent)]
    subprocess.run(command, env=os.environ | threads, check=True, timeout=600)
    found = load_file(folder / "found.bin")
    assert found.keys() == wanted.keys()
    assert [name for name in wanted if not torch.equal(found[name], wanted[name])] == []


@pytest.mark.parametrize("method", [name for name in METHODS if name != "linear_probe"])
def test_a_file_of_another_method_or_width_is_refused(folder, method):
    model = make(folder, method, FAMILIES[0], saved=True)
    state = model.state()
    with pytest.raises(SureError, match="does not fit the attached methods"):
        make(folder, "linear_probe", FAMILIES[0]).load(state, "other.safetensors")
    name = next(name for name in state if not name.startswith("head/"))
    with pytest.raises(SureError, match="shape"):
        model.load({**state, name: torch.zeros(3, 5, 7)}, "other.safetensors")


@pytest.mark.parametrize("method", [*speakers.READ_ALL_LAYERS, "cnn_adapter"])
def test_methods_of_speech_encoders_are_refused_by_name(folder, method):
    with pytest.raises(SureError, match=method):
        speakers.make(folder, {"name": method})


def test_speakers_that_training_does_not_know_have_the_common_voice(folder):
    model = speakers.make(folder, "linear_probe")
    disturb(model, 1.0)
    voices = model.voices(torch.tensor([0, 1, -1]))
    assert not torch.equal(voices[0], voices[1])
    assert torch.equal(voices[2], model.backbone.voice()[0])
