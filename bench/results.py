"""The tables of docs/results.md, from the lines that the scripts of bench/ wrote with --out.

    python bench/results.py results.jsonl --page docs/results.md

The last line of a row with the same settings on the same machine counts.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

KEYS = ("work", "shape", "minutes", "precision", "cache", "epochs")  # settings of a row
HEAD = """# Results

Made by `bench/results.py` from measurements of `bench/training.py` and `bench/peft_whisper.py`. Both sides run in one
call and alternate; each training has its own process. Seconds contain everything from the start of the process to its
end: imports, reading of audio, padding, filling of the cache, steps, scoring of the dev set. "Without start" is the
ratio without imports and building of the model. Ratios of time are peer / SURE: above 1, SURE is faster; brackets
contain the least and the largest of all rounds. The ratio of memory is SURE / peer: below 1, SURE needs less. The peer
is transformers with PEFT; ConvAdapter, bottleneck, side network and L-adapter are SURE's modules on transformers'
layers. The peer keeps decoded audio in memory, but caches no outputs of frozen layers. Floor: the least seconds for the
operations that must be computed, as a fraction of SURE's seconds. Cache: `auto` fills the prefix cache within the time,
`kept` finds it on the disk as an earlier training left it; for Whisper, the column names the input of SURE's encoder
(`as_trained`: 30 s as the peer's; `masked`: the own length of the utterance). Where the dev score (WER in %) stays at
100, the audio is too short to learn from: such a row compares time and memory alone.
"""
COLUMNS = (
    "work", "shape", "audio", "precision", "cache", "epochs", "rounds", "SURE s", "peer s", "peer / SURE",
    "without start", "SURE MB", "peer MB", "SURE / peer", "dev SURE", "dev peer", "floor",
)  # fmt: skip


def read(files: list[Path]) -> list[dict[str, Any]]:
    """The last line of each row, in the order of the first ones. Raises SystemExit naming a damaged line."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for file in files:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            try:
                row = json.loads(line)
                found[(row["machine"], *(row[key] for key in KEYS))] = row
            except (ValueError, KeyError, TypeError) as error:
                raise SystemExit(f"{file}:{number}: not a line of bench/training.py ({error}); delete it") from None
    return list(found.values())


def cells(row: dict[str, Any]) -> list[str]:
    middle, least, most = row["seconds_ratio"]
    audio = f"{row['minutes']:g} min" if row["minutes"] else "all"
    return [
        row["work"], Path(row["shape"]).stem, audio, row["precision"], row["cache"], str(row["epochs"]),
        str(len(row["rounds"])), f"{row['seconds']['sure']:.1f}", f"{row['seconds']['peer']:.1f}",
        f"{middle:.2f} ({least:.2f}, {most:.2f})", f"{row['loop_seconds_ratio'][0]:.2f}",
        f"{row['peak_megabytes']['sure']:,.0f}", f"{row['peak_megabytes']['peer']:,.0f}", f"{row['memory_ratio']:.2f}",
        f"{row['dev_score']['sure']:.2f}", f"{row['dev_score']['peer']:.2f}",
        f"{row['floor_fraction']['sure']:.2f}" if row["floor"] else "-",
    ]  # fmt: skip


def page(rows: list[dict[str, Any]]) -> str:
    """The page: a table for each machine and date."""
    text = HEAD
    for place in dict.fromkeys((row["machine"], row["date"]) for row in rows):
        text += f"\n## {place[0]}, {place[1]}\n\n"
        lines = [COLUMNS, ["---", "---", "---", "---", "---", *["---:"] * (len(COLUMNS) - 5)]]
        lines += [cells(row) for row in rows if (row["machine"], row["date"]) == place]
        text += "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="files that --out wrote")
    parser.add_argument("--page", type=Path, help="write this page; default: print it")
    options = parser.parse_args()
    text = page(read(options.files))
    if options.page:
        options.page.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
