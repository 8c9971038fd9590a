"""The adapters of the server, by name; those with the same backbone share it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
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


@dataclass(frozen=True)
class Adapter:
    """An adapter and all facts about it, which other threads read while adapters are added and removed.

    timestamps: whether a whole recogniser writes them. speakers: of a synthesiser.
    """

    sure: Sure
    task: str
    language: str
    method: str
    backbone: str
    abilities: tuple[str, ...]
    timestamps: bool = False
    speakers: list[str] = field(default_factory=list)

    @property
    def generates(self) -> bool:
        """Whether it is a whole recogniser, which writes text with its own decoder."""
        return "transcribe" in self.abilities and "timings" not in self.abilities

    def about(self) -> dict[str, Any]:
        """Facts for lists of adapters."""
        names = ("task", "language", "method", "backbone", "abilities", "speakers")
        return {name: getattr(self, name) for name in names}


class Adapters:
    """Bundles and their backbones. One thread at a time may add, remove or compute; any may call `of` and `all`."""

    def __init__(self, backbone: str | None = None, device: str = "auto"):
        """backbone: weights for every bundle; by default those that each bundle names."""
        self.backbone, self.device = backbone, device
        self.adapters: dict[str, Adapter] = {}  # those with one backbone have the same `sure`

    def __len__(self) -> int:
        return len(self.adapters)

    def all(self) -> dict[str, Adapter]:
        """The present adapters by name."""
        return dict(self.adapters)

    def of(self, name: str) -> Adapter:
        """Raises UnknownAdapter."""
        known = self.all()
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UnknownAdapter(f"no adapter {name!r}{nearest(name, known)}; there are: {names}")
        return known[name]

    def add(self, name: str, folder: Path) -> Adapter:
        """The new adapter. Raises SureError for a name that exists and for an unusable bundle; then nothing changes."""
        if name in self.adapters:
            raise SureError(f"an adapter {name!r} exists already; choose another name, or remove it first")
        bundle = read_bundle(folder)
        fitting = [sure for sure in {each.sure for each in self.adapters.values()} if _fits(bundle, sure)]
        if fitting:
            sure = fitting[0]
            sure.add(name, folder)
        else:
            sure = Sure.load(folder, self.backbone, self.device, name)
        self.adapters[name] = _adapter(sure, name)
        return self.adapters[name]

    def remove(self, name: str) -> None:
        """Raises UnknownAdapter. The backbone is freed with its last adapter."""
        sure = self.of(name).sure
        del self.adapters[name]
        if len(sure.models) > 1:
            sure.remove(name)

    def results(self, sure: Sure, items: Sequence[tuple[Tensor, Sequence[str]]]) -> list[dict[str, Result]]:
        """Results by adapter for each waveform with its adapters, in one mixed batch. Raises UnknownAdapter."""
        for _, names in items:
            for name in names:
                self.of(name)
        return sure.results([wave for wave, _ in items], [names for _, names in items])

    def transcripts(self, name: str, waves: Sequence[Tensor], options: Mapping[str, Any]) -> list[Transcript]:
        """Transcripts of a whole recogniser. options: of `Sure.transcribe`."""
        sure = self.of(name).sure
        sure.use(name)
        return sure.transcribe(list(waves), **options)

    def speech(self, name: str, text: str, options: Mapping[str, Any]) -> tuple[Tensor, int]:
        """A waveform and its rate. options: of `Sure.synthesize`."""
        sure = self.of(name).sure
        sure.use(name)
        return sure.synthesize(text, **options)


def _adapter(sure: Sure, name: str) -> Adapter:
    about, model = sure.bundles[name].about, sure.models[name]
    facts = {"language": about["language"], "method": about.get("method", ""), "backbone": about["backbone"]["name"]}
    found = Adapter(sure, sure.configs[name].task, **facts, abilities=tuple(model.abilities))
    if found.generates:
        return replace(found, timestamps=model.task.tokens.timestamps is not None)
    return replace(found, speakers=list(model.task.speakers)) if found.task == "tts" else found


def _fits(bundle: Bundle, sure: Sure) -> bool:
    """Whether the bundle was trained on the backbone of `sure`, with the same treatment of padding."""
    wanted, other = bundle.about["backbone"], next(iter(sure.bundles.values())).about["backbone"]
    same = all(wanted[key] == value for key, value in describe_backbone(sure.backbone).items())
    return same and all(wanted[key] == other[key] for key in ("name", "padding"))
