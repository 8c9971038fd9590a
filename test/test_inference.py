"""From a finished experiment to a bundle, and from a bundle to outputs, wherever it is copied."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import pytest
import torch
import toys
from damage import change_about, flip, replace
from models import LENGTHS, waves, write_adapter
from safetensors.torch import load_file

from sure.backbones.moonshine import Family
from sure.bin import align, decode, infer, pack
from sure.data.audio import read_audio
from sure.data.tables import read_table
from sure.errors import SureError
from sure.inference import Sure
from sure.petl.bundle import ABOUT, WEIGHTS

FILE = "downloads/small.safetensors"
PREFIX = {"name": "prefix", "length": 3, "reparametrise": True}
EXPERIMENTS = {
    "lora": {"backbone": {"name": "moonshine", "weights": FILE, "layers": "weighted_sum"}},
    "asr": {"backbone__name": "moonshine", "backbone__weights": FILE, "task": "asr", "petl": PREFIX},
    "random": {"petl": {"name": "bottleneck"}},
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A recipe folder with trained, decoded and packed experiments, and the backbone in a file below it."""
    folder = toys.make_corpus(tmp_path_factory.mktemp("recipe"))
    (folder / "downloads").mkdir()
    Family.from_weights("random:tiny", seed=5).save(folder / FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, changes in EXPERIMENTS.items():
            toys.train_here(folder, exp_of(folder, name), train__epochs=6, **changes)
        for tokens in folder.glob("tokens_*"):  # experiments have copies
            tokens.rename(tokens.with_name(f"moved_{tokens.name}"))
        for name in EXPERIMENTS:
            decode.main(["--exp", f"exp/{name}/seed1"])
            pack.main(["--exp", f"exp/{name}/seed1"])
    return folder


@pytest.fixture
def bundle(packed, tmp_path):
    """A copy of the bundle `lora` that a test may change."""
    return Path(shutil.copytree(exp_of(packed, "lora") / "bundle", tmp_path / "bundle"))


def exp_of(packed, name):
    return packed / "exp" / name / "seed1"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_bundle_predicts_the_outputs_of_decoding(packed, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the backbone is found above the bundle, not from here
    exp = exp_of(packed, name)
    decoded, references = (read_table(exp / "decode_test" / name) for name in ("hyp.txt", "ref.txt"))
    assert list(decoded) == sorted(decoded) and decoded.keys() == references.keys()
    if name == "lora":  # it learned something
        assert sum(decoded[id] == references[id] for id in references) > len(references) / 2
    sure = Sure.load(exp / "bundle")
    files = [packed / "wav" / f"test{index}.wav" for index in range(len(decoded))]
    assert sure.predict(files) == list(decoded.values())
    assert sure.predict(files, batch_seconds=0.5) == list(decoded.values())  # one by one
    assert sure.predict([read_audio(file) for file in reversed(files)]) == list(decoded.values())[::-1]
    assert sure.predict([]) == [] and sure.predict(str(files[1])) == sure.predict([files[1]])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_bf16_and_int8_find_almost_the_same(packed, name):
    """Logits change by a few percent; LoRA is merged, and the linear maps are smaller. Then no adapter can follow."""
    wave = read_audio(packed / "wav" / "test0.wav")[None]
    lengths, bundle = torch.tensor([wave.shape[1]]), exp_of(packed, name) / "bundle"
    exact = Sure.load(bundle)
    with torch.no_grad():
        expected = exact.model.outputs(exact.model.encode(wave, lengths))
    for precision, dtype in (("bf16", torch.bfloat16), ("int8", torch.int8)):
        sure = Sure.load(bundle, precision=precision)
        attachment = sure.model.attachment
        assert attachment.merged == (name == "lora") and attachment.quantised == precision
        assert all(map.weight is None for layer in sure.backbone.layers for map in (layer.attn.q, layer.ffn_in))
        assert dtype in {buffer.dtype for buffer in sure.backbone.buffers()}
        with torch.no_grad(), sure.autocast:
            outputs = sure.model.outputs(sure.model.encode(wave, lengths))
        assert 0 < (outputs - expected).norm() < 0.05 * expected.norm()
        assert sure.predict(wave[0]) == exact.predict(wave[0])
        with pytest.raises(SureError, match="load the bundle again"):
            sure.add("another", bundle)
    with pytest.raises(SureError, match="expected one of fp32, bf16, int8"):
        Sure.load(bundle, precision="fp16")


def test_stage_5_decodes_in_another_precision(packed, monkeypatch):
    monkeypatch.chdir(packed)
    exact = read_table(exp_of(packed, "asr") / "decode_test/hyp.txt")
    decode.main(["--exp", "exp/asr/seed1", "decode.precision=bf16"])
    about = json.loads((exp_of(packed, "asr") / "decode_test/decoding.json").read_text())
    assert about["settings"] == {"method": "greedy", "precision": "bf16"}
    found = read_table(exp_of(packed, "asr") / "decode_test/hyp.txt")
    assert found.keys() == exact.keys() and sum(found[id] == exact[id] for id in exact) > len(exact) / 2
    decode.main(["--exp", "exp/asr/seed1"])
    assert read_table(exp_of(packed, "asr") / "decode_test/hyp.txt") == exact


def test_a_bundle_has_what_was_trained_and_nothing_else(packed):
    exp = exp_of(packed, "lora")
    trained = json.loads((exp / "summary.json").read_text())["trained_parameters"]
    assert sum(tensor.numel() for tensor in load_file(exp / "bundle" / WEIGHTS).values()) == trained
    assert {path.name for path in (exp / "bundle").iterdir()} == {ABOUT, WEIGHTS, "labels.json"}
    assert json.loads((exp / "bundle" / ABOUT).read_text())["scores"]["dev"]["score_name"] == "accuracy"


@pytest.mark.parametrize(
    ("command", "file", "damage", "message"),
    [
        (pack, "best.json", Path.unlink, "best.json.* stage 4"),
        (pack, "best.json", lambda path: path.write_text("[]"), "best.json.* stage 4"),
        (decode, "best.safetensors", flip, r"best\.safetensors is damaged .*stage 4"),
        (decode, "config.yaml", Path.unlink, "no config.yaml"),
        (decode, "best.safetensors", Path.unlink, "no epoch is finished yet"),
    ],
)
def test_damaged_experiments_are_neither_packed_nor_decoded(packed, tmp_path, command, file, damage, message):
    exp = Path(shutil.copytree(exp_of(packed, "random"), tmp_path / "exp"))
    damage(exp / file)
    with pytest.raises(SureError, match=message):
        command.main(["--exp", str(exp)])


@pytest.mark.parametrize("weights", [FILE, None, True, 0, "", "/dev/zero/sure_absent.safetensors"])
def test_a_bundle_finds_its_backbone_or_needs_it_given(packed, bundle, tmp_path, monkeypatch, weights):
    monkeypatch.chdir(tmp_path)
    change_about(bundle, "backbone.weights", weights)
    with pytest.raises(SureError, match=r"(backbone.weights is|needs the backbone .*sha256) .* --backbone PATH"):
        Sure.load(bundle)
    assert Sure.load(bundle, packed / FILE).weights == str(packed / FILE)
    if weights == FILE:
        shutil.copy(packed / FILE, tmp_path)  # next to the bundle, without the folder
        assert Sure.load(bundle).predict([packed / "wav" / "test0.wav"])


@pytest.mark.parametrize(
    ("seed", "shape", "words"),
    [(6, {}, "sha256"), (5, {"dim": 64}, "width 32; .* has width 64"), (5, {"layers": 2}, "layers 3; .* layers 2")],
)
def test_other_backbones_are_refused(bundle, tmp_path, seed, shape, words):
    path = tmp_path / "other.safetensors"
    Family.from_weights("random:tiny", seed=seed, **shape).save(path)
    with pytest.raises(SureError, match=f"(?s){words}") as error:
        Sure.load(bundle, path)
    assert str(path) in str(error.value)


DAMAGES = [
    (ABOUT, Path.unlink, "not a bundle"),
    (ABOUT, lambda path: replace(path, '"seed": 1', '"seed": 3'), "adapter.json was changed"),
    (WEIGHTS, Path.unlink, "adapter.safetensors"),
    (WEIGHTS, lambda path: path.write_bytes(b"123"), "damaged"),
    (WEIGHTS, flip, "sha256"),
    ("labels.json", Path.unlink, "labels.json"),
    ("labels.json", flip, "labels.json .*sha256"),
    ("backbone", {}, "backbone lacks depth, dim"),
    ("backbone", "x", "backbone is 'x'"),
    ("task", 5, "task is 5"),
    ("head", 5, "head is 5"),
    ("head.dropout", 2, "dropout"),
    ("seed", 10**30, "seed"),
    ("format", 9, "format 9"),
    ("petl", [{"name": "bottleneck"}], "does not fit .*bottleneck"),
    ("petl.0.rank", 3, "shape"),
    ("petl.0.name", "lara", "lora"),
    # names of foreign files and classes
    ("task", "..petl.lora", "no '..petl.lora' in sure/tasks"),
    ("task", "../../pwned", "no '../../pwned' in sure/tasks"),
    ("petl.0.name", "os", "no 'os' in sure/petl"),
    ("backbone.name", "base", "no 'base' in sure/backbones"),
    ("files", {"../secret": hashlib.sha256(b"secret").hexdigest()}, "secret.*not a file of this folder"),
    ("files", {"/etc/passwd": "0"}, "/etc/passwd.*not a file of this folder"),
    ("tensors", {"a": "x"}, "list different tensors"),
    ("sha256", {"a": 1}, "sha256 is .*expected str"),
]


@pytest.mark.parametrize(("place", "change", "words"), DAMAGES)
def test_a_damaged_bundle_is_refused_with_the_reason(packed, bundle, place, change, words):
    (bundle.parent / "secret").write_bytes(b"secret")
    if callable(change):
        change(bundle / place)
    else:
        change_about(bundle, place, change)
    with pytest.raises(SureError, match=words) as error:
        Sure.load(bundle, packed / FILE)
    assert "bundle" in str(error.value)


def test_a_bundle_of_an_early_version_without_digests_is_read(packed, bundle):
    about = json.loads((bundle / ABOUT).read_text())
    del about["files"], about["digest"]
    (bundle / ABOUT).write_text(json.dumps({**about, "format": 1}))
    assert Sure.load(bundle, packed / FILE).predict([packed / "wav" / "test0.wav"])


def test_unusable_waveforms_are_named(packed, caplog):
    sure = Sure.load(exp_of(packed, "random") / "bundle")
    for bad, words in (
        (torch.full((8000,), float("nan")), "recording 1: .*not finite"),
        (torch.zeros(3), "recording 1: 0.0001875 s, shorter than the backbone's limit"),
        ("nowhere.wav", "nowhere.wav"),
    ):
        with pytest.raises(SureError, match=words):
            sure.predict([torch.zeros(8000), bad])
    assert sure.predict(torch.full((8000,), 1.5)) and "recording 0: many samples are above 1" in caplog.text


def test_the_command_takes_folders_lists_and_stdin_and_writes_json(packed, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(packed)
    lines = {}
    (tmp_path / "in").mkdir()
    shutil.copy("wav/test0.wav", tmp_path / "in" / "a.wav")
    recording = Path("wav/test0.wav").read_bytes()
    for words, given in (([str(tmp_path)], b""), (["-"], recording), (["--list", "-"], b"\nwav/test0.wav\n")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        infer.main(["exp/lora/seed1/bundle", *words, "--json"])
        found = json.loads(capsys.readouterr().out)
        lines[found.pop("file")] = found
    assert list(lines) == [str(tmp_path / "in" / "a.wav"), "-", "wav/test0.wav"]
    assert all(found == {"output": "a"} for found in lines.values())
    infer.main(["exp/asr/seed1/bundle", "wav/test0.wav", "--timings", "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["output"] == " ".join(one["word"] for one in found["words"])


def test_the_command_prints_lines_for_good_files_and_names_broken_ones(packed, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(packed)
    (tmp_path / "torn.wav").write_bytes((packed / "wav" / "test1.wav").read_bytes()[:3000])
    files = ["wav/test0.wav", str(tmp_path / "torn.wav"), "wav/none.wav", "wav/test2.wav", "wav/test0.wav"]
    with pytest.raises(SystemExit) as stopped:
        infer.main(["exp/asr/seed1/bundle", *files])
    assert stopped.value.code == 1
    shown = capsys.readouterr()
    assert [line.split("\t")[0] for line in shown.out.splitlines()] == [files[0], files[3], files[4]]
    assert [line.split(":")[0] for line in shown.err.splitlines()] == ["error", "error"]
    assert "torn.wav" in shown.err and "none.wav" in shown.err
    infer.main(["exp/lora/seed1/bundle", "wav/test0.wav", "--merge", "--backbone", FILE])
    assert capsys.readouterr().out.count("\n") == 1
    with pytest.raises(SureError, match="the task language has no words to align"):
        align.main(["exp/lora/seed1", "--data", "data/test", "--out", "x.ctm"])


# --- several adapters on one backbone: added, switched, averaged and merged ---------------------------------------

LORA = {"name": "lora", "rank": 2}
ADAPTERS = {
    "lora": {"petl": LORA},
    "wide": {"petl": LORA | {"rank": 4, "alpha": 3.0, "rslora": True}, "size": 0.1},
    "upper": {"petl": LORA | {"sites": "layer.[1-2].attn.*"}},
    "asr": {"task": "asr", "petl": LORA | {"init": "pissa"}, "layers": "weighted_sum"},
    "bias": {"petl": "layer_norm"},
    "full": {"petl": "full"},
    "bottleneck": {"petl": "bottleneck"},
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("several adapters")
    return {name: write_adapter(folder, **given) for name, given in ADAPTERS.items()}


@pytest.fixture
def load(bundles):
    """A function that loads bundles by name; the last one is active."""

    def load(*names: str) -> Sure:
        sure = Sure.load(bundles[names[0]], name=names[0])
        for name in names[1:]:
            sure.add(name, bundles[name])
        return sure

    return load


@torch.no_grad()
def outputs(sure: Sure) -> torch.Tensor:
    return sure.model.outputs(sure.model.encode(waves(), LENGTHS))


def test_each_computes_as_if_it_were_alone(bundles, load):
    alone = {name: outputs(load(name)) for name in bundles}
    assert len({tensor.sum().item() for tensor in alone.values()}) == len(alone)
    sure = load("lora")
    backbone = sure.backbone
    for name in list(bundles)[1:]:
        sure.add(name, bundles[name])
        assert torch.equal(outputs(sure), alone[name])
    for name in [*reversed(bundles), *bundles, "full", "bias", "full"]:
        sure.use(name)
        assert sure.name == name and torch.equal(outputs(sure), alone[name]), name
    assert sure.backbone is backbone and "embed" not in sure.model.abilities
    with pytest.raises(SureError, match="the task language, which does not offer embed; use predict"):
        sure.embed([torch.zeros(8000)])


def test_an_average_is_used_like_a_bundle(bundles, load):
    """The exactness of averages is tested in petl/test_average.py."""
    sure = load("lora", "wide", "asr")
    sure.average("mean", {"lora": 0.5, "wide": 0.3, "asr": 0.2})
    assert sure.model.attachment.methods[0].config.rank == 2 + 4 + 2 * 2
    assert torch.equal(sure.model.head.output.weight, sure.models["lora"].head.output.weight)
    mean = outputs(sure)
    sure.use("lora")
    alone = outputs(sure)
    sure.average("lora alone", {"lora": 1.0, "wide": 0.0})
    torch.testing.assert_close(outputs(sure), alone, atol=1e-6, rtol=1e-5)
    sure.average("with a head", {"lora": 0.5, "wide": 0.3, "asr": 0.2}, head="asr")
    assert outputs(sure).dim() == 3 and sure.model.attachment.reads_all_taps()
    sure.use("mean")
    assert mean.dim() == 2 and not sure.model.attachment.reads_all_taps()
    sure.merge()
    torch.testing.assert_close(outputs(sure), mean, atol=1e-5, rtol=1e-5)
    sure.use("mean")
    for refuse in (lambda: sure.use("lora"), lambda: sure.add("bias", bundles["bias"])):
        with pytest.raises(SureError, match="'mean' is merged into the backbone"):
            refuse()
    with pytest.raises(SureError, match="petl .lora. is merged already; load the bundle again"):
        sure.merge()


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"bottleneck": 1.0}, "petl \\(bottleneck\\).*not linear"),
        ({"lora": 0.5, "bottleneck": 0.5}, "'bottleneck' has bottleneck in the backbone, others have lora"),
        ({"lora": 0.5, "upper": 0.5}, "petl \\(lora\\): the adapters have different sites"),
        ({"lora": 0.5, "wide": 0.4}, "must add up to 1"),
        ({}, "needs adapters and their shares"),
        ({"lora": "half", "wide": 0.5}, "share of 'lora' in an average must be a number; found 'half'"),
        ({"lora": 0.5, "wild": 0.5}, "no adapter 'wild' \\(did you mean 'wide'"),
    ],
)
def test_an_impossible_mean_changes_nothing(load, shares, message):
    sure = load("lora", "bottleneck", "upper", "wide")
    with pytest.raises(SureError, match=message):
        sure.average("mean", shares)
    assert sure.name == "wide" and "mean" not in sure.models and torch.equal(outputs(sure), outputs(load("wide")))


def test_a_bundle_that_cannot_be_added_changes_nothing(bundles, load, tmp_path):
    sure = load("full")
    before = outputs(sure)
    broken = shutil.copytree(bundles["bottleneck"], tmp_path / "bundle")
    change_about(broken, "petl.0.width", 5)
    for name, bundle, message in (
        ("full", bundles["lora"], "already"),
        ("more", broken, "has shape"),
        ("more", tmp_path, "not a bundle .*; pass .*bundle$"),
    ):
        with pytest.raises(SureError, match=message):
            sure.add(name, bundle)
        assert list(sure.models) == [sure.name] == ["full"] and torch.equal(outputs(sure), before)
    with pytest.raises(SureError, match="no adapter 'more'; there are: full"):
        sure.use("more")


@pytest.mark.parametrize(
    ("name", "key", "value"), [("lora", "petl.0.rank", 10**8), ("bottleneck", "petl.0.width", 10**18)]
)
def test_a_bundle_with_an_absurd_size_is_refused_before_its_memory_is_taken(bundles, tmp_path, name, key, value):
    broken = shutil.copytree(bundles[name], tmp_path / "bundle")
    change_about(broken, key, value)
    with pytest.raises(
        SureError, match=rf"petl .{name}.: \w+={value} makes the modules larger .*than the saved tensors"
    ):
        Sure.load(broken)
