"""Long work shows its progress in logs, too."""

import time

from sure import progress
from sure.stages.ngram import write_ngram


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
