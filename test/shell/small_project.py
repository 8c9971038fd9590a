"""A small project that the real shell scripts run in: its stages only leave files."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("linear_probe", "conv_adapter", "lora")
STAGES = ("download", "prepare", "tokenize", "train", "decode", "score", "report", "pack")

# What `python -m sure.bin.<stage>` does here: it notes its arguments, and leaves the files of the real one.
STAND_IN = """
import os, signal, sys, time
from pathlib import Path

def value(name, default=None):
    return sys.argv[sys.argv.index(name) + 1] if name in sys.argv else default

def leave(path, text="x"):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text + "\\n")

def run(stage):
    with open(os.environ.get("CALLS", "calls.txt"), "a") as file:
        print(stage, *sys.argv[1:], sep="\\t", file=file)
    where = value("--exp") or value("--out") or ""
    place = stage + " " + where
    if os.environ.get("KILL_AT") and os.environ["KILL_AT"] in place:
        leave(where + "/half")
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("FAIL_AT") and os.environ["FAIL_AT"] in place:
        print("first line\\nthe reason it failed")
        sys.exit(7)
    if os.environ.get("WAIT_AT") and os.environ["WAIT_AT"] in place:
        leave(where + "/pid", str(os.getpid()))
        time.sleep(float(os.environ.get("WAIT", 60)))
    print(stage, "ran")
    if stage in FILES:
        FILES[stage](where)

def prepare(out):
    for name in ("train", "dev", "test"):
        leave(out + "/" + name + "/wav.scp", Path("prepare.py").read_text())
        leave(out + "/" + name + "/text", "a\\u00a0b")
        leave(out + "/" + name + "/utt2label")

def download(out):
    if "--corpus" in sys.argv:
        leave(out + "/corpus.txt", value("--corpus"))
    else:
        leave(out + "/corpus/audio")

def tokenize(out):
    folder, = [word.partition("=")[2] for word in sys.argv if word.startswith("tokenizer.folder=")]
    leave(folder + "/tokens.txt")

def train(exp):
    for name in ("config.yaml", "summary.json", "best.safetensors"):
        leave(exp + "/" + name)

def decode(exp):
    given = dict(word.split("=", 1) for word in sys.argv if word.startswith("decode."))
    ending = "" if given["decode.method"] == "greedy" else "_" + given.get("decode.name", "beam")
    leave(exp + "/decode_test" + ending + "/hyp.txt", str(given))
    leave(exp + "/decode_test" + ending + "/ref.txt")

def tune_decode(exp):
    given = dict(word.split("=", 1) for word in sys.argv if word.startswith("decode."))
    leave(exp + "/tuned_" + given.get("decode.name", "beam") + ".json")

def score(exp):
    for folder in Path(exp).glob("decode_*"):
        leave(str(folder / "result.json"))

def report(out):
    leave(out, "| method | score |\\n" + "".join("| %s | 1 |\\n" % name for name in sys.argv[3:]))
    print("printed by the stage")

def pack(exp):
    leave(exp + "/bundle/adapter.safetensors")
    leave(exp + "/bundle/adapter.json")

FILES = {
    "download": download,
    "prepare": prepare,
    "tokenize": tokenize,
    "train": train,
    "decode": decode,
    "tune_decode": tune_decode,
    "score": score,
    "report": report,
    "pack": pack,
}
"""
FETCH = """
import sys
from pathlib import Path
Path(sys.argv[3], sys.argv[1] + ".safetensors").write_text("weights")
"""


@dataclass
class Done:
    """A finished call: its exit status, what it printed, and the stages that ran, each with its arguments."""

    status: int
    out: str
    err: str
    calls: list[list[str]]

    @property
    def stages(self) -> list[str]:
        return [call[0] for call in self.calls]


def make_environment(root: Path, folder: Path, extras: str, python: str) -> None:
    """What tools/install.sh leaves; `python` is in it, with its packages or, as a real path, without any."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {shlex.quote(python)} "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    requirements = (root / "pyproject.toml").read_text().partition("[tool.")[0]
    digest = hashlib.sha256(requirements.encode()).hexdigest()
    (folder / ".sure-installed").write_text(f"{digest}\n{extras}\n")


class Project:
    """A copy of the shell parts in `root`, with a recipe that is the real one of egs/asterisk."""

    def __init__(self, root: Path):
        self.root = root
        self.recipe = root / "egs" / "asterisk"
        shutil.copytree(ROOT / "utils", root / "utils", ignore=shutil.ignore_patterns("cluster.sh"))  # the user's own
        (root / "tools").mkdir()
        shutil.copy(ROOT / "tools" / "install.sh", root / "tools")
        shutil.copy(ROOT / "pyproject.toml", root)
        (root / "tools" / "fetch_backbone.py").write_text(FETCH)
        for name in ("bin", "petl"):
            (root / "sure" / name).mkdir(parents=True)
        shutil.copytree(ROOT / "sure" / "recipe", root / "sure" / "recipe")
        for name in ("errors.py", "bin/plan.py"):
            shutil.copy(ROOT / "sure" / name, root / "sure" / name)
        (root / "sure" / "bin" / "check_config.py").write_text("")
        for name in METHODS:
            (root / "sure" / "petl" / f"{name}.py").write_text("class Method: pass\n")
        (root / "sure" / "bin" / "stand_in.py").write_text(STAND_IN)
        for name in (*STAGES, "rates", "tune_decode"):
            text = f"from sure.bin.stand_in import run\nrun({name!r})\n"
            (root / "sure" / "bin" / f"{name}.py").write_text(text)
        (self.recipe / "conf").mkdir(parents=True)
        shutil.copy(ROOT / "egs" / "asterisk" / "run.sh", self.recipe)
        for name in ("asr", "language", "speaker", "intent"):
            (self.recipe / "conf" / f"{name}.yaml").write_text(f"task: {name}\n")
        (self.recipe / "prepare.py").write_text("# version 1\n")
        (self.recipe / "sources.yaml").write_text("items: []\n")
        self.make_environment(root / ".venv", "ark,convert")

    def make_environment(self, folder: Path, extras: str) -> None:
        make_environment(self.root, folder, extras, os.path.realpath(sys.executable))

    def environment(self, **variables: str) -> dict[str, str]:
        left_out = (
            "VIRTUAL_ENV",
            "CONDA_PREFIX",
            "CONDA_DEFAULT_ENV",
            "PYTHONPATH",
            "SURE_TORCH_INDEX",
            "SLURM_JOB_ID",
        )
        kept = {name: text for name, text in os.environ.items() if name not in left_out}
        return kept | {"CALLS": str(self.root / "calls.txt")} | variables

    def start(self, *words: str, cwd: Path | None = None, **variables: str) -> subprocess.Popen:
        """The recipe in a process group of its own."""
        return subprocess.Popen(
            ["bash", str(self.recipe / "run.sh"), *words],
            cwd=cwd or self.recipe,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, cwd: Path | None = None, **variables: str) -> Done:
        (self.root / "calls.txt").unlink(missing_ok=True)
        return self.finish(self.start(*words, cwd=cwd, **variables))

    def finish(self, process: subprocess.Popen) -> Done:
        out, err = process.communicate(timeout=60)
        file = self.root / "calls.txt"
        calls = [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []
        return Done(process.returncode, out, err, calls)

    def script(self, text: str, *words: str) -> Done:
        """Bash that runs `text` in the project's root with `words` as its arguments."""
        done = subprocess.run(
            ["bash", "-c", text, "bash", *words],
            cwd=self.root,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Done(done.returncode, done.stdout, done.stderr, [])


def until(condition, seconds: float = 30.0) -> None:
    """Wait for a condition that another process brings about, and fail when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def kill(process: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    os.killpg(process.pid, number)
    process.communicate(timeout=60)
