"""Choose decode.weight and decode.word_score on the dev set, for stage 5."""

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sure.config import Config
from sure.data.data_dir import read_data_dir
from sure.decode.text import load_language_resources, make_search, tuning_conditions
from sure.decode.trained import load_trained
from sure.device import pick_device
from sure.errors import SureError
from sure.files import replace_file
from sure.models.experiment import Experiment
from sure.models.loading import audio_batches, in_batches
from sure.models.recognition import RecognitionModel
from sure.progress import progress_bar
from sure.recipe import names


def tune_experiment(
    experiment: Experiment, overrides: Sequence[str], weights: Sequence[float], word_scores: Sequence[float]
) -> Iterator[str]:
    """Tune and write EXP/tuned_<decoding>.json; yield a table of all scores, and the chosen values."""
    config, model = load_trained(experiment, overrides)
    if config.decode.method == "greedy":
        raise SureError("decode.method=greedy has no weights to tune; add decode.method=beam")
    tuned = tune(config, model, weights, word_scores)
    path = experiment.folder / names.tuned_file(config.decode.name)
    replace_file(path, json.dumps(tuned, ensure_ascii=False, indent=2) + "\n")
    yield table(tuned["grid"])
    yield (
        f"{path}: decode.weight={tuned['weight']:g} decode.word_score={tuned['word_score']:g}, "
        f"{tuned['score_name']} {tuned['score']:.2f} % on {tuned['data']}"
    )


def tune(
    config: Config, model: RecognitionModel, weights: Sequence[float], word_scores: Sequence[float]
) -> dict[str, Any]:
    """Dev scores over the grid, and the pair with the best score; of equal ones, the first."""
    data, settings = config.data.valid, config.decode
    utterances = read_data_dir(data)
    model.task.check_set(utterances, data)
    resources = load_language_resources(config, model)
    references = {utterance.id: model.task.reference(utterance) for utterance in utterances}
    batches = audio_batches(utterances, model.encoder, config)
    logs = dict(in_batches(model.log_probabilities, batches, pick_device(config.train.device)))
    if settings.weight is not None or resources.ngram is None:
        weights = [settings.weight or 0.0]
    if settings.word_score is not None:
        word_scores = [settings.word_score]
    grid = []
    for weight, word_score in progress_bar([*itertools.product(weights, word_scores)], "grid"):
        tried = settings.model_copy(update={"weight": weight, "word_score": word_score})
        search = make_search(model, resources, tried)
        hypotheses = {id: search.best(logs[id]) for id in references}
        score = model.task.score(references, hypotheses)[model.task.score_name]
        grid.append({"weight": weight, "word_score": word_score, "score": score})
    best = max if model.task.higher_is_better else min
    chosen = best(grid, key=lambda tried: tried["score"])
    conditions = tuning_conditions(settings, resources)
    return {**chosen, "score_name": model.task.score_name, "data": data, "conditions": conditions, "grid": grid}


def table(grid: Sequence[dict[str, float]]) -> str:
    """The grid's scores, with a row for each weight and a column for each word score."""
    columns = list(dict.fromkeys(tried["word_score"] for tried in grid))
    rows = [["weight", *(f"word {column:g}" for column in columns)]]
    for weight, line in itertools.groupby(grid, lambda tried: tried["weight"]):
        rows.append([f"{weight:g}", *(f"{tried['score']:.2f}" for tried in line)])
    return "\n".join("".join(cell.rjust(9) for cell in row) for row in rows)
