"""What a coach reads in a pose.

The bend of knees and hips, the lean of the trunk, the depth of the arch, and the shake of joints from frame to frame.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from fosbury.pose import Dataset, midpoint, trunk_tilt
from fosbury.skeleton import Skeleton, normalise

BENDS = {"knee": ("hip", "knee", "ankle"), "hip": ("shoulder", "hip", "knee")}
SIDES = ("left", "right")
LYING = 0.5  # cosine of the steepest line that has something above it


def bend(first: np.ndarray, corner: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Angle in degrees at a corner, 180 where the three points are in line.

    Parameters
    ----------
    first, corner, last : ndarray, shape (..., 2)

    Returns
    -------
    ndarray, shape (...)
        NaN where a point is absent or two of them coincide.
    """
    u, v = first - corner, last - corner
    length = np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (u * v).sum(axis=-1) / length
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def angles(keypoints: np.ndarray, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Measure the angles of poses, in degrees, as the picture shows them, and the depth of the arch.

    Parameters
    ----------
    keypoints : ndarray, shape (P, K, 2)
        Pixels; NaN where absent.
    skeleton : Skeleton

    Returns
    -------
    dict of str to ndarray, shape (P,)
        ``left_knee``, ``right_knee``, ``left_hip``, ``right_hip`` (180: straight), ``trunk_tilt`` (0: upright) in
        degrees, and ``arch_depth``: how far the mid-hip lies above the line from mid-shoulder to mid-knee, in lengths
        of that line (below it: negative; NaN where the line stands steeper than 60 degrees and has no above). Only
        those whose joints the skeleton has.
    """
    place = {normalise(name): index for index, name in enumerate(skeleton.joints)}
    found = {}
    for name, chain in BENDS.items():
        for side in SIDES:
            joints = [place.get(normalise(f"{side}_{joint}")) for joint in chain]
            if None not in joints:
                found[f"{side}_{name}"] = bend(*(keypoints[:, joint] for joint in joints))
    shoulders, hips = skeleton.trunk
    if not shoulders or not hips:
        return found
    found["trunk_tilt"] = trunk_tilt(keypoints, skeleton)
    knees = tuple(place[normalise(f"{side}_knee")] for side in SIDES if normalise(f"{side}_knee") in place)
    if knees:
        shoulder, hip, knee = (midpoint(keypoints, joints) for joints in (shoulders, hips, knees))
        along = knee - shoulder
        length = np.linalg.norm(along, axis=-1)
        across = along[:, 0] * (hip - shoulder)[:, 1] - along[:, 1] * (hip - shoulder)[:, 0]
        with np.errstate(invalid="ignore", divide="ignore"):
            # y points down: above the line is the side that a walk to the right has on its left.
            depth = -across * np.sign(along[:, 0]) / length**2
            found["arch_depth"] = np.where(np.abs(along[:, 0]) < LYING * length, np.nan, depth)
    return found


def angle_errors(
    predicted: np.ndarray, labels: np.ndarray, skeleton: Skeleton, rows: np.ndarray | None = None
) -> dict[str, dict[str, float]]:
    """Mean absolute error of every angle.

    Parameters
    ----------
    predicted, labels : ndarray, shape (P, K, 2)
    skeleton : Skeleton
    rows : ndarray of bool, shape (P,), optional

    Returns
    -------
    dict of str to dict
        For each angle ``error`` (degrees; of the arch's depth, lengths of its line), ``bias`` (predicted minus
        labelled) and ``poses``, how many have both. Missed poses have no angle: mind the share of them.
    """
    rows = np.ones(len(labels), dtype=bool) if rows is None else rows
    ours, theirs = angles(predicted[rows], skeleton), angles(labels[rows], skeleton)
    result = {}
    for name, truth in theirs.items():
        off = ours[name] - truth
        off = off[np.isfinite(off)]
        if off.size:
            result[name] = {"error": float(np.abs(off).mean()), "bias": float(off.mean()), "poses": int(off.size)}
    return result


def shake(keypoints: np.ndarray, dataset: Dataset, step: int = 1) -> np.ndarray:
    """Acceleration of each joint over three frames of a clip in equal steps: what jitters, accelerates.

    Parameters
    ----------
    keypoints : ndarray, shape (F, K, 2)
        Of one person a frame, in pixels; NaN where absent.
    dataset : Dataset
        F frames, in any order.
    step : int
        How many frames of the clip lie between two that follow each other.

    Returns
    -------
    ndarray, shape (F, K)
        Second difference in pixels a frame and frame, at the middle frame; NaN where there are no three such frames.
    """
    result = np.full(keypoints.shape[:2], np.nan)
    place = {
        (f.video, f.frame): index
        for index, f in enumerate(dataset.frames)
        if f.video is not None and f.frame is not None
    }
    for (video, number), middle in place.items():
        before, after = place.get((video, number - step)), place.get((video, number + step))
        if before is not None and after is not None:
            second = keypoints[before] - 2 * keypoints[middle] + keypoints[after]
            result[middle] = np.linalg.norm(second, axis=-1) / step**2
    return result


def jitter(
    predicted: np.ndarray, labels: np.ndarray, mm_per_px: np.ndarray, *, owner: np.ndarray, dataset: Dataset
) -> dict[str, float] | None:
    """How much predicted joints shake beside how much the labelled ones do, where frames follow each other.

    Parameters
    ----------
    predicted, labels : ndarray, shape (P, K, 2)
        Pixels; NaN where absent.
    mm_per_px : ndarray, shape (P,)
    owner : ndarray of int, shape (P,)
        Frame of each person; frames with one labelled person count.
    dataset : Dataset

    Returns
    -------
    dict or None
        Median acceleration of ``predicted`` and ``labelled`` joints in mm-equivalents a frame and frame, over the same
        ``joints``, with the ``step`` between the frames; None where no three frames follow each other.
    """
    step = common_step(dataset)
    alone = np.flatnonzero(np.bincount(owner, minlength=len(dataset))[owner] == 1)
    if step is None or not alone.size:
        return None
    moved = []
    for points in (predicted, labels):
        each = np.full((len(dataset), *points.shape[1:]), np.nan)
        each[owner[alone]] = points[alone] * mm_per_px[alone, None, None]
        moved.append(shake(each, dataset, step))
    both = np.isfinite(moved[0]) & np.isfinite(moved[1])
    if not both.any():
        return None
    ours, theirs = (float(np.median(own[both])) for own in moved)
    return {"predicted": ours, "labelled": theirs, "joints": int(both.sum()), "step": step}


def common_step(dataset: Dataset) -> int | None:
    """Find the commonest step between neighbouring frames of one clip; None where no two share a clip."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for frame in dataset.frames:
        if frame.video is not None and frame.frame is not None:
            numbers[frame.video].append(frame.frame)
    steps = np.concatenate([np.zeros(0, dtype=int), *(np.diff(np.unique(own)) for own in numbers.values())])
    found, count = np.unique(steps, return_counts=True)
    return int(found[count.argmax()]) if found.size else None
