"""Download of one file over HTTP, with resumption, mirrors and checksums; the file is complete or absent."""

import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sure import __version__
from sure.corpus.disk_space import require_space, size_of
from sure.errors import SureError
from sure.files import digest_of_file
from sure.progress import progress_bar

TRIES = 5  # attempts without progress
TIMEOUT = 30.0  # seconds without a byte
BLOCK = 1 << 18


class _Gone(Exception):
    """The mirror does not have the file; another mirror may."""


class _Broken(Exception):
    """The connection broke; another attempt may succeed."""


def download_file(
    urls: Sequence[str],
    target: Path,
    sha256: str | None = None,
    md5: str | None = None,
    size: int | None = None,
    pause: float = 1.0,
) -> Path:
    """Download `target` from the first of `urls` that has it, unless a matching file exists already.

    An incomplete download stays in `target.part`, and the next call continues it. pause: seconds before the second
    attempt, doubled each time. Raises SureError with the error of every mirror.
    """
    if target.is_file() and _mismatch(target, sha256, md5, size) is None:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    if not (sha256 or md5):
        part.unlink(missing_ok=True)  # without a checksum, old and new bytes could be of different versions
    require_space(part.parent, (size or 0) - size_of(part), target.name)
    reasons = []
    # the first mirror is tried again if the old part turns out to be wrong
    for url in [*urls[:1], *urls] if part.exists() else urls:
        try:
            _fetch(url, part, size, pause)
            if wrong := _mismatch(part, sha256, md5, size):
                part.unlink()
                raise _Gone(wrong)
            os.replace(part, target)
            return target
        except _Gone as reason:
            reasons.append(f"  {url}: {reason}")
            if not (sha256 or md5):
                part.unlink(missing_ok=True)
    raise SureError(f"{target.name} could not be downloaded:\n" + "\n".join(reasons))


def _mismatch(path: Path, sha256: str | None, md5: str | None, size: int | None) -> str | None:
    """The difference between a file and its expected size and checksums, or None."""
    if size is not None and path.stat().st_size != size:
        return f"{path.stat().st_size} bytes instead of {size}"
    for algorithm, expected in (("sha256", sha256), ("md5", md5)):
        if expected and (found := digest_of_file(path, algorithm)) != expected:
            return f"{algorithm} is {found} instead of {expected}"
    return None


def _fetch(url: str, part: Path, size: int | None, pause: float) -> None:
    """Download the rest of `part`. Raises _Gone for an error that repetition cannot correct."""
    failures = 0
    while True:
        have = size_of(part)
        if size and have > size:
            part.unlink()
            have = 0
        if size and have == size:
            return
        try:
            if _fetch_once(url, part, have, size):
                return
            reason = "the connection broke"
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # no bytes after the last one: the file is complete, or another file
                if error.headers.get("Content-Range") == f"bytes */{have}":
                    return
                part.unlink()
            elif error.code < 500 and error.code not in {408, 429}:
                raise _Gone(f"HTTP status {error.code} {error.reason}") from None
            reason = f"HTTP status {error.code} {error.reason}"
        except _Broken as error:
            reason = str(error)
        failures = 1 if size_of(part) > have else failures + 1
        if failures >= TRIES:
            raise _Gone(f"{reason} ({TRIES} tries)")
        time.sleep(pause * 2 ** (failures - 1))


def _ask(function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
    """Call a function that uses the connection, and nothing else; raise _Broken or _Gone for its errors."""
    try:
        return function(*arguments, **settings)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:  # URLError, SSLError and TimeoutError are OSErrors
        raise _Broken(str(getattr(error, "reason", None) or error) or type(error).__name__) from None
    except ValueError as error:
        raise _Gone(f"the server's answer is malformed ({error})") from None


def _length(answer: http.client.HTTPResponse) -> int | None:
    """The announced number of bytes, or None."""
    length = answer.headers.get("Content-Length", "")
    if length and not re.fullmatch(r"[0-9]{1,18}", length.strip()):
        raise _Gone(f"the server's answer is malformed (Content-Length: {length[:40]})")
    return int(length) if length else None


def _fetch_once(url: str, part: Path, have: int, size: int | None) -> bool:
    """Make one request; False if it ended before the end of the file."""
    request = urllib.request.Request(url, headers={"User-Agent": f"sure/{__version__}"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with _ask(urllib.request.urlopen, request, timeout=TIMEOUT) as answer:
        resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if answer.status == 206 and not resumed:
            part.unlink(missing_ok=True)
            return False
        have = have if resumed else 0
        length = _length(answer)
        total = size if length is None else have + length
        if size is not None and total != size:
            raise _Gone(f"the server has {total} bytes, expected {size}")
        require_space(part.parent, (total or 0) - have, part.name.removesuffix(".part"))
        bar = progress_bar(None, part.stem, total, initial=have, unit="B", unit_scale=True, leave=True)
        with bar, part.open("ab" if resumed else "wb") as file:
            while block := _ask(answer.read, BLOCK):
                file.write(block)
                bar.update(len(block))
            file.flush()
            os.fsync(file.fileno())
    return total is None or part.stat().st_size >= total
