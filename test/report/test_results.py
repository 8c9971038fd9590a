"""Stages 6 and 7 on handmade experiment folders: results, tables and errors; the table of learning rates."""

import json
import re
from pathlib import Path

import pytest
import yaml

from sure import registry
from sure.bin import rates, report, score
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.files import replace_file
from sure.report.picture import make_figure
from sure.report.results import collect

TEXTS = {"utt1": "el niño come", "utt2": "buenos dias", "utt3": "no"}
HALF = {"utt1": "el niño", "utt2": "buenas dias", "utt3": ""}  # WER 50 %
LABELS = {id: text.split()[0] for id, text in TEXTS.items()}
SUMMARY = {
    "trained_parameters": 89_000, "adapter_parameters": 80_352, "head_parameters": 8_648,
    "total_parameters": 7_500_000, "trained_percent": 1.1867, "bundle_bytes": 326_400,
    "training_seconds": 1312.4, "peak_memory_megabytes": 1567.2, "device": "cpu", "seed": 1,
    "backbone": "moonshine", "backbone_sha256": "a1b2c3d4e5f6a7b8c9", "epochs": 30, "best_epoch": 28,
    "dev_score": 15.8, "git_hash": "01abc", "lr_adapter": 0.003, "lr_head": 0.005,
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("here")  # with a space in its path, as in real use


def experiment(
    name, hypotheses=None, references=TEXTS, sets=("test",), method="lora", task="asr", language="es", **summary
):
    """Write the outputs of stages 3 to 5."""
    folder, tokens = Path("exp") / name, Path("data/es/tokens") / task
    utterances = [Utterance(id, "x", seconds=1.0, text=TEXTS[id], labels={"label": LABELS[id]}) for id in TEXTS]
    registry.find("tasks", task).fit(utterances, tokens, tokenizer=TokenizerConfig(), language=language)
    folder.mkdir(parents=True)
    config = {
        "task": task, "data": {"train": "data/es/train", "valid": "data/es/dev", "tests": ["data/es/test"]},
        "tokenizer": {"folder": str(tokens)}, "text": {"language": language},
        "backbone": {"name": "moonshine"}, "petl": {"name": method},
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "command.txt").write_text(f"# host\npython -m sure.bin.train --exp {folder}\n")
    (folder / "summary.json").write_text(json.dumps({**SUMMARY, **summary}))
    for name in sets:
        for file, texts in (("ref.txt", references), ("hyp.txt", hypotheses or {})):
            replace_file(folder / f"decode_{name}" / file, "".join(f"{id} {texts[id]}".rstrip() + "\n" for id in texts))
    return folder


def scored(name, *arguments, **options):
    """The folder of a new experiment after stage 6."""
    folder = experiment(name, *arguments, **options)
    score.main(["--exp", str(folder)])
    return folder


def table(text):
    """The cells of the only table, header first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [rows[0], *rows[2:]]


def make_report(*folders):
    report.main(["--out", "out/REPORT.md", *map(str, folders)])
    return Path("out/REPORT.md").read_text(encoding="utf-8")


def test_result_has_scores_and_the_summary_of_training_and_the_report_shows_them(capsys):
    folder = experiment("asr_moonshine_lora/seed1", HALF)
    replace_file(Path("data/es/test/utt2dur"), "utt1 1.5\nutt2 2.25\nutt3 1\nutt4 100\n")
    score.main(["--exp", str(folder)])
    found = json.loads((folder / "decode_test/result.json").read_text(encoding="utf-8"))
    expected = {
        "wer": 50, "score": 50, "task": "asr", "set": "test", "method": "lora", "score_name": "wer",
        "higher_is_better": False, "utterances": 3, "seconds_of_audio": 4.75, "data": "data/es/test",
        "command": f"python -m sure.bin.train --exp {folder}", **SUMMARY,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert found["words"]["deletions"] == 2 and found["words"]["substitutions"] == 1
    assert "REF: el niño COME" in (folder / "decode_test/result.txt").read_text(encoding="utf-8")
    assert capsys.readouterr().out.startswith(f"{folder} test: wer 50.00 % [")
    assert not list(folder.rglob("*.part*"))
    text = make_report(folder)
    shown = capsys.readouterr().out
    assert [len(row) for row in table(shown)] == [7, 7] and "- task" not in shown and "python -m" not in shown
    assert table(shown)[1][:5] == [*table(text)[1][:3], f"{found['cer']:.2f}", "15.80"] and "out/REPORT.md" in shown
    assert table(shown)[0][5:] == ["trained without head", "bundle kB"] and table(shown)[1][5] in table(text)[1]
    word, character = (f"[{low:.2f}, {high:.2f}]" for low, high in (found["wer_interval"], found["cer_interval"]))
    assert dict(zip(*table(text), strict=True)) == {
        "method": "lora", "seeds": "1", "WER %": f"50.00 {word}", "CER %": f"{found['cer']:.2f} {character}",
        "dev": "15.80", "trained without head": "80,352", "with head": "89,000", "of all %": "1.19",
        "bundle kB": "326.4", "training s": "1,312", "peak MB": "1,567",
        "learning rate adapter / head": "0.003 / 0.005",
    }  # fmt: skip
    assert text.startswith("## asr, data/es/test\n") and "WER %: lower is better" in text
    assert "- set: test\n- utterances: 3 (0.1 minutes)\n" in text
    assert "- backbone: moonshine (sha256 a1b2c3d4e5f6)\n" in text and "- device: cpu\n" in text
    assert re.search(r"- scored on: \d{4}-\d\d-\d\d\n", text)
    assert f"\npython -m sure.bin.train --exp {folder}\nfor exp in {folder}; do\n" in text


def test_all_sets_or_selected_sets():
    folder = experiment("x/seed1", HALF, sets=("dev", "test"))
    for more, sets in ((["--sets", "dev"], ["decode_dev"]), ([], ["decode_dev", "decode_test"])):
        score.main(["--exp", str(folder), *more])
        assert sorted(path.parent.name for path in folder.rglob("result.json")) == sets
    with pytest.raises(SureError, match="no decode_train, only dev, test.*sure.bin.decode --exp"):
        score.main(["--exp", str(folder), "--sets", "train"])


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("decode_test/hyp.txt", "utt1 el\nutt3\n", "hyp.txt: no line for utt2; .*stage 5"),
        ("decode_test/ref.txt", "", "ref.txt: no line for utt1, utt2, utt3; .*stage 5"),
        ("decode_test/hyp.txt", "utt1 el\nutt1 la\n", "hyp.txt:2: the id 'utt1' is already on line 1; .*stage 5"),
        ("decode_test/hyp.txt", None, "hyp.txt does not exist; .*stage 5"),
        ("decode_test/ref.txt", "utt1\nutt2\nutt3\n", "decode_test: all references are empty"),
        ("summary.json", "{", "summary.json is not valid JSON .*run stage 4 again"),
        ("config.yaml", None, "config.yaml.*stage 4"),
        ("decode_test", None, "nothing decoded.*stage 5"),
    ],
)
def test_invalid_files_are_named(file, content, message):
    folder = experiment("x/seed1", HALF)
    (folder / file).rename("away")
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(SureError, match=message):
        score.main(["--exp", str(folder)])
    assert not list(folder.rglob("result.json"))


def test_missing_stages_are_named():
    experiment("y/seed1", sets=())
    Path("exp/x/seed1").mkdir(parents=True)
    replace_file(Path("exp/bad/seed1/decode_test/result.json"), '{"task": "asr"')
    for folders, message in (
        (["exp/y/seed1", "exp/x"], "nothing to report.*exp/y/seed1, exp/x.*stages 4 to 6"),
        (["exp"], "nothing to report.* in exp; pass its experiments: exp/.$"),
        (["exp/z"], "experiment folder exp/z does not exist.*stages 4 to 6"),
        (["exp/bad"], "result.json .*run stage 6"),
    ):
        with pytest.raises(SureError, match=message):
            make_report(*folders)


def test_report_says_which_score_to_read_without_spaces():
    note = "Read CER, not WER: the language is written without spaces"
    assert note not in make_report(scored("asr_moonshine_lora/seed1", HALF))
    text = make_report(scored("asr_zh_moonshine_lora/seed1", HALF, language="zh"))
    assert note in text and table(text)[0][2:4] == ["CER %", "WER %"]


def test_rows_that_were_trained_on_other_data_are_named():
    for name, seed, train in (("lora", 1, "a"), ("lora", 2, "b"), ("full", 1, "a"), ("ia3", 1, "a"), ("old", 1, None)):
        known = {} if train is None else {"training_set_sha256": train, "dev_set_sha256": "c"}
        scored(f"asr_moonshine_{name}/seed{seed}", HALF, method={"old": "lora"}.get(name, name), **known)
    same = make_report("exp/asr_moonshine_full", "exp/asr_moonshine_ia3", "exp/asr_moonshine_old")
    assert "Do not compare" not in same
    text = make_report("exp/asr_moonshine_lora", "exp/asr_moonshine_full", "exp/asr_moonshine_ia3")
    assert "they have 2 different training sets: lora seed1, full, ia3; lora seed2.\n" in text
    assert "dev sets" not in text


def test_report_of_methods_and_seeds_keeps_the_order():
    folders = [
        scored(f"asr_moonshine_{method}/seed{seed}", hypotheses, method=method, dev_score=10.0 + seed, seed=seed)
        for method, outputs in (("lora", (TEXTS, HALF, HALF)), ("bottleneck", (TEXTS, TEXTS, TEXTS)))
        for seed, hypotheses in enumerate(outputs, 9)
    ]
    text = make_report("exp/asr_moonshine_lora", "exp/asr_moonshine_bottleneck")
    header, lora, bottleneck = table(text)
    assert lora[:3] == ["lora", "3", "33.33 ± 28.87"]  # of 0, 50, 50
    assert bottleneck[:3] == ["bottleneck", "3", "0.00 ± 0.00"]
    assert lora[header.index("dev")] == "20.00 ± 1.00"
    commands = [line for line in text.splitlines() if line.startswith("python -m sure.bin.train")]
    assert commands == [f"python -m sure.bin.train --exp {folder}" for folder in folders]  # seed10 after seed9
    assert make_report(*folders) == text == make_report("exp/asr_moonshine_lora", *folders)
    assert table(make_report("exp/asr_moonshine_bottleneck", "exp/asr_moonshine_lora"))[1:] == [bottleneck, lora]


def test_figure_has_a_point_for_each_method():
    for name, weights in (("lora", "file"), ("bottleneck", "file"), ("lora_random", "random")):
        for seed, hypotheses in enumerate((TEXTS, HALF), 1):
            scored(f"asr_moonshine_{name}/seed{seed}", hypotheses, method=name.removesuffix("_random"),
                   trained_parameters=1000 * len(name), backbone_weights=weights)  # fmt: skip

    make_report("exp/asr_moonshine_lora", "exp/asr_moonshine_bottleneck", "exp/asr_moonshine_lora_random")
    assert Path("out/REPORT.png").read_bytes().startswith(b"\x89PNG")
    results, _ = collect([Path("exp", f"asr_moonshine_{name}") for name in ("lora", "bottleneck", "lora_random")])
    upper, lower = make_figure(results).axes
    names = {text.get_text(): text.get_position() for text in upper.texts}
    assert names == {"lora": (4000, 25), "bottleneck": (10000, 25)} and not lower.texts
    assert lower.lines[0].get_xydata().tolist() == [[11000, 25]]


def test_tables_of_comparable_results_have_short_different_names_of_rows():
    for name in ("asr_x_lora", "asr_x_lora_random", "asr_z_lora"):
        scored(f"{name}/seed1", HALF, sets=("test", "dev") if name.endswith("random") else ("test",))
    scored("my_test/seed1", HALF, method="full")
    scored("asr_y_lora/seed1", {"utt1": "otra"}, {"utt1": "otra"})  # a set `test` with other references
    folder = scored("language_x_lora/seed1", {**LABELS, "utt3": "el"}, LABELS, task="language")
    assert "utt3 no el" in (folder / "decode_test/result.txt").read_text()
    names = "exp/asr_x_lora exp/asr_x_lora_random exp/my_test exp/asr_y_lora exp/language_x_lora"
    text = make_report(*names.split())
    header, test = "| method | seeds | WER % | CER % ", "## asr, data/es/test"
    assert re.findall(r"^## .*|^\| method \| seeds \| [^|]*\| [^|]*|^\| \w+ \| 1 \| [\d.]+", text, re.MULTILINE) == [
        test, header, "| lora | 1 | 50.00", "| lora_random | 1 | 50.00", "| my_test | 1 | 50.00",
        "## asr, data/es/dev", header, "| lora_random | 1 | 50.00", test, header, "| lora | 1 | 0.00",
        "## language, data/es/test", "| method | seeds | accuracy % | macro F1 % ", "| lora | 1 | 66.67",
    ]  # fmt: skip
    rows = table(make_report("exp/asr_x_lora", "exp/asr_z_lora"))
    assert [row[0] for row in rows] == ["method", "asr_x_lora", "asr_z_lora"]


def test_unknown_values_are_dashes_and_missing_results_are_named():
    folder = experiment("asr_x_lora/seed1", HALF)
    (folder / "summary.json").unlink()
    (folder / "command.txt").unlink()
    score.main(["--exp", str(folder)])
    experiment("asr_x_lora/seed2", sets=())
    text = make_report("exp/asr_x_lora")
    assert table(text)[1][4:] == ["-"] * 7 + ["- / -"]
    assert "Without scores" in text and "`exp/asr_x_lora/seed2`" in text


def train(method, rate, dev_score, seed=1, task="asr", folder=None, **more):
    path = Path(folder or f"asr_{method}_rate{rate}") / f"seed{seed}"
    summary = {"task": task, "method": method, "lr_adapter": rate, "seed": seed, "epochs": 5, "dev_score": dev_score}
    replace_file(path / "summary.json", json.dumps(summary | more))
    return str(path)


@pytest.mark.parametrize(
    ("task", "runs", "lines"),
    [
        ("asr", [("lora", 0.01, 70.0), ("lora", 0.001, 60.0), ("bitfit", 0.01, 50.0),
                 ("prefix", 0.001, 10.0, 1), ("prefix", 0.001, 30.0, 2), ("prefix", 0.01, 15.0, 1)],
         ["| method | 0.001 | 0.01 |", "| lora | **60.00** | 70.00 |", "| bitfit | - | **50.00** |",
          "| prefix | **20.00** | 15.00 (1) |",  # a rate with fewer seeds is never the best
          "dev wer % by learning rate of the adapter (lower is better; epochs: 5; seeds: 1, 2)"]),
        ("language", [("lora", 0.1, 80.0, 1), ("lora", 0.1, 90.0, 2), ("lora", 0.2, 84.0, 1), ("lora", 0.2, 84.0, 2)],
         ["| lora | **85.00** | 84.00 |", "higher is better"]),
    ],
)  # fmt: skip
def test_best_rate_of_each_method_is_bold(capsys, task, runs, lines):
    rates.main([train(*run, task=task) for run in runs])
    printed = capsys.readouterr().out
    assert [line for line in lines if line not in printed] == []


def test_rates_are_compared_by_the_score_of_the_language(capsys):
    rates.main([train("lora", 0.01, 20.0, dev_score_name="cer")])
    assert "dev cer % by learning rate" in capsys.readouterr().out


def test_rates_that_were_trained_on_other_data_are_named(capsys):
    older = train("lora", 0.01, 20.0, training_set_sha256="a")
    rates.main([older, train("lora", 0.001, 20.0, training_set_sha256="a"), train("lora", 0.1, 20.0)])
    assert "Do not compare" not in capsys.readouterr().out
    rates.main([older, train("lora", 0.001, 20.0, training_set_sha256="b")])
    note = "Do not compare all rates: they have 2 different training sets: lora 0.01; lora 0.001.\n"
    assert capsys.readouterr().out.endswith(note)


def test_experiments_that_do_not_fit_together_are_errors():
    first = train("lora", 0.001, 60.0)
    language, same = train("bitfit", 0.1, 1.0, task="language"), train("lora", 0.001, 50.0, folder="asr_lora_rate1e-3")
    for other, message in (
        ("gone/seed1", "gone/seed1/summary.json does not exist; run stage 4"),
        (language, "asr, language"),
        (train("prefix", 0.1, 1.0, dev_score_name="cer"), "one score selected, found cer, wer"),
        (same, "rate0.001/seed1 and .*rate1e-3/seed1 have the same method, learning"),
    ):
        with pytest.raises(SureError, match=message):
            rates.main([first, other])


def test_each_language_of_a_set_with_several_has_its_own_scores():
    languages = "utt1 es\nutt2 es\nutt3 en\nutt4 fr\n"
    replace_file(Path("data/es/test/utt2lang"), languages)
    seeds = [scored(f"asr_all_whisper_lora/seed{seed}", HALF, language="all", seed=seed) for seed in (1, 2)]
    found = json.loads((seeds[0] / "decode_test/result.json").read_text())["by_language"]
    assert {name: (one["utterances"], one["score"]) for name, one in found.items()} == {"en": (1, 100), "es": (2, 40)}
    one = make_report(seeds[0]).splitlines()
    assert "| method | seeds | en: WER % (1 utterance) | es: WER % (2 utterances) |" in one
    report.main(["--out", "two.md", *map(str, seeds)])
    assert "| lora | 2 | 100.00 ± 0.00 | 40.00 ± 0.00 |" in Path("two.md").read_text().splitlines()
    replace_file(Path("data/es/test/utt2lang"), "utt1 es\n")
    score.main(["--exp", str(seeds[0])])
    assert "by_language" not in json.loads((seeds[0] / "decode_test/result.json").read_text()), "a language is missing"


def test_other_languages_are_one_table_with_the_adapter_on_and_off():
    """A result in another language than that of the training has a row there, and none in the other tables."""

    def recognised(name, english, **changes):
        folder = scored(name, HALF, sets=("test", "test_en"), **changes)
        for part, text, language in (("test", "buenos dias", "es"), ("test_en", english, "en")):
            path = folder / f"decode_{part}" / "result.json"
            values = {**json.loads(path.read_text()), "language": language, "training_language": "es"}
            path.write_text(json.dumps({**values, "score": text, "wer": text} if language == "en" else values))
        return folder

    seeds = [recognised(f"asr_es_whisper_lora/seed{seed}", 30.0 + seed) for seed in (1, 2)]
    untouched = recognised("asr_es_whisper_linear_probe/seed1", 12.5, method="linear_probe")
    report.main(["--out", "out.md", *map(str, [*seeds, untouched])])
    text = Path("out.md").read_text()
    assert text.count("## ") == 2 and "data/es/test\n" in text.partition("## asr, languages that were not trained")[0]
    rows = text.partition("## asr, languages that were not trained\n")[2].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if row.startswith("|")]
    assert cells[0] == ["method", "adapter", "seeds", "en: WER %", "change"]
    off, on = cells[2:]
    assert off[:3] == ["linear_probe", "off", "1"] and off[3].startswith("12.50 [") and off[4] == "-"
    assert on == ["lora", "on", "2", "31.50 ± 0.71", "+19.00"]
