"""An axis of a chart: values to pixels, and ticks (matplotlib's)."""

import math
from collections.abc import Sequence

MARGIN = 0.06  # of the axis, at both ends


class Axis:
    """A linear or logarithmic axis of finite `values` (positive ones for `log`), from pixel `start` to pixel `end`.

    whole: the ticks are integers.
    """

    def __init__(self, values: Sequence[float], start: float, end: float, log: bool = False, whole: bool = False):
        low, high = (self._scaled(value, log) for value in (min(values), max(values)))
        room = (high - low) * MARGIN or max(abs(high) * MARGIN, 0.1)
        self.low, self.high, self.start, self.end, self.log = low - room, high + room, start, end, log
        self.whole = whole

    def __call__(self, value: float) -> float:
        share = (self._scaled(value, self.log) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """About five round values within the axis."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        low, high = (10**end if self.log else end for end in (self.low, self.high))
        locators = [LogLocator(subs=(1.0,)), LogLocator(subs=(1.0, 2.0, 5.0))] if self.log else []
        for locator in [*locators, MaxNLocator(5, integer=self.whole)]:
            found = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
            if len(found) > 2:
                break
        return found

    @staticmethod
    def _scaled(value: float, log: bool) -> float:
        return math.log10(value) if log else value


def short_number(value: float) -> str:
    """A tick's text: 250 k, 1 M."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:.4g}"
