"""utils/launch/local.sh: logs, exit codes, arrays, signals and GPUs of commands on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from small_project import ROOT, is_alive, until

LOCAL = ROOT / "utils" / "launch" / "local.sh"


def launch(folder: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(LOCAL), *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_command_prints_to_the_terminal_and_to_a_log_with_a_head(tmp_path):
    done = launch(tmp_path, "new folder/job.log", "bash", "-c", "echo out; echo err >&2")
    assert done.returncode == 0 and done.stdout == "out\nerr\n"
    head, host, *rest = (tmp_path / "new folder" / "job.log").read_text().splitlines()
    assert head == "# bash -c 'echo out; echo err >&2'"
    assert host.startswith(f"# on {os.uname().nodename}, 20")
    assert rest[:2] == ["out", "err"] and rest[2].startswith("# status 0, ")


def test_words_stay_as_they_are(tmp_path):
    words = ["a b", "it's", 'x"y', "", "*", "$HOME", "\\", "é"]
    done = launch(tmp_path, "job.log", "printf", "<%s>", *words)
    assert done.stdout == "".join(f"<{word}>" for word in words)


@pytest.mark.parametrize("status", [1, 42, 75])
@pytest.mark.parametrize("quiet", ["true", "false"])
def test_the_exit_code_of_a_command_is_kept(tmp_path, status, quiet):
    done = launch(tmp_path, "--quiet", quiet, "job.log", "bash", "-c", f"echo said; exit {status}")
    assert done.returncode == status
    assert done.stdout == ("" if quiet == "true" else "said\n")
    assert f"said\n# status {status}, " in (tmp_path / "job.log").read_text()


def test_a_killed_command_has_its_signal_as_status(tmp_path):
    assert launch(tmp_path, "job.log", "bash", "-c", "kill -9 $$").returncode == 137


def test_a_log_is_continued(tmp_path):
    launch(tmp_path, "job.log", "echo", "first")
    launch(tmp_path, "job.log", "echo", "second")
    text = (tmp_path / "job.log").read_text()
    assert text.index("\nfirst\n") < text.index("\nsecond\n")


def test_the_end_of_a_log_is_that_of_its_last_command(tmp_path):
    for said in ("an old error", "a new error"):
        launch(tmp_path, "job.log", "bash", "-c", f"printf '1/2\\r2/2\\n\\n'; echo {said}; exit 1")
    show = f'. "{ROOT}/utils/log.sh"; show_end "{tmp_path}/job.log"'
    shown = subprocess.run(["bash", "-euo", "pipefail", "-c", show], capture_output=True, text=True, check=True).stdout
    on, *lines, status = shown.splitlines()
    assert on.startswith("  | # on ") and status.startswith("  | # status 1, ")
    assert lines == ["  | 1/2", "  | 2/2", "  | a new error"]


def test_resources_are_settings_of_the_command(tmp_path):
    show = 'echo "${CUDA_VISIBLE_DEVICES-all} $OMP_NUM_THREADS"'
    words = ("--mem", "4G", "--time", "1:00:00", "--threads", "3", "job.log", "bash", "-c", show)
    assert launch(tmp_path, "--gpu", "0", *words).stdout == " 3\n"
    assert launch(tmp_path, "--gpu", "1", *words).stdout.endswith(" 3\n")


def gpus_of_four_tasks(folder: Path, visible: str | None, *words: str) -> list[str]:
    """CUDA_VISIBLE_DEVICES of four tasks that run at the same time, each in a launcher of its own or in one array."""
    show = 'echo "${CUDA_VISIBLE_DEVICES-unset}" >gpus.JOB; while [ $(ls gpus.* | wc -l) -lt 4 ]; do sleep 0.05; done'
    environment = {name: text for name, text in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    environment |= {"TMPDIR": str(folder)} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    ranges = ["1:4"] if "--nj" in words else ["1:1", "2:2", "3:3", "4:4"]
    calls = [["bash", str(LOCAL), *words, f"JOB={r}", "log/JOB.log", "bash", "-c", show] for r in ranges]
    processes = [subprocess.Popen(call, cwd=folder, env=environment) for call in calls]
    assert [process.wait(timeout=60) for process in processes] == [0] * len(calls)
    return sorted((folder / f"gpus.{number}").read_text().strip() for number in range(1, 5))


@pytest.mark.parametrize(
    ("gpus", "visible", "expected"),
    [
        (1, "4,5,6,7", ["4", "5", "6", "7"]),
        (1, "0,1", ["0", "0", "1", "1"]),  # as many tasks on each, when there are more tasks than GPUs
        (2, "0,1,2,3", ["0,1", "0,1", "2,3", "2,3"]),
        (1, "GPU-5c1b", ["GPU-5c1b"] * 4),
        (0, "0,1", [""] * 4),
        (1, "", [""] * 4),
        (1, None, ["unset"] * 4),
    ],
)
@pytest.mark.parametrize("nj", [(), ("--nj", "4")])
def test_tasks_at_the_same_time_take_the_visible_gpus_in_turn(tmp_path, monkeypatch, gpus, visible, expected, nj):
    if visible is None:  # where the machine has GPUs, too
        (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert gpus_of_four_tasks(tmp_path, visible, "--gpu", str(gpus), *nj) == expected


def test_the_gpus_of_the_machine_are_those_of_nvidia_smi_and_are_free_again_at_the_end(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\nprintf 'GPU-a\\nGPU-b\\nGPU-c\\nGPU-d\\n'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for _ in range(2):
        assert gpus_of_four_tasks(tmp_path, None, "--gpu", "1") == ["GPU-a", "GPU-b", "GPU-c", "GPU-d"]
        for file in tmp_path.glob("gpus.*"):
            file.unlink()


def test_an_array_runs_every_number_with_a_log_each(tmp_path):
    done = launch(tmp_path, "JOB=8:11", "log/job.JOB.log", "touch", "made JOB", "JOB-JOB")
    assert done.returncode == 0 and done.stdout == ""
    made = {path.name for path in tmp_path.iterdir()} - {"log"}
    assert made == {name for number in range(8, 12) for name in (f"made {number}", f"{number}-{number}")}
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == sorted(
        f"job.{number}.log" for number in range(8, 12)
    )


def test_numbers_of_an_array_may_begin_with_zeros(tmp_path):
    assert launch(tmp_path, "JOB=08:010", "log/JOB.log", "touch", "made.JOB").returncode == 0
    assert sorted(path.name for path in tmp_path.glob("made.*")) == ["made.10", "made.8", "made.9"]


def test_an_array_without_logs_runs_nothing(tmp_path):
    done = launch(tmp_path, "JOB=1:2", "/proc/none/JOB.log", "touch", "made.JOB")
    assert done.returncode == 1 and list(tmp_path.iterdir()) == []
    assert "the log /proc/none/2.log cannot be written" in done.stderr and "task 2 failed with status 2" in done.stderr


def test_at_most_nj_tasks_run_at_once(tmp_path):
    # a task takes a place, and fails if more than two are taken
    task = "mkdir place.JOB; [ $(ls -d place.* | wc -l) -le 2 ] || touch crowded; sleep 0.3; rmdir place.JOB"
    assert launch(tmp_path, "--nj", "2", "JOB=1:6", "log/JOB.log", "bash", "-c", task).returncode == 0
    assert not (tmp_path / "crowded").exists()


def test_failing_tasks_are_named_with_status_and_the_end_of_their_log_and_the_others_run(tmp_path):
    task = "echo line of JOB; case JOB in 2) exit 3 ;; 4) kill -9 $$ ;; esac; touch made.JOB"
    done = launch(tmp_path, "--nj", "2", "JOB=1:5", "log/JOB.log", "bash", "-c", task)
    assert done.returncode == 1
    assert "task 2 failed with status 3; log/2.log ends:\n" in done.stderr and "  | line of 2" in done.stderr
    assert "task 4 failed with status 137" in done.stderr
    assert "task 1 " not in done.stderr and "line of 3" not in done.stderr
    assert sorted(path.name for path in tmp_path.glob("made.*")) == ["made.1", "made.3", "made.5"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_array_leaves_nothing_running(tmp_path, number):
    task = "echo $$ >pid.part.JOB; mv pid.part.JOB pid.JOB; sleep 60"
    process = subprocess.Popen(
        ["bash", str(LOCAL), "--nj", "2", "JOB=1:2", "log/JOB.log", "bash", "-c", task],
        cwd=tmp_path,
        start_new_session=True,
    )
    until(lambda: len(list(tmp_path.glob("pid.[12]"))) == 2)
    os.kill(process.pid, number)
    assert process.wait(timeout=60) == 128 + number
    pids = [int(path.read_text()) for path in tmp_path.glob("pid.[12]")]
    until(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
@pytest.mark.parametrize("quiet", ["true", "false"])
def test_a_signal_to_the_launcher_alone_reaches_the_command_whose_last_words_and_status_are_kept(
    tmp_path, number, quiet
):
    task = "trap 'echo saved; exit 75' TERM USR1; touch begun; while true; do sleep 0.1; done"
    process = subprocess.Popen(
        ["bash", str(LOCAL), "--quiet", quiet, "job.log", "bash", "-c", task],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until((tmp_path / "begun").exists)
    os.kill(process.pid, number)
    assert process.communicate(timeout=60)[0] == ("" if quiet == "true" else "saved\n")
    assert process.returncode == 75
    assert "\nsaved\n# status 75, " in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
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
def test_a_wrong_call_is_refused(tmp_path, words, said):
    done = launch(tmp_path, *words)
    assert done.returncode == 2 and said in done.stderr
    assert list(tmp_path.iterdir()) == []
