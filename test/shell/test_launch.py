"""utils/launch: words, logs, exit codes and arrays of both launchers; GPUs and signals of local.sh; parallel.sh."""

import os
import re
import signal
import subprocess

import pytest
from slurm_cluster import end
from small_project import BASH, ROOT, WORDS, is_alive, until


def test_a_command_gets_its_words_and_resources_and_keeps_output_log_and_exit_code(launcher):
    show = 'printf "<%s>" "$@"; echo "${CUDA_VISIBLE_DEVICES-all} $OMP_NUM_THREADS ${SLURM_CPUS_PER_TASK-3}'
    show += ' ${SLURM_JOB_PARTITION-low}"; echo err >&2; exit 42'
    resources = ("--gpu", "0", "--threads", "3", "--mem", "100M", "--time", "5", "--partition", "low")
    done = launcher.run(*resources, "new folder/job.log", *BASH, show, "bash", *WORDS)
    printed = "".join(f"<{word}>" for word in WORDS) + " 3 3 low\nerr\n"
    assert (done.returncode, done.stdout) == (42, printed)
    launcher.run("new folder/job.log", "echo", "second")
    head, first, second = launcher.log("new folder/job.log").split("\n# on ")
    assert head.startswith("# bash -c 'printf ") and first.startswith(f"{os.uname().nodename}, 20")
    assert first.split("\n", 1)[1].startswith(f"{printed}# status 42, ") and "\nsecond\n# status 0, " in second


@pytest.mark.parametrize(
    ("load", "policy", "expected"),
    [
        ("0.1 0.1 0.1 999999/1000000 7", "", "passive"),
        ("9999 9999 9999 1/100 7", "", "unset"),  # work that has just ended, such as the stage before
        ("0.1 0.1 0.1 999999/1000000 7", "OMP_WAIT_POLICY=active;", "active"),
        (None, "", "unset"),  # not Linux
    ],
)
def test_threads_wait_asleep_where_other_work_uses_all_processors(tmp_path, load, policy, expected):
    if load:
        (tmp_path / "loadavg").write_text(f"{load}\n")
    script = (
        f'unset OMP_WAIT_POLICY; . utils/job.sh; {policy} wait_without_spinning "$1"; echo "${{OMP_WAIT_POLICY-unset}}"'
    )
    done = subprocess.run(
        [*BASH, script, "bash", tmp_path / "loadavg"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (f"{expected}\n", "")


def test_failing_tasks_of_an_array_are_reported_with_the_end_of_the_log_others_run_and_at_most_nj_at_once(launcher):
    log = launcher.folder / "log" / "9" / "job.log"
    log.parent.mkdir(parents=True)
    log.write_text("# on a, 2026\nan old error\n")
    # a task takes a place, and makes a file if more than two are taken
    task = "mkdir place.JOB; [ $(ls -d place.* | wc -l) -le 2 ] || touch crowded; sleep 0.5; rmdir place.JOB; "
    task += r"printf '1/2\r2/2\n\nline of JOB\n'; echo $SLURM_ARRAY_JOB_ID >job.JOB; "
    task += "case JOB in 9) exit 3 ;; 11) kill -9 $$ ;; esac; touch made.JOB-JOB"
    done = launcher.run("--nj", "2", "JOB=08:012", "log/JOB/job.log", *BASH, task)
    assert done.returncode == 1 and done.stdout == ""
    shown = r"\n  \| # on .*\n  \| 1/2\n  \| 2/2\n  \| line of 9\n  \| # status 3, "
    assert re.search(f"task 9 failed with status 3; log/9/job.log ends:{shown}", done.stderr), done.stderr
    assert "task 11 failed with status 137" in done.stderr
    assert "task 8 " not in done.stderr and "line of 10" not in done.stderr
    assert {path.name for path in launcher.folder.glob("log/*")} == {"8", "9", "10", "11", "12"}
    assert {path.name for path in launcher.folder.glob("made.*")} == {"made.8-8", "made.10-10", "made.12-12"}
    assert len({path.read_text() for path in launcher.folder.glob("job.*")}) == 1  # one job
    assert not (launcher.folder / "crowded").exists()


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
        (1, "exit 9", (), ["unset"] * 4),  # a machine without GPUs
        (1, r"printf 'GPU-a\nGPU-b\nGPU-c\nGPU-d\n'", (), ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]),
    ],
)
def test_tasks_at_the_same_time_take_the_visible_gpus_in_turn(local, monkeypatch, gpus, visible, nj, expected):
    monkeypatch.setenv("TMPDIR", str(local.folder))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    if " " in visible:  # the answer of nvidia-smi
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        (local.folder / "nvidia-smi").write_text(f"#!/bin/sh\n{visible}\n")
        (local.folder / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(local.folder), prepend=os.pathsep)
    show = 'echo "${CUDA_VISIBLE_DEVICES-unset}" >gpus.JOB; while [ $(ls gpus.* | wc -l) -lt 4 ]; do sleep 0.05; done'
    for _ in range(2 if len(set(expected)) == 4 else 1):  # they are free again at the end
        for file in local.folder.glob("gpus.*"):
            file.unlink()
        jobs = [f"JOB={first}:{4 if nj else first}" for first in range(1, 2 if nj else 5)]
        words = ("log/JOB.log", *BASH, show)
        calls = [local.start("--gpu", str(gpus), *nj, job, *words, begun="none", count=0) for job in jobs]
        assert [end(call, 0) for call in calls] == [("", "")] * len(calls)
        assert sorted(path.read_text().strip() for path in local.folder.glob("gpus.*")) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_array_leaves_nothing_running(local, number):
    task = "echo $$ >part.JOB; mv part.JOB pid.JOB; sleep 60"
    process = local.start("--nj", "2", "JOB=1:3", "log/JOB.log", *BASH, task, begun="pid.*", count=2)
    os.kill(process.pid, number)
    end(process, 128 + number)
    pids = {path.name: int(path.read_text()) for path in local.folder.glob("pid.*")}
    assert pids.keys() == {"pid.1", "pid.2"}
    until(lambda: not any(map(is_alive, pids.values())))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("quiet", ["true", "false"])
def test_a_signal_to_the_launcher_alone_reaches_the_command(local, number, quiet):
    task = "trap 'echo saved; exit 75' TERM USR1; touch begun; while true; do sleep 0.05; done"
    process = local.start("--quiet", quiet, "job.log", *BASH, task)
    os.kill(process.pid, number)
    assert end(process, 75) == ("" if quiet == "true" else "saved\n", "")
    assert "\nsaved\n# status 75, " in local.log()


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
        (["JOB=1:2", "/proc/none/JOB.log", "touch", "made"], "log /proc/none/2.log cannot be written"),
    ],
)
def test_a_wrong_call_is_refused(local, words, message):
    done = local.run(*words)
    assert done.returncode == (1 if "task 2 failed with status 2" in done.stderr else 2) and message in done.stderr
    assert list(local.folder.iterdir()) == []


def test_parallel_jobs_all_run_and_the_first_failure_counts():
    # bash may forget the status of an early process during a long sweep, so it is read before the next one begins
    script = r"""
    set -Eeuo pipefail
    . utils/parallel.sh
    wait() { echo asked; builtin wait "$@"; }
    job() { echo "begin $1"; sleep "0.$1"; echo "end $1"; exit "$1"; }
    in_parallel 1 job 0 3 1; echo "$parallel_status"
    """
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    each = [line for job in "031" for line in (f"begin {job}", f"end {job}", "asked")]
    assert done.stdout.splitlines() == [*each, "3"]
