"""The cache gives the outputs of the backbone, and it is off where it could not."""

import logging

import pytest
import torch
from toys import settings

from sure.config import make_config
from sure.data.audio import read_audio
from sure.data.data_dir import read_data_dir
from sure.models.build import build_model, build_task
from sure.train.feed_recognition import RecognitionFeed
from sure.train.prefix_cache import plan_cache

LAYERS = 3  # of tiny Moonshine
PROBE = {"petl": {"name": "linear_probe"}}
SUM = {"backbone__layers": "weighted_sum"}
METHODS = {
    "probe": (PROBE, LAYERS),
    "upper": ({"petl": {"name": "lora", "sites": "layer.[1-2].attn.*"}}, 1),
    "all": ({"petl": {"name": "bottleneck"}}, 0),
    "last": ({"petl": {"name": "prefix", "sites": "layer.2.attn"}}, 2),
    "sum": ({**PROBE, **SUM}, LAYERS),
    "sum of upper": ({"petl": {"name": "lora", "sites": "layer.2.attn.*"}, **SUM}, 2),
}


def make(corpus, **changes):
    config = make_config(settings(corpus, **changes), "test")
    return config, build_model(config, build_task(config)).eval()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("family", ["moonshine", "wavlm", "whisper"])
def test_cached_equals_computed(corpus, name, family):
    changes, depth = METHODS[name]
    config, model = make(corpus, **changes, backbone__weights=f"random:{family}")
    utterances = read_data_dir(config.data.train)[:5]
    feed = RecognitionFeed(utterances, model, config, budget=1e9, training=True)
    feed.fill_cache("the test")
    assert feed.cache.depth == depth or family != "moonshine"
    with torch.no_grad():
        for index, utterance in enumerate(utterances):  # alone: bit for bit
            taps, lengths = feed.cache.get([index])
            wave = read_audio(utterance.audio)
            whole = model.encode(wave[None], torch.tensor([len(wave)]))
            assert torch.equal(lengths, whole.lengths)
            assert torch.equal(model.outputs(model.encode_from(taps, lengths)), model.outputs(whole))
        batch = next(feed.batches([[0, 1, 2, 3, 4]]))  # in a batch: within rounding
        outputs = model.outputs(model.encode_from(batch.taps, batch.lengths))
        feed.cache = None
        audio = next(feed.batches([[0, 1, 2, 3, 4]]))
        whole = model.encode(audio.waves, audio.wave_lengths)
        torch.testing.assert_close(outputs, model.outputs(whole), rtol=1e-4, atol=1e-5)
    assert batch.ids == audio.ids and torch.equal(batch.lengths, whole.lengths)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"augment": {"speed": [0.9, 1.1]}}, "augmented"),
        ({"petl": {"name": "full"}}, "front end trains"),
        ({"backbone__padding": "as_trained"}, "depend on padding"),
    ],
)
def test_the_log_has_the_reason_where_there_is_no_cache(corpus, caplog, changes, reason):
    config, model = make(corpus, **changes)
    with caplog.at_level(logging.INFO):
        assert plan_cache(model, config, [1.0, 2.0], config.train.prefix_cache_gigabytes * 1e9, True) is None
    assert reason in caplog.text and caplog.text.count("\n") == 1


def test_masks_are_drawn_on_the_first_tap_so_only_that_is_kept(corpus):
    config, model = make(corpus, **PROBE, augment={"time_masks": 1, "time_mask_frames": 5})
    depths = [plan_cache(model, config, [1.0], 1e9, training).depth for training in (True, False)]
    assert depths == [0, LAYERS]


def test_a_small_budget_keeps_fewer_layers_and_the_plan_is_what_it_takes(corpus):
    config, model = make(corpus, **PROBE, **SUM)
    utterances = read_data_dir(config.data.train)
    all_layers = plan_cache(model, config, [utterance.seconds for utterance in utterances], 1e9, True).size
    feed = RecognitionFeed(utterances, model, config, all_layers * 0.6, training=True)
    assert feed.cache.depth == 1 and feed.cache.size == all_layers / 2
    feed.fill_cache("the test")
    taken = sum(tap.nbytes for taps in feed.cache.entries.values() for tap in taps)
    assert taken == pytest.approx(feed.cache.size, rel=0.02)
