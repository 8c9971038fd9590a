"""Exit codes of entry points, and the wording of errors."""

import errno
import importlib
from pathlib import Path
from unittest.mock import Mock

import pytest

import sure.petl
from sure import bin as commands
from sure import registry
from sure.errors import SureError, compare_names, counted, run, some_lines, some_of

BIN = Path(commands.__file__).parent
AGAIN = "free some space and run the same command again"
PLACE = "change the permissions or choose another folder, and run the command again"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, 0, ""),
        (SureError("x.wav: no samples"), 2, "error: x.wav: no samples\n"),
        (OSError(errno.ENOSPC, "", "a.pt"), 2, f"error: the disk is full while writing a.pt; {AGAIN}\n"),
        (OSError(errno.EROFS, "Read-only", "a/b"), 2, f"error: cannot use a/b: Read-only; {PLACE}\n"),
        (KeyboardInterrupt(), 130, "error: interrupted; run the same command again to continue\n"),
    ],
)
def test_errors_of_users_are_one_line(error, status: int, message: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        run(Mock(side_effect=error))
    assert (end.value.code, capsys.readouterr().err) == (status, message)


@pytest.mark.parametrize("command", [path.stem for path in sorted(BIN.glob("[a-z]*.py"))])
def test_an_abbreviated_option_is_an_error(command: str) -> None:
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"sure.bin.{command}").main(["--hel"])
    assert end.value.code == 2


@pytest.mark.parametrize("error", [ZeroDivisionError(), FileNotFoundError(errno.ENOENT, "x")])
def test_faults_of_the_program_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        run(Mock(side_effect=error))


def test_one_is_not_counted_in_the_plural() -> None:
    assert [counted(number, "row") for number in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]


def test_long_lists_are_cut_and_counted() -> None:
    assert (some_of([]), some_of(["a"]), some_of(["a", "b"], most=1)) == ("", "a", "a and 1 more")
    assert some_of(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert some_lines(["a", "b", "c"], most=2) == "\n  a\n  b\n  ... and 1 more"


def test_names_that_differ_are_named_on_both_sides() -> None:
    compare_names(["b", "a"], {"a", "b"}, "x.safetensors")
    with pytest.raises(SureError, match=r"^x: 2 missing \(a, c\), 1 unexpected \(d\); write it again$"):
        compare_names(["b", "d"], ["a", "b", "c"], "x", "write it again")


def test_a_syntax_error_in_the_file_of_a_method_is_named_with_its_line(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text("class Method:\n    def build(self\n")
    monkeypatch.setattr(sure.petl, "__path__", [*sure.petl.__path__, str(tmp_path)])
    with pytest.raises(SureError, match=r"mine\.py:2: .*; correct this line"):
        registry.find("petl", "mine")
