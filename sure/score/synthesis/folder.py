"""Scoring of a decoded folder of synthesised speech, and the files in the folder.

wav.scp             id path, written by stage 5 (not for recordings)
utterances.json     by id: text, audio, seconds, transcript by the recogniser (`heard`), and scores of the utterance
"""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sure.data.data_dir import Utterance, read_data_dir
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.tables import read_table
from sure.errors import SureError
from sure.files import replace_file
from sure.parsing import read_json
from sure.score.synthesis.quality import Judges, SpeechScores, speech_scores

NATURAL, COPY = "natural", "copy_synthesis"  # upper bounds: recordings, and the vocoder on their spectrograms
UTTERANCES = "utterances.json"
SCORE_NAME = "mcd"


def score_folder(
    folder: Path, data: str, acoustic: AcousticConfig, language: str, judges: Judges, natural: bool = False
) -> SpeechScores:
    """Score a decoded folder, or with `natural` the recordings of `data`; write utterances.json and result.txt.

    language: for utterances that are not in utt2lang. Raises SureError naming the folder, file or utterance.
    """
    utterances = utterances_with_phones(data)
    waves = None if natural else read_waves(folder)
    try:
        found = speech_scores(utterances, waves, acoustic, languages_of(data, utterances, language), judges)
    except SureError as error:
        raise SureError(f"{folder}: {error}") from None
    for utterance in utterances:
        row = found.utterances[utterance.id]
        row["audio"] = utterance.audio if waves is None else waves[utterance.id]
        if waves is None and (utterance.start is not None or utterance.end is not None):
            row["segment"] = [utterance.start, utterance.end]
    replace_file(folder / UTTERANCES, json.dumps(found.utterances, ensure_ascii=False, indent=1) + "\n")
    replace_file(folder / "result.txt", found.listing())
    return found


def utterances_with_phones(data: str) -> list[Utterance]:
    """The utterances of a data folder that have phones from stage 3; stage 5 synthesises only these."""
    phones = Path(data) / "phones"
    ids = read_table(phones)
    return [utterance for utterance in read_data_dir(data) if not phones.is_file() or utterance.id in ids]


def languages_of(data: str, utterances: Iterable[Utterance], default: str) -> dict[str, str]:
    """The language of each utterance, by id."""
    known = read_table(Path(data) / "utt2lang")
    return {utterance.id: known.get(utterance.id, default) for utterance in utterances}


def read_waves(folder: Path) -> dict[str, str]:
    """Paths of the waveforms of a decoded folder, by id. Raises SureError if wav.scp is missing."""
    return read_table(folder / "wav.scp", "run stage 5 for this set again")


def read_utterances(folder: Path) -> dict[str, dict[str, Any]]:
    """Content of utterances.json. Raises SureError if it is missing or invalid."""
    path, again = folder / UTTERANCES, "run stage 6 (sure.bin.score) for this set again"
    rows = read_json(path, again)
    if not all(isinstance(row, dict) and "text" in row for row in rows.values()):
        raise SureError(f"{path}: expected an object with a text for each utterance; {again}")
    return rows


def fingerprint(folder: Path, data: str, acoustic: AcousticConfig, language: str, judges: Judges) -> str:
    """Digest of the inputs of an upper bound's scores; as long as it is the same, the scores are valid."""
    utterances = utterances_with_phones(data)
    files = read_waves(folder) if (folder / "wav.scp").is_file() else {}
    parts = [
        [[u.id, u.audio, u.start, u.end, u.seconds, u.text, u.speaker] for u in utterances],
        {id: Path(path).stat().st_mtime_ns for id, path in files.items() if Path(path).is_file()},
        acoustic.model_dump(),
        [languages_of(data, utterances, language), judges.names(), judges.missing],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
