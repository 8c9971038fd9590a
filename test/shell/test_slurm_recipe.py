"""Recipes with a real Slurm: the same run.sh, steps and table as on this machine."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
import toys
from safetensors.torch import load_file
from small_project import ROOT, STAGES, until

SWEEP = ("--petl", "lora", "--seeds", "1 2")
SLURM = ("--launch", "slurm")
EXP = "exp/asr_es_moonshine_lora"


def jobs(cluster, field: str) -> list[str]:
    """The value of a field for each job that Slurm remembers."""
    done = cluster.run("scontrol", "--oneliner", "show", "jobs")
    return [line.partition(f" {field}=")[2].split()[0] for line in done.stdout.splitlines() if f" {field}=" in line]


def test_a_sweep_is_one_job_for_each_experiment_and_ends_with_the_table(project, cluster):
    (project.root / "utils" / "cluster.sh").write_text("cluster_jobs=2\ncluster_threads=2\ncluster_nodes=2\n")
    done = project.run(*SWEEP, *SLURM, "--time", "10", **cluster.variables)
    assert done.status == 0, done.err
    # on each of two nodes, `train` is called once
    assert sorted(done.stages) == sorted([*STAGES[:3], *(STAGES[3:6] + ("train",) + STAGES[7:]) * 2, "report"])
    words = Counter(tuple(call[call.index("--nodes") :]) for call in done.calls if call[0] == "train")
    assert [(*call[:3], count) for call, count in words.items()] == [("--nodes", "2", "--rendezvous", 2)] * 2
    assert "train ran" not in done.out  # at the same time, so into the logs alone
    assert done.out.splitlines()[-4:-2] == [f"| {EXP}/seed1 | 1 |", f"| {EXP}/seed2 | 1 |"]
    names = [f"{EXP}/seed{seed}/{step}" for seed in "12" for step in ("train", "decode")]
    threads = dict(zip(jobs(cluster, "JobName"), jobs(cluster, "NumCPUs"), strict=True))
    assert [threads.get(name) for name in names] == ["4", "2"] * 2  # of both nodes together
    assert not [name for name in threads if name.endswith(("corpus", "score", "report", "pack"))]  # they ran here


def test_what_fails_is_reported_as_on_this_machine(project, cluster):
    done = project.run(*SWEEP, *SLURM, FAIL_AT=f"train {EXP}/seed2", **cluster.variables)
    assert done.status == 7 and done.stages.count("train") == 2 and "decode" not in done.stages
    assert f"stage 4 train failed with exit code 7: {EXP}/seed2 train" in done.err
    assert "  | the reason it failed" in done.err and done.err.count("resume:") == 1
    assert "--launch slurm" in done.err.partition("resume:")[2]


def test_ctrl_c_cancels_every_job(project, cluster):
    process = project.start(*SWEEP, *SLURM, "--force", "false", WAIT_AT="train exp", **cluster.variables)
    pids = [project.recipe / EXP / seed / "pid" for seed in ("seed1", "seed2")]
    until(lambda: all(pid.exists() for pid in pids), 60)
    assert len(cluster.queue()) == 2
    os.kill(process.pid, signal.SIGINT)
    done = project.finish(process)
    assert done.status == 130 and "stopped by SIGINT\n  resume:" in done.err
    assert cluster.queue() == []
    assert done.stages.count("train") == 2


EXACT = {"train__epochs": 30, "train__threads": 1, "petl__dropout": 0.0, "head__dropout": 0.0}


def on_two_nodes(corpus: Path, exp: Path, *launcher: str, **changes) -> tuple[str, ...]:
    """The call of slurm.sh that trains with one process on each of two nodes."""
    words = ("--nodes", "2", *launcher, str(exp.with_suffix(".log")), sys.executable, "-m", "sure.bin.train")
    together = ("--nodes", "2", "--rendezvous", "RENDEZVOUS")
    arguments = toys.train_arguments(corpus, exp, **changes)
    return ("bash", str(ROOT / "utils" / "launch" / "slurm.sh"), *words, *arguments, *together)


def assert_weights_close(exp: Path, reference: Path) -> None:
    weights, expected = load_file(exp / "best.safetensors"), load_file(reference / "best.safetensors")
    for name in expected:
        torch.testing.assert_close(weights[name], expected[name], rtol=1e-3, atol=2e-4)


def test_training_on_two_nodes_outlives_a_failed_node_and_ends_in_the_weights_of_one_process(cluster, tmp_path):
    corpus, exp = toys.make_corpus(tmp_path / "corpus"), tmp_path / "exp"
    training = cluster.start(*on_two_nodes(corpus, exp, **EXACT), cwd=ROOT)
    alone = toys.train_here(corpus, tmp_path / "alone", **EXACT)
    until((exp / "checkpoints" / "last.pt").exists, 300)
    for state in ("DOWN", "RESUME"):  # what the controller does when the slurmd of a node does not answer
        cluster.run("scontrol", "update", "NodeName=node2", f"State={state}", "Reason=test")
    out, err = training.communicate(timeout=400)
    assert training.returncode == 0, out + err
    assert "srun: error: Node failure on node2" in out and "resuming at epoch" in out
    assert_weights_close(exp, alone)


@pytest.mark.slow
def test_a_killed_agent_ends_all_nodes_with_the_name_of_its_node_and_the_same_command_goes_on(cluster, tmp_path):
    corpus, exp = toys.make_corpus(tmp_path / "corpus"), tmp_path / "exp"
    command = on_two_nodes(corpus, exp, **EXACT)
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
def test_two_nodes_are_preempted_queued_again_and_end_in_the_same_weights(cluster, tmp_path):
    corpus, changes = toys.make_corpus(tmp_path / "corpus"), {"train__epochs": 60, "train__threads": 1}
    launch = ("--threads", "4", "--partition", "low")
    reference = on_two_nodes(corpus, tmp_path / "reference", *launch, **changes)
    done = cluster.run(*reference, cwd=ROOT, timeout=240)
    assert done.returncode == 0, done.stderr
    training = cluster.start(*on_two_nodes(corpus, tmp_path / "exp", *launch, **changes), cwd=ROOT)
    until((tmp_path / "exp" / "metrics.jsonl").exists, 120)
    urgent = ("--threads", "4", "--partition", "high", str(tmp_path / "urgent.log"), "true")
    assert cluster.run("bash", str(ROOT / "utils" / "launch" / "slurm.sh"), *urgent, cwd=ROOT).returncode == 0
    out, err = training.communicate(timeout=400)
    assert training.returncode == 0, out + err
    assert "SIGUSR1: saved" in out and "queued again" in (tmp_path / "exp.log").read_text()
    toys.assert_same(tmp_path / "exp", tmp_path / "reference")


@pytest.mark.slow
def test_a_preempted_training_ends_in_the_same_weights(cluster, tmp_path):
    corpus = toys.make_corpus(tmp_path / "corpus")
    changes = {"train__epochs": 60, "train__threads": 1}
    reference = toys.train_here(corpus, tmp_path / "reference", **changes)
    exp = tmp_path / "exp"
    command = (sys.executable, "-m", "sure.bin.train", *toys.train_arguments(corpus, exp, **changes))
    launch = ("bash", str(ROOT / "utils" / "launch" / "slurm.sh"), "--threads", "4", "--partition")
    training = cluster.start(*launch, "low", str(tmp_path / "train.log"), *command, cwd=ROOT)
    until((exp / "metrics.jsonl").exists, 120)
    urgent = cluster.run(*launch, "high", str(tmp_path / "urgent.log"), "true", cwd=ROOT)
    assert urgent.returncode == 0 and not (exp / "summary.json").exists()
    _, err = training.communicate(timeout=600)
    assert training.returncode == 0, err
    log = (tmp_path / "train.log").read_text()
    assert "SIGUSR1: saved" in log and "queued again" in log and "\nresuming at epoch " in log
    weights, expected = load_file(exp / "best.safetensors"), load_file(reference / "best.safetensors")
    assert all(weights[name].equal(expected[name]) for name in expected)
