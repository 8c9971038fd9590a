"""Tables of a suite of recipes, from handmade result.json files; expected values are calculated by hand."""

import itertools
import json
import re
from pathlib import Path

import pytest

from sure.bin import suite_report
from sure.errors import SureError
from sure.report.picture import make_suite_figure
from sure.report.suite import FIELDS, gather, read_rows

METHODS = {"full": 1000, "lora": 100, "prefix": 30}  # trained parameters without head
BACKBONE = {"backbone": "moonshine", "backbone_sha256": "a1b2c3d4e5f6a7b8"}
SCORE = {"emotion": "accuracy", "asr": "wer", "slots": "slot_type_f1", "language": "accuracy"}
EMOTION = {"full": (90, 92, 94), "lora": (95, 95, 95), "prefix": (91, 92, 93)}
ASR = {"full": (9, 10, 11), "lora": (10.5, 10.5, 12), "prefix": (20, 20, 20)}
SLOTS = {"full": (80, 80, 80), "lora": (70, 75, 80), "prefix": (90, 92)}
EMOTIONS, KEYWORDS = "Emotion, speaker and speech recognition", "Keywords, intents, phonemes and slots"
pytestmark = pytest.mark.usefixtures("here")


def folder_of(row, method, seed):
    recipe, task, *_ = row.split()
    return Path("recipes") / recipe / "exp" / f"{task}_moonshine_{method}" / f"seed{seed}"


def write_result(row, method, seed, score, set="test", folder=None, trained_method=None, **more):
    """Write a result.json as stage 6 does."""
    task = row.split()[1]
    trained = METHODS[method]
    result = {
        "task": task, "set": set, "method": trained_method or method,
        "score_name": SCORE[task], "score": score, SCORE[task]: score,
        "higher_is_better": task != "asr", "utterances": 1500, "references_sha256": f"{row} {set}",
        "adapter_parameters": trained, "head_parameters": 50, "trained_parameters": trained + 50, "device": "cpu",
        "total_parameters": 1050 + (0 if method == "full" else trained), "lr_adapter": 0.003, "lr_head": 0.005,
        "date": "2026-01-02", "git_hash": "01abc", **BACKBONE, **more,
    }  # fmt: skip
    decoded = folder_of(row, method, seed) / f"decode_{folder or set}"
    decoded.mkdir(parents=True, exist_ok=True)
    (decoded / "result.json").write_text(json.dumps(result))


def write_results(row, scores, **more):
    for method, values in scores.items():
        for seed, score in enumerate(values, 1):
            write_result(row, method, seed, score, **more)


def rows(*names, methods=METHODS, seeds=(1, 2, 3), state="done", note=""):
    """The lines of exp/<suite>_rows.tsv for these rows."""
    return [
        [row, row.split()[1], state, note, method, str(seed), str(folder_of(row, method, seed))]
        for row, method, seed in itertools.product(names, methods, seeds)
    ]


def report(*lines):
    """The text that is written to exp/sure_results.md."""
    Path("rows.tsv").write_text("".join("\t".join(line) + "\n" for line in [FIELDS, *lines]))
    suite_report.main(["--rows", "rows.tsv", "--out", "exp/sure_results.md"])
    return Path("exp/sure_results.md").read_text(encoding="utf-8")


def table(text, title, section=0):
    """The cells of the table below the title, by method and column."""
    after = text.split(f"### {title}\n")[1 + section]
    lines = [line for line in after.split("\n#")[0].splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


def column(cells, name):
    return [cells[method][name] for method in METHODS]


def test_means_spreads_ranks_and_the_best_of_each_column():
    write_results("esd emotion", EMOTION, weighted_f1=50.0)
    write_results("librispeech_100 asr", ASR)
    write_results("snips slots", SLOTS, slot_value_cer=12.0)
    write_result("snips slots", "lora", 1, 70, slot_value_cer=3.0)
    text = report(
        *rows("esd emotion", state="failed", note="exit code 7"),  # its results are of an earlier call
        *rows("librispeech_100 asr", "snips slots"),
        *rows("meld emotion", state="skipped", note="no corpus"),
        ["esd tts", "tts", "failed", "exit code 2", "", "", ""],  # before its experiments were known
    )
    cells = table(text, EMOTIONS)
    assert column(cells, "esd emotion<br>accuracy % ↑") == ["92.00 ± 2.00", "**95.00** ± 0.00", "92.00 ± 1.00"]
    # sqrt(0.75) = 0.866
    assert column(cells, "librispeech_100 asr<br>WER % ↓") == ["**10.00** ± 1.00", "11.00 ± 0.87", "20.00 ± 0.00"]
    assert column(cells, "esd emotion<br>weighted F1 % ↑") == ["**50.00** ± 0.00"] * 3
    write_results("meld emotion", EMOTION, score_name="weighted_f1", weighted_f1=46.0)
    scores = [name for name in table(report(*rows("meld emotion")), EMOTIONS)["full"] if name.startswith("meld")]
    assert scores == ["meld emotion<br>weighted F1 % ↑", "meld emotion<br>accuracy % ↑"]
    cells = table(text, KEYWORDS)
    assert cells["prefix"]["snips slots<br>slot type F1 % ↑"] == "**91.00** ± 1.41 (2)"  # sqrt(2)
    assert cells["lora"]["snips slots<br>slot value CER % ↓"] == "**9.00** ± 5.20"  # sqrt(27)
    cells = table(text, "All tasks")
    assert list(cells) == list(METHODS)
    # emotion: lora 1, the two with 92 share 2 and 3; asr: full 1, lora 2, prefix 3
    # slots: one seed of prefix is missing, so its first place does not count
    assert column(cells, "mean rank (2 of 3 columns)") == ["1.75", "1.50", "2.75"]
    assert column(cells, "trained without head") == ["1,000", "100", "30"]
    assert column(cells, "of all %") == ["100.00", "9.09", "2.91"]  # 100/1100, 30/1030
    assert column(cells, "results (of 15)") == ["9", "9", "8"]
    assert "\n- test utterances: esd emotion 1,500, librispeech_100 asr 1,500, snips slots 1,500\n" in text
    assert text.count("### ") == 3
    assert text.partition("## Missing\n\n")[2].split("\n") == [
        "2 of 5 rows have all their results.", "",
        "- esd emotion: failed, exit code 7; 9 of 9 results",
        "- snips slots: done; 8 of 9 results, without prefix seed 3",
        "- meld emotion: skipped, no corpus; 0 of 9 results",
        "- esd tts: failed, exit code 2; 0 of 0 results", "",
    ]  # fmt: skip


def test_options_test_sets_decodings_and_other_tasks_have_columns_of_their_own():
    for row in ("asterisk language", "asterisk asr --lang fr"):
        write_result(row, "lora", 1, 50)
        write_result(row, "lora", 1, 60, set="test_other")
    for seed, score in enumerate((7, 8, 9), 1):
        settings = {"decoding": "beam", "decode": {"beam": 9, "weight": seed}}  # tuned for each seed
        write_result("librispeech_100 asr", "lora", seed, score + 3)
        write_result("librispeech_100 asr", "lora", seed, score, folder="test_beam", **settings)
    one = rows("asterisk language", "asterisk asr --lang fr", methods=["lora"], seeds=[1])
    text = report(*one, *rows("librispeech_100 asr", methods=["lora"]))
    cells = table(text, EMOTIONS)["lora"]
    assert cells["asterisk asr --lang fr<br>WER % ↓"] == "50.00 (1)"  # one seed has no deviation
    assert cells["asterisk asr --lang fr (test_other)<br>WER % ↓"] == "60.00 (1)"
    assert cells["librispeech_100 asr<br>WER % ↓"] == "11.00 ± 1.00"
    assert cells["librispeech_100 asr (beam)<br>WER % ↓"] == "8.00 ± 1.00"
    assert table(text, "Other tasks")["lora"]["asterisk language (test_other)<br>accuracy % ↑"] == "60.00 (1)"
    assert text.index("### Other tasks") > text.index("### Emotion")
    cells = table(text, "All tasks")["lora"]
    assert cells["mean rank (0 of 6 columns)"] == "-" and cells["results (of 9)"] == "5"  # nor has one method a rank


def test_each_backbone_with_its_weights_has_its_own_table():
    write_results("esd emotion", EMOTION)
    write_results("librispeech_100 asr", ASR, backbone_sha256="ffff00001111")
    for method, scores in EMOTION.items():
        for seed, score in enumerate(scores, 1):  # the digest of random weights ends in the seed
            write_result("meld emotion", method, seed, score / 2, backbone_sha256=f"random:moonshine_tiny:{seed}")
    text = report(*rows("esd emotion", "librispeech_100 asr", "meld emotion"))
    assert re.findall("^## (.*)", text, re.MULTILINE) == [
        "moonshine (sha256 a1b2c3d4e5f6)", "moonshine (sha256 ffff00001111)",
        "moonshine, random weights (random:moonshine_tiny)", "Missing",
    ]  # fmt: skip
    first, second, control = (table(text, EMOTIONS, section)["lora"] for section in range(3))
    assert "esd emotion<br>accuracy % ↑" in first and "librispeech_100 asr<br>WER % ↓" in second
    assert control["meld emotion<br>accuracy % ↑"] == "**47.50** ± 0.00"
    assert [len(cells) for cells in (first, second, control)] == [3, 2, 3]  # parameters, scores


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"references_sha256": "older"}, "references differ: esd emotion test in .*full/seed1, older in .*lora/seed2"),
        ({"score_name": "macro_f1", "macro_f1": 1}, "scores differ"),
        ({"decode": {"beam": 50}}, "decoding settings differ: None in .*, {'beam': 50} in .*lora/seed2"),
        ({"adapter_parameters": 200}, "trained parameters differ: 100 in .*lora/seed1, 200 in .*lora/seed2"),
        ({"lr_adapter": 0.1}, "learning rates of the adapter differ"),
        ({"trained_method": "dora"}, "lora/seed2 has results of dora instead of lora"),
    ],
)
def test_column_with_differing_results_is_left_out_and_named(other, message):
    write_results("esd emotion", EMOTION)
    write_results("librispeech_100 asr", ASR)
    write_result("esd emotion", "lora", 2, 95, **other)
    with pytest.raises(SureError, match=f"left out, because results are not comparable: esd emotion: .*{message}"):
        report(*rows("esd emotion", "librispeech_100 asr"))
    text = Path("exp/sure_results.md").read_text()
    assert re.search(f"- left out, because results are not comparable: esd emotion: .*{message}", text), text
    assert "esd emotion<br>" not in text and "librispeech_100 asr<br>WER % ↓" in text
    assert "- esd emotion: done; 0 of 9 results" in text
    Path("exp/sure_results.png").unlink()
    with pytest.raises(SureError, match=message):
        report(*rows("esd emotion"))
    assert not Path("exp/sure_results.png").exists()


def test_a_column_whose_methods_were_trained_on_other_data_is_named():
    write_results("esd emotion", EMOTION, training_set_sha256="a")
    write_results("librispeech_100 asr", ASR, training_set_sha256="b", dev_set_sha256="c")
    assert "Do not compare" not in report(*rows("esd emotion", "librispeech_100 asr"))
    write_result("librispeech_100 asr", "lora", 2, 10.5, training_set_sha256="d", dev_set_sha256="c")
    lines = [line for line in report(*rows("esd emotion", "librispeech_100 asr")).split("\n") if "Do not" in line]
    assert lines == [
        "- librispeech_100 asr: Do not compare all methods: they have 2 different training sets: "
        "full, lora seed1, lora seed3, prefix; lora seed2."
    ]


def test_files_and_figure_with_a_panel_per_column_and_a_point_per_method(capsys):
    write_results("esd emotion", {"full": EMOTION["full"]}, lr_adapter=0.001)  # methods may have different rates
    write_results("esd emotion", {method: EMOTION[method] for method in ("lora", "prefix")})
    write_results("librispeech_100 asr", ASR)
    assert report(*rows("esd emotion", "librispeech_100 asr")) == capsys.readouterr().out
    assert Path("exp/sure_results.png").read_bytes().startswith(b"\x89PNG")
    figure = make_suite_figure(gather(read_rows(Path("rows.tsv"))))
    assert [axes.get_title() for axes in figure.axes] == ["esd emotion", "librispeech_100 asr"]
    points = [container[0].get_xydata().tolist() for container in figure.axes[1].containers]
    assert points == [[[1050, 10]], [[150, 11]], [[80, 20]]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["full", "lora", "prefix"]


def test_missing_results_and_invalid_rows_are_errors():
    with pytest.raises(SureError, match="cannot read rows.tsv"):
        suite_report.main(["--rows", "rows.tsv", "--out", "exp/sure_results.md"])
    with pytest.raises(SureError, match="rows.tsv:2: expected tab-separated row, task, state"):
        report(["esd emotion", "emotion", "done"])
    for reason in ("no experiment of these rows has started", "no decode_<set>/result.json in .*lora/seed1"):
        with pytest.raises(SureError, match=f"nothing to report: {reason}"):
            report(*rows("esd emotion"))
        folder_of("esd emotion", "lora", 1).mkdir(parents=True, exist_ok=True)
    assert not Path("exp").exists()
