"""Acoustic features of data folders, stored in archives, and their statistics.

A set gets mel.scp (frames, mels), pitch.scp and energy.scp (frames, 1), all float32, utt2frames, and utt2start (seconds
of silence that are cut before the first frame). The archives are in its folder `features/`, with PIECE utterances each,
for any number of threads. A piece is finished when its mark, written last, has the digest of its settings and audio;
then it is not computed again.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from sure.data.ark import Scp, write_ark
from sure.data.audio import audio_file
from sure.data.data_dir import Utterance
from sure.data.synthesis.acoustic import AcousticConfig, energy, log_mel, magnitudes, read_speech
from sure.data.synthesis.pitch import pitch
from sure.data.tables import format_table
from sure.errors import SureError, some_lines
from sure.files import replace_file
from sure.progress import progress_bar

KINDS = ("mel", "pitch", "energy")
FOLDER, FRAMES, STARTS, STATISTICS = "features", "utt2frames", "utt2start", "statistics.json"
LEFT_OUT = "features_left_out.txt"
PIECE = 250  # utterances


class Features(NamedTuple):
    """mel (frames, mels), pitch (frames, 1) in Hz, energy (frames, 1), float32; start: seconds cut before them."""

    mel: np.ndarray
    pitch: np.ndarray
    energy: np.ndarray
    start: float


def compute(utterance: Utterance, config: AcousticConfig) -> Features:
    """Compute the features of one utterance. Raises SureError naming it."""
    wave, start = read_speech(utterance, config)
    spectrum = magnitudes(wave, config)
    try:
        hertz = pitch(wave, config)
    except ValueError as error:
        raise SureError(f"utterance '{utterance.id}': {error}") from None
    return Features(log_mel(spectrum, config).numpy(), hertz[:, None], energy(spectrum)[:, None].numpy(), start)


def write_features(
    folder: Path, utterances: Sequence[Utterance], config: AcousticConfig, nj: int = 1, on_bad_utterance: str = "stop"
) -> int:
    """Write the features of a set with `nj` threads; returns the number of utterances that were computed.

    With `skip`, unusable utterances (silent or too short) have no features, and `features_left_out.txt` lists them.
    With `stop`, or if none is usable, raises SureError naming them; then the index files stay as they were.
    """
    threads, computed = torch.get_num_threads(), 0
    tables: dict[str, dict[str, str]] = {name: {} for name in (FRAMES, STARTS, *(f"{kind}.scp" for kind in KINDS))}
    pieces = [utterances[start : start + PIECE] for start in range(0, len(utterances), PIECE)]
    problems: list[str] = []
    torch.set_num_threads(1)  # in each thread of the pool
    try:
        with ThreadPoolExecutor(nj) as pool, progress_bar(None, str(folder), len(utterances), unit="utterance") as bar:
            for number, piece in enumerate(pieces, 1):
                digest = _digest(piece, config)
                bar.update(len(piece))
                if not _is_finished(folder, number, digest):
                    computed += len(piece)
                    results = dict(pool.map(lambda utterance: (utterance.id, _try(utterance, config)), piece))
                    failed = [str(result) for result in results.values() if isinstance(result, SureError)]
                    if failed and on_bad_utterance == "stop":
                        problems += failed
                        continue
                    _write_piece(folder, number, results, digest)
                about = json.loads(_path(folder, "mark", number, "json").read_text())
                problems += about.get(LEFT_OUT, [])
                for name in (FRAMES, STARTS):
                    tables[name] |= about[name]
                for kind in KINDS:
                    tables[f"{kind}.scp"] |= Scp(_path(folder, kind, number, "scp")).places
    finally:
        torch.set_num_threads(threads)
    replace_file(folder / LEFT_OUT, "".join(f"{line}\n" for line in problems))
    if problems and (on_bad_utterance == "stop" or not tables[FRAMES]):
        raise SureError(
            f"{folder}: {len(problems)} utterances are unusable; repair the recordings, or leave them out with "
            f"--on_bad_utterance skip:{some_lines(problems)}"
        )
    for name, table in tables.items():
        replace_file(folder / name, format_table(sorted(table.items())))
    return computed


def _try(utterance: Utterance, config: AcousticConfig) -> Features | SureError:
    try:
        return compute(utterance, config)
    except SureError as error:
        return error


def _write_piece(folder: Path, number: int, results: dict[str, Features | SureError], digest: str) -> None:
    found = {id: features for id, features in results.items() if isinstance(features, Features)}
    problems = [str(error) for error in results.values() if isinstance(error, SureError)]
    for kind in KINDS:
        write_ark(_path(folder, kind, number, "ark"), ((id, getattr(features, kind)) for id, features in found.items()))
    frames = {id: str(len(features.mel)) for id, features in found.items()}
    starts = {id: f"{features.start:.4f}" for id, features in found.items()}
    about = {"digest": digest, FRAMES: frames, STARTS: starts, LEFT_OUT: problems}
    replace_file(_path(folder, "mark", number, "json"), json.dumps(about) + "\n")


def _path(folder: Path, kind: str, number: int, ending: str) -> Path:
    return folder / FOLDER / f"{kind}_{number:05}.{ending}"


def _is_finished(folder: Path, number: int, digest: str) -> bool:
    mark = _path(folder, "mark", number, "json")
    archives = [_path(folder, kind, number, ending) for kind in KINDS for ending in ("ark", "scp")]
    return all(path.is_file() for path in (mark, *archives)) and json.loads(mark.read_text())["digest"] == digest


def _digest(piece: Sequence[Utterance], config: AcousticConfig) -> str:
    """Digest of all that the features depend on; for audio files, their size and modification time."""
    about = [config.model_dump_json()]
    for one in piece:
        file = os.stat(audio_file(one.audio))
        about.append(f"{one.id} {one.audio} {one.start} {one.end} {file.st_size} {file.st_mtime_ns}")
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def statistics(folder: Path, config: AcousticConfig) -> dict:
    """Means and standard deviations of log F0 (voiced frames), energy and each mel channel of a set with features.

    Sums are float64, in the order of ids, so they do not depend on the number of threads. Raises SureError if no frame
    of the set is voiced.
    """
    log_f0, energies, mels = _Sums(1), _Sums(1), _Sums(config.mels)
    files = {kind: Scp(folder / f"{kind}.scp") for kind in KINDS}
    for id in files["mel"]:
        hertz = files["pitch"][id]
        log_f0.add(np.log(hertz[hertz > 0])[:, None])
        energies.add(files["energy"][id])
        mels.add(files["mel"][id])
    if log_f0.count < 2:
        raise SureError(f"{folder}: the set has no voiced frame; check acoustic.pitch_* in the config")
    return {
        "utterances": len(files["mel"]),
        "frames": mels.count,
        "voiced_frames": log_f0.count,
        "log_f0": {name: values[0] for name, values in log_f0.result().items()},
        "energy": {name: values[0] for name, values in energies.result().items()},
        "mel": mels.result(),
        "acoustic": config.model_dump(),
    }


class _Sums:
    """Sums over rows (count, dim), for their mean and standard deviation."""

    def __init__(self, dim: int):
        self.count, self.first, self.second = 0, np.zeros(dim), np.zeros(dim)

    def add(self, rows: np.ndarray) -> None:
        rows = rows.astype(np.float64)
        self.count += len(rows)
        self.first += rows.sum(0)
        self.second += (rows**2).sum(0)

    def result(self) -> dict[str, list[float]]:
        mean = self.first / self.count
        deviation = np.sqrt(np.maximum(self.second / self.count - mean**2, 0))
        return {"mean": mean.tolist(), "std": deviation.tolist()}
