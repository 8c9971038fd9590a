"""utils/launch/local.sh: logs, exit codes, arrays, signals and GPUs of commands on this machine; utils/parallel.sh."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from small_project import BASH, ROOT, SHELL, WORDS, is_alive, until

LOCAL = ["bash", str(ROOT / "utils" / "launch" / "local.sh")]


def launch(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([*LOCAL, *words], cwd=folder, capture_output=True, timeout=60, **SHELL)


def test_a_command_gets_its_words_and_prints_to_the_terminal_and_to_a_log_with_a_head(tmp_path):
    done = launch(tmp_path, "new folder/job.log", *BASH, 'printf "<%s>" "$@"; echo; echo err >&2', "bash", *WORDS)
    printed = "".join(f"<{word}>" for word in WORDS) + "\nerr\n"
    assert done.returncode == 0 and done.stdout == printed
    log = tmp_path / "new folder" / "job.log"
    head, rest = log.read_text().split("\n# on ", 1)
    assert head.startswith("# bash -c 'printf ") and rest.startswith(f"{os.uname().nodename}, 20")
    assert rest.split("\n", 1)[1].startswith(f"{printed}# status 0, ")
    launch(tmp_path, "new folder/job.log", "echo", "second")
    assert log.read_text().split("# status 0, ")[1].endswith("\nsecond\n")


@pytest.mark.parametrize(
    ("quiet", "end", "status"), [("true", "exit 42", 42), ("false", "exit 75", 75), ("true", "kill -9 $$", 137)]
)
def test_the_exit_code_of_a_command_is_kept(tmp_path, quiet, end, status):
    done = launch(tmp_path, "--quiet", quiet, "job.log", *BASH, f"echo printed; {end}")
    assert done.returncode == status
    assert done.stdout == ("" if quiet == "true" else "printed\n")
    _, printed, *_, last = (tmp_path / "job.log").read_text().split("\n", 1)[1].splitlines()
    assert printed == "printed" and last.startswith(f"# status {status}, ")


def test_the_end_of_a_log_is_that_of_its_last_command(tmp_path):
    for error in ("an old error", "a new error"):
        launch(tmp_path, "job.log", *BASH, f"printf '1/2\\r2/2\\n\\n'; echo {error}; exit 1")
    show = f'. "{ROOT}/utils/log.sh"; show_end "{tmp_path}/job.log"'
    shown = subprocess.run(["bash", "-euo", "pipefail", "-c", show], capture_output=True, text=True, check=True).stdout
    on, *lines, status = shown.splitlines()
    assert on.startswith("  | # on ") and status.startswith("  | # status 1, ")
    assert lines == ["  | 1/2", "  | 2/2", "  | a new error"]


def test_resources_are_settings_of_the_command(tmp_path):
    show = 'echo "${CUDA_VISIBLE_DEVICES-all} $OMP_NUM_THREADS"'
    words = ("--mem", "4G", "--time", "1:00:00", "--threads", "3", "job.log", *BASH, show)
    assert launch(tmp_path, "--gpu", "0", *words).stdout == " 3\n"
    assert launch(tmp_path, "--gpu", "1", *words).stdout.endswith(" 3\n")


def gpus_of_four_tasks(folder: Path, visible: str | None, *words: str) -> list[str]:
    """CUDA_VISIBLE_DEVICES of four tasks that run at the same time, each in a launcher of its own or in one array."""
    show = 'echo "${CUDA_VISIBLE_DEVICES-unset}" >gpus.JOB; while [ $(ls gpus.* | wc -l) -lt 4 ]; do sleep 0.05; done'
    environment = {name: text for name, text in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    environment |= {"TMPDIR": str(folder)} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    ranges = ["1:4"] if "--nj" in words else ["1:1", "2:2", "3:3", "4:4"]
    calls = [[*LOCAL, *words, f"JOB={r}", "log/JOB.log", *BASH, show] for r in ranges]
    processes = [subprocess.Popen(call, cwd=folder, env=environment) for call in calls]
    assert [process.wait(timeout=60) for process in processes] == [0] * len(calls)
    return sorted((folder / f"gpus.{number}").read_text().strip() for number in range(1, 5))


@pytest.mark.parametrize(
    ("gpus", "visible", "nj", "expected"),
    [
        (1, "4,5,6,7", (), ["4", "5", "6", "7"]),
        (1, "0,1", (), ["0", "0", "1", "1"]),  # as many tasks on each, when there are more tasks than GPUs
        (1, "0,1", ("--nj", "4"), ["0", "0", "1", "1"]),
        (2, "0,1,2,3", (), ["0,1", "0,1", "2,3", "2,3"]),
        (2, "0,1,2,3", ("--nj", "4"), ["0,1", "0,1", "2,3", "2,3"]),
        (1, "GPU-5c1b", (), ["GPU-5c1b"] * 4),
        (0, "0,1", ("--nj", "4"), [""] * 4),
        (1, "", (), [""] * 4),
        (1, None, (), ["unset"] * 4),
        (1, "nvidia-smi", (), ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]),
    ],
)
def test_tasks_at_the_same_time_take_the_visible_gpus_in_turn(tmp_path, monkeypatch, gpus, visible, nj, expected):
    if visible in (None, "nvidia-smi"):  # also on a machine with GPUs
        answer = "exit 9" if visible is None else r"printf 'GPU-a\nGPU-b\nGPU-c\nGPU-d\n'"
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        visible = None
    for _ in range(2 if len(set(expected)) == 4 else 1):  # they are free again at the end
        assert gpus_of_four_tasks(tmp_path, visible, "--gpu", str(gpus), *nj) == expected
        for file in tmp_path.glob("gpus.*"):
            file.unlink()


def test_an_array_runs_every_number_with_a_log_each(tmp_path):
    done = launch(tmp_path, "JOB=08:011", "log/job.JOB.log", "touch", "made JOB", "JOB-JOB")
    assert done.returncode == 0 and done.stdout == ""
    numbers = range(8, 12)
    assert {path.name for path in (tmp_path / "log").iterdir()} == {f"job.{number}.log" for number in numbers}
    made = {path.name for path in tmp_path.iterdir()} - {"log"}
    assert made == {name for number in numbers for name in (f"made {number}", f"{number}-{number}")}


def test_failing_tasks_are_reported_with_status_and_end_of_log_the_others_run_and_at_most_nj_at_once(tmp_path):
    # a task takes a place, and makes a file if more than two are taken
    place = "mkdir place.JOB; [ $(ls -d place.* | wc -l) -le 2 ] || touch crowded; sleep 0.3; rmdir place.JOB; "
    task = place + "echo line of JOB; case JOB in 2) exit 3 ;; 4) kill -9 $$ ;; esac; touch made.JOB"
    done = launch(tmp_path, "--nj", "2", "JOB=1:5", "log/JOB.log", *BASH, task)
    assert done.returncode == 1
    assert "task 2 failed with status 3; log/2.log ends:\n" in done.stderr and "  | line of 2" in done.stderr
    assert "task 4 failed with status 137" in done.stderr
    assert "task 1 " not in done.stderr and "line of 3" not in done.stderr
    assert sorted(path.name for path in tmp_path.glob("made.*")) == ["made.1", "made.3", "made.5"]
    assert not (tmp_path / "crowded").exists()


def test_an_array_without_logs_runs_nothing(tmp_path):
    done = launch(tmp_path, "JOB=1:2", "/proc/none/JOB.log", "touch", "made.JOB")
    assert done.returncode == 1 and list(tmp_path.iterdir()) == []
    assert "the log /proc/none/2.log cannot be written" in done.stderr and "task 2 failed with status 2" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_array_leaves_nothing_running(tmp_path, number):
    task = "echo $$ >part.JOB; mv part.JOB pid.JOB; sleep 60"
    command = [*LOCAL, "--nj", "2", "JOB=1:3", "log/JOB.log", *BASH, task]
    process = subprocess.Popen(command, cwd=tmp_path, start_new_session=True)
    until(lambda: len(list(tmp_path.glob("pid.*"))) == 2)
    os.kill(process.pid, number)
    assert process.wait(timeout=60) == 128 + number
    pids = {path.name: int(path.read_text()) for path in tmp_path.glob("pid.*")}
    assert pids.keys() == {"pid.1", "pid.2"}
    until(lambda: not any(map(is_alive, pids.values())))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("quiet", ["true", "false"])
def test_a_signal_to_the_launcher_alone_reaches_the_command(tmp_path, number, quiet):
    task = "trap 'echo saved; exit 75' TERM USR1; touch begun; while true; do sleep 0.05; done"
    command = [*LOCAL, "--quiet", quiet, "job.log", *BASH, task]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True, **SHELL)
    until((tmp_path / "begun").exists)
    os.kill(process.pid, number)
    assert process.communicate(timeout=60)[0] == ("" if quiet == "true" else "saved\n")
    assert process.returncode == 75
    assert "\nsaved\n# status 75, " in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--memory", "4G", "job.log", "true"], "unknown option --memory; the options are: --gpu"),
        (["--gpu"], "--gpu needs a value"),
        (["--nj", "none", "job.log", "true"], "--nj takes a number"),
        (["--nodes", "2", "job.log", "true"], "this machine is one node; use slurm.sh"),
        (["job.log"], "expected LOG COMMAND"),
        (["JOB=a:b", "JOB.log", "true"], "expected JOB=first:last"),
        (["JOB=3:2", "JOB.log", "true"], "the first number is above the last"),
        (["JOB=1:2", "job.log", "true"], "needs JOB in its name"),
        (["", "touch", "made"], "the log has no name"),
        (["/proc/none/l", "touch", "made"], "the log /proc/none/l cannot be written"),
        (["/proc", "touch", "made"], "the log /proc cannot be written"),
    ],
)
def test_a_wrong_call_is_refused(tmp_path, words, message):
    done = launch(tmp_path, *words)
    assert done.returncode == 2 and message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("items", "status", "order"),
    [
        ("2 job a:0:0 b:0:3 c:0.3:4 d:0:0", "3", None),  # all run, and the first failure counts
        # bash may forget the status of an early process during a long sweep, so it is read before the next one begins
        ("1 job a:0:0 b:0:0 c:0:0", "0", "begin a,end a,asked,begin b,end b,asked,begin c,end c,asked"),
    ],
)
def test_the_status_of_parallel_jobs(items, status, order):
    script = r"""
    set -Eeuo pipefail
    . utils/parallel.sh
    wait() { echo asked; builtin wait "$@"; }
    job() {
      IFS=: read -r name seconds status <<<"$1"
      echo "begin $name"; sleep "$seconds"; echo "end $name"; exit "$status"
    }
    """
    command = ["bash", "-c", f'{script}\nin_parallel {items}; echo "$parallel_status"']
    *lines, found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert found == status and (order is None or lines == order.split(","))
    assert sorted(line for line in lines if line.startswith("end")) == [
        f"end {name}" for name in "abcd"[: items.count(":") // 2]
    ]
