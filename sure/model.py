"""The joint: backbone, attached methods and task head = the one model that training, decoding and inference share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from sure import registry
from sure.backbones.base import Backbone, Encoded, valid_frames
from sure.config import Config
from sure.data.augment import AugmentConfig, spec_augment
from sure.errors import SureError
from sure.petl.attach import Attachment
from sure.petl.start import start_from_bundles
from sure.tasks.alignment import TimedWord, align, timed
from sure.tasks.base import BaseTask
from sure.tasks.ctc import best_tokens


@dataclass
class Counts:
    """Parameters: what trains in the backbone and its methods, what trains in the head, and all there are."""

    adapter: int
    head: int
    total: int

    @property
    def trained(self) -> int:
        return self.adapter + self.head

    @property
    def percent(self) -> float:
        return 100 * self.trained / self.total


class SureModel(nn.Module):
    """A frozen backbone with methods attached and a task's head on top."""

    def __init__(
        self,
        backbone: Backbone,
        attachment: Attachment,
        task: BaseTask,
        head: nn.Module,
        augment: AugmentConfig | None = None,
    ):
        super().__init__()
        self.backbone = backbone
        self.attachment = attachment
        self.methods = attachment.modules()
        self.task = task
        self.head = head
        self.augment = augment or AugmentConfig()

    def encode(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples), lengths (batch,) samples, on the CPU."""
        return self.encode_from(self.backbone.begin(waves, lengths), self.backbone.frame_count(lengths))

    def encode_from(self, taps: list[Tensor | None], lengths: Tensor) -> Encoded:
        """Go on from cached taps; lengths (batch,) frames. In training SpecAugment acts on the first tap."""
        if self.training and self.augment.changes_features:
            taps = [*taps[:-1], spec_augment(taps[-1], lengths, self.augment, torch.default_generator)]
        return self.backbone.resume(taps, lengths)

    def outputs(self, encoded: Encoded) -> Tensor:
        """What the head makes of the readout: logits, batch first."""
        mask = valid_frames(encoded.lengths, encoded.last.shape[1], encoded.last.device)
        return self.head(self.attachment.readout(encoded.taps, mask), encoded.lengths)

    def losses(self, encoded: Encoded, targets: Sequence[Tensor]) -> Tensor:
        """One loss an utterance (batch,), in float32."""
        return self.task.loss(self.outputs(encoded).float(), encoded.lengths, targets)

    @torch.no_grad()
    def hypotheses(self, waves: Tensor, lengths: Tensor) -> list[str]:
        """Decoded lines for waves (batch, samples)."""
        encoded = self.encode(waves, lengths)
        return self.task.decode(self.outputs(encoded).float(), encoded.lengths)

    @torch.no_grad()
    def log_probabilities(self, waves: Tensor, lengths: Tensor) -> list[Tensor]:
        """(frames, tokens) for each of the waves (batch, samples), on the CPU, of a task that is decoded by CTC."""
        encoded = self.encode(waves, lengths)
        logs = self.outputs(encoded).float().log_softmax(-1).cpu()
        return [rows[:length] for rows, length in zip(logs, encoded.lengths.tolist(), strict=True)]

    def timed_words(self, waves: Tensor, lengths: Tensor) -> list[list[TimedWord]]:
        """The words that greedy decoding finds in waves (batch, samples), with their times, of a task by CTC."""
        pieces, clock = self.task.tokenizer.pieces(), self.backbone.frame_clock()
        rows = self.log_probabilities(waves, lengths)
        return [timed(align(logs, best_tokens(logs.argmax(-1)), pieces), clock) for logs in rows]

    @torch.no_grad()
    def embeddings(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """(batch, dim), of a task that has them."""
        return self.task.embeddings(self.outputs(self.encode(waves, lengths)).float())

    def parameter_groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """`adapter` and `head`: every tensor that trains, by the name it is saved under."""
        head = {f"head/{name}": parameter for name, parameter in self.head.named_parameters()}
        return {"adapter": self.attachment.trained_parameters(), "head": head}

    def state(self) -> dict[str, Tensor]:
        """All that a bundle keeps, by site name and `head/...`; everything else is the frozen backbone."""
        return {
            **self.attachment.state(),
            **{f"head/{name}": tensor for name, tensor in self.head.state_dict().items()},
        }

    def load(self, state: dict[str, Tensor], source: str) -> None:
        """Load what `state` gave, exactly. Raises SureError naming `source` and what differs."""
        head = {name.removeprefix("head/"): tensor for name, tensor in state.items() if name.startswith("head/")}
        self.attachment.load({n: t for n, t in state.items() if not n.startswith("head/")}, source)
        try:
            self.head.load_state_dict(head)
        except RuntimeError as error:
            raise SureError(f"{source}: the head does not fit: {' '.join(str(error).split())}") from None

    def counts(self) -> Counts:
        groups = {
            group: sum(parameter.numel() for parameter in parameters.values())
            for group, parameters in self.parameter_groups().items()
        }
        unique = {id(parameter): parameter.numel() for parameter in self.parameters()}
        return Counts(groups["adapter"], groups["head"], sum(unique.values()))


def build_task(config: Config, folder: str | Path | None = None) -> BaseTask:
    """The config's task with what stage 3 learned, from `folder` or the config's tokenizer folder."""
    task = registry.find("tasks", config.task)
    return task(config.head, Path(folder or config.tokenizer.folder), config.text.language)


def build_backbone(config: Config) -> Backbone:
    """The config's backbone with its weights, nothing attached."""
    family = registry.find("backbones", config.backbone.name)
    return family.from_weights(config.backbone.weights, config.backbone.group_norm, seed=config.seed)


def build_model(config: Config, task: BaseTask, *, saved: bool = False, backbone: Backbone | None = None) -> SureModel:
    """The model of a config; new weights follow `config.seed` alone, whatever was drawn before.

    saved: attach the methods as they are saved (a folded reparametrisation, say), ready for `load`.
    backbone: one that is there already, with nothing attached.
    """
    backbone = backbone or build_backbone(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        attachment = Attachment(backbone, _methods(config, task, saved))
        head = task.build_head(attachment.width)
        if not saved:
            start_from_bundles(attachment, config.backbone.weights)
    return SureModel(backbone, attachment, task, head, config.augment)


def _methods(config: Config, task: BaseTask, saved: bool) -> list:
    methods = [registry.find("petl", item.name)(item) for item in config.petl]
    if config.backbone.layers == "weighted_sum" and not any(method.reads_layers for method in methods):
        found = registry.find("petl", "weighted_sum")
        methods.append(found(found.Config(name="weighted_sum")))
    for method in methods:
        if getattr(method.config, "convolutions", None) == "auto" and task.freeze_convolution:
            method.config = method.config.model_copy(update={"convolutions": "freeze"})
    return [type(method)(method.saved()) for method in methods] if saved else methods
