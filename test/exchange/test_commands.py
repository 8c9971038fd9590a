"""The commands, from a bundle to folders of other libraries and from a PEFT folder to a training run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toys
import transformers
import yaml
from pairs import check_equal, config_of, encoded, load_peft, logits, ours, pair, sound
from safetensors.torch import load_file

from sure.bin import export, import_adapter
from sure.errors import SureError
from sure.inference import Sure
from sure.petl.bundle import write_bundle

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a bundle of a LoRA on a wav2vec2, the model in it, and transformers' model below it."""
    folder = tmp_path_factory.mktemp("made")
    model, theirs = pair(folder, "wav2vec2", "base", "lora")
    write_bundle(folder / "bundle", model.bundle(config_of(folder, "wav2vec2", "lora"), folder / "language"))
    return folder, model, theirs


@pytest.fixture(scope="module")
def imported(made):
    """The folder with the exported LoRA too, in processes without PEFT and transformers, and its import."""
    folder, *_ = made
    hide = "import sys; sys.modules['peft'] = sys.modules['transformers'] = None; "
    for command, arguments in (
        ("export", ["bundle", "--to", "peft", "--out", "peft"]),
        ("export", ["bundle", "--to", "transformers", "--out", "model"]),
        (
            "import_adapter",
            ["peft", "--backbone", "wav2vec2", "--weights", str(folder / "wav2vec2"), "--out", "adapter"],
        ),
    ):
        code = f"{hide}from sure.bin import {command}; {command}.main({arguments!r})"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def same(found, wanted):
    return all((found[name] == wanted[name]).all() for name in wanted)


def test_neither_peft_nor_transformers_is_needed(imported):
    before, after = (load_file(imported / place / "adapter.safetensors") for place in ("bundle", "adapter"))
    assert {name for name in before if not name.startswith("head/")} == set(after)
    assert same(before, after)


def test_export_to_peft(made, tmp_path, capsys):
    folder, model, theirs = made
    export.main([str(folder / "bundle"), "--to", "peft", "--out", str(tmp_path / "peft")])
    output = capsys.readouterr().out
    assert "adapter_config.json" in output and "Wav2Vec2Model" in output and "sure_head.safetensors" in output
    config = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(folder / "wav2vec2")
    check_equal(ours(model), encoded(load_peft(theirs, str(tmp_path / "peft"))))


def test_export_to_transformers(made, tmp_path, capsys):
    folder, model, _ = made
    out = str(tmp_path / "out")
    weights = ["--backbone", str(folder / "wav2vec2")]
    export.main([str(folder / "bundle"), "--to", "transformers", "--out", out, *weights])
    assert "ForSequenceClassification" in capsys.readouterr().out
    loaded = transformers.AutoModelForAudioClassification.from_pretrained(out).eval()
    check_equal(logits(model), loaded(sound()).logits.detach())


def test_existing_folders_and_files_are_kept(imported, tmp_path):
    bundle, weights = str(imported / "bundle"), str(imported / "wav2vec2")
    with pytest.raises(SureError, match="already exists"):
        export.main([bundle, "--to", "transformers", "--out", weights])
    taken = tmp_path / "taken"
    taken.write_text("mine")
    arguments = [str(imported / "peft"), "--from", "peft", "--backbone", "wav2vec2", "--weights", weights]
    with pytest.raises(SureError, match="taken is a file; give a folder"):
        import_adapter.main([*arguments, "--out", str(taken)])
    for command, start in ((import_adapter, arguments), (export, [bundle, "--to", "peft"])):
        with pytest.raises(SureError, match="cannot write .*Not a directory"):
            command.main([*start, "--out", str(taken / "inside")])
    assert taken.read_text() == "mine"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return toys.make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def train(corpus, imported, tmp_path, monkeypatch):
    """Train for one epoch from the imported adapter, by default with a rate of zero, so that it stays as it starts."""
    monkeypatch.chdir(imported)  # start.yaml has a relative path

    def run(**changes):
        overrides = {"train.epochs": 1, "train.lr_adapter": 0.0, **changes}
        words = [f"{key.replace('__', '.')}={json.dumps(value)}" for key, value in overrides.items()]
        exp = toys.train_here(corpus, tmp_path / "exp", "--config", "adapter/start.yaml", *words)
        return load_file(exp / "best.safetensors"), load_file("adapter/adapter.safetensors")

    return run


@pytest.mark.parametrize("layers", ["last", "weighted_sum"])
def test_training_begins_with_the_imported_adapter(train, layers):
    found, wanted = train(backbone__layers=layers)
    assert wanted and same(found, wanted)
    more = {name for name in set(found) - set(wanted) if not name.startswith("head/")}
    assert more == ({"readout/weighted_sum/weights"} if layers == "weighted_sum" else set())


def test_training_changes_it(train):
    assert not same(*train(**{"train.lr_adapter": 1e-2}))


def test_training_names_differences_from_its_start(train, imported):
    petl = yaml.safe_load((imported / "adapter" / "start.yaml").read_text())["petl"]
    with pytest.raises(SureError, match="alpha=16.0, this config has alpha=3.0"):
        train(petl=[{**petl[0], "alpha": 3}])
    with pytest.raises(SureError, match="trained on wav2vec2"):
        train(backbone={"name": "hubert", "weights": "random:tiny"})


def test_an_adapter_without_a_task_is_no_bundle(imported):
    with pytest.raises(SureError, match="lacks head, language, seed, task"):
        Sure.load(imported / "adapter")
