"""Data folders from Audio SNIPS; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from sure.corpus.selection import Selection, agreeing
from sure.corpus.texts import read_text
from sure.corpus.walk import files_below
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize, without_accents

TRANSCRIPTS = "all.iob.snips.txt"
ID = re.compile(r"([^\s-]+)-[^\s-]+-(train|valid|dev|test)-[^\s/]+")  # speaker, corpus, set and number
SETS = {"train": "train", "valid": "dev", "dev": "dev", "test": "test"}
SUFFIXES = (".wav", ".flac", ".mp3")  # in order of preference
VOICES = {  # SUPERB's
    "train": {"Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kimberly", "Matthew", "Salli"},
    "dev": {"Aditi", "Amy", "Geraint", "Nicole"},
    "test": {"Brian", "Emma", "Raveena", "Russell"},
}
PUBLISHED = {  # 13,084, 700 and 700 sentences by 16 voices, or by 8, 4 and 4
    "all": {"train": 209344, "dev": 11200, "test": 11200},
    "superb": {"train": 104672, "dev": 2800, "test": 2800},
}
# Letters that Unicode does not decompose; the two words in other scripts as SUPERB has them
FOLDED = str.maketrans({"Æ": "A", "æ": "a", "Ð": "D", "ð": "d", "Ø": "O", "ø": "o"} | dict.fromkeys("()[]<>", " "))
OTHER_SCRIPTS = {"楽園追放": "expelled", "官方杂志": ""}


class Command(NamedTuple):
    """A line of the transcripts, with a label for each word."""

    id: str
    speaker: str
    subset: str
    words: list[str]
    labels: list[str]


def prepare(corpus: str | Path, out: str | Path, speakers: Literal["all", "superb"] = "all") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` with words and slots in `text`, and return them.

    speakers: all (every voice in every set) or superb (every voice in one set, as in SUPERB). Raises SureError for
    missing transcripts or recordings.
    """
    folder = find_corpus(Path(corpus))
    selection = Selection(f"snips slots ({speakers})", published=PUBLISHED[speakers])
    recordings = find_recordings(folder)
    for command in read_commands(folder / TRANSCRIPTS, selection):
        audio, text = recordings.pop(command.id, None), marked(command)
        if speakers == "superb" and command.speaker not in VOICES[command.subset]:
            selection.leave_out(command.id, "utterances of a voice that SUPERB has in another set or in none")
        elif audio is None:
            selection.leave_out(command.id, "lines without a recording")
        elif not text:
            selection.leave_out(command.id, "lines without words")
        else:
            selection.take(command.subset, Utterance(command.id, str(audio), text=text, speaker=command.speaker))
    for path in recordings.values():
        selection.leave_out(str(path), f"recordings without a usable line in {TRANSCRIPTS}")
    return selection.write(Path(out))


def find_corpus(corpus: Path) -> Path:
    """The folder with the transcripts: `corpus`, or one or two levels below it."""
    for pattern in ("", "*/", "*/*/"):
        if found := sorted(corpus.absolute().glob(pattern + TRANSCRIPTS)):
            return found[0].parent
    raise SureError(
        f"{corpus}: no {TRANSCRIPTS} there or up to two folders below; expected s3prl's archive, unpacked: "
        f"{TRANSCRIPTS} next to the folders train, valid and test"
    )


def find_recordings(folder: Path) -> dict[str, Path]:
    """id -> recording, anywhere below the folder."""
    recordings: dict[str, Path] = {}
    for path in sorted(files_below(folder, *SUFFIXES), key=lambda path: SUFFIXES.index(path.suffix.lower())):
        recordings.setdefault(path.stem, path)
    if not recordings:
        raise SureError(f"{folder}: no recordings (wav, flac or mp3) below it; are train, valid and test unpacked?")
    return recordings


def read_commands(path: Path, selection: Selection) -> list[Command]:
    """The valid lines of the transcripts, sorted by id; other lines are left out.

    A line is `Ivy-snips-train-0 BOS PLAY ADELE EOS`, a tab, and `O O artist PlayMusic`: a slot for every word (O: no
    slot), with the intent in the place of EOS. Other publications of the same texts have no BOS and EOS, have the
    intent after EOS, tabs between all columns, or slots such as B-artist I-artist or PlayMusic/artist.
    """
    found = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        id = line.split(maxsplit=1)[0] if line.strip() else ""
        if ID.fullmatch(id):
            found.append((id, line.strip()))
        elif id:
            selection.leave_out(f"{path.name}, line {number}: {line}", "lines without an id SPEAKER-snips-SET-NUMBER")
    line_of, contradicting = agreeing(found)
    for id in contradicting:
        selection.leave_out(id, "ids with several different lines")
    commands = []
    for id, line in sorted(line_of.items()):
        if command := parse_line(line):
            commands.append(command)
        else:
            selection.leave_out(id, "lines without one slot for each word")
    return commands


def parse_line(line: str) -> Command | None:
    """The words and slots of a line that has an id, or None if their numbers differ."""
    id, *rest = line.split(maxsplit=1)
    texts, *columns = "".join(rest).split("\t")
    words, labels = _parts(texts), _parts(columns[0]) if len(columns) in (1, 2) else []
    bare = [word for word in words if word not in ("BOS", "EOS")]
    intent_apart = len(labels) == len(words) + 1 and (words == bare or labels[-2] == "O")
    if len(labels) == len(words) or intent_apart:
        begin = words[:1] == ["BOS"]
        speaker, subset = ID.fullmatch(id).groups()
        return Command(id, speaker, SETS[subset], bare, labels[begin : begin + len(bare)])
    return None


def _parts(text: str) -> list[str]:
    """The parts between spaces. A no-break space is part of a word, which has one label."""
    return [part for part in text.strip("\r").split(" ") if part]


def marked(command: Command) -> str:
    """The text, such as `play B-artist adele E-artist`. Punctuation is removed first, as it must not split a slot."""
    words = [(spoken(word), label) for word, label in zip(command.words, command.labels, strict=True)]
    words = [(word, label) for word, label in words if word]
    parts: list[tuple[str | None, list[str]]] = []
    for (word, _), (slot, begins) in zip(words, read_slots([label for _, label in words]), strict=True):
        if begins or not parts or parts[-1][0] != slot:
            parts.append((slot, []))
        parts[-1][1].append(word)
    texts = (" ".join(words) if slot is None else f"B-{slot} {' '.join(words)} E-{slot}" for slot, words in parts)
    return " ".join(texts)


def read_slots(labels: list[str]) -> list[tuple[str | None, bool]]:
    """The slot of each label, and whether a slot begins there: at B-, and after a label of another slot."""
    slots: list[tuple[str | None, bool]] = []
    before = None
    for label in labels:
        mark, slot = re.fullmatch(r"(?:([BI])-)?(.+)", label.rpartition("/")[2] or label).groups()
        slot = None if slot == "O" else slot
        slots.append((slot, slot is not None and (mark == "B" or slot != before)))
        before = slot
    return slots


@cache  # every sentence is there in 16 voices
def spoken(word: str) -> str:
    """The normalised word in English letters: the voices are English, and the texts have accents only in places."""
    for written, english in OTHER_SCRIPTS.items():
        word = word.replace(written, english)
    return normalize(without_accents(word.translate(FOLDED)), "en")
