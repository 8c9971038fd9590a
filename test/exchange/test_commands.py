"""The commands, from a bundle to other libraries' folders and from a PEFT folder to a training."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toys
import transformers
import yaml
from pairs import TOLERANCE, config_of, distance, encoded, load_peft, logits, pair, sound
from safetensors.torch import load_file

from sure.bin import export, import_adapter
from sure.errors import SureError
from sure.inference import Sure
from sure.petl.bundle import write_bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bundle(tmp_path):
    """A bundle of a LoRA on a wav2vec2, the model in it, and transformers' model below it."""
    model, theirs = pair(tmp_path, "wav2vec2", "base", "lora")
    config = config_of(tmp_path, "wav2vec2", "lora")
    write_bundle(tmp_path / "bundle", model.bundle(config, tmp_path / "language"))
    return tmp_path / "bundle", model, theirs


def test_export_to_peft(bundle, tmp_path, capsys):
    folder, model, theirs = bundle
    export.main([str(folder), "--to", "peft", "--out", str(tmp_path / "peft")])
    output = capsys.readouterr().out
    assert "adapter_config.json" in output and "Wav2Vec2Model" in output and "sure_head.safetensors" in output
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(tmp_path / "wav2vec2")
    adapted = load_peft(theirs, str(tmp_path / "peft"))
    wanted = model.encode(sound(), sound().count_nonzero(1) * 0 + sound().shape[1]).last
    assert distance(wanted, encoded(adapted)) < TOLERANCE


def test_export_to_transformers(bundle, tmp_path, capsys):
    folder, model, _ = bundle
    wanted = logits(model)
    out = str(tmp_path / "out")
    export.main([str(folder), "--to", "transformers", "--out", out, "--backbone", str(tmp_path / "wav2vec2")])
    assert "ForSequenceClassification" in capsys.readouterr().out
    loaded = transformers.AutoModelForAudioClassification.from_pretrained(out).eval()
    assert distance(wanted, loaded(sound()).logits.detach()) < TOLERANCE


def test_a_folder_with_files_is_left_alone(bundle, tmp_path):
    with pytest.raises(SureError, match="already exists"):
        export.main([str(bundle[0]), "--to", "transformers", "--out", str(tmp_path / "wav2vec2")])


def test_a_file_is_no_folder_to_write_to(bundle, tmp_path):
    export.main([str(bundle[0]), "--to", "peft", "--out", str(tmp_path / "peft")])
    taken = tmp_path / "taken"
    taken.write_text("mine")
    arguments = [str(tmp_path / "peft"), "--backbone", "wav2vec2", "--weights", str(tmp_path / "wav2vec2")]
    with pytest.raises(SureError, match="taken is a file; give a folder"):
        import_adapter.main([*arguments, "--out", str(taken)])
    for command, start in ((import_adapter, arguments), (export, [str(bundle[0]), "--to", "peft"])):
        with pytest.raises(SureError, match="cannot write .*Not a directory"):
            command.main([*start, "--out", str(taken / "inside")])
    assert taken.read_text() == "mine"


def test_neither_peft_nor_transformers_is_needed(bundle, tmp_path):
    """The commands run where both are missing."""
    folder = bundle[0]
    hide = "import sys; sys.modules['peft'] = sys.modules['transformers'] = None; "
    weights = ["--backbone", "wav2vec2", "--weights", str(tmp_path / "wav2vec2")]
    for command, arguments in (
        ("export", [str(folder), "--to", "peft", "--out", str(tmp_path / "peft")]),
        ("export", [str(folder), "--to", "transformers", "--out", str(tmp_path / "model")]),
        ("import_adapter", [str(tmp_path / "peft"), *weights, "--out", str(tmp_path / "adapter")]),
    ):
        code = f"{hide}from sure.bin import {command}; {command}.main({arguments!r})"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    before, after = (load_file(place / "adapter.safetensors") for place in (folder, tmp_path / "adapter"))
    assert {name for name in before if not name.startswith("head/")} == set(after)
    assert all((after[name] == before[name]).all() for name in after)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return toys.make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def adapter(bundle, tmp_path):
    """What import_adapter makes of the exported LoRA."""
    export.main([str(bundle[0]), "--to", "peft", "--out", str(tmp_path / "peft")])
    arguments = [str(tmp_path / "peft"), "--from", "peft", "--backbone", "wav2vec2"]
    weights = str(tmp_path / "wav2vec2")
    import_adapter.main([*arguments, "--weights", weights, "--out", str(tmp_path / "adapter")])
    return tmp_path / "adapter"


def train(corpus, adapter, exp, *more, **changes):
    """Train for one epoch with a rate of zero, so that what training began with is what it ends with."""
    still = {"train__epochs": 1, "train__lr_adapter": 0.0, **changes}
    overrides = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in still.items()]
    return toys.train_here(corpus, exp, "--config", str(adapter / "start.yaml"), *overrides, *more)


@pytest.mark.parametrize("layers", ["last", "weighted_sum"])
def test_training_begins_with_what_was_imported(corpus, adapter, tmp_path, layers):
    exp = train(corpus, adapter, tmp_path / "exp", backbone__layers=layers)
    found, wanted = load_file(exp / "best.safetensors"), load_file(adapter / "adapter.safetensors")
    assert wanted and all((found[name] == wanted[name]).all() for name in wanted)
    more = {name for name in set(found) - set(wanted) if not name.startswith("head/")}
    assert more == ({"readout/weighted_sum/weights"} if layers == "weighted_sum" else set())


def test_training_goes_on_from_it(corpus, adapter, tmp_path):
    exp = train(corpus, adapter, tmp_path / "exp", train__lr_adapter=1e-2)
    found, wanted = load_file(exp / "best.safetensors"), load_file(adapter / "adapter.safetensors")
    assert not all((found[name] == wanted[name]).all() for name in wanted)


def test_training_names_what_differs_from_its_start(corpus, adapter, tmp_path):
    petl = yaml.safe_load((adapter / "start.yaml").read_text())["petl"]
    with pytest.raises(SureError, match="alpha=16.0, this config has alpha=3.0"):
        train(corpus, adapter, tmp_path / "exp", petl=[{**petl[0], "alpha": 3}])
    with pytest.raises(SureError, match="trained on wav2vec2"):
        train(corpus, adapter, tmp_path / "exp", backbone={"name": "hubert", "weights": "random:tiny"})


def test_an_adapter_without_a_task_is_no_bundle(adapter):
    with pytest.raises(SureError, match="lacks head, language, seed, task"):
        Sure.load(adapter)
