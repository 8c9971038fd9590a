"""Small speech encoders for the contract tests: every method with every family; large shapes and tasks take turns."""

from pathlib import Path

import torch

from sure import registry
from sure.backbones.base import Backbone
from sure.backbones.tiny import MODELS, Family
from sure.config import Config, make_config, petl_settings
from sure.data.data_dir import Utterance
from sure.models.base import AdaptedModel
from sure.models.build import build_model, build_task
from sure.models.recognition import RecognitionModel
from sure.petl.attach import Attachment
from sure.petl.bundle import write_bundle

FAMILIES = sorted(name for name in MODELS if not name.startswith("hubert"))  # HuBERT is the network of wav2vec 2.0
# Every method with its default settings, and settings with other code paths.
METHODS: dict[str, dict | list] = {
    name: {"name": name} for name in registry.names("petl") if registry.find("petl", name).encoders
} | {
    "bottleneck-everywhere": {"name": "bottleneck", "sites": "conv.* layer.*.after_attn layer.*.ffn layer.*.after_ffn"},
    "lora-pissa": {"name": "lora", "rank": 4, "init": "pissa", "rslora": True},
    "lora-orthogonal": {"name": "lora", "init": "orthogonal"},
    "prefix-reparametrised": {"name": "prefix", "reparametrise": True},
    "lora-bottleneck-weighted_sum": [{"name": "lora", "rank": 2}, {"name": "bottleneck"}, {"name": "weighted_sum"}],
}
TASKS = ("asr", "language", "verification")
LARGE = ("wav2vec2_large", "wavlm_large")  # both have their norms first
PAIRS = [
    (method, family)
    for index, method in enumerate(METHODS)
    for family in FAMILIES
    if family not in LARGE or family == LARGE[index % 2]
]
TRIPLES = [(*pair, TASKS[(index + index // 6) % 3]) for index, pair in enumerate(PAIRS)]  # others in the next method
IN_TURN = [(method, FAMILIES[(index + 1) % len(FAMILIES)]) for index, method in enumerate(METHODS)]  # each once
LENGTHS = torch.tensor([5600, 8000, 3200, 2000])  # samples; the second is the longest
LANGUAGES = ["spanish", "english", "spanish", "french"]
# Texts, labels or speakers of the utterances, by task.
GIVEN = {
    "asr": ["abc", "cab a", "b", "a"],
    **dict.fromkeys(("transcription", "translation"), ["abc", "cáb a", "b", "a"]),
    **{"language": LANGUAGES, "verification": LANGUAGES},  # as names of speakers too
    "phoneme": ["AA1 B CH", "CH AA1 B AA1", "B", "AA1"],
    "slots": ["B-x a E-x b", "B-y cab E-y a", "b", "B-x a E-x"],
}
TEXT_TASKS = ("asr", "phoneme", "slots", "transcription", "translation")


def waves() -> torch.Tensor:
    """(batch, samples), zero after the end of each utterance."""
    generator = torch.Generator().manual_seed(7)
    made = 0.1 * torch.randn(len(LENGTHS), int(LENGTHS.max()), generator=generator)
    return made * (torch.arange(made.shape[1])[None] < LENGTHS[:, None])


def utterances(task: str) -> list[Utterance]:
    if task in TEXT_TASKS:
        return [Utterance(f"u{index}", "", seconds=1.0, text=text) for index, text in enumerate(GIVEN[task])]
    words = enumerate(GIVEN[task])
    return [Utterance(f"u{index}", "", seconds=1.0, labels={"label": word}, speaker=word) for index, word in words]


def build(
    folder: Path, petl: object, family: str = "wav2vec2", task: str = "language", saved: bool = False, **backbone: str
) -> tuple[Config, RecognitionModel]:
    """A model with random weights, the same at every call, and its config; files of stage 3 are in folder/task."""
    config = make_config(
        {
            "task": task,
            "seed": 3,
            "data": {"train": str(folder / "train"), "valid": str(folder / "dev")},
            "tokenizer": {"folder": str(folder / task)},
            "backbone": {"name": "tiny", "weights": f"random:{family}", **backbone},
            "petl": petl,
        },
        "test",
    )
    if not (folder / task).exists():
        fit = registry.find("tasks", task).fit
        fit(utterances(task), folder / task, tokenizer=config.tokenizer, language=config.text.language)
    return config, build_model(config, build_task(config), saved=saved)


def make(folder: Path, method: str, family: str, task: str, saved: bool = False, **settings) -> RecognitionModel:
    """The model of a row of METHODS, with some settings changed."""
    return build(folder, {**METHODS[method], **settings} if settings else METHODS[method], family, task, saved)[1]


def write_adapter(folder: Path, petl: object, size: float = 0.05, task: str = "language", **backbone: str) -> Path:
    """A new bundle in `folder`, of a model whose trained parameters moved by `size` from their start."""
    config, model = build(folder, petl, task=task, **backbone)
    disturb(model, size)
    bundle = folder / f"bundle{len(list(folder.glob('bundle*')))}"
    write_bundle(bundle, model.bundle(config, folder / task))
    return bundle


@torch.no_grad()
def outputs(model: RecognitionModel, rows: slice = slice(None)) -> list[torch.Tensor]:
    """The head's outputs for the utterances, or some of them: (classes,) or, without padding, (frames, tokens) each."""
    lengths = LENGTHS[rows]
    encoded = model.encode(waves()[rows, : int(lengths.max())], lengths)
    found = model.outputs(encoded)
    return encoded.frames.split(found) if found.dim() == 3 else list(found)


def attach(petl: object, backbone: Backbone | None = None) -> Attachment:
    """A method or several, as in a config, on the backbone or on a small wav2vec 2.0 of its own."""
    methods = [registry.find("petl", item.name)(item) for item in petl_settings(petl)]
    return Attachment(backbone or Family.from_weights("random:wav2vec2", seed=1), methods)


@torch.no_grad()
def disturb(model: AdaptedModel, size: float = 0.05) -> None:
    """Move all trained parameters away from their initial values, as training does."""
    generator = torch.Generator().manual_seed(11)
    for parameters in model.parameter_groups().values():
        for parameter in parameters.values():
            parameter += size * torch.randn(parameter.shape, generator=generator)
