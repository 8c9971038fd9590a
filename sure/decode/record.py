"""Files of a decoded folder, EXP/decode_<set>[_<decoding>]: decoding.json, and hyp.txt and ref.txt of recognition."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sure.config import Config
from sure.data.tables import read_table
from sure.errors import SureError, some_of
from sure.files import replace_file
from sure.parsing import read_json
from sure.recipe import names

RECORD = "decoding.json"
AGAIN = "decode this set again (stage 5)"


def decoded_folder(folder: Path, config: Config, name: str) -> Path:
    """The folder for a decoded set: `decode_<set>`, or `decode_<set>_<decoding>` unless the decoding is greedy.

    Raises SureError where it is also the folder of another set.
    """
    decoded = names.decoded_folder(name, config.decoding)
    for other in config.data.sets():
        if other != name and names.decoded_folder(other, names.GREEDY) == decoded:
            raise SureError(
                f"{decoded} is also the folder of the set {other}; give this decoding another name: decode.name=NAME"
            )
    return folder / decoded


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    replace_file(folder / RECORD, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a decoded folder; for experiments older than the record, the values that its name gives."""
    if not (folder / RECORD).exists():
        return {"set": folder.name.removeprefix("decode_"), "decoding": names.GREEDY, "settings": {"method": "greedy"}}
    return read_json(folder / RECORD, AGAIN, ("set", "decoding", "settings"))


def data_of(record: Mapping[str, Any], config: Config) -> str | None:
    """The data folder that was decoded."""
    return record.get("data", config.data.sets().get(record["set"]))


def read_pair(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """References and hypotheses by utterance id, in the order of ref.txt; lines may be empty after the id.

    Raises SureError for a missing file, an id on two lines, and ids in only one of the files.
    """
    references, hypotheses = (read_table(folder / name, AGAIN) for name in ("ref.txt", "hyp.txt"))
    for here, there, name in ((references, hypotheses, "hyp.txt"), (hypotheses, references, "ref.txt")):
        if missing := [id for id in here if id not in there]:
            raise SureError(f"{folder / name}: no line for {some_of(missing)}; {AGAIN}")
    if not references:
        raise SureError(f"{folder / 'ref.txt'}: no utterances; {AGAIN}")
    return references, {id: hypotheses[id] for id in references}
