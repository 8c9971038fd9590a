"""egs/sure_benchmark: which rows run, what is said of those that do not, and what a failure leaves to do."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from small_project import ROOT, Project, is_alive, until

ROWS = """recipe,task,options,suite
asterisk,asr,,sure
asterisk,asr,--lang fr,
beads,language,,sure
closed,speaker,,sure
"""
LORA = ("--petl", "lora", "--seeds", "1 2")
FETCH = ("--petl", "lora", "--seeds", "1", "--stop_stage", "download")
ASR, FR, BEADS = "exp/asr_es_moonshine_lora", "exp/asr_fr_moonshine_lora", "exp/language_moonshine_lora"


class Suite(Project):
    """The small project with three recipes, of which `closed` has its corpus behind a form; no corpus is there."""

    def __init__(self, root: Path):
        super().__init__(root)
        asterisk, self.recipe = self.recipe, root / "egs" / "sure_benchmark"
        for name in ("beads", "closed"):
            shutil.copytree(asterisk, root / "egs" / name)
        (root / "egs" / "closed" / "sources.yaml").write_text("items:\n  - kind: manual\n")
        (root / "egs" / "recipes.csv").write_text(ROWS)
        self.recipe.mkdir()
        shutil.copy(ROOT / "egs" / "sure_benchmark" / "run.sh", self.recipe)
        stage = "from sure.bin.stand_in import run\nrun('suite_report')\n"
        (root / "sure" / "bin" / "suite_report.py").write_text(stage)

    def copies(self, *recipes: str) -> str:
        """A file for --corpora with folders beside it."""
        lines = ["# copies that we have", ""]
        for name in recipes:
            (self.root / "the corpora" / f"{name} corpus").mkdir(parents=True, exist_ok=True)
            lines.append(f"{name}: {name} corpus")
        (self.root / "the corpora" / "corpora.yaml").write_text("\n".join(lines))
        return str(self.root / "the corpora" / "corpora.yaml")

    def outcomes(self, name: str = "sure_moonshine") -> list[list[str]]:
        lines = (self.recipe / "exp" / f"{name}_rows.tsv").read_text().splitlines()
        return [line.split("\t") for line in lines[1:]]


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    folder = tmp_path / "a b"
    folder.mkdir()
    return Suite(folder)


def test_rows_whose_corpus_is_there_run_and_the_others_are_named_with_what_to_do(suite):
    done = suite.run(*LORA, "--corpora", suite.copies("asterisk"))
    assert done.status == 0, done.out + done.err
    trained = [call[call.index("--exp") + 1] for call in done.calls if call[0] == "train"]
    assert trained == [f"{ASR}/seed1", f"{ASR}/seed2"]
    corpus = str(suite.root / "the corpora" / "asterisk corpus")
    assert done.calls[0][0] == "download" and done.calls[0][-2:] == ["--corpus", corpus]
    report = ["suite_report", "--rows", "exp/sure_moonshine_rows.tsv", "--out", "exp/sure_moonshine_results.md"]
    assert done.calls[-1] == report and done.stages.count("suite_report") == 1
    asr = ["asterisk asr", "asr", "done", "", "lora"]
    assert suite.outcomes()[:2] == [[*asr, str(seed), f"../asterisk/{ASR}/seed{seed}"] for seed in (1, 2)]
    assert [(*line[:3], *line[4:]) for line in suite.outcomes()[2:]] == [
        ("beads language", "language", "skipped", "lora", "1", f"../beads/{BEADS}/seed1"),
        ("beads language", "language", "skipped", "lora", "2", f"../beads/{BEADS}/seed2"),
        ("closed speaker", "speaker", "skipped", "lora", "1", "../closed/exp/speaker_moonshine_lora/seed1"),
        ("closed speaker", "speaker", "skipped", "lora", "2", "../closed/exp/speaker_moonshine_lora/seed2"),
    ]
    public, form = done.err.split("skipped:\n")[1].splitlines()
    copy = "name your copy by a line `{}: DIR` in the file of --corpora"
    assert public == f"  beads language: its corpus is missing; --download true downloads it; {copy.format('beads')}"
    assert form == f"  closed speaker: its corpus is behind a form (egs/closed/README.md); {copy.format('closed')}"


def test_what_recipes_know_of_their_corpora_is_used_and_nothing_is_fetched_unasked(suite):
    suite.run(*FETCH, "--corpora", suite.copies("asterisk"))
    (suite.root / "egs" / "beads" / "downloads" / "corpus").mkdir(parents=True)  # half fetched
    done = suite.run(*FETCH)
    assert done.status == 0 and done.calls == []  # asterisk's is remembered, and finished
    assert [line[2] for line in suite.outcomes()] == ["done", "skipped", "skipped"]
    fetched = suite.run(*FETCH, "--download", "true")
    assert fetched.status == 0 and fetched.calls == [["download", "--sources", "sources.yaml", "--out", "downloads"]]
    assert "closed speaker: its corpus is behind a form" in fetched.err and "beads" not in fetched.err
    assert suite.run(*FETCH).calls == []
    assert [line[2] for line in suite.outcomes()] == ["done", "done", "skipped"]
    (suite.root / "the corpora" / "asterisk corpus").rmdir()
    gone = suite.run(*FETCH)
    assert (
        "asterisk asr: the copy of its corpus in" in gone.err and "asterisk corpus is gone; name your copy" in gone.err
    )


def test_each_row_needs_its_own_part_of_a_corpus(suite):
    run = suite.root / "egs" / "asterisk" / "run.sh"  # one archive a language
    run.write_text(
        run.read_text().replace("  dataset=asr_$lang\n", "  dataset=asr_$lang source_options=(lang=$lang)\n")
    )
    suite.run(*FETCH, "--only", "asterisk asr", "--download", "true")
    done = suite.run(*FETCH, "--only", "asterisk asr; asterisk asr --lang fr")
    assert done.status == 0 and done.calls == []
    assert [line[2] for line in suite.outcomes("chosen_moonshine")] == ["done", "skipped"]


def test_by_hand_as_the_last_of_several_ways_is_no_form(suite):
    sources = "items:\n  - any_of:\n      - name: by hand\n        items:\n          - kind: manual\n"
    (suite.root / "egs" / "closed" / "sources.yaml").write_text(sources)
    done = suite.run(*FETCH, "--only", "closed")
    assert "closed speaker: its corpus is missing; --download true downloads it" in done.err


def test_a_row_that_fails_is_named_with_its_log_and_the_others_run(suite):
    words = ("--petl", "lora", "--seeds", "1 2", "--stop_stage", "train")
    done = suite.run(*words, "--corpora", suite.copies("beads", "closed"), FAIL_AT=f"train {BEADS}/seed1")
    assert done.status == 1 and done.stages.count("train") == 3
    log = "egs/sure_benchmark/exp/log/beads_language.log"
    assert f"\nfailed:\n  beads language: exit code 7; its log is {log}\n" in done.err
    assert "repeat the command to resume them" in done.err
    assert "the reason it failed" in (suite.root / log).read_text()
    assert [line[2] for line in suite.outcomes()] == ["skipped"] * 2 + ["failed"] * 2 + ["done"] * 2
    again = suite.run(*words)  # the copies are remembered
    assert again.status == 0 and again.stages == ["train", "train"], again.err
    assert "failed" not in again.err


def test_a_row_that_the_recipe_refuses_is_a_failed_row(suite):
    with (suite.root / "egs" / "recipes.csv").open("a") as file:
        file.write("asterisk,song,,sure\n")
    done = suite.run(*FETCH, "--corpora", suite.copies("asterisk"))
    assert done.status == 1 and "  asterisk song: exit code 2; its log is" in done.err
    assert suite.outcomes()[-1][:3] + suite.outcomes()[-1][4:] == ["asterisk song", "song", "failed", "", "", ""]


def test_a_table_that_cannot_be_made_is_a_failure_too(suite):
    done = suite.run("--petl", "lora", "--seeds", "1", "--corpora", suite.copies("asterisk"), FAIL_AT="suite_report")
    assert done.status == 7 and "The tables are in" not in done.out and "\nfailed:" not in done.err


@pytest.mark.parametrize(
    ("only", "trained"),
    [
        ("beads language", [BEADS]),
        ("asterisk", [ASR, FR]),
        ("asterisk asr", [ASR]),  # the row of this name, not those that begin with it
        ("asterisk asr --lang fr ;  beads", [FR, BEADS]),
        ("beads; asterisk asr; beads language;", [ASR, BEADS]),  # once each, in the order of the file
    ],
)
def test_rows_can_be_chosen(suite, only, trained):
    done = suite.run(*FETCH, "--only", only, "--corpora", suite.copies("asterisk", "beads"))
    assert done.status == 0, done.err
    rows = suite.outcomes("chosen_moonshine")
    assert [line[-1].split("/", 2)[2] for line in rows] == [f"{folder}/seed1" for folder in trained]
    assert "suite_report" not in done.stages


def test_all_rows_are_those_of_every_suite(suite):
    done = suite.run(*FETCH, "--suite", "all", "--corpora", suite.copies("asterisk"))
    assert done.status == 0
    assert [line[2] for line in suite.outcomes("all_moonshine")] == ["done", "done", "skipped", "skipped"]


def test_options_reach_the_recipes_as_they_were_given(suite, tmp_path):
    (tmp_path / "my weights").write_text("x")
    words = ("--weights", "my weights", "--set", "train.epochs=3 petl.rank=4", "--tag=t", "--gpus=0")
    done = suite.run("--petl", "lora", "--seeds", "5", *words, "--corpora", suite.copies("beads"), cwd=tmp_path)
    assert done.status == 0, done.err
    trained = [call for call in done.calls if call[0] == "train"]
    assert len(trained) == 1 and "seed=5" in trained[0] and trained[0][-2:] == ["train.epochs=3", "petl.rank=4"]
    assert f"backbone.weights={tmp_path}/my weights" in trained[0]
    assert done.calls[-1][-1] == "exp/sure_moonshine_t_results.md"


def test_the_control_does_not_take_the_place_of_the_table(suite):
    suite.run(*FETCH, "--corpora", suite.copies("beads"))
    before = suite.outcomes()
    suite.run(*FETCH, "--weights", "random")
    assert suite.outcomes("sure_moonshine_random")[1][-1] == "../beads/exp/language_moonshine_lora_random/seed1"
    assert suite.outcomes() == before


def test_the_methods_and_seeds_are_those_of_the_benchmark(suite):
    for name in ("full", "bottleneck", "prefix"):
        shutil.copy(suite.root / "sure" / "petl" / "lora.py", suite.root / "sure" / "petl" / f"{name}.py")
    suite.run("--corpora", suite.copies("beads"), "--stop_stage", "download")
    found = [(line[4], line[5]) for line in suite.outcomes() if line[0] == "beads language"]
    methods = ("full", "bottleneck", "prefix", "lora", "conv_adapter")
    assert found == [(method, seed) for method in methods for seed in "123"]


def test_without_any_corpus_nothing_runs_and_nothing_is_installed(suite):
    shutil.rmtree(suite.root / ".venv")
    done = suite.run(*LORA)
    assert done.status == 1 and done.calls == []
    assert done.err.count("its corpus is") == 3 and "none of these rows has its corpus" in done.err


def test_a_dry_run_prints_the_commands_of_every_row_and_runs_none(suite):
    done = suite.run(*LORA, "--dry_run", "true", "--corpora", suite.copies("asterisk", "closed"))
    assert done.status == 0 and done.calls == [], done.err
    rows = [line for line in done.out.splitlines() if line.startswith("# row ")]
    assert [row.split(",")[0] for row in rows] == [
        "# row asterisk asr", "# row beads language: skipped", "# row closed speaker",
    ]  # fmt: skip
    assert done.out.count("python -m sure.bin.train") == 4 and not (suite.recipe / "exp").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--suite", "superb"), "--suite: unknown value 'superb'; expected one of: sure all"),
        (("--only", "beads asr"), "--only 'beads asr': no such row; there are: asterisk asr; asterisk asr --lang fr;"),
        (("--corpus", "x"), "--corpus is for one recipe; a suite takes --corpora FILE"),
        (("--rates", "1e-3"), "--rates is for one recipe"),
        (("--show", "corpus"), "--show is for one recipe"),
        (("--petl", "loora"), "no method 'loora'"),
        (("--seeds", "one"), "--seeds takes numbers"),
        (("--download", "yes"), "--download takes true or false"),
        (("--stop_stage", "trian"), "--stop_stage: unknown stage 'trian'"),
        (("--corpora", "nowhere"), "--corpora nowhere: no such file"),
    ],
)
def test_a_wrong_call_is_one_error_and_runs_nothing(suite, words, said):
    done = suite.run(*LORA, *words)
    assert done.status == 2 and done.calls == []
    assert done.err.startswith("error: ") and done.err.count("\n") == 1 and said in done.err, done.err
    assert not (suite.recipe / "exp").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("beads /data", "line 3: expected `recipe: DIR`, found 'beads /data'"),
        ("[beads: /data]", "line 3: expected `recipe: DIR`"),
        ("pearls: .", "line 3: there is no recipe egs/pearls"),
        ("beads: not here", "line 3: there is no folder "),
    ],
)
def test_a_mistake_in_the_file_of_corpora_is_named_with_its_line(suite, line, said):
    file = suite.root / "corpora.yaml"
    file.write_text(f"# ours\n\n{line}\n")
    done = suite.run(*LORA, "--corpora", str(file))
    assert done.status == 2 and said in done.err and done.calls == []


def test_folders_in_the_file_of_corpora_may_be_written_in_three_ways(suite, tmp_path):
    for name in ("it's here", 'a "b" c', "$(touch made)"):
        (tmp_path / name).mkdir()
    lines = [f'asterisk: "{tmp_path}/it\'s here"\r', 'beads:   a "b" c  ', "closed: '$(touch made)'"]
    (tmp_path / "corpora.yaml").write_text("\n".join(lines))
    done = suite.run(*LORA, "--corpora", "corpora.yaml", "--stop_stage", "download", cwd=tmp_path)
    assert done.status == 0, done.err
    assert [call[-1] for call in done.calls] == [
        f"{tmp_path}/it's here",
        f'{tmp_path}/a "b" c',
        f"{tmp_path}/$(touch made)",
    ]
    assert not list(tmp_path.rglob("made"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_suite_that_is_stopped_leaves_nothing_running_and_starts_no_other_row(suite, number):
    process = suite.start(*LORA, "--corpora", suite.copies("asterisk", "beads"), WAIT_AT=f"train {ASR}/seed1")
    pid = suite.root / "egs" / "asterisk" / ASR / "seed1" / "pid"
    until(lambda: pid.exists() and pid.read_text())
    os.kill(process.pid, number)
    done = suite.finish(process)
    assert done.status == 128 + number
    until(lambda: not is_alive(int(pid.read_text())))
    assert done.stages.count("train") == 1 and "suite_report" not in done.stages
