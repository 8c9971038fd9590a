"""From a finished experiment to a bundle, and from a bundle to answers, wherever it is copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import toys
from safetensors.torch import load_file, save_file

from sure.backbones.moonshine import Family
from sure.bin import decode, infer, pack, tokenize
from sure.config import load_config
from sure.data.audio import read_audio
from sure.errors import SureError
from sure.inference import Sure
from sure.petl.bundle import digest_of

FILE = "downloads/small.safetensors"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """A recipe folder in which `sure.bin.train` has run, with the backbone in a file below it."""
    folder = toys.make_corpus(tmp_path_factory.mktemp("recipe"))
    (folder / "downloads").mkdir()
    Family.from_weights("random:tiny", seed=5).save(folder / FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, changes in EXPERIMENTS.items():
            toys.train_here(folder, folder / "exp" / name / "seed1", train__epochs=6, **changes)
    return folder


MOONSHINE = {"backbone": {"name": "moonshine", "weights": FILE}}
EXPERIMENTS = {
    "lora": {**MOONSHINE, "backbone": {**MOONSHINE["backbone"], "layers": "weighted_sum"}},
    "asr": {**MOONSHINE, "task": "asr", "petl": {"name": "prefix", "length": 3, "reparametrise": True}},
    "random": {"petl": {"name": "bottleneck"}},
}


@pytest.fixture(scope="module")
def packed(recipe):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(recipe)
        for tokens in recipe.glob("tokens_*"):  # the experiments have what they need of them
            tokens.rename(tokens.with_name(f"moved_{tokens.name}"))
        for name in EXPERIMENTS:
            decode.main(["--exp", f"exp/{name}/seed1"])
            pack.main(["--exp", f"exp/{name}/seed1"])
    return recipe


def lines(path):
    return [line.split(" ", 1) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_bundle_says_what_decoding_said(packed, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the backbone is found above the bundle, not from here
    exp = packed / "exp" / name / "seed1"
    decoded = {id: "".join(rest) for id, *rest in lines(exp / "decode_test" / "hyp.txt")}
    references = dict(lines(exp / "decode_test" / "ref.txt"))
    assert list(decoded) == sorted(decoded) and decoded.keys() == references.keys()
    sure = Sure.load(exp / "bundle")
    files = [packed / "wav" / f"test{index}.wav" for index in range(len(decoded))]
    assert sure.predict(files) == list(decoded.values())
    assert sure.predict(files, batch_seconds=0.5) == list(decoded.values())  # one by one
    assert sure.transcribe([read_audio(file) for file in reversed(files)]) == list(decoded.values())[::-1]
    assert sure.predict([]) == []


def test_it_has_learned_something(packed):
    decoded = lines(packed / "exp" / "lora" / "seed1" / "decode_test" / "hyp.txt")
    references = lines(packed / "exp" / "lora" / "seed1" / "decode_test" / "ref.txt")
    assert sum(one == other for one, other in zip(decoded, references, strict=True)) > len(references) / 2


def test_a_bundle_is_small_and_says_what_it_is(packed):
    exp = packed / "exp" / "lora" / "seed1"
    about = json.loads((exp / "bundle" / "adapter.json").read_text())
    assert about["task"] == "language" and about["method"] == "lora"
    assert [method["name"] for method in about["petl"]] == ["lora", "weighted_sum"]
    assert about["backbone"]["weights"] == FILE and len(about["backbone"]["sha256"]) == 64
    assert about["scores"]["dev"]["score_name"] == "accuracy"
    tensors = load_file(exp / "bundle" / "adapter.safetensors")
    assert {name: list(tensor.shape) for name, tensor in tensors.items()} == about["tensors"]
    assert (
        sum(tensor.numel() for tensor in tensors.values())
        == json.loads((exp / "summary.json").read_text())["trained_parameters"]
    )
    names = {path.name for path in (exp / "bundle").iterdir()}
    assert names == {"adapter.json", "adapter.safetensors", "labels.json"}


def test_a_bundle_packed_before_there_were_digests_of_its_files_is_read(packed, tmp_path):
    bundle = damaged_copy(packed, tmp_path)
    about = json.loads((bundle / "adapter.json").read_text())
    del about["files"], about["digest"]
    (bundle / "adapter.json").write_text(json.dumps({**about, "format": 1}))
    assert Sure.load(bundle, packed / FILE).predict([packed / "wav" / "test0.wav"])


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_packing_names_a_score_that_cannot_be_read(packed, tmp_path, monkeypatch, content):
    monkeypatch.chdir(packed)
    exp = tmp_path / "exp"
    shutil.copytree(packed / "exp" / "random" / "seed1", exp)
    (exp / "best.json").unlink()
    if content:
        (exp / "best.json").write_text(content)
    with pytest.raises(SureError, match="best.json.* stage 4"):
        pack.main(["--exp", str(exp)])


@pytest.mark.parametrize("place", [3, -5])
def test_weights_that_are_not_what_was_trained_are_refused(packed, tmp_path, monkeypatch, place):
    monkeypatch.chdir(packed)
    exp = tmp_path / "exp"
    shutil.copytree(packed / "exp" / "random" / "seed1", exp)
    flip(exp, "best.safetensors", place)
    with pytest.raises(SureError, match=r"best\.safetensors is damaged .*stage 4"):
        decode.main(["--exp", str(exp)])


def test_it_goes_wherever_it_is_copied(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = tmp_path / "a bundle"
    shutil.copytree(packed / "exp" / "asr" / "seed1" / "bundle", bundle)
    with pytest.raises(SureError, match=r"needs the backbone downloads/small.safetensors \(sha256 .*--backbone"):
        Sure.load(bundle)
    assert Sure.load(bundle, packed / FILE).predict([packed / "wav" / "test0.wav"])
    shutil.copy(packed / FILE, tmp_path)  # beside the bundle, without the folder
    assert Sure.load(bundle).predict([packed / "wav" / "test0.wav"])


def test_merged_answers_are_the_same(packed):
    sure = Sure.load(packed / "exp" / "lora" / "seed1" / "bundle", packed / FILE)
    wave = read_audio(packed / "wav" / "test0.wav")[None]
    lengths = torch.tensor([wave.shape[1]])
    with torch.no_grad():
        before = sure.model.outputs(sure.model.encode(wave, lengths))
        sure.merge()
        after = sure.model.outputs(sure.model.encode(wave, lengths))
    assert not sure.model.attachment.built()
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_merged_stays_as_it_was(packed):
    sure = Sure.load(packed / "exp" / "random" / "seed1" / "bundle")
    before = sure.predict([packed / "wav" / "test0.wav"])
    with pytest.raises(SureError, match="bottleneck.*cannot be merged"):
        sure.merge()
    assert sure.predict([packed / "wav" / "test0.wav"]) == before


def test_other_backbones_are_refused(packed, tmp_path):
    bundle = packed / "exp" / "lora" / "seed1" / "bundle"
    for name, seed, shape, words in (
        ("seed", 6, {}, "sha256"),
        ("width", 5, {"dim": 64}, "width 32; .* has width 64"),
        ("depth", 5, {"layers": 2}, "layers 3; .* layers 2"),
    ):
        path = tmp_path / f"{name}.safetensors"
        Family.from_weights("random:tiny", seed=seed, **shape).save(path)
        with pytest.raises(SureError, match=f"(?s){words}") as error:
            Sure.load(bundle, path)
        assert str(path) in str(error.value)


def damaged_copy(packed, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(packed / "exp" / "lora" / "seed1" / "bundle", bundle)
    return bundle


def edit(bundle, change):
    about = json.loads((bundle / "adapter.json").read_text())
    change(about)
    (bundle / "adapter.json").write_text(json.dumps({**about, "digest": digest_of(about)}))


def rewrite(bundle, old, new):
    text = (bundle / "adapter.json").read_text()
    assert old in text
    (bundle / "adapter.json").write_text(text.replace(old, new))


def drop_tensor(bundle):
    tensors = load_file(bundle / "adapter.safetensors")
    del tensors["head/output.bias"]
    save_file(tensors, bundle / "adapter.safetensors")


def flip(bundle, name="adapter.safetensors", place=-5):
    content = bytearray((bundle / name).read_bytes())
    content[place] ^= 1
    (bundle / name).write_bytes(content)


DAMAGES = {
    "no file": (lambda b: (b / "adapter.json").unlink(), "not a bundle"),
    "no weights": (lambda b: (b / "adapter.safetensors").unlink(), "adapter.safetensors"),
    "no labels": (lambda b: (b / "labels.json").unlink(), "labels.json"),
    "torn": (lambda b: (b / "adapter.safetensors").write_bytes(b"123"), "damaged"),
    "flipped": (flip, "sha256"),
    "flipped labels": (lambda b: flip(b, "labels.json"), "labels.json .*sha256"),
    "another seed": (lambda b: rewrite(b, '"seed": 1', '"seed": 3'), "adapter.json was changed"),
    "no backbone": (lambda b: edit(b, lambda a: a.update(backbone={})), "backbone lacks depth, dim"),
    "odd backbone": (lambda b: edit(b, lambda a: a.update(backbone="x")), "backbone is 'x'"),
    "odd task": (lambda b: edit(b, lambda a: a.update(task=5)), "task is 5"),
    "odd head": (lambda b: edit(b, lambda a: a.update(head=5)), "head is 5"),
    "odd tensors": (lambda b: edit(b, lambda a: a.update(tensors=[])), r"tensors is \[\]"),
    "a dropout of 2": (lambda b: edit(b, lambda about: about["head"].update(dropout=2)), "dropout"),
    "a seed for no generator": (lambda b: edit(b, lambda about: about.update(seed=10**30)), "seed"),
    "not json": (lambda b: (b / "adapter.json").write_text("{"), "not valid JSON"),
    "missing tensor": (drop_tensor, r"1 missing \(head/output.bias\)"),
    "newer": (lambda b: edit(b, lambda a: a.update(format=9)), "format 9"),
    "no task": (lambda b: edit(b, lambda a: a.pop("task")), "lacks task"),
    "other method": (
        lambda b: edit(b, lambda a: a.update(petl=[{"name": "bottleneck"}])),
        "does not fit .*bottleneck",
    ),
    "other rank": (lambda b: edit(b, lambda a: a["petl"][0].update(rank=3)), "shape"),
    "unknown method": (lambda b: edit(b, lambda a: a["petl"][0].update(name="lara")), "lora"),
}


@pytest.mark.parametrize("weights", [None, True, 0, ""])
def test_a_bundle_that_names_no_weights_needs_them_given(packed, tmp_path, weights):
    bundle = damaged_copy(packed, tmp_path)
    edit(bundle, lambda about: about["backbone"].update(weights=weights))
    with pytest.raises(SureError, match="adapter.json: backbone.weights is .* --backbone PATH"):
        Sure.load(bundle)
    assert Sure.load(bundle, packed / FILE).weights == str(packed / FILE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_bundle_is_refused_and_says_why(packed, tmp_path, damage):
    bundle = damaged_copy(packed, tmp_path)
    change, words = DAMAGES[damage]
    change(bundle)
    with pytest.raises(SureError, match=words) as error:
        Sure.load(bundle, packed / FILE)
    assert "bundle" in str(error.value)


def test_waveforms_that_cannot_be_used_are_named(packed, monkeypatch):
    sure = Sure.load(packed / "exp" / "random" / "seed1" / "bundle")
    good = torch.zeros(8000)
    for bad, words in (
        (torch.zeros(2, 8000), r"waveform 1: expected \(samples,\)"),
        (torch.full((8000,), float("nan")), "waveform 1: .*not finite"),
        (torch.zeros(3), "waveform 1: 0.0001875 s, shorter than the backbone's limit"),
        ("nowhere.wav", "nowhere.wav"),
    ):
        with pytest.raises(SureError, match=words):
            sure.predict([good, bad])
    monkeypatch.setattr(sure.model.backbone, "max_samples", 8000)
    with pytest.raises(SureError, match=r"waveform 0: 0\.6 s, longer than the backbone's limit of 0\.5 s"):
        sure.predict([torch.zeros(9600)])


def test_the_command_answers_for_good_files_and_names_broken_ones(packed, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(packed)
    (tmp_path / "torn.wav").write_bytes((packed / "wav" / "test1.wav").read_bytes()[:3000])
    files = ["wav/test0.wav", str(tmp_path / "torn.wav"), "wav/none.wav", "wav/test2.wav", "wav/test0.wav"]
    with pytest.raises(SystemExit) as stopped:
        infer.main(["exp/asr/seed1/bundle", *files])
    assert stopped.value.code == 1
    shown = capsys.readouterr()
    answered = [line.split("\t") for line in shown.out.splitlines()]
    assert [file for file, _ in answered] == ["wav/test0.wav", "wav/test2.wav", "wav/test0.wav"]
    assert [line.split(":")[0] for line in shown.err.splitlines()] == ["error", "error"]
    assert "torn.wav" in shown.err and "none.wav" in shown.err
    infer.main(["exp/lora/seed1/bundle", "wav/test0.wav", "--merge", "--backbone", FILE])
    assert capsys.readouterr().out.count("\n") == 1


def test_decoding_needs_a_trained_model_and_a_known_set(packed, tmp_path, monkeypatch):
    monkeypatch.chdir(packed)
    with pytest.raises(SureError, match="no config.yaml"):
        decode.main(["--exp", str(tmp_path)])
    shutil.copy("exp/random/seed1/config.yaml", tmp_path)
    with pytest.raises(SureError, match="no epoch is finished yet"):
        decode.main(["--exp", str(tmp_path)])
    with pytest.raises(SureError, match="--sets tset: no such set .* train, dev, test"):
        decode.main(["--exp", "exp/random/seed1", "--sets", "tset"])
    decode.main(["--exp", "exp/random/seed1", "--sets", "dev"])
    assert len(lines(packed / "exp" / "random" / "seed1" / "decode_dev" / "hyp.txt")) == 6


def test_tokens_are_replaced_as_a_whole(packed, tmp_path):
    path = toys.write_config(packed, tmp_path / "asr.yaml", task="asr")
    folder = Path(load_config(path).tokenizer.folder)
    tokenize.main(["--config", str(path)])
    before = (folder / "tokens.txt").read_text()
    (folder / "tokens.txt").write_text("spoiled")
    with pytest.raises(SureError):
        tokenize.main(["--config", str(path), "tokenizer.kind=bpe", "tokenizer.size=100000"])
    assert (folder / "tokens.txt").read_text() == "spoiled"  # a failure leaves what was there
    tokenize.main(["--config", str(path)])
    assert (folder / "tokens.txt").read_text() == before
    assert not list(folder.parent.glob("*.partial"))
