"""Stage 8: pack a trained model as a bundle, EXP/bundle: methods, head and tokens, without the backbone."""

from __future__ import annotations

from typing import Any

from sure.decode.trained import load_trained
from sure.models.experiment import Experiment
from sure.parsing import read_json
from sure.petl.bundle import write_bundle


def pack(experiment: Experiment) -> dict[str, bytes]:
    """Write the bundle; its files by name."""
    config, model = load_trained(experiment)
    files = model.bundle(config, experiment.tokens, _scores(experiment))
    write_bundle(experiment.folder / "bundle", files)
    return files


def _scores(experiment: Experiment) -> dict[str, Any]:
    """Name and value of the scores of dev and of all scored sets, by set."""
    found = {"dev": read_json(experiment.best, "run stage 4, train, which writes it")}
    for path in sorted(experiment.folder.glob("decode_*/result.json")):
        result = read_json(path, "run stage 6, score, which writes it")
        name = path.parent.name.removeprefix("decode_")
        found[name] = {key: result.get(key) for key in ("score_name", "score", "decoding", "utterances", "data")}
    return found
