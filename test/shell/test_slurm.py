"""A real Slurm: nodes, allocations, stopped and requeued jobs of slurm.sh; recipes and trainings by it."""

import os
import re
import shlex
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
import toys
from safetensors.torch import load_file
from slurm_cluster import CPUS, GPUS, TOOLS, end
from small_project import BASH, ROOT, STAGES, is_alive, until

# A stand-in for the trainer: on SIGUSR1 it saves and exits with 75; the next call resumes.
TRAINER = """
[ -e saved ] && { echo resumed; exit 0; }
trap 'echo signal >saved; exit 75' USR1
touch begun
for i in $(seq 600); do sleep 0.1; done
"""
SWEEP = ("--petl", "lora", "--seeds", "1 2", "--launch", "slurm")
EXP = "exp/asr_es_moonshine_lora"
EXACT = {"train__epochs": 15, "train__threads": 1, "petl__dropout": 0.0, "head__dropout": 0.0}


@pytest.mark.skipif(not GPUS, reason="only root can make the device files of fake GPUs")
def test_a_job_gets_the_gpus_that_it_asks_for_by_the_words_of_the_site(slurm):
    slurm.settings.write_text("cluster_gpu_words=(--gpus-per-node=GPUS)\ncluster_gpu_partition=high\n")
    done = slurm.run("--gpu", "2", "job.log", *BASH, "echo $CUDA_VISIBLE_DEVICES $SLURM_JOB_PARTITION")
    assert done.returncode == 0 and done.stdout == "0,1 high\n"


def test_a_command_on_two_nodes_runs_once_on_each_with_the_same_rendezvous(slurm):
    show = 'echo "$SLURMD_NODENAME $1 $OMP_NUM_THREADS $SLURM_CPUS_PER_TASK ${CUDA_VISIBLE_DEVICES-none}"; exit 5'
    gpu = ("--gpu", "2") if GPUS else ()
    done = slurm.run("--nodes", "2", "--threads", "3", *gpu, "job.log", *BASH, show, "bash", "RENDEZVOUS")
    assert done.returncode == 5, done.stderr
    found = dict(re.findall(r"^(node\d) (.*)$", done.stdout, re.MULTILINE))
    assert found.keys() == {"node1", "node2"} and found["node1"] == found["node2"], done.stdout
    host, gpus = os.uname().nodename.partition(".")[0], "0,1" if gpu else "none"
    assert re.fullmatch(rf"{re.escape(host)}:2\d{{4}} 3 3 {gpus}", found["node1"]), done.stdout


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
    trainer = slurm.start("--threads", str(CPUS), "--partition", "low", "train.log", *BASH, TRAINER)  # a whole node
    urgent = slurm.run("--threads", str(CPUS), "--partition", "high", "urgent.log", "test", "-e", "saved")
    assert urgent.returncode == 0, urgent.stderr
    out, _ = end(trainer, 0, timeout=120)
    log = slurm.log("train.log")
    assert out.splitlines()[-1] == "resumed"
    assert "# status 75, " in log and "# stopped by the queue for the 1. time of at most 20: queued again" in log


@pytest.mark.parametrize(
    ("words", "command", "status", "message", "logged"),
    [
        ((), "echo last words; kill -9 $PPID", 1, "ended with no status: it has left the queue, FAILED", "last words"),
        ((), "echo run; exit 75", 75, "stopped it 2 times .* utils/cluster.sh allows cluster_restarts=1",
         r"(?s)\nrun\n.*\nrun\n"),
        pytest.param(("--time", "1"), "trap '' USR1 TERM; sleep 300", 1, r"TIMEOUT \(pass a longer --time\)",
                     "DUE TO TIME LIMIT", marks=pytest.mark.slow),
        pytest.param(("--time", "1"), TRAINER, 0, "", r"(?s)queued again\n.*\nresumed\n", marks=pytest.mark.slow),
        pytest.param(("--nodes", "2"), "[ $SLURM_NODEID = 0 ] || exit 3; exec sleep 300", 137, "",  # after a minute
                     "srun: error: node2: task 1: Exited with exit code 3", marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_a_stopped_job_is_queued_again_or_has_failed_with_the_reason(slurm, words, command, status, message, logged):
    slurm.settings.write_text("cluster_restarts=1\ncluster_warning=15\n")
    done = slurm.run(*words, "job.log", *BASH, command, timeout=240)
    assert done.returncode == status and re.search(message, done.stderr), done.stderr
    assert re.search(logged, slurm.log())


def test_where_no_job_can_be_submitted_the_error_names_the_reason(slurm, tmp_path):
    done = slurm.run("--partition", "nowhere", "job.log", "true")
    assert done.returncode == 2 and "sbatch refused the job: sbatch: error: invalid partition" in done.stderr
    for tool in ("bash", "dirname", "basename"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    done = slurm.cluster.run(*slurm.call, "job.log", "true", env={"PATH": str(tmp_path)})
    assert done.returncode == 2 and "there is no sbatch on this machine" in done.stderr


def test_a_sweep_is_one_job_for_each_experiment_and_ends_with_the_table(project, cluster):
    (project.root / "utils" / "cluster.sh").write_text("cluster_jobs=2\ncluster_threads=2\ncluster_nodes=2\n")
    done = project.run(*SWEEP, "--time", "10", **cluster.variables)
    assert done.status == 0, done.err
    # on each of two nodes, `train` is called once
    assert sorted(done.stages) == sorted([*STAGES[:3], *(STAGES[3:6] + ("train",) + STAGES[7:]) * 2, "report"])
    words = Counter(tuple(call[call.index("--nodes") :]) for call in done.of("train"))
    assert [(*call[:3], count) for call, count in words.items()] == [("--nodes", "2", "--rendezvous", 2)] * 2
    assert "train ran" not in done.out  # at the same time, so into the logs alone
    assert done.out.splitlines()[-4:-2] == [f"| {EXP}/seed1 | 1 |", f"| {EXP}/seed2 | 1 |"]
    names = [f"{EXP}/seed{seed}/{step}" for seed in "12" for step in ("train", "decode")]
    jobs = cluster.run("scontrol", "--oneliner", "show", "jobs").stdout
    threads = dict(re.findall(" JobName=([^ ]*) .* NumCPUs=([0-9]+) ", jobs))
    assert [threads.get(name) for name in names] == ["4", "2"] * 2  # of both nodes together
    assert not [name for name in threads if name.endswith(("corpus", "score", "report", "pack"))]  # they ran here


def test_a_failure_is_reported_as_on_this_machine_and_ctrl_c_cancels_every_job(finished, cluster):
    words = (*SWEEP, "--tag", "x", "--stop_stage", "train")
    done = finished.run(*words, FAIL_AT=f"train {EXP}_x/seed2", **cluster.variables)
    assert done.status == 7 and done.stages == ["train", "train"]
    assert f"stage 4 train failed with exit code 7: {EXP}_x/seed2 train" in done.err
    assert "  | the reason it failed" in done.err and done.err.count("resume:") == 1
    assert "--launch slurm" in done.err.partition("resume:")[2]
    process = finished.start(*words, "--force", "true", WAIT_AT="train exp", **cluster.variables)
    pids = [finished.recipe / f"{EXP}_x" / seed / "pid" for seed in ("seed1", "seed2")]
    until(lambda: all(pid.exists() for pid in pids), 60)
    assert len(cluster.queue()) == 2
    os.kill(process.pid, signal.SIGINT)
    done = finished.finish(process)
    assert done.status == 130 and "stopped by SIGINT\n  resume:" in done.err
    assert cluster.queue() == [] and len(done.of("train")) == 2


def call(corpus: Path, exp: Path, *launcher: str, nodes: int = 2, **changes) -> tuple[str, ...]:
    """The call of slurm.sh that trains with one process on each node."""
    count, rendezvous = (("--nodes", str(nodes)), ("--rendezvous", "RENDEZVOUS")) if nodes > 1 else ((), ())
    train = (sys.executable, "-m", "sure.bin.train", *toys.train_arguments(corpus, exp, **changes))
    slurm = ("bash", str(ROOT / "utils" / "launch" / "slurm.sh"))
    return *slurm, *count, *launcher, str(exp.with_suffix(".log")), *train, *count, *rendezvous


def assert_weights_close(exp: Path, reference: Path) -> None:
    weights, expected = (load_file(folder / "best.safetensors") for folder in (exp, reference))
    torch.testing.assert_close(weights, expected, rtol=1e-3, atol=2e-4)


def test_training_on_two_nodes_survives_a_failed_node_and_ends_in_the_weights_of_one_process(cluster, tmp_path):
    corpus, exp = toys.make_corpus(tmp_path / "corpus"), tmp_path / "exp"
    training = cluster.start(*call(corpus, exp, **EXACT), cwd=ROOT)
    until((exp / "checkpoints" / "last.pt").exists, 300)
    for state in ("DOWN", "RESUME"):  # as by the controller when the slurmd of a node does not answer
        cluster.run("scontrol", "update", "NodeName=node2", f"State={state}", "Reason=test")
    alone = toys.train_here(corpus, tmp_path / "alone", **EXACT)
    out, _ = end(training, 0, timeout=400)
    assert "srun: error: Node failure on node2" in out and "resuming at epoch" in out
    assert_weights_close(exp, alone)


@pytest.mark.slow
def test_a_killed_agent_ends_all_nodes_with_the_name_of_its_node_and_the_same_command_resumes(cluster, tmp_path):
    corpus, exp = toys.make_corpus(tmp_path / "corpus"), tmp_path / "exp"
    command = call(corpus, exp, **EXACT)
    training = cluster.start(*command, cwd=ROOT)
    until((exp / "checkpoints" / "last.pt").exists, 300)
    listed = cluster.run("scontrol", "listpids", "*", "node2").stdout.splitlines()[1:]
    (agent,) = {int(pid) for pid, _, step, task, _ in map(str.split, listed) if (step, task) == ("0", "0")} - {-1}
    os.kill(agent, signal.SIGKILL)
    out, _ = end(training, 137, timeout=120)
    assert "srun: error: node2: task 1: Killed" in out and "another process of this training has ended" in out
    done = cluster.run(*command, cwd=ROOT, timeout=240)
    assert done.returncode == 0 and "resuming at epoch" in done.stdout, done.stderr
    assert_weights_close(exp, toys.train_here(corpus, tmp_path / "alone", **EXACT))


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
def test_a_preempted_training_is_queued_again_and_ends_in_the_same_weights(cluster, tmp_path, nodes):
    corpus, exp, reference = toys.make_corpus(tmp_path / "corpus"), tmp_path / "exp", tmp_path / "reference"
    low, changes = ("--threads", "4", "--partition", "low"), {"train__epochs": 60, "train__threads": 1}
    done = cluster.run(*call(corpus, reference, *low, nodes=nodes, **changes), cwd=ROOT, timeout=240)
    assert done.returncode == 0, done.stderr
    training = cluster.start(*call(corpus, exp, *low, nodes=nodes, **changes), cwd=ROOT)
    until((exp / "metrics.jsonl").exists, 120)
    high = ("--threads", "4", "--partition", "high", *(("--nodes", "2") if nodes == 1 else ()))
    urgent = ("bash", str(ROOT / "utils" / "launch" / "slurm.sh"), *high, str(tmp_path / "urgent.log"), "true")
    assert cluster.run(*urgent, cwd=ROOT).returncode == 0 and not (exp / "summary.json").exists()
    out, _ = end(training, 0, timeout=400)
    assert "SIGUSR1: saved" in out and "resuming at epoch" in out
    assert "queued again" in exp.with_suffix(".log").read_text()
    toys.assert_same(exp, reference)
