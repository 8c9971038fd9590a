"""Choosing a learning rate by successive halving, and as many experiments at once as the machine has processors."""

import os
import signal

from small_project import METHODS, until

SEARCH = ("--petl", "lora linear_probe", "--rates", "1e-3 3e-3 1e-2", "--seeds", "2 1", "--search", "halving")
BEST = {"KEPT": "rate3e-3/", "SURE_FORKS": ""}
FINAL = [f"exp/asr_es_moonshine_{method}_rate3e-3/seed{seed}" for method in ("lora", "linear_probe") for seed in (2, 1)]


def trained(done, word):
    """The folders of trainings with the word in their arguments, and of those without."""
    calls = [(call[call.index("--exp") + 1], word in call) for call in done.of("train")]
    return [exp for exp, has in calls if has], [exp for exp, has in calls if not has]


def test_all_rates_train_in_part_with_the_first_seed_and_the_best_to_the_end_with_all_seeds(project):
    done = project.run(*SEARCH, **BEST)
    assert done.status == 0, done.err
    parts, wholes = trained(done, "--part")
    assert len(parts) == 6 and all(exp.endswith("/seed2") for exp in parts) and len(set(parts)) == 6
    assert wholes == FINAL and [call[2] for call in done.of("decode")] == FINAL
    assert [call[2] for call in done.of("pack")] == FINAL and done.of("report")[0][3:] == FINAL
    assert done.of("rates")[-1][1] == "--part=1/3" and len(done.of("rates")[-1]) == 8  # the table
    again = project.run(*SEARCH, **BEST)
    assert again.status == 0 and set(again.stages) == {"rates"}
    score = project.run(*SEARCH, "--stage", "score", "--stop_stage", "score", **BEST)
    assert [call[2] for call in score.of("score")] == FINAL


def test_a_search_that_failed_goes_on_and_one_that_is_repeated_restarts_each_training_once(project):
    words = (*SEARCH, "--stop_stage", "train", "--nj", "2")
    done = project.run(*words, FAIL_AT=f"train {FINAL[1]}", **BEST)
    assert done.status == 7 and f"stage 4 train failed with exit code 7: {FINAL[1]}" in done.err
    assert [call[call.index("--exp") + 1] for call in project.run(*words, **BEST).of("train")] == [FINAL[1]]
    done = project.run(*words, "--stage", "train", **BEST)
    restarted, continued = trained(done, "--restart")
    assert len(restarted) == 8 and sorted(continued) == [FINAL[2], FINAL[0]]


def test_auto_runs_an_experiment_on_each_processor_whatever_the_number_of_threads(project, tmp_path):
    (tmp_path / "nproc").write_text('#!/bin/sh\necho "${OMP_NUM_THREADS:-3}"\n')
    (tmp_path / "nproc").chmod(0o755)
    (tmp_path / "nvidia-smi").symlink_to("/bin/false")
    path = f"{tmp_path}:{os.environ['PATH']}"
    process = project.start("--nj", "auto", WAIT_AT="train exp", PATH=path, OMP_NUM_THREADS="1")
    pids = [project.recipe / f"exp/asr_es_moonshine_{name}/seed1/pid" for name in METHODS]
    until(lambda: all(pid.exists() for pid in pids))
    os.kill(process.pid, signal.SIGINT)
    assert project.finish(process).status == 130
