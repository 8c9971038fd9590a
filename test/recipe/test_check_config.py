"""The check of the whole configuration before stage 1."""

import shutil
from pathlib import Path

import pytest
from hub_server import on_loopback

from sure import hub
from sure.bin import check_config
from sure.errors import SureError
from sure.train.tracker import check_tracker

EGS = Path(__file__).resolve().parents[2] / "egs"
DATA = ("overrides=data.train=data/asr/train", "overrides=data.valid=data/asr/dev")
WORDS = ("task=asr", "dataset=asr", "decode_methods=greedy", "decode_methods=beam", *DATA)
TINY = ("backbone=tiny", "weights=random:moonshine", "given=weights", "petl=lora linear_probe")
BEAM = (*TINY, "decode=beam")


@pytest.fixture(autouse=True)
def asterisk(monkeypatch):
    monkeypatch.chdir(EGS / "asterisk")


def check(*words):
    check_config.main([*WORDS, *words])


@pytest.mark.parametrize(
    "words",
    [
        (
            *TINY,
            "petl=lora dora",
            "rates=1e-3 3e-3",
            "decode=greedy beam",
            "set=train.epochs=3 decode.beam=4 petl.sites=layer.*.attn.q",
        ),
        ("backbone=moonshine", "weights=downloads/moonshine_tiny_en.safetensors", "petl=full"),  # stage 1 fetches it
        ("backbone=wavlm", "weights=WAVLM_BASE", "given=weights", "petl=prefix"),
        ("task=tts", "dataset=tts", "pipeline=synthesis", "shape=small", "petl=lora"),
        ("task=tts", "dataset=tts", "pipeline=synthesis", "pretrained=tts_others", "petl=lora", "given=petl"),
    ],
)
def test_what_training_accepts_passes(words):
    check(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*TINY, "set=train.epoch=3"), "unknown key 'train.epoch'.*'epochs'"),
        ((*TINY, "set=train.clip=-1"), "train.clip"),
        ((*TINY, "set=petl.rank=3"), r"petl \(linear_probe\): unknown key 'rank'"),  # of one of the methods only
        ((*TINY, "set=decode.beam=0"), "decode.beam"),  # stage 5 alone reads it
        ((*BEAM, "set=decode.name=a/b"), "decode.name"),
        ((*TINY, "weights=random:huge"), "random:huge"),
        (
            (
                "backbone=moonshine",
                "weights=downloads/moonshine_tiny_en.safetensors",
                "petl=lora",
                "set=petl.rank=100000",
            ),
            r"petl \(lora\): rank=100000 makes the modules larger than",
        ),  # before stage 1 has it
        (
            ("backbone=wav2vec2", "weights=WAV2VEC2_BASE", "petl=lora", "set=petl.sites=layer.12.*"),
            "'layer.12.*' .*matches nothing",
        ),
        (
            (*TINY[:3], "petl=dora", "set=backbone.frozen_weights=int8"),
            r"petl \(dora\) computes with the exact weights",
        ),
        ((*TINY, "set=petl.start=nowhere"), "nowhere is not a bundle"),
        ((*TINY, "set=petl.trains=false"), "trains=false needs start"),
        ((*TINY, "track=tensorbord"), "train.track.* 'wandb' or 'mlflow'"),
        ((*TINY, "set=train.device=gpu"), "train.device=gpu: expected auto, cpu, cuda"),
        ((*BEAM, "set=decode.ngram=nowhere.arpa"), "decode.ngram: the file nowhere.arpa does not exist"),
        ((*TINY, "weights=nowhere.safetensors"), "nowhere.safetensors"),
        (("backbone=wavlm", "weights=nowhere.pt", "petl=lora"), "nowhere.pt does not exist; .*torchaudio"),
        (("backbone=wavlm", "weights=WAVLM_BAES", "petl=lora"), "no such bundle .did you mean 'WAVLM_BASE'"),
        (("backbone=fastspeech2", "weights=random", "petl=lora", "given=weights"), "fastspeech2: the task asr needs"),
        ((*TINY, "rates=1e-3", "set=train={lr_adapter: 1e-2}"), "train.lr_adapter is 0.01 by --set, but 0.001"),
        ((*TINY, "set=backbone={weights: random}"), "backbone.weights is random by --set, but random:moonshine"),
        ((*BEAM, "set=decode.name=x", "overrides=data.tests=[a/test, a/test_x]"), "folder of the set test_x"),
    ],
)
def test_a_mistake_is_found_before_stage_1(words, message):
    with pytest.raises(SureError, match=message):
        check(*words)


def test_a_tracker_without_its_package_is_found_before_stage_1(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", {"wandb": None}.get)
    with pytest.raises(SureError, match="wandb needs the package wandb: tools/install.sh --extras track-wandb"):
        check_tracker("wandb")


def test_a_dry_run_downloads_nothing_and_reads_what_the_cache_has(tmp_path, capsys):
    words = ("backbone=wav2vec2", "weights=maker/model", "petl=lora", "dry_run=true")
    with on_loopback(tmp_path) as loopback:
        loopback.add("maker/model", {"config.json": b'{"model_type": "wav2vec2"}', "model.safetensors": b"x"})
        check(*words)
        assert "# maker/model is not in the cache of the hub" in capsys.readouterr().out
        with pytest.raises(SureError, match="train.device"):
            check(*words, "set=train.device=gpu")
        assert not loopback.requests
        hub.local("maker/model")
        with pytest.raises(SureError, match="config.json lacks 'hidden_size'"):
            check(*words)


def test_a_rate_of_one_method_would_replace_those_of_the_call(tmp_path, monkeypatch):
    (tmp_path / "conf" / "petl").mkdir(parents=True)
    shutil.copy("conf/asr.yaml", tmp_path / "conf")
    (tmp_path / "conf/petl/lora.yaml").write_text("petl: {name: lora, lr: 1e-2}")
    (tmp_path / "conf/petl/lora+prefix.yaml").write_text("petl: [{name: lora, lr: 5e-3}, {name: prefix}]")
    monkeypatch.chdir(tmp_path)
    check(*TINY, "petl=lora")
    with pytest.raises(SureError, match=r"--rates: petl.lr=0.01 of lora .* conf/asr.yaml \+ conf/petl/lora.yaml"):
        check(*TINY, "petl=lora", "rates=1e-3")
    with pytest.raises(SureError, match=r"petl.lr=0.005 of lora .* conf/petl/lora\+prefix.yaml"):
        check(*TINY, "petl=prefix lora+prefix", "rates=1e-3")
