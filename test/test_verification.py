"""Verification from a data folder to a score and a bundle: do voices that training never heard belong together?"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import toys

from sure.bin import decode, infer, pack, report, score, tokenize, trials
from sure.data.audio import read_audio
from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.decode.text import decode_set, make_decoding
from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.inference import Sure
from sure.kinds import recognition
from sure.models.experiment import Experiment
from sure.train.feed_recognition import RecognitionFeed

VOICES = {  # Hz
    "train": [140, 180, 230, 300, 390, 500, 650, 850, 1100, 1400, 1800, 2300],
    "dev": [160, 340, 740, 1600],
    "test": [200, 440, 970, 2000],
}
CONFIG = {"task": "verification", "petl": {"name": "lora", "rank": 2}, "head": {"embedding": 16}}


def say(pitch: float, generator: np.random.Generator) -> np.ndarray:
    """A voice is a pitch, within 2 %; what it says is in how loud it is and how long it takes."""
    time = np.arange(int(generator.uniform(0.2, 0.6) * toys.RATE)) / toys.RATE
    loudness = 0.2 + 0.1 * np.sin(2 * math.pi * generator.uniform(2, 6) * time)
    wave = loudness * np.sin(2 * math.pi * pitch * generator.uniform(0.98, 1.02) * time)
    return (wave + 0.01 * generator.normal(size=len(time))).astype(np.float32)


def make_set(folder: Path, name: str, each: int) -> None:
    generator = np.random.default_rng(len(name))
    utterances = []
    for pitch in VOICES[name]:
        for number in range(each):
            path = folder / "wav" / f"{name}-{pitch}-{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, say(pitch, generator), toys.RATE, subtype="PCM_16")
            utterances.append(Utterance(path.stem, str(path), speaker=f"{pitch}Hz"))
    write_data_dir(folder / "data" / name, utterances)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("voices")
    for name, each in (("train", 5), ("dev", 4), ("test", 5)):
        make_set(folder, name, each)
    tokenize.main(["--config", str(toys.write_config(folder, folder / "verification.yaml", **CONFIG))])
    return folder


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    """Stages 4 to 8."""
    exp = tmp_path_factory.mktemp("exp") / "seed1"
    trials.main([str(corpus / "data" / "dev"), str(corpus / "data" / "test")])
    toys.train_here(corpus, exp, train__epochs=10, **CONFIG)
    for stage in (decode, score, pack):
        stage.main(["--exp", str(exp)])
    return exp


def results(exp: Path) -> dict:
    return json.loads((exp / "decode_test" / "result.json").read_text())


def test_it_learns_voices_that_it_never_heard(trained):
    history = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert min(line["dev_eer"] for line in history) < 15
    assert results(trained)["eer"] < 25  # chance is 50


def test_the_result_has_what_reports_need(trained, corpus, tmp_path):
    result = results(trained)
    assert result["score_name"] == "eer" and result["higher_is_better"] is False and result["score"] == result["eer"]
    low, high = result["eer_interval"]
    assert low <= result["eer"] <= high
    assert 0 <= result["min_dcf_0.05"] <= result["min_dcf_0.01"] <= 1 and -1 <= result["eer_threshold"] <= 1
    assert result["trials"] == {"target": 4 * 10, "nontarget": 6 * 25} and result["utterances"] == 20
    listed = (trained / "decode_test" / "result.txt").read_text().splitlines()[1:]
    trial_lines = (corpus / "data" / "test" / "trials").read_text().splitlines()
    assert [" ".join(line.split()[:3]) for line in listed] == trial_lines
    report.main(["--out", str(tmp_path / "REPORT.md"), str(trained)])
    text = (tmp_path / "REPORT.md").read_text()
    assert "EER %" in text and "interval over speakers" in text and f"{result['eer']:.2f} [" in text


def test_another_trial_list_is_another_test(trained, corpus, tmp_path):
    """Its results stand in a table of their own, and a training whose dev scores it changes is not gone on with."""
    before = results(trained)["references_sha256"]
    exp = tmp_path / "exp"
    shutil.copytree(trained, exp)
    path = exp / "decode_test" / "ref.txt"
    path.write_text(path.read_text().replace("=nontarget", "=target", 1))
    score.main(["--exp", str(exp)])
    assert results(exp)["references_sha256"] != before
    config, model = load_trained(Experiment(trained))
    dev = read_data_dir(corpus / "data" / "dev")
    fewer = [dataclasses.replace(dev[0], trials=dev[0].trials[1:]), *dev[1:]]
    digests = [RecognitionFeed(one, model, config, 0.0, training=False).digest() for one in (dev, dev, fewer)]
    assert digests[0] == digests[1] != digests[2]


def test_a_bundle_embeds_as_decoding_did(trained, corpus):
    hypotheses = dict(line.split(" ", 1) for line in (trained / "decode_test" / "hyp.txt").read_text().splitlines())
    decoded = torch.tensor([[float(word) for word in line.split()] for line in hypotheses.values()])
    files = [corpus / "wav" / f"{id}.wav" for id in hypotheses]
    sure = Sure.load(trained / "bundle")
    embedded = sure.embed(files)
    assert embedded.shape == (20, 16) and embedded.norm(dim=1).tolist() == pytest.approx([1] * 20)
    torch.testing.assert_close(embedded, decoded, rtol=0, atol=1e-5)
    torch.testing.assert_close(sure.embed(files, batch_seconds=0.1), embedded, rtol=0, atol=1e-5)  # one by one
    assert sure.embed([]).shape == (0, 16)
    assert sure.compare(files[0], read_audio(files[7])) == pytest.approx(float(embedded[0] @ embedded[7]), abs=1e-5)
    assert len(sure.predict(files[:1])[0].split()) == 16
    assert {path.name for path in (trained / "bundle").iterdir()} == {
        "adapter.json", "adapter.safetensors", "labels.json",
    }  # fmt: skip


def test_the_command_compares_the_first_file_with_the_others(trained, corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(recognition, "FILES_AT_ONCE", 2)
    voice, same, other = (str(corpus / "wav" / f"test-{name}.wav") for name in ("200-0", "200-1", "2000-0"))
    infer.main([str(trained / "bundle"), voice, same, other, voice])
    answers = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [file for file, _ in answers] == [same, other, voice]
    sure = Sure.load(trained / "bundle")
    assert [float(cosine) for _, cosine in answers] == pytest.approx(
        [sure.compare(voice, file) for file in (same, other, voice)], abs=1e-4
    )
    assert float(answers[1][1]) < float(answers[0][1]) < float(answers[2][1]) == 1
    with pytest.raises(SureError, match="two files or more"):
        infer.main([str(trained / "bundle"), voice])
    with pytest.raises(SureError, match="none.wav"):
        infer.main([str(trained / "bundle"), "none.wav", voice])
    with pytest.raises(SystemExit):
        infer.main([str(trained / "bundle"), voice, "none.wav", same])
    shown = capsys.readouterr()
    assert shown.out.split("\t")[0] == same and "none.wav" in shown.err


@pytest.mark.parametrize("pooling", ["mean", "attentive"])
def test_other_poolings_train_too(corpus, trained, tmp_path, pooling):
    exp = tmp_path / "exp"
    toys.train_here(corpus, exp, **{**CONFIG, "head": {"embedding": 8, "pooling": pooling}}, train__epochs=4)
    pack.main(["--exp", str(exp)])
    assert json.loads((exp / "best.json").read_text())["score"] < 25
    assert Sure.load(exp / "bundle").embed([corpus / "wav" / "test-200-0.wav"]).shape == (1, 8)


def test_a_set_without_trials_is_refused_before_time_is_spent(trained, corpus, tmp_path):
    folder = tmp_path / "dev"
    shutil.copytree(corpus / "data" / "dev", folder)
    (folder / "trials").unlink()
    with pytest.raises(SureError, match=f"{folder}: no trials.*sure.bin.trials {folder}"):
        toys.train_here(corpus, tmp_path / "exp", **CONFIG, data__valid=str(folder))
    assert not (tmp_path / "exp" / "metrics.jsonl").exists()
    config, model = load_trained(Experiment(trained))
    with pytest.raises(SureError, match=f"{folder}: no trials"):
        decode_set(config, model, str(folder), tmp_path / "decode_dev", make_decoding(trained, config, model))
    assert not (tmp_path / "decode_dev").exists()


def test_other_tasks_have_no_embeddings(tmp_path):
    corpus = toys.make_corpus(tmp_path)
    exp = toys.train_here(corpus, tmp_path / "exp", train__epochs=1)
    pack.main(["--exp", str(exp)])
    sure = Sure.load(exp / "bundle")
    assert "embed" not in sure.model.abilities
    with pytest.raises(SureError, match="the task language, which does not offer embed; use predict"):
        sure.embed([corpus / "wav" / "test0.wav"])
