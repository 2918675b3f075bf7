"""Before and after a network that answers with the points of one person (BlazePose, MoveNet).

A person's box is cut out as a square and scaled to the input; the points are given in pixels of the input with the edge
of pixel i at i, as `fosbury.pose` has it, so that no half pixel is added or taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import cv2
import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.crop import BOXES
from fosbury.pose import Pose

PADDING = 1.35
"""Side of the square in longer sides of the box: with less, hands and feet that reach beyond a labelled box are cut."""

Answer = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Points (B, K, 2) in pixels of the input, confidence (B, K) in them, and (B,) in there being a person."""


@dataclass(frozen=True, eq=False)
class SquareCrop:
    """Part of a picture, upright or turned, scaled to the input of a network.

    Attributes
    ----------
    matrix : ndarray, shape (2, 3)
        From pixels of the picture to pixels of the input, both with the edge of pixel i at i.
    size : (int, int)
        Height and width of the input in pixels.
    """

    matrix: np.ndarray
    size: tuple[int, int]

    @classmethod
    def around(cls, box: np.ndarray, size: tuple[int, int], padding: float = PADDING, angle: float = 0.0) -> SquareCrop:
        """Lay a square around the middle of a box.

        Parameters
        ----------
        box : ndarray, shape (4,)
            x1, y1, x2, y2 in pixels of the picture.
        size : (int, int)
            Height and width of the input; where it is no square, neither is the crop, which holds one.
        padding : float
            Side of the square in longer sides of the box.
        angle : float
            Radians: what leans clockwise by it in the picture stands upright in the input.
        """
        box = np.asarray(box, dtype=float)
        scale = min(size) / (max(float((box[2:] - box[:2]).max()), 1.0) * padding)
        turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        shift = np.array(size[::-1]) / 2 - turn @ ((box[:2] + box[2:]) / 2)
        return cls(np.column_stack([turn, shift]), size)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the picture, in pixels of the input."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the input, in pixels of the picture."""
        return (points - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T

    def warp(self, picture: np.ndarray, *, as_mediapipe: bool = False, repeat_edge: bool = False) -> np.ndarray:
        """Cut out the input, uint8 (H, W, 3).

        Parameters
        ----------
        picture : ndarray of uint8, shape (H, W, 3)
        as_mediapipe : bool
            Take the grey level of a pixel of the input at its corner, as MediaPipe does on a processor, not at its
            centre. The two are apart by half the difference of a pixel of the input and one of the picture.
        repeat_edge : bool
            Whether the pixels of the picture's edge go on beyond it; black if not.
        """
        matrix = self.matrix.copy()
        if not as_mediapipe:  # OpenCV gives the centre of pixel i the coordinate i, not i + 0.5
            matrix[:, 2] += self.matrix[:, :2] @ (0.5, 0.5) - 0.5
        height, width = self.size
        border = cv2.BORDER_REPLICATE if repeat_edge else cv2.BORDER_CONSTANT
        return cv2.warpAffine(picture, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)


@runtime_checkable
class TurnsBoxes(Protocol):
    """A model whose ``predict`` takes turned boxes, too: a fifth number is the angle of `SquareCrop.around`."""

    turns_boxes: bool


def predict_landmarks(
    images: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray] | None,
    answer: Callable[[np.ndarray], Answer],
    size: tuple[int, int],
    *,
    padding: float = PADDING,
    batch: int = 1,
    as_mediapipe: bool = False,
) -> list[list[Pose]]:
    """Run a network on the people whose boxes are given.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W, 3)
        RGB.
    boxes : sequence of ndarray, shape (N, 4)
        For each image x1, y1, x2, y2 of its people; with a fifth number, the angle by which the square is turned.
    answer : callable
        (B, 3, *size) of RGB in [0, 1] to an `Answer`.
    size : (int, int)
        Height and width of the network's input.
    padding : float
        As for `SquareCrop.around`.
    batch : int
        Crops in one call of ``answer``.
    as_mediapipe : bool
        Cut out as MediaPipe does: pixels taken at their corners, the edge of the picture repeated beyond it.

    Returns
    -------
    list of list of Pose
        For each image one pose a box, in the boxes' order; the box is the one given.

    Raises
    ------
    BadInput
        If no boxes are given.
    """
    if boxes is None:
        raise BadInput("the model", "needs the box of each person, and was given none", BOXES)
    places = [(index, np.asarray(box, dtype=float)) for index, found in enumerate(boxes) for box in found]
    poses: list[list[Pose]] = [[] for _ in images]
    for first in range(0, len(places), batch):
        part = places[first : first + batch]
        crops = [SquareCrop.around(box[:4], size, padding, float(box[4:].sum())) for _, box in part]
        pixels = np.stack(
            [
                crop.warp(images[index], as_mediapipe=as_mediapipe, repeat_edge=as_mediapipe)
                for crop, (index, _) in zip(crops, part, strict=True)
            ]
        )
        found = answer(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / 255)
        for (index, box), crop, points, confidence, score in zip(part, crops, *found, strict=True):
            poses[index].append(Pose(crop.to_image(points), confidence.astype(float), box[:4], float(score)))
    return poses


def read_landmarks(output: np.ndarray) -> Answer:
    """Read x, y in pixels of the input and a confidence of each joint, shape (B, K, 3); a person's is their mean."""
    points, confidence = output[..., :2].astype(float), np.clip(output[..., 2].astype(float), 0.0, 1.0)
    return points, confidence, confidence.mean(axis=-1)
