"""A third kind of model is new files alone: a kind, a task and a backbone from test/kinds/toy, through every stage."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import toys

import sure.backbones
import sure.kinds
import sure.tasks
from sure.bin import decode, doctor, infer, pack, score, tokenize, tune_decode
from sure.errors import SureError
from sure.inference import Sure

TOY = Path(__file__).parent / "toy"
CHANGES = {
    "task": "toy_dictation",
    "backbone": {"name": "toy_sequence", "weights": "random"},
    "petl": {"name": "lora", "rank": 2, "sites": "layer.[1-2].attn.[qv]"},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment of the new kind after stages 3 to 6 and 8; the files are found as if they lay in sure/."""
    folder = tmp_path_factory.mktemp("recipe")
    modules = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for package in (sure.kinds, sure.tasks, sure.backbones):
            patch.setattr(package, "__path__", [*package.__path__, str(TOY / package.__name__.rpartition(".")[2])])
        for name, count in (("train", 24), ("dev", 6), ("test", 7)):
            toys.make_set(folder, name, count)
        tokenize.main(["--config", str(toys.write_config(folder, folder / "toy.yaml", **CHANGES))])
        exp = toys.train_here(folder, folder / "exp" / "toy" / "seed1", **CHANGES, train__epochs=4)
        for stage in (decode, score, pack):
            stage.main(["--exp", str(exp)])
        yield exp
    for name in set(sys.modules) - modules:
        if ".toy_" in name:
            del sys.modules[name]


def test_its_decoder_learns_and_is_scored(trained):
    losses = [line["train_loss"] for line in toys.read_lines(trained)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.9 * losses[0]
    assert set(json.loads((trained / "bundle" / "adapter.json").read_text())["tensors"]) >= {"head/weight", "head/bias"}
    result = json.loads((trained / "decode_test" / "result.json").read_text())
    assert result["task"] == "toy_dictation" and result["score"] == result["wer"] and result["utterances"] == 7


def test_its_bundle_decodes_alike(trained, capsys):
    sure = Sure.load(trained / "bundle")
    files = [trained.parents[2] / "wav" / f"test{index}.wav" for index in range(7)]
    lines = [line.partition(" ")[2] for line in toys.read(trained / "decode_test" / "hyp.txt").splitlines()]
    assert any(lines) and sure.predict(files) == lines == [sure.predict([file])[0] for file in files]
    infer.main([str(trained / "bundle"), str(files[0])])
    assert capsys.readouterr().out == f"{files[0]}\t{lines[0]}\n"
    with pytest.raises(SureError, match="the task toy_dictation, which does not offer timings; use predict"):
        sure.timings(files)


def test_the_doctor_reads_its_decoded_sets(trained, tmp_path, capsys):
    doctor.main([str(trained)])
    exp = shutil.copytree(trained, tmp_path / "exp")
    (exp / "decode_test" / "hyp.txt").write_text("")
    with pytest.raises(SystemExit):
        doctor.main([str(exp)])
    assert "hyp.txt: no line for test-000" in capsys.readouterr().out


def test_another_backbone_or_decoding_is_refused(trained, tmp_path):
    with pytest.raises(SureError, match="the task toy_dictation needs an encoder with a decoder of its own"):
        toys.train_here(trained.parents[2], tmp_path / "exp", **{**CHANGES, "backbone": {"name": "tiny"}})
    with pytest.raises(SureError, match="decode.method=beam: the task toy_dictation has greedy"):
        tune_decode.main(["--exp", str(trained), "decode.method=beam"])
