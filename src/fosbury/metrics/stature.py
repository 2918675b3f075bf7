"""How tall the athlete is in pixels, judged from the labelled limbs.

A limb that points towards the camera looks shorter, never longer, so a high percentile over many limbs is
close to the true length. In a clip the limbs of every labelled frame vote together; a still has only its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fosbury.pose import Dataset
from fosbury.skeleton import Limb

PERCENTILE = 80.0
"""Of the limbs' votes: high, because foreshortening only shortens; not the top, because labels err."""

TRUNK_SHARE = 0.288
"""Shoulder to hip (Winter, *Biomechanics and Motor Control of Human Movement*, 4th ed., figure 4.1)."""


def limb_statures(keypoints: np.ndarray, labelled: np.ndarray, limbs: Sequence[Limb]) -> np.ndarray:
    """Pixel stature that each limb alone speaks for.

    Parameters
    ----------
    keypoints : ndarray, shape (P, K, 2)
        Labelled joints of P people in pixels.
    labelled : ndarray of bool, shape (P, K)
    limbs : sequence of Limb
        L segments with their share of stature.

    Returns
    -------
    ndarray, shape (P, L)
        Pixels; NaN where an end of the limb has no label.
    """
    start = np.array([limb.start for limb in limbs], dtype=int)
    end = np.array([limb.end for limb in limbs], dtype=int)
    share = np.array([limb.share for limb in limbs], dtype=float)
    length = np.linalg.norm(keypoints[:, start] - keypoints[:, end], axis=-1)
    return np.where(labelled[:, start] & labelled[:, end], length / share, np.nan)


def grouped_percentile(values: np.ndarray, groups: np.ndarray, percentile: float = PERCENTILE) -> np.ndarray:
    """Percentile of the finite values of each group, interpolated as ``numpy.percentile`` does.

    Parameters
    ----------
    values : ndarray, shape (P, L)
    groups : ndarray of int, shape (P,)
        Group of every row, from 0.
    percentile : float
        In [0, 100].

    Returns
    -------
    ndarray, shape (G,)
        NaN for a group without a finite value.
    """
    count = int(groups.max()) + 1 if groups.size else 0
    result = np.full(count, np.nan)
    finite = np.isfinite(values)
    owner = np.broadcast_to(groups[:, None], values.shape)[finite]
    vote = values[finite]
    order = np.lexsort((vote, owner))
    vote = vote[order]
    size = np.bincount(owner, minlength=count)
    there = np.flatnonzero(size)
    first = (np.cumsum(size) - size)[there]
    rank = (size[there] - 1) * percentile / 100.0
    low = np.floor(rank).astype(int)
    high = np.ceil(rank).astype(int)
    if there.size:
        below, above = vote[first + low], vote[first + high]
        result[there] = below + (above - below) * (rank - low)
    return result


def athletes(dataset: Dataset) -> np.ndarray:
    """Number the athletes of a data set: people with one number share one pixel stature.

    A clip in which no frame holds more than one person with a labelled joint shows one athlete. Nothing links the
    people of different frames otherwise, so in a clip with several people at once, and in stills, each person of
    each frame stands alone; so does a person without a labelled joint, who says nothing about anyone.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    ndarray of int, shape (P,)
        One number, from 0, for every person, in the order of frames and of people in them.
    """
    clips = [(frame.source, frame.video) for frame in dataset.frames]
    crowd: Counter[tuple[str | None, str | None]] = Counter()
    for clip, frame in zip(clips, dataset.frames, strict=True):
        crowd[clip] = max(crowd[clip], sum(bool(person.labelled.any()) for person in frame.people))
    numbers: dict[tuple[str | None, str | None], int] = {}
    result = []
    fresh = 0
    for clip, frame in zip(clips, dataset.frames, strict=True):
        for person in frame.people:
            if clip[1] is not None and crowd[clip] == 1 and person.labelled.any():
                if clip not in numbers:
                    numbers[clip], fresh = fresh, fresh + 1
                result.append(numbers[clip])
            else:
                result.append(fresh)
                fresh += 1
    return np.array(result, dtype=int)


def pixel_stature(
    keypoints: np.ndarray, labelled: np.ndarray, athlete: np.ndarray, limbs: Sequence[Limb]
) -> np.ndarray:
    """Pixel stature H of every labelled person.

    Parameters
    ----------
    keypoints : ndarray, shape (P, K, 2)
        Pixels.
    labelled : ndarray of bool, shape (P, K)
    athlete : ndarray of int, shape (P,)
        People with one number are one athlete; see `athletes`.
    limbs : sequence of Limb

    Returns
    -------
    ndarray, shape (P,)
        Pixels; NaN where no limb of the athlete is labelled or all have length zero.
    """
    height = grouped_percentile(limb_statures(keypoints, labelled, limbs), athlete)[athlete]
    return np.where(height > 0, height, np.nan)
