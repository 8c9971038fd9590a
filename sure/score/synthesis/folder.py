"""A decoded folder of synthesised speech, scored: what it is read from, and what is written beside its waveforms.

wav.scp             id path, by stage 5 (of recordings themselves there is none)
utterances.json     by id: text, audio, seconds, what was heard, and every score of this one utterance
"""

from __future__ import annotations

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

NATURAL, COPY = "natural", "copy_synthesis"  # what no synthesis with this vocoder is expected to pass
UTTERANCES = "utterances.json"
SCORE_NAME = "mcd"


def score_folder(
    folder: Path, data: str, acoustic: AcousticConfig, language: str, judges: Judges, natural: bool = False
) -> SpeechScores:
    """Score a decoded folder, or the recordings of `data` themselves; utterances.json and result.txt are written there.

    language: of utterances that utt2lang does not have.

    Raises SureError naming the folder, the file or the utterance.
    """
    utterances = sayable(data)
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


def sayable(data: str) -> list[Utterance]:
    """The utterances of a data folder that stage 3 found phones for; stage 5 says no others."""
    phones = Path(data) / "phones"
    ids = read_table(phones)
    return [utterance for utterance in read_data_dir(data) if not phones.is_file() or utterance.id in ids]


def languages_of(data: str, utterances: Iterable[Utterance], default: str) -> dict[str, str]:
    """The language that each utterance is in, by id."""
    known = read_languages(data)
    return {utterance.id: known.get(utterance.id, default) for utterance in utterances}


def read_languages(data: str) -> dict[str, str]:
    """utt2lang of a data folder; nothing where there is none."""
    return read_table(Path(data) / "utt2lang")


def read_waves(folder: Path) -> dict[str, str]:
    """The waveforms of a decoded folder by id. Raises SureError when stage 5 left none."""
    return read_table(folder / "wav.scp", "decode this set again (stage 5)")


def read_utterances(folder: Path) -> dict[str, dict[str, Any]]:
    """utterances.json. Raises SureError when stage 6 left none, or something else is there."""
    path, again = folder / UTTERANCES, "score this set again (stage 6, sure.bin.score)"
    rows = read_json(path, again)
    if not all(isinstance(row, dict) and "text" in row for row in rows.values()):
        raise SureError(f"{path}: expected an object with a text for each utterance; {again}")
    return rows


def fingerprint(folder: Path, data: str, acoustic: AcousticConfig, language: str, judges: Judges) -> str:
    """Of all that the scores of a ceiling follow from: where it is the same, they need not be made again."""
    utterances = sayable(data)
    files = read_waves(folder) if (folder / "wav.scp").is_file() else {}
    parts = [
        [[u.id, u.audio, u.start, u.end, u.seconds, u.text, u.speaker] for u in utterances],
        {id: Path(path).stat().st_mtime_ns for id, path in files.items() if Path(path).is_file()},
        acoustic.model_dump(),
        [languages_of(data, utterances, language), judges.names(), judges.missing],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
