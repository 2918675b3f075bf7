"""Strides of a walker filmed from the side: when each foot strikes and leaves the ground, steps and stances.

A heel that is farthest ahead of the hips strikes, toes that are farthest behind them leave the ground (Zeni, Richards
and Higginson, *Two simple methods for determining gait events during treadmill and overground walking using kinematic
data*, Gait & Posture 27, 2008). Both are relative to the hips, so the camera may follow, or the ground may move.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.signal import find_peaks

from fosbury.skeleton import Skeleton

SIDES = ("left", "right")
LEAST_FPS = 24.0
"""Below this, one frame is more than a fifteenth of a stance of some 0.6 s."""
LEAST_SWEEP = 0.5
"""Way of a foot past the hips, in leg lengths of the picture, below which no walk is seen from the side."""
SHORTEST_STRIDE = 0.5
"""Seconds between two strikes of one foot: fast running has about 0.6."""


@dataclass(frozen=True, eq=False)
class Legs:
    """Paths of the legs of one person.

    Attributes
    ----------
    hips : ndarray, shape (T, 2)
        Their middle, in pixels; NaN where it is not known.
    heels, feet, ankles : ndarray, shape (T, 2, 2)
        Of the left and the right side.
    seconds : ndarray, shape (T,)
    length : float
        Of a leg, in pixels.
    """

    hips: np.ndarray
    heels: np.ndarray
    feet: np.ndarray
    ankles: np.ndarray
    seconds: np.ndarray
    length: float


def has_gait(skeleton: Skeleton) -> bool:
    """Whether hips, knees, ankles, heels and feet of both sides are among the joints."""
    return all(
        f"{side}_{part}" in skeleton.joints for side in SIDES for part in ("hip", "knee", "ankle", "heel", "foot")
    )


def legs_of(keypoints: np.ndarray, seconds: np.ndarray, skeleton: Skeleton) -> Legs:
    """Take the legs out of poses.

    Parameters
    ----------
    keypoints : ndarray, shape (T, K, 2)
        Pixels; NaN where a joint is not there.
    seconds : ndarray, shape (T,)
    skeleton : Skeleton
        For which `has_gait` holds.
    """

    def both(part: str) -> np.ndarray:
        return keypoints[:, [skeleton.joints.index(f"{side}_{part}") for side in SIDES]]

    hip, knee, ankle = both("hip"), both("knee"), both("ankle")
    lengths = np.linalg.norm(hip - knee, axis=-1) + np.linalg.norm(knee - ankle, axis=-1)
    known = lengths[np.isfinite(lengths)]
    length = float(np.percentile(known, 80)) if known.size else np.nan
    return Legs(hip.mean(axis=1), both("heel"), both("foot"), ankle, seconds, length)


def gait_of_lines(lines: Iterable[str], skeleton: Skeleton) -> dict[str, Any] | None:
    """Find the strides of the first shot with a person, from the frames of a JSON file.

    Parameters
    ----------
    lines : iterable of str
        A frame to each, as ``outputs.json`` writes it.
    skeleton : Skeleton
        Of the poses.

    Returns
    -------
    dict or None
        As `strides`; None for a skeleton that is not of legs alone, since such clips show something else.
    """
    if not has_gait(skeleton) or all(skeleton.trunk):
        return None
    names = {name: row for row, name in enumerate(skeleton.joints)}
    poses, seconds, person = [], [], None
    for line in lines:
        frame = json.loads(line)
        person = person or frame.get("person_id")
        pose = np.full((len(names), 2), np.nan)
        if person and frame.get("person_id") == person:
            for point in frame["keypoints"]:
                pose[names[point["name"]]] = point["x"], point["y"]
        poses.append(pose)
        seconds.append(frame["timestamp_ms"] / 1000)
    if not poses:
        return None
    return strides(legs_of(np.array(poses), np.array(seconds), skeleton))


def strides(legs: Legs) -> dict[str, Any]:
    """Find the steps and stances of a walk.

    Parameters
    ----------
    legs : Legs

    Returns
    -------
    dict
        ``refused``: a sentence, where view, frame rate or length of the clip cannot support more. Else ``left`` and
        ``right``, each with ``strikes_ms`` and ``offs_ms`` (moments) and ``stances_ms`` (durations), ``steps``: each
        with the foot that strikes (``side``), its moment (``at_ms``) and the time since the other's (``step_ms``);
        ``frame_ms``: what one frame lasts. A moment may be wrong by one to two frames, a duration by twice that.
    """
    known = np.isfinite(legs.hips).all(axis=1) & np.isfinite(legs.heels).all(axis=(1, 2))
    known &= np.isfinite(legs.feet).all(axis=(1, 2))
    at = np.flatnonzero(known)
    if len(at) < 3 or not legs.length > 0:
        return {"refused": "The legs are not seen."}
    frame = float(np.median(np.diff(legs.seconds)))
    if frame <= 0 or 1 / frame < LEAST_FPS:
        return {"refused": f"Steps need at least {LEAST_FPS:.0f} frames a second."}
    ahead = np.sign((legs.feet - legs.heels)[at, :, 0].mean()) or 1.0
    every = np.arange(at[0], at[-1] + 1)
    heel, toe = (
        np.stack([np.interp(every, at, ahead * (path[at, side, 0] - legs.hips[at, 0])) for side in range(2)], axis=1)
        for path in (legs.heels, legs.feet)
    )
    if np.ptp(heel, axis=0).min() < LEAST_SWEEP * legs.length:
        return {"refused": "The feet hardly pass the hips: nobody walks, or the view is not from the side."}
    distance = max(1, round(SHORTEST_STRIDE / frame))
    seconds = legs.seconds[every]
    result: dict[str, Any] = {"frame_ms": _ms(frame)}
    struck: list[tuple[float, str]] = []
    for side, name in enumerate(SIDES):
        strikes = seconds[_peaks(heel[:, side], distance)]
        offs = seconds[_peaks(-toe[:, side], distance)]
        following = [(strike, offs[offs > strike]) for strike in strikes]
        later = [np.append(strikes[strikes > strike], np.inf)[0] for strike in strikes]
        stances = [
            off[0] - strike for (strike, off), end in zip(following, later, strict=True) if len(off) and off[0] < end
        ]
        result[name] = {
            "strikes_ms": [_ms(each) for each in strikes],
            "offs_ms": [_ms(each) for each in offs],
            "stances_ms": [_ms(each) for each in stances],
        }
        struck += [(float(each), name) for each in strikes]
    struck.sort()
    result["steps"] = [
        {"side": name, "at_ms": _ms(now), "step_ms": _ms(now - before)}
        for (before, other), (now, name) in pairwise(struck)
        if other != name
    ]
    return result


def _peaks(path: np.ndarray, distance: int) -> np.ndarray:
    """Rows where a path is highest, but not at its ends."""
    found: np.ndarray = find_peaks(path, distance=distance, prominence=0.3 * float(np.ptp(path)))[0]
    return found


def _ms(seconds: float) -> float:
    return round(1000.0 * float(seconds), 1)
