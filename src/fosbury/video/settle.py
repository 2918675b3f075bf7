"""The athlete of a clip: one person kept through crowd and inversion, sides put right, paths smoothed.

A shot is settled as a whole, so nothing lags; a long one in parts, so that memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fosbury.dataset.phases import phases_by_geometry
from fosbury.pose import Pose, trunk_tilt
from fosbury.skeleton import Skeleton
from fosbury.video.look import Answer
from fosbury.video.tracks import Track, follow, repair_sides, smooth, speeds

LONGEST = 3000
"""Frames of a shot that are settled at once: a minute or two."""
ANCHOR = 10.0
"""What the person counts who was followed in the part before, in people seen."""
MOVING, FAST = 9.0, 2.0
"""How much more a person counts who moves through the scene at so many sides of the box a second: an approach is run at
three to four, a coach who stands in front is larger and longer there."""
LOST = 0.5
"""Seconds over which an athlete who is not seen is filled in."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """What is done to the joints.

    Attributes
    ----------
    repair : bool
        Exchange left and right where the joints then move evenly.
    smooth : bool
        Move each joint to its path through the frames around.
    """

    repair: bool = True
    smooth: bool = True


@dataclass(frozen=True, eq=False)
class Settled:
    """The athlete in a frame.

    Attributes
    ----------
    answer : Answer
    pose : Pose or None
        None where nobody was seen.
    person_id : int or None
        Counts shots: who is followed in one is the same person, who is in the next is not known to be.
    phase : str or None
    interpolated : bool
        Whether the frame was not looked at, or the athlete was not seen in it, and the pose is from those around.
    swapped : int
        Limb pairs of which the sides were exchanged, in this frame.
    """

    answer: Answer
    pose: Pose | None
    person_id: int | None
    phase: str | None = None
    interpolated: bool = False
    swapped: int = 0


def settle(answers: Iterable[Answer], skeleton: Skeleton, steps: Steps) -> Iterator[Settled]:
    """Yield the athlete of each frame.

    Parameters
    ----------
    answers : iterable of Answer
        In the order of time.
    skeleton : Skeleton
        Of the poses.
    steps : Steps
    """
    shot, anchor = 1, None
    for part, begins in _parts(answers):
        if begins and part[0].index:
            shot, anchor = shot + 1, None
        done = _settle(part, skeleton, steps, shot, anchor)
        anchor = next((each.pose.box for each in reversed(done) if each.pose is not None), anchor)
        yield from done


def _parts(answers: Iterable[Answer]) -> Iterator[tuple[list[Answer], bool]]:
    """Answers of a shot, or of so much of it as is settled at once, and whether the shot begins there."""
    part: list[Answer] = []
    begins = True
    for answer in answers:
        if part and (answer.cut or len(part) == LONGEST):
            yield part, begins
            part, begins = [], answer.cut
        part.append(answer)
    if part:
        yield part, begins


def _settle(
    part: Sequence[Answer], skeleton: Skeleton, steps: Steps, shot: int, anchor: np.ndarray | None
) -> list[Settled]:
    poses = [answer.poses or [] for answer in part]
    boxes = [np.array([pose.box for pose in found]).reshape(-1, 4) for found in poses]
    seconds = np.array([answer.timestamp_ms / 1000 for answer in part])
    camera = np.array([answer.camera for answer in part])
    camera[0] = 0
    moving = [1 + MOVING * np.minimum(speed / FAST, 1) for speed in speeds(boxes, seconds, camera)]
    scores = [np.array([pose.score for pose in found]) * more for found, more in zip(poses, moving, strict=True)]
    if anchor is not None:
        boxes, scores = [anchor[None], *boxes], [np.array([ANCHOR]), *scores]
    chosen = follow(boxes, scores)[len(boxes) - len(part) :]
    found = [None if at is None else every[at] for at, every in zip(chosen, poses, strict=True)]
    seen = np.array([pose is not None for pose in found])
    if not seen.any():
        return [Settled(answer, None, None) for answer in part]
    raw = _filled(found, seen, seconds, len(skeleton))
    track = Track(
        raw.keypoints, raw.confidence, seconds, np.maximum((raw.box[:, 2:] - raw.box[:, :2]).max(axis=1), 1.0)
    )
    there = _near(seconds, seen)
    keypoints, confidence, swaps = _steadied(track, there, skeleton, steps)
    phases: list[str | None] = [None] * len(part)
    if skeleton.trunk[0] and skeleton.trunk[1]:
        tilt = np.where(there, trunk_tilt(keypoints, skeleton), np.nan)
        phases = phases_by_geometry(tilt, seconds)
    result = []
    for at, answer in enumerate(part):
        if not there[at]:
            result.append(Settled(answer, None, None))
            continue
        original = found[at]
        doubt = None if original is None else original.doubt
        pose = Pose(keypoints[at], confidence[at], raw.box[at], float(raw.score[at]), doubt)
        result.append(Settled(answer, pose, shot, phases[at], original is None, int(swaps[at])))
    return result


@dataclass(frozen=True, eq=False)
class _Filled:
    keypoints: np.ndarray
    confidence: np.ndarray
    box: np.ndarray
    score: np.ndarray


def _filled(found: Sequence[Pose | None], seen: np.ndarray, seconds: np.ndarray, joints: int) -> _Filled:
    """Poses with straight lines over the frames that have none."""
    known = [pose for pose in found if pose is not None]
    rows = [
        np.concatenate([pose.keypoints.ravel(), pose.confidence, pose.box, [pose.score]]).astype(float)
        for pose in known
    ]
    values = np.array(rows)
    filled = np.empty((len(found), values.shape[1]))
    for column in range(values.shape[1]):
        filled[:, column] = np.interp(seconds, seconds[seen], values[:, column])
    filled[seen] = values
    points, confidence, box, score = np.split(filled, [2 * joints, 3 * joints, 3 * joints + 4], axis=1)
    return _Filled(points.reshape(-1, joints, 2), confidence, box, score[:, 0])


def _near(seconds: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Frames between two in which the athlete was seen that are not too far apart, and those themselves."""
    result = seen.copy()
    places = np.flatnonzero(seen)
    for first, last in pairwise(places):
        if seconds[last] - seconds[first] <= LOST:
            result[first:last] = True
    return result


def _steadied(
    track: Track, there: np.ndarray, skeleton: Skeleton, steps: Steps
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints and confidence, repaired and smoothed where the athlete is there, and limbs exchanged in each frame."""
    keypoints, confidence = track.keypoints.copy(), track.trust.copy()
    swaps = np.zeros(len(there), dtype=int)
    use = np.flatnonzero(there)
    part = Track(keypoints[use], confidence[use], track.seconds[use], track.sides[use])
    if steps.repair:
        repaired = repair_sides(part, skeleton)
        moved = np.any(repaired.keypoints != part.keypoints, axis=-1) & np.isfinite(part.keypoints).all(axis=-1)
        swaps[use] = moved.sum(axis=1) // 2
        part = repaired
    confidence[use] = part.trust
    keypoints[use] = smooth(part).keypoints if steps.smooth else part.keypoints
    return keypoints, confidence, swaps
