"""Several processes learn the same as one; they stop, resume, and after a failure end together."""

import json
import random
import signal
import time

import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from toys import assert_same, children, kill, make_set, read, read_lines, train_here, wait_for

from sure.train.distributed import Processes


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=9), min_size=1, max_size=9), st.integers(1, 9))
def test_shares_are_the_whole_step(step, size):
    shares = [Processes(rank, size).share(step) for rank in range(size)]
    assert sorted(sum(sum(shares, []), [])) == sorted(sum(step, []))
    most = max(map(len, step))
    assert all(0 < len(piece) <= most for share in shares for piece in share)
    assert {len(share) for share in shares} <= {len(shares[0]), *range(len(shares[0]))}
    if all(len(batch) % size == 0 for batch in step) and len({len(batch) for batch in step}) == 1:
        assert len({sum(map(len, share)) for share in shares}) == 1


def together(corpus, exp, count, **changes):
    processes = children(corpus, exp, count, **changes)
    assert [child.status() for child in processes] == [0] * count, [read(child.stderr) for child in processes]
    assert all(not read(child.stderr) for child in processes[1:])
    return exp


FROM_AUDIO = {"task": "asr", "petl": {"name": "bottleneck"}, "augment": {"speed": [0.9, 1.0, 1.1]}}
FROM_AUDIO |= {"train__accumulate": 2, "decode__batch_seconds": 1000.0}


# 3.0 s are 2 to 6 utterances, so some of the 3 processes get none; and dev has fewer batches than processes
@pytest.mark.parametrize(("count", "changes"), [(2, {}), (3, FROM_AUDIO)], ids=["cached", "from audio"])
def test_the_same_as_one_process(corpus, tmp_path, count, changes):
    """Losses, rates and best weights, to rounding, without a recording that became unreadable."""
    make_set(tmp_path, "train", 24)
    (tmp_path / "wav" / "train5.wav").write_bytes(b"")
    changes |= {"data__train": str(tmp_path / "data" / "train"), "data__on_bad_utterance": "skip"}
    changes |= {"petl__dropout": 0.0, "head__dropout": 0.0}
    alone = train_here(corpus, tmp_path / "alone", **changes)
    exp = together(corpus, tmp_path / "exp", count, **changes)
    for left, right in zip(read_lines(alone), read_lines(exp), strict=True):
        for key in ("step", "train_loss", "dev_loss", *(key for key in left if key.startswith("lr_"))):
            assert right[key] == pytest.approx(left[key], rel=1e-4), key
    one, other = (load_file(e / "best.safetensors") for e in (alone, exp))
    assert one.keys() == other.keys()
    for key, tensor in one.items():
        torch.testing.assert_close(other[key], tensor, rtol=1e-3, atol=2e-4)
    assert (exp / "left_out.txt").read_text() == "empty audio file\ttrain-005\n"
    assert json.loads((exp / "summary.json").read_text())["processes"] == count


KILLED = {"train__epochs": 2, "train__save_minutes": 1e-9, "train__prefix_cache": "off", "train__workers": 1}


@pytest.fixture(scope="module")
def undisturbed(corpus, tmp_path_factory):
    return together(corpus, tmp_path_factory.mktemp("undisturbed") / "exp", 2, **KILLED)


def test_killed_and_resumed_bit_for_bit(corpus, tmp_path, undisturbed):
    exp, generator = tmp_path / "exp", random.Random(4)
    for name in ("last.pt", "previous.pt"):
        processes = children(corpus, exp, 2, **KILLED)
        wait_for(exp / "checkpoints" / name, *processes)
        time.sleep(generator.uniform(0, 0.1))
        assert set(kill(signal.SIGKILL, *processes)) == {-signal.SIGKILL}
    together(corpus, exp, 2, **KILLED)
    assert "resuming at" in (exp / "train.log").read_text()
    assert_same(exp, undisturbed)


def test_asked_by_one_they_save_once_and_all_exit_with_75(corpus, tmp_path, undisturbed):
    exp, changes = tmp_path / "exp", {**KILLED, "train__save_minutes": 60.0}
    processes = children(corpus, exp, 2, **changes)
    wait_for(exp / "tensorboard", *processes)
    processes[1].kill(signal.SIGUSR1)
    assert [child.status() for child in processes] == [75, 75], [read(child.stderr) for child in processes]
    assert (exp / "train.log").read_text().count("SIGUSR1: saved") == 1
    assert not read(processes[1].stderr)
    together(corpus, exp, 2, **changes)
    assert_same(exp, undisturbed)


def test_when_one_is_killed_the_other_reports_it_and_ends(corpus, tmp_path):
    processes = children(corpus, tmp_path / "exp", 2, train__epochs=1000)
    wait_for(tmp_path / "exp" / "checkpoints" / "last.pt", *processes)
    processes[1].kill(signal.SIGKILL)
    assert processes[0].status() == 2
    assert read(processes[0].stderr).splitlines()[-1].startswith("error: another process of this training has ended")
    assert "another process" in (tmp_path / "exp" / "train.log").read_text()


@pytest.mark.parametrize("fault", ["a broken recording", "other data"])
def test_an_error_of_one_process_is_reported_once(corpus, tmp_path, fault):
    inside = [tmp_path / "0", tmp_path / "1"]  # each process has its own copy of the data, as on two nodes
    for folder in inside:
        make_set(folder, "train", 13 if fault == "other data" and folder == inside[1] else 12)
        if fault == "a broken recording":
            soundfile.write(folder / "wav" / "train3.wav", [0.0] * 100, 16000)  # the share of process 1
    processes = children(corpus, tmp_path / "exp", 2, inside=inside, data__train="data/train")
    assert [child.status() for child in processes] == [2, 2]
    lines = [line for child in processes for line in read(child.stderr).splitlines() if line.startswith("error:")]
    if fault == "other data":
        assert [line.partition(";")[0] for line in lines] == [
            "error: the training set of process 1 of 2 differs from process 0"
        ]
    else:
        assert len(lines) == 1 and "utterance 'train-003'" in lines[0] and lines[0] in read(processes[1].stderr)
        assert "process 1 of 2: utterance 'train-003'" in (tmp_path / "exp" / "train.log").read_text()
