"""Recipes and trainings with a real Slurm: the same steps, table and weights as on this machine."""

import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
import toys
from safetensors.torch import load_file
from small_project import ROOT, STAGES, until

SWEEP = ("--petl", "lora", "--seeds", "1 2", "--launch", "slurm")
EXP = "exp/asr_es_moonshine_lora"
EXACT = {"train__epochs": 15, "train__threads": 1, "petl__dropout": 0.0, "head__dropout": 0.0}


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
    out, err = training.communicate(timeout=400)
    assert training.returncode == 0, out + err
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
    out, err = training.communicate(timeout=120)
    assert training.returncode == 137, out + err
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
    out, err = training.communicate(timeout=400)
    assert training.returncode == 0, out + err
    assert "SIGUSR1: saved" in out and "resuming at epoch" in out
    assert "queued again" in exp.with_suffix(".log").read_text()
    toys.assert_same(exp, reference)
