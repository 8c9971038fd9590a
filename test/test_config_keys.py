"""Every key of the configuration changes something.

Each key has a value that differs from its default, the settings it needs, and an observer: the results of a stage or
of a step of training, as plain values. A key that is not in the table fails, and so does one without an effect.
"""

import functools
import hashlib
import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import models
import numpy as np
import pytest
import soundfile
import speakers
import synthesis_toys
import torch
import toys
from pydantic import BaseModel
from safetensors.torch import load_file

from sure import registry
from sure.bin import train
from sure.config import Config, make_config
from sure.data import dataset
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.synthesis.features import compute
from sure.decode.record import decoded_folder
from sure.decode.synthesis import synthesize_set
from sure.decode.text import make_decoding
from sure.errors import SureError
from sure.models import loading
from sure.models.build import build_model, build_task
from sure.petl.base import PetlConfig
from sure.petl.bundle import write_bundle
from sure.stages.phonemize import phonemize
from sure.stages.tokenize import tokenize

Settings = dict[str, Any]  # by dotted key: {"train.epochs": 2}
LORA = {"name": "lora", "rank": 2}
PHRASES = ["abc", "cab a", "b", "a", "a b abc", "b cab a"]
BASE = {"petl": {**LORA, "sites": "layer.1.attn.*"}, "train.epochs": 1, "train.batch_seconds": 2.0}
BASE |= {"train.lr_adapter": 3e-2, "train.lr_head": 3e-2, "train.device": "cpu", "backbone.weights": "random:wav2vec2"}


class Case(NamedTuple):
    """observe: called with settings. value: of the key in question. needs: further settings, on both sides."""

    observe: Any
    value: Any
    needs: Settings = {}


# --- the data: tones for recognition, two utterances for synthesis ------------------------------------------------


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """The folder in which all observers work; corpora are made once."""
    folder = tmp_path_factory.mktemp("keys")
    for name, count in (("train", 6), ("more", 5), ("dev", 4), ("test", 4)):
        toys.make_set(folder, name, count)
    for task in ("language", "asr"):
        tokenize(config_of(folder, {"task": task}))
    for task in ("language", "asr", "phoneme", "verification"):
        settings = {"tokenizer": config_of(folder, {"task": task}).tokenizer, "language": "en"}
        registry.find("tasks", task).fit(models.utterances(task), folder / f"fitted_{task}", **settings)
    speakers.write_tokens(folder / "fitted_tts")
    for name in ("phrases", "bad"):
        shutil.copytree(folder / "data" / "train", folder / "data" / name)
    give_texts(folder / "data" / "phrases", PHRASES)
    give_texts(folder / "data" / "bad", [2000 * "ab", *PHRASES])  # the first has more tokens than frames
    (folder / "lexicon.txt").write_text("".join(f"{letter} {letter.upper()}H0\n" for letter in "abcd"))
    (folder / "words.txt").write_text("abc\n")
    noise = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    soundfile.write(folder / "noise.wav", 0.1 * noise, 16000)
    for name, count in (("train", 3), ("dev", 2)):
        synthesis_toys.make_set(folder / "spoken", name, count)
    tokens = synthesis_toys.make_tokens(folder / "spoken")
    shutil.copy(tokens / "statistics.json", tokens.parent)
    config = config_of(folder, {"petl": LORA})
    model = build_model(config, build_task(config))
    models.disturb(model)
    write_bundle(folder / "bundle", model.bundle(config, folder / "tokens_language"))
    return folder


def give_texts(data: Path, texts: list[str]) -> None:
    """Replace the texts of a data folder by these, in turn."""
    ids = [line.split(" ")[0] for line in (data / "text").read_text().splitlines()]
    (data / "text").write_text("".join(f"{id} {text}\n" for id, text in zip(ids, itertools.cycle(texts), strict=False)))


def config_of(place: Path, settings: Settings) -> Config:
    """A small experiment on tones, or on the corpus for synthesis, with some settings changed. `@` is the place."""
    spoken = settings.get("task") == "tts"
    settings = {**BASE, **({"backbone.weights": "random:tiny"} if spoken else {}), **settings}
    changes = {key.replace(".", "__"): value for key, value in settings.items()}
    changes = json.loads(json.dumps(changes).replace("@", str(place)))
    given = synthesis_toys.settings(place / "spoken", **changes) if spoken else toys.settings(place, **changes)
    return make_config(given, "test")


@functools.cache
def unchanged(observe: Callable[[Path, Settings], Any], place: Path, needs: str) -> Any:
    """Many keys are compared with the same settings."""
    return observe(place, json.loads(needs))


# --- observers: from settings to plain values ---------------------------------------------------------------------


def trained(place: Path, settings: Settings) -> Any:
    """A whole training: its numbers, its weights, what was read and cached, and its end."""
    exp = place / f"exp{len(list(place.glob('exp*')))}" / "seed1"
    exp.mkdir(parents=True)
    reads, workers, threads = [], [], torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        read, loader = dataset.read_audio, loading.DataLoader
        patch.setattr(dataset, "read_audio", lambda *args, **more: reads.append(args) or read(*args, **more))
        patch.setattr(
            loading, "DataLoader", lambda *a, **more: workers.append(more["num_workers"]) or loader(*a, **more)
        )
        try:
            config_of(place, settings).save(exp.parent / "config.yaml")
            train.main(["--config", str(exp.parent / "config.yaml"), "--exp", str(exp)])
            end = f"trained with {torch.get_num_threads()} threads"
        except SureError as error:
            end = str(error).replace(str(exp), "")
        finally:
            torch.set_num_threads(threads)
    log = toys.read(exp / "train.log").splitlines()
    metrics, best, saved = exp / "metrics.jsonl", exp / "best.safetensors", exp / "checkpoints" / "previous.pt"
    return {
        "end": end,
        "metrics": [toys.strip(line) for line in toys.read(metrics).splitlines()],
        "weights": plain(load_file(best)) if best.exists() else None,
        "within an epoch": torch.load(saved, weights_only=True)["state"]["batches"] if saved.exists() else None,
        "reads": len(reads),
        "workers": sorted(set(workers)),
        "cache": [line.partition("INFO ")[2].partition(", 0 MB")[0] for line in log if "prefix cache" in line],
        "left out": [line.partition("WARNING ")[2] for line in log if "left out" in line],
    }


def stepped(place: Path, settings: Settings) -> Any:
    """A step of a model away from its start: names, rates, loss, gradients; and scores of the task."""
    config = config_of(place, settings)
    task = build_task(config, place / f"fitted_{config.task}")
    scores = task.score({"a": "AA1 B"}, {"a": "AA0 B"}) if config.task == "phoneme" else None
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
    gradients = {name: each.grad for group in groups.values() for name, each in group.items()}
    rates = model.attachment.rates(config.train.lr_adapter)
    return {"start": start, "loss": loss.item(), "gradients": plain(gradients), "rates": rates, "scores": scores}


def stage3(place: Path, settings: Settings) -> Any:
    """Files of stage 3, by their place in the corpus."""
    folder = place / f"stage3_{len(list(place.glob('stage3_*')))}"
    spoken, text = settings["task"] == "tts", "abc 3 dab" if settings["task"] == "asr" else "AA1 B AA0"
    shutil.copytree(place / "spoken" / "data" if spoken else place / "data", folder / "data")
    for name in () if spoken else ("train", "dev"):
        give_texts(folder / "data" / name, ["ab ca" if "tokenizer.lexicon" in settings else text])
    where = {"data.train": str(folder / "data" / "train"), "data.valid": str(folder / "data" / "dev")}
    config = config_of(place, {"tokenizer.folder": str(folder / "tokens"), **settings, **where})
    if settings.get("tokenizer.folder"):
        config.tokenizer.folder = str(folder / settings["tokenizer.folder"])
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
    wave = np.concatenate([1e-4 * np.random.default_rng(0).normal(size=8000), voice]).astype(np.float32)
    soundfile.write(place / "voice.wav", wave, rate)
    found = compute(Utterance("u", str(place / "voice.wav")), config_of(place, settings).acoustic)
    return [*map(digest, found[:3]), found.start]


def decoded(place: Path, settings: Settings) -> Any:
    """Texts that an ASR model finds in noise; the names of its folders; its batches."""
    config = config_of(place, {"task": "asr", "data.train": "@/data/phrases", **settings})
    model = build_model(config, build_task(config, place / "fitted_asr")).eval()
    models.disturb(model, 0.1)
    decode = make_decoding(place, config, model).decode
    batches = loading.audio_batches(read_data_dir(config.data.train), model.backbone, config)
    return {
        "texts": decode(models.waves(), models.LENGTHS),
        "folder": decoded_folder(place, config, "test").name,
        "batches": [len(batch.ids) for batch in batches],
    }


def spoken(place: Path, settings: Settings) -> Any:
    """The waveforms of stage 5 of synthesis."""
    config = config_of(place, {"task": "tts", **settings})
    model = build_model(config, build_task(config)).eval()
    out = place / f"spoken_{len(list(place.glob('spoken_*')))}"
    try:
        synthesize_set(config, model, config.data.valid, out, [])
    except SureError as error:
        return str(error)
    return [digest(path.read_bytes()) for path in sorted(out.glob("wav/*.wav"))]


def sets(place: Path, settings: Settings) -> Any:
    return config_of(place, settings).data.sets()


def plain(tensors: dict[str, torch.Tensor | None]) -> dict[str, str]:
    """Shapes and digests: short enough for the message of a test that fails."""
    return {
        name: "" if tensor is None else f"{list(tensor.shape)} {digest(tensor.numpy())}"
        for name, tensor in tensors.items()
    }


def digest(content: Any) -> str:
    return hashlib.sha256(content if isinstance(content, bytes) else content.tobytes()).hexdigest()[:12]


# --- the table ----------------------------------------------------------------------------------------------------

SEARCH = {"decode.method": "beam", "decode.min_probability": 0.0, "decode.margin": 50.0}
NOISE = {"augment.noise_snr_db": [5.0, 20.0]}
SPOKEN = {"task": "tts"}
BAD = {"task": "asr", "data.train": "@/data/bad"}
KEYS: dict[str, Case] = {
    "task": Case(trained, "asr"),
    "seed": Case(stepped, 2),
    "data.train": Case(trained, "@/data/more"),
    "data.valid": Case(trained, "@/data/test"),
    "data.tests": Case(sets, ["@/data/more"]),
    "data.min_seconds": Case(trained, 0.5),
    "data.max_seconds": Case(trained, 0.8),
    "data.on_bad_utterance": Case(trained, "skip", BAD | {"data.max_bad_percent": 90.0}),
    "data.max_bad_percent": Case(trained, 90.0, BAD | {"data.on_bad_utterance": "skip"}),
    "data.cache_gigabytes": Case(trained, 0.0, {"train.prefix_cache": "off", "train.epochs": 2}),
    "tokenizer.kind": Case(stage3, "unigram", {"task": "asr", "tokenizer.size": 8}),
    "tokenizer.size": Case(stage3, 9, {"task": "asr", "tokenizer.kind": "bpe", "tokenizer.size": 8}),
    "tokenizer.lexicon": Case(stage3, "@/lexicon.txt", {"task": "phoneme"}),
    "tokenizer.fold": Case(stage3, "no_stress", {"task": "phoneme"}),
    "tokenizer.folder": Case(stage3, "other_tokens", {"task": "asr"}),
    "text.language": Case(stage3, "de", {"task": "asr"}),
    "text.phones": Case(stage3, "cmudict", {"task": "tts", "text.language": "de"}),
    "acoustic.sample_rate": Case(features, 16000),
    "acoustic.fft_size": Case(features, 2048),
    "acoustic.hop_size": Case(features, 512),
    "acoustic.window_size": Case(features, 512),
    "acoustic.mels": Case(features, 40),
    "acoustic.mel_low_hz": Case(features, 50.0),
    "acoustic.mel_high_hz": Case(features, 7000.0),
    "acoustic.mel_floor": Case(features, 1e-2),
    "acoustic.pitch_low_hz": Case(features, 200.0),
    "acoustic.pitch_high_hz": Case(features, 80.0),
    "acoustic.pitch_confidence": Case(features, 0.99),
    "acoustic.trim_db": Case(features, None),
    "acoustic.trim_margin_seconds": Case(features, 0.2),
    "backbone.name": Case(stepped, "wavlm", {"backbone.name": "wav2vec2", "backbone.weights": "random:tiny"}),
    "backbone.weights": Case(stepped, "random:wavlm"),
    "backbone.layers": Case(stepped, "weighted_sum"),
    "backbone.padding": Case(stepped, "as_trained"),
    "train.epochs": Case(trained, 2),
    "train.batch_seconds": Case(trained, 9.0),
    "train.accumulate": Case(trained, 2),
    "train.lr_adapter": Case(trained, 1e-3),
    "train.lr_head": Case(trained, 1e-3),
    "train.weight_decay": Case(trained, 0.5),
    "train.warmup": Case(trained, 0.9),
    "train.hold": Case(trained, 0.5),
    "train.clip": Case(trained, 1e-9),
    "train.patience": Case(trained, 1, {"train.epochs": 3, "train.lr_adapter": 0.0, "train.lr_head": 0.0}),
    "train.precision": Case(trained, "bf16"),
    "train.prefix_cache": Case(trained, "off"),
    "train.prefix_cache_gigabytes": Case(trained, 0.0),
    "train.save_minutes": Case(trained, 1e-9),
    "train.workers": Case(trained, 1, {"train.prefix_cache": "off"}),
    "train.threads": Case(trained, 2),
    "train.device": Case(trained, "cuda:99"),
    "train.explode": Case(trained, 1e-3),
    "decode.method": Case(decoded, "beam"),
    "decode.batch_seconds": Case(decoded, 1.0),
    "decode.vocoder": Case(spoken, "absent.pt"),
    "decode.name": Case(decoded, "other", SEARCH),
    "decode.beam": Case(decoded, 1, SEARCH),
    "decode.margin": Case(decoded, 0.1, SEARCH),
    "decode.min_probability": Case(decoded, 0.9, SEARCH),
    "decode.ngram": Case(decoded, "none", SEARCH),
    "decode.order": Case(decoded, 1, SEARCH | {"decode.weight": 3.0}),
    "decode.lexicon": Case(decoded, "@/words.txt", SEARCH),
    "decode.weight": Case(decoded, 5.0, SEARCH),
    "decode.word_score": Case(decoded, 20.0, SEARCH),
    "decode.unknown": Case(decoded, 0.0, SEARCH),
    "augment.speed": Case(trained, [0.8]),
    "augment.noise_snr_db": Case(trained, [5.0, 20.0]),
    "augment.noise_probability": Case(trained, 0.2, NOISE),
    "augment.noise": Case(trained, "pink", NOISE),
    "augment.noise_files": Case(trained, "@/noise.wav.list", NOISE),
    "augment.time_masks": Case(trained, 2),
    "augment.time_mask_frames": Case(trained, 2, {"augment.time_masks": 2, "augment.time_mask_share": 1.0}),
    "augment.time_mask_share": Case(trained, 1.0, {"augment.time_masks": 5, "augment.time_mask_frames": 90}),
    "augment.channel_masks": Case(trained, 2),
    "augment.channel_mask_width": Case(trained, 4, {"augment.channel_masks": 2}),
    "petl.name": Case(stepped, "dora"),
    "petl.sites": Case(stepped, "layer.0.attn.q"),
    "petl.lr": Case(stepped, 1e-4),
    "petl.layer_decay": Case(stepped, 0.5),
    "petl.start": Case(stepped, "@/bundle", {"petl.sites": "layer.*.attn.* layer.*.ffn.*"}),
    "petl.trains": Case(stepped, False, {"petl.start": "@/bundle", "petl.sites": "layer.*.attn.* layer.*.ffn.*"}),
    "head.base.dropout": Case(stepped, 0.5, {"task": "asr"}),
    "head.classification.dropout": Case(stepped, 0.5),
    "head.classification.class_weights": Case(stepped, "balanced"),
    "head.classification.label_smoothing": Case(stepped, 0.2),
    "head.phoneme.dropout": Case(stepped, 0.5, {"task": "phoneme"}),
    "head.phoneme.score_fold": Case(stepped, "no_stress", {"task": "phoneme"}),
    "head.verification.dropout": Case(stepped, 0.5, {"task": "verification"}),
    "head.verification.pooling": Case(stepped, "mean", {"task": "verification"}),
    "head.verification.embedding": Case(stepped, 8, {"task": "verification"}),
    "head.verification.scale": Case(stepped, 3.0, {"task": "verification"}),
    "head.verification.margin": Case(stepped, 0.1, {"task": "verification"}),
    "head.tts.speaker": Case(stepped, "none", SPOKEN),
    "head.tts.vector": Case(stepped, 8, SPOKEN | {"head.speaker": "vector"}),
    "head.tts.trains": Case(stepped, "postnet", SPOKEN),
    "head.tts.durations": Case(stepped, "given", SPOKEN),
    "head.tts.binarise_from": Case(trained, 1.0, SPOKEN | {"train.epochs": 2, "petl": "full"}),
} | {
    f"head.tts.{loss}": Case(stepped, 3.0, SPOKEN | {"petl": {"name": "full"}})
    for loss in ("mel", "duration", "pitch", "energy", "alignment", "match", "binarisation")
}

# Values of the settings of methods, whatever the method; then those of one method, with the settings they need.
METHODS: dict[str, Any] = {
    "width": 4,
    "activation": "tanh",
    "dropout": 0.5,
    "scale": 3.0,
    "variant": "paper",
    "rank": 3,
    "alpha": 5.0,
    "length": 3,
    "init": "orthogonal",
    "rslora": True,
    "b_rate": 4.0,
}
METHOD: dict[str, tuple[Any, Settings]] = {
    "full.convolutions": ("freeze", {}),
    "compacter.width": (8, {}),
    "compacter.factors": (2, {}),
    "conv_adapter.width": (8, {}),
    "conv_adapter.kernels": ([3, 3, 3], {}),
    "conv_adapter.reduction": (8, {}),
    "prefix.reparametrise": (True, {}),
    "prefix.hidden": (5, {"reparametrise": True}),
    "side_network.reduction": (4, {}),
    "side_network.heads": (2, {}),
    "side_network.ffn": (2, {}),
    "modules.sites": ("postnet", {}),
    "cnn_adapter.sites": ("conv.0", {}),
    "l_adapter.sites": ("layer.0.output", {}),
    "side_network.sites": ("layer.0.output", {}),
}


def case_of_method(key: str) -> Case:
    """`petl.lora.rank`: the method's default settings, and one of them changed."""
    _, method, setting = key.split(".")
    default = registry.find("petl", method).Config.model_fields[setting].default
    if setting == "sites" and f"{method}.sites" not in METHOD:
        value, needs = default.replace("*", "0", 1).partition(" ")[0], {}
    else:
        value, needs = METHOD.get(f"{method}.{setting}") or (METHODS[setting], {})
    task = {} if registry.find("petl", method).encoders else SPOKEN
    settings = {f"petl.{name}": given for name, given in needs.items()}
    return Case(stepped, value, {**task, "petl": {"name": method}, **settings})


def keys() -> list[str]:
    """Every key that a config can have, as `section.key`; settings of methods and heads with what defines them."""
    found = []
    for name, info in Config.model_fields.items():
        section = info.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            found += [f"{name}.{key}" for key in section.model_fields]
        elif name not in ("petl", "head"):
            found.append(name)
    found += [f"petl.{key}" for key in PetlConfig.model_fields]
    for method in registry.names("petl"):
        fields = registry.find("petl", method).Config.model_fields
        found += [f"petl.{method}.{key}" for key in fields if key not in PetlConfig.model_fields]
        found += [f"petl.{method}.sites"] if fields["sites"].default else []
    for task in registry.names("tasks"):
        settings = registry.find("tasks", task).Config
        found += [f"head.{settings.__module__.rpartition('.')[2]}.{key}" for key in settings.model_fields]
    return list(dict.fromkeys(found))


def test_the_table_has_no_key_that_there_is_not():
    assert not KEYS.keys() - set(keys())
    assert not {f"petl.{key}" for key in METHOD} - set(keys())


@pytest.mark.parametrize("key", keys())
def test_every_key_changes_something(place, key):
    case = case_of_method(key) if key.count(".") == 2 and key.startswith("petl.") else KEYS[key]
    in_config = key if key.count(".") < 2 else f"{key.partition('.')[0]}.{key.rpartition('.')[2]}"
    before = unchanged(case.observe, place, json.dumps(case.needs))
    assert before != case.observe(place, case.needs | {in_config: case.value})


@pytest.mark.parametrize("observe", [trained, stepped, decoded, features], ids=lambda observe: observe.__name__)
def test_the_same_settings_give_the_same(place, observe):
    assert observe(place, {}) == observe(place, {})


AUGMENTED = {"augment.time_masks": 3, "augment.channel_masks": 3}, {"augment.speed": [0.8]}, NOISE


@pytest.mark.parametrize("augment", AUGMENTED, ids=["masks", "speed", "noise"])
def test_dev_is_never_augmented(place, augment):
    """Without learning, dev losses are those of the model; only training losses know of augmentation."""
    still = {"train.lr_adapter": 0.0, "train.lr_head": 0.0}
    (without,), (augmented,) = (trained(place, still | more)["metrics"] for more in ({}, augment))
    assert augmented["dev_loss"] == pytest.approx(without["dev_loss"], rel=1e-5)
    assert augmented["train_loss"] != pytest.approx(without["train_loss"], rel=1e-3)


def test_new_weights_follow_the_seed(place):
    configs = [config_of(place, {"seed": seed}) for seed in (1, 1, 2)]
    one, same, other = (plain(build_model(config, build_task(config)).head.state_dict()) for config in configs)
    assert one == same != other
