"""tools/install.sh and how scripts find an environment.

The packages themselves, several GB, are not installed here: a stand-in for pip notes what it is asked for, in
environments that are real.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import ROOT

PIP = """
import os, sys
with open(os.environ["CALLS"], "a") as file:
    print("pip", os.getcwd(), *sys.argv[1:], sep="\\t", file=file)
if "--version" not in sys.argv and os.environ.get("PIP_FAILS", "nothing") in sys.argv:
    sys.exit(1)
"""
CHECK = "import os, sys; sys.exit(int(os.environ.get('CHECK', '0')))\n"


class Machine:
    """A project without an environment, on a machine with this Python alone."""

    def __init__(self, project, folder: Path):
        self.project, self.root = project, project.root
        shutil.rmtree(self.root / ".venv")
        (self.root / "tools" / "check_install.py").write_text(CHECK)
        (folder / "stand_in" / "pip").mkdir(parents=True)
        (folder / "stand_in" / "pip" / "__main__.py").write_text(PIP)
        (folder / "stand_in" / "pip" / "__init__.py").touch()
        self.pythons = folder / "pythons"
        self.pythons.mkdir()
        for name in ("python3", "python3.13", "python3.12", "python3.11", "python3.10"):
            self.python(name, "echo Python 3.9.1; exit 1")
        # environments without pip are made ten times faster, and there is the stand-in
        python = os.path.realpath(sys.executable)
        self.python("python3.10", f'[ "$2" != venv ] || set -- "$@" --without-pip; exec {python} "$@"')
        self.stand_in = folder / "stand_in"

    def python(self, name: str, text: str) -> None:
        (self.pythons / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.pythons / name).chmod(0o755)

    def variables(self, **variables: str) -> dict[str, str]:
        path = f"{self.pythons}:{os.environ['PATH']}"
        return self.project.environment(PATH=path, PYTHONPATH=str(self.stand_in), **variables)

    def make_active(self) -> dict[str, str]:
        """An active environment with nothing installed: much faster than making one."""
        folder = self.root.parent / "active"
        self.project.make_environment(folder, "")
        return {"VIRTUAL_ENV": str(folder)}

    def install(self, *words: str, **variables: str) -> subprocess.CompletedProcess:
        (self.root / "calls.txt").unlink(missing_ok=True)
        return subprocess.run(
            ["bash", "tools/install.sh", *words],
            cwd=self.root,
            env=self.variables(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    @property
    def asked(self) -> list[list[str]]:
        """What pip was asked to install, call by call."""
        file = self.root / "calls.txt"
        calls = [line.split("\t") for line in file.read_text().splitlines()] if file.exists() else []
        return [call[5:] for call in calls if "install" in call]


@pytest.fixture
def machine(project, tmp_path):
    return Machine(project, tmp_path)


def mark(folder: Path) -> str:
    return (folder / ".sure-installed").read_text().splitlines()[1]


TORCH = ["torch>=2.9,<2.15", "torchaudio>=2.9"]


def test_a_fresh_machine_gets_an_environment_and_the_second_call_does_nothing(machine):
    done = machine.install()
    assert done.returncode == 0, done.stderr
    assert machine.asked == [[*TORCH, "--editable", ".[ark,convert]"]]
    assert (machine.root / ".venv" / "bin" / "python").exists() and mark(machine.root / ".venv") == "ark,convert"
    assert "evaluation licence" in done.stdout
    again = machine.install()
    assert again.returncode == 0 and machine.asked == [] and "up to date" in again.stdout


def test_the_versions_are_those_of_pyproject():
    text = (ROOT / "pyproject.toml").read_text()
    assert all(f'"{requirement}"' in text for requirement in TORCH)


def test_an_interrupted_installation_is_finished_by_the_next_call(machine):
    assert machine.install(PIP_FAILS="--editable").returncode != 0
    assert not (machine.root / ".venv" / ".sure-installed").exists()
    kept = machine.root / ".venv" / "kept"
    kept.touch()
    assert machine.install().returncode == 0
    assert kept.exists()  # what was downloaded is not downloaded again


def test_an_environment_that_was_never_finished_is_made_anew(machine):
    (machine.root / ".venv" / "bin").mkdir(parents=True)
    (machine.root / ".venv" / "bin" / "python").symlink_to("nowhere")
    assert machine.install().returncode == 0
    assert (machine.root / ".venv" / "pyvenv.cfg").exists()


def test_an_installation_that_does_not_work_is_not_called_finished(machine):
    active = machine.make_active()
    done = machine.install("--force", CHECK="1", **active)
    assert done.returncode == 2 and "not complete" in done.stderr
    assert not Path(active["VIRTUAL_ENV"], ".sure-installed").exists()


def test_changed_requirements_and_further_extras_are_installed(machine):
    active = machine.make_active()
    machine.install(**active)
    file = machine.root / "pyproject.toml"
    file.write_text(file.read_text() + "# settings of a tool\n")
    assert machine.install(**active).returncode == 0 and machine.asked == []
    file.write_text("# changed\n" + file.read_text())
    assert machine.install(**active).returncode == 0 and len(machine.asked) == 1
    assert machine.install("--extras", "test", **active).returncode == 0
    assert machine.asked[0][-1] == ".[ark,convert,test]"
    assert mark(Path(active["VIRTUAL_ENV"])) == "ark,convert,test"
    machine.install("--extras", "convert", **active)
    assert machine.asked == []
    machine.install("--extras", "convert", "--force", **active)
    assert len(machine.asked) == 1


def test_the_judges_come_without_what_only_a_compiler_installs(machine):
    assert machine.install("--extras", "judges", **machine.make_active()).returncode == 0
    assert machine.asked == [[*TORCH, "--editable", ".[judges]"], ["--no-deps", "resemblyzer==0.1.4"]]


def test_the_active_environment_is_used(machine, tmp_path):
    active = tmp_path / "my own"
    machine.project.make_environment(active, "")
    done = machine.install(VIRTUAL_ENV=str(active))
    assert done.returncode == 0, done.stderr
    assert mark(active) == "ark,convert" and not (machine.root / ".venv").exists()
    other = tmp_path / "conda"
    machine.project.make_environment(other, "")
    assert machine.install(CONDA_PREFIX=str(other), CONDA_DEFAULT_ENV="speech").returncode == 0
    assert mark(other) == "ark,convert" and not (machine.root / ".venv").exists()


def test_the_base_environment_of_conda_is_left_alone(machine, tmp_path):
    base = tmp_path / "conda"
    machine.project.make_environment(base, "")
    assert machine.install(CONDA_PREFIX=str(base), CONDA_DEFAULT_ENV="base").returncode == 0
    assert mark(base) == "" and mark(machine.root / ".venv") == "ark,convert"


def test_an_active_environment_with_the_wrong_python_is_refused(machine, tmp_path):
    active = tmp_path / "old"
    (active / "bin").mkdir(parents=True)
    shutil.copy(machine.pythons / "python3", active / "bin" / "python")
    done = machine.install(VIRTUAL_ENV=str(active))
    assert done.returncode == 2 and str(active) in done.stderr and "3.10 to 3.13" in done.stderr


def test_without_a_fitting_python_the_error_names_what_was_tried(machine):
    fits = (machine.pythons / "python3.10").rename(machine.pythons / "fits")
    machine.python("python3.10", 'case "$2" in *ensurepip*) exit 1 ;; *) exit 0 ;; esac')
    done = machine.install()
    assert done.returncode == 2 and not (machine.root / ".venv").exists()
    assert "python3: Python 3.9.1" in done.stderr
    assert "python3.10: fits" in done.stderr and "python3-venv" in done.stderr
    fits.rename(machine.pythons / "mine")
    assert machine.install("--python", "mine").returncode == 0


def test_the_cpu_build_comes_from_the_index_that_the_user_names(machine):
    active = machine.make_active()
    done = machine.install("--cpu", **active)
    assert done.returncode == 0 and "SURE_TORCH_INDEX is not set" in done.stdout
    assert len(machine.asked) == 1
    index = {"SURE_TORCH_INDEX": "file:///cpu", **active}
    machine.install("--cpu", "--force", **index)
    assert machine.asked[0] == ["--index-url", "file:///cpu", *TORCH]
    done = machine.install("--cpu", "--force", PIP_FAILS="--index-url", **index)
    assert done.returncode == 0 and "no fitting PyTorch" in done.stdout and len(machine.asked) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpu",), "unknown option --gpu"),
        (("--extras",), "needs a value"),
        (("--extras", "all"), "no extra 'all'"),
    ],
)
def test_a_wrong_call_is_refused(machine, words, said):
    done = machine.install(*words)
    assert done.returncode == 2 and said in done.stderr and not (machine.root / ".venv").exists()


def test_a_recipe_installs_what_it_needs_by_itself(machine):
    done = machine.project.run("--petl", "lora", **{name: machine.variables()[name] for name in ("PATH", "PYTHONPATH")})
    assert done.status == 0, done.err
    assert done.stages[0] == "pip" and done.stages[-1] == "pack"
    assert mark(machine.root / ".venv") == "ark,convert"


def test_a_task_that_pronounces_words_installs_what_knows_them(machine):
    (machine.project.recipe / "conf" / "phoneme.yaml").write_text("task: phoneme\n")
    (machine.project.recipe / "mine.txt").write_text("one W AH1 N\n")
    for words, extras in ((["--lexicon", "mine.txt"], "ark,convert"), ([], "ark,convert,phones")):
        words += ["--task", "phoneme", "--petl", "lora", "--stop_stage", "download"]
        done = machine.project.run(*words, **{name: machine.variables()[name] for name in ("PATH", "PYTHONPATH")})
        assert done.status == 0, done.err
        assert mark(machine.root / ".venv") == extras


def test_a_recipe_takes_the_environment_that_is_installed(project, tmp_path):
    empty = tmp_path / "active but empty"
    project.make_environment(empty, "")
    (empty / ".sure-installed").unlink()
    show = "root=$PWD; . utils/environment.sh; use_environment ark,convert; "
    show += 'command -v python; echo "$PYTHONPATH"'
    done = project.script(f"export VIRTUAL_ENV={str(empty)!r}; {show}")
    assert done.out.splitlines() == [str(project.root / ".venv/bin/python"), str(project.root)]
    full = tmp_path / "active"
    project.make_environment(full, "ark,convert,test")
    done = project.script(f"export VIRTUAL_ENV={str(full)!r}; {show}")
    assert done.out.splitlines()[0] == str(full / "bin" / "python")


def test_the_check_says_what_works_here():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_install.py")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    for name in ("python", "packages", "project", "torch", "wav", "flac", "g722", "sentencepiece", "ark"):
        assert found[name] == "ok", done.stdout
    assert {"GPU", "bf16", "ogg", "mp3", "Slurm", "disk"} <= set(found)


def test_the_check_fails_when_something_essential_is_missing(tmp_path):
    (tmp_path / "sentencepiece.py").write_text("raise ImportError('no libstdc++')\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "check_install.py")],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 1
    assert "MISSING packages" in done.stdout and "sentencepiece (ImportError: no libstdc++)" in done.stdout
    assert "tools/install.sh" in done.stdout
