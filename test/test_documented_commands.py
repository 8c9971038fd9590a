"""Each command of the documentation is one that its program accepts: real parsers, and run.sh up to its plan."""

import importlib
import re
import shlex
import subprocess
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sure.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "egs").glob("*/README.md"))]
BLOCK = re.compile(r"^( *)```bash\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"""\w+=("[^"]*"|\S*)\s*""")
OTHERS = {"cd", "cp", ".", "eval", "find", "ffmpeg", "curl"}  # programs that are not of this project


class Parsed(Exception):
    """The arguments were accepted."""


def commands(page: Path) -> Iterator[str]:
    """Each command without its comment. A script of several lines begins with #!, and has other tests."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        for line in [] if block[2].strip().startswith("#!") else block[2].replace("\\\n", " ").splitlines():
            ends = [
                found.start() for found in re.finditer(r"(^|\s)#\s", line) if line[: found.start()].count('"') % 2 == 0
            ]
            yield from re.split(r"\s(?:&&|\|)\s", line[: min(ends, default=None)].strip())


@pytest.fixture
def parse_only(monkeypatch):
    """Entry points end after their parser."""

    def ending(parse: Callable) -> Callable:
        def parse_only(*given: object) -> None:
            parse(*given)
            raise Parsed

        return parse_only

    for name in ("parse_args", "parse_intermixed_args"):
        monkeypatch.setattr(ArgumentParser, name, ending(getattr(ArgumentParser, name)))


def check_script(path: Path, words: list[str]) -> None:
    text = path.read_text(encoding="utf-8")
    unknown = [word for word in words if word.startswith("--") and word.split("=")[0] not in text]
    assert not unknown, f"{path} has no option {unknown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT).with_suffix("")))
def test_every_command_of_a_page_is_accepted(page, parse_only, monkeypatch):
    monkeypatch.chdir(ROOT)
    recipe = page.parent if page.parent.parent.name == "egs" else ROOT / "egs" / "asterisk"
    calls: list[str] = []  # lines of a shell script with the calls of recipes, which end after their plan
    for command in commands(page):
        while assignment := ASSIGNMENT.match(command):
            calls.append(assignment[0])
            command = command[assignment.end() :]
        if command.startswith("for ") or command == "done":  # around calls
            calls.append(command)
            continue
        words = shlex.split(command)
        program = words[0] if words else ""
        if program == "cd":
            recipe = ROOT / words[1]
        if program == "python" and words[1] == "-m":
            program, words = words[2], words[2:]
        if program == "sure":
            program, words = f"sure.bin.{COMMANDS[words[1]][0]}", words[1:]
        if program.startswith("sure.bin."):
            with pytest.raises(Parsed):
                importlib.import_module(program).main(words[1:])
        elif program.endswith("run.sh") and program != "test/run.sh":
            script = recipe / "run.sh" if program == "./run.sh" else ROOT / program
            end = "--help" if script.parent.name == "sure_benchmark" else "--show experiments"  # a suite shows nothing
            calls.append(f"{shlex.quote(str(script))} {command.partition(' ')[2]} {end} >/dev/null")
        elif program == "python":
            check_script((recipe if words[1].startswith(".") else ROOT) / words[1], words[2:])
        elif program and program not in OTHERS:
            check_script(ROOT / program, [] if program == "test/run.sh" else words[1:])
        for word in words[1:]:
            assert not word.startswith(("egs/", "utils/", "tools/")) or (ROOT / word).exists() or program == "cp", word
    done = subprocess.run(["bash", "-ec", "\n".join(calls)], capture_output=True, text=True, cwd=recipe)
    assert done.returncode == 0, done.stderr
