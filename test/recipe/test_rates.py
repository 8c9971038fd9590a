"""Learning rates: their spelling, and the table of conf/rates.yaml."""

from pathlib import Path

import pytest

from sure.config import load_config, read_plain_config
from sure.errors import SureError
from sure.recipe.rates import spell_rate

EGS = Path(__file__).resolve().parents[2] / "egs"
CONF = "task: asr\ndata: {train: a/train, valid: a/dev}\nbackbone: {name: tiny}\npetl: {name: prefix}\n"
TABLE = "rates:\n  asr: {lora: 3e-3, bitfit: {lr_head: 7e-3}}\n  all: {lora: 1e-3, bitfit: 2e-3, lora+prefix: 4e-3}\n"


@pytest.mark.parametrize(
    ("texts", "spelled"),
    [
        (("1e-3", "0.001", "1E-03", ".001", "1.0e-3", "0.0010"), "1e-3"),
        (("2.5e-4", "0.00025"), "2.5e-4"),
        (("1", "1.", "1e0"), "1e0"),
        (("0", "0.0"), "0e0"),
    ],
)
def test_a_rate_has_one_spelling(texts, spelled):
    assert {spell_rate(text) for text in texts} == {spelled}
    assert float(spelled) == float(texts[0])


@pytest.mark.parametrize("text", ["", "..", ".", "-1e-3", "nan", "inf", "1e", "1_0", "1e-3x", "1e999", "e3"])
def test_anything_else_is_not_a_rate(text):
    with pytest.raises(ValueError):
        spell_rate(text)


@pytest.fixture
def files(tmp_path) -> list[Path]:
    texts = [CONF + "train: {lr_adapter: 9e-3, lr_head: 8e-3}\n", TABLE, "train: {lr_adapter: 5e-3}\n"]
    paths = [tmp_path / f"{number}.yaml" for number in range(3)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return paths


@pytest.mark.parametrize(
    ("order", "words", "expected"),
    [
        ("01", ["petl.name=lora"], (3e-3, 8e-3)),  # the task's own, though `all` comes later
        ("01", ["petl.name=bitfit"], (2e-3, 7e-3)),
        ("01", ["petl.name=lora+prefix"], (4e-3, 8e-3)),
        ("01", ["petl=[{name: lora, rank: 2}, prefix]"], (4e-3, 8e-3)),
        ("01", ["petl.name=prefix"], (9e-3, 8e-3)),  # none: the rates of conf/<task>.yaml
        ("012", ["petl.name=lora"], (5e-3, 8e-3)),  # later files and overrides win
        ("021", ["petl.name=lora"], (3e-3, 8e-3)),
        ("012", ["petl.name=lora", "train.lr_adapter=6e-3"], (6e-3, 8e-3)),
        ("01", ["petl.name=lora", "rates.asr.lora=1e-4"], (1e-4, 8e-3)),
    ],
)
def test_rates_by_task_method_and_order_of_files(files, order, words, expected):
    train = load_config([files[int(place)] for place in order], words).train
    assert (train.lr_adapter, train.lr_head) == expected


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("[1e-3]", "rates: expected names"),
        ("{asrr: {lora: 1e-3}}", "no 'asrr' in sure/tasks"),
        ("{all: {loora: 1e-3}}", "no 'loora' in sure/petl .*'lora'"),
        ("{all: {lora: [1e-3]}}", "rates.all.lora: expected a rate such as 1e-3"),
        ("{all: {lora: {epochs: 3}}}", "rates.all.lora: expected a rate"),
        ("{all: {prefix: fast}}", "train.lr_adapter.*fast"),
    ],
)
def test_a_mistake_in_the_table_is_an_error(files, table, message):
    files[1].write_text(f"rates: {table}\n")
    with pytest.raises(SureError, match=message):
        load_config(files[:2])


@pytest.mark.parametrize("table", sorted(EGS.glob("*/conf/rates.yaml")), ids=lambda path: path.parents[1].name)
def test_every_rate_of_a_recipe_reaches_the_training_of_its_task(table):
    """The whole way of each number, and `all` for the tasks that have none of their own."""
    rows = read_plain_config(table)["rates"]
    confs = {path.stem: path for path in table.parent.glob("*.yaml") if path != table}
    assert rows.keys() <= {"all", *confs}
    for task, conf in confs.items():
        for method, rate in {**rows.get("all", {}), **rows.get(task, {})}.items():
            given = rate if isinstance(rate, dict) else {"lr_adapter": rate}
            train = load_config([conf, table], [f"petl.name={method}"]).train
            assert {key: getattr(train, key) for key in given} == {key: float(value) for key, value in given.items()}


@pytest.mark.parametrize(("files", "method", "expected"), [
    ("asr", "full", (1e-3, 5e-3)), ("language", "full", (3e-4, 5e-3)), ("asr", "lora", (3e-3, 5e-3)),
    ("tts adaptation/tts", "full", (1e-3, 1e-3)), ("tts adaptation/tts", "bitfit", (3e-3, 5e-2)),
])  # fmt: skip
def test_rates_of_published_results(files, method, expected):
    paths = [EGS / "asterisk" / "conf" / f"{name}.yaml" for name in (*files.split(), "rates")]
    train = load_config(paths, [f"petl.name={method}"]).train
    assert (train.lr_adapter, train.lr_head) == expected
