"""Every key of the configuration changes something.

Each key has a value that differs from its default, the settings it needs, and an observer: the results of a stage or
of a step of training, as plain values. A key that is not in the table fails, and so does one without an effect.
"""

import functools
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import models
import numpy as np
import pytest
import soundfile
import speakers
import synthesis_toys
import torch
import toys
from safetensors.torch import load_file

from sure import registry
from sure.backbones import recompute
from sure.config import Config, make_config
from sure.data import dataset
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.synthesis.features import compute
from sure.data.tables import format_table, read_table
from sure.decode.record import decoded_folder
from sure.decode.synthesis import synthesize_set
from sure.decode.text import make_decoding
from sure.errors import SureError
from sure.models import loading
from sure.models.build import build_model, build_task
from sure.stages.phonemize import phonemize
from sure.stages.tokenize import tokenize

Settings = dict[str, Any]  # by dotted key: {"train.epochs": 2}
PHRASES = ["abc", "cab a", "b", "a", "a b abc", "b cab a"]
BASE = {"petl": {"name": "lora", "rank": 2, "sites": "layer.1.attn.*"}, "train.epochs": 1, "train.batch_seconds": 2.0}
BASE |= {"train.lr_adapter": 3e-2, "train.lr_head": 3e-2, "train.device": "cpu", "backbone.weights": "random:wav2vec2"}


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """The folder in which all observers work, with corpora of tones and of synthesis."""
    folder = tmp_path_factory.mktemp("keys")
    for name, count in (("train", 6), ("more", 5), ("dev", 4), ("test", 4)):
        toys.make_set(folder, name, count)
    for task in ("language", "asr"):
        tokenize(config_of(folder, {"task": task}))
    for task in ("language", "asr", "phoneme", "verification", "transcription", "translation"):
        given = {**(TRANSCRIPTION if task.startswith("trans") else {}), "task": task}
        settings = {"tokenizer": config_of(folder, given).tokenizer, "language": "en"}
        registry.find("tasks", task).fit(models.utterances(task), folder / f"fitted_{task}", **settings)
    speakers.write_tokens(folder / "fitted_tts")
    for name, texts in (("phrases", PHRASES), ("bad", [2000 * "ab", *PHRASES[:5]])):  # more tokens than frames
        give_texts(shutil.copytree(folder / "data" / "train", folder / "data" / name), texts)
    (folder / "lexicon.txt").write_text("".join(f"{letter} {letter.upper()}H0\n" for letter in "abcd"))
    (folder / "words.txt").write_text("abc\n")
    soundfile.write(folder / "noise.wav", 0.1 * np.random.default_rng(0).normal(size=8000), 16000)
    for name, count in (("train", 3), ("dev", 2)):
        synthesis_toys.make_set(folder / "spoken", name, count)
    tokens = synthesis_toys.make_tokens(folder / "spoken")
    shutil.copy(tokens / "statistics.json", tokens.parent)
    models.write_adapter(folder, {"name": "lora", "rank": 2})
    return folder


def give_texts(data: Path, texts: list[str]) -> None:
    """Replace the texts of a data folder."""
    (data / "text").write_text(format_table(list(zip(read_table(data / "text"), texts, strict=True))))


def config_of(place: Path, settings: Settings) -> Config:
    """A small experiment on tones, or on the corpus for synthesis, with some settings changed. `@` is the place."""
    spoken = settings.get("task") == "tts"
    settings = {**BASE, **({"backbone.weights": "random:tiny"} if spoken else {}), **settings}
    changes = json.loads(json.dumps(settings).replace("@", str(place)))
    changes = {key.replace(".", "__"): value for key, value in changes.items()}
    return make_config(toys.settings(place / "spoken" if spoken else place, **changes), "test")


def new_folder(place: Path) -> Path:
    return place / f"new{len(list(place.glob('new*')))}"


# --- observers: from settings to plain values ---------------------------------------------------------------------


def trained(place: Path, settings: Settings) -> Any:
    """A whole training: its numbers, its weights, what was read and cached, and its end."""
    exp, reads, workers, threads = new_folder(place) / "seed1", [], [], torch.get_num_threads()
    recomputed: list[int] = []
    exp.mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        read, loader = dataset.read_audio, loading.DataLoader
        twice = recompute.checkpoint
        patch.setenv("WANDB_MODE", "offline")
        patch.setattr(recompute, "checkpoint", lambda *a, **more: recomputed.append(1) or twice(*a, **more))
        patch.setattr(dataset, "read_audio", lambda *a, **more: reads.append(1) or read(*a, **more))
        patch.setattr(
            loading, "DataLoader", lambda *a, **more: workers.append(more["num_workers"]) or loader(*a, **more)
        )
        try:
            config_of(place, settings).save(exp.parent / "config.yaml")
            toys.train.main(["--config", str(exp.parent / "config.yaml"), "--exp", str(exp)])
            end = f"trained with {torch.get_num_threads()} threads"
        except SureError as error:
            end = str(error).replace(str(exp), "")
        finally:
            torch.set_num_threads(threads)
    log = toys.read(exp / "train.log").splitlines()
    caches = [about.parent for about in place.rglob("about.json")]
    for cache in caches:
        shutil.rmtree(cache)  # the next training is to read and compute, too
    best, saved = exp / "best.safetensors", exp / "checkpoints" / "previous.pt"
    return {
        "end": end,
        "metrics": [toys.strip(line) for line in toys.read(exp / "metrics.jsonl").splitlines()],
        "weights": plain(load_file(best)) if best.exists() else None,
        "within an epoch": torch.load(saved, weights_only=True)["state"]["batches"] if saved.exists() else None,
        "reads": len(reads),
        "recomputed": len(recomputed),
        "workers": sorted(set(workers)),
        "cache": [line.partition("INFO ")[2].partition(", 0 MB")[0] for line in log if "prefix cache" in line],
        "cache folders": sorted(cache.parent.name for cache in caches),
        "tracked": (exp / "track.json").exists(),
        "left out": [line.partition("WARNING ")[2] for line in log if "left out" in line],
    }


def stepped(place: Path, settings: Settings) -> Any:
    """A step of a model away from its start: names, rates, loss, gradients; and scores of the task."""
    config = config_of(place, settings)
    task = build_task(config, place / f"fitted_{config.task}")
    scores = task.score({"a": "AA1 B"}, {"a": "AA0 B"}) if config.task == "phoneme" else task.score_name
    model = build_model(config, task).train()
    start = plain(model.state())
    models.disturb(model)
    torch.manual_seed(5)
    if config.task == "tts":
        batch = speakers.batch(model, given=not model.finds_durations)
        batch.progress = 0.5
        if config.head.speaker == "vector":
            batch.speakers = torch.ones(len(batch.speakers), config.head.vector)
        loss = model(batch).sum()
    else:
        targets = [model.task.target(utterance) for utterance in models.utterances(config.task)]
        loss = model.losses(model.encode(models.waves(), models.LENGTHS), targets).sum()
    loss.backward()
    groups = model.parameter_groups()
    gradients = {name: each.grad for group in groups.values() for name, each in group.items() if each.grad is not None}
    rates = model.attachment.rates(config.train.lr_adapter)
    return {"start": start, "loss": loss.item(), "gradients": plain(gradients), "rates": rates, "scores": scores}


def stage3(place: Path, settings: Settings) -> Any:
    """Files of stage 3, by their place in the corpus."""
    folder, spoken = new_folder(place), settings["task"] == "tts"
    text = {"phoneme": "AA1 B AA0", "tts": ""}.get(settings["task"], "abc 3 dab")
    shutil.copytree(place / "spoken" / "data" if spoken else place / "data", folder / "data")
    for name, count in () if spoken else (("train", 6), ("dev", 4)):
        give_texts(folder / "data" / name, count * ["ab ca" if "tokenizer.lexicon" in settings else text])
    where = {"data.train": str(folder / "data" / "train"), "data.valid": str(folder / "data" / "dev")}
    where["tokenizer.folder"] = str(folder / settings.get("tokenizer.folder", "tokens"))
    config = config_of(place, settings | where)
    try:
        phonemize(config, None, "skip") if spoken else tokenize(config)
    except SureError as error:
        return str(error)
    files = [path for path in folder.rglob("*") if path.is_file() and "tokens" in path.parent.name]
    return {str(path.relative_to(folder)): digest(path.read_bytes()) for path in files}


def features(place: Path, settings: Settings) -> Any:
    """Acoustic features of a voice of 110 Hz after near silence."""
    rate, time = 22050, np.arange(22050) / 22050
    phase = 2 * np.pi * np.cumsum(110 * (1 + 0.03 * np.sin(2 * np.pi * 3 * time))) / rate
    voice = sum(0.2 / number * np.sin(number * phase) for number in range(1, 20)) * np.sin(np.pi * time)
    wave = np.concatenate([1e-4 * np.random.default_rng(0).normal(size=8000), voice])
    soundfile.write(place / "voice.wav", wave, rate)
    found = compute(Utterance("u", str(place / "voice.wav")), config_of(place, settings).acoustic)
    return [*map(digest, found[:3]), found.start]


def decoded(place: Path, settings: Settings) -> Any:
    """Texts that an ASR model finds in noise; the names of its folders; its batches."""
    config = config_of(place, {"task": "asr", "data.train": "@/data/phrases", **settings})
    model = build_model(config, build_task(config, place / "fitted_asr")).eval()
    models.disturb(model, 0.1)
    decoding = make_decoding(place, config, model)
    texts = decoding.decode(models.waves(), models.LENGTHS), decoding.record["settings"].get("precision")
    batches = loading.audio_batches(read_data_dir(config.data.train), model.backbone, config)
    names = decoded_folder(place, config, "test").name, config.data.sets()
    return texts, names, [len(batch.ids) for batch in batches]


def generated(place: Path, settings: Settings) -> Any:
    """Tokens that a recogniser's decoder finds in noise."""
    config = config_of(place, settings)
    model = build_model(config, build_task(config, place / "fitted_transcription")).eval()
    models.disturb(model, 0.1)
    prompts = model.task.prompt(model.task.language).repeat(len(models.LENGTHS), 1)
    return [one.tokens for one in model.generate(model.encode(models.waves(), models.LENGTHS), prompts)]


def spoken(place: Path, settings: Settings) -> Any:
    """The waveforms of stage 5 of synthesis."""
    config, out = config_of(place, {"task": "tts", **settings}), new_folder(place)
    try:
        synthesize_set(config, build_model(config, build_task(config)).eval(), config.data.valid, out, [])
    except SureError as error:
        return str(error)
    return [digest(path.read_bytes()) for path in sorted(out.glob("wav/*.wav"))]


def plain(tensors: dict[str, torch.Tensor]) -> dict[str, str]:
    """Shapes and digests: short enough for the message of a test that fails."""
    return {name: f"{list(tensor.shape)} {digest(tensor.numpy())}" for name, tensor in tensors.items()}


def digest(content: Any) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.tobytes()).hexdigest()[:12]


@functools.cache
def observed(observe: Any, place: Path, settings: str) -> Any:
    """Many keys are compared with the same settings."""
    return observe(place, json.loads(settings))


# --- the table: observer, section, values of its keys, further settings on both sides -----------------------------

BEAM = {"decode.method": "beam", "decode.min_probability": 0.0, "decode.margin": 50.0}
NOISE = {"augment.noise_snr_db": [5.0, 20.0]}
ASR, PHONEME, VERIFICATION, TTS = ({"task": task} for task in ("asr", "phoneme", "verification", "tts"))
TRANSCRIPTION: Settings = {"task": "transcription", "backbone.name": "whisper", "backbone.weights": "random:toy"}
TRANSCRIPTION |= {"head": {}}
SHORT = {"decode.generation": {"max_tokens": 9}}
BAD = ASR | {"data.train": "@/data/bad"}
STILL = {"train.lr_adapter": 0.0, "train.lr_head": 0.0}
ALL_SITES = {"seed": 3, "petl.sites": "layer.*.attn.* layer.*.ffn.*"}
TABLE = [
    (trained, "", {"task": "asr"}, {}),
    (stepped, "", {"seed": 2}, {}),
    (trained, "data", {"train": "@/data/more", "valid": "@/data/test", "min_seconds": 0.5, "max_seconds": 0.8}, {}),
    (trained, "data", {"on_bad_utterance": "skip"}, BAD | {"data.max_bad_percent": 90.0}),
    (trained, "data", {"max_bad_percent": 90.0}, BAD | {"data.on_bad_utterance": "skip"}),
    (trained, "data", {"cache_gigabytes": 0.0}, {"train.prefix_cache": "off", "train.epochs": 2}),
    (decoded, "data", {"tests": ["@/data/more"]}, {}),
    (stage3, "tokenizer", {"kind": "unigram"}, ASR | {"tokenizer.size": 8}),
    (stage3, "tokenizer", {"size": 9}, ASR | {"tokenizer.kind": "bpe", "tokenizer.size": 8}),
    (stage3, "tokenizer", {"lexicon": "@/lexicon.txt", "fold": "no_stress"}, PHONEME),
    (stage3, "tokenizer", {"folder": "other_tokens"}, ASR),
    (stage3, "tokenizer", {"recognizer": "@/absent"}, TRANSCRIPTION),
    (stage3, "text", {"language": "de"}, ASR),
    (stage3, "text", {"phones": "cmudict"}, TTS | {"text.language": "de"}),
    (features, "acoustic", {"sample_rate": 16000, "fft_size": 2048, "hop_size": 512, "window_size": 512}, {}),
    (features, "acoustic", {"mels": 40, "mel_low_hz": 50.0, "mel_high_hz": 7000.0, "mel_floor": 1e-2}, {}),
    (features, "acoustic", {"pitch_low_hz": 200.0, "pitch_high_hz": 80.0, "pitch_confidence": 0.99}, {}),
    (features, "acoustic", {"trim_db": None, "trim_margin_seconds": 0.2}, {}),
    (stepped, "backbone", {"name": "wavlm"}, {"backbone.name": "wav2vec2", "backbone.weights": "random:tiny"}),
    (stepped, "backbone", {"weights": "random:wavlm", "layers": "weighted_sum", "padding": "as_trained"}, {}),
    (stepped, "backbone", {"frozen_weights": "nf4"}, {}),
    (trained, "train", {"epochs": 2, "batch_seconds": 0.1, "accumulate": 2, "lr_adapter": 1e-3, "lr_head": 1e-3}, {}),
    (trained, "train", {"weight_decay": 0.5, "warmup": 0.9, "hold": 0.5, "clip": 1e-9, "precision": "bf16"}, {}),
    (trained, "train", {"prefix_cache": "off", "save_minutes": 1e-9, "threads": 2}, {}),
    (trained, "train", {"prefix_cache_folder": "@/elsewhere", "prefix_cache_disk_gigabytes": 0.0}, {}),
    (trained, "train", {"prefix_cache_gigabytes": 0.0}, {"train.prefix_cache_disk_gigabytes": 0.0}),
    (trained, "train", {"device": "cuda:99", "explode": 1e-3}, {}),
    (trained, "train", {"patience": 1}, STILL | {"train.epochs": 3}),
    (trained, "train", {"recompute_layers": True, "memory": "1mb"}, {}),
    (trained, "train", {"workers": 1}, {"train.prefix_cache": "off"}),
    (trained, "train", {"track": "wandb"}, {}),
    (decoded, "decode", {"method": "beam", "batch_seconds": 1.0}, {}),
    (decoded, "decode", {"name": "other", "beam": 1, "margin": 0.1, "min_probability": 0.9, "ngram": "none"}, BEAM),
    (decoded, "decode", {"lexicon": "@/words.txt", "weight": 5.0, "word_score": 20.0, "unknown": 0.0}, BEAM),
    (decoded, "decode", {"precision": "int8"}, {}),
    (decoded, "decode", {"order": 1}, BEAM | {"decode.weight": 3.0}),
    (generated, "decode", {"generation": {"max_tokens": 3}}, TRANSCRIPTION | SHORT),
    (generated, "decode", {"generation": {"tokens_per_second": 0.1}}, TRANSCRIPTION | SHORT),
    (spoken, "decode", {"vocoder": "absent.pt"}, {}),
    (trained, "augment", {"speed": [0.8], "noise_snr_db": [5.0, 20.0], "time_masks": 2, "channel_masks": 2}, {}),
    (trained, "augment", {"noise_probability": 0.2, "noise": "pink", "noise_files": "@/noise.wav.list"}, NOISE),
    (trained, "augment", {"time_mask_frames": 2}, {"augment.time_masks": 2, "augment.time_mask_share": 1.0}),
    (trained, "augment", {"time_mask_share": 1.0}, {"augment.time_masks": 5, "augment.time_mask_frames": 90}),
    (trained, "augment", {"channel_mask_width": 4}, {"augment.channel_masks": 2}),
    (stepped, "petl", {"name": "dora", "sites": "layer.0.attn.q", "lr": 1e-4, "layer_decay": 0.5}, {}),
    (stepped, "petl", {"start": "@/bundle0"}, ALL_SITES),
    (stepped, "petl", {"trains": False}, ALL_SITES | {"petl.start": "@/bundle0"}),
    (stepped, "head.asr", {"dropout": 0.5}, ASR),
    (stepped, "head.emotion", {"dropout": 0.5, "class_weights": "balanced", "label_smoothing": 0.2}, {}),
    (stepped, "head.emotion", {"score": "macro_f1"}, {}),
    (stepped, "head.phoneme", {"dropout": 0.5, "score_fold": "no_stress"}, PHONEME),
    (stepped, "head.transcription", {"label_smoothing": 0.2, "accents": False}, TRANSCRIPTION),
    (stepped, "head.translation", {"label_smoothing": 0.2}, TRANSCRIPTION | {"task": "translation"}),
    (stepped, "head.verification", {"dropout": 0.5, "pooling": "mean", "embedding": 8}, VERIFICATION),
    (stepped, "head.verification", {"scale": 3.0, "margin": 0.1}, VERIFICATION),
    (stepped, "head.tts", {"speaker": "none", "trains": "postnet", "durations": "given"}, TTS),
    (stepped, "head.tts", {"vector": 8}, TTS | {"head.speaker": "vector"}),
    (stepped, "head.tts", {"mel": 3.0, "duration": 3.0, "pitch": 3.0, "energy": 3.0}, TTS | {"petl": "full"}),
    (stepped, "head.tts", {"alignment": 3.0, "match": 3.0, "binarisation": 3.0}, TTS | {"petl": "full"}),
    (trained, "head.tts", {"binarise_from": 1.0}, TTS | {"train.epochs": 2, "petl": "full"}),
]
CASES = {f"{section}.{key}".strip("."): row for row in TABLE for section in [row[1]] for key in row[2]}

# Values of the settings of methods, whatever the method; then those of one method.
METHODS: Settings = {"width": 4, "activation": "tanh", "dropout": 0.5, "scale": 3.0, "variant": "paper", "rank": 3}
METHODS |= {
    "alpha": 5.0,
    "length": 3,
    "init": "orthogonal",
    "rslora": True,
    "b_rate": 4.0,
    "reduction": 4,
    "factors": 2,
}
METHODS |= {"convolutions": "freeze", "kernels": [3, 3, 3], "reparametrise": True, "hidden": 5, "heads": 2, "ffn": 2}
METHODS |= {"compacter.width": 8, "conv_adapter.width": 8, "modules.sites": "postnet", "full.stack": "decoder"}


def case_of_method(method: str, setting: str) -> tuple:
    """The method's default settings, and one of them changed."""
    config = registry.find("petl", method).Config
    sites = config.model_fields["sites"].default.replace("*", "0", 1).partition(" ")[0]
    value = METHODS.get(f"{method}.{setting}") or {**METHODS, "sites": sites}[setting]
    needs = {"stack": TRANSCRIPTION}.get(setting, {}) if registry.find("petl", method).encoders else TTS
    hidden = {"petl.reparametrise": True} if setting == "hidden" else {}
    return stepped, "petl", {setting: value}, {**needs, "petl": {"name": method}, **hidden}


def keys() -> Iterator[str]:
    """All keys of a page that test_config.py compares with the code; those of methods and heads as `petl.lora.rank`."""
    owner = ""
    for line in (Path(__file__).parents[1] / "docs" / "configuration.md").read_text().splitlines():
        if line.startswith("## "):
            owner = "".join(re.findall(r", for `(?:task:` `|petl.name: )(\w+)`", line))
        elif line.startswith("| `"):
            section, _, key = line.split("`")[1].rpartition(".")
            yield ".".join(filter(None, (section, owner, key)))


@pytest.mark.parametrize("key", keys())
def test_every_key_changes_something(place, key):
    section, _, name = key.rpartition(".")
    observe, _, values, needs = case_of_method(section[5:], name) if section.startswith("petl.") else CASES[key]
    in_config = f"{section.partition('.')[0]}.{name}".strip(".")
    before = observed(observe, place, json.dumps(needs))
    assert before != observe(place, needs | {in_config: values[name]})


@pytest.mark.parametrize("observe", [trained, stepped, decoded, features])
def test_the_same_settings_give_the_same(place, observe):
    assert observed(observe, place, "{}") == observe(place, {})


AUGMENTED = {"augment.time_masks": 3, "augment.channel_masks": 3}, {"augment.speed": [0.8]}, NOISE


@pytest.mark.parametrize("augment", AUGMENTED, ids=["masks", "speed", "noise"])
def test_dev_is_never_augmented(place, augment):
    """Without learning, dev losses are those of the model; only training losses know of augmentation."""
    read = STILL | {"train.prefix_cache": "off"}  # cached utterances are not read
    (without,), (augmented,) = (trained(place, read | more)["metrics"] for more in ({}, augment))
    assert augmented["dev_loss"] == pytest.approx(without["dev_loss"], rel=1e-5)
    assert augmented["train_loss"] != pytest.approx(without["train_loss"], rel=1e-3)


def test_new_weights_follow_the_seed(place):
    one, other = (observed(stepped, place, json.dumps({"seed": seed}))["start"] for seed in (1, 2))
    assert one["head/output.weight"] != other["head/output.weight"]
