"""What a synthesis model adds: methods that it refuses, parts that train, voices."""

import pytest
import torch
from models import disturb
from speakers import READ_ALL_LAYERS, make, write_tokens

from sure.config import make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.train.build import coverage_table


@pytest.mark.parametrize("method", [*READ_ALL_LAYERS, "cnn_adapter"])
def test_methods_of_speech_encoders_are_refused_by_name(tmp_path, method):
    with pytest.raises(SureError, match=method):
        make(tmp_path, {"name": method})


def test_parts_that_train_are_named_and_counted(tmp_path):
    model = make(tmp_path, "linear_probe", trains="variance.* postnet")
    rows = {row.pattern: row.parameters for row in model.attachment.coverage}
    backbone = model.backbone
    parts = {"postnet": [backbone.postnet], "variance.*": [backbone.duration, backbone.pitch, backbone.energy]}
    for pattern, modules in parts.items():
        assert rows[pattern] == sum(each.numel() for module in modules for each in module.parameters())
    table = coverage_table(model)
    assert "variance.*" in table and "modules" in table
    names = {site.split("/")[0] for site in model.parameter_groups()["adapter"]}
    assert names == {"variance.duration", "variance.pitch", "variance.energy", "postnet"}


def test_speakers_that_training_does_not_know_have_the_common_voice(tmp_path):
    model = make(tmp_path, "linear_probe")
    disturb(model, 1.0)
    voices = model.voices(torch.tensor([0, 1, -1]))
    assert not torch.equal(voices[0], voices[1])
    assert torch.equal(voices[2], model.backbone.voice()[0])


def test_a_task_and_a_backbone_that_do_not_fit_are_refused(tmp_path):
    given = {"task": "tts", "data": {"train": "a/train", "valid": "a/dev"}, "petl": "lora"}
    given |= {"backbone": {"name": "tiny"}, "tokenizer": {"folder": str(write_tokens(tmp_path / "tokens"))}}
    config = make_config(given, "test")
    with pytest.raises(SureError, match="backbone.name=tiny: the task tts needs a synthesis backbone"):
        build_model(config, build_task(config))
