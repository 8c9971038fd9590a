"""Stages 6 and 7 on handmade experiment folders: results, tables and errors."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sure import registry
from sure.bin import report, score
from sure.config import load_config
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.report.picture import make_figure
from sure.report.results import collect

ROOT = Path(registry.__file__).parents[1]
TEXTS = {"utt1": "el niño come", "utt2": "buenos dias", "utt3": "no"}
RIGHT = dict(TEXTS)
HALF = {"utt1": "el niño", "utt2": "buenas dias", "utt3": ""}
SUMMARY = {
    "trained_parameters": 89_000, "adapter_parameters": 80_352, "head_parameters": 8_648,
    "total_parameters": 7_500_000, "trained_percent": 1.1867, "bundle_bytes": 326_400,
    "training_seconds": 1312.4, "peak_memory_megabytes": 1567.2, "device": "cpu", "seed": 1,
    "backbone": "moonshine", "backbone_sha256": "a1b2c3d4e5f6a7b8c9", "epochs": 30, "best_epoch": 28,
    "dev_score": 15.8, "git_hash": "01abc", "lr_adapter": 0.003, "lr_head": 0.005,
}  # fmt: skip


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """A recipe folder with a space in its path, which is the current directory, as in real use."""
    folder = tmp_path / "a recipe"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def experiment(name, hypotheses=None, references=TEXTS, sets=("test",), method="lora", task="asr", **summary):
    """Write the outputs of stages 3 to 5."""
    folder, tokens = Path("exp") / name, Path("data/es/tokens") / task
    task_class = registry.find("tasks", task)
    utterances = [
        Utterance(id, f"{id}.wav", seconds=1.0, text=text, labels={"label": text.split()[0]})
        for id, text in TEXTS.items()
    ]
    task_class.fit(utterances, tokens, tokenizer=TokenizerConfig(), language="es")
    folder.mkdir(parents=True)
    config = {
        "task": task, "data": {"train": "data/es/train", "valid": "data/es/dev", "tests": ["data/es/test"]},
        "tokenizer": {"folder": str(tokens)}, "text": {"language": "es"},
        "backbone": {"name": "moonshine"}, "petl": {"name": method},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "command.txt").write_text(f"# host\npython -m sure.bin.train --exp {folder}\n")
    (folder / "summary.json").write_text(json.dumps({**SUMMARY, **summary}))
    for name in sets:
        decoded = folder / f"decode_{name}"
        decoded.mkdir()
        for file, texts in (("ref.txt", references), ("hyp.txt", hypotheses or {})):
            (decoded / file).write_text("".join(f"{id} {text}".rstrip() + "\n" for id, text in texts.items()))
    return folder


def scored(name, *arguments, **options):
    """The folder of a new experiment after stage 6."""
    folder = experiment(name, *arguments, **options)
    score.main(["--exp", str(folder)])
    return folder


def result(folder):
    return json.loads((folder / "decode_test/result.json").read_text(encoding="utf-8"))


def table(text):
    """The cells of the only table, header first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def make_report(*folders):
    report.main(["--out", "out/REPORT.md", *map(str, folders)])
    return Path("out/REPORT.md").read_text(encoding="utf-8")


def test_result_has_scores_and_the_summary_of_training(recipe, capsys):
    folder = experiment("asr_moonshine_lora/seed1", HALF)
    data = recipe / "data/es/test"
    data.mkdir(parents=True)
    (data / "utt2dur").write_text("utt1 1.5\nutt2 2.25\nutt3 1\nutt4 100\n")
    score.main(["--exp", str(folder)])
    found = result(folder)
    assert found["wer"] == found["score"] == pytest.approx(100 * 3 / 6)
    assert found["words"]["deletions"] == 2 and found["words"]["substitutions"] == 1
    assert found["task"] == "asr" and found["set"] == "test" and found["method"] == "lora"
    assert found["score_name"] == "wer" and found["higher_is_better"] is False
    assert found["utterances"] == 3 and found["seconds_of_audio"] == 4.75 and found["data"] == "data/es/test"
    assert found["command"] == f"python -m sure.bin.train --exp {folder}"
    assert SUMMARY.items() <= found.items()
    assert "REF: el niño COME" in (folder / "decode_test/result.txt").read_text(encoding="utf-8")
    assert capsys.readouterr().out.startswith(f"{folder} test: wer 50.00 % [")
    assert not list(folder.rglob("*.part*"))


def test_second_scoring_gives_the_same_result(recipe):
    folder = scored("x/seed1", HALF)
    first = result(folder)
    score.main(["--exp", str(folder)])
    assert result(folder) | {"date": None} == first | {"date": None}


def test_classification_task(recipe):
    labels = {id: text.split()[0] for id, text in TEXTS.items()}
    folder = scored("language_moonshine_lora/seed1", {**labels, "utt3": "el"}, labels, task="language")
    found = result(folder)
    assert found["accuracy"] == found["score"] == pytest.approx(200 / 3)
    assert "utt3 no el" in (folder / "decode_test/result.txt").read_text()
    header, row = table(make_report(folder))
    assert header[:4] == ["method", "seeds", "accuracy %", "macro F1 %"] and row[2].startswith("66.67 [")


def test_all_sets_or_selected_sets(recipe):
    folder = experiment("x/seed1", HALF, sets=("dev", "test"))
    score.main(["--exp", str(folder), "--sets", "dev"])
    assert [path.parent.name for path in folder.rglob("result.json")] == ["decode_dev"]
    score.main(["--exp", str(folder)])
    assert sorted(path.parent.name for path in folder.rglob("result.json")) == ["decode_dev", "decode_test"]
    with pytest.raises(SureError, match="no decode_train, only dev, test.*sure.bin.decode --exp"):
        score.main(["--exp", str(folder), "--sets", "train"])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("hyp.txt", "utt1 el\nutt3\n", r"hyp.txt: no line for utt2;"),
        ("ref.txt", "utt1 el\nutt3\n", r"ref.txt: no line for utt2;"),
        ("hyp.txt", "utt1 el\nutt1 la\n", r"hyp.txt:2: the id 'utt1' is already on line 1"),
        ("hyp.txt", None, r"hyp.txt does not exist"),
        ("ref.txt", "", r"ref.txt: no line for utt1, utt2, utt3;"),
    ],
)
def test_utterances_missing_in_one_file_are_named(recipe, file, content, message):
    folder = experiment("x/seed1", HALF)
    path = folder / "decode_test" / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(SureError, match=message + ".*stage 5|" + message):
        score.main(["--exp", str(folder)])
    assert not (folder / "decode_test/result.json").exists()


def test_all_references_empty_names_the_set(recipe):
    folder = experiment("x/seed1", HALF, dict.fromkeys(TEXTS, ""))
    with pytest.raises(SureError, match="decode_test: all references are empty"):
        score.main(["--exp", str(folder)])


def test_missing_stages_are_named(recipe):
    Path("exp/x/seed1").mkdir(parents=True)
    with pytest.raises(SureError, match="config.yaml.*stage 4"):
        score.main(["--exp", "exp/x/seed1"])
    folder = experiment("y/seed1", sets=())
    with pytest.raises(SureError, match="nothing decoded.*stage 5"):
        score.main(["--exp", str(folder)])
    for folders in (["exp/x"], ["exp/y/seed1", "exp/x"]):
        with pytest.raises(SureError, match=f"nothing to report.*{', '.join(folders)}.*stages 4 to 6"):
            make_report(*folders)
    with pytest.raises(SureError, match="experiment folder exp/z does not exist.*stages 4 to 6"):
        make_report("exp/z")


def test_report_of_one_seed(recipe, capsys):
    folder = scored("asr_moonshine_lora/seed1", HALF)
    found = result(folder)
    capsys.readouterr()
    text = make_report(folder)
    assert capsys.readouterr().out == text
    header, row = table(text)
    low, high = found["wer_interval"]
    assert dict(zip(header, row, strict=True)) == {
        "method": "lora", "seeds": "1", "WER %": f"50.00 [{low:.2f}, {high:.2f}]",
        "CER %": f"{found['cer']:.2f} [{found['cer_interval'][0]:.2f}, {found['cer_interval'][1]:.2f}]",
        "dev": "15.80", "trained without head": "80,352", "with head": "89,000", "of all %": "1.19",
        "bundle kB": "326.4", "training s": "1,312", "peak MB": "1,567",
        "learning rate adapter / head": "0.003 / 0.005",
    }  # fmt: skip
    assert text.startswith("## asr, data/es/test\n")
    assert "WER %: lower is better" in text
    backbone = "backbone: moonshine (sha256 a1b2c3d4e5f6)"
    for fact in ("task: asr", "set: test", "utterances: 3", backbone, "device: cpu"):
        assert f"- {fact}\n" in text
    assert re.search(r"- scored on: \d{4}-\d\d-\d\d\n", text)
    assert f"\npython -m sure.bin.train --exp {folder}\nfor exp in {folder}; do\n" in text


def test_report_of_methods_and_seeds_keeps_the_order(recipe):
    folders = []
    for method, outputs in (("lora", (RIGHT, HALF, HALF)), ("bottleneck", (RIGHT, RIGHT, RIGHT))):
        for seed, hypotheses in enumerate(outputs, 9):
            name = f"asr_moonshine_{method}/seed{seed}"
            folders.append(scored(name, hypotheses, method=method, dev_score=10.0 + seed, seed=seed))
    text = make_report("exp/asr_moonshine_lora", "exp/asr_moonshine_bottleneck")
    header, lora, bottleneck = table(text)
    assert lora[:3] == ["lora", "3", "33.33 ± 28.87"]  # of 0, 50, 50
    assert bottleneck[:3] == ["bottleneck", "3", "0.00 ± 0.00"]
    assert lora[header.index("dev")] == "20.00 ± 1.00"
    commands = [line for line in text.splitlines() if line.startswith("python -m sure.bin.train")]
    assert commands == [f"python -m sure.bin.train --exp {folder}" for folder in folders]  # seed10 after seed9
    assert make_report(*folders) == text == make_report("exp/asr_moonshine_lora", *folders)
    _, first, second = table(make_report("exp/asr_moonshine_bottleneck", "exp/asr_moonshine_lora"))
    assert [first, second] == [bottleneck, lora]


def test_figure_has_a_point_for_each_method(recipe):
    for name, weights in (("lora", "file"), ("bottleneck", "file"), ("lora_random", "random")):
        for seed, hypotheses in enumerate((RIGHT, HALF), 1):
            scored(f"asr_moonshine_{name}/seed{seed}", hypotheses, method=name.removesuffix("_random"),
                   trained_parameters=1000 * len(name), backbone_weights=weights)  # fmt: skip
    make_report("exp/asr_moonshine_lora", "exp/asr_moonshine_bottleneck", "exp/asr_moonshine_lora_random")
    assert Path("out/REPORT.png").read_bytes().startswith(b"\x89PNG")
    (axes,) = make_figure(collect([Path(f"exp/asr_moonshine_{name}") for name in ("lora", "bottleneck")])[0]).axes
    names = {text.get_text(): text.get_position() for text in axes.texts}
    assert names == {"lora": (4000, 25), "bottleneck": (10000, 25)}
    (axes,) = make_figure(collect([Path("exp/asr_moonshine_lora_random")])[0]).axes
    assert not axes.texts and axes.lines[0].get_xydata().tolist() == [[11000, 25]]
    both = [Path(f"exp/asr_moonshine_{name}") for name in ("lora", "lora_random")]
    upper, lower = make_figure(collect(both)[0]).axes
    assert [text.get_text() for text in upper.texts] == ["lora"] and not lower.texts and lower.lines


def test_row_names_are_short_and_different(recipe):
    for name, method in (
        ("asr_moonshine_lora", "lora"), ("asr_moonshine_lora_random", "lora"), ("asr_tiny_lora", "lora"),
        ("my_test", "full"), ("asr_full_full", "full"),
    ):  # fmt: skip
        scored(f"{name}/seed1", HALF, method=method)

    def names(*folders):
        return [row[0] for row in table(make_report(*(f"exp/{folder}" for folder in folders)))[1:]]

    folders = ("asr_moonshine_lora", "asr_moonshine_lora_random", "my_test")
    assert names(*folders) == ["lora", "lora_random", "my_test"]
    assert names("asr_moonshine_lora", "asr_tiny_lora") == ["asr_moonshine_lora", "asr_tiny_lora"]


def test_what_cannot_be_compared_gets_its_own_table(recipe):
    scored("asr_x_lora/seed1", HALF, sets=("test", "dev"))
    other = {"utt1": "otra cosa"}
    scored("asr_y_lora/seed1", other, other)  # a set `test` with other references
    labels = {id: "el" for id in TEXTS}
    scored("speaker_x_lora/seed1", labels, labels, task="speaker")
    text = make_report("exp/asr_x_lora", "exp/asr_y_lora", "exp/speaker_x_lora")
    assert re.findall("^## .*", text, re.MULTILINE) == [
        "## asr, data/es/dev", "## asr, data/es/test", "## asr, data/es/test", "## speaker, data/es/test",
    ]  # fmt: skip


def test_what_is_unknown_is_a_dash_and_what_is_missing_is_named(recipe):
    folder = experiment("asr_x_lora/seed1", HALF)
    (folder / "summary.json").unlink()
    (folder / "command.txt").unlink()
    score.main(["--exp", str(folder)])
    experiment("asr_x_lora/seed2", sets=())
    text = make_report("exp/asr_x_lora")
    assert table(text)[1][4:] == ["-"] * 7 + ["- / -"]
    assert "Without scores" in text and "`exp/asr_x_lora/seed2`" in text


def test_invalid_file_is_named(recipe):
    folder = experiment("asr_x_lora/seed1", HALF)
    (folder / "summary.json").write_text("{")
    with pytest.raises(SureError, match="summary.json is not valid JSON .*run stage 4 again"):
        score.main(["--exp", str(folder)])
    (folder / "decode_test/result.json").write_text('{"task": "asr"')
    with pytest.raises(SureError, match="result.json .*run stage 6"):
        make_report(folder)


def test_from_the_shell(recipe):
    folder = experiment("asr_x_lora/seed1", HALF)
    assert load_config(folder / "config.yaml").method == "lora"

    def shell(*command):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, env=environment)

    bad = shell("sure.bin.report", "--out", "R.md", str(folder))
    assert bad.returncode == 2 and bad.stderr.startswith("error: nothing to report") and not Path("R.md").exists()
    good = shell("sure.bin.score", "--exp", str(folder))
    assert good.returncode == 0 and good.stdout.count("\n") == 1, good.stderr
    good = shell("sure.bin.report", "--out", "R.md", str(folder))
    assert good.returncode == 0 and good.stdout == Path("R.md").read_text(encoding="utf-8"), good.stderr
