"""Stage 8: pack a trained model as a bundle, EXP/bundle: methods, head and tokens, without the backbone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.models.experiment import Experiment
from sure.models.pack import bundle_content
from sure.parsing import parse_json
from sure.petl.bundle import write_bundle


def pack(experiment: Experiment) -> dict[str, bytes]:
    """Write the bundle; its files by name."""
    config, model = load_trained(experiment)
    files = bundle_content(config, model, experiment.tokens, _scores(experiment))
    write_bundle(experiment.folder / "bundle", files)
    return files


def _scores(experiment: Experiment) -> dict[str, Any]:
    """Name and value of the scores of dev and of all scored sets, by set."""
    found = {"dev": _read(experiment.best, "4, train")}
    for path in sorted(experiment.folder.glob("decode_*/result.json")):
        result = _read(path, "6, score")
        name = path.parent.name.removeprefix("decode_")
        found[name] = {key: result.get(key) for key in ("score_name", "score", "decoding", "utterances", "data")}
    return found


def _read(path: Path, stage: str) -> dict[str, Any]:
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        values = None
    if not isinstance(values, dict):
        raise SureError(f"{path} is missing, or is not a JSON object; run stage {stage}, which writes it")
    return values
