"""A second look: each person whom a model found in the whole picture, from nearer and turned upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fosbury.inference.protocol import PoseModel
from fosbury.inference.rotated_crop import RotatedCrop, lean
from fosbury.metrics.match import box_iou
from fosbury.pose import Pose
from fosbury.refinement import Refinement

PEOPLE = 3  # in a picture; the others have no second look


TURN = np.radians(10.0)
"""Steps of the angle by which a second look turns a person."""

GRID = 1 / 32
"""Steps of the middle and the side of the square that a second look cuts out, in sides of the box."""

SAME = 0.05
"""Overlaps with a box that differ by less are equal."""


@dataclass(frozen=True, eq=False)
class View:
    """One look at one person.

    Attributes
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
    square : RotatedCrop
        What of it is looked at.
    box : ndarray, shape (4,)
        The person's, in the pixels of the square.
    """

    picture: np.ndarray
    square: RotatedCrop
    box: np.ndarray


class Refiner:
    """Wraps a model so that it answers ``PoseModel`` with what further looks at each person showed.

    Attributes
    ----------
    passes : int
        Pictures, or people of a top-down model, that the network was shown so far.
    """

    def __init__(self, model: PoseModel, margin: float):
        self.model, self.margin, self.passes = model, margin, 0
        self.skeleton, self.input_size, self.licence = model.skeleton, model.input_size, model.licence
        self.needs_boxes, self.temperature = model.needs_boxes, model.temperature

    def first_look(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None) -> list[list[Pose]]:
        """Find people as the wrapped model does."""
        self.passes += len(images) if boxes is None else sum(map(len, boxes))
        return self.model.predict(images, boxes)

    def look(self, views: Sequence[View]) -> list[Pose | None]:
        """Show views to the model, all in one call.

        Parameters
        ----------
        views : sequence of View

        Returns
        -------
        list of Pose or None
            For each view, in the pixels of the whole picture but for its box, the person whose box overlaps the view's
            most; of those who overlap it alike (`SAME`), the network's first. None where nobody does.
        """
        self.passes += len(views)
        crops = [view.square.warp(view.picture) for view in views]
        answers = self.model.predict(crops, [view.box[None] for view in views] if self.needs_boxes else None)
        return [_seen(view, found) for view, found in zip(views, answers, strict=True)]


def _seen(view: View, found: Sequence[Pose]) -> Pose | None:
    overlap = box_iou(view.box[None], np.array([pose.box for pose in found]).reshape(-1, 4))[0]
    if not overlap.size or overlap.max() <= 0:
        return None
    pose = found[int(np.argmax(overlap >= overlap.max() - SAME))]
    return replace(pose, keypoints=view.square.to_image(pose.keypoints))


class CropRefiner(Refiner):
    """Answers with the joints of a nearer look.

    An athlete who fills a third of the picture fills a third of the network's input; a nearer look spends the whole
    input on a square around the box that the first look found. Turned upright, an athlete in the arch also meets the
    network as the people do that it was trained on. Each look costs one more pass for each person.

    Parameters
    ----------
    model : PoseModel
    margin : float
        Side of the square, in the longer sides of the box.
    upright_looks : int
        Looks that turn the square so that the trunk, as the look before saw it, stands upright (mid-shoulder above
        mid-hip), in steps of `TURN`. Nothing is turned for a skeleton without a trunk. 0: one look that is not turned.

    Notes
    -----
    Each look depends on what the one before it said. So that networks which are equal but for rounding (a checkpoint
    and its ONNX file) get the same pictures to look at, squares are laid by `steady_crop`, and of people who overlap
    the first look's box almost equally (`SAME`) the network's first counts. ``bench/refinement.py`` measures what
    difference is left.
    """

    def __init__(self, model: PoseModel, margin: float, upright_looks: int = 0):
        super().__init__(model, margin)
        self.upright_looks = upright_looks

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``.

        Who, where, in which order and how sure is the first look's answer; the joints are those of the person of the
        nearer look whose box overlaps the first one most, where there is one; of those who overlap it alike, the first.
        Boxes that are given to a model that finds people by itself take the place of its first look.
        """
        if boxes is None or self.needs_boxes:
            answers = self.first_look(images, boxes)
        else:
            answers = unseen(boxes, len(self.skeleton))
        limit = PEOPLE if boxes is None else None
        places = [(index, person) for index, poses in enumerate(answers) for person in range(len(poses[:limit]))]
        for _ in range(max(1, self.upright_looks)):
            views = []
            for index, person in places:
                first = answers[index][person]
                angle = lean(first.keypoints, self.skeleton) if self.upright_looks else 0.0
                square = steady_crop(first.box, self.margin, angle)
                views.append(View(images[index], square, square.box(first.box)))
            for (index, person), nearer in zip(places, self.look(views), strict=True):
                if nearer is not None:
                    first = answers[index][person]
                    answers[index][person] = replace(first, keypoints=nearer.keypoints, confidence=nearer.confidence)
        return [[pose for pose in poses if np.isfinite(pose.keypoints).any()] for poses in answers]


def refined(model: PoseModel, refinement: Refinement) -> CropRefiner:
    """Wrap a model as the settings ``zoom`` and ``upright`` say."""
    return CropRefiner(model, refinement.margin, refinement.upright_looks if refinement.how == "upright" else 0)


def unseen(boxes: Sequence[np.ndarray], joints: int) -> list[list[Pose]]:
    """People in each picture of whom nothing but the place is known."""
    nothing = np.full((joints, 2), np.nan)
    return [[Pose(nothing, np.zeros(joints), np.asarray(box, dtype=float), 1.0) for box in found] for found in boxes]


def steady_box(box: np.ndarray) -> np.ndarray:
    """Lay an upright square around a box that does not change with rounding errors of the network that gave it.

    A crop that is moved by a hair has other grey levels, and a network that is unsure of a pose answers them with
    another one. So the middle and the longer side of the box are rounded to multiples of `GRID` of that side, for which
    the nearest power of two stands.

    Parameters
    ----------
    box : ndarray, shape (4,)
        x1, y1, x2, y2 in pixels.
    """
    side = max(float((box[2:] - box[:2]).max()), 1.0)
    step = GRID * 2.0 ** np.round(np.log2(side))
    half = _to_nearest(side, step) / 2
    middle = _to_nearest((box[:2] + box[2:]) / 2, step)
    return np.concatenate([middle - half, middle + half])


def steady_angle(angle: float) -> float:
    """Round an angle to multiples of `TURN`: a crop that is turned by a hair is another picture, too."""
    return float(_to_nearest(angle, TURN))


def steady_crop(box: np.ndarray, margin: float, angle: float = 0.0) -> RotatedCrop:
    """Lay a turned square around the middle of a box; see `steady_box` and `steady_angle`.

    Parameters
    ----------
    box : ndarray, shape (4,)
        x1, y1, x2, y2 in pixels.
    margin : float
        Side of the square in longer sides of the box.
    angle : float
        Radians: about what leans clockwise by it in the picture stands upright in the square.

    Returns
    -------
    RotatedCrop
    """
    return RotatedCrop.around(steady_box(box), margin, steady_angle(angle))


def _to_nearest(values: np.ndarray | float, step: float) -> np.ndarray:
    """Round to multiples of a step, halves up."""
    return np.floor(np.asarray(values) / step + 0.5) * step
