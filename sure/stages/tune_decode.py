"""Choose decode.weight and decode.word_score on the dev set, for stage 5: into EXP/tuned_<decoding>.json.

The encoder runs once; then every pair of the grid is searched with. What the config gives is not changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from torch import Tensor
from tqdm import tqdm

from sure.config import Config
from sure.data.data_dir import read_data_dir
from sure.decode.text import Knowledge, conditions, learn, make_search
from sure.device import pick_device
from sure.models.loading import audio_batches
from sure.models.recognition import SureModel

WEIGHTS = "0 0.25 0.5 0.75 1 1.5"
WORD_SCORES = "-1 0 1 2 3 4 5"


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


def tune(config: Config, model: SureModel, weights: Sequence[float], word_scores: Sequence[float]) -> dict[str, Any]:
    """The scores of dev over the grid, and the pair with the best one: of equals, the first."""
    data = config.data.valid
    utterances = read_data_dir(data)
    model.task.check_set(utterances, data)
    knowledge = learn(config, model)
    references = {utterance.id: model.task.reference(utterance) for utterance in utterances}
    logs = log_probabilities(config, model, utterances)
    settings = config.decode
    if settings.weight is not None or knowledge.model is None:
        weights = [settings.weight or 0.0]
    if settings.word_score is not None:
        word_scores = [settings.word_score]
    grid = []
    for weight, word_score in tqdm([*itertools.product(weights, word_scores)], desc="grid", disable=None, leave=False):
        tried = settings.model_copy(update={"weight": weight, "word_score": word_score})
        score = score_of(model, knowledge, tried, logs, references)
        grid.append({"weight": weight, "word_score": word_score, "score": score})
    best = max if model.task.higher_is_better else min
    chosen = best(grid, key=lambda tried: tried["score"])
    about = {"score_name": model.task.score_name, "data": data, "conditions": conditions(settings, knowledge)}
    return {**chosen, **about, "grid": grid}


def log_probabilities(config: Config, model: SureModel, utterances: Sequence[Any]) -> dict[str, Tensor]:
    """(frames, tokens) by utterance."""
    device = pick_device(config.train.device)
    logs: dict[str, Tensor] = {}
    for batch in audio_batches(utterances, model.backbone, config):
        rows = model.log_probabilities(batch.waves.to(device), batch.wave_lengths)
        logs.update(zip(batch.ids, rows, strict=True))
    return logs


def score_of(
    model: SureModel, knowledge: Knowledge, settings: Any, logs: dict[str, Tensor], references: dict[str, str]
) -> float:
    search = make_search(model, knowledge, settings)
    hypotheses = {id: search.best(logs[id]) for id in references}
    return model.task.score(references, hypotheses)[model.task.score_name]


def table(grid: Sequence[dict[str, float]]) -> str:
    """The grid's scores, a row for each weight and a column for each word score."""
    columns = list(dict.fromkeys(tried["word_score"] for tried in grid))
    rows = [["weight", *(f"word {column:g}" for column in columns)]]
    for weight, line in itertools.groupby(grid, lambda tried: tried["weight"]):
        rows.append([f"{weight:g}", *(f"{tried['score']:.2f}" for tried in line)])
    return "\n".join("".join(cell.rjust(9) for cell in row) for row in rows)
