"""Find the jump in a clip by what moves, without a model: the arch is where models fail.

The picture's own motion (a camera that pans, tilts or zooms) is a plane fitted to the optical flow; what moves beyond
it is the athlete, mostly. Up to the bar that motion is upwards, from there on downwards: the clearance is the frame
with the most of both within half a flight before and after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

WIDTH = 192
"""Pixels of the small picture in which motion is measured."""
STEP = 6
"""Pixels of it between the points that the camera's motion is fitted to."""
ROUNDS = 5
HALF_FLIGHT = 0.4
"""Seconds from leaving the ground to the bar, about, and from there to the mat: a flight of 0.8 s rises 0.8 m."""
APPROACH, LANDING = 3.0, 1.2
"""Seconds before and after the clearance that belong to the jump."""
THUMBNAIL = (12, 12)


@dataclass(frozen=True, eq=False)
class Motion:
    """What each frame of a clip shows, arrays of N frames.

    Attributes
    ----------
    times : ndarray, shape (N,)
        Seconds.
    energy : ndarray, shape (N,)
        Mean flow of what moves beyond the camera's motion, in pixels of the small picture a frame.
    fall : ndarray, shape (N,)
        Its mean downward motion, in heights of the picture a frame.
    sharpness : ndarray, shape (N,)
        Variance of the Laplacian where it moves.
    looks : ndarray of uint8, shape (N, T)
        A thumbnail of the place that moves, to tell frames that look alike.
    """

    times: np.ndarray
    energy: np.ndarray
    fall: np.ndarray
    sharpness: np.ndarray
    looks: np.ndarray

    def __len__(self) -> int:
        return len(self.times)


def measure_motion(frames: Iterable[tuple[float, np.ndarray]]) -> Motion:
    """Measure what moves in a clip, one frame in memory at a time.

    Parameters
    ----------
    frames : iterable of tuple of float and ndarray
        Time in seconds and picture, uint8 RGB, shape (H, W, 3), in order.
    """
    before: np.ndarray | None = None
    times, rows, looks = [], [], []
    for time, frame in frames:
        height = max(2, round(frame.shape[0] * WIDTH / frame.shape[1]))
        grey = cv2.cvtColor(cv2.resize(frame, (WIDTH, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        moving = np.zeros(grey.shape) if before is None else _moving(before, grey)
        flow, weight = (moving, moving) if before is None else (moving[..., 1], np.linalg.norm(moving, axis=-1))
        total = float(weight.sum())
        laplacian = cv2.Laplacian(grey, cv2.CV_64F)
        mask = weight > 0
        sharp = float(laplacian[mask].var() if mask.any() else laplacian.var())
        rows.append((total / weight.size, float((weight * flow).sum()) / total / height if total else 0.0, sharp))
        looks.append(_look(grey, weight))
        times.append(time)
        before = grey
    energy, fall, sharpness = np.array(rows, dtype=float).reshape(-1, 3).T
    return Motion(np.array(times, dtype=float), energy, fall, sharpness, np.array(looks, dtype=np.uint8))


def _moving(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Flow beyond the camera's, shape (H, W, 2) in pixels; 0 where it is within the noise."""
    flow = cv2.calcOpticalFlowFarneback(before, now, None, 0.5, 4, 21, 3, 7, 1.5, 0)  # type: ignore[call-overload]
    rows, columns = np.mgrid[0 : now.shape[0], 0 : now.shape[1]]
    plane = np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(float)
    few, seen = plane[::STEP, ::STEP].reshape(-1, 3), flow[::STEP, ::STEP].reshape(-1, 2)
    weights = np.ones(len(few))
    fit = np.zeros((3, 2))
    for _ in range(ROUNDS):  # Cauchy's weights: what moves by itself hardly counts
        fit = np.linalg.lstsq(few * weights[:, None], seen * weights[:, None], rcond=None)[0]
        rest = np.linalg.norm(seen - few @ fit, axis=1)
        weights = 1 / (1 + (rest / (2 * (1.4826 * np.median(rest) + 0.05))) ** 2)
    beyond = flow - plane @ fit
    size = np.linalg.norm(beyond, axis=-1)
    return np.where((size > max(0.5, 4 * float(np.median(size))))[..., None], beyond, 0.0)


def _look(grey: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Thumbnail of the place that moves, a third of the picture's width; of the whole picture where nothing does."""
    if weight.any():
        rows, columns = np.mgrid[0 : grey.shape[0], 0 : grey.shape[1]]
        y, x = (int((weight * places).sum() / weight.sum()) for places in (rows, columns))
        half = WIDTH // 6
        grey = grey[max(0, y - half) : y + half, max(0, x - half) : x + half]
    return cv2.resize(grey, THUMBNAIL, interpolation=cv2.INTER_AREA).ravel()


@dataclass(frozen=True)
class Jump:
    """Where the jump is in a clip.

    Attributes
    ----------
    clearance : int
        Index of the frame over the bar, most likely.
    strength : float
        How much rise before and fall after it there is; 0 where there is none.
    phases : tuple of str
        Of each frame: ``approach``, ``flight`` (with take-off and arch), ``landing``, or empty outside the jump.
    """

    clearance: int
    strength: float
    phases: tuple[str, ...]


def find_jump(motion: Motion) -> Jump:
    """Find the frame over the bar.

    Parameters
    ----------
    motion : Motion

    Returns
    -------
    Jump
        With the middle of the clip where nothing rises and falls.
    """
    push = np.sqrt(motion.energy) * motion.fall
    sums = np.concatenate([[0.0], np.cumsum(push)])
    times = motion.times
    before = np.searchsorted(times, times - HALF_FLIGHT)
    after = np.searchsorted(times, times + HALF_FLIGHT)
    here = np.arange(len(times))
    scores = np.minimum(sums[after] - sums[here], sums[before] - sums[here])
    clearance = int(np.argmax(scores)) if len(scores) and scores.max() > 0 else len(times) // 2
    since = times - times[clearance] if len(times) else times
    edges = [-APPROACH, -HALF_FLIGHT, HALF_FLIGHT + 1e-9, LANDING + 1e-9]
    names = np.array(["", "approach", "flight", "landing", ""])[np.digitize(since, edges)]
    strength = float(max(scores.max(), 0.0)) if len(scores) else 0.0
    return Jump(clearance, strength, tuple(names.tolist()))
