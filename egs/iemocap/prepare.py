"""Data folders from IEMOCAP, acted dialogues in five sessions; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from sure.corpus.selection import Selection, agreeing
from sure.corpus.texts import read_any_text
from sure.corpus.walk import files_in, folders, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.parsing import parse_json

SESSIONS = range(1, 6)
TAGS = ("ang", "dis", "exc", "fea", "fru", "hap", "neu", "oth", "sad", "sur", "xxx")
CLASSES = {  # tag -> label
    "4": {"ang": "ang", "exc": "hap", "hap": "hap", "neu": "neu", "sad": "sad"},
    "11": {tag: tag for tag in TAGS},
}
SET_OF_SESSION = {1: "train", 2: "train", 3: "train", 4: "dev", 5: "test"}
DEV_PART = 0.2  # of the four sessions of a fold that are not its test set
OF_FOUR_CLASSES = {1: 1085, 2: 1023, 3: 1151, 4: 1031, 5: 1241}  # session -> utterances
LINE = re.compile(r"\[\s*[\d.]+\s*-\s*[\d.]+\s*\]\s+(Ses0([1-5])[FM]_\w+_([FM])\w+)\s+([a-z]{3})\b.*")


class Turn(NamedTuple):
    """An utterance: the tag that the evaluators agreed on, and the recording."""

    id: str
    session: int
    speaker: str  # Ses01F: the woman of session 1; an id begins with the speaker who wore the motion capture markers
    tag: str
    path: Path


def prepare(
    corpus: str | Path,
    out: str | Path,
    task: Literal["emotion"] = "emotion",
    classes: Literal["4", "11"] = "4",
    fold: Literal["", "1", "2", "3", "4", "5"] = "",
    lists: str = "",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    classes: 4 (happy and excited are one, other tags are left out) or 11 (every tag). fold: the session that is the
    test set in SUPERB; without a fold, sessions 1 to 3 are train, 4 is dev, 5 is test. lists: the folder `meta_data` of
    s3prl, whose order decides which utterances of a fold are dev. Raises SureError for missing folders and lists.
    """
    if lists and (not fold or classes != "4"):
        raise SureError("lists: s3prl's lists are for SUPERB's folds with 4 classes; pass fold=1, and classes=4")
    chosen = f"sessions 1-3, 4, 5, {classes} classes" if not fold else f"fold {fold}, {classes} classes"
    selection = Selection(f"iemocap emotion ({chosen})", published=_published(classes, fold))
    turns = {}
    for session, folder in find_sessions(Path(corpus).absolute()).items():
        for turn in read_session(session, folder, selection):
            if turn.tag in CLASSES[classes]:
                turns[turn.id] = turn
            else:
                selection.leave_out(turn.id, f"utterances with the tag {turn.tag}")
    for id, name in split(turns, int(fold) if fold else None, Path(lists) if lists else None, selection).items():
        label = CLASSES[classes][turns[id].tag]
        speaker, audio = turns[id].speaker, str(turns[id].path)
        selection.take(name, Utterance(id, audio, labels={"label": label}, speaker=speaker))
    return selection.write(Path(out))


def find_sessions(corpus: Path) -> dict[int, Path]:
    """Session -> folder, Session1 to Session5 at any depth. Raises SureError naming missing sessions."""
    found: dict[int, Path] = {}
    for folder, subfolders, _ in walk(corpus):
        match = re.fullmatch(r"session([1-5])", folder.name.lower())
        if match and "dialog" in subfolders and "sentences" in subfolders:
            if other := found.get(int(match[1])):
                raise SureError(f"session {match[1]} is in {other} and in {folder}; pass one of them with --corpus")
            found[int(match[1])] = folder
            subfolders.clear()
    if missing := [f"Session{session}" for session in SESSIONS if session not in found]:
        raise SureError(
            f"{corpus}: not found: {', '.join(missing)}, each with dialog/EmoEvaluation and sentences/wav; pass "
            "the folder IEMOCAP_full_release with --corpus"
        )
    return {session: found[session] for session in SESSIONS}


def read_session(session: int, folder: Path, selection: Selection) -> list[Turn]:
    """The utterances of a session with a tag and a recording, sorted by id; others are left out."""
    tags = read_tags(folder / "dialog" / "EmoEvaluation", selection)
    wavs = list_wavs(folder / "sentences" / "wav")
    for id in sorted(tags.keys() - wavs.keys()):
        selection.leave_out(id, "evaluations without a recording")
    for id in sorted(wavs.keys() - tags.keys()):
        selection.leave_out(str(wavs[id]), "recordings without an evaluation")
    return [Turn(id, session, *tags[id], wavs[id]) for id in sorted(tags.keys() & wavs.keys())]


def read_tags(folder: Path, selection: Selection) -> dict[str, tuple[str, str]]:
    """id -> (speaker, tag), from the summary lines of EmoEvaluation/*.txt.

    The other lines, and the files in folders below, are opinions of single evaluators.
    """
    found = []
    for path in files_in(_existing(folder), ".txt"):
        for number, line in enumerate(re.split("\r\n|\r|\n", read_any_text(path)), 1):
            if not line.startswith("["):
                continue
            if not (match := LINE.fullmatch(line.strip())) or match[4] not in TAGS:
                selection.leave_out(f"{path.name}:{number}: {line}", "evaluations that cannot be read")
            else:
                found.append((match[1], (f"Ses0{match[2]}{match[3]}", match[4])))
    tags, contradicting = agreeing(found)
    for id in contradicting:
        selection.leave_out(id, "utterances with two different tags")
    return tags


def list_wavs(folder: Path) -> dict[str, Path]:
    """id -> path of sentences/wav/DIALOGUE/ID.wav. (The archive has a hidden file of macOS for each recording.)"""
    _, *dialogues = folders(_existing(folder), 1)
    return {path.stem: path for dialogue in dialogues for path in files_in(dialogue, ".wav")}


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise SureError(f"{folder}: no such folder; unpack IEMOCAP_full_release again")
    return folder


def split(turns: dict[str, Turn], fold: int | None, lists: Path | None, selection: Selection) -> dict[str, str]:
    """id -> set."""
    if fold is None:
        return {id: SET_OF_SESSION[turn.session] for id, turn in turns.items()}
    sets = {id: "test" if turn.session == fold else "train" for id, turn in turns.items()}
    order = sorted(id for id, name in sets.items() if name == "train")
    if lists:
        listed = read_list(lists / f"Session{fold}" / "train_meta_data.json")
        for id in sorted(set(order) - set(listed)):
            selection.leave_out(id, "utterances that s3prl's list does not have")
            del sets[id]
        for id in sorted(set(listed) - set(order)):
            selection.leave_out(id, "utterances of s3prl's list that the corpus does not have")
        order = listed
    return sets | {id: "dev" for id in choose_dev(order) if id in sets}


def choose_dev(order: list[str]) -> list[str]:
    """The fifth that s3prl takes: the second part of `torch.utils.data.random_split` with seed 0."""
    shuffled = torch.randperm(len(order), generator=torch.Generator().manual_seed(0)).tolist()
    return [order[index] for index in shuffled[int((1 - DEV_PART) * len(order)) :]]


def read_list(path: Path) -> list[str]:
    """The ids of one of s3prl's lists, in its order."""
    try:
        return [Path(item["path"]).stem for item in parse_json(path.read_text(encoding="utf-8"))["meta_data"]]
    except OSError as error:
        raise SureError(f"cannot read {path}: {error.strerror}; lists is the folder meta_data of s3prl") from None
    except (ValueError, KeyError, TypeError):
        raise SureError(f"{path}: expected s3prl's list, {{'meta_data': [{{'path': ...}}, ...]}}") from None


def _published(classes: str, fold: str) -> dict[str, int]:
    if classes != "4":
        return {}
    if not fold:
        sets = SET_OF_SESSION
        return {name: sum(n for s, n in OF_FOUR_CLASSES.items() if sets[s] == name) for name in sets.values()}
    test = OF_FOUR_CLASSES[int(fold)]
    others = sum(OF_FOUR_CLASSES.values()) - test
    train = int((1 - DEV_PART) * others)
    return {"train": train, "dev": others - train, "test": test}
