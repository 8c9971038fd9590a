"""Recognition with `Sure.predict` and with transformers' pipeline, both sides in one run.

    python bench/inference.py --shape base --precisions fp32 bf16 int8 --rounds 3 --out inference.jsonl

First prepare the corpus: `egs/asterisk/run.sh --stop_stage 3`. wav2vec 2.0 with random weights and LoRA on six maps of
each layer, and a CTC head; greedy decoding of utterances of the dev set, which are in memory as waveforms. SURE makes
batches by seconds; the pipeline has batches of `--batch` utterances, sorted by length. The peer's LoRA is merged, that
of SURE too, except in `fp32`. The peer in int8 is PyTorch's dynamic quantisation, for CPUs. Each measurement has its
own process, which recognises all utterances twice: the second time counts, also for memory. The sides alternate. Prints
real-time factors (seconds of computing for a second of audio), the ratio peer / SURE (above 1: SURE is faster), and the
peak memory of the processes; on a GPU, that of tensors. Close other programs first.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from works import settings

from sure.config import Config, make_config
from sure.data.audio import SAMPLE_RATE
from sure.data.data_dir import read_data_dir
from sure.data.dataset import load_wave
from sure.device import describe_device, peak_memory_megabytes, pick_device, return_freed_memory
from sure.inference import Sure
from sure.models.base import AdaptedModel
from sure.models.build import build_model, build_task
from sure.petl.bundle import write_bundle

CORPUS = Path(__file__).parent.parent / "egs/asterisk/data/asr_es"
PRECISIONS = ("fp32", "fp32 merged", "bf16", "int8")


def adapted(config: Config) -> AdaptedModel:
    """The model of a config, its methods and head away from their start."""
    model = build_model(config, build_task(config)).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameters in model.parameter_groups().values():
            for parameter in parameters.values():
                parameter += 0.02 * torch.randn(parameter.shape, generator=generator)
    return model


def with_sure(config: Config, precision: str, device: torch.device) -> Callable[[Sequence[Tensor]], Any]:
    """`Sure.predict` with a bundle of the model."""
    with tempfile.TemporaryDirectory() as place:
        write_bundle(Path(place), adapted(config).bundle(config, Path(config.tokenizer.folder)))
        name, _, merged = precision.partition(" ")
        sure = Sure.load(place, config.backbone.weights, str(device), precision=name)
    if merged:
        sure.merge()
    return lambda waves: sure.predict(waves, config.decode.batch_seconds)


def with_pipeline(config: Config, precision: str, device: torch.device, batch: int) -> Callable[..., Any]:
    """transformers' model with the merged weights of SURE's, in its pipeline for speech recognition."""
    import transformers
    from peers import encoder_of

    model = adapted(config)
    model.attachment.merge()
    encoder, _ = encoder_of(config, model.backbone)
    whole = transformers.Wav2Vec2ForCTC(encoder.config)
    whole.wav2vec2, whole.lm_head = encoder, model.head.output
    kind = {"bf16": torch.bfloat16}.get(precision, torch.float32)
    whole = whole.to(device, kind).eval()
    if precision == "int8":
        whole = torch.ao.quantization.quantize_dynamic(whole, {torch.nn.Linear}, torch.qint8)
    with tempfile.TemporaryDirectory() as place:
        symbols = ["<pad>", *model.task.tokenizer.tokens[1:]]
        names = {symbol if symbol.strip() else "|": number for number, symbol in enumerate(symbols)}
        path = Path(place) / "vocab.json"
        path.write_text(json.dumps(names | {"<unk>": len(names)}))
        tokenizer = transformers.Wav2Vec2CTCTokenizer(str(path))
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=False)
    recognise = transformers.pipeline(
        "automatic-speech-recognition",
        model=whole,
        tokenizer=tokenizer,
        feature_extractor=extractor,
        device=device,
        dtype=kind,
        batch_size=batch,
    )

    def call(waves: Sequence[Tensor]) -> list[str]:
        given = ({"raw": wave.numpy(), "sampling_rate": SAMPLE_RATE} for wave in sorted(waves, key=len, reverse=True))
        return [found["text"] for found in recognise(given)]

    return call


def forget_peak(device: torch.device) -> None:
    """Start a new measurement of peak memory, without the memory for building the model."""
    gc.collect()
    return_freed_memory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")  # of Linux: VmHWM becomes VmRSS


def measure(side: str, precision: str, options: argparse.Namespace) -> dict[str, float]:
    """Seconds of recognising all utterances, seconds of audio, and peak memory of this process."""
    device = pick_device(options.device)
    config = make_config(settings("lora_full_depth", options.shape, options.data.resolve()), "bench/inference.py")
    waves = [load_wave(utterance) for utterance in read_data_dir(options.data / "dev")][: options.utterances]
    if side == "sure":
        recognise = with_sure(config, precision, device)
    else:
        recognise = with_pipeline(config, precision, device, options.batch)
    recognise(waves)
    forget_peak(device)
    begun = time.perf_counter()
    recognise(waves)
    seconds = time.perf_counter() - begun  # texts are on the CPU, so nothing is left to compute
    return {
        "seconds": seconds,
        "audio": sum(map(len, waves)) / SAMPLE_RATE,
        "peak_megabytes": peak_memory_megabytes(device),
        "machine": describe_device(device),
    }


def compare(precision: str, options: argparse.Namespace) -> dict[str, Any]:
    """The measurements of one precision, and their medians and ratios."""
    rounds: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        found = {}
        for side in ("sure", "peer"):
            call = [sys.executable, __file__, *sys.argv[1:], "--side", side, "--precisions", precision]
            found[side] = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout)
        rounds.append(found)
    ratios = [one["peer"]["seconds"] / one["sure"]["seconds"] for one in rounds]

    def middle(key: str) -> dict[str, float]:
        return {side: statistics.median(one[side][key] for one in rounds) for side in ("sure", "peer")}

    audio = rounds[0]["sure"]["audio"]
    return {
        "precision": precision, "shape": options.shape, "audio": audio, "machine": rounds[0]["sure"]["machine"],
        "date": datetime.date.today().isoformat(), "seconds": middle("seconds"),
        "real_time_factor": {side: seconds / audio for side, seconds in middle("seconds").items()},
        "peak_megabytes": middle("peak_megabytes"),
        "ratio": [statistics.median(ratios), min(ratios), max(ratios)], "rounds": rounds,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="base", help="of wav2vec 2.0: base, large or tiny")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each side and precision")
    parser.add_argument("--batch", type=int, default=8, help="utterances in a batch of the pipeline")
    parser.add_argument("--utterances", type=int, default=64, help="of the dev set, at most")
    parser.add_argument("--data", type=Path, default=CORPUS, help="folder with train, dev and tokens")
    parser.add_argument("--device", default="cpu", help="such as cuda; default: %(default)s")
    parser.add_argument("--out", type=Path, help="append each result as a line of JSON")
    parser.add_argument("--side", choices=("sure", "peer"), help="measure this side once, and print the result in JSON")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side, options.precisions[0], options)))
        return
    print("| precision | SURE RTF | peer RTF | peer / SURE | SURE MB | peer MB |\n|---|---:|---:|---:|---:|---:|")
    for precision in options.precisions:
        row = compare(precision, options)
        middle, least, most = row["ratio"]
        factors, peaks = row["real_time_factor"], row["peak_megabytes"]
        print(
            f"| {precision} | {factors['sure']:.4f} | {factors['peer']:.4f} | {middle:.2f} ({least:.2f}, {most:.2f}) "
            f"| {peaks['sure']:,.0f} | {peaks['peer']:,.0f} |",
            flush=True,
        )
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
