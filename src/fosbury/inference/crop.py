"""Before and after a top-down network: a person's box cut out as its input, its SimCC answer as joints of the picture.

The geometry is MMPose's (``GetBBoxCenterScale``, ``TopdownAffine`` without UDP, ``SimCCLabel``), so that its weights
and its inference agree with this one. MMPose gives the *centre* of pixel i the coordinate i, where
``fosbury.pose`` says i + 0.5: the half pixel is taken off and put back here, at the door (and for training targets in
``backends/rtmpose.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fosbury.errors import BadInput
from fosbury.pose import Pose

PADDING = 1.25  # side of the cut in sides of the box: MMPose's default for COCO
SPLIT = 2.0  # SimCC bins in a pixel of the input: `simcc_split_ratio` of every RTMPose
HALF = 0.5
BOXES = "say where the boxes come from (model.boxes, --boxes)"


@dataclass(frozen=True, eq=False)
class Crop:
    """Part of a picture that becomes the input of a top-down network.

    Attributes
    ----------
    matrix : ndarray, shape (2, 3)
        From the picture to the input, both with the centre of pixel i at i.
    size : (int, int)
        Height and width of the input in pixels.
    """

    matrix: np.ndarray
    size: tuple[int, int]

    @classmethod
    def around(cls, box: np.ndarray, size: tuple[int, int], padding: float = PADDING) -> Crop:
        """Cut a box out, upright, with a margin and the shape of the input.

        Parameters
        ----------
        box : ndarray, shape (4,)
            x1, y1, x2, y2 in pixels of the picture.
        size : (int, int)
            Height and width of the input.
        padding : float
            Side of the cut in sides of the box.
        """
        height, width = size
        extent = np.maximum(box[2:] - box[:2], 1.0) * padding
        scale = min(width / extent[0], height / extent[1])
        centre = (box[:2] + box[2:]) / 2 - HALF
        shift = np.array([width, height]) / 2 - scale * centre
        return cls(np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]]), size)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the picture, in coordinates of the network (centre of pixel i at i)."""
        return (points - HALF) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 2) of the network, in pixels of the picture."""
        return (points - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T + HALF

    def warp(self, picture: np.ndarray) -> np.ndarray:
        """Cut out the input, uint8 (H, W, 3), black where it reaches beyond the picture."""
        height, width = self.size
        return cv2.warpAffine(picture, self.matrix, (width, height), flags=cv2.INTER_LINEAR)


def decode_simcc(answer: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Joints from the two one-dimensional distributions of each joint (SimCC, Li et al. 2022), as MMPose decodes them.

    MMPose puts a joint whose score is not positive at -1; here it stays at its best place.

    Parameters
    ----------
    answer : ndarray, shape (..., K, SPLIT * (W + H))
        Scores of the places along x, then along y.
    size : (int, int)
        Height and width of the input.

    Returns
    -------
    points : ndarray, shape (..., K, 2)
        In coordinates of the network: centre of pixel i at i.
    score : ndarray, shape (..., K)
        The lesser of the two maxima. It is not a probability: RTMPose's are mostly between 0 and 1.
    """
    across = round(size[1] * SPLIT)
    along_x, along_y = answer[..., :across], answer[..., across:]
    points = np.stack([along_x.argmax(-1), along_y.argmax(-1)], axis=-1) / SPLIT
    return points, np.minimum(along_x.max(-1), along_y.max(-1))


def predict_crops(
    images: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray] | None,
    forward: Callable[[np.ndarray], np.ndarray],
    size: tuple[int, int],
    *,
    batch: int = 1,
) -> list[list[Pose]]:
    """Run a top-down network on the people whose boxes are given.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W, 3)
        RGB.
    boxes : sequence of ndarray, shape (N, 4)
        For each image x1, y1, x2, y2 of its people.
    forward : callable
        (B, 3, *size) of RGB in [0, 1] to (B, K, SPLIT * (W + H)).
    size : (int, int)
        Height and width of the network's input.
    batch : int
        Crops in one call of ``forward``.

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
        crops = [Crop.around(box, size) for _, box in part]
        pixels = np.stack([crop.warp(images[index]) for crop, (index, _) in zip(crops, part, strict=True)])
        answers = forward(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / 255)
        for (index, box), crop, points, score in zip(part, crops, *decode_simcc(answers, size), strict=True):
            confidence = np.clip(score, 0.0, 1.0).astype(float)
            poses[index].append(Pose(crop.to_image(points), confidence, box, float(confidence.mean())))
    return poses
