"""Checks of an experiment (config, data, weights, checkpoints, results, inputs that changed) and of a bundle."""

from collections.abc import Callable
from pathlib import Path

import safetensors

from sure import hub
from sure.config import Config, load_config
from sure.doctor.check import Check
from sure.doctor.marks import check_marks
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.inference import Sure
from sure.models.build import build_task, kind_of
from sure.models.experiment import Experiment
from sure.parsing import parse_json, read_json
from sure.train.checkpoint import Checkpoints, is_whole
from sure.train.left_out import FILE as LEFT_OUT

TRAIN = "run stage 4 again: --stage train (run.sh), or sure.bin.train with --restart"
RESUME = "run the same command again: training continues from the last checkpoint that is not damaged"
UNNEEDED = "delete it: a finished training does not need it"
DECODE = "run stages 5 and 6 again: --stage decode"
FINISH = "finish the training first, by the same command again; then run stages 5 and 6: --stage decode"


def check_experiment(folder: Path) -> Check:
    check = Check(folder, "experiment")
    experiment = Experiment(folder)
    config = None
    if experiment.config.is_file():
        with check.collect("restore the file, or train again"):
            config = load_config(experiment.config)
    else:
        check.add(f"{experiment.config} is missing", TRAIN)
    again = _check_checkpoints(experiment, check)
    _check_best(experiment, check, again)
    _check_lines(folder / "metrics.jsonl", lambda line: isinstance(parse_json(line), dict), check, again)
    _check_lines(folder / LEFT_OUT, lambda line: "\t" in line, check, TRAIN)
    # the recipe folder contains exp/: relative paths start there
    recipe = next((path.parent for path in folder.resolve().parents if path.name == "exp"), Path())
    decode = DECODE if experiment.summary.is_file() else FINISH
    if config is not None:
        for decoded in sorted(folder.glob("decode_*")):
            try:
                kind_of(config).check_decoded(decoded)
                _read_json(decoded / "result.json", check, decode)
            except (SureError, OSError) as error:
                check.add(error, decode)
        _check_inputs(config, recipe, experiment, check)
    check_marks(folder.glob(".marks/*"), recipe, check)
    if (folder / "bundle").is_dir():
        check.problems += check_bundle(folder / "bundle").problems
    if not experiment.summary.is_file():
        check.notes.append("training is not finished: the same command continues it")
    return check


def check_bundle(folder: Path) -> Check:
    """Load the bundle as for inference, so its files are complete and consistent, and it fits its backbone."""
    check = Check(folder, "bundle")
    with check.collect():  # the message has the remedy
        sure = Sure.load(folder, device="cpu")
        check.notes.append(f"task {sure.bundles[sure.name].about['task']}, on {sure.weights}")
    return check


def _check_inputs(config: Config, recipe: Path, experiment: Experiment, check: Check) -> None:
    for name, folder in config.data.sets().items():
        if not (recipe / folder / "wav.scp").is_file():
            check.add(f"{recipe / folder}: the set {name} does not exist", "run stage 2, prepare")
    weights = config.backbone.weights
    if ("/" in weights or "." in weights) and not (recipe / weights).exists() and not hub.is_name(weights):
        check.add(f"{recipe / weights}: the weights of the backbone do not exist", "run stage 1, download")
    with check.collect():
        build_task(config, experiment.tokens)


def _check_checkpoints(experiment: Experiment, check: Check) -> str:
    """The remedy for a damaged file that training writes: an unfinished training writes it again when it continues."""
    checkpoints = Checkpoints(experiment.checkpoints)
    found = [path for path in (checkpoints.next, checkpoints.last, checkpoints.previous) if path.exists()]
    damaged = [path for path in found if not path.is_file() or not is_whole(path)]
    finished = experiment.summary.is_file()
    again = RESUME if len(damaged) < len(found) and not finished else TRAIN
    for path in damaged:
        remedy = UNNEEDED if finished else again
        if path.is_file():
            check.add(f"{path} is damaged (its digest is wrong)", remedy)
        else:
            check.add(f"{path} is not a file", remedy if finished else f"delete it, and {remedy}")
    if not found and not finished:
        check.add(f"{experiment.checkpoints} has no checkpoint, and there is no {experiment.summary.name}", TRAIN)
    return again


def _check_best(experiment: Experiment, check: Check, again: str) -> None:
    best = _read_json(experiment.best, check, again)
    _read_json(experiment.summary, check, TRAIN)
    path = experiment.best_weights
    if not experiment.best.exists() and (path.exists() or experiment.summary.exists()):
        check.add(f"{experiment.best} is missing", again)
    if not path.is_file():
        if best or experiment.summary.is_file():
            check.add(f"{path} is missing", again)
        return
    try:
        with safetensors.safe_open(path, "pt") as file:
            whole = bool(file.keys())
    except (safetensors.SafetensorError, OSError):
        whole = False
    digest = best.get("sha256")
    if not whole or (digest and sha256_of_file(path) != digest):
        check.add(f"{path} is damaged", again)


def _check_lines(path: Path, whole: Callable[[str], bool], check: Check, again: str) -> None:
    if not path.exists():
        return
    try:
        good = all(whole(line) for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        good = False
    if not good:
        check.add(f"{path} is damaged", again)


def _read_json(path: Path, check: Check, remedy: str) -> dict:
    with check.collect():
        return read_json(path, remedy) if path.exists() else {}
    return {}
