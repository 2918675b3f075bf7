"""A square cut out of a picture around a person, turned or not: the geometry of a second look."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fosbury.inference.letterbox import GREY
from fosbury.pose import midpoint
from fosbury.skeleton import Skeleton


def lean(keypoints: np.ndarray, skeleton: Skeleton) -> float:
    """Angle in radians by which a trunk leans clockwise from upright, as the picture shows it.

    Parameters
    ----------
    keypoints : ndarray, shape (K, 2)
    skeleton : Skeleton

    Returns
    -------
    float
        0 where the trunk cannot be seen.
    """
    shoulders, hips = skeleton.trunk
    across, down = midpoint(keypoints, shoulders) - midpoint(keypoints, hips)
    return float(np.arctan2(across, -down)) if np.isfinite(across + down) else 0.0


@dataclass(frozen=True, eq=False)
class RotatedCrop:
    """A turned square of a picture, pixel for pixel or smaller.

    Attributes
    ----------
    matrix : ndarray, shape (2, 3)
        From pixels of the picture to those of the square (a rotation, a scale and a shift).
    side : int
        Pixels.
    scale : float
        Pixels of the square in one of the picture.
    """

    matrix: np.ndarray
    side: int
    scale: float = 1.0

    @classmethod
    def around(cls, box: np.ndarray, margin: float, angle: float = 0.0, *, largest: int | None = None) -> RotatedCrop:
        """Lay a square around the middle of a box.

        Parameters
        ----------
        box : ndarray, shape (4,)
            x1, y1, x2, y2 in pixels.
        margin : float
            Side of the square in longer sides of the box.
        angle : float
            Radians: what leans clockwise by it in the picture stands upright in the square.
        largest : int, optional
            Pixels of the side beyond which the square is scaled down.
        """
        side = max(1, int(np.ceil((box[2:] - box[:2]).max() * margin)))
        scale = 1.0 if largest is None else min(1.0, largest / side)
        side = round(side * scale)
        turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        corner = side / 2 - turn @ ((box[:2] + box[2:]) / 2)
        if angle == 0 and scale == 1:
            corner = np.ceil(corner)  # whole pixels stay as they are
        return cls(np.column_stack([turn, corner]), side, scale)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the picture, in pixels of the square."""
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the square, in pixels of the picture."""
        return (points - self.matrix[:, 2]) @ self.matrix[:, :2] / self.scale**2

    def box(self, box: np.ndarray) -> np.ndarray:
        """Return the upright box, in pixels of the square, around a box of the picture."""
        corners = self.points(box[[0, 1, 2, 1, 0, 3, 2, 3]].reshape(4, 2))
        return np.concatenate([corners.min(0), corners.max(0)])

    def warp(self, picture: np.ndarray) -> np.ndarray:
        """Cut out the pixels of the square, uint8 (side, side, 3), grey where it reaches beyond the picture."""
        by_centres = self.matrix.copy()  # OpenCV gives the centre of pixel i the coordinate i, not i + 0.5
        by_centres[:, 2] += self.matrix[:, :2] @ (0.5, 0.5) - 0.5
        size = (self.side, self.side)
        return cv2.warpAffine(picture, by_centres, size, flags=cv2.INTER_LINEAR, borderValue=(GREY,) * 3)
