"""utils/launch/slurm.sh with a real Slurm: the same log, output and exit codes as on this machine."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from slurm_cluster import CPUS, TOOLS, Cluster
from small_project import Project, is_alive, until

# A stand-in for the trainer: on SIGUSR1 it saves and exits with 75; the next call resumes.
TRAINER = """
[ -e saved ] && { echo went on; exit 0; }
trap 'echo "heard $1" >saved; exit 75' USR1
touch begun
for i in $(seq 600); do sleep 0.1; done
"""


class Launcher:
    """slurm.sh of a copy of the project, called in another folder."""

    def __init__(self, project: Project, cluster: Cluster, folder: Path):
        folder.mkdir()
        self.cluster, self.folder = cluster, folder
        self.script = project.root / "utils" / "launch" / "slurm.sh"
        self.settings = project.root / "utils" / "cluster.sh"

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess:
        return self.cluster.run("bash", str(self.script), *words, cwd=self.folder, timeout=timeout)

    def start(self, *words: str) -> subprocess.Popen:
        return self.cluster.start("bash", str(self.script), *words, cwd=self.folder)

    def made(self, pattern: str) -> list[str]:
        return sorted(path.name for path in self.folder.glob(pattern))

    def until_made(self, pattern: str, count: int = 1) -> None:
        until(lambda: len(self.made(pattern)) == count, 60)


@pytest.fixture
def slurm(project, cluster, tmp_path) -> Launcher:
    launcher = Launcher(project, cluster, tmp_path / "it's %j")
    yield launcher
    until(lambda: cluster.queue() == [])
    left = [path for path in launcher.folder.rglob(".*") if path.name.endswith(".slurm")]
    assert left == []


def test_a_command_prints_to_the_terminal_and_to_a_log_and_its_words_stay_as_they_are(slurm):
    words = ["a b", "it's", 'x"y', "", "*", "$HOME", "\\", "é", "two\nlines"]
    done = slurm.run("--threads", "2", "log/job.log", "bash", "-c", 'printf "<%s>" "$@"; echo err >&2', "bash", *words)
    assert done.returncode == 0 and done.stdout == "".join(f"<{word}>" for word in words) + "err\n"
    log = (slurm.folder / "log" / "job.log").read_text()
    assert log.startswith("# bash -c ") and f"\n# on {os.uname().nodename}, 20" in log
    assert log.splitlines()[-1].startswith("# status 0, ")


def test_a_failing_command_keeps_its_exit_code_and_resources_are_settings_of_the_job(slurm):
    show = 'echo "${CUDA_VISIBLE_DEVICES-all} $OMP_NUM_THREADS $SLURM_CPUS_PER_TASK $SLURM_JOB_PARTITION"; exit 42'
    resources = ("--threads", "3", "--mem", "100M", "--time", "5", "--partition", "low")
    done = slurm.run("--gpu", "0", "--quiet", "true", *resources, "job.log", "bash", "-c", show)
    assert done.returncode == 42 and done.stdout == ""
    assert "\n 3 3 low\n# status 42, " in (slurm.folder / "job.log").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the device files of fake GPUs")
def test_a_job_gets_the_gpus_that_it_asks_for_by_the_words_of_the_site(slurm):
    slurm.settings.write_text("cluster_gpu_words=(--gpus-per-node=GPUS)\ncluster_gpu_partition=high\n")
    done = slurm.run("--gpu", "2", "job.log", "bash", "-c", "echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_PARTITION")
    assert done.returncode == 0 and done.stdout == "0,1 high\n"


def test_a_command_on_two_nodes_runs_once_on_each_with_the_same_rendezvous(slurm):
    show = 'echo "$SLURMD_NODENAME $1 $OMP_NUM_THREADS $SLURM_CPUS_PER_TASK ${CUDA_VISIBLE_DEVICES-none}"; exit 75'
    gpu = ("--gpu", "2") if os.geteuid() == 0 else ()
    slurm.settings.write_text("cluster_restarts=0\n")
    words = ("--nodes", "2", "--threads", "3", *gpu)
    done = slurm.run(*words, "job.log", "bash", "-c", show, "bash", "RENDEZVOUS")
    assert done.returncode == 75, done.stderr
    lines = sorted(line.split() for line in done.stdout.splitlines() if line.startswith("node"))
    assert [line[0] for line in lines] == ["node1", "node2"] and lines[0][1:] == lines[1][1:], done.stdout
    assert lines[0][2:] == ["3", "3", "0,1" if gpu else "none"]
    host, _, port = lines[0][1].partition(":")
    assert host == os.uname().nodename.partition(".")[0] and 20000 <= int(port) < 30000


def test_when_the_command_of_one_node_is_killed_the_node_is_named_and_the_job_has_failed(slurm):
    task = (
        "touch begun.$SLURM_NODEID; [ $SLURM_NODEID = 0 ] || kill -9 $$; until [ -e end ]; do sleep 0.1; done; exit 2"
    )
    process = slurm.start("--quiet", "true", "--nodes", "2", "job.log", "bash", "-c", task)
    slurm.until_made("begun.*", 2)
    log = slurm.folder / "job.log"
    until(lambda: "srun: error: node2: task 1: Killed" in log.read_text(), 60)
    (slurm.folder / "end").touch()
    process.communicate(timeout=60)
    assert process.returncode == 137 and "srun: error: node1: task 0: Exited with exit code 2" in log.read_text()


@pytest.mark.slow
def test_the_command_of_another_node_that_does_not_end_is_ended_after_a_minute(slurm):
    done = slurm.run("--nodes", "2", "job.log", "bash", "-c", "[ $SLURM_NODEID = 0 ] || exit 3; exec sleep 300")
    assert done.returncode == 137 and "srun: error: node2: task 1: Exited with exit code 3" in done.stdout


@pytest.mark.slow
def test_a_node_that_vanishes_is_named(slurm):
    task = "echo $$ >part.$SLURM_NODEID; mv part.$SLURM_NODEID pid.$SLURM_NODEID; "
    task += "[ $SLURM_NODEID = 0 ] || exec sleep 300; until [ -e end ]; do sleep 0.1; done; exit 2"
    process = slurm.start("--nodes", "2", "job.log", "bash", "-c", task)
    slurm.until_made("pid.*", 2)
    command = int((slurm.folder / "pid.1").read_text())
    parent = int(Path(f"/proc/{command}/stat").read_text().rpartition(")")[2].split()[1])
    folder = Path(slurm.cluster.variables["SLURM_CONF"]).parent
    for pid in (int((folder / "run" / "slurmd.node2.pid").read_text()), parent, command):
        os.kill(pid, signal.SIGKILL)
    (slurm.folder / "end").touch()
    _, err = process.communicate(timeout=150)
    slurm.cluster.run("bash", str(TOOLS / "start_slurm.sh"), str(folder))
    assert process.returncode == 2 and "status 2: no answer from node2, which may have failed" in err


def test_inside_an_allocation_steps_on_several_nodes_have_a_port_each(slurm):
    call = shlex.join(["bash", str(slurm.script), "--nodes", "2", "JOB=1:2", "JOB.log", "echo", "RENDEZVOUS"])
    done = slurm.cluster.run("salloc", "-N2", "-n4", "bash", "-c", call, cwd=slurm.folder)
    assert done.returncode == 0, done.stderr
    both = [re.findall(r"^\S+:(\d+)$", (slurm.folder / f"{n}.log").read_text(), re.MULTILINE) for n in (1, 2)]
    assert [len(ports) for ports in both] == [2, 2] and len({*both[0]}) == len({*both[1]}) == 1 and both[0] != both[1]
    done = slurm.cluster.run("salloc", "-N1", "bash", "-c", call, cwd=slurm.folder)
    assert done.returncode == 2 and "--nodes 2: this allocation has 1" in done.stderr


def test_an_array_is_one_job_whose_failing_tasks_are_named_with_status_and_the_end_of_their_log(slurm):
    # a task takes a place, and fails if more than two are taken
    place = "mkdir place.JOB; [ $(ls -d place.* | wc -l) -le 2 ] || touch crowded; sleep 0.5; rmdir place.JOB; "
    task = place + "echo line of JOB; echo $SLURM_ARRAY_JOB_ID >job.JOB; case JOB in 2) exit 3 ;; 4) kill -9 $$ ;; esac"
    done = slurm.run("--nj", "2", "JOB=1:4", "log/JOB/job.log", "bash", "-c", task)
    assert done.returncode == 1 and done.stdout == ""
    assert "task 2 failed with status 3; log/2/job.log ends:\n" in done.stderr and "  | line of 2" in done.stderr
    assert "task 4 failed with status 137" in done.stderr
    assert "task 1 " not in done.stderr and "line of 3" not in done.stderr
    assert len({(slurm.folder / f"job.{number}").read_text() for number in range(1, 5)}) == 1
    assert not (slurm.folder / "crowded").exists()


def test_a_cancelled_task_has_failed_and_the_others_run(slurm):
    process = slurm.start("JOB=1:2", "JOB.log", "bash", "-c", "touch begun.JOB; [ JOB = 2 ] && sleep 60; echo ran")
    slurm.until_made("begun.*", 2)
    until(lambda: len(slurm.cluster.queue()) == 1)
    slurm.cluster.run("scancel", slurm.cluster.queue()[0][0])
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1 and out == ""
    assert "task 2 failed with no status: it has left the queue, CANCELLED; 2.log ends:" in err
    assert "CANCELLED AT" in (slurm.folder / "2.log").read_text()
    assert "\nran\n# status 0, " in (slurm.folder / "1.log").read_text()


def test_a_signal_to_the_caller_cancels_the_job_and_waits_for_its_end(slurm):
    process = slurm.start("job.log", "bash", "-c", "echo $$ >pid; mv pid begun; sleep 60")
    slurm.until_made("begun")
    assert [state for _, _, state in slurm.cluster.queue()] == ["RUNNING"]
    os.kill(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "stopped by SIGTERM: job " in err and err.endswith("is cancelled\n")
    assert not is_alive(int((slurm.folder / "begun").read_text()))


def test_a_job_that_is_gone_without_a_status_has_failed(slurm):
    done = slurm.run("job.log", "bash", "-c", "echo last words; kill -9 $PPID")
    assert done.returncode == 1
    assert "ended with no status: it has left the queue, FAILED" in done.stderr
    assert "last words" in (slurm.folder / "job.log").read_text()


def test_the_job_of_a_caller_that_was_killed_is_cancelled_by_the_next_call(slurm):
    first = slurm.start("job.log", "bash", "-c", TRAINER, "bash", "first")
    slurm.until_made("begun")
    ((job, _, _),) = slurm.cluster.queue()
    first.kill()
    first.communicate(timeout=60)
    done = slurm.run("job.log", "bash", "-c", "echo second")
    assert done.returncode == 0 and done.stdout == "second\n"
    assert f"# job {job} of a killed call is cancelled" in done.stderr


def test_one_log_has_one_caller_at_a_time(slurm):
    first = slurm.start("job.log", "bash", "-c", "touch begun; sleep 60")
    slurm.until_made("begun")
    done = slurm.run("job.log", "true")
    assert done.returncode == 2 and "another call with the log job.log waits for job" in done.stderr
    os.kill(first.pid, signal.SIGTERM)
    first.communicate(timeout=60)


def test_preempted_by_a_job_of_higher_priority_a_trainer_saves_is_queued_again_and_goes_on(slurm):
    whole = ("--threads", str(CPUS))
    trainer = slurm.start(*whole, "--partition", "low", "train.log", "bash", "-c", TRAINER, "bash", "once")
    slurm.until_made("begun")
    urgent = slurm.run(*whole, "--partition", "high", "urgent.log", "test", "-e", "saved")
    assert urgent.returncode == 0, urgent.stderr
    out, err = trainer.communicate(timeout=120)
    assert trainer.returncode == 0, err
    assert out.splitlines()[-1] == "went on"
    log = (slurm.folder / "train.log").read_text()
    assert (slurm.folder / "saved").read_text() == "heard once\n"
    assert "# status 75, " in log and "# stopped by the queue for the 1. time of at most 20: queued again" in log


def test_a_trainer_that_is_stopped_too_often_is_given_up_with_the_reason(slurm):
    slurm.settings.write_text("cluster_restarts=1\n")
    done = slurm.run("--quiet", "true", "job.log", "bash", "-c", "echo run; exit 75")
    assert done.returncode == 75
    assert "the queue stopped it 2 times" in done.stderr and "utils/cluster.sh allows cluster_restarts=1" in done.stderr
    assert (slurm.folder / "job.log").read_text().count("\nrun\n") == 2


@pytest.mark.slow
def test_a_trainer_that_reaches_its_time_limit_saves_is_queued_again_and_goes_on(slurm):
    slurm.settings.write_text("cluster_warning=15\n")
    done = slurm.run("--time", "1", "train.log", "bash", "-c", TRAINER, "bash", "once")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "went on"
    assert "queued again" in (slurm.folder / "train.log").read_text()


@pytest.mark.slow
def test_what_does_not_stop_at_its_time_limit_is_ended_by_it(slurm):
    done = slurm.run("--time", "1", "job.log", "bash", "-c", "trap '' USR1 TERM; sleep 300", timeout=240)
    assert done.returncode == 1 and "it has left the queue, TIMEOUT (pass a longer --time)" in done.stderr
    assert "DUE TO TIME LIMIT" in (slurm.folder / "job.log").read_text()


@pytest.mark.parametrize("allocate", [("srun", "-n1"), ("salloc", "-n1")])
def test_inside_an_allocation_it_runs_there(slurm, allocate):
    show = 'echo "step: $SLURM_JOB_ID $SLURM_STEP_ID ${SLURMD_NODENAME:+on a node}"; squeue -h -o "running: %i"; exit 5'
    done = slurm.cluster.run(*allocate, "bash", str(slurm.script), "job.log", "bash", "-c", show, cwd=slurm.folder)
    assert done.returncode == 5, done.stderr
    # srun may write lines between them
    steps, running = (re.findall(rf"^{name}: (.*)$", done.stdout, re.MULTILINE) for name in ("step", "running"))
    assert len(running) == 1 and steps == [f"{running[0]} 0 on a node"], done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--partition", "nowhere", "job.log", "true"], "sbatch refused the job: sbatch: error: invalid partition"),
        (["JOB=1:2", "job.log", "true"], "needs JOB in its name"),
        (["--threads", "0", "job.log", "true"], "--threads takes a number from 1"),
    ],
)
def test_a_wrong_call_is_refused(slurm, words, said):
    done = slurm.run(*words)
    assert done.returncode == 2 and said in done.stderr


def test_without_slurm_it_says_so(project, tmp_path):
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("bash", "dirname", "basename"):
        (folder / tool).symlink_to(f"/usr/bin/{tool}")
    done = subprocess.run(
        [folder / "bash", str(project.root / "utils" / "launch" / "slurm.sh"), "job.log", "true"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "there is no sbatch on this machine" in done.stderr
