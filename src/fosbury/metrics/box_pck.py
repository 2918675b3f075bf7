"""PCK in sides of the labelled box, as papers on meshes of bodies report it for Leeds Sports Pose Extended.

The definition is that of the evaluation code of HMR 2.0 (Goel et al. 2023, "Humans in 4D", repository
``shubham-goel/4D-Humans``, commit 6ec7965: ``EvaluatorPCK`` of ``hmr2/utils/pose_utils.py``,
``keypoint_pck_accuracy`` of ``hmr2/utils/pck_accuracy.py``, the box of
``hmr2/datasets/preprocess/lspet_to_npz.py``). SAM 3D Body publishes no code for its figures on that set; it quotes HMR
2.0's of the same name beside its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import t as student

from fosbury.metrics.intervals import LEVEL

ROOM = 1.2
"""Sides of the box around the labelled joints that a distance is measured in."""

THRESHOLD = 0.05


@dataclass(frozen=True, eq=False)
class BoxPck:
    """Share of joints that are right.

    Attributes
    ----------
    mean : float
        Mean of ``joints``, each joint counting alike; NaN where nothing is labelled.
    low, high : float
        95 % interval of ``mean``: Student's t on the logit, by the jackknife over units. NaN with fewer than two units,
        or where every joint is right, or none.
    joints : ndarray, shape (K,)
        Share of each joint; NaN where nobody's is labelled.
    people : int
        Who has a joint that counts.
    """

    mean: float
    low: float
    high: float
    joints: np.ndarray
    people: int


def box_pck(
    predicted: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    *,
    around: np.ndarray | None = None,
    unit: np.ndarray | None = None,
    threshold: float = THRESHOLD,
) -> BoxPck:
    """Measure the share of joints that lie within a share of the box.

    A joint is right where its distance is *less* than ``threshold`` times `ROOM` times the longer side of the box
    around the person's labelled joints: 0.05 stands for 0.06 of that side. A joint that was not predicted, and each
    joint of a person who was missed, is wrong.

    Parameters
    ----------
    predicted, labels : ndarray, shape (P, K, 2)
        Pixels; NaN where there is none.
    counts : ndarray of bool, shape (P, K)
        Labelled joints that count.
    around : ndarray of bool, shape (P, K), optional
        Labelled joints that the box is laid around, if not only those that count.
    unit : ndarray of int, shape (P,), optional
        What the interval is over: the clip, group or picture of each person. Each person for himself if not given.
    threshold : float
    """
    around = counts if around is None else around
    points = np.where(around[..., None], labels, np.nan)
    with np.errstate(invalid="ignore"):
        side = (np.fmax.reduce(points, axis=1) - np.fmin.reduce(points, axis=1)).max(axis=-1)
        right = counts & (np.linalg.norm(predicted - labels, axis=-1) < threshold * ROOM * side[:, None])
    owner = np.arange(len(counts)) if unit is None else np.unique(unit, return_inverse=True)[1]
    sums, numbers = (np.zeros((owner.max(initial=-1) + 1, counts.shape[1])) for _ in range(2))
    np.add.at(sums, owner, right)
    np.add.at(numbers, owner, counts)
    joints = _shares(sums.sum(axis=0), numbers.sum(axis=0))
    mean = _mean(joints)
    low, high = _interval(mean, sums, numbers)
    return BoxPck(mean, low, high, joints, int(counts.any(axis=1).sum()))


def _shares(sums: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    return np.divide(sums, numbers, out=np.full(sums.shape, np.nan), where=numbers > 0)


def _mean(joints: np.ndarray) -> float:
    known = joints[np.isfinite(joints)]
    return float(known.mean()) if known.size else np.nan


def _interval(mean: float, sums: np.ndarray, numbers: np.ndarray) -> tuple[float, float]:
    units = int(numbers.any(axis=1).sum())
    if units < 2 or not 0 < mean < 1:
        return np.nan, np.nan
    without = _shares(sums.sum(axis=0) - sums, numbers.sum(axis=0) - numbers)
    apart = [_mean(each) - mean for each in without[numbers.any(axis=1)]]
    error = np.sqrt((units - 1) / units * np.nansum(np.square(apart)))
    reach = student.ppf((1 + LEVEL) / 2, units - 1) * error / (mean * (1 - mean))
    return float(expit(logit(mean) - reach)), float(expit(logit(mean) + reach))
