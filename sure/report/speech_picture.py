"""Mel spectrograms, pitch and phones of recordings and synthesised speech, as PNG files and for TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sure.data.ark import Scp
from sure.data.audio import decode
from sure.data.tables import read_table
from sure.report.picture import save_figure
from sure.score.synthesis.folder import read_waves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 4  # utterances per set
LOWEST = -8.0  # log magnitude that is drawn black


@dataclass
class Panel:
    """mel: log magnitudes (frames, mels); hertz: F0 (frames,), 0 if unvoiced; phones: with durations in frames."""

    title: str
    mel: np.ndarray
    hertz: np.ndarray | None = None
    phones: Sequence[tuple[str, int]] = ()


def draw_speech(experiment: Path, folder: Path, data: Path) -> None:
    """Draw a few utterances of a decoded folder to EXP/images/<set>_<id>.png, and add them to TensorBoard with audio.

    data: data folder; if it has features, they are drawn above, as the recording.
    """
    waves = read_waves(folder)
    ids = sorted(waves)
    ids = ids[:: max(1, len(ids) // SHOWN)][:SHOWN]
    pictures = {}
    for id in ids:
        panels = [_read(data, data, id, "recording"), _read(folder, data, id, "synthesis")]
        if panels := [panel for panel in panels if panel]:
            pictures[id] = experiment / "images" / f"{folder.name.removeprefix('decode_')}_{id}.png"
            save_figure(make_figure(id, panels), pictures[id])
    write_events(experiment / "tensorboard" / folder.name, {id: waves[id] for id in ids}, pictures)


def make_figure(title: str, panels: Sequence[Panel]) -> Figure:
    """Spectrograms below each other on one time axis in frames; the right axis is F0 in Hz."""
    from matplotlib.figure import Figure

    frames = max(len(panel.mel) for panel in panels)
    figure = Figure(figsize=(min(18, 3 + frames / 40), 2.8 * len(panels)), layout="constrained")
    figure.suptitle(title, parse_math=False)
    for axes, panel in zip(figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], panels, strict=True):
        axes.imshow(panel.mel.T, origin="lower", aspect="auto", vmin=LOWEST, interpolation="nearest", cmap="magma")
        axes.set_ylabel(f"{panel.title}\nmel channel")
        if panel.hertz is not None:
            right = axes.twinx()
            right.plot(np.where(panel.hertz > 0, panel.hertz, np.nan), color="cyan", linewidth=1.2)
            right.set_ylabel("F0 (Hz)")
            right.set_ylim(0, max(400, 1.1 * panel.hertz.max(initial=0)))
        _draw_phones(axes, panel.phones)
    axes.set_xlabel("frame")
    return figure


def write_events(folder: Path, waves: dict[str, str], pictures: dict[str, Path]) -> None:
    """Write TensorBoard events of audio files and pictures, both by utterance id; earlier events are deleted."""
    from PIL import Image
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.summary import audio, image

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("events.*"):
        old.unlink()
    writer = EventsWriter(str(folder / "events"))
    summaries = []
    for id, path in waves.items():
        samples, rate = decode(path)
        summaries.append(audio(f"{folder.name}/{id}", samples[:, None], rate))
    for id, path in pictures.items():
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        summaries.append(image(f"{folder.name}/{id}", pixels, dataformats="HWC"))
    for summary in summaries:
        writer.write_event(Event(wall_time=time.time(), step=0, summary=summary))
    writer.close()


def _read(folder: Path, data: Path, id: str, title: str) -> Panel | None:
    """None if the folder has no spectrogram of the utterance."""
    scps = {name: Scp(folder / f"{name}.scp") for name in ("mel", "pitch") if (folder / f"{name}.scp").is_file()}
    if id not in scps.get("mel", {}):
        return None
    hertz = scps["pitch"][id][:, 0] if id in scps.get("pitch", {}) else None
    words = [read_table(path).get(id, "").split() for path in (data / "phones", folder / "durations")]
    same = len(words[0]) == len(words[1])
    return Panel(title, scps["mel"][id], hertz, list(zip(words[0], map(int, words[1]), strict=True)) if same else [])


def _draw_phones(axes: Axes, phones: Sequence[tuple[str, int]]) -> None:
    start = 0
    for phone, frames in phones:
        axes.axvline(start - 0.5, color="white", linewidth=0.5)
        if frames:
            axes.text(start + frames / 2 - 0.5, 1.0, phone, color="white", fontsize=7, ha="center", parse_math=False)
        start += frames
