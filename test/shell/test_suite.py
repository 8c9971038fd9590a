"""egs/sure_benchmark: which rows run, the reasons for those that do not, and how to resume after a failure."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from small_project import ROOT, Project, is_alive, until

ROWS = ("asterisk,asr,,sure", "asterisk,asr,--lang fr,", "beads,language,,sure", "closed,speaker,,sure")
LORA = ("--petl", "lora", "--seeds", "1")
FETCH = (*LORA, "--stop_stage", "download")
ASR, BEADS, SPEAKER = (f"exp/{name}_moonshine_lora" for name in ("asr_es", "language", "speaker"))


class Suite(Project):
    """The small project with three recipes, of which `closed` has its corpus behind a form; no corpus is there."""

    name = "sure_benchmark"

    def make(self) -> None:
        super().make()
        egs = self.root / "egs"
        for name in ("beads", "closed"):
            shutil.copytree(egs / "asterisk", egs / name)
        (egs / "closed" / "sources.yaml").write_text("items:\n  - kind: manual\n")
        (egs / "recipes.csv").write_text("\n".join(["recipe,task,options,suite", *ROWS, ""]))
        self.recipe.mkdir()
        shutil.copy(ROOT / "egs" / "sure_benchmark" / "run.sh", self.recipe)

    def copies(self, *recipes: str) -> tuple[str, str]:
        """--corpora with a file that names folders next to it."""
        file = self.root / "the corpora" / "corpora.yaml"
        for name in recipes:
            file.with_name(f"{name} corpus").mkdir(parents=True)
        file.write_text("".join(f"{name}: {name} corpus\n" for name in recipes))
        return "--corpora", str(file)

    def outcomes(self, name: str = "sure_moonshine") -> list[list[str]]:
        lines = (self.recipe / "exp" / f"{name}_rows.tsv").read_text().splitlines()
        return [line.split("\t") for line in lines[1:]]

    def states(self, name: str = "sure_moonshine") -> list[str]:
        return [line[2] for line in self.outcomes(name)]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return Suite(tmp_path / "a b")


def test_rows_with_a_corpus_run_and_the_others_are_named_with_a_remedy(suite):
    words = ("--petl", "lora", "--seeds", "1 2", *suite.copies("asterisk"))
    done = suite.run(*words)
    assert done.status == 0, done.out + done.err
    assert [call[call.index("--exp") + 1] for call in done.of("train")] == [f"{ASR}/seed1", f"{ASR}/seed2"]
    corpus = str(suite.root / "the corpora" / "asterisk corpus")
    assert done.calls[0][0] == "download" and done.calls[0][-2:] == ["--corpus", corpus]
    report = ["suite_report", "--rows", "exp/sure_moonshine_rows.tsv", "--out", "exp/sure_moonshine_results.md"]
    assert done.calls[-1] == report and len(done.of("suite_report")) == 1
    public, form = done.err.split("skipped:\n  beads language: ")[1].strip().split("\n  closed speaker: ")
    copy = "name your copy by a line `{}: DIR` in the file of --corpora"
    assert public == f"its corpus is missing; --download true downloads it; {copy.format('beads')}"
    assert form == f"its corpus is behind a form (egs/closed/README.md); {copy.format('closed')}"
    assert suite.outcomes() == [
        [f"{recipe} {task}", task, state, note, "lora", seed, f"../{recipe}/{folder}/seed{seed}"]
        for recipe, task, state, note, folder in (
            ("asterisk", "asr", "done", "", ASR),
            ("beads", "language", "skipped", public, BEADS),
            ("closed", "speaker", "skipped", form, SPEAKER),
        )
        for seed in "12"
    ]
    failed = suite.run(*words, FAIL_AT="suite_report")  # all else is finished
    assert failed.status == 7 and failed.stages == ["suite_report"]
    assert "The tables are in" in done.out and "The tables are in" not in failed.out and "\nfailed:" not in failed.err


def test_corpora_that_recipes_have_are_used_and_only_download_true_fetches_others(suite):
    suite.run(*FETCH, *suite.copies("asterisk"))
    (suite.root / "egs" / "beads" / "downloads" / "corpus").mkdir(parents=True)  # half fetched
    done = suite.run(*FETCH)
    assert done.status == 0 and done.calls == []  # asterisk's is remembered, and finished
    assert suite.states() == ["done", "skipped", "skipped"]
    fetched = suite.run(*FETCH, "--download", "true")
    assert fetched.status == 0 and fetched.calls == [["download", "--sources", "sources.yaml", "--out", "downloads"]]
    assert "closed speaker: its corpus is behind a form" in fetched.err and "beads" not in fetched.err
    (suite.root / "the corpora" / "asterisk corpus").rmdir()
    # a form as the last of several ways to get a corpus
    ways = "items:\n  - any_of:\n      - name: by hand\n        items:\n          - kind: manual\n"
    (suite.root / "egs" / "closed" / "sources.yaml").write_text(ways)
    gone = suite.run(*FETCH)
    assert gone.calls == [] and suite.states() == ["skipped", "done", "skipped"]
    assert "asterisk asr: the copy of its corpus in" in gone.err and "corpus is gone; name your copy" in gone.err
    assert "closed speaker: its corpus is missing; --download true downloads it" in gone.err


def test_each_row_needs_its_own_part_of_a_corpus(suite):
    run = suite.root / "egs" / "asterisk" / "run.sh"  # one archive a language
    dataset = "dataset=${task}_$lang"
    run.write_text(run.read_text().replace(f"{dataset}\n", f"{dataset} source_options=(lang=$lang)\n"))
    suite.run(*FETCH, "--only", "asterisk asr", "--download", "true")
    words = (*FETCH, "--only", "asterisk asr; asterisk asr --lang fr")
    done = suite.run(*words)
    assert done.status == 0 and done.calls == []
    assert suite.states("chosen_moonshine") == ["done", "skipped"]
    assert [call[-1] for call in suite.run(*words, "--download", "true").calls] == ["lang=fr"]
    assert suite.run(*words).calls == [] and suite.states("chosen_moonshine") == ["done", "done"]


def test_a_row_that_fails_is_named_with_its_log_and_the_others_run(suite):
    with (suite.root / "egs" / "recipes.csv").open("a") as file:
        file.write("asterisk,song,,sure\n")  # which the recipe refuses
    words = ("--petl", "lora", "--seeds", "1 2", "--stop_stage", "train")
    done = suite.run(*words, *suite.copies("beads", "closed"), FAIL_AT=f"train {BEADS}/seed1")
    assert done.status == 1 and len(done.of("train")) == 3
    log = "egs/sure_benchmark/exp/log/beads_language.log"
    assert f"\nfailed:\n  beads language: exit code 7; its log is {log}\n" in done.err
    assert "  asterisk song: exit code 2; its log is" in done.err
    assert "repeat the command to resume them" in done.err
    assert (suite.root / log).read_text().count("the reason it failed") == 1
    assert suite.states() == [*["skipped"] * 2, *["failed"] * 2, *["done"] * 2, "failed"]
    assert suite.outcomes()[-1][4:] == ["", "", ""]
    again = suite.run(*words, "--only", "beads; closed")  # the copies are remembered
    assert again.status == 0 and again.stages == ["train", "train"] and "failed" not in again.err, again.err


def test_options_reach_the_recipes_unchanged_with_paths_from_the_callers_folder(suite, tmp_path):
    (tmp_path / "my weights").touch()
    (tmp_path / "$(touch made)").mkdir()
    (tmp_path / "corpora.yaml").write_text("beads: '$(touch made)'\n")
    words = ("--seeds", "5", "--only", "beads", "--corpora", "corpora.yaml", "--stop_stage", "train")
    words += ("--weights", "my weights", "--set", "train.epochs=3 petl.rank=4", "--tag=t", "--gpus=0")
    methods = ("full", "bottleneck", "prefix", "lora", "conv_adapter")  # of the benchmark
    for name in methods:
        (suite.root / "sure" / "petl" / f"{name}.py").write_text("class Method: pass\n")
    done = suite.run(*words, cwd=tmp_path)
    assert done.status == 0, done.err
    assert done.calls[0][-1] == f"{tmp_path}/$(touch made)" and not list(tmp_path.rglob("made"))
    assert [line[4] for line in suite.outcomes("chosen_moonshine_t")] == list(methods)
    for trained, method in zip(done.of("train"), methods, strict=True):
        assert {"seed=5", f"petl.name={method}", f"backbone.weights={tmp_path}/my weights"} <= set(trained)
        assert trained[-2:] == ["train.epochs=3", "petl.rank=4"]


def test_without_any_corpus_and_in_a_dry_run_nothing_runs_and_nothing_is_installed(suite):
    shutil.rmtree(suite.root / ".venv")
    done = suite.run(*LORA)
    assert done.status == 1 and done.calls == []
    assert done.err.count("its corpus is") == 3 and "none of these rows has its corpus" in done.err
    shutil.rmtree(suite.recipe / "exp")
    done = suite.run(*LORA, "--dry_run", "true", *suite.copies("asterisk", "closed"))
    assert done.status == 0 and done.calls == [], done.err
    rows = [line.split(",")[0] for line in done.out.splitlines() if line.startswith("# row ")]
    assert rows == ["# row asterisk asr", "# row beads language: skipped", "# row closed speaker"]
    assert done.out.count("python -m sure.bin.train") == 2 and not (suite.recipe / "exp").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--suite superb", "--suite: unknown value 'superb'; expected one of: sure all"),
        ("--corpus x", "--corpus is for one recipe; a suite takes --corpora FILE"),
        ("--rates 1e-3", "--rates is for one recipe"),
        ("--show corpus", "--show is for one recipe"),
        ("--stop_stage trian", "--stop_stage: unknown stage 'trian'"),
    ],
)
def test_a_wrong_call_is_one_error_and_runs_nothing(suite, words, message):
    done = suite.run(*LORA, *words.split())
    assert done.status == 2 and done.calls == [] and not (suite.recipe / "exp").exists()
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and message in done.err, done.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_suite_leaves_nothing_running_and_starts_no_other_row(suite, number):
    process = suite.start(*LORA, *suite.copies("asterisk", "beads"), WAIT_AT=f"train {ASR}/seed1")
    pid = suite.root / "egs" / "asterisk" / ASR / "seed1" / "pid"
    until(pid.exists)
    os.kill(process.pid, number)
    done = suite.finish(process)
    until(lambda: not is_alive(int(pid.read_text())))
    assert done.status == 128 + number and len(done.of("train")) == 1 and not done.of("suite_report")
