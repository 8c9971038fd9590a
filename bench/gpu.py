"""Training steps with SURE and with transformers + PEFT on one device. Called by gpu.sh.

    python bench/gpu.py --device cuda --shapes wav2vec2:large whisper:small --out gpu.jsonl

LoRA on six maps of each layer, a CTC head, random weights, bf16, AdamW; utterances of noise of nearly the same length,
so that batches have padding. Both sides compute the same batches with the same loss. SURE from audio: with the front
end; SURE cached: from the first tap, as the prefix cache gives it. transformers' Whisper receives finished spectrograms
of 30 s, so its clips have nearly 30 s. Each side has its own process. The first steps of each length do not count.
Prints seconds of audio a second, peak memory (of tensors on a GPU, of the process on a CPU), and the fraction of the
rate of a large matrix product in the same process, for the operations of SURE's step from audio.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from works import settings

from sure.config import Config, make_config
from sure.data.audio import SAMPLE_RATE
from sure.data.collate import Batch, Features, collate
from sure.data.data_dir import Utterance
from sure.data.dataset import Item
from sure.device import autocast, describe_device, make_repeatable, peak_memory_megabytes, pick_device
from sure.models.build import build_model, build_task
from sure.petl.store_frozen import store_for_autocast
from sure.tasks.asr import Task

SIDES = ("sure", "sure cached", "peer")
TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"]  # of transformers' Whisper
SPREAD = 0.06  # of the lengths within a batch
WORDS = "el perro come y la casa es grande"  # of the transcripts, repeated


def batches(task: Any, seconds: Sequence[float], batch_seconds: float) -> list[Batch]:
    """A batch of noise for each of the durations, with transcripts of ten symbols a second."""
    generator, made = torch.Generator().manual_seed(1), []
    symbols = task.tokenizer.encode(WORDS)
    for longest in seconds:
        items = []
        for number in range(max(1, int(batch_seconds / longest))):
            samples = int(
                longest * SAMPLE_RATE * (1 - SPREAD * float(torch.rand((), generator=generator)) * (number > 0))
            )
            count = int(10 * samples / SAMPLE_RATE)
            target = torch.tensor((symbols * (count // len(symbols) + 1))[:count])
            items.append(Item(str(number), 0.1 * torch.randn(samples, generator=generator), target))
        made.append(collate(items))
    return made


class WhisperPeer(nn.Module):
    """transformers' Whisper encoder with PEFT's LoRA, on spectrograms of 30 s; the frames of the utterance count."""

    def __init__(self, config: Config, task: Any):
        import peft
        import transformers

        from sure import registry

        super().__init__()
        family = registry.find("backbones", "whisper")
        ours = family.skeleton(config.backbone.weights)
        self.frame_count = ours.frame_count
        given = family.huggingface_config(ours.shape) | {"attn_implementation": "sdpa"}
        encoder = transformers.WhisperModel(transformers.WhisperConfig(**given)).encoder.requires_grad_(False)
        lora = config.petl[0]
        chosen = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=TARGETS)
        self.encoder = peft.get_peft_model(encoder, chosen)
        self.head, self.bins = task.build_head(ours.dim), given["num_mel_bins"]

    def forward(self, batch: Batch) -> tuple[Tensor, Any]:
        from sure.frames import Frames

        lengths = self.frame_count(batch.wave_lengths)
        spectrum = batch.waves.new_zeros(len(batch.waves), self.bins, 3000)
        hidden = self.encoder(input_features=spectrum).last_hidden_state[:, : int(lengths.max())]
        frames = Frames(lengths, hidden.shape[1])
        return self.head(hidden, frames).float(), frames


def sure_losses(config: Config, task: Any, device: torch.device, cached: bool) -> tuple[nn.Module, Callable, Callable]:
    """The model, its losses for a prepared batch, and the preparation of a batch."""
    model = build_model(config, task).to(device).train()
    store_for_autocast(model.attachment)

    def prepare(batch: Batch) -> Batch | Features:
        if not cached:
            return batch
        with torch.no_grad(), autocast("bf16", device, model.backbone.dim):
            taps = model.encoder.begin(batch.waves.to(device), batch.wave_lengths)
        taps = [tap.to("cpu", torch.bfloat16) for tap in taps]
        return Features(batch.ids, taps, model.frame_count(batch.wave_lengths), batch.targets)

    return model, model, prepare


def peer_losses(config: Config, task: Any, device: torch.device) -> tuple[nn.Module, Callable, Callable]:
    """As `sure_losses`, for transformers + PEFT."""
    from peers import Peer

    model = (WhisperPeer if config.backbone.name == "whisper" else Peer)(config, task).to(device).train()

    def losses(batch: Batch) -> Tensor:
        outputs, frames = model(batch)
        return task.loss(outputs, frames, batch.targets)

    return model, losses, lambda batch: batch


def matmul_rate(device: torch.device, size: int) -> float:
    """Operations a second of the best of 10 products of two bf16 matrices (size, size)."""
    left, right = (torch.randn(size, size, device=device).bfloat16() for _ in range(2))
    return 2 * size**3 / min(timed(device, lambda: left @ right) for _ in range(10))


def timed(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of `work`, waiting for the device before and after."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    begun = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - begun


def measure(side: str, shape: str, options: argparse.Namespace) -> dict[str, Any]:
    """Speed and memory of one side."""
    device = pick_device(options.device)
    make_repeatable(device)
    name, _, size = shape.partition(":")
    with tempfile.TemporaryDirectory() as place:
        given = settings("lora_full_depth", "tiny", Path(place))
        given["backbone"] = {"name": name, "weights": f"random:{size}"}
        config = make_config(given, "bench/gpu.py")
        utterance = Utterance("u", "", text=WORDS)
        Task.fit([utterance], Path(config.tokenizer.folder), tokenizer=config.tokenizer, language=config.text.language)
        task = build_task(config)
    built = peer_losses(config, task, device) if side == "peer" else sure_losses(config, task, device, "cached" in side)
    model, losses, prepare = built
    parameters = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(parameters, 1e-4, fused=True)
    seconds = [28.0] if name == "whisper" and size != "tiny" else options.seconds
    given_batches = batches(task, seconds, options.batch_seconds)
    prepared = [prepare(batch) for batch in given_batches]
    if device.type == "cuda":
        prepared = [batch.pin_memory() for batch in prepared]

    def step(batch: Any) -> None:
        with autocast("bf16", device, 768):
            loss = losses(batch.to(device, non_blocking=True)).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    counter = FlopCounterMode(display=False)
    with counter:
        for batch in prepared:
            step(batch)
    spent = timed(device, lambda: [step(batch) for _ in range(options.steps) for batch in prepared])
    audio = options.steps * sum(int(batch.wave_lengths.sum()) for batch in given_batches) / SAMPLE_RATE
    return {
        "audio_seconds_per_second": audio / spent,
        "peak_megabytes": peak_memory_megabytes(device),
        "operations_per_second": options.steps * counter.get_total_flops() / spent,
        "operations": options.steps * counter.get_total_flops(),
        "seconds": spent,
        "matmul_rate": matmul_rate(device, options.matmul),
        "machine": describe_device(device),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="default: %(default)s")
    parser.add_argument("--shapes", nargs="+", default=["wav2vec2:large", "whisper:small"], metavar="FAMILY:SHAPE")
    parser.add_argument(
        "--seconds", nargs="+", type=float, default=[4.0, 9.0, 16.0], help="durations of wav2vec 2.0's clips"
    )
    parser.add_argument("--batch_seconds", type=float, default=160.0, help="audio of a batch")
    parser.add_argument("--steps", type=int, default=10, help="measured steps of each duration")
    parser.add_argument("--matmul", type=int, default=8192, help="size of the matrix product")
    parser.add_argument("--out", type=Path, help="append each result as a line of JSON")
    parser.add_argument("--side", choices=SIDES, help="measure this side of one shape, and print the result in JSON")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.shapes[0], options)))
        return
    print("| shape | side | audio s / s | speed / peer's | peak MB | fraction of matmul |")
    print("|---|---|---:|---:|---:|---:|")
    for shape in options.shapes:
        found = {}
        for side in SIDES:
            call = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--shapes", shape]
            found[side] = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for side, one in found.items():
            ratio = one["audio_seconds_per_second"] / found["peer"]["audio_seconds_per_second"]
            fraction = found["sure"]["operations"] / one["seconds"] / one["matmul_rate"]
            print(
                f"| {shape} | {side} | {one['audio_seconds_per_second']:,.1f} | {ratio:.2f} "
                f"| {one['peak_megabytes']:,.0f} | {fraction:.2f} |",
                flush=True,
            )
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps({"shape": shape, "side": side, **one}) + "\n")


if __name__ == "__main__":
    main()
