"""The promises of docs/trust.md that no other test shows, and the page itself."""

import logging
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from toys import make_corpus, train_here, write_config

from sure.bin import pack
from sure.config import load_config
from sure.errors import SureError
from sure.inference import Sure
from sure.interrupt import Interrupt
from sure.models.experiment import Experiment
from sure.petl.bundle import WEIGHTS
from sure.train.distributed import ALONE
from sure.train.trainer import Trainer

ROOT = Path(__file__).parents[1]
METHODS = ("lora", "dora", "bottleneck", "prefix", "ia3", "bitfit", "lora+prefix")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("tones"))


@pytest.mark.parametrize("method", METHODS)
def test_the_optimizer_has_the_parameters_of_the_log_and_all_others_stay_bit_for_bit(corpus, tmp_path, method, caplog):
    """Also through the evaluations after each epoch, in which other toolkits merge and unmerge the adapter."""
    with caplog.at_level(logging.INFO):
        config = load_config(write_config(corpus, tmp_path / "exp.yaml", petl={"name": method}))
        experiment = Experiment(tmp_path / "exp")
        experiment.open(config, "")
        trainer = Trainer(config, experiment, Interrupt(), ALONE)
    trained = {id(parameter): parameter for parameter in trainer.model.parameters() if parameter.requires_grad}
    held = [id(parameter) for group in trainer.optimizer.param_groups for parameter in group["params"]]
    assert sorted(held) == sorted(trained)
    count = sum(parameter.numel() for parameter in trained.values())
    assert re.search(rf"^trained +{count:,} ", caplog.text, re.MULTILINE)
    tensors = trainer.model.backbone.state_dict(keep_vars=True)
    frozen = {name: tensor.detach().clone() for name, tensor in tensors.items() if id(tensor) not in trained}
    assert frozen and count < sum(tensor.numel() for tensor in frozen.values())
    trainer.fit()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in frozen.items())
    saved = load_file(tmp_path / "exp" / "best.safetensors")
    assert sum(tensor.numel() for tensor in saved.values()) >= count  # and buffers of methods


@pytest.fixture(scope="module")
def bundle(corpus, tmp_path_factory) -> Path:
    """Speech recognition whose adapter changes much."""
    exp = tmp_path_factory.mktemp("exp") / "asr"
    train_here(corpus, exp, task="asr", train__epochs=8, train__lr_adapter=0.1)
    pack.main(["--exp", str(exp)])
    return exp / "bundle"


def test_every_use_of_a_bundle_goes_through_the_adapter_with_the_weights_of_its_file(corpus, bundle):
    sure = Sure.load(bundle)
    stored = load_file(bundle / WEIGHTS)
    used = sure.model.state()
    assert stored.keys() == used.keys() and all(torch.equal(used[name], stored[name]) for name in stored)
    files = sorted((corpus / "wav").glob("test*.wav"))
    with_adapter = sure.predict(files), sure.timings(files)
    sure.model.attachment.detach()
    assert all(map(lambda one, other: one != other, with_adapter, (sure.predict(files), sure.timings(files))))


@pytest.mark.parametrize("kept", [0, 1])
def test_a_bundle_without_a_tensor_of_its_adapter_is_refused(bundle, tmp_path, kept):
    """No tensor of an adapter or a head is ever left at its first, random value."""
    (tmp_path / "bundle").mkdir()
    for file in bundle.iterdir():
        (tmp_path / "bundle" / file.name).write_bytes(file.read_bytes())
    tensors = load_file(bundle / WEIGHTS)
    save_file(dict(list(tensors.items())[: len(tensors) * kept - kept]), tmp_path / "bundle" / WEIGHTS)
    with pytest.raises(SureError, match="bundle"):
        Sure.load(tmp_path / "bundle")


def test_the_page_names_tests_that_exist():
    page = (ROOT / "docs" / "trust.md").read_text()
    named = re.findall(r"`(test/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 10
    assert not [name for file, name in named if f"\ndef {name}(" not in (ROOT / file).read_text()]
