"""Trainings of a synthesiser: pretrained, adapted, killed and resumed; on phones that a tiny model can learn."""

import json
import signal

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from synthesis_toys import ACOUSTIC, make_corpus, make_set, make_tokens, write_config
from toys import Child, kill, read, read_lines, wait_for

from sure.bin import decode, pack, train
from sure.data.ark import Scp, write_ark
from sure.data.synthesis.dataset import read_utterances
from sure.data.synthesis.durations import offenders
from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.models.experiment import Experiment
from sure.vocoder.hifigan import Generator, Shape


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("synthesis"))


def arguments(corpus, exp, **changes):
    return ["--config", str(write_config(corpus, exp.with_suffix(".yaml"), **changes)), "--exp", str(exp)]


def train_here(corpus, exp, **changes):
    train.main(arguments(corpus, exp, **changes))
    return exp


@pytest.fixture(scope="module")
def pretrained(corpus):
    return train_here(corpus, corpus / "exp" / "pretrained" / "seed1", train__epochs=4)


@pytest.fixture(scope="module")
def adaptation(pretrained):
    """Settings of a training that adapts the pretrained model."""
    lora = {"petl": {"name": "lora", "rank": 2, "dropout": 0.1}, "head__trains": "variance.* postnet"}
    return {**lora, "train__epochs": 2, "backbone__weights": str(pretrained / "backbone.safetensors")}


@pytest.fixture(scope="module")
def adapted(corpus, adaptation):
    return train_here(corpus, corpus / "exp" / "lora" / "seed1", **adaptation)


def test_a_pretraining_learns_and_leaves_its_backbone(pretrained):
    lines = read_lines(pretrained)
    assert lines[-1]["dev_mel_db"] < 0.9 * lines[0]["dev_mel_db"]
    best, kept = load_file(pretrained / "best.safetensors"), load_file(pretrained / "backbone.safetensors")
    common = best["backbone/full/voice.common"] + best["head/table"].mean(0)
    torch.testing.assert_close(kept["voice.common"], common)
    same = {name for name in kept if torch.equal(kept[name], best[f"backbone/full/{name}"])}
    assert same == kept.keys() - {"voice.common"}


def test_an_adaptation_names_its_backbone_and_its_trained_parts(adapted):
    assert len(json.loads((adapted / "summary.json").read_text())["backbone_sha256"]) == 64
    log = (adapted / "train.log").read_text()
    assert "variance.*" in log and "durations of the training set: 24 utterances" in log
    assert not (adapted / "backbone.safetensors").exists()
    parts = {name.split("/")[1] for name in load_file(adapted / "best.safetensors")}
    assert parts == {"lora", "modules", "table"}
    pack.main(["--exp", str(adapted)])
    about = json.loads((adapted / "bundle" / "adapter.json").read_text())
    assert about["task"] == "tts" and [one["name"] for one in about["petl"]] == ["lora", "modules"]


def test_decoding_writes_features_durations_and_copies(corpus, adapted):
    decode.main(["--exp", str(adapted)])
    out, copied = adapted / "decode_test", corpus / "exp" / "data_copy_synthesis" / "decode_test"
    scripts = read_utterances(corpus / "data" / "test")
    mels, pitches = Scp(out / "mel.scp"), Scp(out / "pitch.scp")
    durations = dict(line.split(maxsplit=1) for line in (out / "durations").read_text().splitlines())
    rows = [(one.id, list(map(int, durations[one.id].split())), len(one.phones), len(mels[one.id])) for one in scripts]
    assert offenders(rows) == []
    assert sorted(mels) == [one.id for one in scripts] == sorted(path.stem for path in (out / "wav").iterdir())
    assert all(len(pitches[id]) == len(mels[id]) and (pitches[id] > 0).all() for id in mels)
    natural, copies = Scp(corpus / "data" / "test" / "mel.scp"), Scp(copied / "mel.scp")
    assert all((natural[id] == copies[id]).all() for id in natural)
    before = (copied / "mel.ark").stat().st_mtime_ns
    decode.main(["--exp", str(adapted)])
    assert (copied / "mel.ark").stat().st_mtime_ns == before


def test_another_vocoder_has_a_folder_of_its_own(corpus, adapted):
    generator = corpus / "generator"
    about = {"resblock": "2", "upsample_rates": [16, 16], "upsample_kernel_sizes": [32, 32]}
    about |= {"upsample_initial_channel": 8, "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]]}
    about |= {"sampling_rate": 22050, "n_fft": 1024, "hop_size": 256, "win_size": 1024, "fmin": 0, "fmax": 8000}
    about["num_mels"] = ACOUSTIC["mels"]
    (corpus / "config.json").write_text(json.dumps(about))
    torch.save({"generator": Generator(Shape.model_validate(about)).state_dict()}, generator)
    decode.main(["--exp", str(adapted)])
    waves = {path: path.read_bytes() for path in (adapted / "decode_test" / "wav").iterdir()}
    decode.main(["--exp", str(adapted), f"decode.vocoder={generator}", "decode.name=small"])
    for path, content in waves.items():
        other = adapted / "decode_test_small" / "wav" / path.name
        assert path.read_bytes() == content != other.read_bytes()
        assert soundfile.info(other).frames == soundfile.info(path).frames
    assert json.loads((adapted / "decode_test_small" / "decoding.json").read_text())["decoding"] == "small"


@pytest.mark.parametrize("kind", ["pretraining", "adaptation"])
def test_killed_and_started_again_it_ends_the_same(corpus, tmp_path, pretrained, adapted, adaptation, kind):
    changes, reference = ({"train__epochs": 4}, pretrained) if kind == "pretraining" else (adaptation, adapted)
    changes, exp = {**changes, "train__save_minutes": 1e-9}, tmp_path / "exp"
    words = arguments(corpus, exp, **changes)
    child = Child(lambda: train.main(words), tmp_path / "stderr")
    wait_for(exp / "checkpoints" / "previous.pt", child)
    assert kill(signal.SIGKILL, child) == [-signal.SIGKILL]
    train_here(corpus, exp, **changes)
    assert "resuming at" in read(exp / "train.log")
    one, other = load_file(exp / "best.safetensors"), load_file(reference / "best.safetensors")
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_given_durations(corpus, tmp_path):
    exp = train_here(corpus, tmp_path / "exp", head__durations="given", train__epochs=1)
    assert not any("aligner" in name for name in load_file(exp / "backbone.safetensors"))
    with pytest.raises(SureError, match="has no aligner, .*head.durations=given"):
        train_here(corpus, tmp_path / "more", backbone__weights=str(exp / "backbone.safetensors"), petl="lora")
    data = make_set(tmp_path, "train", 5)
    lines = (data / "durations").read_text().splitlines()
    lines[1] = lines[1].rsplit(" ", 1)[0]
    lines[3] += "1"
    (data / "durations").write_text("\n".join(lines) + "\n")
    with pytest.raises(SureError, match=r"train-001: \d+ durations for \d+ phones\n +train-003: durations sum to"):
        read_utterances(data, durations=True)


def test_speakers_by_external_embeddings(tmp_path):
    """A speaker outside the training set has a voice of its own; one without an embedding is named."""
    generator = np.random.default_rng(1)
    vectors = {name: generator.normal(size=5).astype(np.float32) for name in ("ann", "bob", "eve")}
    for name, count, speakers in (("train", 8, ("ann", "bob")), ("dev", 2, ("ann", "bob")), ("test", 2, ("eve",))):
        data = make_set(tmp_path, name, count, speakers)
        write_ark(data / "spk2embedding.ark", sorted(vectors.items()))
    make_tokens(tmp_path)
    settings = {"head": {"speaker": "vector", "vector": 5}, "train__epochs": 1}
    exp = train_here(tmp_path, tmp_path / "exp" / "full" / "seed1", **settings)
    assert load_file(exp / "backbone.safetensors")["voice.projection.weight"].shape == (32, 5)
    _, model = load_trained(Experiment(exp))
    speakers = torch.stack([torch.from_numpy(vectors[name]) for name in ("eve", "ann")])
    one, other = model.synthesize([["AA1", "B"]] * 2, speakers)
    assert one.mel.shape != other.mel.shape or not torch.equal(one.mel, other.mel)
    decode.main(["--exp", str(exp)])
    for given, message in (
        (("ann", vectors["ann"]), "no embedding of the speaker 'eve'"),
        (("eve", np.zeros(7, np.float32)), "'eve' has 7 numbers, head.vector=5"),
        (("eve", np.full(5, np.nan, np.float32)), "not all numbers of 'eve' are finite"),
    ):
        write_ark(tmp_path / "data" / "test" / "spk2embedding.ark", [given])
        with pytest.raises(SureError, match=message):
            decode.main(["--exp", str(exp)])
    write_ark(tmp_path / "data" / "dev" / "spk2embedding.ark", [("ann", vectors["ann"])])
    with pytest.raises(SureError, match="no embedding of the speaker 'bob'"):
        train_here(tmp_path, tmp_path / "exp" / "more" / "seed1", **settings)
