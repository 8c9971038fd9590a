"""L2-ARCTIC as its zips unpack: for each speaker wav, transcript, textgrid and, for some utterances, annotation."""

from __future__ import annotations

from pathlib import Path

from audio_files import write_audio
from speech import speech
from spelling import phones

RATE = 44100
SPEAKERS = ("ABA", "YDCK", "SKA")
TEXTS = "he said|a dog|it is so|we go|she did|a cat|big dogs|so it is|no cat|he is|we did|a big cat".split("|")


def make(folder: Path) -> None:
    """Write the release with its suitcase corpus, and one of the two damaged annotations of YDCK."""
    release = folder / "l2arctic_release_v5.0"
    for speaker in SPEAKERS:
        for number, text in enumerate(TEXTS, 1):
            _write(release / speaker, f"arctic_{'ab'[number > 8]}{number:04}", text, speaker, annotated=number != 2)
    broken = release / "YDCK" / "annotation" / "arctic_a0001.TextGrid"
    broken.write_text(broken.read_text().replace("xmin = 0.2", "xmin = 0.05"))
    write_audio(release / "suitcase_corpus" / "wav" / "aba.wav", speech("a dog", "ABA", RATE), RATE)
    write_grid(release / "suitcase_corpus" / "annotation" / "aba.TextGrid", [["D", "AO1", "G"]])
    (release / "suitcase_corpus" / "transcript").mkdir()
    (release / "PROMPTS").write_text('( arctic_a0001 "He said." )\n')


def _write(folder: Path, name: str, text: str, speaker: str, annotated: bool) -> None:
    write_audio(folder / "wav" / f"{name}.wav", speech(text, speaker, RATE), RATE)
    (folder / "transcript").mkdir(exist_ok=True)
    (folder / "transcript" / f"{name}.txt").write_text(text.capitalize())
    words = [phones(word).split() for word in text.split()]
    write_grid(folder / "textgrid" / f"{name}.TextGrid", words)
    if annotated:
        write_grid(folder / "annotation" / f"{name}.TextGrid", [heard(word) for word in words], comments=True)


def heard(word: list[str]) -> list[str]:
    """Perceived phones as annotators write them: T for D, and a vowel added; no HH; a marked W; G unknown."""
    marks = {"D": "D,T,s", "HH": "HH,sil,d", "W": "W, W*, s", "G": "G,err,s"}
    return [marks.get(phone, phone) for phone in word] + ["sil, AX ,a"] * ("D" in word)


def write_grid(path: Path, words: list[list[str]], comments: bool = False) -> None:
    """Write tiers of words and phones, 0.1 s for each phone, with silence at both ends, and if asked, IPA comments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = ["sil", *[phone for word in words for phone in [*word, "sp"]][:-1], ""]
    tiers = [("words", [" ".join(labels)]), ("phones", labels)]
    if comments:
        tiers.append(("IPA", ["ə ʃ"]))
    end = len(labels) / 10
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, marks) in enumerate(tiers, 1):
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{name}"']
        lines += ["        xmin = 0", f"        xmax = {end}", f"        intervals: size = {len(marks)}"]
        step = end / len(marks)
        for place, mark in enumerate(marks):
            lines += [f"        intervals [{place + 1}]:", f"            xmin = {place * step:.12g}"]
            lines += [f"            xmax = {(place + 1) * step:.12g}", f'            text = "{mark}"']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
