"""Stage 6: score the decoded sets of an experiment, into result.json and result.txt of each EXP/decode_<set>."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.errors import run
from sure.report.results import UNITS
from sure.stages.score import score_experiment


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.score", description=__doc__)
    parser.add_argument("--exp", required=True, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="default: every decoded set, in every decoding")
    options = parser.parse_args(argv)
    for result in score_experiment(Path(options.exp), options.sets):
        name = result["score_name"]
        low, high = result[f"{name}_interval"]
        decoding = "" if result.get("decoding", "greedy") == "greedy" else f", {result['decoding']}"
        print(
            f"{options.exp} {result['set']}{decoding}: {name} {result['score']:.2f} {UNITS.get(name, '%')} "
            f"[{low:.2f}, {high:.2f}], {result['utterances']:,} utterances"
        )
        for scores, why in result.get("missing", {}).items():
            print(f"without {scores}: {why}")


if __name__ == "__main__":
    run(main)
