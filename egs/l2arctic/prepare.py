"""L2-ARCTIC: a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

import re
from pathlib import Path

from sure.corpus.selection import Selection
from sure.corpus.walk import walk
from sure.data.data_dir import Utterance
from sure.data.textgrid import read_tier
from sure.errors import SureError
from sure.text.encoding import read_any_text
from sure.text.phones import CONSONANTS, VOWELS

TASKS = ("phoneme", "tts")
KINDS = {".textgrid": "TextGrid", ".txt": "transcript"}
LABELS = {"forced": "textgrid", "perceived": "annotation"}  # phones -> folder beside wav
PARTS = ("wav", "transcript", *LABELS.values())
SUITCASE = "SUITCASE_CORPUS"
RECORDED = {  # utterances of each speaker, as the corpus's documentation counts them
    "ABA": 1129, "SKA": 974, "YBAA": 1130, "ZHAA": 1132, "BWC": 1130, "LXC": 1131, "NCC": 1131, "TXHC": 1132,
    "ASI": 1131, "RRBI": 1130, "SVBI": 1132, "TNI": 1131, "HJK": 1131, "HKK": 1131, "YDCK": 1131, "YKWK": 1131,
    "EBVS": 1007, "ERMS": 1132, "MBMPS": 1132, "NJS": 1131, "HQTV": 1132, "PNV": 1132, "THV": 1132, "TLV": 1132,
}  # fmt: skip
ANNOTATED = dict.fromkeys(RECORDED, 150) | {"YBAA": 149}
NO_PHONE = ("", "SIL", "SP", "SPN")
SPELLINGS = {"AX": "AH"}  # annotators tell it from AH, the aligner does not
HEARD = "ERR"  # something that annotators could not name
PHONES = {*VOWELS, *CONSONANTS}


def prepare(corpus: str | Path, out: str | Path, phones: str = "forced", task: str = "phoneme") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: phoneme (`text` in phones without stress) or tts (`text` as it is read). phones: forced (of the aligner, all
    utterances) or perceived (of the annotators, about 150 a speaker). Raises SureError for a corpus that is not there.
    """
    if task not in TASKS:
        raise SureError(f"task={task}: the l2arctic recipe has {' and '.join(TASKS)}")
    if phones not in LABELS:
        raise SureError(f"phones={phones}: expected {' or '.join(LABELS)}")
    what = "tts" if task == "tts" else phones
    selection = Selection(f"l2arctic ({what})", published=_published(RECORDED if phones == "forced" else ANNOTATED))
    for speaker, folder in find_speakers(Path(corpus).absolute(), selection).items():
        place, ending = ("transcript", ".txt") if task == "tts" else (LABELS[phones], ".textgrid")
        audio, labels = _files(folder, "wav", ".wav"), _files(folder, place, ending)
        for name in sorted(audio.keys() ^ labels.keys()):
            reason = "without a recording" if name in labels else f"without a {KINDS[ending]} in {place}"
            selection.leave_out(f"{speaker}_{name}", f"utterances {reason}")
        for name, part in split(sorted(audio.keys() & labels.keys())).items():
            try:
                text = read_transcript(labels[name]) if task == "tts" else read_phones(labels[name], phones)
            except SureError as error:
                selection.leave_out(str(error), f"unusable {KINDS[ending]}s")
                continue
            selection.take(part, Utterance(f"{speaker}_{name}", str(audio[name]), text=text, speaker=speaker))
    return selection.write(Path(out))


def split(names: list[str]) -> dict[str, str]:
    """Set of each name: of a speaker's sorted ones the last tenth is test, the tenth before it dev."""
    tenth = max(1, len(names) // 10)
    sets = ["train"] * (len(names) - 2 * tenth) + ["dev"] * tenth + ["test"] * tenth
    return dict(zip(names, sets[-len(names) :] if names else [], strict=True))


def _published(counts: dict[str, int]) -> dict[str, int]:
    sets = [part for count in counts.values() for part in split([f"{i:04}" for i in range(count)]).values()]
    return {part: sets.count(part) for part in ("train", "dev", "test")}


def find_speakers(corpus: Path, selection: Selection) -> dict[str, Path]:
    """Speaker -> folder with `wav` and TextGrids, sorted; anywhere below `corpus`. Of two the first path counts."""
    speakers: dict[str, Path] = {}
    for place, folders, _ in walk(corpus):
        below = {name.lower() for name in folders}
        folders[:] = [name for name in folders if name.lower() not in PARTS]
        name = place.name.upper()
        if "wav" not in below or not below & {*LABELS.values()}:
            continue
        if name == SUITCASE:
            selection.leave_out(str(place.relative_to(corpus)), "folders of spontaneous speech, which is not aligned")
        elif speakers.setdefault(name, place) != place:
            selection.leave_out(str(place.relative_to(corpus)), "second folders of a speaker")
    if not speakers:
        zips = " ".join(sorted(path.name for path in corpus.rglob("*.zip")))
        todo = f"unpack {zips}: each has a speaker" if zips else "--corpus takes the folder that they are in"
        raise SureError(
            f"{corpus}: no L2-ARCTIC found: looked for <speaker>/wav with <speaker>/textgrid beside it; {todo}"
        )
    names = " ".join(sorted(speakers)).encode("utf-8", "backslashreplace").decode()
    print(f"{len(speakers)} of {len(RECORDED)} speakers: {names}")
    return dict(sorted(speakers.items()))


def _files(speaker: Path, folder: str, ending: str) -> dict[str, Path]:
    """Name without ending -> file, of the subfolder in upper or lower case."""
    found: dict[str, Path] = {}
    for place in sorted(path for path in speaker.iterdir() if path.name.lower() == folder and path.is_dir()):
        for path in sorted(place.iterdir()):
            if path.suffix.lower() == ending and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return found


def read_transcript(path: Path) -> str:
    """What is read. Raises SureError naming a file without words."""
    text = " ".join(read_any_text(path).split())
    if not text:
        raise SureError(f"{path}: no words")
    return text


def read_phones(path: Path, phones: str) -> str:
    """The phones of a TextGrid with spaces between, without stress and silence. Raises SureError naming the file."""
    labels = [interval.label for interval in read_tier(path, "phones")]
    said = [_phone(path, _perceived(label) if phones == "perceived" else label) for label in labels]
    if not any(said):
        raise SureError(f"{path}: no phones in the tier 'phones'")
    return " ".join(phone for phone in said if phone)


def _perceived(label: str) -> str:
    """Annotators wrote `correct,heard,s` for a substitution, `correct,sil,d` for a deletion, `sil,heard,a` for an
    addition, with white space here and there."""
    parts = label.split(",")
    return parts[1] if len(parts) > 1 else label


def _phone(path: Path, label: str) -> str:
    """Without stress and without the marks of annotators (`AO*`: a deviation) and their slips of the pen (`ER)`)."""
    phone = re.sub("[^A-Z]", "", label.upper())
    phone = SPELLINGS.get(phone, phone)
    if phone in NO_PHONE:
        return ""
    if phone not in PHONES and phone != HEARD:
        raise SureError(f"{path}: {label!r} is no phone of ARPAbet")
    return phone
