"""Successive halving of learning rates (Jamieson and Talwalkar 2016): the rounds, and how many rates each one keeps."""

import re
from collections.abc import Sequence
from fractions import Fraction

from sure.errors import SureError

KEPT = 3  # one in so many rates is kept after a round, and trains for so many times as many epochs: Li et al. 2018
SEARCHES = ("grid", "halving")


def rounds_of(search: str, rates: Sequence[str]) -> list[str]:
    """The parts of all epochs after which rates are dropped, e.g. `1/9` and `1/3` for 4 to 9 rates; none for a grid."""
    if search not in SEARCHES:
        raise SureError(f"--search: unknown value {search!r}; expected one of: {' '.join(SEARCHES)}")
    if search == "grid":
        return []
    if len(rates) < 2:
        raise SureError('--search halving needs two --rates or more, e.g. --rates "1e-3 3e-3 1e-2"')
    left, count = len(rates), 0
    while left > 1:
        left, count = number_kept(left), count + 1
    return [f"1/{KEPT**power}" for power in range(count, 0, -1)]


def number_kept(rates: int) -> int:
    """The number of rates after a round, of those before it: a third, rounded up."""
    return -(-rates // KEPT)


def read_part(text: str) -> Fraction:
    """A part of all epochs, such as 1/3. Raises SureError where it is not between 0 and 1."""
    if not re.fullmatch(r"[0-9]{1,9}/[1-9][0-9]{0,8}", text) or not 0 < Fraction(text) <= 1:
        raise SureError(f"--part takes a part of all epochs such as 1/3, not {text!r}")
    return Fraction(text)


def last_epoch(part: Fraction, epochs: int) -> int:
    """The last epoch of a part of all epochs, rounded up."""
    return -(-part.numerator * epochs // part.denominator)
