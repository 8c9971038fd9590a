"""End of stage 2 of speech synthesis: mel spectrogram, pitch and energy of all sets, statistics of the training set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from sure.config import Config, load_config
from sure.data.data_dir import read_data_dir
from sure.data.synthesis.features import FRAMES, STATISTICS, statistics, write_features
from sure.errors import SureError, run
from sure.files import replace_file


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.features", description=__doc__)
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="later ones win")
    threads = torch.get_num_threads()  # of this machine, or as the launcher says
    parser.add_argument("--nj", type=int, default=threads, metavar="N", help="threads: %(default)s")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="such as acoustic.trim_db=50")
    options = parser.parse_intermixed_args(argv)
    if options.nj < 1:
        raise SureError(f"--nj takes a number from 1, not {options.nj}")
    extract(load_config(options.config, options.overrides), options.nj)


def extract(config: Config, nj: int) -> None:
    """Features of the sets of a config, and `statistics.json` beside the training set."""
    for folder in map(Path, config.data.sets().values()):
        utterances = read_data_dir(folder)
        computed = write_features(folder, utterances, config.acoustic, nj)
        frames = sum(int(line.split()[1]) for line in (folder / FRAMES).read_text().splitlines())
        seconds = frames * config.acoustic.hop_size / config.acoustic.sample_rate
        print(
            f"{folder}: {len(utterances):,} utterances, {sum(u.seconds for u in utterances) / 60:.1f} min, of which "
            f"{seconds / 60:.1f} min are speech ({frames:,} frames); {computed:,} computed now"
        )
    found = statistics(Path(config.data.train), config.acoustic)
    file = Path(config.data.train).parent / STATISTICS
    replace_file(file, json.dumps(found, indent=1) + "\n")
    print(f"{file}: log-f0 {found['log_f0']['mean']:.3f} ± {found['log_f0']['std']:.3f}, of "
          f"{found['voiced_frames'] / found['frames']:.0%} voiced frames")  # fmt: skip


if __name__ == "__main__":
    run(main)
