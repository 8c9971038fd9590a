"""The prefix cache gives the outputs of the backbone; it is off where it could not; it never gives anything else."""

import logging
import os
import shutil
import threading
from pathlib import Path

import pytest
import safetensors.torch
import torch
from damage import flip
from toys import settings, train_here

from sure.config import make_config
from sure.data.audio import read_audio
from sure.data.data_dir import read_data_dir
from sure.models.build import build_model, build_task
from sure.train.distributed import ALONE
from sure.train.feed_recognition import RecognitionFeed
from sure.train.prefix_cache import NoSpace, PrefixCache, Space, plan_cache
from sure.train.shards import ABOUT, FORMAT, MemoryShards

LAYERS = 3  # of tiny Moonshine
PROBE = {"petl": {"name": "linear_probe"}}
UPPER = {"petl": {"name": "lora", "sites": "layer.[1-2].attn.*"}}
SUM = {"backbone__layers": "weighted_sum"}
METHODS = {
    "probe": (PROBE, LAYERS),
    "upper": (UPPER, 1),
    "all": ({"petl": {"name": "bottleneck"}}, 0),
    "last": ({"petl": {"name": "prefix", "sites": "layer.2.attn"}}, 2),
    "sum": ({**PROBE, **SUM}, LAYERS),
    "sum of upper": ({"petl": {"name": "lora", "sites": "layer.2.attn.*"}, **SUM}, 2),
}


def make(corpus, **changes):
    config = make_config(settings(corpus, **changes), "test")
    return config, build_model(config, build_task(config)).eval()


def feed_of(corpus, folder, count=5, disk=1e9, memory=0.0, **changes):
    """A feed with a filled cache in `folder`."""
    config, model = make(corpus, **{"train__prefix_cache_folder": str(folder), **changes})
    utterances = read_data_dir(config.data.train)[:count]
    feed = RecognitionFeed(utterances, model, config, Space(disk, memory), training=True)
    feed.fill_cache("the test")
    return feed


def taps_of(feed):
    count = len(feed.utterances)
    return [tap for index in range(count) for tap in feed.cache.get([index])[0] if tap is not None]


@pytest.fixture
def computed(monkeypatch):
    """The number of utterances in each batch that was computed."""
    counts, compute = [], PrefixCache.compute
    monkeypatch.setattr(
        PrefixCache, "compute", lambda cache, batch: counts.append(len(batch.ids)) or compute(cache, batch)
    )
    return counts


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("family", ["moonshine", "wavlm", "whisper"])
def test_cached_equals_computed(corpus, tmp_path, name, family):
    changes, depth = METHODS[name]
    feed = feed_of(corpus, tmp_path, **changes, backbone__weights=f"random:{family}")
    model = feed.cache.model
    assert feed.cache.depth == depth or family != "moonshine"
    with torch.no_grad():
        for index, utterance in enumerate(feed.utterances):
            taps, lengths = feed.cache.get([index])
            wave = read_audio(utterance.audio)
            whole = model.encode(wave[None], torch.tensor([len(wave)]))
            assert torch.equal(lengths, whole.lengths)
            outputs = model.outputs(model.encode_from(taps, lengths))
            torch.testing.assert_close(outputs, model.outputs(whole), rtol=1e-4, atol=1e-5)
        batch = next(feed.batches([[0, 1, 2, 3, 4]]))
        outputs = model.outputs(model.encode_from(batch.taps, batch.lengths))
        feed.cache = None
        audio = next(feed.batches([[0, 1, 2, 3, 4]]))
        whole = model.encode(audio.waves, audio.wave_lengths)
        torch.testing.assert_close(outputs, model.outputs(whole), rtol=1e-4, atol=1e-5)
    assert batch.ids == audio.ids and torch.equal(batch.lengths, whole.lengths)


def test_an_utterance_has_the_speed_that_is_drawn_for_it(corpus, tmp_path):
    changes = {"augment": {"speed": [0.8, 1.0, 1.3]}, "train__epochs": 4, **PROBE}
    feed = feed_of(corpus, tmp_path, **changes)
    without = RecognitionFeed(feed.utterances, feed.cache.model, feed.config, Space(0.0, 0.0), training=True)
    assert without.cache is None
    frames = set()
    for epoch in (1, 2, 3):
        feed.plan(epoch), without.plan(epoch)
        for cached, audio in zip(*(one.batches([[0, 1, 2], [3, 4]]) for one in (feed, without)), strict=True):
            with torch.no_grad():
                whole = feed.cache.model.encode(audio.waves, audio.wave_lengths)
            assert torch.equal(cached.lengths, whole.lengths)
            torch.testing.assert_close(cached.taps[-1], whole.frames.fill(whole.last), rtol=1e-4, atol=1e-5)
            frames.add((cached.ids[0], *cached.lengths.tolist()))
    assert len(frames) > 2  # of two first utterances


def test_training_in_bf16_caches_bf16(corpus, tmp_path):
    feed = feed_of(corpus, tmp_path, **PROBE, train__precision="bf16")
    exact = feed_of(corpus, tmp_path, **PROBE)
    assert taps_of(feed)[0].dtype == torch.bfloat16 and feed.cache.shards.folder != exact.cache.shards.folder
    for ours, other in zip(taps_of(feed), taps_of(exact), strict=True):
        torch.testing.assert_close(ours.float(), other, rtol=0.05, atol=0.05)
    assert next(feed.batches([[0, 1]])).to("cpu").taps[-1].dtype == torch.float32


def test_other_trainings_reuse_a_cache(corpus, tmp_path, computed):
    """With any rate, head, batches and method: the prefix decides. (The seed changes random weights.)"""
    first = feed_of(corpus, tmp_path, **METHODS["last"][0])
    count = len(computed)
    others = {"head__dropout": 0.5, "train__lr_adapter": 0.5, "train__batch_seconds": 1.0}
    again = feed_of(corpus, tmp_path, petl={"name": "lora", "sites": "layer.2.ffn.in"}, **others)
    assert count and len(computed) == count
    assert all(map(torch.equal, taps_of(again), taps_of(first)))


@pytest.mark.parametrize(
    "changes",
    [{"backbone__weights": "random:wavlm"}, {"seed": 7}, {"count": 4}, {"petl": {"name": "bottleneck"}}],
    ids=["backbone", "weights", "utterances", "depth"],
)
def test_another_prefix_is_another_cache(corpus, tmp_path, changes):
    feed = feed_of(corpus, tmp_path, **METHODS["last"][0])
    other = feed_of(corpus, tmp_path, **{**METHODS["last"][0], **changes})
    assert other.cache.shards.folder != feed.cache.shards.folder


def test_windows_of_30_s_are_another_cache_than_own_lengths(corpus, tmp_path):
    feed = feed_of(corpus, tmp_path, 1, petl=PROBE["petl"], backbone={"name": "whisper", "weights": "random:toy"})
    own = feed.cache.shards.folder
    feed.cache.encoder.whole = True  # as a recogniser with its decoder has it
    feed.cache.fill(dict(enumerate(feed.utterances)), corpus, lambda: None, ALONE)
    assert feed.cache.shards.folder != own


def test_a_recording_that_changed_is_computed_again(corpus, tmp_path):
    folder = tmp_path / "corpus"
    shutil.copytree(corpus, folder)
    for table in folder.rglob("wav.scp"):
        table.write_text(table.read_text().replace(str(corpus), str(folder)))
    before = feed_of(folder, tmp_path / "cache", **PROBE)
    recording = Path(before.utterances[0].audio)
    content = bytearray(recording.read_bytes())
    content[-2000:] = bytes(2000)
    recording.write_bytes(content)
    after = feed_of(folder, tmp_path / "cache", **PROBE)
    assert not torch.equal(taps_of(after)[0], taps_of(before)[0])


def rename(path, others):
    os.replace(path, path.with_name("000099.safetensors"))


def swap(path, others):
    shutil.copy(others[0], path)


def foreign(path, others):
    tensors = {name: tensor + 1 for name, tensor in safetensors.torch.load_file(path).items()}
    safetensors.torch.save_file(tensors, path)


def key_kept(path, others):
    """Another tensor under the right key."""
    with safetensors.safe_open(path, "pt") as file:
        facts, tensors = file.metadata(), {name: file.get_tensor(name) + 1 for name in file.keys()}
    safetensors.torch.save_file(tensors, path, facts)


def version(path, others):
    about = path.with_name(ABOUT)
    about.write_text(about.read_text().replace(FORMAT, "prefix cache of SURE, version 0"))
    path.unlink()


DAMAGES = {
    "a flipped bit in the numbers": lambda path, others: flip(path, -10),
    "a flipped bit in the header": lambda path, others: flip(path, 30),
    "cut": lambda path, others: os.truncate(path, path.stat().st_size // 2),
    "too long": lambda path, others: path.write_bytes(path.read_bytes() + bytes(8)),
    "empty": lambda path, others: path.write_bytes(b""),
    "deleted": lambda path, others: path.unlink(),
    "renamed": rename,
    "another shard": swap,
    "without key": foreign,
    "other numbers under its key": key_kept,
    "a folder": lambda path, others: (path.unlink(), path.mkdir()),
    "of another version": version,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_computed_again(corpus, tmp_path, monkeypatch, computed, damage):
    monkeypatch.setattr("sure.train.prefix_cache.SHARD_SECONDS", {"cpu": 2.0})
    feed = feed_of(corpus, tmp_path, **PROBE)
    count, wanted = len(computed), taps_of(feed)
    shards = sorted(feed.cache.shards.folder.glob("*.safetensors"))
    assert count == len(shards) > 1
    DAMAGES[damage](shards[0], shards[1:])
    again = feed_of(corpus, tmp_path, **PROBE)
    assert len(computed) == count + 1
    assert all(map(torch.equal, taps_of(again), wanted))


def test_what_another_training_wrote_meanwhile_is_not_computed(corpus, tmp_path, monkeypatch, computed):
    monkeypatch.setattr("sure.train.prefix_cache.SHARD_SECONDS", {"cpu": 1.0})
    compute, other = PrefixCache.compute, []

    def compute_first(cache, batch):
        if not other:
            other.append(None)
            other.append(feed_of(corpus, tmp_path, **PROBE))
        return compute(cache, batch)

    monkeypatch.setattr(PrefixCache, "compute", compute_first)
    feed = feed_of(corpus, tmp_path, **PROBE)
    shards = list(feed.cache.shards.folder.glob("*.safetensors"))
    assert len(computed) == len(shards) + 1 > 2  # the one during which the other ran


def test_two_fill_one_cache_at_the_same_time(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("sure.train.prefix_cache.SHARD_SECONDS", {"cpu": 1.0})
    found = {}
    threads = [
        threading.Thread(target=lambda name=name: found.update({name: taps_of(feed_of(corpus, tmp_path, **PROBE))}))
        for name in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(map(torch.equal, found["a"], found["b"])) and not list(tmp_path.rglob("*.partial"))


def test_the_oldest_unused_cache_makes_room(corpus, tmp_path):
    """Only a cache is removed: nothing else in the folder, and none that is in use."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ABOUT).write_text("{}")
    names = ["old", "used", "new"]
    folders = {}
    for name, changes in zip(names, (PROBE, METHODS["last"][0], METHODS["all"][0]), strict=True):
        feed = feed_of(corpus, tmp_path, **changes)
        folders[name], size = feed.cache.shards.folder, feed.cache.size([one.seconds for one in feed.utterances])
        if name == "used":
            lock = feed.cache.shards.lock  # open while it is referred to
    for age, name in enumerate(["new", "old", "used"]):
        os.utime(folders[name] / ABOUT, (10**9 - age * 100, 10**9 - age * 100))
    total = sum(file.stat().st_size for file in tmp_path.glob("*/*")) - len(b"{}")
    last = feed_of(
        corpus, tmp_path, disk=1e9, **METHODS["upper"][0], train__prefix_cache_disk_gigabytes=(total + size / 2) / 1e9
    )
    assert (tmp_path / "mine").is_dir() and folders["used"].is_dir() and folders["new"].is_dir()
    assert not lock.closed and not folders["old"].exists() and last.cache.shards.folder.is_dir()


def test_a_cache_that_does_not_fit_on_the_disk_is_in_memory(corpus, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        feed = feed_of(corpus, tmp_path, memory=1e9, **PROBE, train__prefix_cache_disk_gigabytes=0.0)
        assert isinstance(feed.cache.shards, MemoryShards) and not list(tmp_path.iterdir())
        none = feed_of(corpus, tmp_path, memory=0.0, **PROBE, train__prefix_cache_disk_gigabytes=0.0)
    assert none.cache is None and "prefix_cache_disk_gigabytes is 0; " in caplog.text
    assert all(map(torch.equal, taps_of(feed), taps_of(feed_of(corpus, tmp_path, **PROBE))))


def test_a_training_that_began_without_space_goes_on_without_a_cache(corpus, tmp_path, monkeypatch, caplog):
    audio, exp = tmp_path / "audio", tmp_path / "exp"
    train_here(corpus, audio, **UPPER, train__epochs=2, train__prefix_cache="off")

    def full(*_):
        raise NoSpace("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(PrefixCache, "fill", full)
        train_here(corpus, exp, "--part", "1/2", **UPPER, train__epochs=2)
    assert "no prefix cache of the training set, as was planned: the disk is full; all layers are" in caplog.text
    train_here(corpus, exp, **UPPER, train__epochs=2)
    assert "prefix cache of the training set: depth" not in (exp / "train.log").read_text()
    weights, goal = (torch.load(folder / "checkpoints/last.pt")["weights"] for folder in (exp, audio))
    assert all(torch.equal(weights[name], goal[name]) for name in goal)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"augment": {"noise_snr_db": [5, 20]}}, "augmented"),
        ({"augment": {"speed": [0.9, 1.1]}, "train__epochs": 2}, "few utterances have one of 2 speeds twice"),
        ({"petl": {"name": "full"}}, "front end trains"),
        ({"backbone__padding": "as_trained"}, "depend on padding"),
    ],
)
def test_the_log_has_the_reason_where_there_is_no_cache(corpus, caplog, changes, reason):
    config, model = make(corpus, **changes)
    with caplog.at_level(logging.INFO):
        assert plan_cache(model, config, read_data_dir(config.data.train), Space(1e9, 1e9), True) is None
    assert reason in caplog.text and caplog.text.count("\n") == 1


def test_masks_are_drawn_on_the_first_tap_so_only_that_is_kept(corpus):
    config, model = make(corpus, **PROBE, augment={"time_masks": 1, "time_mask_frames": 5})
    depths = [plan_cache(model, config, [], Space(1e9, 1e9), training).depth for training in (True, False)]
    assert depths == [0, LAYERS]


def test_little_space_keeps_fewer_layers(corpus, tmp_path):
    config, model = make(corpus, **PROBE, **SUM)
    utterances = read_data_dir(config.data.train)
    whole = plan_cache(model, config, utterances, space := Space(1e9, 0.0), True)
    size = 1e9 - space.disk
    assert whole.depth == LAYERS and size == whole.size([utterance.seconds for utterance in utterances])
    feed = feed_of(corpus, tmp_path, len(utterances), disk=size * 0.6, **PROBE, **SUM)
    assert feed.cache.depth == 1
    assert sum(tap.nbytes for tap in taps_of(feed)) == pytest.approx(size / 2, rel=0.02)
