"""Before all stages: the experiments, folders and settings of a call of run.sh, as assignments for its shell."""

import argparse

from sure.errors import run
from sure.recipe.plan import Call, make_plan
from sure.recipe.shell import assignments, from_words
from sure.recipe.suite import SuiteCall, make_suite_plan


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.plan", description=__doc__, allow_abbrev=False)
    parser.add_argument("--suite", action="store_true", help="the rows of egs/recipes.csv, for egs/sure_benchmark")
    parser.add_argument("words", nargs="*", metavar="NAME=VALUE", help="options and variables of run.sh")
    options = parser.parse_args(argv)
    make, kind = (make_suite_plan, SuiteCall) if options.suite else (make_plan, Call)
    print("\n".join(assignments(make(from_words(kind, options.words)))))


if __name__ == "__main__":
    run(main)
