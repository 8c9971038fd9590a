"""What comes from others cannot run anything, read or write elsewhere: refused by name, and nothing has happened."""

import hashlib
import io
import os
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch
from audio_files import tone, write_audio
from damage import change_about
from file_server import serve
from models import write_adapter
from transformers import Wav2Vec2Config

from sure.backbones.wav2vec2 import Family
from sure.config import load_config
from sure.corpus.sources import read_sources
from sure.data import ark
from sure.data.audio import read_audio
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.parsing import parse_yaml
from sure.petl.bundle import WEIGHTS, read_bundle
from sure.report.results import Result, markdown
from sure.train.checkpoint import MARK, Checkpoints


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a quote and a space in its name; nothing but its `inside` may change."""
    folder = tmp_path / "it's here" / "inside"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    yield folder
    ark.library.cache_clear()
    assert "pwned" not in {path.name for path in tmp_path.rglob("*")}, "something of what came from outside was run"
    assert [path.name for path in tmp_path.iterdir()] == ["it's here"]
    assert [path.name for path in folder.parent.iterdir()] == ["inside"]


class Evil:
    """As a pickle it is a command."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch pwned",)


def marked(content: bytes) -> bytes:
    return content + MARK + hashlib.sha256(content).hexdigest().encode()


def read_ark(library: str) -> None:
    with mock.patch.object(ark, "LIBRARIES", (library,)):
        ark.library.cache_clear()
        ark.Scp("x.scp")["one"]


def read_changed_bundle() -> None:
    bundle = write_adapter(Path(), "bitfit")
    Path("weights").rename(bundle / WEIGHTS)
    change_about(bundle, "sha256", sha256_of_file(bundle / WEIGHTS))
    read_bundle(bundle)


torch.save({"state": Evil()}, saved := io.BytesIO())
PLAIN, SAVED = pickle.dumps(Evil()), saved.getvalue()
CACHED, BIN = "hub/checkpoints/wav2vec2_fairseq_base_ls960.pth", "model/pytorch_model.bin"


@pytest.mark.parametrize(
    ("name", "content", "read", "message"),
    [
        ("x.ark", b"one PKL" + PLAIN, lambda: read_ark("kaldiio"), "x.ark"),
        ("x.ark", b"one PKL" + PLAIN, lambda: read_ark("omniio.kaldi"), "x.ark"),
        ("x.ark", b"one PKL" + PLAIN, lambda: read_audio("x.ark:4"), "x.ark"),
        (CACHED, PLAIN, lambda: Family.from_weights("WAV2VEC2_BASE"), "WAV2VEC2_BASE could not be downloaded"),
        (BIN, PLAIN, lambda: Family.from_weights("model"), "pytorch_model.bin cannot be read"),
        (BIN, SAVED, lambda: Family.from_weights("model"), "pytorch_model.bin cannot be read"),
        ("last.pt", marked(PLAIN), lambda: Checkpoints(Path()).load(), "last.pt is not a checkpoint of a training"),
        ("last.pt", marked(SAVED), lambda: Checkpoints(Path()).load(), "last.pt is not a checkpoint of a training"),
        ("weights", PLAIN, read_changed_bundle, f"{WEIGHTS} is damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pickle_is_not_loaded(here: Path, monkeypatch: pytest.MonkeyPatch, name, content, read, message) -> None:
    monkeypatch.setenv("TORCH_HOME", str(here))
    pickle.loads(PLAIN)  # noqa: S301
    Path("pwned").unlink()  # it does work, where someone loads it
    for folder in ("hub/checkpoints", "model"):
        Path(folder).mkdir(parents=True)
    Path("model/config.json").write_text(Wav2Vec2Config().to_json_string())
    Path("x.scp").write_text("one x.ark:4\n")
    Path(name).write_bytes(content)
    with pytest.raises(SureError, match=message):
        read()


YAML = {
    "object": "task: !!python/object/apply:os.system ['touch pwned']\n",
    "laughs": "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{n}: &{n} [{','.join(['*' + chr(ord(n) - 1)] * 10)}]\n" for n in "bcdefghij"),
    "itself": "a: &a [*a]\n",
    "deep": "a: " + "[" * 500,
    "date": "seed: 2020-13-45\n",
    "list as a key": "? [a]\n: b\n",
    "not text": "a: \0",
}


@pytest.mark.parametrize("kind", YAML)
def test_yaml_that_is_more_than_values(here: Path, kind: str) -> None:
    Path("x.yaml").write_text(YAML[kind])
    for read in (load_config, lambda path: read_sources(Path(path))):
        with pytest.raises(SureError, match="x.yaml"):
            read("x.yaml")
    assert parse_yaml("one: &shared {rate: [1.0, a]}\ntwo: *shared") == dict.fromkeys(
        ("one", "two"), {"rate": [1.0, "a"]}
    )


PLAYLISTS = {
    "x.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}/part.ts\n#EXT-X-ENDLIST\n",
    "x.m4a": "ffconcat version 1.0\nfile {url}/part.wav\n",
    "x.webm": "ffconcat version 1.0\nfile good.wav\n",
}


def test_audio_files_fetch_no_other_files(here: Path) -> None:
    write_audio(here / "good.wav", tone())
    with serve() as server:
        server.files = {"/part.ts": b"x", "/part.wav": (here / "good.wav").read_bytes(), "/x.m4a": b"x"}
        for name, text in PLAYLISTS.items():
            Path(name).write_text(text.format(url=server.url))
            with pytest.raises(SureError, match=name):
                read_audio(name)
        folder = here / server.url.replace("//", "/")  # a name that FFmpeg takes for an address
        folder.mkdir(parents=True)
        (write_audio(here / "x.m4a", tone())).rename(folder / "x.m4a")
        assert len(read_audio(f"{server.url.replace('//', '/')}/x.m4a")) > 15000
        assert len(read_audio(f"{server.url}/x.m4a")) > 15000  # to the system the same path
        assert server.requests == []


def test_a_report_shows_names_and_runs_nothing(here: Path) -> None:
    evil = "x|y <script>alert(1)</script> [a](javascript:b) `c`"
    values = {"task": "asr", "method": "lora", "score_name": "wer", "higher_is_better": False, "score": 1.0}
    values |= dict.fromkeys(("set", "device", "backbone", "data"), evil)
    values |= {"utterances": 3, "command": "python ```\n# <script>"}
    text = markdown([Result(Path("exp") / evil, Path("exp") / evil / "seed1", values)])
    outside = text.split("````")[0]
    assert "<script" not in outside and not re.search(r"(?<!\\)\]\(", outside)
    rows = [line for line in outside.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1
    assert text.count("````") == 2
