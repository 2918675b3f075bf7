"""Draw poses on pictures.

Left is blue and solid, right is orange and dashed, the midline is white; blue and orange look different to
every colour vision (Okabe and Ito, *Color Universal Design*), and the dashes also in grey.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from fosbury.pose import OCCLUDED
from fosbury.skeleton import Skeleton

LEFT = (0, 114, 178)
RIGHT = (255, 176, 0)
MIDLINE = (255, 255, 255)
EDGE = (0, 0, 0)
MARK = (255, 255, 255)
SHIFT = 4  # OpenCV draws in sixteenths of a pixel


def sides(skeleton: Skeleton) -> np.ndarray:
    """Side of every joint, shape (K,): -1 left, 1 right, 0 midline."""
    result = np.zeros(len(skeleton), dtype=int)
    for left, right in skeleton.pairs:
        result[left], result[right] = -1, 1
    return result


def draw_pose(
    image: np.ndarray,
    keypoints: np.ndarray,
    skeleton: Skeleton,
    *,
    visibility: np.ndarray | None = None,
    size: float = 2.0,
) -> np.ndarray:
    """Draw the bones and joints of one person.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    keypoints : ndarray, shape (K, 2)
        Pixels; NaN where a joint is not there.
    skeleton : Skeleton
    visibility : ndarray, shape (K,), optional
        Occluded joints are drawn hollow.
    size : float
        Half the width of a bone in pixels.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A new picture.
    """
    canvas = np.ascontiguousarray(image).copy()
    side = sides(skeleton)
    for start, end in skeleton.bones:
        where = side[start] if side[start] == side[end] else 0
        _bone(canvas, keypoints[start], keypoints[end], where, size)
    for joint, point in enumerate(keypoints):
        hollow = visibility is not None and visibility[joint] == OCCLUDED
        _joint(canvas, point, _colour(side[joint]), size, hollow)
    return canvas


def draw_comparison(
    image: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None,
    *,
    skeleton: Skeleton,
    size: float = 2.0,
) -> np.ndarray:
    """Draw a prediction, and a white line from each of its joints to a ring where the label is.

    Parameters
    ----------
    image : ndarray of uint8, shape (H, W, 3)
        RGB.
    label : ndarray, shape (K, 2)
        Pixels; NaN where there is no label.
    predicted : ndarray, shape (K, 2), or None
        None where the athlete was missed: only the rings are drawn.
    skeleton : Skeleton
    size : float
        Half the width of a bone in pixels.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        A new picture.
    """
    canvas = np.ascontiguousarray(image).copy()
    if predicted is not None:
        canvas = draw_pose(canvas, predicted, skeleton, size=size)
        for target, point in zip(label, predicted, strict=True):
            _line(canvas, target, point, MARK, 1)
    for target in label:
        _ring(canvas, target, size)
    return canvas


def _colour(side: int) -> tuple[int, int, int]:
    return {-1: LEFT, 1: RIGHT}.get(int(side), MIDLINE)


def _bone(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, side: int, size: float) -> None:
    if not (np.isfinite(start).all() and np.isfinite(end).all()):
        return
    width = max(1, round(2 * size))
    _line(canvas, start, end, EDGE, width + 2)
    if side != 1:
        _line(canvas, start, end, _colour(side), width)
        return
    dashes = max(1, round(float(np.hypot(*(end - start))) / (5 * size)))
    stops = np.linspace(0.0, 1.0, 2 * dashes)
    for index, (first, last) in enumerate(pairwise(stops)):
        if index % 2 == 0:
            _line(canvas, start + (end - start) * first, start + (end - start) * last, RIGHT, width)


def _joint(canvas: np.ndarray, point: np.ndarray, colour: tuple[int, int, int], size: float, hollow: bool) -> None:
    if not np.isfinite(point).all():
        return
    _disc(canvas, point, 1.9 * size, EDGE)
    _disc(canvas, point, 1.9 * size - 1, colour)
    if hollow:
        _disc(canvas, point, max(1.9 * size - 2.5, 0.8), EDGE)


def _ring(canvas: np.ndarray, point: np.ndarray, size: float) -> None:
    if not np.isfinite(point).all():
        return
    for width, colour in ((3, EDGE), (1, MARK)):
        cv2.circle(canvas, _fixed(point), round(2.2 * size * 2**SHIFT), colour, width, cv2.LINE_AA, SHIFT)


def _disc(canvas: np.ndarray, point: np.ndarray, radius: float, colour: tuple[int, int, int]) -> None:
    cv2.circle(canvas, _fixed(point), max(1, round(radius * 2**SHIFT)), colour, -1, cv2.LINE_AA, SHIFT)


def _line(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    if np.isfinite(start).all() and np.isfinite(end).all():
        cv2.line(canvas, _fixed(start), _fixed(end), colour, width, cv2.LINE_AA, SHIFT)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """To OpenCV's fixed point, in which a pixel's centre is whole: half a pixel less than ours."""
    x, y = np.clip((np.asarray(point) - 0.5) * 2**SHIFT, -(2**24), 2**24).round().astype(int)
    return int(x), int(y)
