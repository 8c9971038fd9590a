"""Utterances that cannot be trained on: an error, or left out by name; with the same results after a kill."""

from pathlib import Path

import pytest
from toys import assert_same, make_set, train_here

from sure.data.tables import format_table, read_table
from sure.errors import SureError
from sure.train.feed_recognition import RecognitionFeed
from sure.train.trainer import Trainer

SKIP = {"data__on_bad_utterance": "skip", "data__max_bad_percent": 20}
NO_CACHE = {"train__prefix_cache": "off"}
FROM_AUDIO = {**SKIP, **NO_CACHE, "data__cache_gigabytes": 0.0, "train__save_minutes": 1e-9}
WORKER = {"train__workers": 1}


@pytest.fixture
def run(corpus, tmp_path):
    """A function that trains in a folder of this name, on sets of its own."""
    for name, count in (("train", 24), ("dev", 6)):
        make_set(tmp_path, name, count)
    data = {"data__train": str(tmp_path / "data" / "train"), "data__valid": str(tmp_path / "data" / "dev")}
    return lambda name, **changes: train_here(corpus, tmp_path / name, **(data | changes))


def damage(folder: Path, files: dict[str, bytes | None]) -> None:
    """Replace the content of files; None removes a file."""
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).unlink() if content is None else (folder / name).write_bytes(content)


TRAIN5, LEFT_OUT = "wav/train5.wav", "exp/left_out.txt"
MISSING = "^utterance 'train-005': .*train5.wav: missing audio file$"


@pytest.mark.parametrize(
    ("files", "changes", "message"),
    [
        ({TRAIN5: None}, {}, MISSING),
        ({TRAIN5: None}, NO_CACHE, MISSING),
        ({TRAIN5: None}, {**NO_CACHE, **WORKER}, MISSING),
        ({TRAIN5: b"RIFF"}, WORKER, "^utterance 'train-005': .*train5.wav: "),
        ({"wav/dev2.wav": None}, SKIP, "utterance 'dev-002'"),
        ({f"wav/train{number}.wav": None for number in range(5)}, SKIP, r"20\.8 % of .* read.*5 missing audio file"),
        ({LEFT_OUT: b"\xff\xfe"}, SKIP, "left_out.txt is damaged"),
        ({LEFT_OUT: b"no tab\n"}, SKIP, "left_out.txt is damaged"),
    ],
)
def test_by_default_in_dev_or_if_too_many_they_stop_training(run, tmp_path, files, changes, message):
    damage(tmp_path, files)
    with pytest.raises(SureError, match=message):
        run("exp", **changes)
    assert (tmp_path / LEFT_OUT).exists() == (LEFT_OUT in files)


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """Ids of the utterances in the plan of every training epoch."""
    found, plan = [], RecognitionFeed.plan

    def noted(self: RecognitionFeed, epoch: int) -> list[list[int]]:
        batches = plan(self, epoch)
        found.extend([{self.utterances[index].id for batch in batches for index in batch}] if epoch else [])
        return batches

    monkeypatch.setattr(RecognitionFeed, "plan", noted)
    return found


def die_in(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Once, in the middle of an epoch."""
    step = Trainer.save_or_stop

    def die(self: Trainer, training: bool = False) -> None:
        if training and self.progress.epoch == epoch and self.progress.batches in (1, 2):
            monkeypatch.setattr(Trainer, "save_or_stop", step)
            raise SystemExit("killed")
        step(self, training)

    monkeypatch.setattr(Trainer, "save_or_stop", die)


@pytest.mark.parametrize(
    ("changes", "then", "epochs"),
    [(SKIP, {}, (1, 2)), (FROM_AUDIO, {"data__on_bad_utterance": "stop"}, (2,))],
)
def test_unreadable_from_the_start_is_in_no_plan(run, tmp_path, monkeypatch, used, changes, then, epochs):
    damage(tmp_path, {TRAIN5: b"", "wav/train17.wav": None})
    reference = run("reference", **changes)
    assert used == 3 * [{f"train-{number:03d}" for number in range(24) if number not in (5, 17)}]
    assert (reference / "left_out.txt").read_text() == "empty audio file\ttrain-005\nmissing audio file\ttrain-017\n"
    for epoch in epochs:
        die_in(monkeypatch, epoch)
        with pytest.raises(SystemExit, match="killed"):
            run("exp", **changes)
    assert_same(run("exp", **{**changes, **then}), reference)


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_during_training_is_left_out_from_there_on(run, tmp_path, monkeypatch, used, workers):
    changes = {**FROM_AUDIO, "train__accumulate": 2, "train__workers": workers}
    content, finish = (tmp_path / TRAIN5).read_bytes(), Trainer.finish_epoch

    def spoil(self: Trainer, dev: dict[str, float]) -> None:
        finish(self, dev)
        if self.progress.epoch == 2:
            damage(tmp_path, {TRAIN5: b"RIFF"})

    monkeypatch.setattr(Trainer, "finish_epoch", spoil)
    undisturbed = run("undisturbed", **changes)
    assert (undisturbed / "left_out.txt").read_text() == "unreadable audio file\ttrain-005\n"
    assert used[0] - used[-1] == {"train-005"}
    if workers:
        return  # they would keep the lock of a training that is not really killed
    damage(tmp_path, {TRAIN5: content})
    die_in(monkeypatch, 3)
    with pytest.raises(SystemExit, match="killed"):
        run("exp", **changes)
    damage(tmp_path, {TRAIN5: content})  # back again: it stays out all the same
    assert_same(run("exp", **changes), undisturbed)


def rewrite(path: Path, **values: str) -> None:
    """Replace the values of these ids, `train_003` for train-003, in a file of lines `id value`."""
    rows = read_table(path) | {id.replace("_", "-"): value for id, value in values.items()}
    path.write_text(format_table(list(rows.items())))


def test_transcripts_that_cannot_be_targets(run, tmp_path):
    data = tmp_path / "data" / "train"
    given, skip = {"task": "asr", "train__epochs": 1}, {"data__on_bad_utterance": "skip"}
    rewrite(data / "utt2dur", train_004="30", train_005="30")
    rewrite(data / "text", train_003=60 * "abcd")
    with pytest.raises(SureError, match="with more tokens than frames: train-003. Correct .*=skip"):
        run("stopped", **given)
    rewrite(data / "text", train_007="xyz")
    with pytest.raises(SureError, match="no symbol of 'xyz' is in the vocabulary"):
        run("stopped", **given)
    many = "8.3 % of the utterances cannot be targets, more than .*=1: 1 utterance .*: train-003; 1 .*: train-007"
    with pytest.raises(SureError, match=many):
        run("many", **given, **skip, data__max_bad_percent=1.0)
    log = (run("exp", **given, **skip, data__max_bad_percent=10.0) / "train.log").read_text()
    assert "1 utterance with more tokens than frames: train-003" in log and "20 utterances" in log
    assert "1 utterance without any symbol of the vocabulary: train-007" in log
    assert "2 utterances longer than data.max_seconds=20 s: train-004, train-005" in log
    with pytest.raises(SureError, match="no utterance is left"):
        run("none", data__min_seconds=15.0, data__max_seconds=16.0)


def test_longer_than_the_limit_of_the_backbone_is_left_out_or_named(run, tmp_path):
    for name in ("train", "dev"):
        rewrite(tmp_path / "data" / name / "utt2dur", **{f"{name}_000": "30.5"})
    with pytest.raises(SureError, match=r"dev-000: 30\.5 s .*, longer than the backbone's limit of 30 s; cut it"):
        run("exp", data__max_seconds=60.0, backbone__weights="random:whisper")
    log = (tmp_path / "exp" / "train.log").read_text()
    assert "1 utterance longer than the backbone's limit of 30 s: train-000" in log
