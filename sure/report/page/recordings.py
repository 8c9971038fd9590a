"""Recordings inside the page, as FLAC files in data URIs, until a limit of size is reached."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sure.errors import SureError
from sure.report.page.html import Html, tag
from sure.report.results import Result

if TYPE_CHECKING:
    from sure.data.data_dir import Utterance

MEGABYTE = 1_000_000


class Recordings:
    """Players of recordings. megabytes: of all data URIs together; 0: no players, and no file is read."""

    def __init__(self, megabytes: float = 0.0):
        self.megabytes, self.left = megabytes, megabytes * MEGABYTE
        self.refused = 0  # players that the limit left out
        self._folders: dict[str, Mapping[str, Utterance]] = {}

    def of_utterance(self, result: Result, id: str) -> Html:
        """The player of an utterance of the decoded data folder; empty for an utterance that the folder lacks.

        Raises SureError where the folder or a recording cannot be read.
        """
        if not self.megabytes or not result["data"]:
            return Html()
        utterance = self._utterances(str(result["data"])).get(id)
        return self.player(utterance.audio, utterance.start, utterance.end, label=id) if utterance else Html()

    def player(self, path: str, start: float | None = None, end: float | None = None, *, label: str) -> Html:
        """The player of a file, or of its part in seconds. Raises AudioError for audio that cannot be read."""
        if not self.megabytes:
            return Html()
        import soundfile

        from sure.data.audio import decode  # imports torch

        sink = io.BytesIO()
        samples, rate = decode(path, start, end)
        soundfile.write(sink, samples.clip(-1, 1), rate, format="FLAC", subtype="PCM_16")
        source = "data:audio/flac;base64," + base64.b64encode(sink.getvalue()).decode()
        if len(source) > self.left:
            self.refused += 1
            return Html()
        self.left -= len(source)
        return tag("audio", controls=True, preload="metadata", src=source, aria_label=label)

    def _utterances(self, data: str) -> Mapping[str, "Utterance"]:
        if data not in self._folders:
            from sure.data.data_dir import read_data_dir  # imports torch

            if not Path(data).is_dir():
                raise SureError(
                    f"--audio: the data folder {data} of the recordings does not exist here; call the report in the "
                    "folder of the recipe, or without --audio"
                )
            self._folders[data] = {utterance.id: utterance for utterance in read_data_dir(data)}
        return self._folders[data]
