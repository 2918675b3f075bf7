"""Boxes for a top-down model.

Those of the labelled people, of the athlete whom a search of the whole picture finds, or of the clip's last frame.

The search needs no other network. A SimCC network that is shown no person answers with flat distributions, so its
confidence tells windows with an athlete from windows without; each of the best windows is then drawn to the joints
that it found. It finds one person: the one that the model is surest of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.protocol import PoseModel
from fosbury.pose import Frame, Pose

LABELS, SEARCH, TRACK = SOURCES = ("labels", "search", "track")

SCALES = (1.0, 0.7, 0.45)  # sides of the windows of the search, in the shorter side of the picture
STEP = 0.5  # between windows, in their sides
KEPT = 3  # windows that are drawn to the joints found in them
DRAWS = 3
MARGIN = 0.1  # a labelled box beyond the outermost joints, in sides of their box, on each side
TRACKED_MARGIN = 0.2  # the same for the next frame
SURE = 0.5  # of the model's usual confidence: below it a search is made again
OUT = 0.25  # share of a joint's confidence of the median below which a joint does not count for a box


def windows(height: int, width: int) -> np.ndarray:
    """Boxes, shape (N, 4), of the windows of a search: the whole picture, then squares.

    Parameters
    ----------
    height, width : int
        Of the picture, in pixels.
    """
    boxes = [(0.0, 0.0, float(width), float(height))]
    for scale in SCALES:
        side = scale * min(height, width)
        down, across = (_starts(length, side) for length in (height, width))
        boxes += [(left, top, left + side, top + side) for top in down for left in across]
    return np.array(boxes)


def _starts(length: int, side: float) -> np.ndarray:
    return np.linspace(0, length - side, int(np.ceil((length - side) / (STEP * side))) + 1)


def box_of(pose: Pose, margin: float = MARGIN) -> np.ndarray:
    """Return the box x1, y1, x2, y2 of the joints that a model is reasonably sure of.

    Parameters
    ----------
    pose : Pose
    margin : float
        Beyond the outermost joints, in sides of their box.
    """
    there = pose.confidence >= OUT * np.median(pose.confidence)
    points = pose.keypoints[there]
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 0.2 * (high - low).max() + 1.0)
    centre = (low + high) / 2
    return np.concatenate([centre - extent * (0.5 + margin), centre + extent * (0.5 + margin)])


def search(model: PoseModel, picture: np.ndarray) -> Pose:
    """Find the athlete in a picture.

    Parameters
    ----------
    model : PoseModel
        One that needs boxes.
    picture : ndarray of uint8, shape (H, W, 3)

    Returns
    -------
    Pose
        The one that the model is surest of; its box is that of its joints.
    """
    poses = model.predict([picture], [windows(*picture.shape[:2])])[0]
    poses = sorted(poses, key=lambda pose: -pose.score)[:KEPT]
    for _ in range(DRAWS):
        poses = model.predict([picture], [np.array([box_of(pose) for pose in poses])])[0]
    best = max(poses, key=lambda pose: pose.score)
    return replace(best, box=box_of(best))


class BoxProvider:
    """Predicts the frames of a data set one after the other, with boxes from one of ``SOURCES``.

    Parameters
    ----------
    model : PoseModel
        One that needs boxes, or for ``labels`` takes them.
    source : str
    """

    def __init__(self, model: PoseModel, source: str):
        if source not in SOURCES:
            raise BadInput("boxes", f"is '{source}'", f"choose one of {', '.join(SOURCES)}")
        if source != LABELS and not model.needs_boxes:
            raise BadInput("boxes", f"is '{source}', but the model finds people by itself", "leave it out")
        self.model, self.source = model, source
        self.video: str | None = None
        self.last: Pose | None = None
        self.usual = 0.0

    def predict(self, pictures: Sequence[np.ndarray], frames: Sequence[Frame]) -> list[list[Pose]]:
        """Poses in each picture, as ``PoseModel.predict`` gives them; ``frames`` say whose they are."""
        if self.source == LABELS:
            return self.model.predict(pictures, [frame.boxes for frame in frames])
        if self.source == SEARCH:
            return [[search(self.model, picture)] for picture in pictures]
        return [[self._follow(picture, frame)] for picture, frame in zip(pictures, frames, strict=True)]

    def _follow(self, picture: np.ndarray, frame: Frame) -> Pose:
        """Look where the clip's last frame had the athlete; search if there was none, or the model is unsure."""
        if frame.video is None or frame.video != self.video:
            self.video, self.last, self.usual = frame.video, None, 0.0
        pose = None
        if self.last is not None:
            pose = self.model.predict([picture], [box_of(self.last, TRACKED_MARGIN)[None]])[0][0]
            pose = replace(pose, box=box_of(pose))
        if pose is None or pose.score < SURE * self.usual:
            pose = max([search(self.model, picture), *([pose] if pose else [])], key=lambda each: each.score)
        self.last, self.usual = pose, max(pose.score, self.usual)
        return pose
