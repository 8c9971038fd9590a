"""The command `sure`: help without torch, exit codes, completion, and the same work as the entry points."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sure import __main__ as command
from sure import inference
from sure.data.audio_files import audio_files
from sure.errors import SureError

ROOT = Path(__file__).parents[2]
LIGHT = "import sys; from sure.__main__ import main; sys.modules['torch'] = sys.modules['yaml'] = None; main()"


def call(*words: str, **settings: object) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings.pop("env", {})}
    command = [sys.executable, "-c", LIGHT, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, **settings)


def status(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        command.main(list(words))
    return end.value.code


@pytest.mark.parametrize("name", ["", *command.COMMANDS])
def test_help_needs_no_torch_and_has_an_example(name):
    """So it appears at once."""
    done = call(*name.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert f"\n  sure {name}" in done.stdout.replace("    sure", "  sure")
    assert "xamples:" in done.stdout


def test_every_command_is_documented():
    page = (ROOT / "docs" / "command_line.md").read_text()
    assert [name for name in command.COMMANDS if f"`sure {name}" not in page] == []


def test_completion_has_commands_options_and_files():
    def complete(text: str) -> list[str]:
        words = {"COMP_WORDS": text, "COMP_CWORD": str(len(text.split(" ")) - 1), "_SURE_COMPLETE": "bash_complete"}
        return call(env=words).stdout.split()

    assert complete("sure inf") == ["plain,infer"]
    assert complete("sure infer --l") == ["plain,--list", "plain,--language"]
    assert complete("sure infer b") == ["file,b"]
    assert "_SURE_COMPLETE=bash_complete" in call("--completion", "bash").stdout


def test_exit_codes(tmp_path, capsys, monkeypatch):
    assert status("doctor", str(tmp_path / "none")) == 1
    assert "none does not exist; give an existing folder" in capsys.readouterr().err
    assert status("doctor") == status("doktor") == status("infer", "--bee") == 2
    assert "Did you mean 'doctor'?" in capsys.readouterr().err
    assert status("methods", "--backbone", "tiny", "--petl", "lora") == 0

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inference.Sure, "load", interrupted)
    assert status("infer", "bundle", "a.wav") == 130


def test_methods_as_json():
    words = "methods --backbone tiny fastspeech2 --petl l_adapter --json".split()
    done = CliRunner().invoke(command.sure, words)
    found = json.loads(done.output)
    assert found["method"] == "l_adapter" and found["trained_parameters"]["tiny"] > 0
    assert found["trained_parameters"]["fastspeech2"] is None


def test_a_folder_stands_for_its_recordings(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.wav", "in/a.FLAC", "notes.txt"):
        (tmp_path / name).touch()
    names = audio_files(["x.raw", str(tmp_path), "-"])
    assert names == ["x.raw", str(tmp_path / "b.wav"), str(tmp_path / "in" / "a.FLAC"), "-"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(SureError, match="empty: the folder has no audio files"):
        audio_files([str(tmp_path / "empty")])
