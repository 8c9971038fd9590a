"""Published weights and code, and recorded speech, fetched from packages."""

import importlib
import sys
import warnings
from pathlib import Path
from types import ModuleType

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


RESEMBLYZER = {
    "pretrained.pt": "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    "voice_encoder.py": "c9ad016fcc4e627d44b27f4597001eec360a6c6f41286297c820a65acfe90767",
    "audio.py": "c43bd9e415b97487b8f1f6e0bcf4d41055ef2b2dc6a7a6d5c2dd35dcea360ff4",
    "hparams.py": "511abe53b7515263ff33e1c0eaf82f7ffaa165f977b90def312182a15dfb81ae",
}


def fetch_encoder(folder, name="pretrained.pt"):
    """A file of the speaker encoder, its weights by default."""
    return fetch("resemblyzer", "0.1.4", f"resemblyzer/{name}", RESEMBLYZER[name], folder / "code" / "resemblyzer")


def fetch_resemblyzer(folder, monkeypatch):
    """The package's own `voice_encoder` and `audio`, which import a voice detection that has to be compiled."""
    for name in RESEMBLYZER:
        path = fetch_encoder(folder, name)
    monkeypatch.syspath_prepend(path.parents[1])
    monkeypatch.setitem(sys.modules, "webrtcvad", ModuleType("webrtcvad"))
    for name in [name for name in sys.modules if name.split(".")[0] == "resemblyzer"]:
        monkeypatch.delitem(sys.modules, name)
    (path.parent / "__init__.py").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return [importlib.import_module(f"resemblyzer.{name}") for name in ("voice_encoder", "audio")]
