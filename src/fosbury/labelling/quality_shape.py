"""Checks of one label by itself and beside the others of its set: lengths, sides, picture and box."""

from __future__ import annotations

import numpy as np

from fosbury.labelling.quality import Check, Labels, robust
from fosbury.skeleton import Skeleton

LEAST_LENGTH = 0.1
"""Least standard deviation of the logarithm of a length. COCO's annotators, whose standard deviation is a quarter to a
whole tenth of the square root of a person's area, put a limb's two ends so."""
LEAST_CROSSED = 0.03
"""The same of what exchanging sides would save, in lengths of the two segments."""
LEAST_OUTSIDE = 0.03
"""Least standard deviation of how far joints lie outside, in longer sides of the box: `SUSPECT` times this is the tenth
from which on readers of labels refuse a box."""
HABIT = 0.9
"""What a tenth of the labels of a joint have is a habit of the set, such as ankles below the edge of the picture."""
OFTEN, NORMAL_OFTEN = 0.95, 1.645
"""Sides do cross: what a twentieth of the set saves by exchanging them counts as a twentieth's normal value."""
SHORTEST = 0.005
"""A bone shorter than this, in sides of the box, counts as so long: two joints in one place."""
ENOUGH = 3
"""Bones by which a person's size is judged; of fewer it is the box's."""
HALF = 0.5
"""Share of joints with a label from which on the box is judged by them."""


def segments(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Bones and limbs of a skeleton, each once."""
    ties = [*skeleton.bones, *((limb.start, limb.end) for limb in skeleton.limbs)]
    return list(dict.fromkeys((min(tie), max(tie)) for tie in ties if tie[0] != tie[1]))


def _mirrors(skeleton: Skeleton, lines: list[tuple[int, int]]) -> np.ndarray:
    """Index of each segment's mirror image; its own where it has none."""
    flip = skeleton.flip_index
    at = {line: index for index, line in enumerate(lines)}
    flipped = [(int(flip[a]), int(flip[b])) for a, b in lines]
    return np.array([at.get((min(line), max(line)), index) for index, line in enumerate(flipped)], dtype=int)


def lengths(labels: Labels) -> tuple[list[tuple[int, int]], np.ndarray, np.ndarray]:
    """Logarithms of lengths, and how they differ from what is usual for a person of that size.

    Returns
    -------
    lines : list of (int, int)
        The M segments.
    logs : ndarray, shape (N, M)
        Of the lengths in pixels; NaN where an end has no label.
    residual : ndarray, shape (N, M)
        Less the person's size (the median over segments) and the segment's usual length (the median over people, of
        both sides of the body together).
    """
    lines = segments(labels.skeleton)
    if not lines:
        return [], np.empty((len(labels.side), 0)), np.empty((len(labels.side), 0))
    ends = np.array(lines)
    apart = np.linalg.norm(labels.keypoints[:, ends[:, 0]] - labels.keypoints[:, ends[:, 1]], axis=-1)
    side = labels.side[:, None]
    logs = np.log(np.maximum(apart, SHORTEST * side))
    mirror = _mirrors(labels.skeleton, lines)
    size = np.log(side)
    enough = np.isfinite(logs).sum(axis=1, keepdims=True) >= ENOUGH
    usual = np.zeros(len(lines))
    for _ in range(5):
        usual = _median(np.concatenate([logs - size, (logs - size)[:, mirror]]), axis=0)
        own = _median(logs - usual, axis=1)[:, None]
        own = np.where(enough & np.isfinite(own), own, np.nan)
        offset = float(np.nanmedian(own - np.log(side))) if np.isfinite(own).any() else 0.0
        size = np.where(np.isfinite(own), own, np.log(side) + offset)
    return lines, logs, logs - size - usual


def _median(values: np.ndarray, axis: int) -> np.ndarray:
    """Median of the finite values; NaN where there is none."""
    some = np.isfinite(values).any(axis=axis)
    filled = np.where(np.expand_dims(some, axis), values, 0.0)
    return np.where(some, np.nanmedian(filled, axis=axis), np.nan)


def named(skeleton: Skeleton, joints: tuple[int, ...]) -> str:
    """Names of joints, in words."""
    return " to ".join(skeleton.joints[joint].replace("_", " ").lower() for joint in joints)


def check_lengths(labels: Labels) -> list[Check]:
    """Bones that are too long or short for the person, and those whose two sides differ."""
    skeleton = labels.skeleton
    lines, logs, residual = lengths(labels)
    if not lines:
        return []
    mirror = _mirrors(skeleton, lines)

    def length(person: int, line: int) -> str:
        times = float(np.exp(residual[person, line]))
        word = f"{times:.1f} times as long" if times > 1 else f"{1 / times:.1f} times as short"
        return f"{named(skeleton, lines[line])} is {word} as usual for a person of this size."

    share = np.exp(residual)
    scores = np.fmax(robust(share, LEAST_LENGTH), robust(-share, LEAST_LENGTH))
    found = [Check("length", scores, lines, length)]
    left = [index for index, other in enumerate(mirror) if index < other]
    if left:
        ratio = logs[:, left] - logs[:, mirror[left]]
        apart = np.abs(share[:, left] - share[:, mirror[left]])

        def uneven(person: int, pair: int) -> str:
            longer, shorter = lines[left[pair]], lines[mirror[left[pair]]]
            if ratio[person, pair] < 0:
                longer, shorter = shorter, longer
            times = float(np.exp(abs(ratio[person, pair])))
            return f"{named(skeleton, longer)} is {times:.1f} times as long as {named(skeleton, shorter)}."

        joints = [(*lines[index], *lines[mirror[index]]) for index in left]
        found.append(Check("asymmetry", robust(apart, LEAST_LENGTH), joints, uneven))
    return found


def check_crossed(labels: Labels) -> list[Check]:
    """Sides that cross from one pair of joints to the next, where exchanging them would make the lines shorter."""
    skeleton = labels.skeleton
    lines, _, _ = lengths(labels)
    mirror = _mirrors(skeleton, lines) if lines else np.empty(0, dtype=int)
    flip = skeleton.flip_index
    pairs = [
        (lines[index], lines[other])
        for index, other in enumerate(mirror)
        if index < other and not set(lines[index]) & set(lines[other]) and flip[lines[index][0]] not in lines[index]
    ]
    if not pairs:
        return []
    saved = np.empty((len(labels.side), len(pairs)))
    for column, (one, _) in enumerate(pairs):
        a, b = one
        first, second, third, fourth = (labels.keypoints[:, joint] for joint in (a, b, flip[a], flip[b]))
        straight = _apart(first, second) + _apart(third, fourth)
        crossed = _apart(first, fourth) + _apart(third, second)
        saved[:, column] = (straight - crossed) / np.maximum(straight, 2 * SHORTEST * labels.side)

    def reason(person: int, pair: int) -> str:
        (a, b), _ = pairs[pair]
        ends = named(skeleton, (a,)).split()[-1], named(skeleton, (b,)).split()[-1]
        return (
            f"the lines from {ends[0]}s to {ends[1]}s cross: with left and right of one end exchanged they would be "
            f"{saved[person, pair]:.0%} shorter."
        )

    joints = [(*one, *other) for one, other in pairs]
    some = np.where(np.isfinite(saved).any(axis=0), saved, 0.0)
    usual = np.maximum(np.nanquantile(some, OFTEN, axis=0) / NORMAL_OFTEN, LEAST_CROSSED)
    return [Check("crossed", np.where(saved > 0, saved / usual, np.nan), joints, reason)]


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.linalg.norm(one - other, axis=-1)


def check_place(labels: Labels) -> list[Check]:
    """Joints outside the picture or the box, and boxes that are much larger or smaller than their joints' extent."""
    skeleton, side = labels.skeleton, labels.side[:, None]
    joints = [(joint,) for joint in range(len(skeleton))]
    beyond = _outside(labels.keypoints, np.zeros((len(side), 2)), labels.pictures) / side
    off = _outside(labels.keypoints, labels.boxes[:, :2], labels.boxes[:, 2:]) / side

    def out_of(place: str, by: np.ndarray) -> Check:
        def reason(person: int, joint: int) -> str:
            return f"{named(skeleton, (joint,))} lies {by[person, joint]:.0%} of the box's side outside the {place}."

        there = np.where(np.isfinite(by).any(axis=0), by, 0.0)
        usual = np.maximum(np.nanquantile(there, HABIT, axis=0), LEAST_OUTSIDE)
        return Check(f"outside the {place}", by / usual, joints, reason)

    enough = labels.known.mean(axis=1) >= HALF
    low, high = (_extreme(labels.keypoints, which) for which in (np.fmin, np.fmax))
    extent = np.maximum(high - low, 0.05 * side).prod(axis=1)
    area = np.maximum((labels.boxes[:, 2:] - labels.boxes[:, :2]).prod(axis=1), 1.0)
    fill = np.where(enough, np.log(extent / area), np.nan)[:, None]

    def box(person: int, _: int) -> str:
        return f"its joints span {float(np.exp(fill[person, 0])):.0%} of the area of its box."

    scores = np.fmax(robust(fill, LEAST_LENGTH), robust(-fill, LEAST_LENGTH))
    return [out_of("picture", beyond), out_of("box", off), Check("box", scores, [()], box)]


def _outside(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far each point lies outside, shape (N, K); NaN where there is none."""
    over = np.maximum(np.maximum(low[:, None] - points, points - high[:, None]), 0.0)
    return np.linalg.norm(over, axis=-1)


def _extreme(points: np.ndarray, which: np.ufunc) -> np.ndarray:
    return np.asarray(which.reduce(points, axis=1))
