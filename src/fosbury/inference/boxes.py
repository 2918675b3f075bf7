"""Boxes for a top-down model.

Those of the labelled people, of the athlete whom a search of the whole picture finds, of the clip's last frame, or of
the people whom another model finds.

The search needs no other network. A SimCC network that is shown no person answers with flat distributions, so its
confidence tells windows with an athlete from windows without; each of the best windows is then drawn to the joints
that it found. It finds one person: the one that the model is surest of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.blazepose import ALIGNMENT
from fosbury.inference.landmarks import TurnsBoxes
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.inference.rotated_crop import RotatedCrop, lean
from fosbury.pose import Frame, Pose

LABELS, SEARCH, TRACK = "labels", "search", "track"
SOURCES = {
    LABELS: "boxes: the models were given those of the labelled people, so nobody can be missed and there is "
    "no unaided error",
    SEARCH: "boxes: the models searched each picture for one person",
    TRACK: "boxes: the models looked where they had seen the athlete last, and searched where they were unsure",
}
"""What is to be said of figures, by the source of boxes. Any other source is the file of a model that finds people."""

SCALES = (1.0, 0.7, 0.45)  # sides of the windows of the search, in the shorter side of the picture
STEP = 0.5  # between windows, in their sides
KEPT = 3  # windows that are drawn to the joints found in them
DRAWS = 3
MARGIN = 0.1  # a labelled box beyond the outermost joints, in sides of their box, on each side
TRACKED_MARGIN = 0.2  # the same for the next frame
SURE = 0.5  # of the model's usual confidence: below it a search is made again
MOST_PEOPLE = 3  # whom another model found that are looked at
AROUND = 2.0  # side of the turned part of the picture that a model is given, in sides of the box: room for its own crop
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
        The one that the model is surest of; its box is the one that it was found in, last drawn to the joints.
    """
    poses = model.predict([picture], [windows(*picture.shape[:2])])[0]
    poses = sorted(poses, key=lambda pose: -pose.score)[:KEPT]
    for _ in range(DRAWS):
        poses = model.predict([picture], [np.array([box_of(pose) for pose in poses])])[0]
    return max(poses, key=lambda pose: pose.score)


def boxes_of(poses: Sequence[Sequence[Pose]]) -> list[np.ndarray]:
    """Return the boxes of the poses of each frame, shape (N, 4) each."""
    return [np.array([pose.box for pose in found]).reshape(-1, 4) for found in poses]


def note_of(source: str) -> str:
    """Return what is to be said of figures with boxes from ``source``."""
    return SOURCES.get(source) or f"boxes: {Path(source).name} found people, of whom the models looked at the surest"


def look_upright(model: PoseModel, picture: np.ndarray, place: Pose) -> Pose:
    """Look at a person in a square that is turned as the person is, as MediaPipe calls BlazePose.

    Parameters
    ----------
    model : PoseModel
        One that takes boxes.
    picture : ndarray of uint8, shape (H, W, 3)
    place : Pose
        In the points of ``blazepose.ALIGNMENT``.

    Returns
    -------
    Pose
        Its box is that of its joints, its score that of the place.
    """
    angle = lean(place.keypoints, ALIGNMENT)
    if isinstance(model, TurnsBoxes):
        pose = model.predict([picture], [np.append(place.box, angle)[None]])[0][0]
    else:
        square = RotatedCrop.around(place.box, AROUND, angle)
        middle = square.points((place.box[:2] + place.box[2:]) / 2)
        half = (place.box[2:] - place.box[:2]) / 2
        pose = model.predict([square.warp(picture)], [np.concatenate([middle - half, middle + half])[None]])[0][0]
        pose = replace(pose, keypoints=square.to_image(pose.keypoints))
    return replace(pose, box=box_of(pose), score=place.score)


class BoxProvider:
    """Predicts the frames of a data set one after the other, with boxes from a source.

    Parameters
    ----------
    model : PoseModel
        One that needs boxes, or for ``labels`` and for a file takes them.
    source : str
        One of ``SOURCES``, or the file of a model that finds people by itself.

    Raises
    ------
    BadInput
        If there is no such source, or the models do not suit it.
    """

    def __init__(self, model: PoseModel, source: str):
        self.finder: PoseModel | None = None
        if source not in SOURCES:
            if not Path(source).suffix:
                raise BadInput("boxes", f"is '{source}'", f"choose one of {', '.join(SOURCES)}, or a model file")
            self.finder = load_model(source, model.skeleton)
            if self.finder.needs_boxes:
                raise BadInput(source, "does not find people by itself", "give a detector, or a model such as YOLO")
        elif source != LABELS and not model.needs_boxes:
            raise BadInput("boxes", f"is '{source}', but the model finds people by itself", "leave it out")
        self.model, self.source = model, source
        self.video: str | None = None
        self.last: Pose | None = None
        self.usual = 0.0

    def predict(self, pictures: Sequence[np.ndarray], frames: Sequence[Frame]) -> list[list[Pose]]:
        """Poses in each picture, as ``PoseModel.predict`` gives them; ``frames`` say whose they are."""
        if self.source == LABELS:
            return self.model.predict(pictures, [frame.boxes for frame in frames])
        if self.finder is not None:
            places = [poses[:MOST_PEOPLE] for poses in self.finder.predict(pictures)]
            if self.finder.skeleton is ALIGNMENT:
                return [
                    [look_upright(self.model, picture, place) for place in found]
                    for picture, found in zip(pictures, places, strict=True)
                ]
            boxes = [np.array([place.box for place in found]).reshape(-1, 4) for found in places]
            return [
                [replace(pose, score=place.score) for pose, place in zip(poses, found, strict=True)]
                for poses, found in zip(self.model.predict(pictures, boxes), places, strict=True)
            ]
        if self.source == SEARCH:
            return [[search(self.model, picture)] for picture in pictures]
        return [[self._follow(picture, frame)] for picture, frame in zip(pictures, frames, strict=True)]

    def _follow(self, picture: np.ndarray, frame: Frame) -> Pose:
        """Look where the clip's last frame had the athlete, then at the joints found.

        Search if there was no such frame, or the model is unsure.
        """
        if frame.video is None or frame.video != self.video:
            self.video, self.last, self.usual = frame.video, None, 0.0
        pose = None
        if self.last is not None:
            pose = self.model.predict([picture], [box_of(self.last, TRACKED_MARGIN)[None]])[0][0]
            pose = self.model.predict([picture], [box_of(pose)[None]])[0][0]
        if pose is None or pose.score < SURE * self.usual:
            pose = max([search(self.model, picture), *([pose] if pose else [])], key=lambda each: each.score)
        self.last, self.usual = pose, max(pose.score, self.usual)
        return pose
