"""Data folders from L2-ARCTIC; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from sure.corpus.selection import SETS, Selection, last_tenths
from sure.corpus.texts import read_transcript
from sure.corpus.walk import files_below, files_in, walk
from sure.data.data_dir import Utterance
from sure.data.textgrid import read_tier
from sure.errors import SureError
from sure.text.phones import CONSONANTS, VOWELS

KINDS = {".textgrid": "TextGrid", ".txt": "transcript"}
LABELS = {"forced": "textgrid", "perceived": "annotation"}  # phones -> folder next to wav
PARTS = ("wav", "transcript", *LABELS.values())
SUITCASE = "SUITCASE_CORPUS"
RECORDED = {  # utterances of each speaker, from the corpus's documentation
    "ABA": 1129, "SKA": 974, "YBAA": 1130, "ZHAA": 1132, "BWC": 1130, "LXC": 1131, "NCC": 1131, "TXHC": 1132,
    "ASI": 1131, "RRBI": 1130, "SVBI": 1132, "TNI": 1131, "HJK": 1131, "HKK": 1131, "YDCK": 1131, "YKWK": 1131,
    "EBVS": 1007, "ERMS": 1132, "MBMPS": 1132, "NJS": 1131, "HQTV": 1132, "PNV": 1132, "THV": 1132, "TLV": 1132,
}  # fmt: skip
ANNOTATED = dict.fromkeys(RECORDED, 150) | {"YBAA": 149}
NO_PHONE = ("", "SIL", "SP", "SPN")
SPELLINGS = {"AX": "AH"}  # a distinction of the annotators that the aligner does not make
HEARD = "ERR"  # a sound that annotators could not name
PHONES = {*VOWELS, *CONSONANTS}


def prepare(
    corpus: str | Path,
    out: str | Path,
    phones: Literal["forced", "perceived"] = "forced",
    task: Literal["phoneme", "tts"] = "phoneme",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: phoneme (`text` in phones without stress) or tts (`text` in words). phones: forced (by the aligner, for all
    utterances) or perceived (by annotators, for about 150 of each speaker). Raises SureError for a missing corpus.
    """
    kind = "tts" if task == "tts" else phones
    selection = Selection(f"l2arctic ({kind})", published=_published(ANNOTATED if kind == "perceived" else RECORDED))
    place, ending = ("transcript", ".txt") if task == "tts" else (LABELS[phones], ".textgrid")
    for speaker, folder in find_speakers(Path(corpus).absolute(), place, selection).items():
        audio, labels = _files(folder, "wav", ".wav"), _files(folder, place, ending)
        for name in sorted(audio.keys() ^ labels.keys()):
            reason = "without a recording" if name in labels else f"without a {KINDS[ending]} in {place}"
            selection.leave_out(f"{speaker}_{name}", f"utterances {reason}")
        for name, part in last_tenths(sorted(audio.keys() & labels.keys()), at_least=1).items():
            try:
                text = read_words(labels[name]) if task == "tts" else read_phones(labels[name], phones)
            except SureError as error:
                selection.leave_out(str(error), f"unusable {KINDS[ending]}s")
                continue
            selection.take(part, Utterance(f"{speaker}_{name}", str(audio[name]), text=text, speaker=speaker))
    return selection.write(Path(out))


def _published(counts: dict[str, int]) -> dict[str, int]:
    sets = [name for count in counts.values() for name in last_tenths(range(count), at_least=1).values()]
    return {name: sets.count(name) for name in SETS}


def find_speakers(corpus: Path, labels: str, selection: Selection) -> dict[str, Path]:
    """Speaker -> folder with `wav` and the folder `labels`, at any depth, sorted. Of two, the first path is taken."""
    speakers: dict[str, Path] = {}
    for place, folders, _ in walk(corpus):
        below = {name.lower() for name in folders}
        folders[:] = [name for name in folders if name.lower() not in PARTS]
        name = place.name.upper()
        if "wav" not in below:
            continue
        if name == SUITCASE:
            selection.leave_out(str(place.relative_to(corpus)), "folders of spontaneous speech, which is not aligned")
        elif labels not in below:
            selection.leave_out(str(place.relative_to(corpus)), f"folders with wav and without {labels}")
        elif speakers.setdefault(name, place) != place:
            selection.leave_out(str(place.relative_to(corpus)), "second folders of a speaker")
    zips = sorted(path for path in files_below(corpus, ".zip") if path.stem.upper() not in speakers)
    for path in zips:
        selection.leave_out(str(path.relative_to(corpus)), "archives that are not unpacked")
    if not speakers:
        names = " ".join(path.name for path in zips)
        remedy = f"unpack {names}: each has a speaker" if zips else "pass --corpus with the folder of the speakers"
        raise SureError(f"{corpus}: no L2-ARCTIC found: looked for <speaker>/wav next to <speaker>/{labels}; {remedy}")
    names = " ".join(sorted(speakers)).encode("utf-8", "backslashreplace").decode()
    print(f"{len(speakers)} of {len(RECORDED)} speakers: {names}")
    return dict(sorted(speakers.items()))


def _files(speaker: Path, folder: str, ending: str) -> dict[str, Path]:
    """Name without ending -> file of a subfolder, whose name may have another case."""
    places = sorted((path for path in speaker.iterdir() if path.name.lower() == folder and path.is_dir()), reverse=True)
    return {path.stem: path for place in places for path in reversed(files_in(place, ending))}


def read_words(path: Path) -> str:
    """The transcript in a file. Raises SureError naming a file without words."""
    if not (text := read_transcript(path)):
        raise SureError(f"{path}: no words")
    return text


def read_phones(path: Path, phones: str) -> str:
    """The phones of a TextGrid, without stress and silence. Raises SureError naming the file."""
    labels = [interval.label for interval in read_tier(path, "phones")]
    spoken = [_phone(path, _perceived(label) if phones == "perceived" else label) for label in labels]
    if not any(spoken):
        raise SureError(f"{path}: no phones in the tier 'phones'")
    return " ".join(phone for phone in spoken if phone)


def _perceived(label: str) -> str:
    """The perceived phone: annotators wrote `correct,perceived,s` for a substitution, `correct,sil,d` for a deletion,
    and `sil,perceived,a` for an addition, in places with white space."""
    parts = label.split(",")
    return parts[1] if len(parts) > 1 else label


def _phone(path: Path, label: str) -> str:
    """The phone without stress, without the annotators' marks (`AO*`: a deviation) and their typing errors (`ER)`)."""
    phone = re.sub("[^A-Z]", "", label.upper())
    phone = SPELLINGS.get(phone, phone)
    if phone in NO_PHONE:
        return ""
    if phone not in PHONES and phone != HEARD:
        raise SureError(f"{path}: {label!r} is not an ARPAbet phone")
    return phone
