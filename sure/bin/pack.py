"""Stage 8: what was trained as a bundle, EXP/bundle, that works with the backbone alone."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sure.decode.trained import load_trained
from sure.errors import SureError, run
from sure.models.experiment import Experiment
from sure.models.pack import bundle_content
from sure.parsing import parse_json
from sure.petl.bundle import write_bundle


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.pack", description=__doc__)
    parser.add_argument("--exp", required=True, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")
    experiment = Experiment(Path(parser.parse_args(argv).exp))
    config, model = load_trained(experiment)
    files = bundle_content(config, model, experiment.tokens, scores(experiment))
    write_bundle(experiment.folder / "bundle", files)
    print(f"{experiment.folder / 'bundle'}: {sum(map(len, files.values())):,} bytes in {', '.join(files)}")


def scores(experiment: Experiment) -> dict[str, Any]:
    """By set: the name of the score and its value, of dev and of the sets that were scored."""
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
        raise SureError(f"{path} is not there, or is not a JSON object; run the stage that writes it again: {stage}")
    return values


if __name__ == "__main__":
    run(main)
