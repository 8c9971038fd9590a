"""Jobs of one key are computed together, in one thread, and none is lost."""

import threading

import pytest

from sure.serve.batches import Batches
from sure.serve.settings import Stopping


@pytest.fixture
def held():
    """Batches of at most 3 s whose first computation waits for an event, and the keys and items computed so far."""
    go, done = threading.Event(), []

    def compute(key, items):
        go.wait()
        done.append((key, list(items)))
        if "bad" in items:
            raise ValueError("bad")
        return [item.upper() for item in items]

    batches = Batches(compute, 3.0)
    first = batches.submit("x", "first", 1.0)
    while batches.waiting:
        pass
    yield batches, go, done
    go.set()
    batches.close()
    assert first.result() == "FIRST"


def test_the_oldest_and_all_that_fit_it(held):
    batches, go, done = held
    for key, item, seconds in (("x", "a", 1.0), ("y", "b", 1.0), ("x", "c", 1.5), ("x", "d", 1.0), ("x", "e", 9.0)):
        batches.submit(key, item, seconds)
    go.set()
    batches.close()
    assert done == [("x", ["first"]), ("x", ["a", "c"]), ("y", ["b"]), ("x", ["d"]), ("x", ["e"])]


def test_one_bad_item_fails_alone(held):
    batches, go, _ = held
    futures = [batches.submit("x", item) for item in ("a", "bad", "c")]
    go.set()
    assert futures[0].result() == "A" and futures[2].result() == "C"
    with pytest.raises(ValueError, match="bad"):
        futures[1].result()


def test_who_waits_at_the_end_gets_an_answer_and_who_left_is_not_computed(held):
    batches, go, done = held
    left, kept = batches.submit("x", "left"), batches.submit("x", "kept")
    assert left.cancel()
    go.set()
    batches.close()
    assert kept.result() == "KEPT" and done[1:] == [("x", ["kept"])]
    with pytest.raises(Stopping, match="stopping"):
        batches.submit("x", "late")
