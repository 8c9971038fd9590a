"""Placeholders of sources.yaml: filled by options, and nothing else; languages stay apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from archive_files import tree
from file_server import FileServer

from sure.bin import download
from sure.corpus.download import fetch
from sure.corpus.sources import read_sources
from sure.errors import SureError

LANGUAGES = ("en_us", "fr_fr")


def write(items: list[dict], **more) -> Path:
    path = Path("sources.yaml")
    path.write_text(yaml.safe_dump({"licence": ["CC0"], **more, "items": items}))
    return path


@pytest.fixture
def sources(here: Path, server: FileServer) -> Path:
    """A list a language, and one file that is the same for all."""
    server.files = {f"/{language}.tsv": language.encode() for language in LANGUAGES} | {"/sessions.txt": b"all"}
    list_of = {"kind": "archive", "urls": [f"{server.url}/{{lang}}.tsv"], "unpack": False, "into": "lists/{lang}"}
    shared = {"kind": "archive", "urls": [f"{server.url}/sessions.txt"], "unpack": False}
    return write([list_of, shared], attribution=["braces {elsewhere} are text"])


def test_options_fill_addresses_and_folders(sources):
    plan = read_sources(sources, {"lang": "en_us"})
    assert plan.items[0].urls[0].endswith("/en_us.tsv") and plan.items[0].into == "lists/en_us"
    assert plan.attribution == ["braces {elsewhere} are text"]


def test_languages_lie_side_by_side_and_what_they_share_comes_once(sources, server):
    for language in LANGUAGES:
        download.main(["--sources", str(sources), "--out", "downloads", f"lang={language}"])
    corpus = Path("downloads/corpus")
    assert {name: text for name, text in tree(corpus).items() if name.endswith((".tsv", ".txt"))} == {
        "lists/en_us/en_us.tsv": b"en_us",
        "lists/fr_fr/fr_fr.tsv": b"fr_fr",
        "sessions.txt": b"all",
    }
    assert [path for path, _ in server.requests] == ["/en_us.tsv", "/sessions.txt", "/fr_fr.tsv"]
    server.requests = []
    fetch(sources, "downloads", options={"lang": "en_us"})
    assert server.requests == []


@pytest.mark.parametrize("value", ["", "..", "a/b", "a b", "-v", "a%2fb", "en?x=1", "{lang}", "en\n", "é"])
def test_a_value_that_could_lead_elsewhere_is_refused(sources, server, value):
    with pytest.raises(SureError, match="lang=.*expected letters, digits"):
        fetch(sources, "downloads", options={"lang": value})
    assert server.requests == [] and not Path("downloads").exists()


def test_placeholders_and_options_have_to_meet(sources):
    with pytest.raises(SureError, match=r"sources.yaml: no value for \{lang\}; give lang="):
        read_sources(sources)
    with pytest.raises(SureError, match="no item depends on year"):
        read_sources(sources, {"lang": "en_us", "year": "2009"})


@pytest.mark.parametrize("url", ["https://host/{}.tar", "https://host/{lang.tar", "https://host/lang}.tar"])
def test_other_braces_are_no_address(here, url):
    with pytest.raises(SureError, match="sources.yaml"):
        read_sources(write([{"kind": "archive", "urls": [url]}]))


@pytest.mark.parametrize("word", ["lang", "=en", "1=en"])
def test_a_word_that_is_no_option_is_named(sources, word):
    with pytest.raises(SureError, match=f"'{word}': expected key=value"):
        download.main(["--sources", str(sources), "--out", "downloads", word])


def test_two_languages_at_once_wait_for_each_other(sources, server):
    server.break_after = [1]
    server.pause.set()  # the first download hangs
    call = [sys.executable, "-m", "sure.bin.download", "--sources", str(sources), "--out", "downloads"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1"}
    first = subprocess.Popen([*call, "lang=en_us"], env=environment, stdout=subprocess.PIPE, text=True)
    while "fetching en_us.tsv" not in first.stdout.readline():
        assert first.poll() is None
    second = subprocess.Popen([*call, "lang=fr_fr"], env=environment, stdout=subprocess.PIPE, text=True)
    while "waiting for another download to downloads" not in second.stdout.readline():
        assert second.poll() is None
    first.kill()
    first.communicate()
    assert "Corpus: downloads/corpus" in second.communicate(timeout=60)[0] and second.returncode == 0
