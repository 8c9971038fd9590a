"""Published weights and recorded speech, fetched from packages."""

from pathlib import Path

import pytest

from sure.corpus.packages import fetch_from_wheel
from sure.errors import SureError

SPEECH = ("moonshine_voice/assets/beckett.wav", "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61")


def fetch(package, version, member, sha256, folder):
    """One file of a wheel, kept in `folder`; the test is skipped where no package index can be reached."""
    try:
        return fetch_from_wheel(package, version, member, sha256, folder / Path(member).name)
    except SureError as error:
        pytest.skip(f"no package index to fetch a published file from: {error}")


def fetch_speech(folder):
    """A file of speech, 10 s at 16 kHz."""
    return fetch("moonshine-voice", "0.0.49", *SPEECH, folder)
