"""End of stage 2 of speech synthesis: features of all sets, statistics of the training set."""

import json
from collections.abc import Iterator
from pathlib import Path

from sure.config import Config
from sure.data.data_dir import read_data_dir
from sure.data.synthesis.features import FRAMES, LEFT_OUT, STATISTICS, statistics, write_features
from sure.data.tables import read_lines
from sure.errors import counted
from sure.files import replace_file


def extract(config: Config, nj: int, on_bad_utterance: str) -> Iterator[str]:
    """Write the features of all sets with `nj` threads, and `statistics.json` next to the training set; yield lines."""
    acoustic, train = config.acoustic, Path(config.data.train)
    for folder in map(Path, config.data.sets().values()):
        utterances = read_data_dir(folder)
        computed = write_features(folder, utterances, acoustic, nj, on_bad_utterance)
        lines = read_lines(folder / FRAMES)
        frames = sum(int(line.value) for line in lines)
        seconds = frames * acoustic.hop_size / acoustic.sample_rate
        yield (
            f"{folder}: {counted(len(utterances), 'utterance')}, {sum(u.seconds for u in utterances) / 60:.1f} min, "
            f"of which {seconds / 60:.1f} min are speech ({frames:,} frames); {computed:,} computed now"
        )
        if left_out := len(utterances) - len(lines):
            yield f"  left out: {counted(left_out, 'utterance')}; all of them: {folder / LEFT_OUT}"
    found = statistics(train, acoustic)
    file = train.parent / STATISTICS
    replace_file(file, json.dumps(found, indent=1) + "\n")
    pitch, voiced = found["log_f0"], found["voiced_frames"] / found["frames"]
    yield f"{file}: log-f0 {pitch['mean']:.3f} ± {pitch['std']:.3f}, of {voiced:.0%} voiced frames"
