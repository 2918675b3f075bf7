"""How tall the athlete is in pixels, judged from the labelled limbs.

A limb that points towards the camera looks shorter, never longer, so a high percentile over many limbs is
close to the true length. In a clip the limbs of the frames within `WINDOW` seconds vote together: long enough for some
of them to lie across the line of sight, and short enough that the athlete's distance from a camera which stands still
changes little. A still has only its own limbs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Limb

PERCENTILE = 80.0
"""Of the limbs' votes: high, because foreshortening only shortens; not the top, because labels err."""

WINDOW = 0.2
"""Seconds before and after a frame whose limbs judge the stature in it."""

HAIR = 1e-6
"""Seconds: rounded times that are `WINDOW` apart still count."""

ASSUMED_FPS = 25.0
"""Frames a second of a clip that says neither times nor a rate."""

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
    """Assign a number to each athlete: limbs of people with one number vote together on the pixel stature.

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


def times(dataset: Dataset) -> np.ndarray:
    """When each person was seen, in seconds of the clip.

    A frame's time is its timestamp. Without one it is its number in the clip divided by the clip's frames a second,
    which the frames that have both a timestamp and a number tell, or else by `ASSUMED_FPS`. A frame without a number
    counts as the one after the frame before it, in the order of the data set.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    ndarray, shape (P,)
        One time for every person, in the order of frames and of people in them; of a still it means nothing.
    """
    clips: dict[tuple[str | None, str | None], list[Frame]] = {}
    for frame in dataset.frames:
        clips.setdefault((frame.source, frame.video), []).append(frame)
    rates = {clip: _frames_a_second(frames) for clip, frames in clips.items()}
    last: dict[tuple[str | None, str | None], float] = {}
    result = []
    for frame in dataset.frames:
        clip = frame.source, frame.video
        if frame.timestamp_ms is not None:
            time = frame.timestamp_ms / 1000.0
        elif frame.frame is not None:
            time = frame.frame / rates[clip]
        else:
            time = last.get(clip, 0.0) + 1.0 / rates[clip]
        last[clip] = time
        result += [time] * len(frame.people)
    return np.array(result, dtype=float)


def _frames_a_second(frames: Sequence[Frame]) -> float:
    known = [(f.frame, f.timestamp_ms) for f in frames if f.frame is not None and f.timestamp_ms is not None]
    if len(known) > 1:
        (first, start), (last, end) = min(known), max(known)
        if last > first and end > start:
            return 1000.0 * (last - first) / (end - start)
    return ASSUMED_FPS


def pixel_stature(
    keypoints: np.ndarray,
    labelled: np.ndarray,
    limbs: Sequence[Limb],
    *,
    athlete: np.ndarray,
    seconds: np.ndarray,
) -> np.ndarray:
    """Pixel stature H of every labelled person.

    Parameters
    ----------
    keypoints : ndarray, shape (P, K, 2)
        Pixels.
    labelled : ndarray of bool, shape (P, K)
    limbs : sequence of Limb
    athlete : ndarray of int, shape (P,)
        People with one number are one athlete; see `athletes`.
    seconds : ndarray, shape (P,)
        When each was seen; see `times`. People of one athlete no more than `WINDOW` apart vote together.

    Returns
    -------
    ndarray, shape (P,)
        Pixels; NaN where no limb that votes is labelled or all have length zero.
    """
    votes = limb_statures(keypoints, labelled, limbs)
    order = np.lexsort((seconds, athlete))
    number, time = athlete[order], seconds[order]
    ends = np.zeros((len(order), 2), dtype=int)
    for rows in np.split(np.arange(len(order)), np.flatnonzero(np.diff(number)) + 1):
        if rows.size:
            reach = np.array([time[rows] - WINDOW - HAIR, time[rows] + WINDOW + HAIR])
            ends[rows] = rows[0] + np.searchsorted(time[rows], reach).T
    windows, place = np.unique(ends, axis=0, return_inverse=True)
    size = windows[:, 1] - windows[:, 0]
    member = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size - windows[:, 0], size)
    height = grouped_percentile(votes[order[member]], np.repeat(np.arange(len(windows)), size))
    result = np.full(len(order), np.nan)
    result[order] = height[place.ravel()]
    return np.where(result > 0, result, np.nan)
