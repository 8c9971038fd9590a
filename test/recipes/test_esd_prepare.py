"""egs/esd: sets by number, transcripts in every form and encoding, damaged copies."""

import re

from esd import EMOTIONS
from harness import Case, Change, append, changes, copy, edit, layout, move, remove, rename

ASR, MANDARIN = {"task": "asr"}, {"task": "asr", "lang": "zh"}
ANGRY, FIRST = "0011/Angry", "0012_000001"


def at_number(number: int, name: str) -> Case:
    """The set of a recording without a folder of the set, by its number."""
    emotion = list(EMOTIONS)[(number - 1) // 350]
    old, new = f"0012_{EMOTIONS[emotion] + 1:06d}", f"0012_{number:06d}"
    change = move(f"0012/{emotion}/{old}.wav", f"0012/{emotion}/{new}.wav")
    return Case(change, gone=old, sets={new: name}, labels={new: emotion})


def in_encoding(encoding: str) -> Case:
    """An English transcript in another encoding."""
    change = edit("0011/0011.txt", lambda text: text.decode("utf-16").replace("Tom.", "naive.").encode(encoding))
    return Case(change, ASR, texts={f"0011_{first + 1:06d}": "no it's naive" for first in EMOTIONS.values()})


def with_line(line: str) -> Change:
    """Another line for an utterance of dev."""
    return edit("0012/0012.txt", lambda content: re.sub(rf"{FIRST}.*".encode(), line.encode(), content))


LOWER_CASE = [rename(names, lambda name: name if "." in name else name.lower()) for names in ("00??/*/*", "00??/*")]
test_changes = changes({
    **{f"number {number}": at_number(number, name) for number, name in
       ((20, "dev"), (50, "test"), (350, "train"), (370, "dev"), (400, "test"))},
    "a number beyond the last": Case(move("0012/Sad/0012_001051.wav", "0012/Sad/0012_001751.wav"), gone="0012_001051",
                                     left_out={"recordings in no known set": "0012/Sad/0012_001751.wav"}),
    **{name: in_encoding(name) for name in ("cp1252", "gb18030", "utf-8", "utf-8-sig", "utf-16", "utf-16-be")},
    **{repr(line): Case(with_line(line), ASR, texts={FIRST: text}) for line, text in {
        "0012_000001\tLet it be.\tNeutral": "let it be",
        "0012_000001\tLet it be.\tNetural": "let it be",  # a misspelt emotion
        "0012_000001\tLet it be.": "let it be",
        "0012_000001 Let it be. Neutral": "let it be",
        "\t0012_000001\tLet it be\tSad\t": "let it be",
        "0012_000001   Let it be   Sad": "let it be",
        "0012_000001\tShe is sad": "she is sad",
        "0012_000001 Let us be happy.": "let us be happy",
        "0012_000001\tSad.\tSad": "sad",
    }.items()},
    "no words": Case(with_line("0012_000001\t...\tSad"), ASR, FIRST,
                     left_out={"recordings without words in the transcript": FIRST}),
    "Mandarin without tabs": Case(
        edit("0001/0001.txt",
             lambda text: text.decode("gb18030").replace("\t", " ").replace("生气", "愤怒").encode("utf-16")),
        MANDARIN),
    "a digit in Mandarin": Case(
        edit("0001/0001.txt", lambda text: text.replace("打远".encode("gb18030"), "打5".encode("gb18030"), 1)),
        MANDARIN, gone="0001_000001", left_out={
            "recordings with a number in the transcript, which has no words in this language": "0001_000001"}),
    "unclear lines": Case(
        append("0012/0012.txt", "\nLet it be.\tNeutral\n0012_000351\tSomething else.\tAngry\n0012_000701\t...\tHappy"),
        ASR, gone="0012_000351 0012_000701",
        left_out={"transcript lines without an id": "0012.txt:17: Let it be. Neutral",
                  "transcript lines that contradict another": ["0012.txt: 0012_000351", "0012.txt: 0012_000701"],
                  "recordings without a transcript line": ["0012_000351", "0012_000701"]}),
    "recordings that cannot be placed": Case(
        [*(copy(f"{ANGRY}/train/0011_000401.wav", f"{ANGRY}/{place}") for place in
           ("train/0012_000402.wav", "more/0011_000403.wav", "train/noise.wav", "0011_000401.wav")),
         copy(f"{ANGRY}/test/0011_000371.wav", f"{ANGRY}/train/0011_000371.wav")],
        gone="0011_000371",
        left_out={"copies of a recording": f"{ANGRY}/train/0011_000401.wav",
                  "recordings in another speaker's folder": f"{ANGRY}/train/0012_000402.wav",
                  "recordings in no known set": f"{ANGRY}/more/0011_000403.wav",
                  "recordings in two places that contradict each other": "0011_000371",
                  "recordings with another name than SPEAKER_NUMBER": f"{ANGRY}/train/noise.wav"}),
    "texts of two languages": Case(options={"task": "asr", "lang": "all"}, error="task=asr lang=all: .*lang=en"),
    "no transcript": Case(remove("0011/0011.txt"), ASR, error=r"0011/0011\.txt: no such file, and task=asr needs"),
    "no transcript, but emotions": Case(remove("0011/0011.txt")),
    "no speaker": Case(given=ANGRY, error=r"found no speaker, expected folders 0011 to 0020 \(lang=en\)"),
    "another language": Case(given="0001", error="found the speakers 0001, expected folders 0011"),
    "two copies": Case(copy("0012", "copy/0012"), error="the speaker 0012 is in .* and in .*pass one of them"),
    "lower case": layout([
        *LOWER_CASE, move("0011/angry/train/0011_000401.wav", "0011/angry/train/0011_000401.WAV")]),
})  # fmt: skip
