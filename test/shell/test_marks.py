"""Finished steps are skipped, steps with changed inputs run again, and stopped or failed runs can be resumed."""

import os
import signal
import time

import pytest
from small_project import METHODS, STAGES, is_alive, until

LORA = ("--petl", "lora")
TRAIN = (*LORA, "--stage", "train", "--stop_stage", "train")
EXP = "exp/asr_es_moonshine_lora/seed1"


def test_a_finished_run_skips_everything_and_shows_its_table_again(project, tmp_path):
    other = project.recipe / "exp/asr_es_new_moonshine_lora/seed1/decode_test"  # of a dataset with a longer name
    other.mkdir(parents=True)
    (other / "result.json").write_text("{}")
    first = project.run()
    each = [*["train"] * 3, *["decode"] * 3, *["score"] * 3, "report", *["pack"] * 3]
    assert first.status == 0 and first.stages == [*STAGES[:3], *each]
    table = f"| {EXP} | 1 |"
    assert (
        first.out.count(table) == 1
        and "asr_es_new" not in first.out
        and first.out.index(table) > first.out.index("# stage 8 pack")
    )
    again = project.run(cwd=tmp_path)
    assert again.status == 0 and again.calls == []
    assert again.out.count("  skip ") == 4 + 3 * 4 + 1 and table in again.out


@pytest.mark.parametrize(
    ("file", "text", "words", "stages", "reason"),
    [
        ("prepare.py", "# version 1\n", (), [], "skip"),  # as it was
        (f"{EXP}/decode_test/hyp.txt", "other\n", (), ["score"], "hyp.txt changed"),
        (f"{EXP}/decode_test/result.json", "other\n", (), ["report", "pack"], "result.json changed"),
        ("exp/asr_es_results.md", None, (), ["report"], "an output is missing"),
        ("conf/asr.yaml", "task: asr # other\n", (), ["tokenize", "train"], "conf/asr.yaml changed"),
        ("data/asr_es/dev/text", "other\n", ("--stop_stage", "tokenize"), ["tokenize"], "dev/text changed"),
        ("data/asr_es/dev/utt2lang", "u es\n", ("--stop_stage", "tokenize"), ["tokenize"], "dev/utt2lang changed"),
        # no step reads README.md; the trainer knows which settings matter
        ("README.md", "", ("--set", "train.device=cpu"), ["train"], "its settings changed"),
        ("README.md", "", ("--force", "true"), list(STAGES), "asked for"),
        ("README.md", "", ("--stage", "train", "--force", "false"), [], "skip"),
        ("README.md", "", ("--stage", "train", "--stop_stage", "decode"), ["train", "decode"], "asked for"),
        ("README.md", "", ("--petl", "lora conv_adapter"), [*STAGES[3:]], "skip"),
    ],
)
def test_only_steps_with_changes_run_again(finished, file, text, words, stages, reason):
    path = finished.recipe / file
    path.unlink() if text is None else path.write_text(text)
    done = finished.run(*(() if "--petl" in words else LORA), *words)
    assert done.status == 0 and done.stages == stages and reason in done.out
    restarted = [call[0] for call in done.calls if "--restart" in call]
    assert restarted == ["train"] * (reason == "asked for" and "train" in stages)


def test_a_training_knows_the_folders_of_all_that_are_not_finished(finished):
    before = time.time()
    finished.run("--stop_stage", "train")
    log = (finished.recipe / EXP.replace("lora", "conv_adapter") / "log" / "train.log").read_text()
    start, at_once, *folders = log.partition("train ran ")[2].splitlines()[0].split()
    assert before - 1 <= int(start) <= time.time() and at_once == "1"
    assert folders == [EXP.replace("lora", method) for method in METHODS if method != "lora"]


def test_a_dry_run_calls_finished_what_would_be_skipped(finished):
    words = (*LORA, "--dry_run", "true")
    assert finished.run(*words).out.count("# finished") == 9 and "# runs" not in finished.run(*words).out
    (finished.recipe / "conf" / "asr.yaml").write_text("task: asr # other\n")
    shown = finished.run(*words).out
    assert shown.count("# finished") == 3 and shown.count("# runs, again: conf/asr.yaml changed") == 1  # tokens
    shown = finished.run(*words, "--set", "train.epochs=2", "--stage", "4", "--force", "false").out
    assert "# runs, again: its settings changed; stops if that changes the result" in shown
    assert "# finished" not in shown
    (finished.recipe / "data/asr_es/train/wav.scp").write_text("other\n")
    shown = finished.run(*words, "--stage", "4", "--force", "false").out
    assert "# stops: finished before data/asr_es/train/wav.scp changed; --stage train makes it again" in shown


def test_a_trained_model_does_not_count_for_other_data(finished):
    (finished.recipe / "prepare.py").write_text("# version 2\n")
    done = finished.run(*LORA)
    assert done.status == 1 and done.stages == ["prepare"]
    assert "data/asr_es/train/wav.scp" in done.err and "--stage train" in done.err and "--tag" in done.err
    assert finished.run(*LORA).stages == []  # still refused
    tagged = finished.run(*LORA, "--tag", "new")
    assert tagged.status == 0 and tagged.of("train")
    again = finished.run(*TRAIN)
    assert again.stages == ["train"] and again.calls[0][-1] == "--restart"
    assert finished.run(*LORA).status == 0


def without_new_lines(mark):
    """As an earlier version wrote it."""
    mark.write_text("".join(line for line in mark.read_text().splitlines(True) if line[:5] not in ("diges", "code ")))


def test_the_corpus_the_weights_folder_and_recordings_count_and_code_is_reported(finished):
    recipe, words = finished.recipe, (*LORA, "--weights", "../hf")
    for file in ("corpus/a.txt", "corpus/a.wav"):
        (recipe / "downloads" / file).write_text("new")
        done = finished.run(*LORA)
        assert done.stages == ["prepare"] and "again: downloads/corpus changed" in done.out
    (recipe / "../hf").mkdir()
    (recipe / "../hf/config.json").write_text("{}")
    recordings = recipe / "data/asr_es/train/recordings.sha256"
    recordings.write_text("one")
    assert finished.run(*words, "--tag", "hf").status == 0
    for mark in [path for path in recipe.rglob(".marks/*") if path.suffix != ".lock"]:
        without_new_lines(mark)
    assert finished.run(*words, "--tag", "hf").calls == []  # the marks are completed
    (finished.root / "sure/petl/lora.py").write_text("class Method: pass  # changed\n")
    for file, text in ((recipe / "../hf/config.json", "{ }"), (recordings, "two")):
        before, _ = file.read_text(), file.write_text(text)
        done = finished.run(*words, "--tag", "hf")
        assert done.calls == [] and file.name.replace("config.json", "../hf changed") in done.err
        file.write_text(before)
    done = finished.run(*words, "--tag", "hf")
    assert done.calls == [] and "finished, before sure/petl/lora.py changed" in done.out


def test_a_training_that_is_asked_for_restarts_only_after_it_had_finished(finished):
    half = finished.run(*TRAIN, KILL_AT="train")
    assert half.status == 137 and half.calls[0][-1] == "--restart" and "problem: it was killed" in half.err
    again = finished.run(*TRAIN)
    assert again.status == 0 and "--restart" not in again.calls[0]


def test_a_failure_is_reported_with_place_reason_and_a_command_that_resumes(project, tmp_path):
    words = ("--petl", "linear_probe lora", "--tag", "a.b", "--set", "train.epochs=2 petl.sites=a b")
    done = project.run(*words, cwd=tmp_path, FAIL_AT="decode exp/asr_es_moonshine_lora")
    assert done.status == 7 and done.stages[-2:] == ["decode", "decode"]
    exp = "exp/asr_es_moonshine_lora_a.b/seed1"
    for text in (
        f"stage 5 decode failed with exit code 7: {exp}",
        f"command: python -m sure.bin.decode --exp {exp}",
        f"log:     {project.recipe}/{exp}/log/decode.log",
        "  | the reason it failed",
    ):
        assert text in done.err
    resumed = project.script(done.err.partition("resume:")[2], cwd=tmp_path)
    assert resumed.status == 0, resumed.err
    assert resumed.stages == ["decode", "score", "score", "report", "pack", "pack"]


def test_the_reason_of_a_failure_is_printed_once_and_the_resume_command_does_not_repeat_chosen_stages(finished):
    call = f"FAIL_AT='decode exp' '{finished.recipe}/run.sh' {' '.join(LORA)} --stage train --stop_stage score"
    assert finished.script(f"{call} 2>&1").out.count("the reason it failed") == 1
    done = finished.script(f"{call} --nj 2 2>&1")  # the output is only in the log
    assert done.out.count("  | the reason it failed") == done.out.count("the reason it failed") == 1
    resume = done.out.partition("resume:")[2].strip()
    assert resume.endswith("--stop_stage score --petl lora --nj 2 --stage decode --force false")
    resumed = finished.script(resume)
    assert resumed.status == 0 and resumed.stages == ["decode"]  # its output is as before: no new scores


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("outputs=(none); step data x true", 1, "the command ended without an error, but did not write none"),
        ("step data x bash -c 'exit 75'", 75, "problem: it was asked to stop, and has saved its progress"),
        ("cp nowhere here", 1, "stage 2 prepare failed with exit code 1\n  command: cp nowhere"),
    ],
)
def test_failures_without_an_error_message(project, code, status, message):
    run = project.recipe / "run.sh"
    run.write_text(run.read_text().replace("run_stages\n", f"stage_prepare() {{ {code}; }}\nrun_stages\n"))
    done = project.run(*LORA)
    assert done.status == status and message in done.err and done.stages == ["download"], done.err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_run_continues_where_it_was(finished, number):
    exp = "exp/asr_es_moonshine_linear_probe/seed1"
    words = ("--petl", "lora linear_probe", "--stop_stage", "train")
    process = finished.start(*words, WAIT_AT=f"train {exp}")
    until((finished.recipe / exp / "pid").exists)
    os.killpg(process.pid, number)
    finished.finish(process)
    done = finished.run(*words)
    assert done.status == 0 and [call[4] for call in done.calls] == [exp] and "--restart" not in done.calls[0]


@pytest.mark.parametrize(("number", "nj"), [(signal.SIGINT, "1"), (signal.SIGTERM, "1"), (signal.SIGHUP, "3")])
def test_a_signal_to_run_sh_alone_stops_all_its_processes_and_prints_how_to_resume(project, number, nj):
    process = project.start("--nj", nj, WAIT_AT="train exp")
    pids = [project.recipe / f"exp/asr_es_moonshine_{name}/seed1/pid" for name in METHODS[: int(nj)]]
    until(lambda: all(pid.exists() for pid in pids))
    os.kill(process.pid, number)
    done = project.finish(process)
    assert done.status == 128 + number
    until(lambda: not any(is_alive(int(pid.read_text())) for pid in pids), 0 if nj == "1" else 30)
    why = f"stopped by {signal.Signals(number).name}"
    assert done.err.endswith(f"{why}\n  resume:  '{project.recipe}/run.sh' --nj {nj}\n")
    assert done.err.count("resume:") == 1 and "failed" not in done.err


def test_a_run_waits_for_the_trainer_of_a_killed_one(project):
    with project.start(*LORA, WAIT_AT="train exp", WAIT="2") as process:
        pid = project.recipe / EXP / "pid"
        until(pid.exists)
        process.kill()  # bash alone: the trainer lives on
        process.wait()
        trainer = int(pid.read_text())
        assert is_alive(trainer)
        done = project.run(*LORA, "--stop_stage", "train")
        assert done.status == 0 and not is_alive(trainer)
        assert f"waiting for another run that works on {EXP} train" in done.out


def test_experiments_at_the_same_time_and_one_that_fails(project):
    words = ("--nj", "3", "--seeds", "1 2")
    done = project.run(*words, FAIL_AT="train exp/asr_es_moonshine_conv_adapter/seed1")
    assert done.status == 7 and len(done.of("train")) == 6 and not done.of("decode")
    assert "exp/asr_es_moonshine_conv_adapter/seed1" in done.err and done.err.count("resume:") == 1
    resumed = project.run(*words)
    assert resumed.status == 0 and len(resumed.of("train")) == 1
    assert sorted(resumed.stages) == sorted(["train", *["decode", "score", "pack"] * 6, "report"])
    assert project.run(*words).calls == []
