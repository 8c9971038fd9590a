"""The adapters of the server, by name; those with the same backbone share it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from sure.errors import SureError
from sure.generation.transcript import Transcript
from sure.inference import Sure
from sure.models.result import Result
from sure.petl.bundle import Bundle, describe_backbone, read_bundle
from sure.registry import nearest
from sure.serve.settings import UnknownAdapter


class Adapters:
    """Bundles and their backbones. One thread at a time may add, remove or compute."""

    def __init__(self, backbone: str | None = None, device: str = "auto"):
        """backbone: weights for every bundle; by default those that each bundle names."""
        self.backbone, self.device = backbone, device
        self.sures: dict[str, Sure] = {}  # by adapter; adapters with one backbone have the same

    def add(self, name: str, folder: Path) -> None:
        """Raises SureError for a name that exists, and for an unusable bundle; then nothing changes."""
        if name in self.sures:
            raise SureError(f"an adapter {name!r} exists already; choose another name, or remove it first")
        bundle = read_bundle(folder)
        for sure in dict.fromkeys(self.sures.values()):
            if _fits(bundle, sure):
                sure.add(name, folder)
                self.sures[name] = sure
                return
        self.sures[name] = Sure.load(folder, self.backbone, self.device, name)

    def remove(self, name: str) -> None:
        """Raises UnknownAdapter. The backbone is freed with its last adapter."""
        sure = self.of(name)
        if len(sure.models) > 1:
            sure.remove(name)
        del self.sures[name]

    def of(self, name: str) -> Sure:
        """The model with this adapter. Raises UnknownAdapter."""
        known = dict(self.sures)
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UnknownAdapter(f"no adapter {name!r}{nearest(name, known)}; there are: {names}")
        return known[name]

    def task(self, name: str) -> str:
        return self.of(name).configs[name].task

    def about(self, name: str) -> dict[str, Any]:
        """Facts for lists of adapters."""
        sure = self.of(name)
        bundle = sure.bundles[name]
        return {
            "task": sure.configs[name].task,
            "language": bundle.about["language"],
            "method": bundle.about.get("method", ""),
            "backbone": bundle.about["backbone"]["name"],
            "abilities": list(sure.models[name].abilities),
            "speakers": list(getattr(sure.models[name].task, "speakers", [])) if self.task(name) == "tts" else [],
        }

    def results(self, sure: Sure, items: Sequence[tuple[Tensor, Sequence[str]]]) -> list[dict[str, Result]]:
        """Results by adapter for each waveform with its adapters, in one mixed batch. Raises UnknownAdapter."""
        for _, names in items:
            for name in names:
                self.of(name)
        return sure.results([wave for wave, _ in items], [names for _, names in items])

    def transcripts(self, name: str, waves: Sequence[Tensor], options: Mapping[str, Any]) -> list[Transcript]:
        """Transcripts of a whole recogniser. options: of `Sure.transcribe`."""
        sure = self.of(name)
        sure.use(name)
        return sure.transcribe(list(waves), **options)

    def speech(self, name: str, text: str, options: Mapping[str, Any]) -> tuple[Tensor, int]:
        """A waveform and its rate. options: of `Sure.synthesize`."""
        sure = self.of(name)
        sure.use(name)
        return sure.synthesize(text, **options)


def _fits(bundle: Bundle, sure: Sure) -> bool:
    """Whether the bundle was trained on the backbone of `sure`, with the same treatment of padding."""
    wanted, other = bundle.about["backbone"], next(iter(sure.bundles.values())).about["backbone"]
    same = all(wanted[key] == value for key, value in describe_backbone(sure.backbone).items())
    return same and all(wanted[key] == other[key] for key in ("name", "padding"))
