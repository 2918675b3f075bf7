"""How much a frame would teach, for a model whose confidence lies.

Three doubts that need no confidence, after VL4Pose (BMVC 2022) and VATL4Pose (WACV 2024):
turned views that disagree (`inference.vote`), joints that leap between looks, and limbs of another length than this
athlete's in this clip. Each is ranked within all frames that are looked at, and the mean rank is the score: the three
have no common unit, and ranks do not ask for one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from fosbury.skeleton import Limb


def leaps(keypoints: np.ndarray, seconds: np.ndarray, side: np.ndarray) -> np.ndarray:
    """How far joints are from the middle between the looks before and after, beyond what the whole body is.

    Parameters
    ----------
    keypoints : ndarray, shape (N, K, 2)
        In the order of time; NaN where a joint was not found.
    seconds, side : ndarray, shape (N,)
        Time, and size of the person in pixels.

    Returns
    -------
    ndarray, shape (N,)
        Mean over the joints, in sizes of the person; NaN where a neighbour is missing.
    """
    result = np.full(len(keypoints), np.nan)
    for now in range(1, len(keypoints) - 1):
        before, after = seconds[now] - seconds[now - 1], seconds[now + 1] - seconds[now]
        if before + after <= 0:
            continue
        between = (keypoints[now - 1] * after + keypoints[now + 1] * before) / (before + after)
        apart = keypoints[now] - between
        known = np.isfinite(apart).all(axis=-1)
        if known.any() and side[now] > 0:
            apart = apart[known] - np.median(apart[known], axis=0)
            result[now] = np.linalg.norm(apart, axis=-1).mean() / side[now]
    return result


def limb_unlikelihood(keypoints: np.ndarray, side: np.ndarray, limbs: Sequence[Limb]) -> np.ndarray:
    """Mean squared deviation of limb lengths from the clip's own, in robust standard deviations (at most 3 each).

    Parameters
    ----------
    keypoints : ndarray, shape (N, K, 2)
    side : ndarray, shape (N,)
    limbs : sequence of Limb

    Returns
    -------
    ndarray, shape (N,)
        NaN where no limb was found.
    """
    if not limbs:
        return np.full(len(keypoints), np.nan)
    starts, ends = [limb.start for limb in limbs], [limb.end for limb in limbs]
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.log(np.linalg.norm(keypoints[:, starts] - keypoints[:, ends], axis=-1) / side[:, None])
    length[~np.isfinite(length)] = np.nan
    result = np.full(len(length), np.nan)
    some = np.isfinite(length).any(axis=1)
    columns = np.isfinite(length).any(axis=0)
    if not some.any():
        return result
    length = length[:, columns]
    middle = np.nanmedian(length, axis=0)
    spread = np.maximum(1.4826 * np.nanmedian(np.abs(length - middle), axis=0), 1e-3)  # of a normal distribution
    result[some] = np.nanmean(np.minimum(np.abs((length[some] - middle) / spread), 3.0) ** 2, axis=1)
    return result


def mean_rank(doubts: Sequence[np.ndarray]) -> np.ndarray:
    """Mean over several doubts of the rank of each frame, from 0 to 1.

    A doubt that is not known of a frame counts as a half; a frame of which none is known is NaN.
    """
    ranks = []
    for doubt in doubts:
        known = np.isfinite(doubt)
        rank = np.full(len(doubt), np.nan)
        if known.any():
            rank[known] = (rankdata(doubt[known]) - 0.5) / known.sum()
        ranks.append(rank)
    stacked = np.array(ranks)
    result = np.nan_to_num(stacked, nan=0.5).mean(axis=0)
    return np.where(np.isfinite(stacked).any(axis=0), result, np.nan)
