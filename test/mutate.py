"""Mutation test: break the code in one place at a time; the nearest tests must fail.

    python test/mutate.py                  # all mutations of mutations.yaml, in copies of the working tree
    python test/mutate.py --only trainer   # mutations whose file or test contains the word

A mutation replaces one text of one file. It is caught if the tests named with it fail, and survives if they pass. Exit
status 1: tests fail without a mutation, more than 5 % survive, or a mutation does not match the code.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue

import yaml

ROOT = Path(__file__).parents[1]
SURVIVORS_ALLOWED = 0.05  # fraction of all mutations
RESULTS = {0: "SURVIVED", 1: "caught", 2: "caught"}  # by pytest's exit status; others: no such test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="run mutations whose file or test contains WORD")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="copies of the tree, tested at the same time")
    options = parser.parse_args()
    mutations = yaml.safe_load((ROOT / "test" / "mutations.yaml").read_text(encoding="utf-8"))
    mutations = [each for each in mutations if options.only in each["file"] + each["tests"]]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies: Queue[Path] = Queue()
        for number in range(options.jobs):
            copies.put(copy_tree(Path(folder) / str(number)))
        unchanged = copy_tree(Path(folder) / "unchanged")
        status, output = run_tests(unchanged, {test for each in mutations for test in each["tests"].split()})
        if status:
            sys.exit(f"{output}\nthese tests have to pass without a mutation")
        results = list(pool.map(lambda mutation: run(mutation, copies), mutations))
    survived, unmatched = results.count("SURVIVED"), results.count("NO MATCH")
    print(f"{len(results)} mutations: {results.count('caught')} caught, {survived} survived, {unmatched} not matched")
    sys.exit(bool(unmatched) or survived > SURVIVORS_ALLOWED * len(results))


def copy_tree(folder: Path) -> Path:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in filter(None, files.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def run_tests(copy: Path, tests: Iterable[str]) -> tuple[int, str]:
    """Exit status and output of pytest in a copy of the tree; it stops at the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", *sorted(tests)]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def run(mutation: dict[str, str], copies: Queue[Path]) -> str:
    """`caught`, `SURVIVED`, or `NO MATCH` if the file does not contain the text exactly once, or no test is found."""
    copy = copies.get()
    path = copy / mutation["file"]
    code = path.read_text(encoding="utf-8")
    result = "NO MATCH"
    if code.count(mutation["old"]) == 1:
        path.write_text(code.replace(mutation["old"], mutation["new"]), encoding="utf-8")
        result = RESULTS.get(run_tests(copy, mutation["tests"].split())[0], "NO MATCH")
        path.write_text(code, encoding="utf-8")
    copies.put(copy)
    print(f"{result:8} {mutation['file']}: {mutation['old'].strip()!r} -> {mutation['new'].strip()!r}", flush=True)
    return result


if __name__ == "__main__":
    main()
