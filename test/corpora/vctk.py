"""VCTK 0.92 and 0.80: speakers with one microphone or without texts, and files that are not recordings."""

from pathlib import Path

from miniature import pack, write_files
from speech import speech

ROOT, OLD = "DS_10283_3443/VCTK-Corpus-0.92", "0.80/VCTK-Corpus"
UTTERANCES = {  # speaker -> number of the last; some speakers of each list have enough for three sets
    "p225": 10, "p230": 11, "p226": 3, "p231": 2, "p228": 2, "p239": 3, "p280": 2, "p315": 2, "s5": 2,
}  # fmt: skip
ONE_MICROPHONE = {"p280", "p315"}
MISSING = {"p230_004"}


def make(folder: Path) -> None:
    """Write both releases, and the archive of sources.yaml."""
    new, old = {"wav48_silence_trimmed/log.txt": "p225_001_mic1.flac 0.3 2.1\n"}, {}
    texts = {"speaker-info.txt": "ID  AGE  GENDER  ACCENTS\np225  23  F    English\n"}
    ids = [(speaker, f"{speaker}_{number:03}") for speaker, last in UTTERANCES.items() for number in range(1, last + 1)]
    for speaker, id in ids:
        if id in MISSING:
            continue
        sound = speech(f"a{id[-1]}e", speaker, 48000)
        for microphone in ("mic1",) if speaker in ONE_MICROPHONE else ("mic1", "mic2"):
            new[f"wav48_silence_trimmed/{speaker}/{id}_{microphone}.flac"] = sound
        if speaker != "s5":
            old[f"wav48/{speaker}/{id}.wav"] = sound
        if speaker != "p315":
            texts[f"txt/{speaker}/{id}.txt"] = f"a {id[-1]} e\n"
    old["wav48/p225/p225_011.raw"] = bytes(1000)  # the corpus has p376_295.raw
    write_files(folder / ROOT, new | texts, 48000)
    write_files(folder / OLD, old | texts, 48000)
    pack(folder / "VCTK-Corpus-0.92.zip", folder / ROOT)
