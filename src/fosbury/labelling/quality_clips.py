"""Checks of labels beside those of the frames before and after in the same clip: leaps, and sides exchanged."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from fosbury.dataset.relabel import limb_sides
from fosbury.labelling.quality import Check, Labels, robust
from fosbury.labelling.quality_shape import named
from fosbury.pose import Frame
from fosbury.skeleton import Skeleton

FARTHEST = 0.5
"""Seconds up to which two labelled frames are neighbours, where their times are known: half a flight."""
LEAST_MOVE = 0.03
"""Least standard deviation of a joint's place, in longer sides of the box: COCO's sigmas are .025 to .107 of a person's
scale, which is about 0.7 of that side."""
GAIN = 0.004
"""What exchanging sides gains counts so much as a standard deviation, in longer sides of the box: of the labels of gym
rows one in a hundred gains `quality.SUSPECT` times this beside both neighbours."""
LEAST_JOINTS = 2
"""Pairs of a part that both frames must have."""


def neighbours(labels: Labels, frames: Sequence[Frame]) -> np.ndarray:
    """Find the same person in the labelled frame before and in the one after.

    Frames of a clip, else of a group, are put in order by their number, else by the numbers in their names. Of several
    people the one whose box is nearest is taken.

    Returns
    -------
    ndarray of int, shape (N, 2)
        -1 where there is none.
    """
    people: dict[int, list[int]] = defaultdict(list)
    for index, frame in enumerate(labels.frame):
        people[int(frame)].append(index)
    clips: dict[str, list[int]] = defaultdict(list)
    for index in people:
        unit = frames[index].video or frames[index].group
        if unit:
            clips[unit].append(index)
    middle = (labels.boxes[:, :2] + labels.boxes[:, 2:]) / 2
    result = np.full((len(labels.frame), 2), -1)
    for clip in clips.values():
        clip.sort(key=lambda index: _order(frames[index]))
        for one, other in pairwise(clip):
            if not _near(frames[one], frames[other]):
                continue
            for here, there, column in ((one, other, 1), (other, one, 0)):
                for person in people[here]:
                    away = np.linalg.norm(middle[people[there]] - middle[person], axis=1)
                    result[person, column] = people[there][int(away.argmin())]
    return result


def _order(frame: Frame) -> tuple[int, tuple[int, ...], str]:
    numbers = tuple(int(number) for number in re.findall(r"\d{1,15}", PurePosixPath(frame.file_name).stem))
    return (-1 if frame.frame is None else frame.frame, numbers, frame.file_name)


def _near(one: Frame, other: Frame) -> bool:
    if one.timestamp_ms is None or other.timestamp_ms is None:
        return True
    return abs(other.timestamp_ms - one.timestamp_ms) <= 1000 * FARTHEST


def parts(skeleton: Skeleton) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, left and right joints of the whole body, and of arms and legs."""
    if not skeleton.pairs:
        return []
    left, right = (np.array(side) for side in zip(*skeleton.pairs, strict=True))
    found = [("left and right of the whole body", left, right)]
    for one, other in limb_sides(skeleton):
        if LEAST_JOINTS <= len(one) < len(left):
            ends = named(skeleton, (int(one[0]),)), named(skeleton, (int(one[-1]),))
            words = " to ".join(f"{end.replace('left ', '')}s" for end in ends)
            found.append((f"left and right from {words}", one, other))
    return found


def swapped(here: np.ndarray, there: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean distance of joints from others as they are, and once their sides are exchanged, each of shape (N,).

    Parameters
    ----------
    here, there : ndarray, shape (N, K, 2)
    left, right : ndarray of int, shape (J,)
    """
    order, turned = np.concatenate([left, right]), np.concatenate([right, left])
    straight = np.linalg.norm(here[:, order] - there[:, order], axis=-1)
    crossed = np.linalg.norm(here[:, turned] - there[:, order], axis=-1)
    known = np.isfinite(straight + crossed)
    count = known.sum(axis=1)
    enough = np.where(count >= 2 * LEAST_JOINTS, np.maximum(count, 1), np.nan)
    means = [np.where(known, each, 0.0).sum(axis=1) / enough for each in (straight, crossed)]
    return means[0], means[1]


def check_clips(labels: Labels, frames: Sequence[Frame]) -> list[Check]:
    """Joints that leap, and sides that are exchanged, beside both neighbours (or the only one)."""
    beside = neighbours(labels, frames)
    if not (beside >= 0).any():
        return []
    skeleton = labels.skeleton
    steps = [_moved(labels, beside[:, column]) for column in (0, 1)]
    both = np.asarray((beside >= 0).all(axis=1))
    steps.append(np.where(both[:, None, None], (steps[0] + steps[1]) / 2, np.nan))
    away = np.stack([np.linalg.norm(step, axis=-1) for step in steps])
    leap = np.fmin(np.fmin(away[0], away[1]), away[2])
    unit = [frames[int(index)].video or frames[int(index)].group for index in labels.frame]

    def leaps(person: int, joint: int) -> str:
        return (
            f"{named(skeleton, (joint,))} lies {leap[person, joint]:.0%} of the box's side from where the frames of "
            f"{unit[person]} before and after have it."
        )

    found = [Check("leap", robust(leap, LEAST_MOVE), [(joint,) for joint in range(len(skeleton))], leaps)]
    groups = parts(skeleton)
    if groups:
        gains = np.column_stack([_gain(labels, beside, left, right) for _, left, right in groups])

        def flips(person: int, part: int) -> str:
            return f"{groups[part][0]} seem exchanged beside the frames of {unit[person]} before and after."

        joints = [(*map(int, left), *map(int, right)) for _, left, right in groups]
        scores = np.where(gains > 0, gains / GAIN, np.nan)
        found.append(Check("sides beside neighbours", scores, joints, flips))
    return found


def _placed(labels: Labels, beside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joints here and in the neighbour, both in sides of the box from the middle of the joints that both have."""
    there = np.where((beside >= 0)[:, None, None], labels.keypoints[beside], np.nan)
    side = np.where(beside >= 0, labels.side[beside], 1.0)[:, None, None]
    one, other = labels.keypoints / labels.side[:, None, None], there / side
    shared = np.isfinite(one + other).all(axis=-1)
    count = np.maximum(shared.sum(axis=1), 1)[:, None]
    return tuple(
        points - (np.where(shared[..., None], points, 0.0).sum(axis=1) / count)[:, None] for points in (one, other)
    )


def _moved(labels: Labels, beside: np.ndarray) -> np.ndarray:
    """From each joint's place in the neighbour to that here, in sides of the box, less what most joints moved."""
    here, there = _placed(labels, beside)
    step = here - there
    some = np.isfinite(step).all(axis=-1).any(axis=1)
    middle = np.zeros((len(step), 1, 2))
    middle[some] = np.nanmedian(step[some], axis=1, keepdims=True)
    return step - middle


def _gain(labels: Labels, beside: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return what exchanging sides gains beside both neighbours, the smaller of the two, shape (N,)."""
    both = [swapped(*_placed(labels, beside[:, column]), left, right) for column in (0, 1)]
    return np.fmin(*(straight - crossed for straight, crossed in both))
