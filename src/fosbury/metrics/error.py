"""How far a predicted joint lies from its label, and whether left and right were exchanged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def capped_errors(
    predicted: np.ndarray, labels: np.ndarray, labelled: np.ndarray, *, stature_px: np.ndarray, cap: float
) -> np.ndarray:
    """Distance of every labelled joint, never more than ``cap`` of the athlete's stature.

    Parameters
    ----------
    predicted : ndarray, shape (P, K, 2)
        Pixels; NaN for a joint, or a whole person, that the model did not give: it is charged the cap.
    labels : ndarray, shape (P, K, 2)
        Pixels.
    labelled : ndarray of bool, shape (P, K)
    stature_px : ndarray, shape (P,)
        Pixel stature of every person.
    cap : float
        Largest error of one joint, as a share of stature.

    Returns
    -------
    ndarray, shape (P, K)
        Pixels; NaN where the joint has no label or the person no stature.
    """
    limit = (cap * stature_px)[:, None]
    distance = np.linalg.norm(predicted - labels, axis=-1)
    charged = np.minimum(np.where(np.isfinite(distance), distance, np.inf), limit)
    return np.where(labelled, charged, np.nan)


def swapped_joints(
    predicted: np.ndarray, labels: np.ndarray, labelled: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> np.ndarray:
    """Mark the joints of the pairs that a model gave to the wrong side.

    A pair is swapped when the predicted left joint lies nearer to the right label than to its own and the
    predicted right joint nearer to the left label. Both joints of a pair carry the same mark, so the mean
    over joints is the share of pairs.

    Parameters
    ----------
    predicted : ndarray, shape (P, K, 2)
        Pixels; NaN where there is no prediction.
    labels : ndarray, shape (P, K, 2)
    labelled : ndarray of bool, shape (P, K)
    pairs : sequence of (int, int)
        (left, right) joints.

    Returns
    -------
    ndarray, shape (P, K)
        1 swapped, 0 not; NaN where it cannot be decided: midline joints, a side without a label, no prediction.
    """
    result = np.full(labelled.shape, np.nan)
    if not pairs:
        return result
    own = np.array(pairs, dtype=int)
    other = own[:, ::-1]
    straight = np.linalg.norm(predicted[:, own] - labels[:, own], axis=-1)
    crossed = np.linalg.norm(predicted[:, own] - labels[:, other], axis=-1)
    known = labelled[:, own].all(axis=-1) & np.isfinite(straight).all(axis=-1) & np.isfinite(crossed).all(axis=-1)
    mark = np.where(known, (crossed < straight).all(axis=-1), np.nan)
    result[:, own] = mark[..., None]
    return result
