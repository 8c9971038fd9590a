"""Stages 5, 6 and 8 of an experiment: decode, score, pack."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sure.config import load_config
from sure.decode.record import decoded_folder, read_record
from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.models.build import kind_of
from sure.models.experiment import Experiment
from sure.parsing import read_json
from sure.petl.bundle import write_bundle
from sure.recipe import names


def decode(experiment: Experiment, sets: Sequence[str], overrides: Sequence[str]) -> Iterator[tuple[Path, str]]:
    """Decode the named sets, or those of data.tests, into EXP/decode_<set>[_<decoding>].

    sets: names of sets of the config, or other data folders, whose names are `<set>_<dataset>`, the last two folders.
    Yields each decoded folder with its data folder. Raises SureError for any other name.
    """
    config, model = load_trained(experiment, overrides)
    known = config.data.sets()
    for name in sets:
        if name not in known and not (Path(name) / "wav.scp").is_file():
            raise SureError(
                f"--sets {name}: no such set or data folder; the sets of the config are: {', '.join(known)}"
            )
    data = [known.get(name, name) for name in sets] or config.data.tests
    if not data:
        raise SureError(f"data.tests is empty; pass --sets with one or more of: {', '.join(known)}")
    folders = {decoded_folder(experiment.folder, config, names.set_name(one, known)): one for one in data}
    yield from kind_of(config).decode(experiment.folder, config, model, folders, overrides)


def score(experiment: Path, sets: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Score the named sets, or all decoded sets, in every decoding; write and yield one result for each.

    Raises SureError naming the stage to run, and the utterances in only one of hyp.txt and ref.txt.
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
    yield from kind_of(config).score(experiment, config, [one for name in sets or decoded for one in decoded[name]])


def pack(experiment: Experiment) -> dict[str, bytes]:
    """Write the bundle EXP/bundle: methods, head and tokens, without the backbone; its files by name."""
    config, model = load_trained(experiment)
    scores = {"dev": read_json(experiment.best, "run stage 4, train, which writes it")}
    for path in sorted(experiment.folder.glob("decode_*/result.json")):
        result = read_json(path, "run stage 6, score, which writes it")
        name = path.parent.name.removeprefix("decode_")
        scores[name] = {key: result.get(key) for key in ("score_name", "score", "decoding", "utterances", "data")}
    files = model.bundle(config, experiment.tokens, scores=scores, code=experiment.read_code())
    write_bundle(experiment.folder / "bundle", files)
    return files
