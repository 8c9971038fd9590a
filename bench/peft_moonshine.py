"""Comparison of SURE with transformers + PEFT: Moonshine's encoder, LoRA and a linear CTC head.

    python bench/peft_moonshine.py egs/asterisk/exp/asr_es_moonshine_lora/seed1 [--epochs N]

Data, tokens, learning rates, rank and seed are those of a finished SURE experiment. Both sides train one after the
other in separate processes, with the same batches in the same order. Prints error rates, seconds per epoch, peak memory
and their ratios. The transformers side is the usual code: MoonshineEncoder with an attention mask, PEFT's LoraConfig on
the same linear maps, AdamW, the same schedule and clipping, and a test of the epoch with the best dev score.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from sure.backbones.moonshine import Family
from sure.config import Config, load_config
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch, collate
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.dataset import SpeechDataset
from sure.frames import Frames
from sure.models.build import build_task
from sure.tasks.base import BaseTask
from sure.train.optimizer import rate_factor

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "fc1", "fc2"]  # names of the six maps in PEFT


class TransformersModel(nn.Module):
    """transformers' Moonshine encoder with PEFT's LoRA and a linear head."""

    def __init__(self, config: Config, task: BaseTask):
        super().__init__()
        import peft
        import transformers

        encoder = transformers.MoonshineModel(transformers.MoonshineConfig()).encoder
        ours = Family.from_weights(config.backbone.weights, seed=config.seed)
        self.frame_count = ours.frame_count
        with torch.no_grad():
            theirs = Family.huggingface_state(encoder.state_dict())  # the same storage under the names of SURE
            for name, tensor in ours.state_dict().items():
                theirs[name].copy_(tensor)
        lora = config.petl[0]
        settings = peft.LoraConfig(
            r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=TARGETS
        )
        self.encoder = peft.get_peft_model(encoder, settings)
        self.head = task.build_head(ours.dim)

    def forward(self, batch: Batch) -> tuple[Tensor, Frames]:
        """Logits (batch, time, symbols) and frames."""
        mask = torch.arange(batch.waves.shape[1])[None] < batch.wave_lengths[:, None]
        hidden = self.encoder(input_values=batch.waves, attention_mask=mask.long()).last_hidden_state
        frames = Frames(self.frame_count(batch.wave_lengths), hidden.shape[1])
        return self.head(hidden, frames), frames


def train_with_transformers(config: Config) -> dict:
    """Scores at the best dev epoch, seconds per epoch and peak memory in MB."""
    torch.manual_seed(config.seed)
    task = build_task(config)
    model = TransformersModel(config, task)
    limit = config.data.max_seconds
    train = [utterance for utterance in read_data_dir(config.data.train) if utterance.seconds <= limit]
    data = SpeechDataset(train, task.target)
    sampler = SecondsBatchSampler([u.seconds for u in train], config.train.batch_seconds, config.seed)
    adapter = [parameter for parameter in model.encoder.parameters() if parameter.requires_grad]
    head = list(model.head.parameters())
    rates = config.train
    optimizer = torch.optim.AdamW(
        [{"params": adapter, "lr": rates.lr_adapter}, {"params": head, "lr": rates.lr_head}],
        weight_decay=rates.weight_decay,
    )
    factor = rate_factor(rates.warmup, rates.hold, rates.epochs * len(sampler))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    dev, test = read_data_dir(config.data.valid), read_data_dir(config.data.tests[0])
    seconds, best = [], None
    for epoch in range(1, rates.epochs + 1):
        sampler.set_epoch(epoch)
        model.train()
        start = time.perf_counter()
        for indices in sampler:
            batch = collate([data[index] for index in indices])
            logits, frames = model(batch)
            task.loss(logits, frames, batch.targets).mean().backward()
            torch.nn.utils.clip_grad_norm_(adapter + head, rates.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        seconds.append(time.perf_counter() - start)
        scores = evaluate(model, task, dev, config)
        if best is None or scores["wer"] < best[0]["wer"]:
            best = scores, evaluate(model, task, test, config)
        print(f"transformers + PEFT: epoch {epoch}, dev WER {scores['wer']:.2f}, {seconds[-1]:.1f} s", file=sys.stderr)
    return {
        "trained": sum(parameter.numel() for parameter in adapter),
        "dev_wer": best[0]["wer"],
        "wer": best[1]["wer"],
        "cer": best[1]["cer"],
        "epoch_seconds": sorted(seconds)[len(seconds) // 2],
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


@torch.no_grad()
def evaluate(model: TransformersModel, task: BaseTask, utterances: list[Utterance], config: Config) -> dict:
    model.eval()
    data = SpeechDataset(utterances, lambda utterance: None)
    sampler = SecondsBatchSampler([u.seconds for u in utterances], config.decode.batch_seconds, shuffle=False)
    found = {}
    for indices in sampler:
        batch = collate([data[index] for index in indices])
        found.update(zip(batch.ids, task.decode(*model(batch)), strict=True))
    return task.score({utterance.id: task.reference(utterance) for utterance in utterances}, found)


def train_with_sure(config: Config, folder: Path) -> dict:
    """The same values from the commands of a recipe."""
    config.save(folder / "bench.yaml")
    exp = folder / "exp"
    for command in (
        ["train", "--config", str(folder / "bench.yaml"), "--exp", str(exp)],
        ["decode", "--exp", str(exp)],
        ["score", "--exp", str(exp)],
    ):
        subprocess.run([sys.executable, "-m", f"sure.bin.{command[0]}", *command[1:]], check=True, stdout=sys.stderr)
    (result,) = (json.loads(file.read_text()) for file in exp.glob("decode_*/result.json"))
    lines = [json.loads(line) for line in (exp / "metrics.jsonl").read_text().splitlines()]
    return {
        "trained": result["adapter_parameters"],
        "dev_wer": result["dev_score"],
        "wer": result["wer"],
        "cer": result["cer"],
        "epoch_seconds": sorted(line["seconds"] for line in lines)[len(lines) // 2],
        "peak_megabytes": result["peak_memory_megabytes"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, help="SURE experiment with lora on moonshine")
    parser.add_argument("--epochs", type=int, help="default: as in the experiment")
    parser.add_argument("--side", choices=("sure", "transformers"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    config = load_config(options.experiment / "config.yaml")
    config.data.tests = config.data.tests[:1]
    if options.epochs:
        config.train.epochs = options.epochs
    if options.side:
        with tempfile.TemporaryDirectory() as folder:
            sure = options.side == "sure"
            print(json.dumps(train_with_sure(config, Path(folder)) if sure else train_with_transformers(config)))
        return
    sides = {}
    for side in ("sure", "transformers"):
        command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
        sides[side] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    ours, theirs = sides["sure"], sides["transformers"]
    print(f"{config.train.epochs} epochs, seed {config.seed}, {config.data.train}, {torch.get_num_threads()} threads\n")
    print("| | SURE | transformers + PEFT | ratio |\n| --- | ---: | ---: | ---: |")
    for key, value in ours.items():
        print(f"| {key.replace('_', ' ')} | {value:,.2f} | {theirs[key]:,.2f} | {value / theirs[key]:.2f} |")


if __name__ == "__main__":
    main()
