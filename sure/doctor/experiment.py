"""An experiment: config readable, data and weights there, checkpoints and results whole, stages still finished."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import safetensors

from sure.config import Config, load_config
from sure.doctor.bundle import examine_bundle
from sure.doctor.finding import Patient
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.models.build import build_task, kind_of
from sure.models.experiment import Experiment
from sure.parsing import parse_json
from sure.train.checkpoint import Checkpoints, is_whole
from sure.train.left_out import FILE as LEFT_OUT

TRAIN = "run stage 4 again: --stage train (run.sh), or sure.bin.train with --restart"
RESUME = "run the same command again: training goes on from the other one"
DECODE = "run stages 5 and 6 again: --stage decode"
MARKED = re.compile(r"([0-9a-f]{64}) [ *](.+)")  # of an input, in the mark of a step


def examine_experiment(folder: Path) -> Patient:
    patient = Patient(folder, "experiment")
    experiment = Experiment(folder)
    config = _check_config(experiment, patient)
    _check_checkpoints(experiment, patient)
    _check_best(experiment, patient)
    _check_lines(folder / "metrics.jsonl", _is_json_object, patient)
    _check_lines(folder / LEFT_OUT, lambda line: "\t" in line, patient)
    recipe = _recipe(folder)
    if config is not None:
        for decoded in sorted(folder.glob("decode_*")):
            _check_decoded(decoded, config, patient)
        _check_inputs(config, recipe, experiment, patient)
    for mark in sorted(path for path in folder.glob(".marks/*") if path.suffix not in (".lock", ".new")):
        _check_mark(mark, recipe, patient)
    if (folder / "bundle").is_dir():
        patient.findings += examine_bundle(folder / "bundle").findings
    if not experiment.summary.is_file():
        patient.notes.append("training is not finished: the same command again goes on")
    return patient


def _recipe(folder: Path) -> Path:
    """The folder that relative paths start from: the one with exp/."""
    return next((path.parent for path in folder.resolve().parents if path.name == "exp"), Path())


def _check_config(experiment: Experiment, patient: Patient) -> Config | None:
    if not experiment.config.is_file():
        patient.wrong(f"{experiment.config} is missing", TRAIN)
        return None
    try:
        return load_config(experiment.config)
    except SureError as error:
        patient.wrong(error, "bring the file back, or train again")
        return None


def _check_inputs(config: Config, recipe: Path, experiment: Experiment, patient: Patient) -> None:
    for name, folder in config.data.sets().items():
        if not (recipe / folder / "wav.scp").is_file():
            patient.wrong(f"{recipe / folder}: the set {name} is not there", "run stage 2, prepare")
    weights = config.backbone.weights
    if ("/" in weights or "." in weights) and not (recipe / weights).exists():
        patient.wrong(f"{recipe / weights}: the backbone's weights are not there", "run stage 1, download")
    try:
        build_task(config, experiment.tokens)
    except SureError as error:
        patient.wrong(error)


def _check_checkpoints(experiment: Experiment, patient: Patient) -> None:
    checkpoints = Checkpoints(experiment.checkpoints)
    found = [path for path in (checkpoints.next, checkpoints.last, checkpoints.previous) if path.exists()]
    damaged = [path for path in found if not path.is_file() or not is_whole(path)]
    for path in damaged:
        todo = RESUME if len(damaged) < len(found) else TRAIN
        if path.is_file():
            patient.wrong(f"{path} is damaged (its digest is wrong)", todo)
        else:
            patient.wrong(f"{path} is no file", f"delete it, and {todo}")
    if not found and not experiment.summary.is_file():
        patient.wrong(f"{experiment.checkpoints}: no checkpoint, and no {experiment.summary.name}", TRAIN)


def _check_best(experiment: Experiment, patient: Patient) -> None:
    best = _read_json(experiment.best, patient, TRAIN) if experiment.best.exists() else {}
    _read_json(experiment.summary, patient, TRAIN) if experiment.summary.exists() else None
    path = experiment.best_weights
    if not experiment.best.exists() and (path.exists() or experiment.summary.exists()):
        patient.wrong(f"{experiment.best} is missing", TRAIN)
    if not path.is_file():
        if best or experiment.summary.is_file():
            patient.wrong(f"{path} is missing", TRAIN)
        return
    try:
        with safetensors.safe_open(path, "pt") as file:
            whole = bool(file.keys())
    except (safetensors.SafetensorError, OSError):
        whole = False
    digest = best.get("sha256") if best else None
    if not whole or (digest and sha256_of_file(path) != digest):
        patient.wrong(f"{path} is damaged", TRAIN)


def _check_lines(path: Path, whole: Callable[[str], bool], patient: Patient) -> None:
    if not path.exists():
        return
    try:
        good = all(whole(line) for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        good = False
    if not good:
        patient.wrong(f"{path} is damaged", TRAIN)


def _is_json_object(text: str) -> bool:
    return isinstance(parse_json(text), dict)


def _check_decoded(folder: Path, config: Config, patient: Patient) -> None:
    if problem := kind_of(config).problem(folder):
        patient.wrong(problem, DECODE)
    elif (folder / "result.json").exists():
        _read_json(folder / "result.json", patient, DECODE)


def _check_mark(mark: Path, recipe: Path, patient: Patient) -> None:
    if not mark.is_file():
        patient.wrong(f"{mark} is no file", f"delete it, and --stage {_stage(mark)}")
        return
    for line in mark.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := MARKED.fullmatch(line):
            digest, name = match.groups()
            path = recipe / name
            if "ROOT" in name or name.startswith("\\"):  # of another folder, or with a name that was escaped
                continue
            if not path.is_file():
                patient.wrong(f"{path} is gone since {mark.name} was finished", f"--stage {_stage(mark)}")
            elif sha256_of_file(path) != digest:
                patient.wrong(f"{path} changed since {mark.name} was finished", f"--stage {_stage(mark)}")


def _stage(mark: Path) -> str:
    return mark.name.split("_")[0]


def _read_json(path: Path, patient: Patient, todo: str) -> dict:
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    except (OSError, ValueError):
        pass
    patient.wrong(f"{path} is no JSON object", todo)
    return {}
