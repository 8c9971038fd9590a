"""Stage 5: decode test sets with a trained model, into EXP/decode_<set>[_<decoding>]."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sure.config import Config
from sure.decode.record import decoded_folder
from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.models.build import kind_of
from sure.models.experiment import Experiment


def decode_experiment(
    experiment: Experiment, sets: Sequence[str], overrides: Sequence[str]
) -> Iterator[tuple[Path, str]]:
    """Decode the named sets, or those of data.tests; yield each decoded folder with its data folder."""
    config, model = load_trained(experiment, overrides)
    folders = {decoded_folder(experiment.folder, config, name): data for name, data in _chosen(config, sets).items()}
    yield from kind_of(config).decode(experiment.folder, config, model, folders, overrides)


def _chosen(config: Config, names: Sequence[str]) -> dict[str, str]:
    """Data folders by name of the set. Raises SureError for a name outside the config."""
    known = config.data.sets()
    for name in names:
        if name not in known:
            raise SureError(f"--sets {name}: no such set in the config, which has: {', '.join(known)}")
    if not names and not config.data.tests:
        raise SureError(f"data.tests is empty; pass --sets with one or more of: {', '.join(known)}")
    return {name: known[name] for name in names or [Path(folder).name for folder in config.data.tests]}
