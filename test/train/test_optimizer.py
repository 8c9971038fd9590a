"""The rate rises, holds and falls as the config says, whatever the number of steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sure.errors import SureError
from sure.train.optimizer import rate_factor

PART = st.floats(0, 0.5)


@given(PART, PART, st.integers(1, 500))
def test_rises_holds_and_falls(warmup, hold, steps):
    factor = rate_factor(warmup, hold, steps)
    rates = [factor(step) for step in range(steps)]
    rising, constant = round(warmup * steps), round(hold * steps)
    assert all(0 < rate <= 1 for rate in rates)  # no step is wasted
    assert rates[:rising] == sorted(rates[:rising])
    assert all(rate == 1 for rate in rates[rising : rising + constant])
    assert rates[rising:] == sorted(rates[rising:], reverse=True)
    assert factor(steps) == 0 or rising + constant >= steps


def test_by_hand():
    factor = rate_factor(0.2, 0.3, 10)
    assert [factor(step) for step in range(11)] == [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0]


def test_more_than_all_is_refused():
    with pytest.raises(SureError, match="train.warmup=0.7 and train.hold=0.6"):
        rate_factor(0.7, 0.6, 10)
