"""LoRA on Whisper's decoder with SURE and with transformers + PEFT, from audio to the end, both sides in one run.

    python bench/peft_whisper.py --epochs 4 --rounds 1 --out results.jsonl

First prepare the corpus: `egs/asterisk/run.sh --backbone whisper --stop_stage 3`. Each training has its own process;
the sides alternate. The peer is set up as a skilled user would: a frozen encoder without gradients, SDPA, fused AdamW,
loss on the tokens after the prompt, features computed in batches, generation with its cache. Batches, targets,
optimizer and schedule are those of the SURE config. Everything is included: imports, reading of audio, features,
filling of the cache of the encoder's output (SURE), steps, and generation for the dev set after each epoch. Prints what
bench/training.py prints, without a floor.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from training import HERE, compare, run, show, with_sure
from works import part_of, write

from sure import registry
from sure.config import Config, load_config
from sure.data.batching import SecondsBatchSampler
from sure.data.data_dir import read_data_dir
from sure.data.dataset import SpeechDataset
from sure.device import autocast, describe_device
from sure.exchange.recognizer_to_transformers import special_tokens
from sure.models.build import build_task
from sure.tasks.sequence import SequenceTask
from sure.text.recognizer_tokens import RecognizerTokens
from sure.train.optimizer import rate_factor

RECIPE = HERE.parent / "egs/asterisk"
MAPS = r".*\.decoder\.layers\.\d+\.((self_attn|encoder_attn)\.[qkv]_proj|(self_attn|encoder_attn)\.out_proj|fc[12])"
IGNORED = -100  # label without a loss


def settings(options: argparse.Namespace, data: Path) -> dict[str, Any]:
    """The config of both sides."""
    return {
        "task": "transcription",
        "seed": options.seed,
        "data": {"train": str(data / "train"), "valid": str(data / "dev"), "max_seconds": 30},
        "tokenizer": {"folder": str(data / "tokens")},
        "text": {"language": options.language},
        "backbone": {"name": "whisper", "weights": options.weights, "padding": options.padding},
        "petl": {"name": "lora", "sites": "decoder.layer.*.*", "rank": 8, "alpha": 16},
        "head": {"accents": False},
        "train": {
            "epochs": options.epochs,
            "batch_seconds": 30,
            "lr_adapter": options.rate,
            "precision": options.precision,
            "device": "cpu",
        },
        "decode": {"generation": {"max_tokens": 150}},
    }


def peer_model(config: Config) -> nn.Module:
    """transformers' Whisper with the same weights and PEFT's LoRA on all linear maps of the decoder."""
    import peft
    import transformers

    family = registry.find_recognizer(config.backbone.name)
    ours = family.from_weights(config.backbone.weights)
    tokens = special_tokens(RecognizerTokens.from_weights(config.backbone.weights))
    about = family.huggingface_config(ours.shape) | tokens | {"attn_implementation": "sdpa"}
    model = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**about))
    with torch.no_grad():
        state = family.huggingface_state(model.state_dict())  # the same storage under the names of SURE
        for name, tensor in ours.state_dict().items():
            state[name].copy_(tensor)
    lora = config.petl[0]
    wanted = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=MAPS)
    return peft.get_peft_model(model, wanted)


class PeerData:
    """Audio in memory, 30 s log-mel features and token targets in batches."""

    def __init__(self, folder: str, task: SequenceTask, config: Config):
        import transformers

        limits = config.data
        found = [one for one in read_data_dir(folder) if limits.min_seconds <= one.seconds <= limits.max_seconds]
        self.utterances, self.end = found, task.tokens.end
        items = SpeechDataset(found, task.target)
        self.items = [items[index] for index in range(len(found))]
        self.extractor = transformers.WhisperFeatureExtractor(feature_size=80)

    def batch(self, indices: list[int]) -> tuple[Tensor, list[Tensor]]:
        """Features (batch, 80, 3000) and targets with their prompts."""
        chosen = [self.items[index] for index in indices]
        waves = [item.wave.numpy() for item in chosen]
        features = self.extractor(waves, sampling_rate=16000, return_tensors="pt").input_features
        return features, [item.target for item in chosen]


def labelled(targets: list[Tensor], prompt: int, end: int) -> tuple[Tensor, Tensor]:
    """Inputs of the decoder and labels (batch, tokens), with no label for the prompt and the padding."""
    padded = nn.utils.rnn.pad_sequence(targets, batch_first=True, padding_value=IGNORED)
    labels = padded[:, 1:].clone()
    labels[:, : prompt - 1] = IGNORED
    return padded[:, :-1].masked_fill(padded[:, :-1] == IGNORED, end), labels


def train_peer(config: Config) -> dict[str, Any]:
    """Seconds from the first batch to the last dev score, the best dev score, and the trained parameters."""
    torch.manual_seed(config.seed)
    task, rates = build_task(config), config.train
    model = peer_model(config)
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rates.lr_adapter, weight_decay=rates.weight_decay, fused=True)
    begun = time.perf_counter()  # after the model is built, as SURE counts
    data, dev = (PeerData(folder, task, config) for folder in (config.data.train, config.data.valid))
    sampler = SecondsBatchSampler([one.seconds for one in data.utterances], rates.batch_seconds, config.seed)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, rate_factor(rates.warmup, rates.hold, rates.epochs * len(sampler))
    )
    precision, history = autocast(rates.precision, torch.device("cpu"), 512), []
    for epoch in range(1, rates.epochs + 1):
        sampler.set_epoch(epoch)
        model.train()
        for indices in sampler:
            features, targets = data.batch(indices)
            inputs, labels = labelled(targets, task.prompt_length, task.tokens.end)
            with precision:
                loss = model(input_features=features, decoder_input_ids=inputs, labels=labels).loss
            loss.backward()
            nn.utils.clip_grad_norm_(trained, rates.clip)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        history.append({"seconds": time.perf_counter() - begun, **evaluate(model, task, dev, config, precision)})
    return {
        "loop_seconds": history[-1]["seconds"],
        "dev_score": min(each[task.score_name] for each in history),
        "trained": sum(parameter.numel() for parameter in trained),
        "history": history,
    }


@torch.no_grad()
def evaluate(model: nn.Module, task: SequenceTask, dev: PeerData, config: Config, precision: Any) -> dict[str, float]:
    """Error rates of the texts that transformers' `generate` writes."""
    model.eval()
    seconds = [one.seconds for one in dev.utterances]
    found, limit = {}, config.decode.generation.max_tokens
    for indices in SecondsBatchSampler(seconds, config.decode.batch_seconds, shuffle=False):
        features, _ = dev.batch(indices)
        prompts = task.prompt(task.language).repeat(len(indices), 1)
        with precision:
            ids = model.generate(
                input_features=features, decoder_input_ids=prompts, max_new_tokens=limit, num_beams=1, do_sample=False,
                eos_token_id=task.tokens.end, pad_token_id=task.tokens.end, suppress_tokens=task.tokens.suppressed,
                begin_suppress_tokens=task.tokens.suppressed_first,
            )  # fmt: skip
        for index, row in zip(indices, ids.tolist(), strict=True):
            found[dev.utterances[index].id] = task.text(row)
    scores = task.score({one.id: task.reference(one) for one in dev.utterances}, found)
    return {name: float(scores[name]) for name in ("wer", "cer")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default=str(RECIPE / "downloads/whisper_base.safetensors"))
    parser.add_argument("--data", type=Path, default=RECIPE / "data/transcription_es", help="train, dev and tokens")
    parser.add_argument("--language", default="es", help="language of the data")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1, help="trainings of each side")
    parser.add_argument("--minutes", type=float, default=0, help="minutes of training audio; default: the whole corpus")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate of both sides")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument(
        "--padding", choices=("as_trained", "masked"), default="as_trained",
        help="input of SURE's encoder: 30 s as the peer's, or the utterance's own length",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="append the result as a line of JSON")
    parser.add_argument("--peer", help=argparse.SUPPRESS)  # a config: the process of the peer
    options = parser.parse_args()
    if options.peer:
        print(json.dumps(train_peer(load_config(options.peer))))
        return
    with tempfile.TemporaryDirectory() as place:
        data = part_of(options.data, Path(place) / "data", options.minutes)
        config = write(settings(options, data), Path(place) / "config.yaml")
        rounds = []
        for number in range(options.rounds):
            folder = Path(place) / str(number)
            folder.mkdir()
            rounds.append({"sure": with_sure(config, folder, folder / "prefix_cache")})
            seconds, peak, output = run([sys.executable, __file__, "--peer", str(config)], folder / "peer.log")
            rounds[-1]["peer"] = {"seconds": seconds, "peak_megabytes": peak, **json.loads(output.splitlines()[-1])}
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
    row = {
        "work": "whisper_decoder_lora", "precision": options.precision, "epochs": options.epochs,
        "cache": options.padding, "shape": options.weights, "minutes": options.minutes,
        "date": datetime.date.today().isoformat(), "machine": describe_device(torch.device("cpu")),
    }  # fmt: skip
    show(row | compare(rounds), options.out)


if __name__ == "__main__":
    main()
