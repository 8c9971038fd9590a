"""Export of a bundle as an ONNX graph with its tokens or labels: written, compared with PyTorch, scored."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sure.data.data_dir import Utterance, read_data_dir
from sure.exchange.files import json_file
from sure.exchange.onnx_model import OnnxModel, check_equal, quantise
from sure.exchange.to_onnx import ABOUT, MODEL, bytes_of, description, merge_if_possible, output_kind, write_onnx
from sure.files import replace_folder
from sure.inference import Sure
from sure.models.loading import audio_batches, in_batches
from sure.models.recognition import RecognitionModel


def export_onnx(sure: Sure, out: Path, precision: str, data: str | None) -> tuple[dict[str, int], list[str]]:
    """Write the folder `out`. Returns the sizes of its files in bytes by name, and notes for the user.

    precision: fp32 or int8. data: a data folder, for scores. Raises SureError for a model that cannot be exported, for
    a graph whose outputs differ from those of PyTorch, and for an unusable data folder.
    """
    output_kind(sure.model)
    utterances = _read(sure, data) if data else []
    notes: list[str] = []
    replace_folder(out, lambda folder: notes.extend(_write(sure, folder, precision, data, utterances)))
    return {path.name: path.stat().st_size for path in sorted(out.iterdir())}, notes


def _read(sure: Sure, data: str) -> Sequence[Utterance]:
    utterances = read_data_dir(data)
    sure.model.task.check_set(utterances, data)
    return utterances


def _write(sure: Sure, folder: Path, precision: str, data: str | None, utterances: Sequence[Utterance]) -> list[str]:
    """Write the files of the export; returns notes."""
    model, path = sure.model, folder / MODEL
    notes = merge_if_possible(model)
    write_onnx(model, path)
    graph = OnnxModel(path, model)
    notes.append(f"differs from PyTorch by {check_equal(model, graph):.1e} on random waveforms")
    graphs = {"pytorch": model, "fp32": graph}
    scores = {name: _score(sure, each, utterances) for name, each in graphs.items()} if data else {}
    if precision == "int8":
        whole = folder / "fp32"
        whole.mkdir()
        for file in folder.glob(f"{MODEL}*"):
            file.rename(whole / file.name)
        quantise(whole / MODEL, path, bytes_of(model))
        shutil.rmtree(whole)
        if data:
            scores["int8"] = _score(sure, OnnxModel(path, model), utterances)
    files = model.task.files()
    for name in files:
        shutil.copyfile(sure.bundles[sure.name].folder / name, folder / name)
    about = description(model, files, precision)
    if data:
        about["scores"] = {"data": data, "utterances": len(utterances), **scores}
        notes.append(_line(scores, data, len(utterances)))
    (folder / ABOUT).write_bytes(json_file(about))
    return notes


def _score(sure: Sure, model: RecognitionModel | OnnxModel, utterances: Sequence[Utterance]) -> dict[str, Any]:
    """The score of the task and, if there is one, its interval."""
    task, config = sure.model.task, sure.configs[sure.name]
    found = dict(in_batches(model.hypotheses, audio_batches(utterances, sure.model.encoder, config), sure.device))
    references = {one.id: task.reference(one) for one in utterances}
    scores = task.score(references, {id: found[id] for id in references})
    wanted = (task.score_name, f"{task.score_name}_interval")
    return {name: scores[name] for name in wanted if name in scores}


def _line(scores: Mapping[str, Mapping[str, Any]], data: str, count: int) -> str:
    """The scores of PyTorch and of each precision in one line."""
    values = [f"{name} {next(iter(each.values())):.2f}" for name, each in scores.items()]
    score = next(iter(next(iter(scores.values()))))
    return f"{score}: {', '.join(values)}, for {count:,} utterances of {data}"
