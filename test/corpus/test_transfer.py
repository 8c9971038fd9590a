"""Downloads that break or resume, and servers that send wrong answers: the right bytes or no file."""

import errno
import hashlib
import http.client
import random
import ssl
from pathlib import Path

import pytest

from sure.corpus.transfer import TRIES, download_file
from sure.errors import SureError

CONTENT = random.Random(0).randbytes(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
SIZE = {"size": len(CONTENT)}


def get(server, *names, **settings):
    urls = [f"{server.url}/{name}" for name in names or ["x.tar"]]
    return download_file(urls, Path("got/x.tar"), **{"sha256": SHA256, "pause": 0.01, **settings})


@pytest.fixture(autouse=True)
def files(here, server):
    server.files = {"/x.tar": CONTENT, "/other.tar": CONTENT[:-1] + b"?", "/short.tar": CONTENT[:-1]}
    Path("got").mkdir()


@pytest.mark.parametrize("sums", [{}, {"sha256": None, "md5": MD5}, SIZE])
def test_a_file_is_fetched_once(server, sums):
    for _ in range(2):
        assert get(server, **sums).read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert [path.name for path in Path("got").iterdir()] == ["x.tar"]


RESUMED = [None, "bytes=1000000-", "bytes=1000000-", "bytes=2500000-"]


@pytest.mark.parametrize(("sums", "ranges", "requests"), [
    ({}, True, RESUMED), ({"sha256": None}, True, RESUMED), ({"sha256": None, **SIZE}, True, RESUMED),
    ({}, False, [None, "bytes=1000000-", None, "bytes=1500000-"]),  # a server without ranges starts again
])  # fmt: skip
def test_a_broken_connection_is_resumed(server, sums, ranges, requests):
    server.break_after, server.ranges = [1_000_000, 0, 1_500_000], ranges
    assert get(server, **sums).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == requests


def test_a_connection_that_breaks_often_succeeds_while_it_progresses(server):
    server.break_after = [100_000] * (2 * TRIES)
    get(server).unlink()
    server.break_after, server.requests = [0] * TRIES, []
    with pytest.raises(SureError, match=f"the connection broke \\({TRIES} tries\\)"):
        get(server)
    assert len(server.requests) == TRIES and not Path("got/x.tar").exists()


def test_a_server_that_announces_no_length(server):
    server.lengths = False
    get(server).unlink()
    server.break_after = [1_000_000]  # only the checksum shows that it is incomplete
    with pytest.raises(SureError, match="sha256 is"):
        get(server)
    server.break_after = [1_000_000]
    assert get(server, **SIZE).read_bytes() == CONTENT


@pytest.mark.parametrize(("name", "content", "sums", "requests"), [
    ("x.tar.part", b"wrong" * 1000, {}, ["bytes=5000-", None]),
    ("x.tar.part", CONTENT[:-3] + b"bad", {}, ["bytes=3000000-", None]),
    ("x.tar.part", CONTENT + b"longer", {}, ["bytes=3000006-", None]),
    ("x.tar.part", CONTENT + b"longer", SIZE, [None]),
    ("x.tar.part", CONTENT, {}, ["bytes=3000000-"]),  # status 416: no bytes after the last one
    ("x.tar.part", CONTENT, SIZE, []),
    ("x.tar.part", b"wrong" * 1000, {"sha256": None}, [None]),  # old bytes are not trusted without a checksum
    ("x.tar", CONTENT[:-1], {}, [None]),
])  # fmt: skip
def test_files_of_earlier_calls(server, name, content, sums, requests):
    (Path("got") / name).write_bytes(content)
    assert get(server, **sums).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == requests


def test_half_a_file_from_each_of_two_mirrors(server):
    server.files["/first.tar"] = CONTENT
    server.break_after = [1_000_000] + [0] * (TRIES - 1)
    assert get(server, "first.tar", "x.tar").read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.tar", "bytes=1000000-")


def test_mirrors_are_tried_in_order_and_the_error_has_all_reasons(server):
    get(server, "gone.tar", "other.tar", "x.tar").unlink()
    assert [path for path, _ in server.requests] == ["/gone.tar", "/other.tar", "/x.tar"]
    with pytest.raises(SureError) as caught:
        get(server, "gone.tar", "other.tar", "short.tar", **SIZE)
    message = str(caught.value)
    assert "gone.tar: HTTP status 404" in message
    assert "other.tar: sha256 is" in message and f"instead of {SHA256}" in message
    assert f"short.tar: the server has {len(CONTENT) - 1} bytes, expected {len(CONTENT)}" in message
    assert not Path("got/x.tar").exists()


def test_busy_servers_are_asked_again(server):
    server.statuses = [503, 429, 500]
    assert get(server).read_bytes() == CONTENT
    assert len(server.requests) == 4


def test_no_server(server):
    with pytest.raises(SureError, match="refused"):
        download_file(["http://127.0.0.1:9/x.tar"], Path("got/x.tar"), SHA256, pause=0.01)


@pytest.mark.parametrize("head", [(200, "Content-Length", "abc"), (302, "Location", "http://[::1")])
def test_after_a_malformed_answer_the_next_mirror_is_tried(server, head):
    server.heads = [head]
    get(server, "odd.tar", "x.tar").unlink()
    server.heads = [head]
    with pytest.raises(SureError, match=r"odd\.tar: the server's answer is malformed"):
        get(server, "odd.tar")


BREAKS = [OSError(errno.EHOSTUNREACH, "No route to host"), ssl.SSLError(1, "bad record mac")]


@pytest.mark.parametrize("error", BREAKS)
def test_an_error_of_the_network_is_a_broken_connection(server, monkeypatch, error):
    read, calls = http.client.HTTPResponse.read, []

    def broken(answer, *size):
        calls.append(size)
        if len(calls) == 3 or len(calls) > 30:
            raise error
        return read(answer, *size)

    monkeypatch.setattr(http.client.HTTPResponse, "read", broken)
    get(server).unlink()
    assert len(server.requests) == 2 and server.requests[1][1].startswith("bytes=")
    calls += [()] * 30
    with pytest.raises(SureError, match=f"({error.strerror}) \\({TRIES} tries\\)"):
        get(server)


def test_a_full_disk_is_not_a_broken_connection(server, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        get(server)
    assert len(server.requests) == 1


def test_too_little_disk_space(server):
    with pytest.raises(SureError, match=r"x\.tar needs 1000000000\.00 GB, but got has .* GB free"):
        get(server, size=10**18)
    assert server.requests == [] and list(Path("got").iterdir()) == []
