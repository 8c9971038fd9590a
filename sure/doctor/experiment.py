"""Check of an experiment: config, data, weights, checkpoints and results, and inputs that changed since a stage."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import safetensors

from sure.config import Config, load_config
from sure.doctor.bundle import check_bundle
from sure.doctor.problem import Check
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.models.build import build_task, kind_of
from sure.models.experiment import Experiment
from sure.parsing import parse_json, read_json
from sure.train.checkpoint import Checkpoints, is_whole
from sure.train.left_out import FILE as LEFT_OUT

TRAIN = "run stage 4 again: --stage train (run.sh), or sure.bin.train with --restart"
RESUME = "run the same command again: training continues from the other checkpoint"
DECODE = "run stages 5 and 6 again: --stage decode"
MARKED = re.compile(r"([0-9a-f]{64}) [ *](.+)")  # digest and name of an input, in the mark of a stage


def check_experiment(folder: Path) -> Check:
    check = Check(folder, "experiment")
    experiment = Experiment(folder)
    config = _check_config(experiment, check)
    _check_checkpoints(experiment, check)
    _check_best(experiment, check)
    _check_lines(folder / "metrics.jsonl", _is_json_object, check)
    _check_lines(folder / LEFT_OUT, lambda line: "\t" in line, check)
    recipe = _recipe(folder)
    if config is not None:
        for decoded in sorted(folder.glob("decode_*")):
            _check_decoded(decoded, config, check)
        _check_inputs(config, recipe, experiment, check)
    for mark in sorted(path for path in folder.glob(".marks/*") if path.suffix not in (".lock", ".new")):
        _check_mark(mark, recipe, check)
    if (folder / "bundle").is_dir():
        check.problems += check_bundle(folder / "bundle").problems
    if not experiment.summary.is_file():
        check.notes.append("training is not finished: the same command continues it")
    return check


def _recipe(folder: Path) -> Path:
    """The recipe folder, which contains exp/: relative paths start there."""
    return next((path.parent for path in folder.resolve().parents if path.name == "exp"), Path())


def _check_config(experiment: Experiment, check: Check) -> Config | None:
    if not experiment.config.is_file():
        check.add(f"{experiment.config} is missing", TRAIN)
        return None
    try:
        return load_config(experiment.config)
    except SureError as error:
        check.add(error, "restore the file, or train again")
        return None


def _check_inputs(config: Config, recipe: Path, experiment: Experiment, check: Check) -> None:
    for name, folder in config.data.sets().items():
        if not (recipe / folder / "wav.scp").is_file():
            check.add(f"{recipe / folder}: the set {name} does not exist", "run stage 2, prepare")
    weights = config.backbone.weights
    if ("/" in weights or "." in weights) and not (recipe / weights).exists():
        check.add(f"{recipe / weights}: the weights of the backbone do not exist", "run stage 1, download")
    try:
        build_task(config, experiment.tokens)
    except SureError as error:
        check.add(error)


def _check_checkpoints(experiment: Experiment, check: Check) -> None:
    checkpoints = Checkpoints(experiment.checkpoints)
    found = [path for path in (checkpoints.next, checkpoints.last, checkpoints.previous) if path.exists()]
    damaged = [path for path in found if not path.is_file() or not is_whole(path)]
    for path in damaged:
        remedy = RESUME if len(damaged) < len(found) else TRAIN
        if path.is_file():
            check.add(f"{path} is damaged (its digest is wrong)", remedy)
        else:
            check.add(f"{path} is not a file", f"delete it, and {remedy}")
    if not found and not experiment.summary.is_file():
        check.add(f"{experiment.checkpoints} has no checkpoint, and there is no {experiment.summary.name}", TRAIN)


def _check_best(experiment: Experiment, check: Check) -> None:
    best = _read_json(experiment.best, check, TRAIN) if experiment.best.exists() else {}
    _read_json(experiment.summary, check, TRAIN) if experiment.summary.exists() else None
    path = experiment.best_weights
    if not experiment.best.exists() and (path.exists() or experiment.summary.exists()):
        check.add(f"{experiment.best} is missing", TRAIN)
    if not path.is_file():
        if best or experiment.summary.is_file():
            check.add(f"{path} is missing", TRAIN)
        return
    try:
        with safetensors.safe_open(path, "pt") as file:
            whole = bool(file.keys())
    except (safetensors.SafetensorError, OSError):
        whole = False
    digest = best.get("sha256") if best else None
    if not whole or (digest and sha256_of_file(path) != digest):
        check.add(f"{path} is damaged", TRAIN)


def _check_lines(path: Path, whole: Callable[[str], bool], check: Check) -> None:
    if not path.exists():
        return
    try:
        good = all(whole(line) for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        good = False
    if not good:
        check.add(f"{path} is damaged", TRAIN)


def _is_json_object(text: str) -> bool:
    return isinstance(parse_json(text), dict)


def _check_decoded(folder: Path, config: Config, check: Check) -> None:
    try:
        kind_of(config).check_decoded(folder)
    except (SureError, OSError) as error:
        check.add(str(error), DECODE)
    else:
        if (folder / "result.json").exists():
            _read_json(folder / "result.json", check, DECODE)


def _check_mark(mark: Path, recipe: Path, check: Check) -> None:
    if not mark.is_file():
        check.add(f"{mark} is not a file", f"delete it, and --stage {_stage(mark)}")
        return
    for line in mark.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := MARKED.fullmatch(line):
            digest, name = match.groups()
            path = recipe / name
            if "ROOT" in name or name.startswith("\\"):  # in another folder, or with an escaped name
                continue
            if not path.is_file():
                check.add(f"{path} was deleted since {mark.name} was finished", f"--stage {_stage(mark)}")
            elif sha256_of_file(path) != digest:
                check.add(f"{path} changed since {mark.name} was finished", f"--stage {_stage(mark)}")


def _stage(mark: Path) -> str:
    return mark.name.split("_")[0]


def _read_json(path: Path, check: Check, remedy: str) -> dict:
    try:
        return read_json(path, remedy)
    except SureError as error:
        check.add(error)
        return {}
