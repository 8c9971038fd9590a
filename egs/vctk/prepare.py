"""VCTK: a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from sure.corpus.selection import Selection, read_lists
from sure.corpus.walk import folders
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.encoding import read_any_text

HERE = Path(__file__).resolve().parent
TASKS = ("speaker", "verification", "tts")
MICROPHONES = ("mic1", "mic2")
PUBLISHED = {"train": 35024, "dev": 4318, "test": 4318}  # by SURE, of release 0.80
LEVELS = 4  # DIR/DS_10283_3443/VCTK-Corpus-0.92/wav48_silence_trimmed/p225
SPEAKER = re.compile(r"[ps]\d+", re.IGNORECASE)
RECORDING = re.compile(r"([ps]\d+)_(\d+)(?:_(mic[12]))?\.(?:flac|wav)", re.IGNORECASE)


class Recording(NamedTuple):
    """One file. Release 0.80 does not name its only microphone, which is mic1 of release 0.92."""

    speaker: str
    number: str
    microphone: str
    path: Path

    @property
    def id(self) -> str:
        return f"{self.speaker}_{self.number}"


def prepare(corpus: str | Path, out: str | Path, task: str = "speaker", mic: str = "mic1") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: speaker (`utt2label`, every speaker in every set), verification (`utt2spk`, no speaker in two sets) or tts
    (`text`, every speaker in every set).
    mic: mic1 or mic2, which recording of an utterance. Raises SureError.
    """
    for name, given, known in (("task", task, TASKS), ("mic", mic, MICROPHONES)):
        if given not in known:
            raise SureError(f"{name}={given}: the vctk recipe has {' and '.join(known)}")
    set_of = read_lists(HERE / "speakers")
    recordings, others = read_recordings(Path(corpus))
    old = not any("_mic" in recording.path.name.lower() for recording in recordings)
    selection = Selection(f"vctk {task} ({mic})", published=PUBLISHED if old and task == "speaker" else None)
    for path in others:
        selection.leave_out(str(path), "files that are not named as recordings, SPEAKER_NUMBER.wav or .flac")
    for speaker, paths in choose(recordings, mic, set_of, selection).items():
        texts = read_texts(paths, selection) if task == "tts" else {}
        paths = {id: path for id, path in paths.items() if task != "tts" or id in texts}
        places = dict.fromkeys(paths, set_of[speaker]) if task == "verification" else split_utterances(paths)
        for id, path in paths.items():
            labels = {"label": speaker} if task == "speaker" else {}
            selection.take(places[id], Utterance(id, str(path), text=texts.get(id), labels=labels, speaker=speaker))
    return selection.write(Path(out))


def choose(
    recordings: Iterable[Recording], mic: str, speakers: Collection[str], selection: Selection
) -> dict[str, dict[str, Path]]:
    """speaker -> id -> the recording by this microphone. The selection learns what has none."""
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
    """id -> what is read, from `txt/p225/p225_001.txt` beside the recordings. The selection learns what has none."""
    texts = {}
    for id, path in paths.items():
        file = path.parents[2] / "txt" / path.parent.name / f"{id}.txt"
        text = " ".join(read_any_text(file).split()) if file.is_file() else ""
        if text:
            texts[id] = text
        else:
            selection.leave_out(id, "utterances without a text")
    return texts


def read_recordings(corpus: Path) -> tuple[list[Recording], list[Path]]:
    """All recordings sorted by path, and the other files beside them. Raises SureError where there are none."""
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
    """The folders with the recordings of one speaker each; the texts are in folders of the same names."""
    found = [
        folder
        for folder in folders(corpus, LEVELS)
        if SPEAKER.fullmatch(folder.name) and any(RECORDING.fullmatch(path.name) for path in folder.iterdir())
    ]
    tops = sorted({folder.parent for folder in found})
    if not tops:
        raise SureError(
            f"{corpus}: no recordings of VCTK there. Expected wav48_silence_trimmed/p225/p225_001_mic1.flac "
            f"(release 0.92) or wav48/p225/p225_001.wav (0.80), at most {LEVELS - 2} folders below"
        )
    if len(tops) > 1:
        raise SureError(f"{corpus}: more than one copy of VCTK, give one: --corpus {' or '.join(map(str, tops))}")
    return found


def split_utterances(ids: Iterable[str]) -> dict[str, str]:
    """id -> set: of a speaker's sorted ids the last tenth is test, the tenth before it dev."""
    ids = sorted(ids)
    tenth = len(ids) // 10
    names = ["train"] * (len(ids) - 2 * tenth) + ["dev"] * tenth + ["test"] * tenth
    return dict(zip(ids, names, strict=True))
