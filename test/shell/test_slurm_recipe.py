"""Recipes through a real Slurm: the same run.sh, steps and table as on this machine."""

from __future__ import annotations

import os
import signal
import sys

import pytest
import toys
from safetensors.torch import load_file
from small_project import ROOT, STAGES, until

SWEEP = ("--petl", "lora", "--seeds", "1 2")
SLURM = ("--launch", "slurm")
EXP = "exp/asr_es_moonshine_lora"


def jobs(cluster, field: str) -> list[str]:
    """A field of every job that Slurm remembers."""
    done = cluster.run("scontrol", "--oneliner", "show", "jobs")
    return [line.partition(f" {field}=")[2].split()[0] for line in done.stdout.splitlines() if f" {field}=" in line]


def test_a_sweep_is_one_job_for_each_experiment_and_ends_with_the_table(project, cluster):
    (project.root / "utils" / "cluster.sh").write_text("cluster_jobs=2\ncluster_threads=2\n")
    done = project.run(*SWEEP, *SLURM, "--time", "10", **cluster.variables)
    assert done.status == 0, done.err
    assert sorted(done.stages) == sorted([*STAGES[:3], *(STAGES[3:6] + STAGES[7:]) * 2, "report"])
    assert "train ran" not in done.out  # at the same time, so into the logs alone
    assert done.out.splitlines()[-4:-2] == [f"| {EXP}/seed1 | 1 |", f"| {EXP}/seed2 | 1 |"]
    names = [f"{EXP}/seed{seed}/{step}" for seed in "12" for step in ("train", "decode")]
    threads = dict(zip(jobs(cluster, "JobName"), jobs(cluster, "NumCPUs"), strict=True))
    assert {name: threads.get(name) for name in names} == dict.fromkeys(names, "2")
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
    assert "SIGUSR1: saved" in log and "queued again" in log and "\ngoing on at epoch " in log
    weights, expected = load_file(exp / "best.safetensors"), load_file(reference / "best.safetensors")
    assert all(weights[name].equal(expected[name]) for name in expected)
