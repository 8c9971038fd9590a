"""Stages 6 and 7 of TTS on real speech: results, table, figures, and the HTML page in a browser."""

import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import speech_experiment
from browser import browser, needs_browser
from judges import fetch_encoder
from PIL import Image
from speech_experiment import DATASET
from tensorboardX.proto.event_pb2 import Event

from sure import registry
from sure.bin import report, score
from sure.decode.synthesis import copy_name
from sure.errors import SureError
from sure.report.picture import make_figure
from sure.report.results import collect
from sure.score.synthesis import speaker_encoder
from sure.score.synthesis.folder import score_folder
from sure.score.synthesis.quality import Judges

ROOT = Path(registry.__file__).parents[1]
HOSTILE = "Fail better. <script>document.title = 'taken'</script> \" ' & <img src=x onerror=alert(1)>"
EXPERIMENT = Path(f"exp/{DATASET}_fastspeech2_lora/seed1")
DECODED = EXPERIMENT / "decode_test"
NATURAL, COPY = (Path(f"exp/{DATASET}_{kind}/decode_test") for kind in ("natural", "copy_synthesis"))


@pytest.fixture(scope="module")
def downloads(request):
    return request.config.cache.mkdir("downloads")


@pytest.fixture(scope="module")
def scored(tmp_path_factory, downloads):
    """A recipe folder behind stage 7, with a space in its path."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("a recipe")
        patch.chdir(folder)
        speech_experiment.make(folder, downloads, texts={"u3": HOSTILE})
        patch.setattr(speaker_encoder, "installed_weights", lambda: fetch_encoder(downloads))
        score.main(["--exp", str(EXPERIMENT)])
        report.main(["--out", "exp/REPORT.md", str(EXPERIMENT.parent)])
    return folder


@pytest.fixture
def recipe(scored, monkeypatch):
    monkeypatch.chdir(scored)
    return scored


def result(folder):
    return json.loads((folder / "result.json").read_text())


def test_results_of_synthesis_and_of_what_it_cannot_pass(recipe):
    found = {folder: result(folder) for folder in (DECODED, COPY, NATURAL)}
    for values in found.values():
        assert values["utterances"] == 3 and "speaker_similarity" not in values["missing"]
        assert values["references_sha256"] == found[DECODED]["references_sha256"]
        assert 0.5 < values["speaker_similarity"] < 1
    assert found[NATURAL]["score"] is None and "mcd" not in found[NATURAL]
    assert 0 < found[COPY]["mcd"] < 1 < found[DECODED]["mcd"] < 6
    assert found[COPY]["duration_error"] < 1 and found[DECODED]["duration_error"] == pytest.approx(20, abs=1)
    assert found[COPY]["f0_rmse_cents"] < 50 and found[COPY]["voicing_error"] < 10 < found[DECODED]["voicing_error"]
    assert found[DECODED]["speaker_similarity"] < found[COPY]["speaker_similarity"]
    for name in ("mcd", "voicing_error", "duration_error", "speaker_similarity"):
        low, high = found[DECODED][f"{name}_interval"]
        assert low <= found[DECODED][name] <= high
    assert found[DECODED]["score"] == found[DECODED]["mcd"] and found[DECODED]["method"] == "lora"
    assert found[DECODED]["ceilings"] == [str(NATURAL.parent), str(COPY.parent)]


def test_scores_of_utterances_make_the_scores_of_the_set(recipe):
    rows = json.loads((DECODED / "utterances.json").read_text())
    assert list(rows) == ["u1", "u2", "u3"] and rows["u3"]["text"] == HOSTILE
    for name in ("mcd", "speaker_similarity"):
        assert result(DECODED)[name] == pytest.approx(sum(row[name] for row in rows.values()) / 3)
    assert all(Path(row["audio"]).is_file() for row in rows.values())


def test_recogniser_hears_recordings_and_copies(recipe):
    pytest.importorskip("moonshine_voice", reason="needs the extra judges")
    for folder in (NATURAL, COPY):
        row = json.loads((folder / "utterances.json").read_text())["u1"]
        assert row["cer"] == 0 and row["heard"]
    assert result(NATURAL)["cer_interval"][0] <= result(NATURAL)["cer"]


def test_upper_bounds_are_scored_once(recipe, monkeypatch, downloads):
    """Not again for another experiment; but when the copies are others."""
    monkeypatch.setattr(speaker_encoder, "installed_weights", lambda: fetch_encoder(downloads))
    before = {folder: (folder / "result.json").stat().st_mtime_ns for folder in (NATURAL, COPY)}
    score.main(["--exp", str(EXPERIMENT), "--sets", "test"])
    assert {folder: (folder / "result.json").stat().st_mtime_ns for folder in (NATURAL, COPY)} == before
    os.utime(COPY / "wav" / "u1.wav")
    score.main(["--exp", str(EXPERIMENT)])
    assert (COPY / "result.json").stat().st_mtime_ns > before[COPY]
    assert (NATURAL / "result.json").stat().st_mtime_ns == before[NATURAL]


def test_table(recipe):
    lines = [line.strip("| ").split(" | ") for line in Path("exp/REPORT.md").read_text().splitlines() if "|" in line]
    header, natural, copy, lora = lines[0], *lines[2:5]
    assert header[2:4] == ["MCD dB", "F0 RMSE Hz"] and "speaker similarity" in header and "duration error %" in header
    assert [row[0] for row in (natural, copy, lora)] == ["natural", "copy_synthesis", "lora"]
    assert natural[2] == "-" and lora[2].startswith(f"{result(DECODED)['mcd']:.2f} [")
    assert lora[header.index("dev")] == "7.50" and natural[header.index("dev")] == "-"
    text = Path("exp/REPORT.md").read_text()
    assert "dev: mel_db on the dev set" in text and "independent encoder: GE2E" in text
    assert text.count("for exp in") == 1 and "natural" not in text.rpartition("for exp in")[2]


def test_rows_of_two_vocoders(recipe, tmp_path, monkeypatch):
    """Rows of one experiment with the same upper bounds."""
    for folder in ("data", "exp"):
        shutil.copytree(folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    other = DECODED.with_name("decode_test_small")
    shutil.copytree(DECODED, other)
    record = json.loads((DECODED / "decoding.json").read_text())
    (other / "decoding.json").write_text(json.dumps({**record, "decoding": "small"}))
    score.main(["--exp", str(EXPERIMENT)])
    assert result(other)["mcd"] == result(DECODED)["mcd"]
    assert len(list(NATURAL.parent.iterdir())) == len(list(COPY.parent.iterdir())) == 1
    report.main(["--out", "exp/REPORT.md", str(EXPERIMENT.parent)])
    rows = [line.strip("| ").split(" | ")[0] for line in Path("exp/REPORT.md").read_text().splitlines() if "|" in line]
    assert rows[2:] == ["natural", "copy_synthesis", "lora, griffin_lim", "lora, small"]


def test_figure_has_upper_bounds_as_lines(recipe):
    (axes,) = make_figure(collect([EXPERIMENT.parent])[0]).axes
    texts = {text.get_text(): getattr(text, "xy", text.get_position()) for text in axes.texts}
    assert texts["lora"] == (90_000, result(DECODED)["mcd"]) and texts["copy_synthesis"] == (0, result(COPY)["mcd"])
    assert len(texts) == 2


def test_pictures_and_tensorboard(recipe):
    pictures = sorted((EXPERIMENT / "images").glob("test_*.png"))
    assert [path.name for path in pictures] == ["test_u1.png", "test_u2.png", "test_u3.png"]
    (file,) = (EXPERIMENT / "tensorboard" / "decode_test").iterdir()
    shown = {}
    data = file.read_bytes()
    while data:  # length, its checksum, an event, its checksum
        (size,) = struct.unpack("<Q", data[:8])
        for value in Event.FromString(data[12 : 12 + size]).summary.value:
            shown.setdefault(value.tag.split("/")[1], []).append(value)
        data = data[16 + size :]
    assert sorted(shown) == ["u1", "u2", "u3"]
    for id, (audio, image) in shown.items():
        seconds = soundfile.info(DECODED / "wav" / f"{id}.wav").duration
        assert audio.audio.sample_rate == 22050 and audio.audio.length_frames / 22050 == pytest.approx(seconds)
        assert (image.image.width, image.image.height) == Image.open(EXPERIMENT / "images" / f"test_{id}.png").size


@needs_browser
def test_page_in_a_real_browser(recipe, tmp_path):
    """Every player has its audio, nothing complains, and nothing in a text is more than text."""
    wait = """
        const done = arguments[arguments.length - 1], players = [...document.querySelectorAll("audio")]
        const ready = player => player.readyState > 0 || player.error ? null : new Promise(ended => {
            player.addEventListener("loadedmetadata", ended); player.addEventListener("error", ended) })
        Promise.all(players.map(ready)).then(() => done(players.map(
            player => [player.ariaLabel, player.duration, player.error && player.error.message])))
    """
    with browser(tmp_path / "profile") as window:
        window.open(Path("exp/REPORT.html"))
        players = {label: (seconds, error) for label, seconds, error in window.run(wait, asynchronously=True)}
        assert window.console() == []
        assert window.run("return document.title") == "REPORT: listen"
        assert window.run("return document.querySelectorAll('script, img').length") == 0
        heads = window.run("return [...document.querySelectorAll('thead th')].map(head => head.firstChild.textContent)")
        texts = window.run("return [...document.querySelectorAll('tbody th')].map(head => head.firstChild.textContent)")
    assert heads == ["text", "natural", "copy_synthesis", "lora"] and texts[2] == HOSTILE
    folders = {"natural": NATURAL, "copy_synthesis": COPY, "lora": DECODED}
    assert len(players) == 9
    for label, (seconds, error) in players.items():
        name, id = label.split(": ")
        row = json.loads((folders[name] / "utterances.json").read_text())[id]
        wanted = row["segment"][1] - row["segment"][0] if "segment" in row else soundfile.info(row["audio"]).duration
        assert error is None and seconds == pytest.approx(wanted, abs=0.001), label


def test_page_moves_with_its_folder(recipe):
    """Every address in it is relative, and the file is there."""
    page = Path("exp/REPORT.html").read_text()
    sources = [part.split('"')[0] for part in page.split('src="')[1:] if part.startswith("REPORT_audio/")]
    assert len(sources) == 9 and all((Path("exp") / source).is_file() for source in sources)
    assert str(recipe) not in page


def test_missing_models_leave_out_only_their_scores(recipe, tmp_path):
    """In a Python of its own, which knows neither package and has to end well."""
    shutil.copytree("exp", tmp_path / "exp")
    shutil.copytree("data", tmp_path / "data")
    code = (
        "import sys, importlib.util; sys.modules['moonshine_voice'] = None; find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'resemblyzer' else find(name, *rest)\n"
        f"from sure.bin import score; score.main(['--exp', {str(EXPERIMENT)!r}])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "without wer, cer: " in done.stdout and "tools/install.sh --extras judges" in done.stdout
    assert "without speaker_similarity: " in done.stdout and "pip install --no-deps resemblyzer==0.1.4" in done.stdout
    alone, all_there = result(tmp_path / DECODED), result(DECODED)
    assert alone["mcd"] == all_there["mcd"] and alone["voicing_error"] == all_there["voicing_error"]
    assert "cer" not in alone and "speaker_similarity" not in alone


@pytest.mark.skipif(importlib.util.find_spec("moonshine_voice") is None, reason="needs the extra judges")
def test_scoring_with_the_recogniser_ends_well(wave_file, tmp_path):
    """Its library would crash when Python ends."""
    code = (
        "import sys; from sure.data.audio import read_audio; from sure.score.synthesis.recogniser import Recogniser\n"
        "print(Recogniser('en').transcribe(read_audio(sys.argv[1], end=3.0)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(wave_file)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "ever tried" in done.stdout.lower()


@pytest.fixture
def wave_file(downloads):
    return speech_experiment.fetch_speech(downloads)


def test_utterance_without_phones_is_not_scored(recipe, tmp_path, monkeypatch):
    """Stage 3 may leave out utterances without phones."""
    for folder in ("data", "exp"):
        shutil.copytree(folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    phones, scp = Path(f"data/{DATASET}/test/phones"), COPY / "wav.scp"
    for file in (phones, scp):
        file.write_text("".join(line for line in file.open() if not line.startswith("u2 ")))
    data = str(phones.parent)
    found = score_folder(COPY, data, speech_experiment.ACOUSTIC, "en", Judges(None, None, {}))
    assert list(found.utterances) == ["u1", "u3"]
    scp.write_text("")
    with pytest.raises(SureError, match="'u1' was not synthesised; run stage 5 for this set again"):
        score_folder(COPY, data, speech_experiment.ACOUSTIC, "en", Judges(None, None, {}))


def test_each_vocoder_has_its_own_copy_synthesis(recipe, tmp_path, monkeypatch):
    """A second vocoder keeps the copy synthesis of the first one."""
    for folder in ("data", "exp"):
        shutil.copytree(folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    Path("g_1.pt").write_bytes(b"generator")
    name = copy_name("g_1.pt")
    assert copy_name("griffin_lim") == "copy_synthesis" and re.fullmatch("copy_synthesis_g-1_[0-9a-f]{8}", name)
    other = Path(f"exp/{DATASET}_{name}/decode_test")
    shutil.copytree(COPY, other)
    (other / "result.json").unlink()
    record = json.loads((DECODED / "decoding.json").read_text())
    (DECODED / "decoding.json").write_text(json.dumps({**record, "copies": name}))
    before = (COPY / "result.json").stat().st_mtime_ns
    score.main(["--exp", str(EXPERIMENT)])
    assert (COPY / "result.json").stat().st_mtime_ns == before
    assert result(DECODED)["ceilings"][1] == str(other.parent) and result(other)["method"] == name


def test_recogniser_transcribes_only_supported_languages(recipe, tmp_path, monkeypatch):
    pytest.importorskip("moonshine_voice", reason="needs the extra judges")
    for folder in ("data", "exp"):
        shutil.copytree(folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    data = Path(f"data/{DATASET}/test")
    judges = Judges(Judges.of(["ru", "en"]).recogniser, None, {})
    (data / "utt2lang").write_text("u1 en\nu2 ru\nu3 en\n")
    found = score_folder(COPY, str(data), speech_experiment.ACOUSTIC, "en", judges)
    assert found.heard.keys() == found.texts.keys() == {"u1", "u3"} and "heard" not in found.utterances["u2"]
    assert found.scores["missing"] == {"wer, cer of 1 utterances": "the recogniser does not support ru"}
    (data / "utt2lang").write_text("u1 it\nu2 ru\nu3 it\n")
    found = score_folder(COPY, str(data), speech_experiment.ACOUSTIC, "en", judges)
    assert "wer" not in found.scores
    assert found.scores["missing"] == {"wer, cer": "the recogniser does not support it ru"}


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("wav/u2.wav", "'u2' was not synthesised in .*u2.wav; run stage 5 for this set again"),
        ("wav.scp", "wav.scp does not exist; run stage 5 for this set again"),
    ],
)
def test_missing_files_are_named(gone, words, recipe, tmp_path, monkeypatch):
    shutil.copytree("data", tmp_path / "data")
    shutil.copytree("exp", tmp_path / "exp")
    monkeypatch.chdir(tmp_path)
    (DECODED / gone).unlink()
    with pytest.raises(SureError, match=words):
        score.main(["--exp", str(EXPERIMENT)])
    (DECODED / "utterances.json").write_text("[]")
    with pytest.raises(SureError, match="utterances.json.*run stage 6 .* for this set again"):
        report.main(["--out", "REPORT.md", str(EXPERIMENT)])
