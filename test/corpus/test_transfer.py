"""Downloads that break, lie and resume end in the right bytes or in no file."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import random
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest
from file_server import FileServer

from sure.corpus.transfer import TRIES, download_file
from sure.errors import SureError

CONTENT = random.Random(0).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


def get(server: FileServer, *names: str, **settings) -> Path:
    urls = [f"{server.url}/{name}" for name in names or ["x.tar"]]
    return download_file(urls, Path("got/x.tar"), **{"sha256": SHA256, "pause": 0.01, **settings})


@pytest.fixture(autouse=True)
def files(here: Path, server: FileServer) -> None:
    server.files = {"/x.tar": CONTENT, "/other.tar": CONTENT[:-1] + b"?", "/short.tar": CONTENT[:-1]}


@pytest.mark.parametrize("sums", [{"sha256": SHA256}, {"sha256": None, "md5": MD5}, {"size": len(CONTENT)}])
def test_a_file_arrives_once(server: FileServer, sums: dict) -> None:
    assert get(server, **sums).read_bytes() == CONTENT
    assert get(server, **sums).read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert [path.name for path in Path("got").iterdir()] == ["x.tar"]


@pytest.mark.parametrize("sums", [{"sha256": SHA256}, {"sha256": None}, {"sha256": None, "size": len(CONTENT)}])
def test_a_broken_connection_is_resumed(server: FileServer, sums: dict) -> None:
    server.break_after = [1_000_000, 0, 1_500_000]
    assert get(server, **sums).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == [None] + ["bytes=1000000-"] * 2 + ["bytes=2500000-"]


def test_a_connection_that_breaks_often_succeeds_while_it_progresses(server: FileServer) -> None:
    server.break_after = [100_000] * (2 * TRIES)
    assert get(server).read_bytes() == CONTENT
    server.break_after, server.requests = [0] * TRIES, []
    Path("got/x.tar").unlink()
    with pytest.raises(SureError, match=f"the connection broke \\({TRIES} tries\\)"):
        get(server)
    assert len(server.requests) == TRIES and not Path("got/x.tar").exists()


def test_a_killed_download_is_resumed_by_the_next_call(server: FileServer) -> None:
    server.pause.set()
    server.break_after = [2_000_000]
    command = (
        "import sys; from pathlib import Path; from sure.corpus.transfer import download_file; "
        f"download_file([sys.argv[1]], Path('got/x.tar'), {SHA256!r})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", command, f"{server.url}/x.tar"], env=environment)
    part = Path("got/x.tar.part")
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 1_000_000):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    have = part.stat().st_size
    assert not Path("got/x.tar").exists() and 1_000_000 < have < len(CONTENT)
    assert get(server).read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.tar", f"bytes={have}-")


def test_a_server_without_ranges_starts_over(server: FileServer) -> None:
    server.ranges = False
    server.break_after = [1_000_000]
    assert get(server).read_bytes() == CONTENT


def test_a_server_that_tells_no_length(server: FileServer) -> None:
    server.lengths = False
    assert get(server).read_bytes() == CONTENT
    Path("got/x.tar").unlink()
    server.break_after = [1_000_000]  # looks complete, and only the sum tells
    with pytest.raises(SureError, match="sha256 is"):
        get(server)
    server.break_after = [1_000_000]
    assert get(server, size=len(CONTENT)).read_bytes() == CONTENT


def test_a_wrong_part_of_an_earlier_call_costs_one_more_request(server: FileServer) -> None:
    Path("got").mkdir()
    for stale in (b"wrong" * 1000, CONTENT[:-3] + b"bad", CONTENT + b"longer"):
        Path("got/x.tar").unlink(missing_ok=True)
        Path("got/x.tar.part").write_bytes(stale)
        assert get(server).read_bytes() == CONTENT


def test_a_complete_part_is_not_fetched_again(server: FileServer) -> None:
    Path("got").mkdir()
    Path("got/x.tar.part").write_bytes(CONTENT)
    assert get(server).read_bytes() == CONTENT  # the server answers 416: nothing behind the last byte
    Path("got/x.tar").rename("got/x.tar.part")
    server.requests.clear()
    assert get(server, size=len(CONTENT)).read_bytes() == CONTENT
    assert server.requests == []


def test_without_a_sum_old_bytes_are_not_trusted(server: FileServer) -> None:
    Path("got").mkdir()
    Path("got/x.tar.part").write_bytes(b"wrong" * 1000)
    assert get(server, sha256=None).read_bytes() == CONTENT


def test_mirrors_are_tried_in_order(server: FileServer) -> None:
    assert get(server, "gone.tar", "other.tar", "x.tar").read_bytes() == CONTENT
    assert [path for path, _ in server.requests] == ["/gone.tar", "/other.tar", "/x.tar"]


def test_half_a_file_from_each_of_two_mirrors(server: FileServer) -> None:
    server.files["/first.tar"] = CONTENT
    server.break_after = [1_000_000] + [0] * (TRIES - 1)
    assert get(server, "first.tar", "x.tar").read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.tar", "bytes=1000000-")


def test_when_no_mirror_has_it_each_reason_is_told_and_nothing_is_kept(server: FileServer) -> None:
    with pytest.raises(SureError) as caught:
        get(server, "gone.tar", "other.tar", "short.tar", size=len(CONTENT))
    message = str(caught.value)
    assert "gone.tar: HTTP status 404" in message
    assert "other.tar: sha256 is" in message and f"instead of {SHA256}" in message
    assert f"short.tar: the server has {len(CONTENT) - 1} bytes, expected {len(CONTENT)}" in message
    assert not Path("got/x.tar").exists()


def test_busy_servers_are_asked_again(server: FileServer) -> None:
    server.statuses = [503, 429, 500]
    assert get(server).read_bytes() == CONTENT
    assert len(server.requests) == 4


def test_nobody_listens(server: FileServer) -> None:
    with pytest.raises(SureError, match="refused"):
        download_file(["http://127.0.0.1:9/x.tar"], Path("got/x.tar"), SHA256, pause=0.01)


@pytest.mark.parametrize("head", [(200, "Content-Length", "abc"), (302, "Location", "http://[::1")])
def test_a_malformed_answer_is_no_reason_not_to_ask_the_next_mirror(server: FileServer, head: tuple) -> None:
    server.heads = [head]
    assert get(server, "odd.tar", "x.tar").read_bytes() == CONTENT
    server.heads = [head]
    Path("got/x.tar").unlink()
    with pytest.raises(SureError, match=r"odd\.tar: the server's answer is malformed"):
        get(server, "odd.tar")


BREAKS = [OSError(errno.EHOSTUNREACH, "No route to host"), ssl.SSLError(1, "bad record mac")]


@pytest.mark.parametrize("error", BREAKS)
def test_a_network_that_goes_away_is_a_broken_connection(server: FileServer, monkeypatch, error: OSError) -> None:
    read, calls = http.client.HTTPResponse.read, []

    def broken(answer: http.client.HTTPResponse, *size: int) -> bytes:
        calls.append(size)
        if len(calls) == 3:
            raise error
        return read(answer, *size)

    monkeypatch.setattr(http.client.HTTPResponse, "read", broken)
    assert get(server).read_bytes() == CONTENT
    assert len(server.requests) == 2 and server.requests[1][1].startswith("bytes=")
    monkeypatch.setattr(http.client.HTTPResponse, "read", lambda *_: broken(calls.clear() or calls.extend("ab")))
    Path("got/x.tar").unlink()
    with pytest.raises(SureError, match=f"({error.strerror}) \\({TRIES} tries\\)"):
        get(server)


def test_a_full_disk_is_no_broken_connection(server: FileServer, monkeypatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        get(server)
    assert len(server.requests) == 1


def test_no_room(server: FileServer) -> None:
    with pytest.raises(SureError, match=r"x\.tar needs 1000000000\.00 GB, but got has .* GB free"):
        get(server, size=10**18)
    assert server.requests == [] and list(Path("got").iterdir()) == []


def test_a_damaged_target_is_replaced(server: FileServer) -> None:
    Path("got").mkdir()
    Path("got/x.tar").write_bytes(CONTENT[:-1])
    assert get(server).read_bytes() == CONTENT
