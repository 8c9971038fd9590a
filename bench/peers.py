"""The other side of the comparison: transformers with PEFT, or with modules in forward hooks. Called by training.py.

    python bench/peers.py CONFIG

The model is set up as a skilled user would: frozen parts without gradients, SDPA, no masking of features, no dropout,
no layer drop, autocast for bf16, fused AdamW. Batches, targets, head, loss and schedule are those of the SURE config;
decoded audio stays in memory. Weights of the backbone and of the hooked modules start as in SURE.
Prints a line of JSON: seconds of the training, dev score, trained parameters without head.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import peft
import torch
import transformers
from torch import Tensor, nn

from sure import registry
from sure.backbones.base import Site, SpeechEncoder
from sure.config import Config, load_config
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch, collate
from sure.data.data_dir import read_data_dir
from sure.data.dataset import SpeechDataset
from sure.device import autocast
from sure.frames import Frames
from sure.models.build import build_task
from sure.tasks.base import BaseTask
from sure.train.optimizer import rate_factor

# Names of the linear maps in PEFT.
TARGETS = {
    "wav2vec2": ["q_proj", "k_proj", "v_proj", "out_proj", "intermediate_dense", "output_dense"],
    "moonshine": ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"],
}
QUIET = ("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "layerdrop", "final_dropout")
HOOKED = ("conv_adapter", "bottleneck")  # modules after each layer
READOUTS = ("side_network", "l_adapter")  # modules that read the outputs of all layers


def encoder_of(
    config: Config, ours: SpeechEncoder | None = None
) -> tuple[nn.Module, tuple[int, int, Callable[[Tensor], Tensor]]]:
    """transformers' encoder with the weights of SURE's backbone; then width, layers, and samples to frames."""
    family = registry.find("backbones", config.backbone.name)
    if ours is None:
        ours = family.from_weights(config.backbone.weights, seed=config.seed)
    settings = family.huggingface_config(ours.shape) | {"attn_implementation": "sdpa"}
    if config.backbone.name == "moonshine":
        theirs = transformers.MoonshineModel(transformers.MoonshineConfig(**settings)).encoder
    else:
        quiet = dict.fromkeys(QUIET, 0.0) | {"apply_spec_augment": False}
        theirs = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**settings, **quiet))
    with torch.no_grad():
        state = family.huggingface_state(theirs.state_dict())  # the same storage under the names of SURE
        for name, tensor in ours.state_dict().items():
            state[name].copy_(tensor)
    return theirs, (ours.dim, len(ours.layers), ours.convolutions.frame_count)


class Peer(nn.Module):
    """transformers' encoder with one method and a linear head."""

    def __init__(self, config: Config, task: BaseTask):
        super().__init__()
        method, name = config.petl[0], config.petl[0].name
        self.encoder, (dim, layers, self.frame_count) = encoder_of(config)
        self.encoder.requires_grad_(name == "full")
        if (name != "full" or task.freeze_convolution) and config.backbone.name == "wav2vec2":
            self.encoder.freeze_feature_encoder()  # with full too for CTC, as in SURE and in transformers' recipes
        self.name, self.frames, self.modules_added = name, None, nn.ModuleList()
        width = dim
        if name == "lora":
            self._add_lora(config)
        elif name in HOOKED:
            built = registry.find("petl", name)(method)
            for layer in self._layers():
                self.modules_added.append(built.build(Site("after_ffn", "residual", dim, dim)))
                layer.register_forward_hook(self._hook(self.modules_added[-1]))
        elif name in READOUTS:
            built = registry.find("petl", name)(method)
            built.prepare([Site(f"layer.{index}.output", "tap", dim, dim, index) for index in range(layers)])
            self.modules_added.append(built.readout([], dim))
            width = getattr(self.modules_added[0], "width", dim)
        self.head = task.build_head(width)

    def _layers(self) -> nn.ModuleList:
        return getattr(self.encoder, "encoder", self.encoder).layers

    def _add_lora(self, config: Config) -> None:
        lora, layers = config.petl[0], range(len(self._layers()))
        upper = [layer for layer in layers if layer >= len(layers) // 2]
        settings = peft.LoraConfig(
            r=lora.rank,
            lora_alpha=lora.alpha,
            lora_dropout=lora.dropout,
            target_modules=TARGETS[config.backbone.name],
            layers_to_transform=upper if "layer.[" in lora.sites else None,
            layers_pattern="layers" if "layer.[" in lora.sites else None,
        )
        self.encoder = peft.get_peft_model(self.encoder, settings)

    def _hook(self, module: nn.Module) -> Any:
        def adapt(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return module(inputs[0], output, self.frames)

        return adapt

    def forward(self, batch: Batch) -> tuple[Tensor, Frames]:
        """Logits (batch, time, symbols) and frames."""
        lengths = self.frame_count(batch.wave_lengths)
        self.frames = Frames(lengths, int(self.frame_count(torch.tensor([batch.waves.shape[1]]))))
        mask = None
        if (batch.wave_lengths != batch.waves.shape[1]).any():
            mask = (torch.arange(batch.waves.shape[1])[None] < batch.wave_lengths[:, None]).long()
        taps = self.name in READOUTS
        found = self.encoder(input_values=batch.waves, attention_mask=mask, output_hidden_states=taps)
        hidden = found.last_hidden_state
        if taps:
            hidden = self.modules_added[0](list(found.hidden_states), self.frames)
        return self.head(hidden, self.frames).float(), self.frames


def train(config: Config) -> dict[str, Any]:
    """Seconds from the first batch to the last dev score, the best dev score, and the trained parameters."""
    torch.manual_seed(config.seed)
    task, rates = build_task(config), config.train
    model = Peer(config, task)
    head = list(model.head.parameters())
    adapter = [one for name, one in model.named_parameters() if one.requires_grad and not name.startswith("head.")]
    groups = [{"params": adapter, "lr": rates.lr_adapter}, {"params": head, "lr": rates.lr_head}]
    optimizer = torch.optim.AdamW([one for one in groups if one["params"]], weight_decay=rates.weight_decay, fused=True)
    limits = config.data
    utterances = [u for u in read_data_dir(limits.train) if limits.min_seconds <= u.seconds <= limits.max_seconds]
    data = SpeechDataset(utterances, task.target)
    sampler = SecondsBatchSampler([u.seconds for u in utterances], rates.batch_seconds, config.seed)
    dev = SpeechDataset(read_data_dir(limits.valid), task.target)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, rate_factor(rates.warmup, rates.hold, rates.epochs * len(sampler))
    )
    precision = autocast(rates.precision, torch.device("cpu"), 768)
    best, best_weights, history = None, {}, []
    begun = time.perf_counter()  # after the model is built, as SURE counts
    for epoch in range(1, rates.epochs + 1):
        sampler.set_epoch(epoch)
        model.train()
        for indices in sampler:
            batch = collate([data[index] for index in indices])
            with precision:
                logits, frames = model(batch)
                loss = task.loss(logits, frames, batch.targets).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(adapter + head, rates.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        scores = evaluate(model, task, dev, config, precision)
        history.append({"seconds": time.perf_counter() - begun, **scores})
        score = scores[task.score_name]
        if best is None or score < best:
            best = score
            best_weights = {name: one.detach().clone() for name, one in model.named_parameters() if one.requires_grad}
    return {
        "loop_seconds": time.perf_counter() - begun,
        "dev_score": best,
        "trained": sum(parameter.numel() for parameter in adapter),
        "kept_tensors": len(best_weights),
        "history": history,
    }


@torch.no_grad()
def evaluate(model: Peer, task: BaseTask, data: SpeechDataset, config: Config, precision: Any) -> dict[str, float]:
    """Scores of the dev set that are numbers."""
    model.eval()
    sampler = SecondsBatchSampler([u.seconds for u in data.utterances], config.decode.batch_seconds, shuffle=False)
    found = {}
    for indices in sampler:
        batch = collate([data[index] for index in indices])
        with precision:
            outputs, frames = model(batch)
        found.update(zip(batch.ids, task.decode(outputs, frames), strict=True))
    scores = task.score({utterance.id: task.reference(utterance) for utterance in data.utterances}, found)
    return {name: float(value) for name, value in scores.items() if isinstance(value, (int, float))}


if __name__ == "__main__":
    print(json.dumps(train(load_config(sys.argv[1]))))
