"""Every row of egs/recipes.csv, stages 1 to 8 in a copy of the project, on the miniature of its corpus.

One row of each recipe and task goes to the end; the others, which differ in options of preparation, end after stage 3.
The last test runs two of them by egs/sure_benchmark, to one table and picture.
`test/run.sh -m "slow or not slow" test/recipes/test_rows.py` takes all rows to stage 8.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

import asterisk
import file_server
import miniature
import pytest
from clone import EGS, ROWS, Clone, row_words, serve
from small_project import STAGES
from warm_python import warm_python

from sure.report.markdown import short

NO_CORPUS = {"TEMPLATE", "sure_benchmark"}


def name_of(row: dict[str, str]) -> str:
    return "-".join([row["recipe"], row["task"], *row["options"].replace("--", "").split()])


def goes_to_the_end(row: dict[str, str]) -> bool:
    """A row of its recipe and task: the first, or the one with an option of later stages than 3."""
    same = [other for other in ROWS if all(other[name] == row[name] for name in ("recipe", "task"))]
    return row == next((other for other in same if "--decode" in other["options"]), same[0])


def test_every_task_of_every_recipe_has_a_row():
    confs = (conf for conf in EGS.glob("*/conf/*.yaml") if conf.parts[-3] not in NO_CORPUS and conf.stem != "rates")
    tasks = {"transcription": "asr"}  # by --head decoder
    found = {(conf.parts[-3], tasks.get(conf.stem, conf.stem)) for conf in confs}
    assert found == {(row["recipe"], row["task"]) for row in ROWS}
    assert {row["suite"] for row in ROWS} <= {"", "sure"}


def run_row(clone: Clone, row: dict[str, str], corpus: Path, last: int) -> tuple[str, list, Path]:
    """The output, the requests to the server, and the recipe's folder."""
    recipe = clone.recipe(row["recipe"], f"{name_of(row)} {last}")
    settings = "train.epochs=1" + (" decode.beam=5" if "--decode" in row["options"] else "")  # 50 take long
    words = [*row_words(row, recipe, corpus), "--stop_stage", str(last), "--petl", "lora", "--set", settings]
    with file_server.serve() as server:
        if archives := serve(recipe, corpus, server):
            server.break_after.append(len(server.files[archives[0]]) // 2)
        return clone.run(recipe, *words, cwd=clone.root), server.requests, recipe


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Iterator[Clone]:
    clone = Clone(tmp_path_factory.mktemp("a new clone") / "project")
    with warm_python(clone):
        yield clone


@pytest.fixture(scope="module")
def corpus_of(clone) -> Callable[[str], Path]:
    """The miniature corpus of a recipe, made once for all its rows, which only read it."""
    return cache(lambda recipe: miniature.make(recipe, clone.root / f"{recipe} corpus"))


@pytest.fixture(scope="module")
def runs(clone, corpus_of, request) -> Iterator[Callable[[str, int], tuple]]:
    """Runs the rows of the selected tests, two at a time; waits for the row that is named, and its last stage."""
    named = {name_of(row): row for row in ROWS}
    items = [item.callspec.params for item in request.session.items if item.originalname == "test_row"]
    wanted = [(params["row"], params["last"]) for params in items]
    with ThreadPoolExecutor(2) as pool:
        futures: dict[tuple[str, int], Future] = {
            (name, last): pool.submit(run_row, clone, named[name], corpus_of(named[name]["recipe"]), last)
            for name, last in wanted
        }
        yield lambda row, last: futures[row, last].result()
        for future in futures.values():
            future.cancel()


CASES = [pytest.param(name_of(row), 8, marks=() if goes_to_the_end(row) else pytest.mark.slow) for row in ROWS]
# of decoders one: the data of the others are those of rows without --head
DECODERS = [row for row in ROWS if "--head decoder" in row["options"]][1:]
CASES += [pytest.param(name_of(row), 3) for row in ROWS if not goes_to_the_end(row) and row not in DECODERS]


@pytest.mark.parametrize("row, last", CASES)
def test_row(row, last, runs):
    printed, requests, recipe = runs(row, last)
    assert [line for line in printed.splitlines() if line.startswith("# stage")] == [
        f"# stage {number} {name}" for number, name in enumerate(STAGES[:last], 1)
    ]
    assert not requests or any(part for _, part in requests), "the broken download was not taken up where it broke"
    if last < 8:
        return
    table = next(iter((recipe / "exp").glob("*_results.md"))).read_text()
    assert "| lora" in table and short(table).strip() in printed
    bundles = list(recipe.glob("exp/*_lora*/seed1/bundle"))
    assert len(bundles) == 1 and (bundles[0] / "adapter.safetensors").is_file()


TINY = "--backbone tiny --weights random:moonshine --petl lora --seeds 3 --set train.epochs=1".split()
TWO = {"asterisk asr": ("asr_es", "WER % ↓", "wer"), "asterisk language": ("language", "accuracy % ↑", "accuracy")}


def test_two_rows_of_the_suite_from_corpora_to_one_table(clone, corpus_of, tmp_path):
    for script in EGS.glob("*/run.sh"):
        clone.recipe(script.parent.name)
    (clone.root / "egs" / "recipes.csv").write_bytes((EGS / "recipes.csv").read_bytes())
    second_copy = shutil.ignore_patterns(asterisk.ROOT)
    shutil.copytree(corpus_of("asterisk"), tmp_path / "the corpus", ignore=second_copy)
    (tmp_path / "corpora.yaml").write_text("asterisk: the corpus\n")
    suite = clone.root / "egs" / "sure_benchmark"
    words = (*TINY, "--only", "; ".join(TWO), "--corpora", "corpora.yaml", "--stop_stage", "report")
    printed = clone.run(suite, *words, cwd=tmp_path)
    results = suite / "exp" / "chosen_tiny_random_results.md"
    text = results.read_text(encoding="utf-8")
    assert text.strip() in printed and printed.endswith(f"The tables are in {results}\n")
    assert "## tiny, random weights (random:moonshine_tiny)\n" in text
    assert "2 of 2 rows have all their results." in text
    for row, (dataset, label, score) in TWO.items():
        seed = clone.root / "egs" / "asterisk" / "exp" / f"{dataset}_tiny_lora_random" / "seed3"
        result = json.loads((seed / "decode_test" / "result.json").read_text())
        header = f"| method | trained without head | {row}<br>{label} |"
        line = text[text.index(header) :].splitlines()[2]
        assert line == f"| lora | {result['adapter_parameters']:,} | {result[score]:.2f} |"
    assert results.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
