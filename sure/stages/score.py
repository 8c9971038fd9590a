"""Stage 6: score the decoded sets of an experiment, into result.json and result.txt of each EXP/decode_<set>."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sure.config import load_config
from sure.decode.record import read_record
from sure.errors import SureError
from sure.models.build import kind_of


def score_experiment(experiment: Path, sets: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
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
