"""result.json of a decoded folder: scores, and facts about data and training."""

import datetime
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sure.data.tables import parse_seconds, read_lines
from sure.files import replace_file
from sure.parsing import read_json


def write_result(folder: Path, result: dict[str, Any], experiment: Path | None = None) -> dict[str, Any]:
    """Write result.json; keys that `result` lacks come from the experiment's summary.json and command.txt."""
    if experiment:
        path = experiment / "summary.json"  # missing where the training did not finish
        summary = read_json(path, "run stage 4 again, which writes it at its end") if path.exists() else {}
        result = {**result, "command": _command(experiment / "command.txt")}
        result = {**result, **summary, **result}  # in this order, with the values of `result`
    replace_file(folder / "result.json", json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    return result


def data_facts(data: str | None, references: Mapping[str, str]) -> dict[str, Any]:
    """Facts about a decoded data folder. data: its path; references: texts by utterance id."""
    return {
        "utterances": len(references),
        "data": data,
        "seconds_of_audio": _seconds_of_audio(data, references),
        "references_sha256": hashlib.sha256(json.dumps(references, sort_keys=True).encode()).hexdigest(),
        "date": datetime.date.today().isoformat(),
    }


def _seconds_of_audio(data: str | None, ids: Iterable[str]) -> float | None:
    """Sum of the durations in utt2dur; None if the folder is missing or lacks an utterance."""
    path = Path(data or "") / "utt2dur"
    lines = read_lines(path) if path.is_file() else []
    seconds = {line.id: parse_seconds(path, line, line.value) for line in lines}
    return round(math.fsum(seconds[id] for id in ids), 3) if all(id in seconds for id in ids) else None


def _command(path: Path) -> str | None:
    """The last training command in command.txt."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    commands = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return commands[-1] if commands else None
