"""Training curves: one line per epoch in metrics.jsonl, tensorboard/, the tracker and, as pictures, images/*.png."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sure.errors import SureError, remedy_for
from sure.files import replace_file
from sure.train.tracker import Tracker


class History:
    """Writes one line per epoch; a resumed training starts with the lines in its checkpoint.

    lines: the list in `Progress`, to which lines are added; writes: only process 0 writes files, and has the tracker.
    """

    def __init__(
        self,
        folder: Path,
        lines: list[dict[str, Any]],
        score_name: str,
        writes: bool = True,
        tracker: Tracker | None = None,
    ):
        from tensorboardX.event_file_writer import EventsWriter

        self.folder, self.lines, self.score_name = folder, lines, score_name
        self.writes, self.tracker = writes, tracker
        if writes:
            events = folder / "tensorboard"
            events.mkdir(parents=True, exist_ok=True)
            for old in events.glob("events.*"):
                old.unlink()
            # written in this thread; the thread of tensorboardX's SummaryWriter ends silently on a full disk
            self.writer = EventsWriter(str(events / "events"))
            self._write(lines)

    def add(self, line: dict[str, Any]) -> None:
        self.lines.append(line)
        if self.writes:
            self._write([line])

    def draw(self) -> None:
        """Draw images/{loss,rate,score}.png over epochs."""
        if self.lines and self.writes:
            self._plot("loss", ["train_loss", "dev_loss"])
            self._plot("rate", [key for key in self.lines[-1] if key.startswith("lr_")])
            self._plot("score", [f"dev_{self.score_name}"])

    def _write(self, new: Sequence[dict[str, Any]]) -> None:
        """Write all lines to metrics.jsonl, and the new ones to tensorboard/ and the tracker."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.summary import scalar

        replace_file(self.folder / "metrics.jsonl", "".join(json.dumps(line) + "\n" for line in self.lines))
        if self.tracker:
            self.tracker.send(self.lines)
        try:
            for line in new:
                for key, value in line.items():
                    if key not in ("epoch", "step"):
                        event = Event(wall_time=time.time(), step=line["step"], summary=scalar(key, value))
                        self.writer.write_event(event)
            self.writer.flush()
        except OSError as error:
            raise SureError(
                f"cannot write {self.folder / 'tensorboard'}: {error.strerror}; {remedy_for(error)}"
            ) from None

    def _plot(self, name: str, keys: Sequence[str]) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4))
        axes = figure.add_subplot()
        for key in keys:
            values = [line[key] for line in self.lines]
            axes.plot([line["epoch"] for line in self.lines], values, marker=".", label=key.replace("_", " "))
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend()
        replace_file(self.folder / "images" / f"{name}.png", lambda sink: figure.savefig(sink, format="png", dpi=100))
