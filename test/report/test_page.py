"""The HTML page of `sure report --html`, from handmade outputs of stages 4 to 6."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import PHONE

from sure.bin import report
from sure.errors import SureError
from sure.files import replace_file
from sure.report.page.charts import Point, pareto_front

pytestmark = pytest.mark.usefixtures("here")
HOSTILE = "\"'></script><img src=x onerror=alert(1)>&amp;"
RESULT = {
    "task": "asr", "set": "test", "method": "lora", "score_name": "wer", "higher_is_better": False, "score": 50.0,
    "wer": 50.0, "wer_interval": [40.0, 60.0], "utterances": 2, "references_sha256": "a", "data": "data/es/test",
    "trained_parameters": 1000, "dev_score": 40.0, "best_epoch": 2, "command": "python -m sure.bin.train --exp x",
}  # fmt: skip
REFERENCES = {"utt1": "el niño come", "utt2": "no"}


class Page(HTMLParser):
    """Parses a page and checks that its elements are nested and that it loads nothing."""

    def __init__(self, text):
        super().__init__()
        self.text, self.open, self.names, self.words, self.attributes = text, [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.names.append(name)
        self.attributes += attributes
        for key, value in attributes:
            assert not key.startswith("on")
            assert key not in ("src", "href") or value.startswith(("#", "data:"))
        self.open += [name] if name not in ("meta", "link") else []

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.words.append(data)


def experiment(name, hypotheses=None, references=REFERENCES, task="asr", **changes):
    folder = Path("exp") / name
    result = {**RESULT, "task": task, "method": Path(name).parent.name.rpartition("_")[2], **changes}
    replace_file(folder / "decode_test/result.json", json.dumps(result))
    for file, texts in (("ref.txt", references), ("hyp.txt", hypotheses or references)):
        replace_file(folder / "decode_test" / file, "".join(f"{id} {text}\n" for id, text in texts.items()))
    lines = [{"epoch": epoch, "train_loss": 9.5 / epoch, "dev_loss": 8.0, "dev_wer": 70.0 - epoch} for epoch in (1, 2)]
    replace_file(folder / "metrics.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    replace_file(folder / "best.json", '{"score_name": "wer"}')
    return folder


def write_test_set():
    """The data folder of the results, with a recording of half a second for each utterance."""
    for id, text in REFERENCES.items():
        path = Path("data/es/test") / f"{id}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 8000), 16000)
        for file, value in (("wav.scp", path), ("text", text), ("utt2spk", id)):
            with open(path.parent / file, "a") as sink:
                sink.write(f"{id} {value}\n")


def page(*words):
    report.main(["--out", "R.md", *map(str, words), "--html", "page.html"])
    return Page(Path("page.html").read_text(encoding="utf-8"))


def test_the_page_has_each_run_with_its_command_its_curves_and_its_errors():
    for name, seed in (("lora", 1), ("lora", 2), ("ia3", 1)):
        experiment(f"asr_{name}/seed{seed}", {"utt1": "el mono come ya", "utt2": "no"}, command=f"train {name} {seed}")
    made = page("exp/asr_lora", "exp/asr_ia3")
    runs = made.text.partition("<summary>Runs</summary>")[2].partition("</table>")[0]
    found = re.findall(r'<tr><th scope="row">(\w+)</th><td>(seed\d)</td>.*?<pre[^>]*>([^<]*)</pre>', runs)
    assert found == [
        ("lora", "seed1", "train lora 1"),
        ("lora", "seed2", "train lora 2"),
        ("ia3", "seed1", "train ia3 1"),
    ]
    assert '<dd dir="auto">el <del>niño</del> <ins>mono</ins> come <ins>ya</ins></dd>' in made.text
    assert "<h5>utt1 <small>67 %</small></h5>" in made.text and "<h5>utt2" not in made.text
    assert {"asr_lora seed2, epoch 2: 4.75", "asr_ia3 seed1, epoch 1: 69"} <= set(made.words)
    script = made.text.partition("<script>")[2].partition("</script>")[0]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in dict(made.attributes)["content"]


def test_texts_of_the_data_are_never_markup():
    changes = {"command": HOSTILE, "device": HOSTILE, "groups": {HOSTILE: {"confusion": {HOSTILE: {HOSTILE: 2}}}}}
    experiment("asr_lora/seed1", {"utt1": HOSTILE, "utt2": ""}, {"utt1": "no", "utt2": HOSTILE}, HOSTILE, **changes)
    made = page("exp/asr_lora")
    assert "img" not in made.names and made.names.count("script") == 1
    assert made.words.count(HOSTILE) >= 6


def test_labels_that_were_confused_have_a_table_with_the_sum_over_seeds():
    for seed in (1, 2):
        groups = {"label": {"confusion": {"si": {"si": 3, "no": seed}, "no": {"no": 5}}}}
        experiment(
            f"k_lora/seed{seed}", {"utt1": "no"}, {"utt1": "si"}, "keyword", score_name="accuracy", groups=groups
        )
    cells = re.findall(r'title="(\d+) %">(\d+)<', page("exp/k_lora").text)
    assert cells == [("100", "10"), ("33", "3"), ("67", "6")]


def test_recordings_are_inside_the_page_up_to_a_limit():
    experiment("asr_lora/seed1", {"utt1": "mono", "utt2": "si"})
    write_test_set()
    assert "audio" not in page("exp/asr_lora").names
    sources = [value for key, value in page("exp/asr_lora", "--audio", "1").attributes if key == "src"]
    assert [soundfile.info(_file(one)).frames for one in sources] == [8000] * 2
    limited = page("exp/asr_lora", "--audio", "0.03")
    assert limited.names.count("audio") == 1 and "1 player left out" in limited.text
    Path("data").rename("away")
    with pytest.raises(SureError, match="data folder data/es/test .* does not exist here"):
        page("exp/asr_lora", "--audio", "1")


def _file(source):
    path = Path("sound.flac")
    path.write_bytes(base64.b64decode(source.partition(",")[2]))
    return path


@pytest.mark.slow
def test_a_browser_shows_the_page_from_its_file_alone(browser):
    """Keys sort a table and open details; players have the recordings; a telephone's width; light and dark."""
    for number, name in enumerate(("lora", "ia3", "a_method_with_a_very_long_name" * 3)):
        experiment(f"asr_{name}/seed1", {"utt1": "mono " * number, "utt2": "si"}, wer=30.0 + number, command="x" * 200)
    write_test_set()
    page(*Path("exp").iterdir(), "--audio", "1")
    browser.open(Path("page.html").resolve().as_uri(), PHONE)
    browser.tab_to("it.closest('table.sortable th')")
    names = "return [...document.activeElement.closest('table').tBodies[0].rows].map(row => row.cells[0].textContent)"
    before = browser.do(names)
    browser.press("ENTER")
    rising = browser.do(names)
    browser.press("ENTER")
    assert browser.do(names) == rising[::-1] and sorted(rising) == sorted(before) and len(rising) == 3
    assert browser.do("return document.activeElement.closest('th').ariaSort") == "descending"
    browser.tab_to("it.tagName === 'SUMMARY'")
    is_open = "return document.activeElement.parentElement.open"
    before = browser.do(is_open)
    browser.press("ENTER")
    assert browser.do(is_open) is not before
    browser.do("for (const each of document.querySelectorAll('details')) each.open = true")
    seconds = "return [...document.querySelectorAll('audio')].map(each => each.duration)"
    browser.until("return [...document.querySelectorAll('audio')].every(each => each.duration)")
    assert browser.do(seconds) == pytest.approx([0.5] * len(browser.do(seconds))) and browser.do(seconds)
    for scheme in ("light", "dark"):
        browser.colours(scheme)
        assert browser.fits() and browser.faintest() >= 4.5, scheme
    assert browser.messages() == []


def test_synthesised_utterances_have_a_listening_table():
    folder = experiment("tts_lora/seed1", task="tts", score_name="mcd", mcd=5.0)
    rows = {"utt1": {"text": "Hello <b>", "audio": "x.wav", "mcd": 6.25, "heard": "hallo"}}
    soundfile.write("x.wav", np.zeros(800), 16000)
    replace_file(folder / "decode_test/utterances.json", json.dumps(rows))
    made = page("exp/tts_lora")
    assert {"Hello <b>", "MCD 6.25 dB", "recognised: hallo"} <= set(made.words)


def test_damaged_curves_and_options_that_do_not_fit_are_errors(capsys):
    folder = experiment("asr_lora/seed1")
    replace_file(folder / "metrics.jsonl", "{}\n")
    with pytest.raises(SureError, match="seed1/metrics.jsonl cannot be used .*run stage 4"):
        page("exp/asr_lora")
    for words, message in (
        (["--audio", "3"], "--audio needs --html"),
        (["--out", "x.md", "--html", "x.html"], "choose another name"),
    ):
        with pytest.raises(SystemExit):
            report.main(["exp/asr_lora", *words])
        assert message in capsys.readouterr().err


def test_a_point_of_the_front_has_no_other_with_fewer_parameters_and_a_better_score():
    points = [Point(name, parameters, score, 0.0) for name, parameters, score in
              (("a", 10, 50.0), ("b", 20, 60.0), ("c", 20, 40.0), ("d", 30, 40.0), ("e", 40, 90.0))]  # fmt: skip
    assert [point.name for point in pareto_front(points, higher_is_better=False)] == ["a", "c"]
    assert [point.name for point in pareto_front(points, higher_is_better=True)] == ["a", "b", "e"]
