"""Write train.txt, dev.txt and test.txt in this folder: python splits/make_splits.py CORPUS

All recordings of a key, in all five languages, are in the same set. Keys with the same normalised text or the same
audio in any language form a group, which is in one set too. In each prompt family, the groups are sorted by a hash of
their first key: the first fifth is test, the next eighth dev, the rest train. A group with a recording longer than
15 s is in train, where `data.max_seconds` decides whether it is used.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2])]  # prepare.py; sure, if it is not installed
prepare = importlib.import_module("prepare")
SETS = importlib.import_module("sure.corpus.selection").SETS

TEST, DEV = 1 / 5, 1 / 8
LONGEST_TEST_SECONDS = 15


def make_splits(prompts: list[prepare.Prompt]) -> dict[str, list[str]]:
    """Set -> sorted keys."""
    prompts = [p for p in prompts if not prepare.NOT_SPEECH.fullmatch(p.key) and p.seconds >= prepare.SHORTEST]
    same: dict[object, list[str]] = {}  # a text or an audio file -> its keys
    for prompt in prompts:
        same.setdefault(hashlib.sha256(prompt.path.read_bytes()).digest(), []).append(prompt.key)
        if prompt.text:
            same.setdefault((prompt.language, prompt.text), []).append(prompt.key)
    long = {prompt.key for prompt in prompts if prompt.seconds > LONGEST_TEST_SECONDS}
    split: dict[str, list[str]] = {name: [] for name in SETS}
    families: dict[str | None, list[list[str]]] = {}
    for group in _join(same.values()):
        if long & set(group):
            split["train"] += group
        else:
            families.setdefault(prepare.intent_of(group[0]), []).append(group)
    for groups in families.values():
        size = sum(map(len, groups))
        placed = 0
        for group in sorted(groups, key=lambda group: hashlib.sha256(group[0].encode()).digest()):
            name = "test" if placed < TEST * size else "dev" if placed < (TEST + DEV) * size else "train"
            split[name] += group
            placed += len(group)
    return {name: sorted(keys) for name, keys in split.items()}


def _join(together: Iterable[list[str]]) -> list[list[str]]:
    """Merges lists that share a key. Returns sorted groups; each list of `together` is in one group."""
    group_of: dict[str, set[str]] = {}
    for keys in together:
        merged = set(keys).union(*(group_of.get(key, ()) for key in keys))
        group_of.update(dict.fromkeys(merged, merged))
    return sorted({id(group): sorted(group) for group in group_of.values()}.values())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python splits/make_splits.py CORPUS")
    prompts = prepare.read_prompts(Path(sys.argv[1]), list(prepare.VOICES), prepare.Selection("asterisk"))
    for name, keys in make_splits(prompts).items():
        (HERE / f"{name}.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8", newline="\n")
        print(f"{name}.txt: {len(keys)} keys")
