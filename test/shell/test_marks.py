"""What is skipped, what runs again, and what a killed or failed run leaves."""

from __future__ import annotations

import os
import signal

import pytest
from small_project import is_alive, kill, until

LORA = ("--petl", "lora")
ALL = ["download", "prepare", "tokenize", "train", "decode", "score", "report", "pack"]


def test_a_finished_run_skips_everything_and_shows_its_table_again(project, tmp_path):
    first = project.run()
    assert first.status == 0
    assert first.stages == [
        *ALL[:3],
        *["train"] * 3,
        *["decode"] * 3,
        *["score"] * 3,
        "report",
        *["pack"] * 3,
    ]
    table = "| exp/asr_es_moonshine_lora/seed1 | 1 |"
    assert first.out.count(table) == 1 and first.out.index(table) > first.out.index("# stage 8 pack")
    again = project.run(cwd=tmp_path)
    assert again.status == 0 and again.calls == []
    assert again.out.count("  skip ") == 4 + 3 * 4 + 1
    assert table in again.out


def test_more_seeds_and_methods_run_only_what_is_new(project):
    project.run(*LORA)
    done = project.run("--petl", "lora conv_adapter", "--seeds", "1 2")
    assert done.stages.count("train") == 3 and "prepare" not in done.stages
    assert done.calls[done.stages.index("report")][3:] == [
        f"exp/asr_es_moonshine_{name}"
        for name in ("lora/seed1", "lora/seed2", "conv_adapter/seed1", "conv_adapter/seed2")
    ]


def test_a_clone_that_was_moved_is_still_finished(project, tmp_path):
    project.run(*LORA)
    moved = tmp_path / "moved here"
    project.root.rename(moved)
    project.root, project.recipe = moved, moved / "egs" / "asterisk"
    assert project.run(*LORA).calls == []


def test_changed_inputs_run_the_stages_that_read_them(project):
    project.run(*LORA)
    (project.recipe / "exp/asr_es_moonshine_lora/seed1/decode_test/hyp.txt").write_text("other\n")
    done = project.run(*LORA)
    assert done.stages == ["score"] and "hyp.txt changed" in done.out
    (project.recipe / "exp/asr_es_moonshine_lora/seed1/decode_test/result.json").write_text("other\n")
    assert project.run(*LORA).stages == ["report", "pack"]


def test_a_lost_output_is_made_again(project):
    project.run(*LORA)
    (project.recipe / "exp/asr_es_results.md").unlink()
    done = project.run(*LORA)
    assert done.stages == ["report"] and "an output is missing" in done.out


def test_changed_settings_reach_the_trainer_which_knows_what_matters(project):
    project.run(*LORA)
    done = project.run(*LORA, "--set", "train.device=cpu")
    assert done.stages == ["train"] and "its settings changed" in done.out
    assert "--restart" not in done.calls[0]
    (project.recipe / "conf" / "asr.yaml").write_text("task: asr # other\n")
    assert "train" in project.run(*LORA, "--set", "train.device=cpu").stages


def test_a_trained_model_is_not_taken_for_one_of_other_data(project):
    project.run(*LORA)
    (project.recipe / "prepare.py").write_text("# version 2\n")
    done = project.run(*LORA)
    assert done.status == 1 and done.stages == ["prepare"]
    assert "data/asr_es/train/wav.scp" in done.err and "--stage train" in done.err and "--tag" in done.err
    assert project.run(*LORA).stages == []  # still refused
    tagged = project.run(*LORA, "--tag", "new")
    assert tagged.status == 0 and "train" in tagged.stages
    again = project.run(*LORA, "--stage", "train", "--stop_stage", "train")
    assert again.stages == ["train"] and again.calls[0][-1] == "--restart"
    assert project.run(*LORA).status == 0


def test_a_stage_asked_for_runs_again_and_training_starts_anew_only_when_it_had_finished(project):
    project.run(*LORA)
    done = project.run(*LORA, "--stage", "train", "--stop_stage", "decode")
    assert done.stages == ["train", "decode"] and done.calls[0][-1] == "--restart"
    assert "--restart" not in done.calls[1]
    half = project.run(*LORA, "--stage", "train", "--stop_stage", "train", KILL_AT="train")
    assert half.status == 137 and half.calls[0][-1] == "--restart"
    assert "problem: it was killed" in half.err
    again = project.run(*LORA, "--stage", "train", "--stop_stage", "train")
    assert again.status == 0 and "--restart" not in again.calls[0]


def test_force_without_a_stage(project):
    project.run(*LORA)
    assert project.run(*LORA, "--force", "true").stages == ALL
    assert project.run(*LORA, "--stage", "train", "--force", "false").stages == []


def test_a_failure_says_where_why_and_how_to_go_on(project, tmp_path):
    words = ("--petl", "linear_probe lora", "--tag", "a.b", "--set", "train.epochs=2 petl.sites=a b")
    done = project.run(*words, cwd=tmp_path, FAIL_AT="decode exp/asr_es_moonshine_lora")
    assert done.status == 7
    assert done.stages[-2:] == ["decode", "decode"]
    report = done.err
    for text in (
        "stage 5 decode failed with exit code 7: exp/asr_es_moonshine_lora_a.b/seed1",
        "command: python -m sure.bin.decode --exp exp/asr_es_moonshine_lora_a.b/seed1",
        f"log:     {project.recipe}/exp/asr_es_moonshine_lora_a.b/seed1/log/decode.log",
        "  | the reason it failed",
    ):
        assert text in report
    resume = report.partition("resume:")[2].strip()
    project.root.joinpath("calls.txt").unlink()
    resumed = project.script(f"cd {str(tmp_path)!r} && {resume}")
    assert resumed.status == 0, resumed.err
    calls = project.root.joinpath("calls.txt").read_text().split("\n")
    assert [call.split("\t")[0] for call in calls if call] == [
        "decode",
        "score",
        "score",
        "report",
        "pack",
        "pack",
    ]


def test_the_resume_command_of_stages_asked_for_does_not_repeat_them(project):
    project.run(*LORA)
    done = project.run(*LORA, "--stage", "train", "--stop_stage", "score", FAIL_AT="decode exp")
    assert done.status == 7 and done.stages == ["train", "decode"]
    resume = done.err.partition("resume:")[2].strip()
    assert resume.endswith("--stop_stage score --petl lora --stage decode --force false")
    project.root.joinpath("calls.txt").unlink()
    assert project.script(resume).status == 0
    calls = project.root.joinpath("calls.txt").read_text().split("\n")
    assert [call.split("\t")[0] for call in calls if call] == ["decode"]  # its output is as before: no new scores


def test_an_output_that_is_missing_is_a_failure(project):
    bin_folder = project.root / "sure" / "bin"
    (bin_folder / "tokenize.py").write_text("print('nothing left')\n")
    done = project.run(*LORA)
    assert done.status == 1 and "did not write data/asr_es/tokens" in done.err
    assert done.stages == ["download", "prepare"]


def test_a_mistake_in_a_recipe_is_reported_with_its_command(project):
    run = project.recipe / "run.sh"
    run.write_text(run.read_text().replace("run_stages\n", "stage_prepare() { cp nowhere here; }\nrun_stages\n"))
    done = project.run(*LORA)
    assert done.status == 1 and done.stages == ["download"]
    assert "stage 2 prepare failed with exit code 1" in done.err and "cp nowhere here" in done.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_run_goes_on_where_it_was(project, number):
    process = project.start("--petl", "linear_probe lora", WAIT_AT="train exp/asr_es_moonshine_lora")
    until((project.recipe / "exp/asr_es_moonshine_lora/seed1/pid").exists)
    kill(process, number)
    done = project.run("--petl", "linear_probe lora")
    assert done.status == 0
    assert [call[4] for call in done.calls if call[0] == "train"] == ["exp/asr_es_moonshine_lora/seed1"]
    assert "--restart" not in done.calls[0]


@pytest.mark.parametrize(("number", "nj"), [(signal.SIGINT, "1"), (signal.SIGTERM, "1"), (signal.SIGHUP, "2")])
def test_a_signal_to_run_sh_alone_stops_what_it_started_and_says_how_to_go_on(project, number, nj):
    process = project.start(*LORA, "--nj", nj, WAIT_AT="train exp")
    pid = project.recipe / "exp/asr_es_moonshine_lora/seed1/pid"
    until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    os.kill(process.pid, number)
    done = project.finish(process)
    assert done.status == 128 + number and not is_alive(int(pid.read_text()))
    how = f"stopped by {signal.Signals(number).name}\n  resume:  '{project.recipe}/run.sh' --petl lora --nj {nj}\n"
    assert done.err.endswith(how)
    assert done.err.count("resume:") == 1 and "failed" not in done.err


def test_what_was_asked_to_stop_and_has_saved_says_so(project):
    (project.root / "sure" / "bin" / "train.py").write_text("raise SystemExit(75)\n")
    done = project.run(*LORA)
    assert done.status == 75 and "problem: it was asked to stop, and has saved its progress" in done.err


def test_a_run_waits_for_the_trainer_that_a_killed_one_left(project):
    process = project.start(*LORA, WAIT_AT="train exp", WAIT="3")
    pid_file = project.recipe / "exp/asr_es_moonshine_lora/seed1/pid"
    until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    process.kill()  # bash alone: the trainer lives on
    process.wait()
    trainer = int(pid_file.read_text())
    assert is_alive(trainer)
    done = project.run(*LORA)
    assert done.status == 0 and not is_alive(trainer)
    assert "waiting for another run that works on exp/asr_es_moonshine_lora/seed1 train" in done.out
    process.stdout.close()
    process.stderr.close()


def test_experiments_at_the_same_time(project):
    done = project.run("--seeds", "1 2", "--nj", "4")
    assert done.status == 0
    assert sorted(done.stages) == sorted([*ALL[:3], *(ALL[3:6] + ALL[7:]) * 6, "report"])
    assert project.run("--seeds", "1 2", "--nj", "4").calls == []
    folders = sorted(path.parent.name + path.name for path in project.recipe.glob("exp/*/seed*"))
    assert len(folders) == 6


def test_of_experiments_at_the_same_time_one_that_fails_is_named_and_the_others_are_finished(project):
    done = project.run("--nj", "3", "--set", "train.epochs=1", FAIL_AT="train exp/asr_es_moonshine_conv_adapter")
    assert done.status == 7
    assert done.err.count("exp/asr_es_moonshine_conv_adapter/seed1") >= 1
    assert done.err.count("resume:") == 1
    assert done.stages.count("train") == 3 and "decode" not in done.stages
    resumed = project.run("--nj", "3", "--set", "train.epochs=1")
    assert resumed.status == 0 and resumed.stages.count("train") == 1


def test_an_interrupted_run_stops_everything_that_it_started_at_the_same_time(project):
    process = project.start("--nj", "3", WAIT_AT="train exp")
    pids = [
        project.recipe / f"exp/asr_es_moonshine_{name}/seed1/pid" for name in ("linear_probe", "conv_adapter", "lora")
    ]
    until(lambda: all(path.exists() and path.read_text().endswith("\n") for path in pids))
    os.kill(process.pid, signal.SIGINT)
    done = project.finish(process)
    assert done.status == 130
    until(lambda: not any(is_alive(int(path.read_text())) for path in pids))


def test_a_language_of_the_sources_has_a_mark_of_its_own(project):
    run = project.recipe / "run.sh"
    run.write_text(run.read_text().replace('  . "$root', '  source_options=(lang="$lang")\n  . "$root', 1))
    english, french = ("--lang", "en", *LORA), ("--lang", "fr", *LORA)
    for language in (english, french):
        done = project.run(*language)
        assert done.status == 0 and done.stages == ALL
        assert done.calls[0][-1] == f"lang={language[1]}"
    for language in (english, french):
        assert project.run(*language).calls == []
