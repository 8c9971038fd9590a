"""A small project that the real shell scripts run in: its stages only leave files."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BACKBONES = ("fastspeech2", "moonshine", "tiny", "wav2vec2", "wavlm", "whisper")
METHODS = ("linear_probe", "conv_adapter", "lora")
STAGES = ("download", "prepare", "tokenize", "train", "decode", "score", "report", "pack")
BASH = ("bash", "-c")
WORDS = ("a b", "it's", 'x"y', "", "*", "$HOME", "\\", "é", "two\nlines")  # words that a shell may change
SHELL = {"stdin": subprocess.DEVNULL, "text": True}
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
LEFT_OUT = ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONPATH", "SURE_TORCH_INDEX", "SLURM_JOB_ID")

# `python -m sure.bin.<stage>` of the small project: notes its arguments, and leaves the files of the real stage.
STAND_IN = r"""
import os, signal, sys, time
from pathlib import Path

stage = __spec__.name.rpartition(".")[2]
given = dict(word.split("=", 1) for word in sys.argv if "=" in word)
option = {name: sys.argv[place + 1] for place, name in enumerate(sys.argv) if name in ("--exp", "--out", "--corpus")}
where = option.get("--exp") or option.get("--out", "")

def asked(name):
    return os.environ.get(name, "nowhere") in f"{stage} {where}"

def leave(*files, text="x"):
    for path in (Path(where, file) for file in files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name + ".part").write_text(text + "\n")
        path.with_name(path.name + ".part").rename(path)

with open(os.environ["CALLS"], "a") as file:
    print(stage, *sys.argv[1:], sep="\t", file=file)
if asked("KILL_AT"):
    os.kill(os.getpid(), signal.SIGKILL)
if asked("FAIL_AT"):
    print("first line\nthe reason it failed")
    sys.exit(7)
if asked("WAIT_AT"):
    leave("pid", text=str(os.getpid()))
    time.sleep(float(os.environ.get("WAIT", 60)))
print(stage, "ran", os.environ.get("SURE_SWEEP", ""))
if stage == "download":
    leave("corpus.txt", text=option["--corpus"]) if "--corpus" in option else leave("corpus/audio")
elif stage == "prepare":
    for name in ("train", "dev", "test"):
        leave(f"{name}/wav.scp", text=Path("prepare.py").read_text())
        leave(f"{name}/text", f"{name}/utt2label", f"{name}/utt2lang", text="a\u00a0b")
elif stage == "tokenize":
    leave(given["tokenizer.folder"] + "/tokens.txt")
elif stage == "train":
    leave("config.yaml", "metrics.jsonl", "best.json")
    if "--part" not in sys.argv:
        leave("summary.json", "best.safetensors")
elif stage == "rates" and "--kept" in sys.argv:
    print(*(word for word in sys.argv if os.environ["KEPT"] in word), sep="\n")
elif stage == "tune_decode":
    leave(f"tuned_{given.get('decode.name', 'beam')}.json")
elif stage == "decode":
    folder = "decode_test" if given["decode.method"] == "greedy" else "decode_test_" + given.get("decode.name", "beam")
    leave(f"{folder}/hyp.txt", f"{folder}/ref.txt", text=str(given))
elif stage == "score":
    leave(*(f"{folder.name}/result.json" for folder in Path(where).glob("decode_*")))
elif stage == "report":
    Path(where).write_text("| method | score |\n" + "".join(f"| {name} | 1 |\n" for name in sys.argv[3:]))
    print("printed by the stage")
elif stage == "pack":
    leave("bundle/adapter.safetensors", "bundle/adapter.json")
"""
FETCH = "import pathlib, sys\npathlib.Path(sys.argv[3], sys.argv[1] + '.safetensors').write_text('weights')\n"


@dataclass
class Done:
    """A finished call: exit status, output, and the stages that ran, each with its arguments."""

    status: int
    out: str
    err: str
    calls: list[list[str]]

    @property
    def stages(self) -> list[str]:
        return [call[0] for call in self.calls]

    def of(self, stage: str) -> list[list[str]]:
        return [call for call in self.calls if call[0] == stage]


def make_environment(root: Path, folder: Path, extras: str, *python: str) -> None:
    """The files of tools/install.sh; the command `python` is in it, by default a Python without any packages."""
    command = shlex.join(python or (os.path.realpath(sys.executable), "-S"))
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (folder / "bin" / "python").chmod(0o755)
    requirements = (root / "pyproject.toml").read_text().partition("[tool.")[0]
    digest = hashlib.sha256(requirements.encode()).hexdigest()
    (folder / ".sure-installed").write_text(f"{digest}\n{extras}\n")


class Project:
    """A copy of the shell scripts in `root`, with the recipe egs/asterisk; as a copy of the project `like` if given."""

    name = "asterisk"

    def __init__(self, root: Path, like: Project | None = None):
        self.root, self.recipe, self.bin = root, root / "egs" / self.name, root / "sure" / "bin"
        self.notes = root / "calls.txt"
        if like:
            shutil.copytree(like.root, root)
        else:
            self.make()

    def make(self) -> None:
        root, recipe = self.root, self.root / "egs" / "asterisk"
        shutil.copytree(ROOT / "utils", root / "utils", ignore=shutil.ignore_patterns("cluster.sh"))  # the user's own
        for name in ("recipe", "forks"):
            shutil.copytree(ROOT / "sure" / name, root / "sure" / name)
        for folder in ("tools", "sure/bin", "sure/petl", "sure/backbones", "sure/report", "egs/asterisk/conf"):
            (root / folder).mkdir(parents=True)
        files = ("tools/install.sh", "pyproject.toml", "sure/errors.py", "sure/registry.py", "sure/bin/plan.py")
        for name in (*files, "sure/bin/inputs.py", "sure/report/__init__.py", "sure/report/markdown.py"):
            shutil.copy(ROOT / name, root / name)
        script = shutil.copy(ROOT / "egs" / "asterisk" / "run.sh", recipe / "run.sh")
        script.write_text(script.read_text().replace("backbone=whisper", "backbone=moonshine"))
        (root / "tools" / "fetch_backbone.py").write_text(FETCH)
        (self.bin / "check_config.py").write_text("")
        for name in (*STAGES, "rates", "tune_decode", "suite_report"):
            (self.bin / f"{name}.py").write_text(STAND_IN)
        for name in METHODS:
            (root / "sure" / "petl" / f"{name}.py").write_text("class Method: pass\n")
        for name in BACKBONES:
            (root / "sure" / "backbones" / f"{name}.py").write_text("class Family: pass\n")
        for name in ("asr", "language", "speaker", "phoneme"):
            (recipe / "conf" / f"{name}.yaml").write_text(f"task: {name}\n")
        (recipe / "prepare.py").write_text("# version 1\n")
        (recipe / "sources.yaml").write_text("items: []\n")
        make_environment(root, root / ".venv", "ark,convert")

    def start(self, *words: str, cwd: Path | None = None, script: Path | None = None, **variables: str):
        """The recipe, or another script, in a process group of its own."""
        self.notes.unlink(missing_ok=True)
        command = ["bash", str(script or self.recipe / "run.sh"), *words]
        kept = {name: text for name, text in os.environ.items() if name not in LEFT_OUT}
        # SURE_FORKS: no forks, which cost more than these stages; empty: with forks
        environment = kept | {"CALLS": str(self.notes), "SURE_FORKS": str(self.root)} | variables
        return subprocess.Popen(command, cwd=cwd or self.recipe, env=environment, **SHELL, **PIPES)

    def run(self, *words: str, **options) -> Done:
        return self.finish(self.start(*words, **options))

    def finish(self, process: subprocess.Popen) -> Done:
        out, err = process.communicate(timeout=60)
        calls = self.notes.read_text().splitlines() if self.notes.exists() else []
        return Done(process.returncode, out, err, [call.split("\t") for call in calls])

    def script(self, text: str, cwd: Path | None = None) -> Done:
        """Bash that runs `text` in the project's root."""
        (self.root / "script.sh").write_text(text)
        return self.run(cwd=cwd or self.root, script=self.root / "script.sh")


def until(condition, seconds: float = 30.0) -> None:
    """Wait until the condition holds; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timeout"
        time.sleep(0.05)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
