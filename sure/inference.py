"""A bundle on its backbone: `Sure.load("exp/.../bundle").predict(["a.wav"])`, or `.synthesize("a text")`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sure.backbones.base import Backbone
from sure.backbones.fastspeech2 import Controls
from sure.config import Config, make_config
from sure.data.audio import SAMPLE_RATE, read_audio
from sure.data.batching import SecondsBatchSampler
from sure.decode.synthesizer import Synthesizer
from sure.device import pick_device
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.build import build_backbone, build_model, build_task
from sure.petl.attach import empty_slots
from sure.petl.average import average_bundles, check_shares
from sure.petl.bundle import ABOUT, Bundle, read_bundle
from sure.registry import nearest
from sure.tasks.alignment import TimedWord

Audio = str | Path | Tensor | np.ndarray


class Sure:
    """One backbone with one or more trained adapters, by name; one of them is in use."""

    def __init__(self, backbone: Backbone, weights: str, device: torch.device):
        self.backbone = backbone.to(device).eval()
        self.weights = weights  # of the backbone, as errors name it
        self.device = device
        self.models: dict[str, AdaptedModel] = {}
        self.bundles: dict[str, Bundle] = {}
        self.configs: dict[str, Config] = {}
        self._synthesizers: dict[tuple[str, str, str | None], Synthesizer] = {}
        self.name = ""  # of the one in use

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        backbone_weights: str | Path | None = None,
        device: str = "auto",
        name: str = "default",
    ) -> Sure:
        """The model of a bundle folder, as its adapter `name`.

        backbone_weights: by default what the bundle names, from the current directory or a folder above the
            bundle. Raises SureError when it is not there, or is not what the bundle was trained on.
        """
        packed = read_bundle(Path(bundle))
        weights = str(backbone_weights or _find_weights(packed))
        config = _config_of(packed, weights)
        backbone = build_backbone(config, build_task(config, packed.folder))
        sure = cls(backbone, weights, pick_device(device))
        sure._add(name, packed)
        return sure

    def add(self, name: str, bundle: str | Path) -> None:
        """Another bundle on the same backbone, of any task; it is in use from now on.

        Raises SureError for a name that is taken, and a bundle of another backbone; the one in use stays so then.
        """
        self._add(name, read_bundle(Path(bundle)))

    def use(self, name: str) -> None:
        """Switch to an adapter. Raises SureError for an unknown name, and after `merge`."""
        self._known(name)
        if name != self.name:
            self._release()
            self.models[name].attachment.attach()
            self.name = name

    def average(self, name: str, shares: Mapping[str, float], head: str = "") -> None:
        """A new adapter that changes the backbone by the mean of what others change, with these shares; then in use.

        head: the adapter whose task, head and readout it gets; by default the one with the largest share.
        Raises SureError for unknown names, shares that make no mean, and methods whose changes cannot be added up.
        """
        check_shares(shares)
        head = head or max(shares, key=shares.__getitem__)
        for other in (*shares, head):
            self._known(other)
        self._add(name, average_bundles(shares, self.bundles, self.bundles[head]))

    @property
    def model(self) -> AdaptedModel:
        """Of the adapter in use."""
        return self.models[self.name]

    def predict(self, audio: Iterable[Audio], batch_seconds: float = 120.0) -> list[str]:
        """One line for each: what the task says about it (text, a label, ...).

        audio: files, or waveforms (samples,) of 16 kHz in [-1, 1]. Raises SureError naming one it cannot use.
        """
        if self.speaks:
            raise SureError(f"{self.name!r} is an adapter that makes speech of text: synthesize")
        return self._each(audio, self.model.hypotheses, batch_seconds)

    transcribe = predict  # the same, by the name that fits speech recognition

    @property
    def transcribes(self) -> bool:
        """Whether the adapter in use finds words by CTC (tasks asr, phoneme, slots)."""
        return hasattr(self.model.task, "tokenizer")

    def timings(self, audio: Iterable[Audio], batch_seconds: float = 120.0) -> list[list[TimedWord]]:
        """What `predict` says, word by word with its times; audio as of `predict`.

        Raises SureError for audio it cannot use, and for a task that finds no words.
        """
        if not self.transcribes:
            raise SureError(f"{self.name!r} is an adapter for another task; one that transcribes has words to time")
        return self._each(audio, self.model.timed_words, batch_seconds)

    @property
    def embeds(self) -> bool:
        """Whether the adapter in use makes embeddings (task verification)."""
        return hasattr(self.model.task, "embeddings")

    def embed(self, audio: Iterable[Audio], batch_seconds: float = 120.0) -> Tensor:
        """Embeddings of unit length, (files, dim); audio as of `predict`.

        Raises SureError for audio it cannot use, and for a task that has no embeddings.
        """
        if not self.embeds:
            raise SureError(f"{self.name!r} is an adapter for another task; one for verification makes embeddings")
        rows = self._each(audio, self.model.embeddings, batch_seconds)
        return torch.stack(rows).cpu() if rows else torch.empty(0, self.model.head.embedding)

    def compare(self, one: Audio, other: Audio) -> float:
        """The cosine of two embeddings, in [-1, 1]: the higher, the more likely one speaker. Raises as `embed`."""
        first, second = self.embed([one, other])
        return float(first @ second)

    @property
    def speaks(self) -> bool:
        """Whether the adapter in use makes speech of text (task tts)."""
        return self.model.task.speaks

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
        """What a text sounds like: (samples,) float32 in [-1, 1], and their rate.

        speaker, vocoder: as of `Synthesizer`. speed, pitch, energy: so many times faster, higher, louder.
        language: of the text, where the phones are espeak-ng's. Raises SureError as `Synthesizer.say`, and for a task
        that does not speak.
        """
        if not self.speaks:
            raise SureError(f"{self.name!r} is an adapter for another task; one for tts makes speech")
        if (self.name, vocoder, language) not in self._synthesizers:
            made = Synthesizer(self.model, self.bundles[self.name].folder, vocoder, language)
            self._synthesizers[self.name, vocoder, language] = made
        synthesizer = self._synthesizers[self.name, vocoder, language]
        wave = synthesizer.say(text, speaker, Controls(speed, pitch, energy))
        return wave, synthesizer.vocoder.sample_rate

    def merge(self) -> None:
        """Fold the adapters into the backbone's weights: the same answers within rounding, faster.

        Raises SureError for methods that cannot be merged; then nothing has changed.
        """
        self.model.attachment.merge()

    def _known(self, name: str) -> None:
        if name not in self.models:
            raise SureError(f"no adapter {name!r}{nearest(name, self.models)}; there are: {', '.join(self.models)}")

    def _release(self) -> None:
        """Make the backbone what it is in its file."""
        if self.model.attachment.merged:
            raise SureError(f"{self.name!r} is merged into the backbone, which fits no other adapter now; load it anew")
        self.model.attachment.detach()

    def _add(self, name: str, bundle: Bundle) -> None:
        if name in self.models:
            raise SureError(f"there is an adapter {name!r} already; give this one another name")
        bundle.check_backbone(self.backbone, self.weights)
        for other in self.bundles.values():
            ours, theirs = (each.about["backbone"]["group_norm"] for each in (bundle, other))
            if ours != theirs:
                raise SureError(f"{bundle.folder} was trained with backbone.group_norm={ours}, this one has {theirs}")
        config = _config_of(bundle, self.weights)
        task = build_task(config, bundle.folder)
        if self.models:
            self._release()
        try:
            model = build_model(config, task, saved=True, backbone=self.backbone)
            model.load(bundle.tensors, str(bundle.folder))
        except SureError:
            empty_slots(self.backbone)
            if self.models:
                self.model.attachment.attach()
            raise
        self.models[name], self.bundles[name], self.configs[name] = model.to(self.device).eval(), bundle, config
        self.name = name

    def usable(self, wave: Tensor, name: str) -> Tensor:
        """The waveform itself. Raises SureError naming it when it is not one that the backbone can take."""
        if wave.dim() != 1:
            raise SureError(f"{name}: expected (samples,) of one channel, found shape {list(wave.shape)}")
        if not torch.isfinite(wave).all():
            raise SureError(f"{name}: has samples that are not finite")
        if int(self.model.backbone.frame_count(torch.tensor([len(wave)]))) < 1:
            raise SureError(f"{name}: {len(wave)} samples at 16 kHz are too few for a single frame")
        if (seconds := len(wave) / self.model.backbone.sample_rate) > (limit := self.model.backbone.max_seconds):
            raise SureError(f"{name}: {seconds:g} s are more than the {limit:g} s that the backbone can hear; cut it")
        return wave

    def _each(self, audio: Iterable[Audio], answer: Callable[..., Sequence[Any]], batch_seconds: float) -> list[Any]:
        """What `answer(waves, lengths)` says of each, in the order given."""
        waves = [self._wave(index, one) for index, one in enumerate(audio)]
        sampler = SecondsBatchSampler([len(wave) / SAMPLE_RATE for wave in waves], batch_seconds, shuffle=False)
        found: list[Any] = [None] * len(waves)
        for indices in sampler:
            lengths = torch.tensor([len(waves[index]) for index in indices])
            padded = pad_sequence([waves[index] for index in indices], batch_first=True).to(self.device)
            for index, one in zip(indices, answer(padded, lengths), strict=True):
                found[index] = one
        return found

    def _wave(self, index: int, audio: Audio) -> Tensor:
        if isinstance(audio, (str, Path)):
            return self.usable(read_audio(audio), str(audio))
        return self.usable(torch.as_tensor(audio, dtype=torch.float32).cpu(), f"waveform {index}")


def _config_of(bundle: Bundle, weights: str) -> Config:
    about = bundle.about
    backbone = {key: about["backbone"][key] for key in ("name", "layers", "group_norm")}
    given = {
        "task": about["task"],
        "seed": about["seed"],
        "data": {"train": "", "valid": ""},
        "text": {"language": about["language"]},
        "backbone": {**backbone, "weights": weights},
        "petl": about["petl"],
        "head": about["head"],
    }
    try:
        return make_config(given, ABOUT)
    except SureError as error:
        raise SureError(f"{bundle.folder}: {error}") from None


def _find_weights(bundle: Bundle) -> str:
    """The path that the bundle names, from here or from a folder above it; what is no path stays as it is."""
    named = bundle.about["backbone"]["weights"]
    if not isinstance(named, str) or not named:
        raise SureError(
            f"{bundle.folder / ABOUT}: backbone.weights is {named!r}, which names no weights; pack or copy the bundle "
            "again, or say where they are: --backbone PATH, or backbone_weights"
        )
    if "/" not in named and "." not in named:
        return named
    places: Sequence[Path] = [Path(), *bundle.folder.resolve().parents, bundle.folder]
    for place in places:
        for path in (place / named, place / Path(named).name):
            if path.exists():
                return str(path)
    raise SureError(
        f"{bundle.folder} needs the backbone {named} (sha256 {bundle.about['backbone']['sha256']}), which is "
        "neither here nor in a folder above the bundle; say where it is: --backbone PATH, or backbone_weights"
    )
