"""Result files for leaderboards, from the decoded test sets of an experiment.

open-asr: manifests of the Open ASR Leaderboard, one line of JSON for each utterance, whose scorer normalises texts.
superb: the folder `predict` of a SUPERB submission, with the names and lines that s3prl's submit.py writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sure.config import Config, load_config
from sure.data.data_dir import read_data_dir
from sure.decode.record import data_of, read_pair, read_record
from sure.errors import SureError
from sure.recipe import names
from sure.tasks.verification import scored_trials

FORMS = ("open-asr", "superb")
TRANSCRIPTS = ("asr", "transcription")
SUPERB = {  # task -> SUPERB's name of the task, and the ending of its file
    "asr": ("asr", "ark"), "phoneme": ("pr", "ark"), "slots": ("sf", "ark"), "keyword": ("ks", "txt"),
    "speaker": ("sid", "txt"), "intent": ("ic", "csv"), "emotion": ("er", "txt"), "verification": ("sv", "txt"),
}  # fmt: skip
INTENT = ("action", "object", "location")  # columns of predict.csv
SLOT_TAG = re.compile(r"[BE]-\S+")


def result_files(experiment: Path, form: str, name: str = "") -> dict[str, bytes]:
    """The files by their paths below the output folder.

    experiment: exp/<name>/seed<k>; form: one of FORMS; name: owner/model, for the names of open-asr's files.
    Raises SureError for a task without such files, and where a stage has to run first.
    """
    if not (experiment / "config.yaml").is_file():
        raise SureError(f"{experiment}: not an experiment folder (no config.yaml); pass exp/<name>/seed<k>")
    config = load_config(experiment / "config.yaml")
    decoded = [(folder, read_record(folder)) for folder in sorted(experiment.glob("decode_*/"))]
    tests = [Path(folder).name for folder in config.data.tests]
    decoded = [(folder, record) for folder, record in decoded if record["set"] in tests]
    if not decoded:
        raise SureError(
            f"{experiment}: no test set is decoded; run stage 5: python -m sure.bin.decode --exp {experiment}"
        )
    files = _open_asr(experiment, config, decoded, name) if form == "open-asr" else _superb(experiment, config, decoded)
    return {path: "".join(f"{line}\n" for line in lines).encode() for path, lines in files}


def _open_asr(
    experiment: Path, config: Config, decoded: list[tuple[Path, dict[str, Any]]], name: str
) -> Iterator[tuple[str, list[str]]]:
    if config.task not in TRANSCRIPTS:
        raise SureError(
            f"{experiment}: the Open ASR Leaderboard has no task {config.task}, only {' and '.join(TRANSCRIPTS)}"
        )
    name = name or f"sure/{experiment.resolve().parent.name}"
    for folder, record in decoded:
        data = Path(data_of(record, config) or "")
        facts = {one.id: one for one in read_data_dir(data)}
        references, hypotheses = read_pair(folder)
        if missing := [id for id in references if id not in facts]:
            raise SureError(f"{data}: no utterance {missing[0]}, which {folder} has; decode the set again (stage 5)")
        spent = record.get("decode_seconds")  # of the whole set: each utterance has its share by duration
        total = sum(facts[id].seconds for id in references)
        lines = [
            json.dumps(
                {
                    "audio_filepath": id,
                    "duration": facts[id].seconds,
                    "time": spent and spent * facts[id].seconds / total,
                    "text": text,
                    "pred_text": hypotheses[id],
                },
                ensure_ascii=False,
            )
            for id, text in references.items()
        ]
        model = "-".join([*name.split("/"), *([record["decoding"]] if record["decoding"] != names.GREEDY else [])])
        yield f"MODEL_{model}_DATASET_{data.parent.name}__{data.name}.jsonl", lines


def _superb(
    experiment: Path, config: Config, decoded: list[tuple[Path, dict[str, Any]]]
) -> Iterator[tuple[str, list[str]]]:
    if config.task not in SUPERB:
        raise SureError(f"{experiment}: SUPERB has no task {config.task}; it has {', '.join(SUPERB)}")
    task, ending = SUPERB[config.task]
    for folder, record in decoded:
        references, hypotheses = read_pair(folder)
        part = "_lm" if record["decoding"] != names.GREEDY else ""
        if task == "er":
            fold = re.search(r"_fold([1-5])\b", str(data_of(record, config)))
            if fold is None:
                raise SureError(f"{experiment}: SUPERB scores emotions in five folds; train with --fold 1 to 5")
            part = f"_fold{fold[1]}"
        yield f"predict/{task}{part}_public/predict.{ending}", list(_lines(config.task, references, hypotheses))


def _lines(task: str, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> Iterator[str]:
    if task == "verification":
        for trial, score in zip(*scored_trials(references, hypotheses), strict=True):
            yield f"{trial.first}_{trial.second} {score}"
        return
    for id, text in hypotheses.items():
        if task == "intent":  # words of a label are joined by _
            values = dict(word.partition("=")[::2] for word in text.split())
            yield ",".join([id, *(values.get(key, "").replace("_", " ") for key in INTENT)])
        elif task in ("asr", "slots"):  # s3prl's texts are in upper case, its slots are not
            yield " ".join([id, *(word if SLOT_TAG.fullmatch(word) else word.upper() for word in text.split())])
        else:
            yield f"{id} {text}"
