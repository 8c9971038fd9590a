"""Experiments and bundles of commit c080453, in test/saved, load, decode, score and train on as they did there."""

import json
import shutil
from pathlib import Path

import pytest
import synthesis_toys
import torch
import toys
from safetensors.torch import load_file

from sure.bin import decode, doctor, score, train
from sure.config import load_config
from sure.inference import Sure

SAVED = Path(__file__).parent / "saved"
CORPORA = {"asr": toys.make_corpus, "tts": synthesis_toys.make_corpus}


@pytest.fixture(params=CORPORA)
def saved(request, here):
    """A copy of the experiment in exp/<task>/seed1, with the corpus that it was trained on."""
    CORPORA[request.param](Path())
    return Path(shutil.copytree(SAVED / request.param, f"exp/{request.param}/seed1"))


def test_it_decodes_and_scores_alike(saved):
    before = {path.name: path.read_text() for path in (saved / "decode_test").iterdir()}
    shutil.rmtree(saved / "decode_test")
    decode.main(["--exp", str(saved)])
    for name in {"hyp.txt", "ref.txt", "durations"} & before.keys():
        assert (saved / "decode_test" / name).read_text() == before[name]
    if "result.json" in before:
        score.main(["--exp", str(saved)])
        result = json.loads((saved / "decode_test" / "result.json").read_text())
        wanted = json.loads(before["result.json"]) | {"date": ""}
        assert {key: (result | {"date": ""}).get(key) for key in wanted} == wanted
        assert result["real_time_factor"] > 0


def test_its_bundle_loads(saved):
    sure = Sure.load(saved / "bundle")
    state, best = sure.model.state(), load_file(saved / "best.safetensors")
    assert sorted(map(float, map(torch.sum, state.values()))) == sorted(map(float, map(torch.sum, best.values())))
    if "predict" in sure.model.abilities:
        lines = [line.partition(" ")[::2] for line in (saved / "decode_test" / "hyp.txt").read_text().splitlines()]
        waves = [f"wav/{id.replace('-00', '')}.wav" for id, _ in lines]
        assert sure.predict(waves) == [text for _, text in lines]


def test_it_trains_on_from_its_checkpoint(saved):
    finished = list(map(toys.strip, toys.read(saved / "metrics.jsonl").splitlines()))
    for name in ("summary.json", "metrics.jsonl", "best.json", "best.safetensors"):
        (saved / name).unlink()
    (saved / "checkpoints").mkdir()
    (saved / "interrupted.pt").rename(saved / "checkpoints" / "last.pt")
    train.main(["--config", str(saved / "config.yaml"), "--exp", str(saved)])
    log = (saved / "train.log").read_text()
    assert "resuming at epoch 2" in log and "interrupted in an earlier version, which stored no digests" in log
    now = map(toys.strip, toys.read(saved / "metrics.jsonl").splitlines())
    assert list(now) == [pytest.approx(before, rel=1e-5) for before in finished]
    assert torch.load(saved / "checkpoints/last.pt", weights_only=True)["batches"] == {"rule": 1}
    assert [path.name for path in saved.glob("bundle/*.json")]


def test_it_is_finished_and_sound(saved, capsys):
    config = saved / "config.yaml"
    train.main(["--config", str(config), "--exp", str(saved), "backbone.group_norm=masked"])  # an earlier name
    assert "already finished" in capsys.readouterr().err
    (saved / "decode_test" / "wav.scp").write_text("")
    doctor.main([str(saved)])
    assert load_config(config).backbone.padding == "masked"
    for key in ("group_norm", "padding"):
        assert load_config(config, [f"backbone.{key}=as_trained"]).backbone.padding == "as_trained"
