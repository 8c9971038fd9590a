"""Commands in forks of one process (sure/forks): as if each had started a Python of its own."""

import json
import os
import signal
from pathlib import Path

import pytest
from small_project import WORDS, Project, is_alive, until

COMMAND = r"""
import json, os, signal, sys, time
from pathlib import Path

def parent(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])

import sure.config
about = {"words": sys.argv[1:], "cwd": os.getcwd(), "text": os.environ["TEXT"], "name": __name__, "pid": os.getpid()}
about["set"] = os.environ.get("SET")
print(json.dumps(about | {"server": parent(os.getppid()), "code": sure.config.CODE, "read": sys.stdin.read()}))
print("to stderr", file=sys.stderr)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(75))
Path("new").write_text(str(os.getpid()))
Path("new").rename("began")
time.sleep(float(os.environ["WAIT"]))
sys.exit(3)
"""
USE = "set -Eeuo pipefail; root=$PWD launch=local PYTHONPATH=$PWD; export PYTHONPATH; PATH=$PWD/.venv/bin:$PATH\n"
USE += ". utils/forks.sh; use_forks; trap 'rm -rf \"$forks\"' EXIT\n"


@pytest.fixture
def forks(project: Project) -> Project:
    (project.root / "sure" / "config.py").write_text("import os\nCODE = 1\nos.environ['SET'] = 'by an import'\n")
    (project.bin / "mine.py").write_text(COMMAND)
    return project


def call(forks: Project, text: str, **variables: str):
    """Bash in the project, in which `mine` is a command of SURE."""
    (forks.root / "script.sh").write_text(f'{USE}mine() {{ python -m sure.bin.mine "$@"; }}\n{text}\n')
    variables = {"SURE_FORKS": "", "WAIT": "0", "TEXT": "a\nb"} | variables
    return forks.start(*WORDS, cwd=forks.root, script=forks.root / "script.sh", **variables)


def test_a_command_has_the_words_folder_environment_files_and_status_of_its_call(forks):
    text = (
        'mkdir -p "in it"; cd "in it"; for i in 1 2; do echo typed | mine "$@" || echo $?; done; python -c "print(4)"'
    )
    done = forks.finish(call(forks, f'{text}; echo "$forks"'))
    one, three, other, three_again, four, folder = done.out.splitlines()
    one, other = json.loads(one), json.loads(other)
    assert (three, three_again, four, done.err) == ("3", "3", "4", "to stderr\n" * 2)
    assert one["words"] == list(WORDS) and one["cwd"] == str(forks.root / "in it") and one["text"] == "a\nb"
    assert one["set"] == "by an import" and one["read"] == "typed\n" and one["name"] == "__main__"
    assert one["server"] == other["server"] and one["pid"] != other["pid"]
    until(lambda: not is_alive(one["server"]) and not Path(folder).exists())


def test_changed_code_is_imported_anew_and_other_settings_of_libraries_have_another_server(forks):
    calls = [
        "mine",
        "OMP_NUM_THREADS=7 mine",
        "sleep 0.01; echo CODE = 2 >sure/config.py; mine",
        "mine train.memory=1gb",
    ]
    done = forks.finish(call(forks, "".join(f"{each} || true\n" for each in calls)))
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["code"] for one in found] == [1, 1, 2, 2]
    assert len({one["server"] for one in found[:3]}) == 3  # of the last two, the shell that called them


@pytest.mark.parametrize(
    "name, to_call, status", [("SIGTERM", True, 75), ("SIGKILL", True, 137), ("SIGKILL", False, 137)]
)
def test_a_signal_to_a_call_reaches_its_command_and_each_ends_with_the_other(forks, name, to_call, status):
    process = call(forks, "python -m sure.bin.mine & echo $! >call; wait $! || echo $?", WAIT="60")
    until((forks.root / "began").exists)
    command, caller = (int((forks.root / file).read_text()) for file in ("began", "call"))
    os.kill(caller if to_call else command, getattr(signal, name))
    assert forks.finish(process).out.splitlines()[-1] == str(status)
    until(lambda: not is_alive(command))
