"""IEMOCAP_full_release with two dialogues in each session, most tags, and opinions of single evaluators."""

from __future__ import annotations

from pathlib import Path

from audio_files import write_audio
from speech import speech

TURNS = {  # dialogue -> turn -> tag, women first as in the evaluations
    "impro01": {"F000": "neu", "F001": "hap", "F002": "fru", "M000": "exc", "M001": "xxx"},
    "script02_2": {"F000": "ang", "M000": "sad", "M001": "neu"},
}
OPINIONS = "C-E2:\tNeutral;\t()\nC-F1:\tNeutral;\t(curious \xe9)\nA-E3:\tval 3; act 2; dom  2;\t()\n"


def make(folder: Path) -> None:
    for session in range(1, 6):
        top = folder / "IEMOCAP_full_release" / f"Session{session}"
        for dialogue, turns in TURNS.items():
            name = f"Ses0{session}{'F' if session % 2 else 'M'}_{dialogue}"
            tags = turns | ({"M002": "oth"} if (session, dialogue) == (5, "impro01") else {})
            _dialogue(top, name, tags)


def _dialogue(top: Path, name: str, tags: dict[str, str]) -> None:
    evaluations = top / "dialog" / "EmoEvaluation"
    blocks = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"]
    for number, (turn, tag) in enumerate(tags.items()):
        times = f"[{6.2901 + number:.4f} - {8.2357 + number:.4f}]"
        blocks.append(f"{times}\t{name}_{turn}\t{tag}\t[2.5000, 2.5000, 2.5000]\n{OPINIONS}")
        wav = top / "sentences" / "wav" / name / f"{name}_{turn}.wav"
        write_audio(wav, speech(tag, turn[0]))
        wav.with_name(f"._{wav.name}").write_bytes(b"Mac OS X")
    for place in ("Attribute", "Categorical", "Self-evaluation"):
        (evaluations / place).mkdir(parents=True, exist_ok=True)
        (evaluations / place / f"{name}_e2_cat.txt").write_text(f"{name}_F000 :Sadness; ()\n")
    (evaluations / f"{name}.txt").write_bytes("\n".join(blocks).encode("cp1252"))
    (evaluations / f"._{name}.txt").write_bytes(b"Mac OS X\n[0.0 - 1.0]\tno\tsad\t[]\n")
    (top / "dialog" / "wav").mkdir(exist_ok=True)
    write_audio(top / "dialog" / "wav" / f"{name}.wav", speech("ab", name))
    (top / "dialog" / "transcriptions").mkdir(exist_ok=True)
    (top / "dialog" / "transcriptions" / f"{name}.txt").write_text(f"{name}_F000 [6.2901-8.2357]: Excuse me.\n")
