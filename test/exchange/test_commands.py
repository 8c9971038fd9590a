"""The commands, from a bundle to folders of other libraries and from a PEFT folder to a training run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import toys
import transformers
from models import write_adapter
from originals import huggingface, saved
from pairs import check_equal, encoded, load_peft, logits, ours, sound
from safetensors.torch import load_file

from sure.bin import export, import_adapter
from sure.errors import SureError
from sure.inference import Sure

CODE = """
import sys
sys.modules["peft"] = sys.modules["transformers"] = None
from sure.bin import export, import_adapter
export.main(["bundle0", "--to", "peft", "--out", "peft"])
export.main(["bundle0", "--to", "transformers", "--out", "model", "--backbone", "wav2vec2"])
import_adapter.main(["peft", "--backbone", "wav2vec2", "--weights", sys.argv[1], "--out", "adapter"])
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the bundle of a LoRA, its exports, and the import of one, by a process without these libraries."""
    folder = tmp_path_factory.mktemp("made")
    weights = saved(huggingface("wav2vec2"), folder / "wav2vec2")
    write_adapter(folder, ["lora", "weighted_sum"], name="wav2vec2", weights=weights)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", CODE, weights]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for words in ("adapter_config.json", "Wav2Vec2Model", "sure_head.safetensors", "ForSequenceClassification"):
        assert words in done.stdout
    return folder


def same(found, wanted):
    return all((found[name] == wanted[name]).all() for name in wanted)


def test_export_and_import(made):
    model = Sure.load(made / "bundle0").model
    model.backbone.normalize_waveform = False  # the feature extractor does it there
    config = json.loads((made / "peft" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(made / "wav2vec2")
    loaded = transformers.AutoModelForAudioClassification.from_pretrained(made / "model").eval()
    check_equal(logits(model), loaded(sound()).logits.detach())
    check_equal(ours(model), encoded(load_peft(huggingface("wav2vec2"), str(made / "peft"))))
    files = ("bundle0/adapter.safetensors", "adapter/adapter.safetensors", "peft/sure_head.safetensors")
    before, after, rest = (load_file(made / file) for file in files)
    assert before.keys() == after.keys() | rest.keys() and "readout/weighted_sum/weights" in rest
    assert same(before, after) and same(before, rest)


def test_existing_folders_and_files_are_kept(made, tmp_path):
    bundle, adapter, weights = (str(made / name) for name in ("bundle0", "peft", "wav2vec2"))
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


def test_training_begins_with_the_imported_adapter_and_changes_it(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made)  # start.yaml has a relative path
    corpus, wanted = toys.make_corpus(tmp_path / "corpus"), load_file("adapter/adapter.safetensors")
    for rate in (0.0, 1e-2):
        words = ["train.epochs=1", f"train.lr_adapter={rate}", "backbone.layers=weighted_sum"]
        exp = toys.train_here(corpus, tmp_path / f"exp{rate}", "--config", "adapter/start.yaml", *words)
        found = load_file(exp / "best.safetensors")
        assert same(found, wanted) == (rate == 0)
    assert {name for name in found if not name.startswith("head/")} == {*wanted, "readout/weighted_sum/weights"}


def test_an_adapter_without_a_task_is_no_bundle(made):
    with pytest.raises(SureError, match="lacks head, language, seed, task"):
        Sure.load(made / "adapter")
