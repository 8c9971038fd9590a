"""Data folders from VCTK; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.selection import Selection, last_tenths, read_lists
from sure.corpus.texts import read_transcript
from sure.corpus.walk import files_below, folders, the_one
from sure.data.data_dir import Utterance

HERE = Path(__file__).resolve().parent
PUBLISHED = {"train": 35024, "dev": 4318, "test": 4318}  # by SURE, for release 0.80
LEVELS = 4  # DIR/DS_10283_3443/VCTK-Corpus-0.92/wav48_silence_trimmed/p225
SPEAKER = re.compile(r"[ps]\d+", re.IGNORECASE)
RECORDING = re.compile(r"([ps]\d+)_(\d+)(?:_(mic[12]))?\.(?:flac|wav)", re.IGNORECASE)


class Recording(NamedTuple):
    """An audio file. Release 0.80 does not name its only microphone, which is mic1 of release 0.92."""

    speaker: str
    number: str
    microphone: str
    path: Path

    @property
    def id(self) -> str:
        return f"{self.speaker}_{self.number}"


def prepare(
    corpus: str | Path,
    out: str | Path,
    task: Literal["speaker", "verification", "tts"] = "speaker",
    mic: Literal["mic1", "mic2"] = "mic1",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: speaker (`utt2label`) or tts (`text`), with every speaker in every set, or verification (`utt2spk`), with no
    speaker in two sets. mic: the microphone of the recordings. Raises SureError for a missing corpus.
    """
    set_of = read_lists(HERE / "speakers")
    recordings, others = read_recordings(Path(corpus))
    old = not any("_mic" in recording.path.name.lower() for recording in recordings)
    selection = Selection(f"vctk {task} ({mic})", published=PUBLISHED if old and task == "speaker" else None)
    for path in others:
        selection.leave_out(str(path), "files that are not named as recordings, SPEAKER_NUMBER.wav or .flac")
    for path in texts_without_recording(recordings) if task == "tts" else []:
        selection.leave_out(str(path), "texts without a recording")
    for speaker, paths in choose(recordings, mic, set_of, selection).items():
        texts = read_texts(paths, selection) if task == "tts" else {}
        paths = {id: path for id, path in paths.items() if task != "tts" or id in texts}
        places = dict.fromkeys(paths, set_of[speaker]) if task == "verification" else last_tenths(sorted(paths))
        for id, path in paths.items():
            labels = {"label": speaker} if task == "speaker" else {}
            selection.take(places[id], Utterance(id, str(path), text=texts.get(id), labels=labels, speaker=speaker))
    return selection.write(Path(out))


def choose(
    recordings: Iterable[Recording], mic: str, speakers: Collection[str], selection: Selection
) -> dict[str, dict[str, Path]]:
    """Speaker -> id -> the recording by this microphone. Utterances without one are left out."""
    chosen: dict[str, dict[str, Path]] = defaultdict(dict)
    by_another = set()
    for recording in recordings:
        if recording.speaker not in speakers:
            selection.leave_out(str(recording.path), "recordings of speakers that no list in speakers/ has")
        elif recording.microphone != mic:
            by_another.add(recording.id)
        elif recording.id in chosen[recording.speaker]:
            selection.leave_out(str(recording.path), "second copies of a recording")
        else:
            chosen[recording.speaker][recording.id] = recording.path
    for id in by_another.difference(*chosen.values()):
        selection.leave_out(id, f"utterances without a recording by {mic}")
    return chosen


def read_texts(paths: dict[str, Path], selection: Selection) -> dict[str, str]:
    """id -> transcript, from `txt/p225/p225_001.txt` next to the folder of the audio. Ids without one are left out."""
    texts = {}
    for id, path in paths.items():
        if text := read_transcript(path.parents[2] / "txt" / path.parent.name / f"{id}.txt"):
            texts[id] = text
        else:
            selection.leave_out(id, "utterances without a text")
    return texts


def texts_without_recording(recordings: Iterable[Recording]) -> Iterator[Path]:
    """The files in `txt`, for all speakers, whose utterance no microphone recorded."""
    ids = {recording.id for recording in recordings}
    for folder in sorted({recording.path.parents[2] / "txt" for recording in recordings}):
        if folder.is_dir():
            yield from (path for path in files_below(folder, ".txt") if path.stem.lower() not in ids)


def read_recordings(corpus: Path) -> tuple[list[Recording], list[Path]]:
    """All recordings, sorted by path, and the other files of their folders. Raises SureError if there are none."""
    recordings, others = [], []
    for folder in find_speakers(corpus.absolute()):
        for path in sorted(folder.iterdir()):
            match = RECORDING.fullmatch(path.name)
            if match and match[1].lower() == folder.name.lower():
                recordings.append(Recording(match[1].lower(), match[2], (match[3] or "mic1").lower(), path))
            else:
                others.append(path)
    return recordings, others


def find_speakers(corpus: Path) -> list[Path]:
    """The folders of the recordings, one for each speaker. (Folders with texts have the same names.)"""
    found = [
        folder
        for folder in folders(corpus, LEVELS)
        if SPEAKER.fullmatch(folder.name) and any(RECORDING.fullmatch(path.name) for path in folder.iterdir())
    ]
    expected = (
        "recordings of VCTK, such as wav48_silence_trimmed/p225/p225_001_mic1.flac (release 0.92) or "
        f"wav48/p225/p225_001.wav (0.80), at most {LEVELS - 2} folders below"
    )
    the_one(corpus, sorted({folder.parent for folder in found}), expected)
    return found
