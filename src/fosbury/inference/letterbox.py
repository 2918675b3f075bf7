"""Before and after the network: pictures into its fixed input, its raw output into poses of the picture.

Everything here agrees with Ultralytics' own inference on a fixed input size, to the rounding, so that a checkpoint
and the files exported from it give the same poses. OpenCV's resize maps pixel edges to pixel edges, which is the
convention of ``fosbury.pose``: no half pixel is to be added anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fosbury.pose import Pose

GREY = 114  # padding of Ultralytics' LetterBox, in training as in inference
IOU = 0.7  # Ultralytics' default for suppressing a second box on one person
MOST = 300  # people in a picture; Ultralytics' max_det


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies in a network's input.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the picture.
    size : (int, int)
        Height and width of the input.
    inner : (int, int)
        Height and width of the resized picture inside the input.
    left, top : int
        Padding in front of it; an odd pixel of padding goes behind.
    """

    shape: tuple[int, int]
    size: tuple[int, int]
    inner: tuple[int, int]
    left: int
    top: int

    @classmethod
    def fit(cls, shape: tuple[int, int], size: tuple[int, int]) -> Letterbox:
        """Place a picture of ``shape`` (height, width) as large as it fits, in the middle of ``size``."""
        scale = min(size[0] / shape[0], size[1] / shape[1])
        height, width = (max(1, round(side * scale)) for side in shape)
        top, left = round((size[0] - height) / 2 - 0.1), round((size[1] - width) / 2 - 0.1)
        return cls((shape[0], shape[1]), (size[0], size[1]), (height, width), left, top)

    @property
    def gain(self) -> np.ndarray:
        """Input pixels for one pixel of the picture, x and y; they differ by the rounding of ``inner``."""
        return np.array([self.inner[1] / self.shape[1], self.inner[0] / self.shape[0]])

    @property
    def offset(self) -> np.ndarray:
        """Where the picture's top-left corner lies in the input, x and y."""
        return np.array([self.left, self.top], dtype=float)

    def image(self, picture: np.ndarray) -> np.ndarray:
        """Resize and pad a picture.

        Parameters
        ----------
        picture : ndarray of uint8, shape (H, W, 3)

        Returns
        -------
        ndarray of uint8, shape (*size, 3)
        """
        height, width = self.inner
        if picture.shape[:2] != self.inner:
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
        canvas = np.full((*self.size, 3), GREY, dtype=np.uint8)
        canvas[self.top : self.top + height, self.left : self.left + width] = picture
        return canvas

    def points(self, xy: np.ndarray) -> np.ndarray:
        """Picture pixels to input pixels, for any array of shape (..., 2)."""
        return xy * self.gain + self.offset

    def to_image(self, xy: np.ndarray) -> np.ndarray:
        """Input pixels to picture pixels, for any array of shape (..., 2)."""
        return (xy - self.offset) / self.gain

    def to_image_inside(self, xy: np.ndarray) -> np.ndarray:
        """As ``undo``, with what falls outside the picture moved to its edge: for boxes, not for joints."""
        return np.clip(self.to_image(xy), 0.0, [self.shape[1], self.shape[0]])


@dataclass(frozen=True, eq=False)
class Detections:
    """People found in one input, the most confident first.

    Attributes
    ----------
    boxes : ndarray, shape (P, 4)
        ``x1, y1, x2, y2`` in input pixels.
    scores : ndarray, shape (P,)
    keypoints : ndarray, shape (P, K, 2)
        Input pixels.
    confidence : ndarray, shape (P, K)
    """

    boxes: np.ndarray
    scores: np.ndarray
    keypoints: np.ndarray
    confidence: np.ndarray


def decode(
    output: np.ndarray, joints: int, *, confidence: float = 0.05, iou: float = IOU, values: int = 3
) -> Detections:
    """Turn the raw output of a YOLO pose head into people.

    Parameters
    ----------
    output : ndarray, shape (4 + C + K * values, N)
        For each of N anchors: box centre and size, the scores of C classes, and for each joint x, y and, where
        ``values`` is 3, confidence; lengths in input pixels.
    joints : int
        K.
    confidence : float
        A person's score is above this.
    iou : float
        Of two boxes that overlap by more than this, the less confident is dropped.
    values : int
        3, or 2 for a head without joint confidence; the person's score then stands for each joint's.

    Returns
    -------
    Detections
    """
    classes = output.shape[0] - 4 - joints * values
    scores = output[4 : 4 + classes].max(axis=0)
    chosen = np.flatnonzero(scores > confidence)
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    people = output[:, chosen].T.astype(np.float64)
    centre, half = people[:, :2], people[:, 2:4] / 2
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    kept = suppress(boxes, iou)
    joint_values = people[kept, 4 + classes :].reshape(-1, joints, values)
    found = scores[chosen][kept].astype(np.float64)
    return Detections(
        boxes=boxes[kept],
        scores=found,
        keypoints=joint_values[..., :2],
        confidence=joint_values[..., 2] if values == 3 else np.repeat(found[:, None], joints, axis=1),
    )


def suppress(boxes: np.ndarray, iou: float = IOU) -> np.ndarray:
    """Greedy non-maximum suppression, of which ``MOST`` are kept at most.

    Parameters
    ----------
    boxes : ndarray, shape (N, 4)
        ``x1, y1, x2, y2``, the most confident first.
    iou : float
        Largest overlap of two boxes that are both kept.

    Returns
    -------
    ndarray of int
        Rows that are kept, in order.
    """
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    kept: list[int] = []
    left = np.arange(len(boxes))
    while left.size and len(kept) < MOST:
        best, left = left[0], left[1:]
        kept.append(best)
        overlap = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        shared = np.prod(np.maximum(overlap, 0.0), axis=1)
        left = left[shared <= iou * (area[best] + area[left] - shared)]
    return np.array(kept, dtype=int)


def network_input(images: Sequence[np.ndarray], places: Sequence[Letterbox]) -> np.ndarray:
    """RGB pictures in their letterboxes, all of one size, as float32 in [0, 1], shape (B, 3, H, W)."""
    pixels = np.stack([place.image(image) for place, image in zip(places, images, strict=True)])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / np.float32(255)


def predict_letterboxed(
    images: Sequence[np.ndarray],
    forward: Callable[[np.ndarray], np.ndarray],
    size: tuple[int, int],
    joints: int,
    *,
    confidence: float = 0.05,
    iou: float = IOU,
    values: int = 3,
    batch: int = 1,
) -> list[list[Pose]]:
    """Find people with a network that has a fixed input size.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W, 3)
        RGB pictures of any size.
    forward : callable
        The network: float32 RGB in [0, 1], shape (B, 3, *size), to its raw output as ``decode`` takes it, shape
        (B, 4 + C + K * values, N).
    size : (int, int)
        Height and width of the input.
    joints, confidence, iou, values
        As for ``decode``.
    batch : int
        Pictures in one call of ``forward``.

    Returns
    -------
    list of list of Pose
        For each image its poses, the most confident first; boxes end at the image's edge, joints may lie beyond it.
    """
    answers: list[list[Pose]] = []
    for start in range(0, len(images), batch):
        part = images[start : start + batch]
        places = [Letterbox.fit(image.shape[:2], size) for image in part]
        raw = forward(network_input(part, places))
        for place, output in zip(places, raw, strict=True):
            found = decode(output, joints, confidence=confidence, iou=iou, values=values)
            boxes = place.to_image_inside(found.boxes.reshape(-1, 2, 2)).reshape(-1, 4)
            keypoints = place.to_image(found.keypoints)
            answers.append(
                [
                    Pose(keypoints=points, confidence=sure, box=box, score=float(score))
                    for points, sure, box, score in zip(keypoints, found.confidence, boxes, found.scores, strict=True)
                ]
            )
    return answers
