"""Verification from a data folder to a score and a bundle: similarity of voices that are not in the training set."""

import dataclasses
import math
import shutil

import numpy as np
import pytest
import soundfile
import torch
import toys

from sure.bin import decode, infer, pack, report, score, tokenize, trials
from sure.data.audio import read_audio
from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.data.tables import read_table
from sure.decode.text import decode_set, make_decoding
from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.inference import Sure
from sure.kinds import recognition
from sure.models.experiment import Experiment
from sure.parsing import read_json
from sure.train.feed_recognition import RecognitionFeed
from sure.train.prefix_cache import Space

VOICES = {  # Hz
    "train": [140, 180, 230, 300, 390, 500, 650, 850, 1100, 1400, 1800, 2300],
    "dev": [160, 340, 740, 1600],
    "test": [200, 440, 970, 2000],
}
CONFIG = {"task": "verification", "petl": {"name": "lora", "rank": 2}, "head": {"embedding": 16}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A voice is a pitch, within 2 %; its utterances differ in loudness and duration."""
    folder = tmp_path_factory.mktemp("voices")
    (folder / "wav").mkdir()
    for name, each in (("train", 5), ("dev", 4), ("test", 5)):
        generator, utterances = np.random.default_rng(len(name)), []
        for pitch, number in ((pitch, number) for pitch in VOICES[name] for number in range(each)):
            time = np.arange(int(generator.uniform(0.2, 0.6) * toys.RATE)) / toys.RATE
            loudness = 0.2 + 0.1 * np.sin(2 * math.pi * generator.uniform(2, 6) * time)
            wave = loudness * np.sin(2 * math.pi * pitch * generator.uniform(0.98, 1.02) * time)
            path = folder / "wav" / f"{name}-{pitch}-{number}.wav"
            soundfile.write(path, wave + 0.01 * generator.normal(size=len(time)), toys.RATE)
            utterances.append(Utterance(path.stem, str(path), speaker=f"{pitch}Hz"))
        write_data_dir(folder / "data" / name, utterances)
    tokenize.main(["--config", str(toys.write_config(folder, folder / "verification.yaml", **CONFIG))])
    return folder


@pytest.fixture(scope="module")
def trained(corpus):
    """The experiment after stages 4 to 8."""
    trials.main([str(corpus / "data" / "dev"), str(corpus / "data" / "test")])
    exp = toys.train_here(corpus, corpus / "exp" / "seed1", train__epochs=10, **CONFIG)
    for stage in (decode, score, pack):
        stage.main(["--exp", str(exp)])
    return exp


@pytest.fixture(scope="module")
def sure(trained):
    return Sure.load(trained / "bundle")


def test_it_learns_voices_that_are_not_in_the_training_set(trained, corpus, tmp_path):
    history, result = toys.read_lines(trained), read_json(trained / "decode_test" / "result.json", "")
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]
    assert min(line["dev_eer"] for line in history) < 15 and result["eer"] < 25  # chance is 50
    assert result["score_name"] == "eer" and result["higher_is_better"] is False and result["score"] == result["eer"]
    assert result["eer_interval"][0] <= result["eer"] <= result["eer_interval"][1]
    assert 0 <= result["min_dcf_0.05"] <= result["min_dcf_0.01"] <= 1 and -1 <= result["eer_threshold"] <= 1
    assert result["trials"] == {"target": 4 * 10, "nontarget": 6 * 25} and result["utterances"] == 20
    listed = (trained / "decode_test" / "result.txt").read_text().splitlines()[1:]
    assert [" ".join(line.split()[:3]) for line in listed] == toys.read(corpus / "data/test/trials").splitlines()
    report.main(["--out", str(tmp_path / "REPORT.md"), str(trained)])
    text = (tmp_path / "REPORT.md").read_text()
    assert "EER %" in text and "interval over speakers" in text and f"{result['eer']:.2f} [" in text


def test_training_does_not_resume_if_the_trials_of_its_dev_scores_would_change(trained, corpus):
    config, model = load_trained(Experiment(trained))
    dev = read_data_dir(corpus / "data" / "dev")
    fewer = [dataclasses.replace(dev[0], trials=dev[0].trials[1:]), *dev[1:]]
    digests = [
        RecognitionFeed(one, model, config, Space(0.0, 0.0), training=False).digest() for one in (dev, dev, fewer)
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_bundle_has_the_embeddings_of_decoding(trained, corpus, sure):
    hypotheses = read_table(trained / "decode_test" / "hyp.txt")
    decoded = torch.tensor([[float(word) for word in line.split()] for line in hypotheses.values()])
    files = [corpus / "wav" / f"{id}.wav" for id in hypotheses]
    embedded = sure.embed(files)
    assert embedded.shape == (20, 16) and embedded.norm(dim=1).tolist() == pytest.approx([1] * 20)
    for found in (embedded, sure.embed(files, batch_seconds=0.1)):  # one by one
        torch.testing.assert_close(found, decoded, rtol=0, atol=1e-5)
    assert sure.embed([]).shape == (0, 16)
    assert sure.compare(files[0], read_audio(files[7])) == pytest.approx(float(embedded[0] @ embedded[7]), abs=1e-5)
    assert len(sure.predict(files[:1])[0].split()) == 16


def test_the_command_compares_the_first_file_with_the_others(trained, corpus, sure, capsys, monkeypatch):
    monkeypatch.setattr(recognition, "FILES_AT_ONCE", 2)
    first, same, other = (str(corpus / "wav" / f"test-{name}.wav") for name in ("200-0", "200-1", "2000-0"))
    bundle = str(trained / "bundle")
    infer.main([bundle, first, same, other, first])
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [file for file, _ in rows] == [same, other, first]
    cosines = [float(cosine) for _, cosine in rows]
    assert cosines == pytest.approx([sure.compare(first, file) for file in (same, other, first)], abs=1e-4)
    assert cosines[1] < cosines[0] < cosines[2] == 1
    for files, message in (([first], "two files or more"), (["none.wav", first], "none.wav")):
        with pytest.raises(SureError, match=message):
            infer.main([bundle, *files])


def test_a_set_without_trials_is_refused_before_time_is_spent(trained, corpus, tmp_path):
    folder = shutil.copytree(corpus / "data" / "dev", tmp_path / "dev")
    (folder / "trials").unlink()
    with pytest.raises(SureError, match=f"{folder}: no trials.*sure.bin.trials {folder}"):
        toys.train_here(corpus, tmp_path / "exp", **CONFIG, data__valid=str(folder))
    config, model = load_trained(Experiment(trained))
    with pytest.raises(SureError, match=f"{folder}: no trials"):
        decode_set(config, model, str(folder), tmp_path / "decode_dev", make_decoding(trained, config, model))
    assert not (tmp_path / "exp" / "metrics.jsonl").exists() and not (tmp_path / "decode_dev").exists()
