"""Stage 6: scores of EXP/decode_<set>/{hyp.txt,ref.txt}, or of its speech, into result.json and result.txt there."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sure import registry
from sure.config import Config, load_config
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.tables import Line, parse_seconds, read_lines
from sure.decode.text import read_record
from sure.errors import SureError
from sure.files import one_at_a_time, replace_file
from sure.parsing import parse_json
from sure.report.speech_picture import draw_speech
from sure.score.synthesis.folder import (
    COPY,
    NATURAL,
    SCORE_NAME,
    UTTERANCES,
    fingerprint,
    read_languages,
    score_folder,
)
from sure.score.synthesis.quality import Judges, SpeechScores
from sure.tasks.base import BaseTask

NAMED_IDS = 5  # of a list of ids in an error
AGAIN = "decode this set again (stage 5)"


def score_experiment(experiment: Path, sets: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Score the named sets, or all that were decoded; write and return one result each.

    Raises SureError naming the stage to run, and the utterances that only one side has.
    """
    if not (experiment / "config.yaml").is_file():
        raise SureError(f"{experiment}: not an experiment folder (no config.yaml); run stage 4 first")
    config = load_config(experiment / "config.yaml")
    decoded: dict[str, list[Path]] = {}
    for folder in sorted(experiment.glob("decode_*/")):
        decoded.setdefault(read_record(folder)["set"], []).append(folder)
    again = f"run stage 5: python -m sure.bin.decode --exp {experiment}"
    if not decoded:
        raise SureError(f"{experiment}: nothing decoded (no decode_<set> folder); {again}")
    for name in sets or []:
        if name not in decoded:
            raise SureError(f"{experiment}: no decode_{name}, only {', '.join(decoded)}; {again}")
    task_class = registry.find("tasks", config.task)
    folders = [folder for name in sets or decoded for folder in decoded[name]]
    if task_class.speaks:
        judges = Judges.of(_languages(config, folders))
        return [score_speech(experiment, folder, config, judges) for folder in folders]
    task = task_class(config.head, Path(config.tokenizer.folder), config.text.language)
    return [score_set(experiment, folder, config, task) for folder in folders]


def score_set(experiment: Path, folder: Path, config: Config, task: BaseTask) -> dict[str, Any]:
    references, hypotheses = read_pair(folder)
    record = read_record(folder)
    try:
        scores = task.score(references, hypotheses)
    except SureError as error:
        raise SureError(f"{folder}: {error}") from None
    result = {
        "task": config.task,
        "set": record["set"],
        "method": config.method,
        "decoding": record["decoding"],
        "decode": record["settings"],
        "decode_overrides": record.get("overrides", []),
        "decode_tuned_on": record.get("tuned_on"),
        "score_name": task.score_name,
        "higher_is_better": task.higher_is_better,
        "score": scores[task.score_name],
        **scores,
        **_facts(data_of(record, config), references),
        "command": _command(experiment),
    }
    trained = _summary(experiment / "summary.json")
    if record["settings"]["method"] != "greedy":
        result["dev_score"] = record.get("dev_score")  # that of the summary is of greedy decoding
    replace_file(folder / "result.txt", task.listing(references, hypotheses))
    return _write(folder, result | {key: value for key, value in trained.items() if key not in result})


def score_speech(experiment: Path, folder: Path, config: Config, judges: Judges) -> dict[str, Any]:
    """Score what was spoken; before it the recordings and copy synthesis, once for a data set and not for every
    experiment: they lie beside the experiments, in `<dataset>_natural` and, for each vocoder, in
    `<dataset>_copy_synthesis`, behind which a vocoder that is a file has its name."""
    record = read_record(folder)
    data = data_of(record, config)
    settings = data, acoustic_settings(experiment, config), config.text.language, judges
    dataset = Path(config.data.train).parent.name
    ceilings = []
    for kind in (NATURAL, record.get("copies", COPY)):
        place = experiment.parent.parent / f"{dataset}_{kind}" / f"decode_{record['set']}"
        if kind == NATURAL or place.is_dir():
            with one_at_a_time(place):
                _score_ceiling(place, kind, config, record["set"], *settings)
            ceilings.append(place.parent)
    found = score_folder(folder, *settings)
    result = {
        **_of_speech(config.task, record["set"], config.method, data, found),
        "decoding": record["decoding"],
        "vocoder": record["settings"].get("vocoder"),
        "decode_overrides": record.get("overrides", []),
        "ceilings": list(map(str, ceilings)),
        "dev_score_name": registry.find("tasks", config.task).score_name,
        "command": _command(experiment),
    }
    trained = _summary(experiment / "summary.json")
    draw_speech(experiment, folder, Path(data))
    return _write(folder, result | {key: value for key, value in trained.items() if key not in result})


def _languages(config: Config, folders: Sequence[Path]) -> list[str]:
    """Those that are spoken in the data of decoded folders."""
    found = [config.text.language]
    for folder in folders:
        found += read_languages(data_of(read_record(folder), config)).values()
    return list(dict.fromkeys(found))


def _score_ceiling(place: Path, kind: str, config: Config, name: str, data: str, *settings: Any) -> None:
    made_of = fingerprint(place, data, *settings)
    try:
        earlier = parse_json((place / "result.json").read_text(encoding="utf-8"))
        if isinstance(earlier, dict) and earlier.get("made_of") == made_of and (place / UTTERANCES).is_file():
            return
    except (OSError, ValueError):
        pass
    found = score_folder(place, data, *settings, natural=kind == NATURAL)
    _write(place, {**_of_speech(config.task, name, kind, data, found), "made_of": made_of})


def _of_speech(task: str, name: str, method: str, data: str, found: SpeechScores) -> dict[str, Any]:
    texts = {id: row["text"] for id, row in found.utterances.items()}
    return {
        "task": task,
        "set": name,
        "method": method,
        "score_name": SCORE_NAME,
        "higher_is_better": False,
        "score": found.scores.get(SCORE_NAME),
        **found.scores,
        **_facts(data, texts),
    }


def data_of(record: Mapping[str, Any], config: Config) -> str | None:
    """The data folder that was decoded."""
    return record.get("data", config.data.sets().get(record["set"]))


def acoustic_settings(experiment: Path, config: Config) -> AcousticConfig:
    """Those that the features of this experiment were made with, as stage 2 wrote them."""
    path = experiment / "tokens" / "statistics.json"
    if not path.is_file():
        return config.acoustic
    try:
        return AcousticConfig.model_validate(parse_json(path.read_text(encoding="utf-8"))["acoustic"])
    except (KeyError, TypeError, ValueError):
        raise SureError(f"{path}: not what stage 2 writes; run stages 2 to 4 again") from None


def _facts(data: str | None, references: Mapping[str, str]) -> dict[str, Any]:
    return {
        "utterances": len(references),
        "data": data,
        "seconds_of_audio": _seconds_of_audio(data, references),
        "references_sha256": hashlib.sha256(json.dumps(references, sort_keys=True).encode()).hexdigest(),
        "date": datetime.date.today().isoformat(),
    }


def _write(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    replace_file(folder / "result.json", json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    return result


def read_pair(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """References and hypotheses by utterance id, in the order of ref.txt; a line may be an id alone.

    Raises SureError for a missing file, an id that is there twice, and ids that only one file has.
    """
    references, hypotheses = (_read_texts(folder / name) for name in ("ref.txt", "hyp.txt"))
    for here, there, name in ((references, hypotheses, "hyp.txt"), (hypotheses, references, "ref.txt")):
        if missing := [id for id in here if id not in there]:
            more = f" and {len(missing) - NAMED_IDS} more" if len(missing) > NAMED_IDS else ""
            raise SureError(f"{folder / name}: no line for {', '.join(missing[:NAMED_IDS])}{more}; {AGAIN}")
    if not references:
        raise SureError(f"{folder / 'ref.txt'}: no utterances; {AGAIN}")
    return references, {id: hypotheses[id] for id in references}


def _read_texts(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise SureError(f"{path}: no such file; {AGAIN}")
    lines: dict[str, Line] = {}
    for line in read_lines(path):
        if line.id in lines:
            first = lines[line.id].number
            raise SureError(f"{path}:{line.number}: the id '{line.id}' is already on line {first}; {AGAIN}")
        lines[line.id] = line
    return {id: line.value for id, line in lines.items()}


def _seconds_of_audio(data: str | None, ids: Mapping[str, str]) -> float | None:
    """The sum of the set's utt2dur, where its data folder is still there and has all the utterances."""
    path = Path(data or "") / "utt2dur"
    lines = read_lines(path) if path.is_file() else []
    seconds = {line.id: parse_seconds(path, line, line.value) for line in lines}
    return round(math.fsum(seconds[id] for id in ids), 3) if all(id in seconds for id in ids) else None


def _command(experiment: Path) -> str | None:
    """The command that trained: the last of command.txt."""
    path = experiment / "command.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    commands = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return commands[-1] if commands else None


def _summary(path: Path) -> dict[str, Any]:
    """What training wrote about itself; nothing where it did not end."""
    try:
        summary = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        summary = None
    if not isinstance(summary, dict):
        raise SureError(f"{path}: not a JSON object; run stage 4 again, it writes this file at its end")
    return summary
