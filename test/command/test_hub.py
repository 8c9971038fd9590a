"""Names on the hub, on a hub of our own: weights, pushed and pulled bundles, and everything that goes wrong."""

import json

import pytest
import soundfile
import toys
import yaml
from hub_server import commit_of, forget, on_loopback
from models import write_adapter
from originals import huggingface, saved
from safetensors.torch import load_file

from sure import hub
from sure.bin import export, infer, pull, push
from sure.config import load_config
from sure.errors import SureError
from sure.inference import Sure
from sure.models.experiment import Experiment
from sure.petl.bundle import read_bundle
from sure.registry import find

NAME = "maker/wav2vec2"
EXTRA = {"model.py": b"raise SystemExit", "pytorch_model.bin": b"x", "tf_model.h5": b"x", "README.md": b"x"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder of transformers."""
    folder = tmp_path_factory.mktemp("weights")
    saved(huggingface("wav2vec2"), folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": False}))
    return folder


@pytest.fixture
def loopback(tmp_path, weights):
    with on_loopback(tmp_path / "cache") as state:
        content = {path.name: path.read_bytes() for path in weights.iterdir()}
        state.add(NAME, {**content, **EXTRA})
        yield state


@pytest.fixture
def bundle(tmp_path, weights):
    write_adapter(tmp_path, ["lora", "weighted_sum"], name="wav2vec2", weights=str(weights))
    return tmp_path / "bundle0"


def test_a_model_is_fetched_once_and_only_what_is_read(loopback, weights):
    found, wanted = (find("backbones", "wav2vec2").from_weights(one) for one in (NAME, str(weights)))
    assert found.sha256 == wanted.sha256
    assert loopback.fetched() == {"config.json", "model.safetensors", "preprocessor_config.json"}
    name, before = hub.pinned(NAME), len(loopback.requests)
    assert name == f"{NAME}@{commit_of(NAME, 0)}" and hub.is_pinned(name) and not hub.is_pinned(NAME)
    forget()
    assert hub.local(name).name == commit_of(NAME, 0)
    assert len(loopback.requests) == before  # a commit never changes, so the hub is not asked again
    loopback.add(NAME, {"config.json": b"{}", "model.safetensors": b"new"})
    assert hub.pinned(f"{NAME}@main") == f"{NAME}@{commit_of(NAME, 1)}"


def test_weights_in_several_files_and_pickles(loopback):
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "../outside"}}
    parts = {f"model-{number}.safetensors": b"x" for number in (1, 2, 3)}
    files = {"config.json": b"{}", "model.safetensors.index.json": json.dumps(index).encode(), **parts}
    loopback.add("maker/parts", files)
    folder = hub.local("maker/parts")
    assert sorted(path.name for path in folder.glob("model-*")) == ["model-1.safetensors", "model-2.safetensors"]
    loopback.add("maker/old", {"config.json": b"{}", "pytorch_model.bin": b"x"})
    assert (hub.local("maker/old") / "pytorch_model.bin").is_file()
    loopback.add("maker/other", {"config.json": b"{}", "model.onnx": b"x"})
    with pytest.raises(SureError, match="is not a model of transformers .it lacks config.json and"):
        hub.local("maker/other")


def test_errors_tell_what_to_do(loopback, monkeypatch):
    loopback.gated.add("maker/gated")
    for name, message in (
        ("maker/none", "neither a path on this machine nor a public repository .*; correct the name"),
        (f"{NAME}@v9", "no revision 'v9'; give a branch, a tag or a whole commit"),
        ("maker/gated", "access is restricted; accept the conditions on .*/maker/gated, and log in"),
        ("maker/a--b", "is not a name on the hub .*; correct it"),
    ):
        with pytest.raises(SureError, match=message):
            hub.local(name)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(SureError, match="nor complete in the cache .* HF_HUB_OFFLINE is set; call the command once"):
        hub.local(NAME)


def test_a_cached_model_is_used_without_the_hub(loopback):
    folder = hub.local(NAME)
    loopback.status = 503
    forget()
    assert hub.local(NAME) == folder
    with pytest.raises(SureError, match="maker/none is neither a path nor complete"):
        hub.local("maker/none")


def test_a_broken_connection_is_continued(loopback, weights):
    loopback.break_after = [100, 2000]
    folder = hub.local(NAME)
    assert load_file(folder / "model.safetensors").keys() == load_file(weights / "model.safetensors").keys()


def test_paths_and_other_names_are_not_names_on_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maker" / "model").mkdir(parents=True)
    for text in "maker/model downloads/whisper a/b.safetensors WAV2VEC2_BASE random /a/b a/b/c ../a".split():
        assert not hub.is_name(text), text
    assert hub.is_name("maker/model2") and hub.is_name("maker/model2@v1")


def test_a_training_keeps_its_commit(loopback, tmp_path):
    path = toys.write_config(tmp_path, tmp_path / "config.yaml", backbone={"name": "wav2vec2", "weights": NAME})
    config, experiment = load_config(path), Experiment(tmp_path / "exp")
    first = experiment.with_commit(config)
    assert first.backbone.weights == f"{NAME}@{commit_of(NAME, 0)}" and config.backbone.weights == NAME
    experiment.open(first, "train")
    experiment.write_summary({})
    loopback.add(NAME, {"config.json": b"{}", "model.safetensors": b"new"})
    forget()
    assert experiment.with_commit(config) == first
    assert Experiment(tmp_path / "new").with_commit(config).backbone.weights.endswith(commit_of(NAME, 1))


def test_push_and_pull(loopback, bundle, weights, tmp_path, capsys):
    push.main([str(bundle), "me/adapter", "--license", "apache-2.0", "--base_model", NAME, "--json"])
    done = json.loads(capsys.readouterr().out)
    assert done["commit"] == commit_of("me/adapter", 0)
    files = loopback.repositories["me/adapter"][0]
    assert files.keys() == {"README.md", *(path.name for path in bundle.iterdir())}
    metadata = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert metadata["license"] == "apache-2.0" and metadata["base_model"] == NAME
    assert metadata["base_model_relation"] == "adapter"
    pull.main([f"me/adapter@{done['commit']}", "--out", str(tmp_path / "pulled")])
    assert read_bundle(tmp_path / "pulled").about == read_bundle(bundle).about
    assert capsys.readouterr().out == f"{tmp_path / 'pulled'}\n"
    sound = tmp_path / "a.wav"
    soundfile.write(sound, toys.tones("abc"), toys.RATE)
    lines = []
    for one in (str(bundle), "me/adapter"):
        infer.main([one, str(sound), "--backbone", str(weights)])
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]
    with pytest.raises(SureError, match="already exists and is not a bundle"):
        pull.main(["me/adapter", "--out", str(weights)])
    with pytest.raises(SureError, match="is not a bundle of SURE"):
        Sure.load(NAME)


def test_an_exported_adapter_names_its_backbone_on_the_hub(loopback, tmp_path):
    write_adapter(tmp_path, ["lora"], name="wav2vec2", weights=hub.pinned(NAME))
    export.main([str(tmp_path / "bundle0"), "--to", "peft", "--out", str(tmp_path / "peft")])
    assert json.loads((tmp_path / "peft" / "adapter_config.json").read_text())["base_model_name_or_path"] == NAME


def test_a_damaged_bundle_is_not_sent(loopback, bundle):
    (bundle / "adapter.safetensors").write_bytes(b"x")
    with pytest.raises(SureError, match="is damaged"):
        push.main([str(bundle), "me/adapter"])
    assert not any(method == "POST" for method, _ in loopback.requests)
