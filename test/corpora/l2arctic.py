"""L2-ARCTIC as its zips unpack: for each speaker wav, transcript, textgrid and, for some utterances, annotation."""

from pathlib import Path

from miniature import write_files
from speech import phones, speech

ROOT = "l2arctic_release_v5.0"
RATE = 44100
SPEAKERS = ("ABA", "YDCK", "SKA")
TEXTS = "he said|a dog|it is so|we go|she did|a cat|big dogs|so it is|no cat|he is|we did|a big cat".split("|")
GRID = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = {}\ntiers? <exists>\nsize = {}\n'
TIER = ' item [{}]:\n  class = "IntervalTier"\n  name = "{}"\n  xmin = 0\n  xmax = {}\n  intervals: size = {}\n'
INTERVAL = '  intervals [{}]:\n   xmin = {}\n   xmax = {}\n   text = "{}"\n'


def make(folder: Path) -> None:
    """Write the release with its suitcase corpus, and one of the two damaged annotations of YDCK."""
    files = {
        "suitcase_corpus/wav/aba.wav": speech("a dog", "ABA", RATE),
        "suitcase_corpus/annotation/aba.TextGrid": text_grid([["D", "AO1", "G"]]),
        "suitcase_corpus/transcript/aba.txt": "A dog",
    }
    for speaker in SPEAKERS:
        for number, text in enumerate(TEXTS, 1):
            name = f"arctic_{'ab'[number > 8]}{number:04}"
            words = [phones(word).split() for word in text.split()]
            files[f"{speaker}/wav/{name}.wav"] = speech(text, speaker, RATE)
            files[f"{speaker}/transcript/{name}.txt"] = text.capitalize()
            files[f"{speaker}/textgrid/{name}.TextGrid"] = text_grid(words)
            if number != 2:
                files[f"{speaker}/annotation/{name}.TextGrid"] = text_grid(map(perceived, words), comments=True)
    broken = "YDCK/annotation/arctic_a0001.TextGrid"
    files[broken] = files[broken].replace("xmin = 0.2", "xmin = 0.05")
    write_files(folder / ROOT, files, RATE)


def perceived(word: list[str]) -> list[str]:
    """Phones as annotators write them: T for D, and a vowel added; no HH; a marked W; G unknown."""
    marks = {"D": "D,T,s", "HH": "HH,sil,d", "W": "W, W*, s", "G": "G,err,s"}
    return [marks.get(phone, phone) for phone in word] + ["sil, AX ,a"] * ("D" in word)


def text_grid(words, comments: bool = False) -> str:
    """Tiers of words and phones, 0.1 s for each phone, with silence at both ends, and if asked, IPA comments."""
    labels = ["sil", *[phone for word in words for phone in [*word, "sp"]][:-1], ""]
    tiers = {"words": [" ".join(labels)], "phones": labels} | ({"IPA": ["ə ʃ"]} if comments else {})
    end = len(labels) / 10
    text = GRID.format(end, len(tiers))
    for number, (name, marks) in enumerate(tiers.items(), 1):
        text += TIER.format(number, name, end, len(marks))
        borders = [f"{end * place / len(marks):.12g}" for place in range(len(marks) + 1)]
        for place, (start, stop, mark) in enumerate(zip(borders, borders[1:], marks, strict=False), 1):
            text += INTERVAL.format(place, start, stop, mark)
    return text
