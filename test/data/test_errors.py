"""How entry points end."""

from __future__ import annotations

import errno

import pytest

from sure.errors import SureError, run


def raises(error: BaseException):
    def main() -> None:
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "status", "message"),
    [
        (lambda: None, 0, ""),
        (raises(SureError("x.wav: no samples")), 2, "error: x.wav: no samples\n"),
        (
            raises(OSError(errno.ENOSPC, "No space left on device", "big.pt")),
            2,
            "error: the disk is full while writing big.pt; free some space and run the same command again\n",
        ),
        (raises(KeyboardInterrupt()), 130, "error: interrupted; run the same command again to go on\n"),
    ],
)
def test_users_errors_are_one_line(main, status: int, message: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        run(main)
    assert (end.value.code, capsys.readouterr().err) == (status, message)


def test_faults_of_the_program_keep_their_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run(lambda: 1 / 0)
    with pytest.raises(FileNotFoundError):
        run(raises(FileNotFoundError(errno.ENOENT, "x")))
