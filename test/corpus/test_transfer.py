"""Downloads that break or resume, and servers that send wrong answers: the right bytes or no file."""

import copy
import errno
import hashlib
import http.client
import random
import ssl
from pathlib import Path
from unittest.mock import Mock

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


NO_SUM = {"sha256": None}
BREAKS = {"break_after": [1_000_000, 0, 1_500_000]}
RESUMED = [None, "bytes=1000000-", "bytes=1000000-", "bytes=2500000-"]
PART = "x.tar.part"


@pytest.mark.parametrize(("settings", "local", "sums", "requests"), [
    *(({}, {}, sums, [None]) for sums in ({}, NO_SUM, {**NO_SUM, "md5": MD5}, SIZE)),
    *((BREAKS, {}, sums, RESUMED) for sums in ({}, NO_SUM, {**NO_SUM, **SIZE})),
    ({**BREAKS, "ranges": False}, {}, {}, [None, "bytes=1000000-", None, "bytes=1500000-"]),  # starts again
    ({"statuses": [503, 429, 500]}, {}, {}, [None] * 4),  # a busy server
    ({"lengths": False}, {}, {}, [None]),
    ({"lengths": False, "break_after": [1_000_000]}, {}, SIZE, [None, "bytes=1000000-"]),
    ({}, {PART: b"wrong" * 1000}, {}, ["bytes=5000-", None]),
    ({}, {PART: CONTENT[:-3] + b"bad"}, {}, ["bytes=3000000-", None]),
    ({}, {PART: CONTENT + b"longer"}, {}, ["bytes=3000006-", None]),
    ({}, {PART: CONTENT + b"longer"}, SIZE, [None]),
    ({}, {PART: CONTENT}, {}, ["bytes=3000000-"]),  # status 416: no bytes after the last one
    ({}, {PART: CONTENT}, SIZE, []),
    ({}, {PART: b"wrong" * 1000}, NO_SUM, [None]),  # old bytes are not trusted without a checksum
    ({}, {"x.tar": CONTENT[:-1]}, {}, [None]),
])  # fmt: skip
def test_a_file_is_fetched_once_and_complete(server, settings, local, sums, requests):
    vars(server).update(copy.deepcopy(settings))
    for name, content in local.items():
        (Path("got") / name).write_bytes(content)
    for _ in range(2):
        assert get(server, **sums).read_bytes() == CONTENT
        assert [wanted for _, wanted in server.requests] == requests
    assert [path.name for path in Path("got").iterdir()] == ["x.tar"]


def test_a_connection_that_breaks_often_succeeds_while_it_progresses(server):
    server.break_after = [100_000] * (2 * TRIES)
    get(server).unlink()
    server.break_after, server.requests = [0] * TRIES, []
    with pytest.raises(SureError, match=f"the connection broke \\({TRIES} tries\\)"):
        get(server)
    assert len(server.requests) == TRIES and not Path("got/x.tar").exists()


def test_only_the_checksum_shows_that_a_file_of_unknown_length_is_incomplete(server):
    server.lengths, server.break_after = False, [1_000_000]
    with pytest.raises(SureError, match="sha256 is"):
        get(server)


def test_half_a_file_from_each_of_two_mirrors(server):
    server.files["/first.tar"] = CONTENT
    server.break_after = [1_000_000] + [0] * (TRIES - 1)
    assert get(server, "first.tar", "x.tar").read_bytes() == CONTENT
    assert server.requests[-1] == ("/x.tar", "bytes=1000000-")


def test_mirrors_are_tried_in_order_and_the_error_has_all_reasons(server):
    get(server, "gone.tar", "other.tar", "x.tar").unlink()
    assert [path for path, _ in server.requests] == ["/gone.tar", "/other.tar", "/x.tar"]
    other, short = f"sha256 is .* instead of {SHA256}", "the server has 2999999 bytes, expected 3000000"
    with pytest.raises(SureError, match=f"(?s)gone.tar: HTTP status 404.*other.tar: {other}.*short.tar: {short}"):
        get(server, "gone.tar", "other.tar", "short.tar", **SIZE)
    assert not Path("got/x.tar").exists()


@pytest.mark.parametrize("head", [(200, "Content-Length", "abc"), (302, "Location", "http://[::1")])
def test_after_a_malformed_answer_the_next_mirror_is_tried(server, head):
    server.heads = [head]
    get(server, "odd.tar", "x.tar").unlink()
    server.heads = [head]
    with pytest.raises(SureError, match=r"odd\.tar: the server's answer is malformed"):
        get(server, "odd.tar")


@pytest.mark.parametrize("error", [OSError(errno.EHOSTUNREACH, "No route to host"), ssl.SSLError(1, "bad record mac")])
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
    monkeypatch.setattr("os.fsync", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        get(server)
    assert len(server.requests) == 1


def test_too_little_disk_space(server):
    with pytest.raises(SureError, match=r"x\.tar needs 1000000000\.00 GB, but got has .* GB free"):
        get(server, size=10**18)
    assert server.requests == [] and list(Path("got").iterdir()) == []
