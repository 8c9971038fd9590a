"""Times of the words in the transcripts of a data folder, by forced alignment, as a CTM file."""

import sys
from collections.abc import Sequence
from pathlib import Path

from sure.config import Config
from sure.data.data_dir import Utterance, read_data_dir
from sure.decode.trained import load_trained
from sure.device import pick_device
from sure.errors import SureError
from sure.files import replace_file
from sure.inference import Sure
from sure.models.base import AdaptedModel
from sure.models.experiment import Experiment
from sure.models.loading import audio_batches, check_lengths, in_batches
from sure.petl.bundle import ABOUT
from sure.progress import progress_bar
from sure.tasks.alignment import TimedWord, align, format_ctm


def align_folder(trained: Path, data: str, out: Path, backbone: str | None) -> int:
    """Write the CTM file; the number of utterances that cannot be aligned, which are named on stderr.

    trained: an experiment folder or a bundle.
    """
    config, model = _load(trained, backbone)
    if "timings" not in model.abilities:
        raise SureError(f"{trained}: the task {config.task} has no words to align; use asr, phoneme or slots")
    utterances = read_data_dir(data)
    found, problems = align_set(config, model, utterances)
    replace_file(out, "".join(format_ctm(one.id, found[one.id]) for one in utterances if one.id in found))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"{out}: {len(found):,} of {len(utterances):,} utterances")
    return len(problems)


def align_set(
    config: Config, model: AdaptedModel, utterances: Sequence[Utterance]
) -> tuple[dict[str, list[TimedWord]], list[str]]:
    """The words of the transcripts by utterance id, and a message for each utterance that cannot be aligned."""
    pieces, clock = model.task.tokenizer.pieces(), model.backbone.frame_clock()
    tokens: dict[str, list[int]] = {}
    found: dict[str, list[TimedWord]] = {}
    problems = []
    for utterance in utterances:
        try:
            check_lengths([utterance], model.backbone)
            tokens[utterance.id] = model.task.exact_target(utterance)
        except SureError as error:
            problems.append(str(error))
    batches = audio_batches([one for one in utterances if one.id in tokens], model.backbone, config)
    rows = in_batches(model.log_probabilities, batches, pick_device(config.train.device))
    for id, logs in progress_bar(rows, "align", len(tokens), unit="utterance"):
        try:
            found[id] = align(logs, tokens[id], pieces, clock)
        except SureError as error:
            problems.append(f"{id}: {error}")
    return found, problems


def _load(folder: Path, backbone: str | None) -> tuple[Config, AdaptedModel]:
    """Config and model of an experiment or a bundle. Raises SureError for other folders."""
    if (folder / ABOUT).is_file():
        sure = Sure.load(folder, backbone)
        return sure.configs[sure.name], sure.model
    if backbone:
        raise SureError("--backbone is for bundles; the config of an experiment names its backbone")
    return load_trained(Experiment(folder))
