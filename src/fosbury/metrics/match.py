"""Which prediction is which labelled person: decided by boxes alone, so that no joint picks its own judge."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

MATCH_IOU = 0.3
"""Least overlap of a prediction's box with a labelled box for the two to be one person: low, because models and people
draw boxes of a bent body differently, and high enough that a bystander who touches the athlete is not taken."""


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of one list with every box of another.

    Parameters
    ----------
    first : ndarray, shape (A, 4)
        ``x1, y1, x2, y2`` in pixels.
    second : ndarray, shape (B, 4)

    Returns
    -------
    ndarray, shape (A, B)
        In [0, 1]; 0 for boxes without area or with a NaN.
    """
    first, second = first.reshape(-1, 1, 4), second.reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=-1)
    union = _area(first) + _area(second) - shared
    return np.divide(shared, union, out=np.zeros(shared.shape), where=(union > 0) & np.isfinite(shared))


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None).prod(axis=-1)


def match_boxes(labels: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Give every labelled person of one frame at most one prediction.

    The overlaps add up to the most.

    Only overlaps of at least `MATCH_IOU` count.

    Parameters
    ----------
    labels : ndarray, shape (L, 4)
        Boxes ``x1, y1, x2, y2`` in pixels.
    predictions : ndarray, shape (M, 4)

    Returns
    -------
    ndarray of int, shape (L,)
        Index of the prediction; -1 where none that is left overlaps enough: the person is missed. Of equal overlaps
        with a single labelled person, the first prediction counts.
    """
    result = np.full(len(labels), -1)
    if not len(labels) or not len(predictions):
        return result
    overlap = box_iou(labels, predictions)
    overlap[overlap < MATCH_IOU] = 0.0
    if len(labels) == 1:
        rows, columns = np.array([0]), overlap.argmax(axis=1)
    else:
        rows, columns = linear_sum_assignment(overlap, maximize=True)
    touching = overlap[rows, columns] > 0
    result[rows[touching]] = columns[touching]
    return result
