"""What a clip knows and a single picture does not: who the athlete is, which side is which, and where a joint was.

Everything here looks at the frames before and after, so nothing lags. Sides and paths of joints are only judged over
frames of one clip that are neighbours in time (`NEAR`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fosbury.dataset.relabel import limb_sides
from fosbury.skeleton import Skeleton

NEAR = 0.1
"""Seconds up to which two frames are neighbours: a leg swings through in three to four times as many."""
WINDOW = 0.125
"""Seconds before and after a frame that smoothing looks at: three frames of 25 a second."""
DEGREE = 2
"""Of the polynomial in time that is fitted to each joint: constant acceleration."""
LEAST_TRUST = 0.05
"""A joint of no trust still counts so much: where all are doubtful, their path is what is known."""
REPEATS = 2
"""How often the fit is repeated without what lies far from it, as LOWESS does (Cleveland, 1979)."""
SPREADS, LEAST_SPREAD = 6.0, 0.005
"""A joint does not count from this many median residuals on (Cleveland's 6); the least median, in sides of the box."""
SWAPPED = 0.03
"""What it costs, in sides of the box, to swap a limb's sides that the model is sure of: most frames are right. With
less, limbs that cross are swapped that were right; with more, swaps of several frames stay."""
FAR = 0.3
"""Distance in sides of the box from which on a joint is just wrong: how far tells nothing of its side."""
RECENT, FARTHEST = 120, 3.0
"""Frames with people that `follow` looks back to, and what a step costs at most, in people seen."""
ELSEWHERE = 0.5
"""Sides of the box from which two boxes are at two places."""
ABSENT, WAITING = 15, 0.02
"""Frames for which a person may be out of sight and keep her number, and what each counts, in sides of the box."""
AROUND = 0.5
"""Seconds before and after a frame over which a person's speed is taken."""


@dataclass(frozen=True, eq=False)
class Track:
    """One person in frames of a clip.

    Attributes
    ----------
    keypoints : ndarray, shape (T, K, 2)
        Pixels; NaN where the joint, or the person, was not found.
    trust : ndarray, shape (T, K)
        In each joint, in [0, 1].
    seconds : ndarray, shape (T,)
        Ascending.
    sides : ndarray, shape (T,)
        Longer side of the person's box in pixels.
    swapped : int
        Limb pairs, counted over frames, of which the sides were exchanged.
    """

    keypoints: np.ndarray
    trust: np.ndarray
    seconds: np.ndarray
    sides: np.ndarray
    swapped: int = 0


def runs(seconds: np.ndarray, near: float = NEAR) -> list[np.ndarray]:
    """Part the frames of a clip where a gap is, and return the indices of each run.

    Parameters
    ----------
    seconds : ndarray, shape (T,)
        Ascending.
    near : float
        Largest distance of neighbours.

    Examples
    --------
    >>> [run.tolist() for run in runs(np.array([0, 0.04, 0.08, 1.0, 1.04]))]
    [[0, 1, 2], [3, 4]]
    """
    hair = 1e-6  # times are rounded
    return np.split(np.arange(len(seconds)), np.flatnonzero(np.diff(seconds) > near + hair) + 1)


def follow(boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray]) -> list[int | None]:
    """Choose the one person whom a clip is about: seen often, large, and never far from where she was before.

    Of all paths through the people of the frames that is the one with the largest sum of score times size (of the
    largest person in the clip), less what each step costs: the distance of the middles in sides of the box, and the
    logarithm of the ratio of sides. No step leads to somebody else who was seen elsewhere at the same time.

    Parameters
    ----------
    boxes : sequence of ndarray, shape (N, 4)
        People of each frame: x1, y1, x2, y2.
    scores : sequence of ndarray, shape (N,)

    Returns
    -------
    list of int or None
        Index of the person in each frame; None where she was not seen.
    """
    chosen: list[int | None] = [None] * len(boxes)
    seen = [at for at, box in enumerate(boxes) if len(box)]
    if not seen:
        return chosen
    named = names(boxes)
    first_seen: dict[int, int] = {}
    for at in seen:
        for name in named[at].tolist():
            first_seen.setdefault(name, at)
    counts = [len(boxes[at]) for at in seen]
    starts = np.concatenate([[0], np.cumsum(counts)])
    people, identity = np.concatenate([boxes[at] for at in seen]), np.concatenate([named[at] for at in seen])
    frame = np.repeat(seen, counts)
    since = np.array([first_seen[name] for name in identity.tolist()])
    sides = _side(people)
    totals = np.concatenate([scores[at] for at in seen]) * sides / sides.max()
    before = np.full(len(people), -1)
    for order in range(1, len(seen)):
        recent, here = slice(starts[max(0, order - RECENT)], starts[order]), slice(starts[order], starts[order + 1])
        way, change = _apart_and_change(people[recent], people[here])
        cost = np.minimum(FARTHEST, way + change)
        others = (identity[recent, None] != identity[None, here]) & (since[None, here] <= frame[recent, None])
        value = totals[recent, None] - np.where(others & (way > ELSEWHERE), np.inf, cost)
        best = value.argmax(axis=0)
        gain = value.max(axis=0)
        before[here] = np.where(gain > 0, best + starts[max(0, order - RECENT)], -1)
        totals[here] += np.maximum(gain, 0)
    at = int(totals.argmax())
    while at >= 0:
        chosen[frame[at]] = int(at - starts[np.searchsorted(starts, at, side="right") - 1])
        at = int(before[at])
    return chosen


def names(boxes: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Give each person of each frame the number of who was last seen there; two boxes of one person may share it.

    Parameters
    ----------
    boxes : sequence of ndarray, shape (N, 4)

    Returns
    -------
    list of ndarray of int, shape (N,)
    """
    result: list[np.ndarray] = []
    # who was seen lately: box, number, and the frame in which that was
    last, known, when = np.zeros((0, 4)), np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    count = 0
    for at, here in enumerate(boxes):
        lately = at - when <= ABSENT
        last, known, when = last[lately], known[lately], when[lately]
        own = np.full(len(here), -1)
        gone = np.ones(len(last), dtype=bool)
        if len(here) and len(last):
            apart = np.add(*_apart_and_change(last, here)) + WAITING * (at - when - 1)[:, None]
            nearest = apart.argmin(axis=0)
            for person, old in enumerate(nearest):
                if apart[old, person] < ELSEWHERE:
                    own[person], gone[old] = known[old], False
        new = own < 0
        own[new] = np.arange(count, count + new.sum())
        count += int(new.sum())
        result.append(own)
        last = np.concatenate([last[gone], here])
        known, when = np.concatenate([known[gone], own]), np.concatenate([when[gone], np.full(len(here), at)])
    return result


def speeds(boxes: Sequence[np.ndarray], seconds: np.ndarray, camera: np.ndarray) -> list[np.ndarray]:
    """Say how fast each person moves through the scene, in sides of the box a second.

    That is the way from half a second before to half a second after, as far as she is seen, less the camera's.

    Parameters
    ----------
    boxes : sequence of ndarray, shape (N, 4)
        People of each frame.
    seconds : ndarray, shape (T,)
    camera : ndarray, shape (T, 2)
        How far what stands still has moved in the picture since the frame before, in pixels.

    Returns
    -------
    list of ndarray, shape (N,)
    """
    named = names(boxes)
    moved = np.cumsum(np.nan_to_num(camera), axis=0)
    places: dict[int, list[tuple[int, int]]] = {}
    for at, own in enumerate(named):
        for person, name in enumerate(own.tolist()):
            places.setdefault(name, []).append((at, person))
    result = [np.zeros(len(box)) for box in boxes]
    for track in places.values():
        frames = np.array([at for at, _ in track])
        box = np.array([boxes[at][person] for at, person in track])
        middle, times = (box[:, :2] + box[:, 2:]) / 2 - moved[frames], seconds[frames]
        low = np.searchsorted(times, times - AROUND)
        high = np.searchsorted(times, times + AROUND, side="right") - 1
        # a track of a few frames says little about speed: the time counts as at least AROUND
        spans = np.maximum(times[high] - times[low], AROUND)
        speed = np.linalg.norm(middle[high] - middle[low], axis=1) / _side(box) / spans
        for (at, person), each in zip(track, speed, strict=True):
            result[at][person] = each
    return result


def _side(boxes: np.ndarray) -> np.ndarray:
    return np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0)


def _apart_and_change(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the middles in sides, and logarithm of the ratio of sides, of each pair, both of shape (N, M)."""
    sides, others = _side(first)[:, None], _side(second)[None]
    way = np.linalg.norm(
        (first[:, None, :2] + first[:, None, 2:] - second[None, :, :2] - second[None, :, 2:]) / 2, axis=2
    )
    return way / ((sides + others) / 2), np.abs(np.log(others / sides))


def between(boxes: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Fill in the boxes of frames in which a person was not seen, in a straight line from those before and after.

    Parameters
    ----------
    boxes : ndarray, shape (T, 4)
        NaN where she was not seen; before the first and after the last frame in which she was, the box stays so.
    seconds : ndarray, shape (T,)
    """
    there = np.isfinite(boxes).all(axis=1)
    if not there.any():
        return boxes
    return np.column_stack([np.interp(seconds, seconds[there], column[there]) for column in boxes.T])


def repair_sides(track: Track, skeleton: Skeleton) -> Track:
    """Exchange left and right of arms, of legs, and of the face, in frames in which the joints then move evenly.

    Each of them is as it was or exchanged in each frame. Of all ways through a run of neighbouring frames that one
    counts in which its joints are nearest to where the two frames before let expect them, if they keep their speed:
    limbs that cross keep their side. Exchanging has a price (`SWAPPED`), so that most frames stay as they are.

    Parameters
    ----------
    track : Track
    skeleton : Skeleton
    """
    keypoints, trust, count = track.keypoints.copy(), track.trust.copy(), 0
    limbs = limb_sides(skeleton)
    of_limbs = {int(joint) for limb in limbs for side in limb for joint in side}
    rest = np.array([pair for pair in skeleton.pairs if not set(pair) & of_limbs], dtype=int).reshape(-1, 2)
    if len(rest):
        limbs.append((rest[:, 0], rest[:, 1]))
    for run in runs(track.seconds):
        for left, right in limbs:
            here, there = np.concatenate([left, right]), np.concatenate([right, left])
            both = np.stack([track.keypoints[run][:, order] for order in (here, there)], axis=1)
            sure = np.stack([track.trust[run][:, order] for order in (here, there)], axis=1)
            wrong = run[_sides(both / track.sides[run][:, None, None, None], sure, track.seconds[run])]
            keypoints[wrong[:, None], here] = track.keypoints[wrong[:, None], there]
            trust[wrong[:, None], here] = track.trust[wrong[:, None], there]
            count += len(wrong)
    return Track(keypoints, trust, track.seconds, track.sides, track.swapped + count)


def _sides(points: np.ndarray, trust: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Frames to be exchanged, as a mask, shape (T,).

    Parameters
    ----------
    points : ndarray, shape (T, 2, J, 2)
        As it was and exchanged, in sides of the box.
    trust : ndarray, shape (T, 2, J)
    seconds : ndarray, shape (T,)
    """
    count = len(points)
    price = SWAPPED * np.nan_to_num(trust[:, 0]).mean(axis=-1)
    if count < 2:
        return np.zeros(count, dtype=bool)
    # cost[a, b]: the least of all ways that end with state a in the last frame but one and b in the last
    cost = np.array([[_apart(points[0, a], points[1, b], trust[1, b]) for b in (0, 1)] for a in (0, 1)])
    cost = cost + np.array([[0.0], [price[0]]]) + np.array([[0.0, price[1]]])
    ways = np.zeros((count, 2, 2), dtype=int)
    for at in range(2, count):
        pace = (seconds[at] - seconds[at - 1]) / max(seconds[at - 1] - seconds[at - 2], 1e-6)
        total = np.empty((2, 2, 2))
        for a, b in np.ndindex(2, 2):
            expected = points[at - 1, b] + (points[at - 1, b] - points[at - 2, a]) * pace
            known = np.isfinite(expected)
            expected = np.where(known, expected, points[at - 1, b])
            for c in (0, 1):
                total[a, b, c] = cost[a, b] + _apart(expected, points[at, c], trust[at, c]) + c * price[at]
        ways[at] = total.argmin(axis=0)
        cost = total.min(axis=0)
    states = np.zeros(count, dtype=int)
    states[-2], states[-1] = np.unravel_index(int(cost.argmin()), (2, 2))
    for at in range(count - 1, 1, -1):
        states[at - 2] = ways[at, states[at - 1], states[at]]
    return states == 1


def _apart(expected: np.ndarray, points: np.ndarray, trust: np.ndarray) -> float:
    """Mean distance in sides of the box, weighed by trust; 0 where nothing can be compared."""
    distance = np.linalg.norm(points - expected, axis=-1)
    weight = np.isfinite(distance) * np.maximum(np.nan_to_num(trust), LEAST_TRUST)
    if not weight.any():
        return 0.0
    return float((weight * np.minimum(np.nan_to_num(distance), FAR)).sum() / weight.sum())


def smooth(track: Track, window: float = WINDOW) -> Track:
    """Move each joint to a parabola in time through its neighbours, and fill in what was not found between them.

    A Savitzky-Golay filter that knows the true times and how far each joint is to be trusted: weighted least squares
    over the frames within ``window`` seconds of the same run, those nearer counting more, repeated without what lies
    far from the fit. Of such a joint the trust falls, too.

    Parameters
    ----------
    track : Track
    window : float
        Seconds before and after each frame.
    """
    keypoints, trust = track.keypoints.copy(), track.trust.copy()
    for run in runs(track.seconds):
        if len(run) > DEGREE + 1:
            keypoints[run], trust[run] = _fitted(
                track.keypoints[run], track.trust[run], track.seconds[run], track.sides[run], window
            )
    return Track(keypoints, trust, track.seconds, track.sides, track.swapped)


def _fitted(
    points: np.ndarray, trust: np.ndarray, seconds: np.ndarray, sides: np.ndarray, window: float
) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed joints and trust of one run; see `smooth`."""
    there = np.isfinite(points).all(axis=-1)
    weight = there * np.maximum(np.nan_to_num(trust), LEAST_TRUST)
    clean = np.nan_to_num(points)
    apart = seconds[:, None] - seconds[None]
    near = np.clip(1 - (np.abs(apart) / (window + 1e-6)) ** 3, 0.0, None) ** 3
    believed = np.ones(weight.shape)
    fit = points
    for repeat in range(REPEATS + 1):
        fit = np.stack(
            [_value(clean, weight * believed * near[at][:, None], -apart[at] / window) for at in range(len(near))]
        )
        if repeat < REPEATS:
            residual = np.where(there, np.linalg.norm(fit - points, axis=-1), np.nan) / sides[:, None]
            believed = _believed(residual, near > 0)
    result = np.where(np.isfinite(fit), fit, points)
    return result, np.where(there, np.nan_to_num(trust) * believed, 0.0)


def _value(points: np.ndarray, weight: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Value at time 0 of the parabola through points, shape (K, 2); a line through few, NaN beside all.

    Parameters
    ----------
    points : ndarray, shape (T, K, 2)
    weight : ndarray, shape (T, K)
    times : ndarray, shape (T,)
    """
    used = np.flatnonzero((weight > 0).any(axis=1))
    points, weight, times = points[used], weight[used], times[used]
    result = np.full(points.shape[1:], np.nan)
    count = (weight > 0).sum(axis=0)
    inside = ((weight > 0) & (times[:, None] <= 0)).any(axis=0) & ((weight > 0) & (times[:, None] >= 0)).any(axis=0)
    for degree in range(1, DEGREE + 1):
        chosen = inside & (count > degree + 1 if degree == DEGREE else count >= degree + 1)
        if not chosen.any():
            continue
        powers = times[:, None] ** np.arange(degree + 1)
        normal = np.einsum("tk,ti,tj->kij", weight[:, chosen], powers, powers)
        right = np.einsum("tk,ti,tkd->kid", weight[:, chosen], powers, points[:, chosen])
        ridge = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(degree + 1)
        result[chosen] = np.linalg.solve(normal + ridge, right)[:, 0]
    return result


def _believed(residual: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Tukey's bisquare weight of each joint by its residual, shape (T, K), beside those of its neighbours."""
    result = np.ones(residual.shape)
    for at, neighbours in enumerate(near):
        around = residual[neighbours]
        spread = np.maximum(_median(around), LEAST_SPREAD)
        share = np.nan_to_num(residual[at]) / (SPREADS * spread)
        result[at] = np.clip(1 - share**2, 0.0, None) ** 2
    return result


def _median(values: np.ndarray) -> np.ndarray:
    """Median of the finite values of each column; 0 where there is none."""
    some = np.isfinite(values).any(axis=0)
    result = np.zeros(values.shape[1])
    result[some] = np.nanmedian(values[:, some], axis=0)
    return result
