"""Speaker verification scores over trials: equal error rate (EER) and minimum detection cost (NIST).

A trial is accepted if its score is at least the threshold. Trials with equal scores are accepted or rejected together,
so the order of trials does not matter.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sure.errors import SureError
from sure.score.bootstrap import bootstrap_interval

P_TARGETS = (0.01, 0.05)  # prior of target trials in NIST SRE and VoxSRC


class Trials:
    """Trials sorted by score. The thresholds are the distinct scores."""

    def __init__(self, scores: Sequence[float], targets: Sequence[bool]):
        """scores, targets: (trials,). Raises SureError for NaN, and without target or without nontarget trials."""
        scores, targets = np.asarray(scores, dtype=np.float64), np.asarray(targets, dtype=bool)
        if scores.ndim != 1 or scores.shape != targets.shape:
            raise SureError(f"{scores.shape} scores for {targets.shape} trials; expected one score for each trial")
        if np.isnan(scores).any():
            raise SureError(f"the score of trial {int(np.isnan(scores).argmax())} is not a number")
        if targets.all() or not targets.any():
            kind = "no trials" if not len(targets) else f"only {'target' if targets.all() else 'nontarget'} trials"
            raise SureError(f"{kind}: error rates need target and nontarget trials")
        self.order = np.argsort(scores, kind="stable")
        self.targets = targets[self.order]
        self.thresholds, self.starts = np.unique(scores[self.order], return_index=True)  # index of the first trial

    def rates(self, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rates of misses and false alarms, (thresholds + 1,) each, from accepting all to rejecting all trials.

        weights: count of each trial, (trials,). NaN if no target or no nontarget trial is left.
        """
        weights = np.ones(len(self.order)) if weights is None else weights[self.order]
        below = [np.r_[0.0, np.cumsum(weights * kind)] for kind in (self.targets, ~self.targets)]
        with np.errstate(invalid="ignore"):
            rejected = [total[np.r_[self.starts, -1]] / total[-1] for total in below]
        return rejected[0], 1.0 - rejected[1]

    def eer(self, weights: np.ndarray | None = None) -> float:
        """Equal error rate in percent: the rate of misses where it equals the rate of false alarms.

        Between neighbouring thresholds both rates are interpolated linearly on the ROC curve, not on its convex hull.
        weights: as for `rates`.
        """
        misses, false_alarms = self.rates(weights)
        difference = misses - false_alarms  # monotone, from -1 to 1
        if np.isnan(difference).any():
            return float("nan")
        after = int(np.searchsorted(difference, 0.0))
        before = after - 1
        part = -difference[before] / (difference[after] - difference[before])
        return float(100.0 * (misses[before] + part * (misses[after] - misses[before])))

    def eer_threshold(self) -> float:
        """The score of a trial that is the threshold at which both error rates are closest."""
        misses, false_alarms = self.rates()
        return float(self.thresholds[np.abs(misses - false_alarms)[:-1].argmin()])  # the last one rejects all trials

    def min_dcf(self, p_target: float) -> float:
        """Minimum over all thresholds of the cost p_target P_miss + (1 - p_target) P_fa.

        Normalised by the lower cost of accepting all or rejecting all trials, so at most 1 (NIST SRE 2016 evaluation
        plan).
        """
        misses, false_alarms = self.rates()
        costs = p_target * misses + (1 - p_target) * false_alarms
        return float(costs.min() / min(p_target, 1 - p_target))


def verification_scores(
    scores: Sequence[float], targets: Sequence[bool], speakers: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """EER in percent with interval and threshold, min_dcf_<p_target>, and the numbers of trials.

    speakers: both speakers of each trial. The interval is a bootstrap over speakers: trials share utterances and
    speakers, so a bootstrap over trials would be far too narrow (Bolle et al., CVIU 2004). A speaker that is drawn
    twice counts as two speakers without trials between them; draws without target or nontarget trials are left out.
    """
    trials = Trials(scores, targets)
    _, units = np.unique(np.array(speakers), return_inverse=True)
    first, second = units.reshape(-1, 2).T
    same = first == second

    def eers(counts: np.ndarray) -> np.ndarray:
        drawn = (np.where(same, draw[first], draw[first] * draw[second]) for draw in counts)
        return np.array([trials.eer(weights) for weights in drawn])

    return {
        "eer": trials.eer(),
        "eer_interval": bootstrap_interval(eers, int(units.max()) + 1),
        "eer_threshold": trials.eer_threshold(),
        **{f"min_dcf_{p:g}": trials.min_dcf(p) for p in P_TARGETS},
        "trials": {"target": int(trials.targets.sum()), "nontarget": int((~trials.targets).sum())},
    }


def trial_listing(trials: Sequence[tuple[str, str, bool]], scores: Sequence[float]) -> str:
    """Each trial with its score, and `miss` or `false_alarm` if it is wrong at the EER threshold."""
    threshold = Trials(scores, [target for _, _, target in trials]).eer_threshold()
    lines = [f"accepted from score {threshold:.6f} on (id id kind score)"]
    for (first, second, target), score in zip(trials, scores, strict=True):
        wrong = "" if target == (score >= threshold) else " miss" if target else " false_alarm"
        lines.append(f"{first} {second} {'target' if target else 'nontarget'} {score:.6f}{wrong}")
    return "\n".join(lines) + "\n"
