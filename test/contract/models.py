"""Small models for the contract tests: every method with every backbone family, tasks in turn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from sure import registry
from sure.backbones.tiny import MODELS
from sure.config import make_config
from sure.data.data_dir import Utterance
from sure.models.base import AdaptedModel
from sure.models.build import build_model, build_task
from sure.models.recognition import RecognitionModel

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


def classes(given: dict | list) -> list[type]:
    """The methods of one value of METHODS."""
    return [registry.find("petl", item["name"]) for item in (given if isinstance(given, list) else [given])]


TASKS = ("asr", "language", "verification")
# Each pair of method and family once; each pair with a task too, as the tasks take turns.
PAIRS = [(method, family) for method in METHODS for family in FAMILIES]
TRIPLES = [
    (method, family, TASKS[(row + column) % len(TASKS)])
    for row, method in enumerate(METHODS)
    for column, family in enumerate(FAMILIES)
]
LENGTHS = torch.tensor([5600, 8000, 3200, 2000])  # samples; the second is the longest
TARGETS = ["abc", "cab a", "b", "a"]
# Texts, labels or speakers of the utterances, by task.
GIVEN = {
    "asr": TARGETS,
    "language": ["spanish", "english", "spanish", "french"],
    "verification": ["spanish", "english", "spanish", "french"],  # as names of speakers
    "phoneme": ["AA1 B CH", "CH AA1 B AA1", "B", "AA1"],
    "slots": ["B-x a E-x b", "B-y cab E-y a", "b", "B-x a E-x"],
}
TEXT_TASKS = ("asr", "phoneme", "slots")


def waves() -> torch.Tensor:
    """(batch, samples), zero after the end of each utterance."""
    generator = torch.Generator().manual_seed(7)
    made = 0.1 * torch.randn(len(LENGTHS), int(LENGTHS.max()), generator=generator)
    return made * (torch.arange(made.shape[1])[None] < LENGTHS[:, None])


def utterances(task: str) -> list[Utterance]:
    return [
        Utterance(
            id=f"u{index}",
            audio="",
            start=None,
            end=None,
            seconds=1.0,
            text=word if task in TEXT_TASKS else None,
            labels={} if task in TEXT_TASKS else {"label": word},
            speaker=word if task == "verification" else None,
        )
        for index, word in enumerate(GIVEN[task])
    ]


def make(folder: Path, method: str, family: str, task: str, saved: bool = False, **settings) -> RecognitionModel:
    """A model with random weights, the same at every call."""
    config = make_config(
        {
            "task": task,
            "seed": 3,
            "data": {"train": str(folder / "train"), "valid": str(folder / "dev")},
            "tokenizer": {"folder": str(folder / task)},
            "backbone": {"name": "tiny", "weights": f"random:{family}"},
            "petl": {**METHODS[method], **settings} if settings else METHODS[method],
        },
        "test",
    )
    if not (folder / task).exists():
        registry.find("tasks", task).fit(
            utterances(task), folder / task, tokenizer=config.tokenizer, language=config.text.language
        )
    return build_model(config, build_task(config), saved=saved)


@torch.no_grad()
def disturb(model: AdaptedModel, size: float = 0.05) -> None:
    """Move all trained parameters away from their initial values, as training does."""
    generator = torch.Generator().manual_seed(11)
    for parameters in model.parameter_groups().values():
        for parameter in parameters.values():
            parameter += size * torch.randn(parameter.shape, generator=generator)


def check_training(model: AdaptedModel, losses: Callable[[], torch.Tensor], steps: int) -> None:
    """Train some steps: declared parameters get gradients and move at every site; all others stay bit for bit."""
    frozen = {name: tensor.clone() for name, tensor in model.named_parameters() if not tensor.requires_grad}
    groups = model.parameter_groups()
    declared = {id(parameter) for group in groups.values() for parameter in group.values()}
    assert declared == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    optimizer = torch.optim.AdamW([p for group in groups.values() for p in group.values()], lr=1e-2, weight_decay=0)
    before = {name: parameter.detach().clone() for name, parameter in groups["adapter"].items()}
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        losses().sum().backward()
        assert not [name for group in groups.values() for name, each in group.items() if each.grad is None]
        optimizer.step()
    assert all(torch.equal(tensor, frozen[name]) for name, tensor in model.named_parameters() if name in frozen)
    moved = {name.split("/")[0] for name, each in groups["adapter"].items() if not torch.equal(each, before[name])}
    assert moved == {name.split("/")[0] for name in before}


def found_in_a_fresh_process(folder: Path, code: str) -> dict[str, torch.Tensor]:
    """Run code with `folder` and these helpers in a new process; it saves tensors as folder/found.bin."""
    start = "import sys; from pathlib import Path; from safetensors.torch import load_file, save_file\n"
    start += "folder = Path(sys.argv[1]); sys.path.insert(0, sys.argv[2])\n"
    command = [sys.executable, "-c", start + code, str(folder), str(Path(__file__).parent)]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # sums depend on the number of threads
    subprocess.run(command, env=os.environ | threads, check=True, timeout=600)
    return load_file(folder / "found.bin")
