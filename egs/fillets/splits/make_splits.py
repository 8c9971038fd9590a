"""Write train.txt, dev.txt and test.txt in this folder: python splits/make_splits.py CORPUS

All dialogues of a level, in both languages, are in the same set. Levels with a recording in common (cabin1 and cabin2)
form a group, which is in one set too. The groups are sorted by a hash of their names: the first 15 % of the recordings
are test, the next 10 % dev, the rest train. Levels in which the fish have other voices are always in train.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path

import yaml

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2])]  # prepare.py; sure, if it is not installed
prepare = importlib.import_module("prepare")
selection = importlib.import_module("sure.corpus.selection")

TEST, DEV = 0.15, 0.10


def make_splits(recordings: list[prepare.Recording], always_train: set[str]) -> dict[str, list[str]]:
    """Set -> sorted levels."""
    counts: dict[str, int] = {}
    first: dict[bytes, str] = {}  # digest of an audio file -> its first level
    group: dict[str, str] = {}
    for recording in sorted(recordings, key=lambda recording: (recording.level, recording.language, recording.name)):
        level = recording.level
        counts[level] = counts.get(level, 0) + 1
        earlier = first.setdefault(hashlib.sha256(recording.path.read_bytes()).digest(), group.setdefault(level, level))
        if group[earlier] != group[level]:
            joined = {group[earlier], group[level]}
            group |= {other: min(joined) for other, name in group.items() if name in joined}
    levels_of: dict[str, list[str]] = {}
    for level, name in group.items():
        levels_of.setdefault(name, []).append(level)
    split: dict[str, list[str]] = {name: [] for name in selection.SETS}
    placed, total = 0, sum(counts.values())
    for _, levels in sorted(levels_of.items(), key=lambda item: hashlib.sha256(item[0].encode()).digest()):
        if always_train & set(levels):
            split["train"] += levels
            continue
        split["test" if placed < TEST * total else "dev" if placed < (TEST + DEV) * total else "train"] += levels
        placed += sum(counts[level] for level in levels)
    return {name: sorted(levels) for name, levels in split.items()}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python splits/make_splits.py CORPUS")
    corrections = yaml.safe_load((HERE.parent / "corrections.yaml").read_text(encoding="utf-8"))
    game = prepare.Game(Path(sys.argv[1]), prepare.LANGUAGES)
    recordings = [
        one for language in prepare.LANGUAGES for one in game.recordings(language, selection.Selection("fillets"))
    ]
    others = {level for of_language in corrections.values() for level in of_language["other_voices"]}
    for name, levels in make_splits(recordings, others).items():
        (HERE / f"{name}.txt").write_text("".join(f"{level}\n" for level in levels), encoding="utf-8", newline="\n")
        print(f"{name}.txt: {len(levels)} levels")
