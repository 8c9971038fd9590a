"""Recordings that become unreadable after stage 2: an error by default; with `skip` left out, exactly so on resume."""

from __future__ import annotations

from pathlib import Path

import pytest
import toys
from toys import assert_same, train_here

from sure.data.data_dir import read_data_dir
from sure.errors import SureError
from sure.train.feed_recognition import RecognitionFeed
from sure.train.trainer import Trainer

SKIP = {"data__on_bad_utterance": "skip", "data__max_bad_percent": 20, "train__epochs": 3}
FROM_AUDIO = {**SKIP, "train__prefix_cache": "off", "data__cache_gigabytes": 0.0, "train__save_minutes": 1e-9}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return toys.make_corpus(tmp_path / "corpus")


def recording(corpus: Path, number: int) -> Path:
    return corpus / "wav" / f"train{number}.wav"


def plans(monkeypatch: pytest.MonkeyPatch) -> list[list[list[str]]]:
    """The plan of every training epoch, as utterance ids."""
    seen = []
    plan = RecognitionFeed.plan

    def noted(self: RecognitionFeed, epoch: int) -> list[list[int]]:
        batches = plan(self, epoch)
        if epoch:
            seen.append([[self.utterances[index].id for index in batch] for batch in batches])
        return batches

    monkeypatch.setattr(RecognitionFeed, "plan", noted)
    return seen


def test_by_default_it_stops_with_the_name(corpus: Path) -> None:
    recording(corpus, 5).unlink()
    for changes in ({}, {"train__prefix_cache": "off"}, {"train__prefix_cache": "off", "train__workers": 1}):
        with pytest.raises(SureError, match=r"^utterance 'train-005': .*train5.wav: missing audio file$"):
            train_here(corpus, corpus / "exp", **changes)


@pytest.mark.parametrize("changes", [SKIP, FROM_AUDIO], ids=["cached", "from audio"])
def test_unreadable_at_the_start_is_a_gap_in_every_plan(corpus: Path, monkeypatch, changes: dict) -> None:
    seen = plans(monkeypatch)
    train_here(corpus, corpus / "whole", **changes)
    recording(corpus, 5).write_bytes(b"")
    recording(corpus, 17).unlink()
    whole, bad = list(seen), {"train-005", "train-017"}
    seen.clear()
    exp = train_here(corpus, corpus / "exp", **changes)
    gaps = [[[id for id in batch if id not in bad] for batch in epoch] for epoch in whole]
    assert seen == [[batch for batch in epoch if batch] for epoch in gaps]
    assert (exp / "left_out.txt").read_text() == "empty audio file\ttrain-005\nmissing audio file\ttrain-017\n"


def die_in(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Once, in the middle of an epoch."""
    step = Trainer.save_or_stop

    def die(self: Trainer, training: bool = False) -> None:
        if training and self.progress.epoch == epoch and self.progress.batches in (1, 2):
            monkeypatch.setattr(Trainer, "save_or_stop", step)
            raise SystemExit("killed")
        step(self, training)

    monkeypatch.setattr(Trainer, "save_or_stop", die)


def spoil_after(monkeypatch: pytest.MonkeyPatch, path: Path, epoch: int) -> None:
    finish = Trainer.finish_epoch

    def spoil(self: Trainer, dev: dict[str, float]) -> None:
        finish(self, dev)
        if self.progress.epoch == epoch + 1:
            path.write_bytes(b"RIFF")

    monkeypatch.setattr(Trainer, "finish_epoch", spoil)


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_during_training_is_left_out_from_there_on(corpus: Path, monkeypatch, workers: int) -> None:
    changes = {**FROM_AUDIO, "train__accumulate": 2, "train__workers": workers}
    path = recording(corpus, 5)
    content = path.read_bytes()
    spoil_after(monkeypatch, path, 1)
    seen = plans(monkeypatch)
    undisturbed = train_here(corpus, corpus / "undisturbed", **changes)
    assert (undisturbed / "left_out.txt").read_text() == "unreadable audio file\ttrain-005\n"
    used = [{id for batch in epoch for id in batch} for epoch in seen]
    assert "train-005" in used[0] and "train-005" not in used[-1] and used[0] - used[-1] == {"train-005"}

    if workers:
        return  # they would keep the lock of a training that is not really killed
    path.write_bytes(content)
    die_in(monkeypatch, 3)
    with pytest.raises(SystemExit, match="killed"):
        train_here(corpus, corpus / "exp", **changes)
    path.write_bytes(content)  # back again: it stays out all the same
    train_here(corpus, corpus / "exp", **changes)
    assert_same(corpus / "exp", undisturbed)


@pytest.mark.parametrize(
    ("changes", "then", "epochs"),
    [(SKIP, {}, (1, 2)), (FROM_AUDIO, {"data__on_bad_utterance": "stop"}, (2,))],
    ids=["cached", "another policy after the kill"],
)
def test_a_resumed_run_with_gaps_is_the_same_bit_for_bit(corpus: Path, monkeypatch, changes, then, epochs) -> None:
    recording(corpus, 5).unlink()
    reference = train_here(corpus, corpus / "reference", **changes)
    for epoch in epochs:
        die_in(monkeypatch, epoch)
        with pytest.raises(SystemExit, match="killed"):
            train_here(corpus, corpus / "exp", **changes)
    train_here(corpus, corpus / "exp", **{**changes, **then})
    assert_same(corpus / "exp", reference)


def test_too_many_unreadable_recordings_are_an_error(corpus: Path) -> None:
    for number in range(5):  # of 24
        recording(corpus, number).unlink()
    with pytest.raises(SureError, match=r"20\.8 % of the training set cannot be read.*5 missing audio file"):
        train_here(corpus, corpus / "exp", **SKIP)
    assert not (corpus / "exp" / "left_out.txt").exists()


def test_the_dev_set_is_never_cut(corpus: Path) -> None:
    (corpus / "wav" / "dev2.wav").unlink()
    with pytest.raises(SureError, match="utterance 'dev-002'"):
        train_here(corpus, corpus / "exp", **SKIP)


def test_a_text_without_a_token(corpus: Path) -> None:
    text = corpus / "data" / "train" / "text"
    text.write_text(text.read_text().replace(read_data_dir(corpus / "data" / "train")[3].text + "\n", "xyz\n", 1))
    with pytest.raises(SureError, match="no symbol of 'xyz' is in the vocabulary"):
        train_here(corpus, corpus / "exp", task="asr", train__epochs=1)
    exp = train_here(corpus, corpus / "exp", task="asr", **{**SKIP, "train__epochs": 1})
    assert "1 utterances without any symbol of the vocabulary: train-" in (exp / "train.log").read_text()


def test_a_damaged_list_is_named(corpus: Path) -> None:
    (corpus / "exp").mkdir()
    for content in (b"\xff\xfe", b"no tab\n"):
        (corpus / "exp" / "left_out.txt").write_bytes(content)
        with pytest.raises(SureError, match="left_out.txt is damaged"):
            train_here(corpus, corpus / "exp", **SKIP)
