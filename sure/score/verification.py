"""Error rates of verification over trials: equal error rate and the minimum of NIST's detection cost.

A trial is accepted when its score is at or above a threshold. Trials of equal score are accepted or rejected
together, so the order of a list never matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sure.errors import SureError
from sure.score.bootstrap import bootstrap_interval

P_TARGETS = (0.01, 0.05)  # of NIST SRE and VoxSRC


def eer(scores: Sequence[float], targets: Sequence[bool]) -> float:
    """The rate in percent at which as many targets are missed as nontargets accepted.

    scores, targets: (trials,). Between two neighbouring thresholds both rates are interpolated linearly, on the
    curve itself and not on its convex hull. Raises SureError for NaN, and when all trials are of one kind.
    """
    return _Thresholds(scores, targets).eer()


def eer_threshold(scores: Sequence[float], targets: Sequence[bool]) -> float:
    """The score of a trial from which on to accept, where the two rates are closest to each other."""
    curve = _Thresholds(scores, targets)
    misses, false_alarms = curve.rates()
    return float(curve.values[np.abs(misses - false_alarms)[:-1].argmin()])  # the last accepts nothing


def min_dcf(
    scores: Sequence[float], targets: Sequence[bool], p_target: float, c_miss: float = 1.0, c_fa: float = 1.0
) -> float:
    """The least cost c_miss p_target P_miss + c_fa (1 - p_target) P_fa over all thresholds.

    Divided by the cost of the better of accepting all and rejecting all, so at most 1 (NIST SRE 2016 evaluation
    plan). Raises SureError as `eer` does.
    """
    misses, false_alarms = _Thresholds(scores, targets).rates()
    missed, accepted = c_miss * p_target, c_fa * (1 - p_target)
    return float((missed * misses + accepted * false_alarms).min() / min(missed, accepted))


def verification_scores(
    scores: Sequence[float], targets: Sequence[bool], speakers: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """EER in percent with its interval and threshold, min_dcf_<p_target>, and how many trials there are.

    speakers: both of each trial. The interval is by bootstrap over speakers: trials share utterances and speakers,
    so over trials it would be far too narrow (Bolle et al., CVIU 2004). A speaker drawn twice is two speakers that
    are not compared with each other; draws without a trial of either kind are left out.
    """
    curve = _Thresholds(scores, targets)
    _, units = np.unique(np.array(speakers), return_inverse=True)
    first, second = units.reshape(-1, 2).T
    same = first == second

    def eers(counts: np.ndarray) -> np.ndarray:
        drawn = (np.where(same, draw[first], draw[first] * draw[second]) for draw in counts)
        return np.array([curve.eer(weights) for weights in drawn])

    return {
        "eer": curve.eer(),
        "eer_interval": bootstrap_interval(eers, int(units.max()) + 1),
        "eer_threshold": eer_threshold(scores, targets),
        **{f"min_dcf_{p:g}": min_dcf(scores, targets, p) for p in P_TARGETS},
        "trials": {"target": int(np.sum(targets)), "nontarget": int(len(targets) - np.sum(targets))},
    }


def trial_listing(trials: Sequence[tuple[str, str, bool]], scores: Sequence[float]) -> str:
    """Every trial with its score; behind it which are wrong at the threshold of the EER."""
    targets = [target for _, _, target in trials]
    threshold = eer_threshold(scores, targets)
    lines = [f"accepted from {threshold:.6f} on (id id kind score)"]
    for (first, second, target), score in zip(trials, scores, strict=True):
        wrong = "" if target == (score >= threshold) else " miss" if target else " false_alarm"
        lines.append(f"{first} {second} {'target' if target else 'nontarget'} {score:.6f}{wrong}")
    return "\n".join(lines) + "\n"


class _Thresholds:
    """Trials in the order of their scores, and the places where the score changes: one threshold each."""

    def __init__(self, scores: Sequence[float], targets: Sequence[bool]):
        scores, targets = np.asarray(scores, dtype=np.float64), np.asarray(targets, dtype=bool)
        if scores.ndim != 1 or scores.shape != targets.shape:
            raise SureError(f"{scores.shape} scores for {targets.shape} trials; expected one for each")
        if np.isnan(scores).any():
            raise SureError(f"the score of trial {int(np.isnan(scores).argmax())} is not a number")
        if targets.all() or not targets.any():
            kind = (
                "no trials" if not len(targets) else "only target trials" if targets.all() else "only nontarget trials"
            )
            raise SureError(f"{kind}, so there is no error rate; it needs both kinds")
        self.order = np.argsort(scores, kind="stable")
        self.targets = targets[self.order]
        ordered = scores[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] > ordered[:-1]])
        self.values = ordered[self.starts]

    def rates(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Misses and false alarms, (thresholds + 1,) each in [0, 1], from accepting all to accepting nothing.

        weights: how often each trial counts, (trials,); NaN without a trial of a kind.
        """
        weights = np.ones(len(self.order)) if weights is None else weights[self.order]
        below = [np.r_[0.0, np.cumsum(weights * kind)] for kind in (self.targets, ~self.targets)]
        with np.errstate(invalid="ignore"):
            rejected = [total[np.r_[self.starts, -1]] / total[-1] for total in below]
        return rejected[0], 1.0 - rejected[1]

    def eer(self, weights: np.ndarray | None = None) -> float:
        misses, false_alarms = self.rates(weights)
        difference = misses - false_alarms  # never falls, from -1 to 1
        if np.isnan(difference).any():
            return float("nan")
        after = int(np.searchsorted(difference, 0.0))
        before = after - 1
        part = -difference[before] / (difference[after] - difference[before])
        return float(100.0 * (misses[before] + part * (misses[after] - misses[before])))
