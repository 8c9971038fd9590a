"""tools/install.sh, and the environment that scripts choose.

The packages, several GB, are not installed here: a stand-in for pip notes its arguments, in environments that are real.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import ROOT, Done, make_environment

PIP = """
import os, sys
with open(os.environ["CALLS"], "a") as file:
    print("pip", os.getcwd(), *sys.argv[1:], sep="\\t", file=file)
if "--version" not in sys.argv and os.environ.get("PIP_FAILS", "nothing") in sys.argv:
    sys.exit(1)
"""
CHECK = "import os, sys; sys.exit(int(os.environ.get('CHECK', '0')))\n"
TORCH = ["torch>=2.9,<2.15", "torchaudio>=2.9"]


class Machine:
    """A project without an environment, on a machine with this Python alone."""

    def __init__(self, project, folder: Path):
        self.project, self.root, self.venv = project, project.root, project.root / ".venv"
        shutil.rmtree(self.venv)
        (self.root / "tools" / "check_install.py").write_text(CHECK)
        self.stand_in, self.pythons, self.active = folder / "stand_in", folder / "pythons", folder / "active"
        self.pythons.mkdir()
        self.stand_in.mkdir()
        (self.stand_in / "pip.py").write_text(PIP)
        for name in ("python3", "python3.13", "python3.12", "python3.11"):
            self.python(name, "echo Python 3.9.1; exit 1")
        # environments without pip are made ten times faster, and there is the stand-in
        python = os.path.realpath(sys.executable)
        self.python("python3.10", f'[ "$2" != venv ] || set -- "$@" --without-pip; exec {python} "$@"')
        self.variables = {"PATH": f"{self.pythons}:{os.environ['PATH']}", "PYTHONPATH": str(self.stand_in)}

    def python(self, name: str, text: str) -> None:
        (self.pythons / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.pythons / name).chmod(0o755)

    def activate(self, extras: str = "") -> dict[str, str]:
        """An active environment, which takes less time than making one."""
        make_environment(self.root, self.active, extras)
        return {"VIRTUAL_ENV": str(self.active)}

    def install(self, *words: str, **variables: str) -> Done:
        script = self.root / "tools" / "install.sh"
        return self.project.run(*words, cwd=self.root, script=script, **self.variables, **variables)

    def installed(self, *words: str, **variables: str) -> list[list[str]]:
        """The arguments of each `pip install` of a call that has to succeed."""
        done = self.install(*words, **variables)
        assert done.status == 0, done.err
        return [call[5:] for call in done.calls if "install" in call]


@pytest.fixture
def machine(project, tmp_path):
    return Machine(project, tmp_path)


def mark(folder: Path) -> str:
    return (folder / ".sure-installed").read_text().splitlines()[1]


def test_an_interrupted_installation_is_finished_by_the_next_call_and_the_third_does_nothing(machine):
    (machine.venv / "bin").mkdir(parents=True)
    (machine.venv / "bin" / "python").symlink_to("nowhere")  # of a call that was killed
    assert machine.install(PIP_FAILS="--editable").status != 0
    assert not (machine.venv / ".sure-installed").exists() and (machine.venv / "pyvenv.cfg").exists()
    kept = machine.venv / "kept"
    kept.touch()
    assert machine.installed() == [[*TORCH, "--editable", ".[ark,convert]"]]
    assert kept.exists()  # nothing is downloaded again
    assert (machine.venv / "bin" / "python").exists() and mark(machine.venv) == "ark,convert"
    assert machine.installed() == []
    text = (ROOT / "pyproject.toml").read_text()
    assert all(f'"{requirement}"' in text for requirement in TORCH)


def test_changed_requirements_further_extras_and_an_installation_that_did_not_work_are_installed(machine):
    active = machine.activate()
    failed = machine.install(CHECK="1", **active)
    assert failed.status == 2 and "not complete" in failed.err and mark(machine.active) == ""
    assert len(machine.installed(**active)) == 1
    file = machine.root / "pyproject.toml"
    file.write_text(file.read_text() + "# settings of a tool\n")
    assert machine.installed(**active) == []
    assert machine.installed("--extras", "test", **active)[0][-1] == ".[ark,convert,test]"
    marked = machine.active / ".sure-installed"
    marked.write_text(marked.read_text().replace("test", "gone,test"))  # an extra of an earlier version
    file.write_text("# changed\n" + file.read_text())
    assert machine.installed(**active)[0][-1] == ".[ark,convert,test]"
    assert mark(machine.active) == "ark,convert,test"
    assert machine.installed("--extras", "ark,convert", **active) == []  # as run.sh asks
    assert len(machine.installed("--extras", "convert", "--force", **active)) == 1
    _, without_compiler = machine.installed("--extras", "judges", **active)
    assert without_compiler == ["--no-deps", "resemblyzer==0.1.4"]


@pytest.mark.parametrize(("asked", "made"), [("test", "ark,convert,test"), ("ark-mit", "ark-mit,convert")])
def test_extras_are_those_of_recipes_and_more_so_that_run_sh_installs_nothing_again(machine, asked, made):
    active = machine.activate()
    machine.installed("--extras", asked, **active)
    assert mark(machine.active) == made and machine.installed("--extras", "ark,convert", **active) == []
    machine.installed("--extras", "ark,convert,tts", **active)
    assert mark(machine.active) == f"{made},tts"


@pytest.mark.parametrize("conda", ["speech", "base"])
def test_the_active_environment_of_conda_is_used_except_its_base(machine, conda):
    machine.activate()
    machine.installed(CONDA_PREFIX=str(machine.active), CONDA_DEFAULT_ENV=conda)
    used, other = (machine.venv, machine.active) if conda == "base" else (machine.active, machine.venv)
    assert mark(used) == "ark,convert" and (not other.exists() or mark(other) == "")


def test_without_a_fitting_python_the_error_names_those_that_were_tried(machine):
    (machine.active / "bin").mkdir(parents=True)
    shutil.copy(machine.pythons / "python3", machine.active / "bin" / "python")
    done = machine.install(VIRTUAL_ENV=str(machine.active))
    assert done.status == 2 and str(machine.active) in done.err and "3.10 to 3.13" in done.err
    (machine.pythons / "python3.10").rename(machine.pythons / "mine")
    machine.python("python3.10", 'case "$2" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac')
    done = machine.install()
    assert done.status == 2 and not machine.venv.exists()
    assert "python3: Python 3.9.1" in done.err and "python3.10: fits" in done.err and "python3-venv" in done.err
    assert machine.install("--python", "mine").status == 0


def test_the_cpu_build_comes_from_the_index_that_the_user_names(machine):
    active = machine.activate()
    assert "SURE_TORCH_INDEX is not set" in machine.install("--cpu", **active).out
    index = {"SURE_TORCH_INDEX": "file:///cpu", **active}
    assert machine.installed("--cpu", "--force", **index)[0] == ["--index-url", "file:///cpu", *TORCH]
    assert len(machine.installed("--cpu", "--force", PIP_FAILS="--index-url", **index)) == 2  # and the default build


def test_a_wrong_call_is_refused(machine):
    calls = (("--gpu", "unknown option --gpu"), ("--extras", "needs a value"), ("--extras all", "no extra 'all'"))
    for words, message in calls:
        done = machine.install(*words.split())
        assert done.status == 2 and message in done.err and not machine.venv.exists()


def test_a_recipe_installs_the_extras_of_its_task_by_itself(machine):
    (machine.project.recipe / "mine.txt").write_text("one W AH1 N\n")
    phoneme = ("--task", "phoneme", "--petl", "lora", "--stop_stage", "download", "--force", "true")
    # packages with phones of words, unless the user has a lexicon
    for words, extras in (((*phoneme, "--lexicon", "mine.txt"), "ark,convert"), (phoneme, "ark,convert,phones")):
        done = machine.project.run(*words, **machine.variables)
        assert done.status == 0, done.err
        assert done.stages[0] == "pip" and done.stages[-1] == "download" and mark(machine.venv) == extras
        assert "evaluation licence" in done.out


def test_a_recipe_uses_the_environment_that_is_installed(project, tmp_path):
    show = 'root=$PWD; . utils/environment.sh; use_environment ark,convert; command -v python; echo "$PYTHONPATH"'
    active = tmp_path / "active"
    make_environment(project.root, active, "ark,convert,test")
    for used in (active, project.root / ".venv"):
        done = project.script(f"export VIRTUAL_ENV={str(active)!r}; {show}")
        assert done.out.splitlines() == [str(used / "bin" / "python"), str(project.root)]
        (active / ".sure-installed").unlink(missing_ok=True)


@pytest.mark.parametrize("broken", [False, True])
def test_the_check_lists_each_part_and_fails_when_something_essential_is_missing(tmp_path, monkeypatch, broken):
    if broken:
        (tmp_path / "sentencepiece.py").write_text("raise ImportError('no libstdc++')\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    command = [sys.executable, str(ROOT / "tools" / "check_install.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == broken, done.stdout + done.stderr
    if broken:
        assert "MISSING packages" in done.stdout and "sentencepiece (ImportError: no libstdc++)" in done.stdout
        assert "tools/install.sh" in done.stdout
    else:
        ok = {line.split()[1] for line in done.stdout.splitlines() if line.split()[0] == "ok"}
        assert all(f" {name} " in done.stdout for name in ("GPU", "bf16", "ogg", "mp3", "Slurm", "disk"))
        assert {"python", "packages", "project", "torch", "wav", "flac", "g722", "sentencepiece", "ark"} <= ok
