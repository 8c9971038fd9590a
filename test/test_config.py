"""A config is checked to the last key, and an error names the nearest key or value."""

import subprocess
import sys
from pathlib import Path

import pytest

from sure.config import load_config
from sure.errors import SureError

ROOT = Path(__file__).parents[1]
BASE = """
task: asr
data: {train: data/x/train, valid: data/x/dev, tests: [data/x/test]}
backbone: {name: moonshine, weights: downloads/m.safetensors}
petl: {name: lora, rank: 6}
train: {epochs: 3, lr_adapter: 5e-4}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "asr.yaml"
    path.write_text(BASE)
    return path


def test_values_are_typed_and_a_later_file_or_override_counts(file, tmp_path):
    (tmp_path / "more.yaml").write_text("train: {epochs: 9}")
    config = load_config([file, tmp_path / "more.yaml"], ["petl.rank=4", "train.lr_head=1e-3", "data.tests=[a, b]"])
    assert config.petl[0].rank == 4 and config.data.tests == ["a", "b"]
    assert (config.train.epochs, config.train.lr_adapter, config.train.lr_head) == (9, 5e-4, 1e-3)
    assert config.tokenizer.folder == "data/x/tokens"


@pytest.mark.parametrize(
    ("override", "value"),
    [("text.language=no", "no"), ("backbone.weights=models/hf #3: a", "models/hf #3: a"), ("decode.name=1e3", "1e3"),
     ("data.valid=2024_05", "2024_05"), ("data.tests=[2024_05, off]", ["2024_05", "off"]), ("seed=010", 10),
     ("text.phones=", None), ("tokenizer.lexicon=null", None), ("train.clip=1_0", 10.0),
     ("augment.speed=[1, 1.1]", [1.0, 1.1])],
)  # fmt: skip
def test_the_text_of_an_override_becomes_a_value_by_the_type_of_its_key(file, override, value):
    config = load_config(file, [override])
    for name in override.partition("=")[0].split("."):
        config = getattr(config, name)
    assert config == value and type(config) is type(value)


def test_a_task_has_its_own_kind_of_tokens(file):
    kinds = {"asr": "character", "language": "character", "phoneme": "phone", "slots": "slot"}
    assert {task: load_config(file, [f"task={task}"]).tokenizer.kind for task in kinds} == kinds
    assert load_config(file, ["tokenizer.kind=bpe", "tokenizer.size=50"]).tokenizer.kind == "bpe"
    assert load_config(file, ["task=phoneme", "tokenizer.lexicon=[a, b]"]).tokenizer.lexicon == ["a", "b"]


@pytest.mark.parametrize(
    "overrides",
    [["petl.name=prefix", "petl.length=5"], ["task=phoneme", "tokenizer.lexicon=a b.txt", "tokenizer.fold=no_stress"]],
)
def test_saved_and_read_again_is_the_same(file, tmp_path, overrides):
    config = load_config(file, overrides)
    assert (config.tokenizer.lexicon, config.tokenizer.fold) in ((None, None), (["a b.txt"], "no_stress"))
    config.save(tmp_path / "resolved.yaml")
    assert load_config(tmp_path / "resolved.yaml") == config


def test_another_method_starts_anew(file):
    config = load_config(file, ["petl.name=bottleneck"])
    assert config.method == "bottleneck" and not hasattr(config.petl[0], "rank")
    lora, prefix = load_config(file, ["petl.name=lora+prefix"]).petl
    assert (lora.name, lora.rank, prefix.name) == ("lora", 8, "prefix")  # its default, not that of a lone lora


def test_the_file_of_a_method_counts_where_another_is_the_usual_one(file, tmp_path):
    """As conf/asr.yaml with lora, conf/petl/bottleneck.yaml without a name, and --petl bottleneck."""
    (tmp_path / "usual.yaml").write_text("petl: {name: lora, rank: 2}")
    (tmp_path / "bottleneck.yaml").write_text("petl: {sites: layer.0.after_ffn}")
    files = [file, tmp_path / "usual.yaml", tmp_path / "bottleneck.yaml"]
    assert load_config(files, ["petl.name=bottleneck"]).petl[0].sites == "layer.0.after_ffn"
    assert load_config(files, ["petl.name=bottleneck", "petl.name=lora"]).petl[0].rank == 2


def test_methods_combine(file, tmp_path):
    config = load_config(file, ["petl=[{name: lora, rank: 2}, {name: weighted_sum}]"])
    assert config.method == "lora+weighted_sum"
    (tmp_path / "both.yaml").write_text("petl: [{name: lora, rank: 2}, {name: prefix, length: 5}]")
    files = [file, tmp_path / "both.yaml"]
    assert load_config(files, ["petl.name=lora+prefix"]).petl[0].rank == 2  # the name of the list that is there
    assert [item.name for item in load_config(files, ["petl.name=bitfit"]).petl] == ["bitfit"]
    for name in ("lora", "prefix+lora", "lora+lora+prefix"):
        with pytest.raises(SureError, match=r"petl is the list lora\+prefix .* conf/petl/lora\+prefix\.yaml"):
            load_config(files, [f"petl.name={name}"])


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["tokenizer.kind=phone"], ["tokenizer.kind=phone", "asr has character, bpe, unigram"]),
        (["task=slots", "tokenizer.kind=bpe"], ["tokenizer.kind=bpe", "slots has slot"]),
        (["tokenizer.lexicon=x"], ["tokenizer.lexicon", "phones", "asr"]),
        (["task=slots", "tokenizer.fold=timit_39"], ["tokenizer.fold", "phones", "slots"]),
        (["task=phoneme", "tokenizer.fold=timit"], ["tokenizer.fold", "'timit_39'", "'timit'"]),
        (["decode.method=beem"], ["decode.method", "'beam'", "beem"]),
        (["task=language", "decode.method=beam"], ["decode.method=beam", "language has greedy"]),
        (["task=phoneme", "decode.lexicon=train"], ["decode.lexicon", "phones"]),
        (["train.epoch=3"], ["'train.epoch'", "did you mean 'epochs'"]),
        (["petl.name=LoRA"], ["'LoRA'", "did you mean 'lora'"]),
        (["petl.name=lara"], ["'lara'", "did you mean 'lora'", "bottleneck"]),
        (["petl.name=prefix", "petl.rank=8"], ["petl (prefix)", "'rank'", "length"]),
        (["task=asrr"], ["'asrr'", "did you mean 'asr'"]),
        (["train.epochs=-1"], ["'train.epochs'", "greater than 0", "-1"]),
        (["train.epochs=four"], ["key 'train.epochs': should be a valid integer, found 'four'"]),
        (["train.epochs=three"], ["'train.epochs'", "integer", "three"]),
        (["text.language=xx"], ["'xx'", "--lang", "aa ab ae", "zh zu"]),
        (["text.language=english"], ["'english'", "three-letter code"]),
        (["nonsense"], ["expected key=value"]),
        (["seed=["], ["override seed=[:", "integer"]),
        (["data.tests=["], ["override 'data.tests=['", "not YAML"]),
        (["train.lr_adapter=inf"], ["override train.lr_adapter=inf:", "finite number"]),
        (["petl.lr=nan"], ["override petl.lr=nan: petl (lora)", "finite number"]),
        (["head.hiden=3"], ["head", "'hiden'"]),
        (["head.dropout=2"], ["head", "'dropout'", "less than 1"]),
        (["seed=1" + "0" * 30], ["'seed'", "less than 9223372036854775808"]),
        (["head=3"], ["head", "expected keys and values", "3"]),
        (["task=[asr]"], ["'[asr]'", "sure/tasks", "intent"]),
        (["petl={name: [lora]}"], ["['lora']", "sure/petl", "lora"]),
        (["petl.name=lora+prefix", "petl.rank=4"], ["petl.rank", "lora, prefix", "petl/lora+prefix.yaml"]),
        (["petl.name=lora+prefix", "petl.length=4"], ["`petl: [{name: lora}, {name: prefix, length: 4}]`"]),
        (["petl.name=lora+prefx"], ["'prefx'", "did you mean 'prefix'"]),
        (["petl=[lora, prefix]", "petl.rank=4"], ["override petl.rank: petl is a list", "petl/lora+prefix.yaml"]),
        (["petl=[]"], ["petl", "empty", "linear_probe"]),
        (["data.tests=[data/es/test, data/fr/test]"], ["data/es/test and data/fr/test", "decode_test", "rename"]),
        (["data.valid=data/x/test", "data.tests=[data/y/test/]"], ["data/x/test and data/y/test/"]),
    ],
)
def test_one_clear_error(file, overrides, words):
    with pytest.raises(SureError) as error:
        load_config(file, overrides)
    assert not [word for word in words if word not in str(error.value)]


def test_sets_are_named_after_their_folders(file):
    config = load_config(file, ["data.tests=[data/x/test, data/x/test/, data/y/other]"])
    assert list(config.data.sets()) == ["train", "dev", "test", "other"]


@pytest.mark.parametrize(("tool", "page"), [("config", "configuration"), ("text", "text")])
def test_pages_of_docs_that_are_made_by_tools_are_current(tool, page):
    tool = ROOT / "tools" / f"{tool}_reference.py"
    made = subprocess.run([sys.executable, tool], capture_output=True, text=True, check=True).stdout
    current = made == (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert current, f"run: python tools/{tool.name} --out docs/{page}.md"
    undescribed = [line for line in made.splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert not undescribed, f"give these a Field(description=...): {undescribed}"
