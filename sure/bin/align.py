"""When each word of the texts of a data folder is said, by forced alignment, as a CTM file.

Lines are `id 1 start duration word confidence`: seconds from the beginning of the utterance, and the mean probability
of the word's tokens. An utterance whose text does not fit its audio is named on stderr and left out; then the exit
status is 1.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sure.data.data_dir import read_data_dir
from sure.errors import SureError, run
from sure.files import replace_file
from sure.stages.align import align_set, load
from sure.tasks.alignment import format_ctm
from sure.tasks.ctc import CtcTask


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.align", description=__doc__)
    parser.add_argument("trained", metavar="EXP|BUNDLE", help="exp/<name>/seed<k>, or a bundle folder")
    parser.add_argument("--data", required=True, metavar="DIR", help="data folder with texts, such as data/asr_es/test")
    parser.add_argument("--out", required=True, metavar="FILE", help="such as test.ctm")
    parser.add_argument("--backbone", metavar="PATH", help="of a bundle; default: where it says")
    options = parser.parse_args(argv)
    config, model = load(Path(options.trained), options.backbone)
    if not isinstance(model.task, CtcTask):
        raise SureError(f"{options.trained}: the task {config.task} has no words to align; asr, phoneme and slots have")
    utterances = read_data_dir(options.data)
    problems: list[str] = []
    found = dict(align_set(config, model, utterances, problems))
    ctm = (format_ctm(utterance.id, found[utterance.id]) for utterance in utterances if utterance.id in found)
    replace_file(Path(options.out), "".join(ctm))
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"{options.out}: {len(found):,} of {len(utterances):,} utterances")
    if problems:
        sys.exit(1)


if __name__ == "__main__":
    run(main)
