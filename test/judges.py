"""The models that judge synthesised speech, for tests: weights and code out of their packages."""

import importlib
import sys
import warnings
from types import ModuleType

from published import fetch

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
