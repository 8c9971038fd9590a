"""Use a bundle on its backbone: `Sure.load("exp/.../bundle").predict(["a.wav"])`, or `.synthesize("a text")`."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sure.backbones.base import Backbone, empty_slots
from sure.backbones.fastspeech2 import Controls
from sure.config import Config
from sure.data.waveform import load_recording, recordings
from sure.decode.synthesizer import Synthesizer
from sure.device import autocast, pick_device
from sure.errors import SureError
from sure.generation.transcript import Transcript, whole_recordings
from sure.models.base import AdaptedModel
from sure.models.build import build_backbone, build_task
from sure.models.bundled import check_same_padding, config_of, find_weights, model_of
from sure.models.loading import check_wave, in_batches, wave_batches
from sure.models.mixed import MixedModels, mixed_with
from sure.models.parts import Merge, in_parts, in_sequence
from sure.models.precision import convert
from sure.models.result import Result
from sure.petl.average import average_bundles, check_shares
from sure.petl.bundle import Bundle, read_bundle
from sure.registry import nearest
from sure.tasks.alignment import TimedWord
from sure.tasks.verification import mean_direction

log = logging.getLogger(__name__)

Adapters = Sequence[str | Sequence[str]]
Audio = str | Path | bytes | np.ndarray | Tensor | tuple[Any, Any] | Mapping[str, Any]


class Sure:
    """One backbone with one or more trained adapters, by name; one of them is active."""

    def __init__(self, backbone: Backbone, weights: str, device: torch.device):
        self.backbone = backbone.to(device).eval()
        self.weights = weights  # of the backbone, for errors
        self.device = device
        self.models: dict[str, AdaptedModel] = {}
        self.bundles: dict[str, Bundle] = {}
        self.configs: dict[str, Config] = {}
        self.autocast = autocast("fp32", device, backbone.dim)
        self._synthesizers: dict[tuple[str, str, str | None], Synthesizer] = {}
        self.mixed: MixedModels | None = None  # made by the first mixed batch
        self.name = ""  # of the active adapter

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        backbone_weights: str | Path | None = None,
        device: str = "auto",
        name: str = "default",
        precision: str = "fp32",
    ) -> "Sure":
        """The backbone of a bundle with the bundle, a folder or a name on the hub, as its adapter `name`.

        backbone_weights: by default the path in the bundle, relative to the current directory or a folder above the
            bundle. Raises SureError when it is missing, or is not the backbone that the bundle was trained on.
        precision: fp32; bf16, faster on many devices; or int8, which stores linear maps in a quarter of the memory. For
            bf16 and int8 the adapter is merged where possible, outputs change slightly, and no other adapter can be
            added.
        """
        packed = read_bundle(Path(bundle))
        weights = str(backbone_weights or find_weights(packed))
        config = config_of(packed, weights)
        backbone = build_backbone(config, build_task(config, packed.folder))
        sure = cls(backbone, weights, pick_device(device))
        sure._add(name, packed)
        sure.autocast = convert(sure.model, precision, sure.device)
        return sure

    def add(self, name: str, bundle: str | Path) -> None:
        """Add a bundle of any task on the same backbone, and activate it.

        Raises SureError for an existing name, and for a bundle of another backbone; then nothing changes.
        """
        self._add(name, read_bundle(Path(bundle)))

    def use(self, name: str) -> None:
        """Activate an adapter. Raises SureError for an unknown name, and after `merge`."""
        self._known(name)
        if name != self.name:
            self._release()
            self.models[name].attachment.attach()
            self.name = name

    def remove(self, name: str) -> None:
        """Remove an adapter; if it is active, the first other one becomes so. Raises SureError for the last one."""
        self._known(name)
        if len(self.models) == 1:
            raise SureError(f"{name!r} is the only adapter; add another one first")
        if name == self.name:
            self.use(next(other for other in self.models if other != name))
        self.mixed = None
        for known in (self.models, self.bundles, self.configs):
            del known[name]
        self._synthesizers = {key: each for key, each in self._synthesizers.items() if key[0] != name}

    def average(self, name: str, shares: Mapping[str, float], head: str = "") -> None:
        """Add an adapter whose change of the backbone is the weighted mean of other adapters' changes; activate it.

        shares: weights by name. head: the adapter that gives task, head and readout; by default the one with the
        largest share. Raises SureError for unknown names, invalid shares, and methods whose changes cannot be added.
        """
        check_shares(shares)
        head = head or max(shares, key=shares.__getitem__)
        for other in (*shares, head):
            self._known(other)
        self._add(name, average_bundles(shares, self.bundles, self.bundles[head]))

    @property
    def model(self) -> AdaptedModel:
        """The model of the active adapter."""
        return self.models[self.name]

    def predict(
        self, audio: Audio | Iterable[Audio], batch_seconds: float = 120.0, adapters: Adapters | None = None
    ) -> list[Any]:
        """One line for each recording: a transcript, a label, or another output of the task.

        audio: files, waveforms (samples,) of 16 kHz in [-1, 1], or another form in docs/readers.md; one or many.
        A recording that is longer than the backbone's limit is cut at pauses; the words of its parts are joined, and
        its label is the one of most seconds.
        adapters: as in `results`; a line for each recording with one name, lines by name for one with several.
        Raises SureError naming an unusable recording, and where the adapter has another ability.
        """
        if adapters is not None:
            found = self.results(audio, adapters, batch_seconds, False)
            lines = [{key: one.line for key, one in each.items()} for each in found]
            return [one[name] if isinstance(name, str) else one for one, name in zip(lines, adapters, strict=True)]
        self._require("predict")
        return self._each(audio, self.model.hypotheses, batch_seconds, self.model.task.merge)

    def results(
        self, audio: Audio | Iterable[Audio], adapters: Adapters, batch_seconds: float = 120.0, details: bool = True
    ) -> list[dict[str, Result]]:
        """All that the adapters of each recording find, by name; different adapters share passes of the backbone.

        adapters: for each recording a name, or several. details: false: lines alone. Raises SureError as `predict`, for
            unknown names, and for those that cannot be mixed: full fine-tuning, trained modules, synthesis, merged.
        """
        wanted = [[each] if isinstance(each, str) else list(each) for each in adapters]
        waves = self._waves(audio)
        if len(waves) != len(wanted):
            raise SureError(f"{len(waves)} recordings with adapters for {len(wanted)}; pass one or several for each")
        for name in (names := {name for each in wanted for name in each}):
            self._known(name)
        self._release()
        try:
            mixed = mixed_with(self.mixed, self.models, names)
            self.mixed = mixed if len(names) > 1 else self.mixed
            with self.autocast:
                return mixed.results(waves, wanted, batch_seconds, details)
        finally:
            self.model.attachment.attach()

    def transcribe(
        self,
        audio: Audio | Iterable[Audio],
        language: str | None = None,
        timestamps: bool = False,
        words: bool = False,
        beam: int | None = None,
    ) -> list[Transcript]:
        """Transcripts of recordings of any length: text (also by `str`), language, and segments with their times.

        words: with their times. For recognisers with a decoder, language: such as es, auto (found for each recording),
        or by default that of the training; timestamps: segments as the decoder writes them, otherwise one for each
        window; beam: of the search, whose other hypotheses become alternatives of the segments. With CTC, a recording
        is one segment. Raises SureError as `predict`, for an unknown language, and for options without a decoder.
        """
        self._require("transcribe")
        waves = self._waves(audio)
        if "timings" not in self.model.abilities:
            with self.autocast:
                return self.model.transcribe(waves, language, timestamps, words, beam)
        if language or timestamps or beam:
            raise SureError("language, timestamps and beam are for recognisers with a decoder; leave them out with CTC")
        times = self.timings(waves) if words else None
        return whole_recordings(waves, self.predict(waves), times, self.model.task.language)

    def timings(self, audio: Audio | Iterable[Audio], batch_seconds: float = 120.0) -> list[list[TimedWord]]:
        """The words of `predict` with their times, for tasks with CTC (asr, phoneme, slots). Raises as `predict`."""
        self._require("timings")
        return self._each(audio, self.model.timed_words, batch_seconds, in_sequence)

    def embed(self, audio: Audio | Iterable[Audio], batch_seconds: float = 120.0) -> Tensor:
        """Embeddings of unit length, (recordings, dim), for the task verification. Raises as `predict`."""
        self._require("embed")
        rows = self._each(audio, self.model.embeddings, batch_seconds, mean_direction)
        return torch.stack(rows).cpu() if rows else torch.empty(0, self.model.head.embedding)

    def compare(self, one: Audio, other: Audio) -> float:
        """Cosine of two embeddings, in [-1, 1]: high for the same speaker. Raises as `embed`."""
        return float(torch.dot(*self.embed([one, other])))

    def synthesize(
        self,
        text: str,
        speaker: str | Tensor | None = None,
        speed: float = 1.0,
        pitch: float = 1.0,
        energy: float = 1.0,
        vocoder: str = "griffin_lim",
        language: str | None = None,
    ) -> tuple[Tensor, int]:
        """The waveform of a text, (samples,) float32 in [-1, 1], and its sample rate.

        speaker, vocoder: as for `Synthesizer`. speed, pitch, energy: factors; 1 changes nothing. language: of the text,
        for phones of espeak-ng. Raises SureError as `Synthesizer.synthesize`, and as `predict`.
        """
        self._require("synthesize")
        key = self.name, vocoder, language
        if key not in self._synthesizers:
            self._synthesizers[key] = Synthesizer(self.model, self.bundles[self.name].folder, vocoder, language)
        synthesizer = self._synthesizers[key]
        wave = synthesizer.synthesize(text, speaker, Controls(speed, pitch, energy))
        return wave, synthesizer.vocoder.sample_rate

    def merge(self) -> None:
        """Fold the adapter into the backbone's weights: faster, with the same results within rounding.

        Raises SureError for methods that cannot be merged, and for an adapter that is merged; then nothing changes.
        """
        self.model.attachment.merge()

    def _require(self, ability: str) -> None:
        if ability not in self.model.abilities:
            task, there = self.configs[self.name].task, ", ".join(self.model.abilities)
            raise SureError(
                f"the adapter {self.name!r} has the task {task}, which does not offer {ability}; use {there}"
            )

    def _known(self, name: str) -> None:
        if name not in self.models:
            raise SureError(f"no adapter {name!r}{nearest(name, self.models)}; there are: {', '.join(self.models)}")

    def _release(self) -> None:
        """Detach the active adapter, which leaves the backbone as in its file."""
        if self.model.attachment.merged or self.model.attachment.quantised:
            raise SureError(
                f"{self.name!r} is merged into the backbone, or the backbone was converted, so that it fits no other "
                "adapter now; load the bundle again"
            )
        self.model.attachment.detach()

    def _add(self, name: str, bundle: Bundle) -> None:
        if name in self.models:
            raise SureError(f"an adapter {name!r} exists already; choose another name")
        bundle.check_backbone(self.backbone, self.weights)
        check_same_padding(bundle, self.bundles.values())
        config = config_of(bundle, self.weights)
        if self.models:
            self._release()
        try:
            model = model_of(bundle, config, self.backbone)
        except SureError:
            empty_slots(self.backbone)
            if self.models:
                self.model.attachment.attach()
            raise
        self.models[name], self.bundles[name], self.configs[name] = model.to(self.device).eval(), bundle, config
        self.name = name

    def read(self, audio: Audio, name: str = "recording") -> Tensor:
        """A recording in any form that `predict` takes as a waveform (samples,) of 16 kHz in [-1, 1].

        name: of a recording in memory, for errors. Raises SureError naming a recording that is unusable, or too short
        for the active adapter's backbone.
        """
        name = str(audio) if isinstance(audio, (str, Path)) else name
        wave, clipped = load_recording(audio, name)
        if clipped:
            log.warning("%s: many samples are above 1 and were clipped; scale the recording to [-1, 1]", name)
        check_wave(wave, name, self.model.encoder)
        return wave

    def _each(
        self, audio: Audio | Iterable[Audio], compute: Callable[..., Sequence[Any]], batch_seconds: float, merge: Merge
    ) -> list[Any]:
        """`compute(waves (batch, samples), lengths (batch,))`, in the order of `audio`; merge: as of `in_parts`."""

        def rows(waves: Sequence[Tensor]) -> list[Any]:
            batches = wave_batches(waves, batch_seconds)
            found = dict(in_batches(compute, batches, self.device, self.autocast))
            return [found[index] for index in range(len(waves))]

        return in_parts(rows, self._waves(audio), self.model.encoder.max_samples, merge)

    def _waves(self, audio: Audio | Iterable[Audio]) -> list[Tensor]:
        return [self.read(one, f"recording {index}") for index, one in enumerate(recordings(audio))]
