"""The commands, from a bundle to folders of other libraries and from a PEFT folder to a training run."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

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


CODE = """
import sys
sys.modules["peft"] = sys.modules["transformers"] = None
from sure.bin import export, import_adapter
export.main(["bundle", "--to", "peft", "--out", "peft"])
export.main(["bundle", "--to", "transformers", "--out", "model", "--backbone", "wav2vec2"])
import_adapter.main(["peft", "--backbone", "wav2vec2", "--weights", sys.argv[1], "--out", "adapter"])
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A bundle of a LoRA, its exports, and the import of one, by a process without PEFT and transformers.

    Attributes: the folder with all of these, the model, transformers' model below it, and the output.
    """
    folder = tmp_path_factory.mktemp("made")
    model, theirs = pair(folder, "wav2vec2", "base", "lora")
    write_bundle(folder / "bundle", model.bundle(config_of(folder, "wav2vec2", "lora"), folder / "language"))
    command, environment = (
        [sys.executable, "-c", CODE, str(folder / "wav2vec2")],
        {**os.environ, "PYTHONPATH": str(ROOT)},
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return SimpleNamespace(folder=folder, model=model, theirs=theirs, output=done.stdout)


def same(found, wanted):
    return all((found[name] == wanted[name]).all() for name in wanted)


def test_export_and_import(made):
    for words in ("adapter_config.json", "Wav2Vec2Model", "sure_head.safetensors", "ForSequenceClassification"):
        assert words in made.output
    config = json.loads((made.folder / "peft" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(made.folder / "wav2vec2")
    loaded = transformers.AutoModelForAudioClassification.from_pretrained(made.folder / "model").eval()
    check_equal(logits(made.model), loaded(sound()).logits.detach())
    check_equal(ours(made.model), encoded(load_peft(made.theirs, str(made.folder / "peft"))))
    before, after = (load_file(made.folder / place / "adapter.safetensors") for place in ("bundle", "adapter"))
    assert {name for name in before if not name.startswith("head/")} == set(after)
    assert same(before, after)


def test_existing_folders_and_files_are_kept(made, tmp_path):
    bundle, adapter, weights = (str(made.folder / name) for name in ("bundle", "peft", "wav2vec2"))
    with pytest.raises(SureError, match="already exists"):
        export.main([bundle, "--to", "transformers", "--out", weights])
    taken = tmp_path / "taken"
    taken.write_text("mine")
    arguments = [adapter, "--from", "peft", "--backbone", "wav2vec2", "--weights", weights]
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
def train(corpus, made, tmp_path, monkeypatch):
    """Train for one epoch from the imported adapter, by default with a rate of zero, so that it stays as it starts."""
    monkeypatch.chdir(made.folder)  # start.yaml has a relative path

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


def test_training_names_differences_from_its_start(train):
    petl = yaml.safe_load(Path("adapter/start.yaml").read_text())["petl"]
    with pytest.raises(SureError, match="alpha=16.0, this config has alpha=3.0"):
        train(petl=[{**petl[0], "alpha": 3}])
    with pytest.raises(SureError, match="trained on wav2vec2"):
        train(backbone={"name": "hubert", "weights": "random:tiny"})


def test_an_adapter_without_a_task_is_no_bundle(made):
    with pytest.raises(SureError, match="lacks head, language, seed, task"):
        Sure.load(made.folder / "adapter")
