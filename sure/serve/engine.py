"""Between HTTP and the models: requests become jobs of one thread, and wait for their results."""

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from sure import SAMPLE_RATE
from sure.data.audio import TOO_LONG, AudioError, decode_bytes, to_wave
from sure.errors import SureError
from sure.generation.transcript import Transcript
from sure.models.result import Result
from sure.serve.adapters import Adapter, Adapters
from sure.serve.batches import Batches
from sure.serve.metrics import Metrics
from sure.serve.settings import Busy, HttpError, Settings, TooLarge


class Engine:
    """The adapters of a server, and the thread that computes with them."""

    def __init__(self, settings: Settings):
        """Load the bundles. Raises SureError for an unusable one."""
        self.settings = settings
        self.adapters = Adapters(settings.backbone, settings.device)
        for name, folder in settings.bundles.items():
            self.adapters.add(name, folder)
        self.metrics = Metrics(lambda: self.batches.waiting, lambda: len(self.adapters))
        self.batches = Batches(self._compute, settings.batch_seconds, self.metrics.batch)

    def close(self) -> None:
        """Compute what waits, then stop."""
        self.batches.close()

    def read(self, content: bytes, name: str) -> Tensor:
        """The content of an audio file as a waveform (samples,). Raises TooLarge, and SureError naming an unusable one.

        No more than the limit of seconds is decoded.
        """
        longest = self.settings.seconds
        try:
            samples, rate = decode_bytes(content, name or "file", longest)
        except AudioError as error:
            if error.reason == TOO_LONG:
                raise TooLarge(f"{error}; cut the recording") from None
            raise
        return to_wave(samples, rate)

    async def results(self, wave: Tensor, names: Sequence[str]) -> dict[str, Result]:
        """Results by adapter; those of one backbone are computed together. Raises UnknownAdapter."""
        seconds, of_each = len(wave) / SAMPLE_RATE, {}
        for name in dict.fromkeys(names):
            of_each.setdefault(self.adapters.of(name).sure, []).append(name)
        found = await asyncio.gather(
            *(self._job(("results", sure), (wave, own), seconds * len(own)) for sure, own in of_each.items())
        )
        merged = {name: result for each in found for name, result in each.items()}
        for name in merged:
            self.metrics.audio.labels(name).inc(seconds)
        return {name: merged[name] for name in dict.fromkeys(names)}

    async def transcript(self, wave: Tensor, name: str, **options: Any) -> Transcript:
        """Of a whole recogniser. options: of `Sure.transcribe`."""
        seconds = len(wave) / SAMPLE_RATE
        found = await self._job(("transcripts", name, _frozen(options)), wave, seconds)
        self.metrics.audio.labels(name).inc(seconds)
        return found

    async def speech(self, name: str, text: str, **options: Any) -> tuple[Tensor, int]:
        """The waveform of a text and its rate. options: of `Sure.synthesize`."""
        return await self._job(("speech", name, _frozen(options)), text)

    async def add(self, name: str, bundle: str) -> Adapter:
        """Add a bundle of the allowed folder. Raises SureError for another place, and as `Adapters.add`."""
        return await self._job(("add", name), self._allowed(bundle))

    async def remove(self, name: str) -> None:
        await self._job(("remove", name), None)
        self.metrics.forget(name)

    def _allowed(self, bundle: str) -> Path:
        folder = self.settings.folder
        if folder is None:
            raise HttpError("this server adds no adapters; start it with --adapters FOLDER")
        place = (folder / bundle).resolve()
        if not bundle or not place.is_relative_to(folder.resolve()) or place == folder.resolve():
            raise HttpError(f"{bundle!r} is not a folder inside the folder of adapters; pass its name there")
        return place

    async def _job(self, key: Hashable, item: Any, seconds: float = 0.0) -> Any:
        """The result of a job. Raises Busy where too much audio waits before it."""
        waiting = self.batches.waiting_seconds
        if seconds and waiting and waiting + seconds > self.settings.waiting_seconds:
            raise Busy(f"{waiting:.0f} s of audio wait already; send the request again later")
        return await asyncio.wrap_future(self.batches.submit(key, item, seconds))

    def _compute(self, key: tuple, items: Sequence[Any]) -> Sequence[Any]:
        kind, name = key[:2]
        if kind == "results":
            return self.adapters.results(name, items)
        if kind == "transcripts":
            return self.adapters.transcripts(name, items, dict(key[2]))
        if kind == "speech":
            return [self.adapters.speech(name, text, dict(key[2])) for text in items]
        if len(items) > 1:  # each has its own answer
            raise SureError(f"several requests to {kind} {name!r} at the same time")
        return [self.adapters.add(name, items[0]) if kind == "add" else self.adapters.remove(name)]


def _frozen(options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(options.items()))
