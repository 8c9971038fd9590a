"""IEMOCAP_full_release with two dialogues in each session, most tags, and opinions of single evaluators."""

from pathlib import Path

from miniature import write_files
from speech import speech

ROOT = "IEMOCAP_full_release"
TURNS = {  # dialogue -> turn -> tag, women first as in the evaluations
    "impro01": {"F000": "neu", "F001": "hap", "F002": "fru", "M000": "exc", "M001": "xxx"},
    "script02_2": {"F000": "ang", "M000": "sad", "M001": "neu"},
}
OPINIONS = "C-E2:\tNeutral;\t()\nC-F1:\tNeutral;\t(curious \xe9)\nA-E3:\tval 3; act 2; dom  2;\t()\n"


def make(folder: Path) -> None:
    for session in range(1, 6):
        for dialogue, turns in TURNS.items():
            name = f"Ses0{session}{'F' if session % 2 else 'M'}_{dialogue}"
            tags = turns | ({"M002": "oth"} if (session, dialogue) == (5, "impro01") else {})
            write_files(folder / ROOT / f"Session{session}", _dialogue(name, tags))


def _dialogue(name: str, tags: dict[str, str]) -> dict:
    evaluations = "dialog/EmoEvaluation"
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
    for number, (turn, tag) in enumerate(tags.items()):
        times = f"[{6.2901 + number:.4f} - {8.2357 + number:.4f}]"
        blocks.append(f"{times}\t{name}_{turn}\t{tag}\t[2.5000, 2.5000, 2.5000]\n{OPINIONS}")
    places = [f"{evaluations}/{place}/{name}_e2_cat.txt" for place in ("Attribute", "Categorical", "Self-evaluation")]
    return {
        **{f"sentences/wav/{name}/{name}_{turn}.wav": speech(tag, turn[0]) for turn, tag in tags.items()},
        **dict.fromkeys(places, f"{name}_F000 :Sadness; ()\n"),
        f"{evaluations}/{name}.txt": "\n".join(blocks).encode("cp1252"),
        f"{evaluations}/._{name}.txt": b"Mac OS X\n[0.0 - 1.0]\tno\tsad\t[]\n",
        f"dialog/transcriptions/{name}.txt": f"{name}_F000 [6.2901-8.2357]: Excuse me.\n",
    }
