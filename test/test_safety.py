"""What comes from others cannot run anything, read or write elsewhere: refused by name, and nothing has happened."""

import hashlib
import json
import os
import pickle
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
import yaml
from audio_files import tone, write_audio
from file_server import serve

from sure.config import load_config
from sure.corpus.sources import read_sources
from sure.data import ark
from sure.data.audio import read_audio
from sure.errors import SureError
from sure.inference import Sure
from sure.parsing import parse_yaml
from sure.petl.bundle import ABOUT, WEIGHTS, read_bundle
from sure.report.results import Result, markdown
from sure.train.checkpoint import MARK, Checkpoints

ROOT = Path(__file__).parents[1]


class Evil:
    """As a pickle it is a command."""

    def __init__(self, made: Path):
        self.made = made

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {shlex.quote(str(self.made))}",)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a quote and a space in its name; nothing but its `inside` may change."""
    folder = tmp_path / "it's here" / "inside"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    yield folder
    assert "pwned" not in {path.name for path in tmp_path.rglob("*")}, "something of what came from outside was run"
    assert [path.name for path in tmp_path.iterdir()] == ["it's here"]
    assert [path.name for path in folder.parent.iterdir()] == ["inside"]


def pickled(here: Path) -> bytes:
    content = pickle.dumps(Evil(here / "pwned"))
    pickle.loads(content)
    assert (here / "pwned").exists()  # it does work, where someone loads it
    (here / "pwned").unlink()
    return content


@pytest.mark.parametrize("library", ["kaldiio", "omniio.kaldi"])
def test_an_ark_with_a_pickle(here: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setattr(ark, "LIBRARIES", (library,))
    ark.library.cache_clear()
    Path("x.ark").write_bytes(b"one PKL" + pickled(here))
    Path("x.scp").write_text("one x.ark:4\n")
    for read in (lambda: ark.Scp("x.scp")["one"], lambda: read_audio("x.ark:4")):
        with pytest.raises(SureError, match="x.ark"):
            read()
    ark.library.cache_clear()


def test_weights_that_are_a_pickle(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sure.backbones.wav2vec2 import Family

    monkeypatch.setenv("TORCH_HOME", str(here))
    cached = here / "hub" / "checkpoints" / "wav2vec2_fairseq_base_ls960.pth"
    cached.parent.mkdir(parents=True)
    content = pickled(here)
    cached.write_bytes(content)
    with pytest.raises(SureError, match="WAV2VEC2_BASE could not be downloaded"):
        Family.from_weights("WAV2VEC2_BASE")
    folder = here / "model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "wav2vec2"}')
    for save in (lambda path: path.write_bytes(content), lambda path: torch.save(Evil(here / "pwned"), path)):
        save(folder / "pytorch_model.bin")
        with pytest.raises(SureError, match="pytorch_model.bin cannot be read"):
            Family.from_weights(str(folder))


@pytest.mark.parametrize("save", [torch.save, lambda state, path: path.write_bytes(pickle.dumps(state))])
def test_a_checkpoint_that_is_a_pickle_with_the_right_digest(here: Path, save) -> None:
    save({"state": Evil(here / "pwned")}, here / "last.pt")
    content = Path("last.pt").read_bytes()
    Path("last.pt").write_bytes(content + MARK + hashlib.sha256(content).hexdigest().encode())
    with pytest.raises(SureError, match="last.pt is not a checkpoint of a training"):
        Checkpoints(here).load()


YAML = {
    "object": "task: !!python/object/apply:os.system ['touch pwned']\n",
    "name": "task: !!python/name:os.system\n",
    "module": "task: !!python/module:antigravity\n",
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
    with pytest.raises(ValueError, match="."):
        parse_yaml(YAML[kind])


def test_aliases_that_stand_for_little_are_read() -> None:
    shared = {"rate": [1.0, "a"]}
    assert parse_yaml(yaml.safe_dump({"one": shared, "two": shared})) == {"one": shared, "two": shared}


ABOUT_IT = {
    "format": 1, "task": "asr", "language": "en", "seed": 1, "head": {}, "tensors": {}, "files": {},
    "petl": [{"name": "lora"}],
    "backbone": {"name": "tiny", "weights": "random", "layers": "last", "padding": "masked", "dim": 32, "depth": 4,
                 "sha256": "x"},
}  # fmt: skip
CHANGES = {
    "a task elsewhere": {"task": "..petl.lora"},
    "a task by its path": {"task": "../../pwned"},
    "a method elsewhere": {"petl": [{"name": "os"}]},
    "a backbone elsewhere": {"backbone": {**ABOUT_IT["backbone"], "name": "base"}},
    "a file elsewhere": {"files": {"../secret": hashlib.sha256(b"secret").hexdigest()}},
    "an absolute file": {"files": {"/etc/passwd": "0"}},
    "no weights": {"backbone": {**ABOUT_IT["backbone"], "weights": "/dev/zero/x"}},
    "tensors that are no shapes": {"tensors": {"a": "x"}},
    "a digest that is none": {"sha256": {"a": 1}},
}


def write_bundle(folder: Path, weights: bytes, **changes: object) -> Path:
    folder.mkdir()
    (folder / WEIGHTS).write_bytes(weights)
    about = {**ABOUT_IT, "sha256": hashlib.sha256(weights).hexdigest(), **changes}
    (folder / ABOUT).write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize("kind", CHANGES)
def test_bundles_that_name_foreign_files_and_classes(here: Path, kind: str) -> None:
    Path("secret").write_bytes(b"secret")
    with pytest.raises(SureError):
        Sure.load(write_bundle(here / "bundle", safetensors.torch.save({}), **CHANGES[kind]))


def test_a_bundle_whose_weights_are_a_pickle(here: Path) -> None:
    with pytest.raises(SureError, match=f"{WEIGHTS} is damaged"):
        read_bundle(write_bundle(here / "bundle", pickled(here)))


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


EVIL_NAMES = ["$(touch pwned)", "`touch pwned`", "a;touch pwned", "'\"; touch pwned; '", "| touch pwned"]
EVIL_NAMES += ["a b", "-n", "*", "~"]


def test_names_that_a_shell_would_run(here: Path) -> None:
    made = here / "$(touch pwned) 'a' \"b\" `touch pwned`"
    for name in ("train", "dev", "test"):
        for number, evil in enumerate(EVIL_NAMES):
            write_audio(made / name / f"{evil}.wav", tone(1.0, seed=number))
        rows = [f"{name}/{evil}.wav\twords {evil}" for evil in EVIL_NAMES]
        (made / f"{name}.tsv").write_text("\n".join(["audio\ttext", *rows]) + "\n")
    environment = {**os.environ, "VIRTUAL_ENV": os.sys.prefix}
    recipe = here / "egs" / "$(touch pwned) recipe"
    recipe.mkdir(parents=True)
    for name in ("sure", "utils", "tools", "pyproject.toml"):
        (here / name).symlink_to(ROOT / name)
    for name in ("run.sh", "prepare.py", "conf", "sources.yaml"):
        source = ROOT / "egs" / "TEMPLATE" / name
        subprocess.run(["cp", "-r", source, recipe], check=True)
    command = ["bash", recipe / "run.sh", "--corpus", made, "--stop_stage", "tokenize", "--weights", "random"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (recipe / "data/asr/test/wav.scp").read_text().splitlines()
    assert len(lines) == len(EVIL_NAMES) and any("$(touch_pwned)" in line.split(" ")[0] for line in lines)
    shown = subprocess.run([*command, "--dry_run", "true"], capture_output=True, text=True, env=environment)
    pasted = [line for line in shown.stdout.splitlines() if "sure.bin.prepare" in line]
    assert len(pasted) == 1 and str(made) in shlex.split(pasted[0])


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


def test_nothing_loads_yaml_or_pickles_another_way() -> None:
    """A look at the code itself: the safe ways have one place each."""
    places = [path for folder in ("sure", "egs", "utils", "tools", "bench") for path in (ROOT / folder).rglob("*.py")]
    for path in places:
        text = path.read_text(encoding="utf-8")
        for word in ("pickle.load", "yaml.load(", "yaml.unsafe", "allow_pickle=True", "weights_only=False", " eval("):
            assert word not in text, f"{path}: {word}"
        for call in re.split(r"(?<!safetensors\.)torch\.load\(", text)[1:]:
            assert "weights_only=True" in call.partition(")")[0], path
