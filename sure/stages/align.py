"""When each word of the texts of a data folder is said, by forced alignment, as a CTM file.

Lines are `id 1 start duration word confidence`: seconds from the beginning of the utterance, and the mean probability
of the word's tokens. An utterance whose text does not fit its audio is named on stderr and left out; then the exit
status is 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from sure.config import Config
from sure.data.data_dir import Utterance
from sure.decode.trained import load_trained
from sure.device import pick_device
from sure.errors import SureError
from sure.inference import Sure
from sure.models.experiment import Experiment
from sure.models.loading import audio_batches, check_lengths
from sure.models.recognition import SureModel
from sure.petl.bundle import ABOUT
from sure.tasks.alignment import TimedWord, align, timed


def load(folder: Path, backbone: str | None) -> tuple[Config, SureModel]:
    """Of an experiment or a bundle. Raises SureError naming the folder that is neither."""
    if (folder / ABOUT).is_file():
        sure = Sure.load(folder, backbone)
        return sure.configs[sure.name], sure.model
    if backbone:
        raise SureError("--backbone is for bundles; an experiment has its backbone in its config")
    return load_trained(Experiment(folder))


def align_set(
    config: Config, model: SureModel, utterances: Sequence[Utterance], problems: list[str]
) -> Iterator[tuple[str, list[TimedWord]]]:
    """Ids with the words of their texts; those that cannot be aligned go to `problems`, by name."""
    device = pick_device(config.train.device)
    pieces, clock = model.task.tokenizer.pieces(), model.backbone.frame_clock()
    tokens: dict[str, list[int]] = {}
    for utterance in utterances:
        try:
            check_lengths([utterance], model.backbone)
            tokens[utterance.id] = model.task.exact_target(utterance)
        except SureError as error:
            problems.append(str(error))
    usable = [utterance for utterance in utterances if utterance.id in tokens]
    with tqdm(total=len(usable), desc="align", unit="utterance", disable=None, leave=False) as progress:
        for batch in audio_batches(usable, model.backbone, config):
            rows = model.log_probabilities(batch.waves.to(device), batch.wave_lengths)
            for id, logs in zip(batch.ids, rows, strict=True):
                try:
                    yield id, timed(align(logs, tokens[id], pieces), clock)
                except SureError as error:
                    problems.append(f"{id}: {error}")
            progress.update(len(rows))
