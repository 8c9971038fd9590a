"""utils/launch/slurm.sh alone, with a real Slurm: nodes, allocations, cancelled, stopped and requeued jobs."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest
from slurm_cluster import CPUS, GPUS, TOOLS, end
from small_project import BASH, is_alive, until

# A stand-in for the trainer: on SIGUSR1 it saves and exits with 75; the next call resumes.
TRAINER = """
[ -e saved ] && { echo resumed; exit 0; }
trap 'echo signal >saved; exit 75' USR1
touch begun
for i in $(seq 600); do sleep 0.1; done
"""
WHOLE = ("--threads", str(CPUS))  # all processors of a node


@pytest.mark.skipif(not GPUS, reason="only root can make the device files of fake GPUs")
def test_a_job_gets_the_gpus_that_it_asks_for_by_the_words_of_the_site(slurm):
    slurm.settings.write_text("cluster_gpu_words=(--gpus-per-node=GPUS)\ncluster_gpu_partition=high\n")
    done = slurm.run("--gpu", "2", "job.log", *BASH, "echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_PARTITION")
    assert done.returncode == 0 and done.stdout == "0,1 high\n"


def test_a_command_on_two_nodes_runs_once_on_each_with_the_same_rendezvous(slurm):
    show = 'echo "$SLURMD_NODENAME $1 $OMP_NUM_THREADS $SLURM_CPUS_PER_TASK ${CUDA_VISIBLE_DEVICES-none}"; exit 75'
    gpu = ("--gpu", "2") if GPUS else ()
    slurm.settings.write_text("cluster_restarts=0\n")
    done = slurm.run("--nodes", "2", "--threads", "3", *gpu, "job.log", *BASH, show, "bash", "RENDEZVOUS")
    assert done.returncode == 75, done.stderr
    lines = sorted(line.split() for line in done.stdout.splitlines() if line.startswith("node"))
    assert [line[0] for line in lines] == ["node1", "node2"] and lines[0][1:] == lines[1][1:], done.stdout
    assert lines[0][2:] == ["3", "3", "0,1" if gpu else "none"]
    host, _, port = lines[0][1].partition(":")
    assert host == os.uname().nodename.partition(".")[0] and 20000 <= int(port) < 30000


def test_when_the_command_of_one_node_is_killed_the_node_is_named_and_the_job_has_failed(slurm):
    task = "touch begun.$SLURM_NODEID; [ $SLURM_NODEID = 0 ] || kill -9 $$; until [ -e end ]; do sleep 0.1; done; "
    words = ("--quiet", "true", "--nodes", "2", "job.log", *BASH, task + "exit 2")
    process = slurm.start(*words, begun="begun.*", count=2)
    until(lambda: "srun: error: node2: task 1: Killed" in slurm.log(), 60)
    (slurm.folder / "end").touch()
    end(process, 137)
    assert "srun: error: node1: task 0: Exited with exit code 2" in slurm.log()


@pytest.mark.slow
def test_a_node_that_vanishes_is_named(slurm):
    task = "echo $$ >part.$SLURM_NODEID; mv part.$SLURM_NODEID pid.$SLURM_NODEID; "
    task += "[ $SLURM_NODEID = 0 ] || exec sleep 300; until [ -e end ]; do sleep 0.1; done; exit 2"
    process = slurm.start("--nodes", "2", "job.log", *BASH, task, begun="pid.*", count=2)
    command = int(slurm.log("pid.1"))
    parent = int(Path(f"/proc/{command}/stat").read_text().rpartition(")")[2].split()[1])
    folder = slurm.cluster.folder
    for pid in (int((folder / "run" / "slurmd.node2.pid").read_text()), parent, command):
        os.kill(pid, signal.SIGKILL)
    (slurm.folder / "end").touch()
    _, err = process.communicate(timeout=150)
    slurm.cluster.run("bash", str(TOOLS / "start_slurm.sh"), str(folder))
    assert process.returncode == 2 and "status 2: no answer from node2, which may have failed" in err


def test_inside_an_allocation_steps_on_several_nodes_have_a_port_each(slurm):
    call = shlex.join([*slurm.call, "--nodes", "2", "JOB=1:2", "JOB.log", "echo", "RENDEZVOUS"])
    done = slurm.cluster.run("salloc", "-N2", "-n4", *BASH, call, cwd=slurm.folder)
    assert done.returncode == 0, done.stderr
    both = [re.findall(r"^\S+:(\d+)$", slurm.log(f"{number}.log"), re.MULTILINE) for number in (1, 2)]
    assert [len(ports) for ports in both] == [2, 2] and len({*both[0]}) == len({*both[1]}) == 1 and both[0] != both[1]
    done = slurm.cluster.run("salloc", "-N1", *BASH, call, cwd=slurm.folder)
    assert done.returncode == 2 and "--nodes 2: this allocation has 1" in done.stderr


@pytest.mark.parametrize("allocate", ["srun", "salloc"])
def test_inside_an_allocation_a_command_runs_there(slurm, allocate):
    show = 'echo "step: $SLURM_JOB_ID $SLURM_STEP_ID ${SLURMD_NODENAME:+on a node}"; squeue -h -o "running: %i"; exit 5'
    done = slurm.cluster.run(allocate, "-n1", *slurm.call, "job.log", *BASH, show, cwd=slurm.folder)
    assert done.returncode == 5, done.stderr
    # srun may write lines between them
    steps, running = (re.findall(rf"^{name}: (.*)$", done.stdout, re.MULTILINE) for name in ("step", "running"))
    assert len(running) == 1 and steps == [f"{running[0]} 0 on a node"], done.stdout


def test_a_cancelled_task_has_failed_and_the_others_run(slurm):
    task = "touch begun.JOB; [ JOB = 2 ] && sleep 60; echo ran"
    process = slurm.start("JOB=1:2", "JOB.log", *BASH, task, begun="begun.*", count=2)
    until(lambda: len(slurm.cluster.queue()) == 1)
    slurm.cluster.run("scancel", slurm.cluster.queue()[0][0])
    out, err = end(process, 1)
    assert out == "" and "task 2 failed with no status: it has left the queue, CANCELLED; 2.log ends:" in err
    assert "CANCELLED AT" in slurm.log("2.log") and "\nran\n# status 0, " in slurm.log("1.log")


def test_one_log_has_one_caller_at_a_time_and_a_signal_cancels_the_job_and_waits_for_its_end(slurm):
    process = slurm.start("job.log", *BASH, "echo $$ >pid; mv pid begun; sleep 60")
    assert [state for _, _, state in slurm.cluster.queue()] == ["RUNNING"]
    second = slurm.run("job.log", "true")
    assert second.returncode == 2 and "another call with the log job.log waits for job" in second.stderr
    os.kill(process.pid, signal.SIGTERM)
    _, err = end(process, 143)
    assert "stopped by SIGTERM: job " in err and err.endswith("is cancelled\n")
    assert not is_alive(int(slurm.log("begun")))


def test_the_job_of_a_caller_that_was_killed_is_cancelled_by_the_next_call(slurm):
    first = slurm.start("job.log", *BASH, TRAINER)
    ((job, _, _),) = slurm.cluster.queue()
    first.kill()
    first.communicate(timeout=60)
    done = slurm.run("job.log", *BASH, "echo second")
    assert done.returncode == 0 and done.stdout == "second\n"
    assert f"# job {job} of a killed call is cancelled" in done.stderr


def test_preempted_by_a_job_of_higher_priority_a_trainer_saves_is_queued_again_and_resumes(slurm):
    trainer = slurm.start(*WHOLE, "--partition", "low", "train.log", *BASH, TRAINER)
    urgent = slurm.run(*WHOLE, "--partition", "high", "urgent.log", "test", "-e", "saved")
    assert urgent.returncode == 0, urgent.stderr
    out, _ = end(trainer, 0, timeout=120)
    log = slurm.log("train.log")
    assert out.splitlines()[-1] == "resumed"
    assert "# status 75, " in log and "# stopped by the queue for the 1. time of at most 20: queued again" in log


@pytest.mark.slow
def test_a_trainer_that_reaches_its_time_limit_saves_is_queued_again_and_resumes(slurm):
    slurm.settings.write_text("cluster_warning=15\n")
    done = slurm.run("--time", "1", "train.log", *BASH, TRAINER)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "resumed" and "queued again" in slurm.log("train.log")


OTHER_NODE = "[ $SLURM_NODEID = 0 ] || exit 3; exec sleep 300"  # it is ended after a minute


@pytest.mark.parametrize(
    ("words", "command", "status", "message", "logged"),
    [
        ((), "echo last words; kill -9 $PPID", 1, "ended with no status: it has left the queue, FAILED", "last words"),
        ((), "echo run; exit 75", 75, "stopped it 2 times .* utils/cluster.sh allows cluster_restarts=1",
         r"(?s)\nrun\n.*\nrun\n"),
        pytest.param(("--time", "1"), "trap '' USR1 TERM; sleep 300", 1, r"TIMEOUT \(pass a longer --time\)",
                     "DUE TO TIME LIMIT", marks=pytest.mark.slow),
        pytest.param(("--nodes", "2"), OTHER_NODE, 137, "",
                     "srun: error: node2: task 1: Exited with exit code 3", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_job_that_does_not_end_by_itself_has_failed_with_the_reason(slurm, words, command, status, message, logged):
    slurm.settings.write_text("cluster_restarts=1\n")
    done = slurm.run(*words, "job.log", *BASH, command, timeout=240)
    assert done.returncode == status and re.search(message, done.stderr), done.stderr
    assert re.search(logged, slurm.log())


def test_a_call_that_sbatch_refuses_is_one_error(slurm):
    done = slurm.run("--partition", "nowhere", "job.log", "true")
    assert done.returncode == 2 and "sbatch refused the job: sbatch: error: invalid partition" in done.stderr


def test_without_slurm_the_error_names_the_missing_command(project, tmp_path):
    for tool in ("bash", "dirname", "basename"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    command = [tmp_path / "bash", str(project.root / "utils" / "launch" / "slurm.sh"), "job.log", "true"]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no sbatch on this machine" in done.stderr
