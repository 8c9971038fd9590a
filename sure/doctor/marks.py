"""Check of the marks of stages: inputs that changed since the stage has finished."""

import re
from collections.abc import Iterable
from pathlib import Path

from sure.doctor.check import Check
from sure.files import sha256_of_file
from sure.recipe.inputs import digest_of_folder

# lines of a mark: the digest of a file or folder, and its name; or the size and time of a large file (utils/marks.sh)
DIGEST = re.compile(r"(?:digest )?([0-9a-f]{64}) [ *](.+)")
STATE = re.compile(r"(\d+ bytes, time \d+)  (.+)")
STAGES = {"tune": "decode", "features": "prepare", "lexicon": "prepare", "trials": "prepare"}  # of other steps


def check_marks(marks: Iterable[Path], recipe: Path, check: Check) -> None:
    """Add a problem for each input that was deleted or has changed. recipe: the folder that names are relative to."""
    for mark in sorted(path for path in marks if path.suffix not in (".lock", ".new")):
        step = mark.name.rpartition(".")[2]
        stage = step.split("_")[0]
        again = f"--stage {STAGES.get(stage, stage)}"
        if not mark.is_file():
            check.add(f"{mark} is not a file", f"delete it, and {again}")
            continue
        for line in mark.read_text(encoding="utf-8", errors="replace").splitlines():
            if (match := DIGEST.fullmatch(line) or STATE.fullmatch(line)) and not match[2].startswith(("ROOT", "\\")):
                _check_input(match[1], recipe / match[2], f"since {step} was finished", again, check)


def _check_input(known: str, path: Path, since: str, again: str, check: Check) -> None:
    if not path.exists():
        check.add(f"{path} was deleted {since}", again)
        return
    if path.is_dir():
        now = digest_of_folder(str(path))
    elif "bytes" in known:
        state = path.stat()
        now = f"{state.st_size} bytes, time {int(state.st_mtime)}"
    else:
        now = sha256_of_file(path)
    if now != known:
        check.add(f"{path} changed {since}", again)
