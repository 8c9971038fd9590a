"""Stages 6 and 7 of TTS on real speech: results, table, figures, and the HTML page in a browser."""

import json
import os
import re
import shutil
import struct
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import soundfile
import speech_experiment
from PIL import Image
from published import fetch_encoder
from speech_experiment import DATASET
from tensorboardX.proto.event_pb2 import Event

from sure.bin import report, score
from sure.decode.synthesis import copy_name
from sure.errors import SureError
from sure.report.picture import make_figure
from sure.report.results import collect
from sure.score.synthesis import speaker_encoder
from sure.score.synthesis.folder import score_folder
from sure.score.synthesis.quality import Judges

HOSTILE = "Fail better. <script>document.title = 'taken'</script> \" ' & <img src=x onerror=alert(1)>"
EXPERIMENT = Path(f"exp/{DATASET}_fastspeech2_lora/seed1")
DECODED = EXPERIMENT / "decode_test"
NATURAL, COPY = BOUNDS = [Path(f"exp/{DATASET}_{kind}/decode_test") for kind in ("natural", "copy_synthesis")]
DATA = Path(f"data/{DATASET}/test")
NO_JUDGES = Judges(None, None, {})


@pytest.fixture(scope="module")
def scored(tmp_path_factory, downloads):
    """A recipe folder after stage 7, with a space in its path."""
    folder = tmp_path_factory.mktemp("a recipe")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        speech_experiment.make(downloads, {"u3": HOSTILE})
        with patch.context() as weights:
            weights.setattr(speaker_encoder, "installed_weights", lambda: fetch_encoder(downloads))
            score.main(["--exp", str(EXPERIMENT)])
        make_report()
        yield folder


@pytest.fixture
def copied(scored, tmp_path, monkeypatch):
    """A copy of the recipe folder that a test may change, as the current directory."""
    for folder in ("data", "exp"):
        shutil.copytree(scored / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)


def make_report():
    report.main(["--out", "exp/REPORT.md", str(EXPERIMENT.parent)])


def result(folder):
    return json.loads((folder / "result.json").read_text())


def rows_of(folder):
    return json.loads((folder / "utterances.json").read_text())


def written(folders):
    return [(folder / "result.json").stat().st_mtime_ns for folder in folders]


def table():
    lines = Path("exp/REPORT.md").read_text().splitlines()
    header, _, *rows = [line.strip("| ").split(" | ") for line in lines if "|" in line]
    return header, rows


def test_results_of_synthesis_and_of_its_upper_bounds(scored):
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
    assert found[DECODED]["f0_rmse_hz"] is None  # no frame is voiced on both sides
    for folder, names in ((DECODED, "mcd voicing_error duration_error speaker_similarity"), (COPY, "f0_rmse_hz")):
        for name in names.split():
            low, high = found[folder][f"{name}_interval"]
            assert low <= found[folder][name] <= high
    assert found[DECODED]["score"] == found[DECODED]["mcd"] and found[DECODED]["method"] == "lora"
    assert found[DECODED]["ceilings"] == [str(NATURAL.parent), str(COPY.parent)]

    rows = rows_of(DECODED)
    assert list(rows) == ["u1", "u2", "u3"] and rows["u3"]["text"] == HOSTILE
    for name in ("mcd", "speaker_similarity"):
        assert found[DECODED][name] == pytest.approx(sum(row[name] for row in rows.values()) / 3)
    seconds = [speech_experiment.SENTENCES[id][2] - speech_experiment.SENTENCES[id][1] for id in rows]
    apart = [row["duration_error"] * length for row, length in zip(rows.values(), seconds, strict=True)]
    assert found[DECODED]["duration_error"] == pytest.approx(sum(apart) / sum(seconds), rel=0.02)
    assert all(Path(row["audio"]).is_file() for row in rows.values())


def test_recogniser_transcribes_recordings_and_copies_in_supported_languages(copied):
    pytest.importorskip("moonshine_voice", reason="needs the extra judges")
    for folder in BOUNDS:
        row = rows_of(folder)["u1"]
        assert row["cer"] == 0 and row["heard"]
    assert result(NATURAL)["cer_interval"][0] <= result(NATURAL)["cer"]
    judges = Judges(Judges.of(["ru", "en"]).recogniser, None, {})
    for first, recognised, missing in (
        ("en", {"u1", "u3"}, {"wer, cer of 1 utterances": "the recogniser does not support ru"}),
        ("it", set(), {"wer, cer": "the recogniser does not support it ru"}),
    ):
        (DATA / "utt2lang").write_text(f"u1 {first}\nu2 ru\nu3 {first}\n")
        found = score_folder(COPY, str(DATA), speech_experiment.ACOUSTIC, "en", judges)
        assert found.transcripts.keys() == found.texts.keys() == recognised and found.scores["missing"] == missing
        assert {id for id, row in found.utterances.items() if "heard" in row} == recognised
        assert ("wer" in found.scores) == bool(recognised)


def test_upper_bounds_are_scored_once(scored, copied, without_judges, capsys):
    """Not again for another experiment; but when the copies are others. Missing models leave out only their scores."""
    score.main(["--exp", str(EXPERIMENT)])
    printed, found, whole = capsys.readouterr().out, result(DECODED), result(scored / DECODED)
    assert "without wer, cer: " in printed and "tools/install.sh --extras judges" in printed
    assert "without speaker_similarity: " in printed and "pip install --no-deps resemblyzer==0.1.4" in printed
    assert [found[name] for name in ("mcd", "voicing_error")] == [whole[name] for name in ("mcd", "voicing_error")]
    assert "cer" not in found and "speaker_similarity" not in found
    for file, changed in ((None, None), (COPY / "wav" / "u1.wav", COPY)):
        if file:
            os.utime(file)
        before = written(BOUNDS)
        score.main(["--exp", str(EXPERIMENT), "--sets", "test"])
        times = zip(BOUNDS, before, written(BOUNDS), strict=True)
        assert [folder for folder, earlier, later in times if later > earlier] == [changed] * bool(changed)


def test_table_and_figure(scored):
    header, rows = table()
    assert header[2:4] == ["MCD dB", "F0 RMSE Hz"] and "speaker similarity" in header and "duration error %" in header
    assert [row[0] for row in rows] == ["natural", "copy_synthesis", "lora"]
    assert rows[0][2] == "-" and rows[2][2].startswith(f"{result(DECODED)['mcd']:.2f} [")
    assert [row[header.index("dev")] for row in rows] == ["-", "-", "7.50"]
    text = Path("exp/REPORT.md").read_text()
    assert "dev: mel_db on the dev set" in text and "independent encoder: GE2E" in text
    assert text.count("for exp in") == 1 and "natural" not in text.rpartition("for exp in")[2]
    (axes,) = make_figure(collect([EXPERIMENT.parent])[0]).axes
    texts = {text.get_text(): getattr(text, "xy", text.get_position()) for text in axes.texts}
    assert texts == {"lora": (90_000, result(DECODED)["mcd"]), "copy_synthesis": (0, result(COPY)["mcd"])}


@pytest.mark.parametrize("other_copies", [False, True])
def test_two_vocoders(copied, without_judges, other_copies):
    """Each has its own row; of two generators, each has its own copy synthesis."""
    Path("g_1.pt").write_bytes(b"generator")
    copies = copy_name("g_1.pt") if other_copies else copy_name("griffin_lim")
    assert re.fullmatch("copy_synthesis_g-1_[0-9a-f]{8}" if other_copies else "copy_synthesis", copies)
    other, bound = DECODED.with_name("decode_test_small"), Path(f"exp/{DATASET}_{copies}/decode_test")
    shutil.copytree(DECODED, other)
    record = json.loads((DECODED / "decoding.json").read_text())
    (other / "decoding.json").write_text(json.dumps({**record, "decoding": "small", "copies": copies}))
    if other_copies:
        shutil.copytree(COPY, bound, ignore=shutil.ignore_patterns("result.json"))
    score.main(["--exp", str(EXPERIMENT)])
    assert result(other)["mcd"] == result(DECODED)["mcd"] and result(bound)["method"] == copies
    for folder, copy in ((DECODED, COPY), (other, bound)):
        assert result(folder)["ceilings"] == [str(NATURAL.parent), str(copy.parent)]
    assert [len(list(folder.parent.iterdir())) for folder in BOUNDS] == [1, 1]
    make_report()
    bounds = ["natural", *sorted({"copy_synthesis", copies})]
    assert [row[0] for row in table()[1]] == [*bounds, "lora, griffin_lim", "lora, small"]


def test_pictures_and_tensorboard(scored):
    pictures = {path.name: Image.open(path).size for path in (EXPERIMENT / "images").glob("test_*.png")}
    (file,) = (EXPERIMENT / "tensorboard" / "decode_test").iterdir()
    shown = {}
    data = file.read_bytes()
    while data:  # length, its checksum, an event, its checksum
        (size,) = struct.unpack("<Q", data[:8])
        for value in Event.FromString(data[12 : 12 + size]).summary.value:
            shown.setdefault(value.tag.split("/")[1], []).append(value)
        data = data[16 + size :]
    assert sorted(shown) == ["u1", "u2", "u3"] and len(pictures) == 3
    for id, (audio, image) in shown.items():
        seconds = soundfile.info(DECODED / "wav" / f"{id}.wav").duration
        assert audio.audio.sample_rate == 22050 and audio.audio.length_frames / 22050 == pytest.approx(seconds)
        assert (image.image.width, image.image.height) == pictures[f"test_{id}.png"]


class Page(HTMLParser):
    """The elements of a page with their attributes, and its texts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


def test_page_has_a_player_for_each_utterance_and_method_and_text_is_only_text(scored):
    """Addresses are relative, so the page can be moved with its folder."""
    text = Path("exp/REPORT.html").read_text()
    page = Page(text)
    assert {tag for tag, _ in page.elements}.isdisjoint({"script", "img"}) and str(scored) not in text
    assert HOSTILE in page.texts and page.texts.count("REPORT: listen") == 2  # title and heading
    folders = {"natural": NATURAL, "copy_synthesis": COPY, "lora": DECODED}
    assert [text for text in page.texts if text in folders] == list(folders)
    players = [attributes for tag, attributes in page.elements if tag == "audio"]
    assert sorted(one["aria-label"] for one in players) == sorted(f"{m}: u{n}" for m in folders for n in (1, 2, 3))
    for player in players:
        name, id = player["aria-label"].split(": ")
        row = rows_of(folders[name])[id]
        wanted = row["segment"][1] - row["segment"][0] if "segment" in row else soundfile.info(row["audio"]).duration
        file = soundfile.info(Path("exp") / unquote(player["src"]))
        assert file.subtype == "PCM_16" and file.duration == pytest.approx(wanted, abs=0.001) and "controls" in player


def test_utterance_without_phones_is_not_scored(copied):
    """Stage 3 may leave out utterances without phones."""
    phones, scp = DATA / "phones", COPY / "wav.scp"
    for file in (phones, scp):
        file.write_text("".join(line for line in file.open() if not line.startswith("u2 ")))
    found = score_folder(COPY, str(DATA), speech_experiment.ACOUSTIC, "en", NO_JUDGES)
    assert list(found.utterances) == ["u1", "u3"]
    scp.write_text("")
    with pytest.raises(SureError, match="'u1' was not synthesised; run stage 5 for this set again"):
        score_folder(COPY, str(DATA), speech_experiment.ACOUSTIC, "en", NO_JUDGES)


@pytest.mark.parametrize(("gone", "words"), [
    ("wav/u2.wav", "'u2' was not synthesised in .*u2.wav; run stage 5 for this set again"),
    ("wav.scp", "wav.scp does not exist; run stage 5 for this set again"),
])  # fmt: skip
def test_missing_files_are_named(gone, words, copied):
    (DECODED / gone).unlink()
    with pytest.raises(SureError, match=words):
        score.main(["--exp", str(EXPERIMENT)])
    (DECODED / "utterances.json").write_text("[]")
    with pytest.raises(SureError, match="utterances.json.*run stage 6 .* for this set again"):
        make_report()
