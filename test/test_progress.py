"""Long work shows its progress in logs, too."""

import os
import time

from sure import progress
from sure.stages.ngram import write_ngram
from sure.train.progress import SWEEP, TimeLeft, spell_duration


def test_without_a_terminal_progress_is_a_line_from_time_to_time(monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    for _ in progress.progress_bar(range(10), "data/train", unit="recording"):
        time.sleep(0.02)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 8 and all(line.startswith("data/train: ") and "/10 [" in line for line in lines)
    assert list(progress.progress_bar(range(3), "short")) == [0, 1, 2] and not capsys.readouterr().err


def test_the_text_of_a_language_model_is_normalised_with_progress(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    text, out = tmp_path / "lm.txt", tmp_path / "lm.arpa"
    text.write_text("one two\nthree\n")
    assert list(write_ngram([], [text], "en", 1, [], out))[-1] == str(out)
    assert f"{text}: " in capsys.readouterr().err


def test_a_training_tells_the_time_left_for_itself_and_for_all_trainings_of_the_stage(monkeypatch, tmp_path):
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)
    folders = [tmp_path / name for name in "abcd"]
    monkeypatch.setenv(SWEEP, f"{now:.0f} 2 {' '.join(map(str, folders))}")
    for folder, finished in zip(
        folders, (900, 1060, None, None), strict=True
    ):  # `a` was finished earlier, and again waits
        folder.mkdir()
        if finished:
            (folder / "summary.json").touch()
            os.utime(folder / "summary.json", (finished, finished))
    now = 1060.0
    left = TimeLeft(0.0)
    assert left.describe(0.0) == ""
    now = 1100.0  # 1 of 4 and, twice, a half of a training in 100 s
    assert left.describe(0.5) == "40 s left; 1 of 4 trainings done, 2 min left"
    monkeypatch.delenv(SWEEP)
    left = TimeLeft(0.25)  # a resumed training
    now += 50
    assert left.describe(0.5) == "2 min left"
    assert [spell_duration(seconds) for seconds in (0.4, 59, 600, 9000)] == ["0 s", "59 s", "10 min", "2.5 h"]
