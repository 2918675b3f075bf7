"""Draw poses on pictures.

Left is blue and solid, right is orange and dashed, the midline is white; blue and orange look different to
every colour vision (Okabe and Ito, *Color Universal Design*), and the dashes also in grey.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np

from fosbury.pose import OCCLUDED
from fosbury.skeleton import Skeleton
from fosbury.video.planes import Planes, values_of

LEFT = (0, 114, 178)
RIGHT = (255, 176, 0)
MIDLINE = (255, 255, 255)
EDGE = (0, 0, 0)
MARK = (255, 255, 255)
SHIFT = 4  # OpenCV draws in sixteenths of a pixel

Canvas: TypeAlias = np.ndarray | Planes


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
    paint_pose(canvas, keypoints, skeleton, visibility=visibility, size=size)
    return canvas


def paint_pose(
    canvas: Canvas,
    keypoints: np.ndarray,
    skeleton: Skeleton,
    *,
    visibility: np.ndarray | None = None,
    size: float = 2.0,
) -> None:
    """Draw as `draw_pose` does, on the picture itself.

    Parameters
    ----------
    canvas : ndarray of uint8, shape (H, W, 3), or Planes
    keypoints, skeleton, visibility, size
        As `draw_pose` has them.
    """
    side = sides(skeleton)
    for start, end in skeleton.bones:
        where = side[start] if side[start] == side[end] else 0
        _bone(canvas, keypoints[start], keypoints[end], where, size)
    for joint, point in enumerate(keypoints):
        hollow = visibility is not None and visibility[joint] == OCCLUDED
        _joint(canvas, point, _colour(side[joint]), size, hollow)


def write_text(canvas: Canvas, text: str, place: tuple[float, float], *, size: float, width: int) -> None:
    """Write white on black on the picture itself.

    Parameters
    ----------
    canvas : ndarray of uint8, shape (H, W, 3), or Planes
    text : str
    place : (float, float)
        Pixels; where the first letter's lower left corner is.
    size : float
        1: capitals 22 pixels high.
    width : int
        Of a stroke, in pixels.
    """
    for colour, extra in ((EDGE, 2), (MIDLINE, 0)):
        for plane, scale, value in _layers(canvas, colour):
            where = round(place[0] * scale), round(place[1] * scale)
            stroke = max(1, round((width + extra) * scale))
            cv2.putText(plane, text, where, cv2.FONT_HERSHEY_SIMPLEX, size * scale, value, stroke, cv2.LINE_AA)


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


def _bone(canvas: Canvas, start: np.ndarray, end: np.ndarray, side: int, size: float) -> None:
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


def _joint(canvas: Canvas, point: np.ndarray, colour: tuple[int, int, int], size: float, hollow: bool) -> None:
    if not np.isfinite(point).all():
        return
    _disc(canvas, point, 1.9 * size, EDGE)
    _disc(canvas, point, 1.9 * size - 1, colour)
    if hollow:
        _disc(canvas, point, max(1.9 * size - 2.5, 0.8), EDGE)


def _ring(canvas: Canvas, point: np.ndarray, size: float) -> None:
    if not np.isfinite(point).all():
        return
    for width, colour in ((3, EDGE), (1, MARK)):
        _circle(canvas, point, 2.2 * size, colour, width)


def _disc(canvas: Canvas, point: np.ndarray, radius: float, colour: tuple[int, int, int]) -> None:
    _circle(canvas, point, radius, colour, -1)


def _circle(canvas: Canvas, point: np.ndarray, radius: float, colour: tuple[int, int, int], width: int) -> None:
    for plane, scale, value in _layers(canvas, colour):
        length = max(1, round(radius * scale * 2**SHIFT))
        stroke = width if width < 0 else max(1, round(width * scale))
        cv2.circle(plane, _fixed(point * scale), length, value, stroke, cv2.LINE_AA, SHIFT)


def _line(canvas: Canvas, start: np.ndarray, end: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    if np.isfinite(start).all() and np.isfinite(end).all():
        for plane, scale, value in _layers(canvas, colour):
            stroke = max(1, round(width * scale))
            cv2.line(plane, _fixed(start * scale), _fixed(end * scale), value, stroke, cv2.LINE_AA, SHIFT)


def _layers(canvas: Canvas, colour: tuple[int, int, int]) -> Iterator[tuple[np.ndarray, float, tuple[int, ...]]]:
    """Yield what OpenCV draws on: each array, its size beside the picture's, and what a colour is in it."""
    if isinstance(canvas, np.ndarray):
        yield canvas, 1.0, colour
        return
    values = values_of(colour, canvas.colours)
    for plane, scale, value in zip((canvas.luma, *canvas.chroma), (1.0, 0.5, 0.5), values, strict=True):
        yield plane, scale, (value,)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """To OpenCV's fixed point, in which a pixel's centre is whole: half a pixel less than ours."""
    x, y = (round(min(max((each - 0.5) * 2**SHIFT, -(2**24)), 2**24)) for each in point.tolist())
    return x, y
