"""train.memory: the estimate of the peak, the choice, and that a resumed training keeps it."""

import json
import multiprocessing
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from toys import RATE, make_corpus, settings, train_arguments, train_here

from sure.backbones.tiny import Family
from sure.config import make_config
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.models.build import build_task
from sure.train import memory
from sure.train.peak_memory import LiveBytes, largest_batches, peak_bytes

SECONDS = 4.0  # of each utterance
SHAPES = [  # family and shape, settings of the training
    ("whisper", "base", {}),
    pytest.param(
        *("wav2vec2", "tiny_large", {"train__precision": "bf16", "backbone__frozen_weights": "int8"}),
        marks=pytest.mark.slow,
    ),
    pytest.param(
        *("moonshine", "tiny", {"train__recompute_layers": True, "train__accumulate": 2}), marks=pytest.mark.slow
    ),
]

TRAIN = """
import multiprocessing, sys
from sure.bin import train
from sure.train import memory
memory.get_context = lambda _: multiprocessing.get_context("fork")  # spares the second import
train.main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The corpus of tones with utterances of noise in place of its training and dev set."""
    folder = make_corpus(tmp_path_factory.mktemp("memory"))
    noise = np.random.default_rng(1)
    for name, count in (("train", 4), ("dev", 2)):
        utterances = []
        for index in range(count):
            path = folder / "wav" / f"noise_{name}{index}.wav"
            soundfile.write(path, 0.1 * noise.standard_normal(int(SECONDS * RATE)), RATE)
            utterances.append(Utterance(f"{name}-{index:03d}", str(path), text="ab", labels={"label": "abcd"[index]}))
        data = write_data_dir(folder / "data" / name, utterances)
        (data / "utt2dur").write_text("".join(f"{one.id} {SECONDS}\n" for one in utterances))
    return folder


def short(corpus, **changes):
    """Settings of one epoch with batches of two utterances."""
    batches = {"train__batch_seconds": 2 * SECONDS, "decode__batch_seconds": SECONDS, "train__precision": "fp32"}
    return {"train__epochs": 1, "train__prefix_cache": "off", **batches, **changes}


@pytest.mark.parametrize(("family", "shape", "changes"), SHAPES)
def test_the_estimate_is_at_most_a_fifth_above_the_peak_and_never_below(corpus, tmp_path, family, shape, changes):
    backbone = {"backbone__name": family, "backbone__weights": f"random:{shape}", "train__memory": "99gb"}
    arguments = train_arguments(corpus, tmp_path / "exp", **short(corpus, **backbone, **changes))
    subprocess.run([sys.executable, "-c", TRAIN, *arguments], check=True, capture_output=True)
    estimate = json.loads((tmp_path / "exp" / "memory.json").read_text())["estimated_megabytes"]
    peak = json.loads((tmp_path / "exp" / "summary.json").read_text())["peak_memory_megabytes"]
    assert peak <= estimate <= 1.2 * peak


def config_of(corpus, **changes):
    return make_config(settings(corpus, **short(corpus, **changes)), "test")


def test_the_first_choice_that_fits_is_taken(corpus, monkeypatch):
    """With sizes by hand: 100 MB for each utterance of a batch, 40 with recomputed layers; 80, 20 or 10 for weights."""

    def size(config, task, seconds, training):
        batch = largest_batches(seconds, config.train.batch_seconds if training else config.decode.batch_seconds)[0][0]
        each = 40e6 if config.train.recompute_layers else 100e6 if training else 30e6
        return each * batch + {"auto": 80e6, "int8": 20e6, "nf4": 10e6}[config.backbone.frozen_weights]

    monkeypatch.setattr(memory, "peak_bytes", size)
    monkeypatch.setattr(memory, "SHARE", 1.0)
    monkeypatch.setattr(memory, "REST", 0.0)
    recomputed = {"train.recompute_layers": True}
    int8, nf4 = ({**recomputed, "backbone.frozen_weights": each} for each in ("int8", "nf4"))
    halved = {**nf4, "train.batch_seconds": SECONDS, "train.accumulate": 2}
    for limit, wanted, dev in [
        (280, {}, 2), (279, recomputed, 2), (160, recomputed, 2), (159, int8, 2), (99, nf4, 2), (89, halved, 1),
        (50, halved, 1),
    ]:  # fmt: skip
        config = config_of(corpus, train__memory=f"{limit}mb", decode__batch_seconds=2 * SECONDS)
        choice, estimate, _ = memory.choose(config, 0.0)
        assert {key: value for key, value in choice.items() if "cache" not in key and "decode" not in key} == wanted
        assert choice["decode.batch_seconds"] == dev * SECONDS and estimate <= 1e6 * limit
        caches = choice["train.prefix_cache_gigabytes"] + choice["data.cache_gigabytes"]
        assert caches * 1e9 <= 1e6 * limit - estimate + 1
    error = (
        "no choice fits; the least is about 50 MB with recomputed layers and frozen weights in nf4 and 2 batches of 4 s"
    )
    with pytest.raises(SureError, match=error):
        memory.choose(config_of(corpus, train__memory="49mb"), 0.0)


def test_exact_weights_stay_exact(corpus):
    for petl in ({"name": "dora"}, {"name": "full"}):
        names = [name for name, _ in memory.choices(config_of(corpus, petl=petl), SECONDS)]
        assert names == [
            "the settings as given",
            "recomputed layers",
            f"recomputed layers and 2 batches of {SECONDS:g} s a step",
        ]
    given = config_of(corpus, backbone__frozen_weights="fp32", train__recompute_layers=True)
    assert [choice.keys() for _, choice in memory.choices(given, SECONDS)][1:] == [
        {"train.batch_seconds", "train.accumulate"}
    ]


def test_a_resumed_training_keeps_the_choice(corpus, tmp_path, monkeypatch):
    changes = short(corpus, train__memory="99gb")
    monkeypatch.setattr(memory, "get_context", lambda _: multiprocessing.get_context("fork"))
    exp = train_here(corpus, tmp_path / "exp", **changes)
    record = json.loads((exp / "memory.json").read_text())
    assert record["why"].startswith("train.memory=99gb: the settings as given, about")
    assert record["why"] in (exp / "train.log").read_text()
    record["chosen"]["train.recompute_layers"] = True  # as an earlier version may have chosen
    (exp / "memory.json").write_text(json.dumps(record))
    monkeypatch.setattr(memory, "choose", None)
    assert "already finished" in (train_here(corpus, exp, **changes) / "train.log").read_text()
    assert "recompute_layers: true" in (exp / "config.yaml").read_text()


def test_live_bytes_count_each_memory_once_and_until_it_is_freed():
    with LiveBytes() as live:
        one = torch.zeros(1000)
        view, two = one.view(10, 100).t(), one + 1
        assert live.now == 8000
        del one
        assert live.now == 8000 and view.shape == (100, 10)
        del view
        assert live.now == 4000 and len(two) == 1000
    assert live.peak == 8000


@pytest.mark.parametrize(
    ("seconds", "batch_seconds", "batches"),
    [([2.0, 3.0, 9.0], 10.0, [(1, 9.0)]), ([5.0] * 9 + [6.0], 10.0, [(2, 5.0), (1, 6.0)]), ([4.0], 1.0, [(1, 4.0)])],
)
def test_largest_batches(seconds, batch_seconds, batches):
    assert largest_batches(seconds, batch_seconds) == batches


def test_a_skeleton_has_the_names_and_shapes_of_the_backbone(corpus, tmp_path):
    exact = Family.from_weights("random:wavlm")
    exact.save(tmp_path / "weights.safetensors")
    shapes = {name: each.shape for name, each in exact.state_dict().items()}
    for found in (Family.skeleton("random:wavlm"), type(exact).skeleton(str(tmp_path / "weights.safetensors"))):
        assert {name: each.shape for name, each in found.state_dict().items()} == shapes
        assert all(each.is_meta for each in found.parameters())


def test_what_cannot_be_computed_is_an_error(corpus):
    with pytest.raises(SureError, match="train.memory=8 gigs: expected a size such as 8gb or 900mb"):
        config_of(corpus, train__memory="8 gigs")
    config = config_of(corpus)
    whole = peak_bytes(config, build_task(config), [SECONDS], True)
    assert whole > peak_bytes(config, build_task(config), [SECONDS], False)
