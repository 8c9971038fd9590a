"""Data folders from ESD, the Emotional Speech Database; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.selection import Selection, agreeing
from sure.corpus.texts import read_any_text
from sure.corpus.walk import files_below, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize

EMOTIONS = {name.lower(): name for name in ("Angry", "Happy", "Neutral", "Sad", "Surprise")}
FOLDERS = {"train": "train", "test": "test", **dict.fromkeys(("evaluation", "dev", "valid", "validation"), "dev")}
SPEAKERS = {"en": range(11, 21), "zh": range(1, 11), "all": range(1, 21)}
PUBLISHED = {"train": 15000, "dev": 1000, "test": 1500}  # for ten speakers
PER_EMOTION = 350  # file numbers count through a speaker's emotions; the first 20 of each are dev, the next 30 test
DEV_UNTIL, TEST_UNTIL = 20, 50
NAME = re.compile(r"(\d{4})_(\d{6})")
LINE = re.compile(r"(\d{4}_\d{6})(?!\d)\s*(.*)")
CHINESE_LABELS = {"中立", "生气", "愤怒", "快乐", "开心", "伤心", "惊喜", "惊讶"}
LABELS = {*EMOTIONS.values(), *CHINESE_LABELS}  # at the ends of transcript lines
CHINESE = re.compile("[\u4e00-\u9fff]")


class Recording(NamedTuple):
    """A wav file, with the speaker, emotion and set of its folders."""

    speaker: str
    emotion: str
    set_name: str
    path: Path

    @property
    def id(self) -> str:
        return self.path.stem


def prepare(
    corpus: str | Path,
    out: str | Path,
    task: Literal["emotion", "speaker", "asr"] = "emotion",
    lang: Literal["en", "zh", "all"] = "en",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: emotion, speaker (`utt2label`) or asr (`text`). lang: en (speakers 0011 to 0020), zh (0001 to 0010) or all,
    except for asr. Raises SureError for missing speakers and, for asr, missing transcripts.
    """
    if task == "asr" and lang == "all":
        raise SureError("task=asr lang=all: a text is normalised by the rules of one language; pass lang=en or lang=zh")
    speakers = find_speakers(Path(corpus).absolute(), lang)
    selection = Selection(
        f"esd {task} ({lang})", published={name: count * (1 + (lang == "all")) for name, count in PUBLISHED.items()}
    )
    for speaker, folder in speakers.items():
        recordings = read_recordings(folder, speaker, selection)
        texts = read_transcript(folder, speaker, selection) if task == "asr" else {}
        for recording in recordings:
            text, reason = _text_of(recording.id, texts, lang) if task == "asr" else (None, None)
            if reason:
                selection.leave_out(recording.id, reason)
            else:
                selection.take(recording.set_name, _utterance(recording, task, text))
        for id in sorted(texts.keys() - {recording.id for recording in recordings}):
            selection.leave_out(id, "transcript lines without a recording")
    return selection.write(Path(out))


def find_speakers(corpus: Path, lang: str) -> dict[str, Path]:
    """Speaker -> folder, sorted: every folder 0001 to 0020, at any depth, that has a folder of an emotion."""
    wanted = _names(lang)
    found: dict[str, Path] = {}
    for folder, subfolders, _ in walk(corpus):
        name = folder.name
        if re.fullmatch(r"\d{4}", name) and EMOTIONS.keys() & {subfolder.lower() for subfolder in subfolders}:
            if name in found:
                raise SureError(
                    f"the speaker {name} is in {found[name]} and in {folder}; pass one of them with --corpus"
                )
            found[name] = folder
            subfolders.clear()
    speakers = {name: found[name] for name in wanted if name in found}
    if not speakers:
        state = f"found the speakers {' '.join(sorted(found))}" if found else "found no speaker"
        raise SureError(
            f"{corpus}: {state}, expected folders {wanted[0]} to {wanted[-1]} (lang={lang}), each with "
            f"{', '.join(EMOTIONS.values())} and the recordings below, as ESD's archive unpacks"
        )
    return speakers


def read_recordings(folder: Path, speaker: str, selection: Selection) -> list[Recording]:
    """A speaker's recordings, sorted by id. Recordings without a clear set are left out."""
    found: dict[str, list[Recording]] = defaultdict(list)
    for emotion, path in _wav_files(folder):
        place = path.parent.relative_to(folder).parts[1:]
        name = NAME.fullmatch(path.stem)
        if not name:
            selection.leave_out(str(path), "recordings with another name than SPEAKER_NUMBER")
        elif name[1] != speaker:
            selection.leave_out(str(path), "recordings in another speaker's folder")
        elif (set_name := _set_of(place, int(name[2]))) is None:
            selection.leave_out(str(path), "recordings in no known set")
        else:
            found[path.stem].append(Recording(speaker, emotion, set_name, path))
    recordings = []
    for id in sorted(found):
        first, *others = found[id]
        if any(other[:3] != first[:3] for other in others):
            selection.leave_out(id, "recordings in two places that contradict each other")
            continue
        for other in others:
            selection.leave_out(str(other.path), "copies of a recording")
        recordings.append(first)
    return recordings


def _wav_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(emotion, path), sorted by folder."""
    for emotion_folder in sorted(folder.iterdir()):
        if emotion_folder.is_dir() and emotion_folder.name.lower() in EMOTIONS:
            for path in files_below(emotion_folder, ".wav"):
                yield EMOTIONS[emotion_folder.name.lower()], path


def _set_of(folders: tuple[str, ...], number: int) -> str | None:
    """The set of a recording by the folder between emotion and recording, or else by the file number."""
    if folders:
        return FOLDERS.get(folders[0].lower()) if len(folders) == 1 else None
    if not 1 <= number <= PER_EMOTION * len(EMOTIONS):
        return None
    position = (number - 1) % PER_EMOTION + 1
    return "dev" if position <= DEV_UNTIL else "test" if position <= TEST_UNTIL else "train"


def read_transcript(folder: Path, speaker: str, selection: Selection) -> dict[str, str]:
    """id -> text, from `0011/0011.txt`. Lines without an id and contradicting lines are left out."""
    path = next((path for path in sorted(folder.iterdir()) if path.name.lower() == f"{speaker}.txt"), None)
    if path is None:
        raise SureError(f"{folder / speaker}.txt: no such file, and task=asr needs the transcript of every speaker")
    text = read_any_text(path, "gb18030")
    if speaker in _names("en") and CHINESE.search(text):  # two bytes above 127 are a Chinese character in GB 18030
        text = read_any_text(path)
    pairs = []
    for number, line in enumerate(re.split("\r\n|\r|\n", text), 1):
        match = LINE.fullmatch(line.strip())
        if match:
            pairs.append((match[1], _without_label(match[2])))
        elif line.strip():
            selection.leave_out(f"{path.name}:{number}: {line}", "transcript lines without an id")
    texts, contradicting = agreeing(pairs)
    for id in contradicting:
        selection.leave_out(f"{path.name}: {id}", "transcript lines that contradict another")
    return texts


def _without_label(text: str) -> str:
    """The text of a line. Between text and emotion are a tab or spaces, and the emotion can be missing or wrong."""
    *fields, last = text.split("\t")
    if fields and " " not in last.strip():
        return " ".join(fields).strip()
    head, _, word = text.rpartition(" ")
    ends_sentence = head.rstrip().endswith((".", "!", "?", "。", "！", "？"))
    if word in LABELS or (ends_sentence and word.lower() in EMOTIONS):
        return head.strip()
    return text


def _text_of(id: str, texts: dict[str, str], lang: str) -> tuple[str, str | None]:
    """The normalised text and, if it cannot be used, the reason."""
    if id not in texts:
        return "", "recordings without a transcript line"
    try:
        text = normalize(texts[id], lang)
    except SureError:
        return "", "recordings with a number in the transcript, which has no words in this language"
    return text, None if text else "recordings without words in the transcript"


def _utterance(recording: Recording, task: str, text: str | None) -> Utterance:
    labels = {"emotion": recording.emotion, "speaker": recording.speaker}
    return Utterance(
        id=recording.id,
        audio=str(recording.path),
        text=text,
        labels={"label": labels[task]} if task != "asr" else {},
        speaker=recording.speaker,
    )


def _names(lang: str) -> list[str]:
    return [f"{number:04d}" for number in SPEAKERS[lang]]
