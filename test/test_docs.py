"""The documentation names what exists: commands, options and error messages."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def code() -> str:
    """The code of the library and the shell, each text that is split over lines joined again."""
    files = [path for folder in ("sure", "utils", "tools") for path in (ROOT / folder).rglob("*.*")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files if path.suffix in (".py", ".sh"))
    return re.sub(r'"\s*\n\s*f?"', "", text)


# The first column of each row, if it quotes a message.
@pytest.mark.parametrize("message", re.findall(r"^\| `(.*?)` \| ", read("troubleshooting.md"), re.MULTILINE))
def test_a_message_of_troubleshooting_is_in_the_code(message, code):
    for part in re.split(r"\s*(?:\.\.\.|'[^']*')\s*", message):
        assert part.strip(" ()=?:") in code


def test_the_page_of_the_command_line_has_all_options_and_commands():
    page = read("command_line.md")
    shown = subprocess.run(["bash", ROOT / "egs/TEMPLATE/run.sh", "--help"], capture_output=True, text=True, check=True)
    options = set(re.findall(r"^  --(\w+)", shown.stdout, re.MULTILINE)) - {"task", "lang", "lexicon", "columns"}
    assert options == set(re.findall(r"`--(\w+)`", "".join(re.findall(r"^\| (`--.*?) \| ", page, re.MULTILINE))))
    commands = {path.stem for path in (ROOT / "sure" / "bin").glob("[a-z]*.py")}
    assert commands <= set(re.findall(r"[a-z_]+", "".join(re.findall(r"^\| (`[a-z].*?) \| ", page, re.MULTILINE))))


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
