"""The rows of egs/recipes.csv that a call of egs/sure_benchmark/run.sh runs, and the corpora that the user has."""

import csv
import os
import re
import shlex
from dataclasses import dataclass

from sure.errors import SureError
from sure.recipe.names import variant
from sure.recipe.options import read_methods, read_seeds, read_tag
from sure.recipe.settings import from_caller
from sure.registry import nearest


@dataclass
class SuiteCall:
    """Options of run.sh, and the folder `egs` of all recipes."""

    egs: str = ""
    suite: str = ""
    only: str = ""
    corpora: str = ""
    petl: str = ""
    seeds: str = ""
    tag: str = ""
    weights: str = ""
    backbone: str = ""
    caller: str = "."


@dataclass
class Row:
    """One call of a recipe's run.sh; `copy` is the user's copy of its corpus, empty without one."""

    row: str
    name: str
    task: str
    words: list[str]
    copy: str


@dataclass
class SuitePlan:
    """Variables for the shell."""

    outcomes: str  # the file with a line for each experiment
    results: str  # the file with the tables
    chosen: list[Row]


def make_suite_plan(call: SuiteCall) -> SuitePlan:
    """Raises SureError naming the option, or the line of a file, that is wrong."""
    read_methods(call.petl), read_seeds(call.seeds)
    rows = read_rows(call.egs)
    chosen = choose_rows(rows, call.suite, call.only)
    copies = read_corpora(call) if call.corpora else {}
    # as experiments are named, so that a control or a variant does not overwrite another table
    table = f"exp/{'chosen' if call.only else call.suite}_{call.backbone}{variant(call.weights, read_tag(call.tag))}"
    for row in chosen:
        row.copy = copies.get(row.name, "")
    return SuitePlan(f"{table}_rows.tsv", f"{table}_results.md", chosen)


def read_rows(egs: str) -> dict[str, tuple[Row, str]]:
    """Each row and its suite, by `recipe task options`."""
    rows = {}
    with open(os.path.join(egs, "recipes.csv"), encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if list(line) != ["recipe", "task", "options", "suite"] or None in line.values():
                raise SureError(
                    f"egs/recipes.csv: expected recipe,task,options,suite; found {','.join(map(str, line.values()))!r}"
                )
            name = " ".join([line["recipe"], line["task"], *line["options"].split()])
            rows[name] = Row(name, line["recipe"], line["task"], shlex.split(line["options"]), ""), line["suite"]
    return rows


def choose_rows(rows: dict[str, tuple[Row, str]], suite: str, only: str) -> list[Row]:
    """The rows of --only, else those of --suite, in the order of the file; the start of a name stands for several."""
    wanted = set()
    for part in filter(None, (" ".join(part.split()) for part in only.split(";"))):
        # a whole name is that row alone, though other names may begin with it
        found = {part} & rows.keys() or {name for name in rows if name.startswith(f"{part} ")}
        if not found:
            raise SureError(f"--only {part!r}: no such row{nearest(part, rows)}; there are: {'; '.join(rows)};")
        wanted |= found
    if not only:
        wanted = {name for name, (_, of_suite) in rows.items() if suite in ("all", of_suite)}
    if not wanted:
        raise SureError(f"--suite {suite}: egs/recipes.csv has no row of it" if not only else "--only names no row")
    return [row for name, (row, _) in rows.items() if name in wanted]


def read_corpora(call: SuiteCall) -> dict[str, str]:
    """The folder of each recipe in the file of --corpora, whose lines are `recipe: DIR`, from that file's folder."""
    place = from_caller(call.corpora, call.caller)
    if not os.path.isfile(place):
        raise SureError(f"--corpora {call.corpora}: no such file")
    copies = {}
    with open(place, encoding="utf-8") as file:
        for number, line in enumerate(file.read().splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            match = re.fullmatch(r"(\w+):\s+(.*\S)\s*", line)
            if not match:
                raise SureError(f"{call.corpora}, line {number}: expected `recipe: DIR`, found {line!r}")
            name, folder = match.groups()
            if folder[0] == folder[-1] and folder[0] in "\"'":
                folder = folder[1:-1]
            folder = os.path.join(os.path.dirname(os.path.abspath(place)), folder)
            if not os.path.isfile(os.path.join(call.egs, name, "run.sh")):
                raise SureError(f"{call.corpora}, line {number}: egs/{name} does not exist; use a folder of egs/")
            if not os.path.isdir(folder):
                raise SureError(f"{call.corpora}, line {number}: there is no folder {folder}")
            copies[name] = os.path.realpath(folder)
    return copies
