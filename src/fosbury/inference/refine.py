"""A second look: each person whom a model found in the whole picture, from nearer and turned upright."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fosbury.inference.protocol import PoseModel
from fosbury.inference.rotated_crop import RotatedCrop, lean
from fosbury.metrics.match import box_iou
from fosbury.pose import Pose

PEOPLE = 3  # in a picture; the others have no second look
UPRIGHT_LOOKS = 2  # the first turns by what the whole picture showed, the second by what that one showed


TURN = np.radians(10.0)
"""Steps of the angle by which a second look turns a person."""

GRID = 1 / 32
"""Steps of the middle and the side of the square that a second look cuts out, in sides of the box."""

SAME = 0.05
"""Overlaps with a box that differ by less are equal."""


class CropRefiner:
    """Wraps a model so that it answers ``PoseModel`` with the joints of a nearer look.

    An athlete who fills a third of the picture fills a third of the network's input; a nearer look spends the whole
    input on a square around the box that the first look found. Turned upright, an athlete in the arch also meets the
    network as the people do that it was trained on. Each look costs one more pass for each person.

    Parameters
    ----------
    model : PoseModel
    margin : float
        Side of the square, in the longer sides of the box.
    upright : bool
        Turn the square so that the trunk, as the look before saw it, stands upright (mid-shoulder above mid-hip), and
        do so twice, in steps of `TURN`. Nothing is turned for a skeleton without a trunk.

    Notes
    -----
    Each look depends on what the one before it said. So that networks which are equal but for rounding (a checkpoint
    and its ONNX file) get the same pictures to look at, squares are laid by `steady_crop`, and of people who overlap
    the first look's box almost equally (`SAME`) the network's first counts. ``bench/refinement.py`` measures what
    difference is left.
    """

    def __init__(self, model: PoseModel, margin: float, upright: bool = False):
        self.model, self.margin, self.upright = model, margin, upright
        self.skeleton, self.input_size, self.licence = model.skeleton, model.input_size, model.licence
        self.needs_boxes, self.temperature = model.needs_boxes, model.temperature

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``.

        Who, where, in which order and how sure is the first look's answer; the joints are those of the person of the
        nearer look whose box overlaps the first one most, where there is one; of those who overlap it alike, the first.
        Boxes that are given to a model that finds people by itself take the place of its first look.
        """
        if boxes is None or self.needs_boxes:
            answers = self.model.predict(images, boxes)
        else:
            answers = [[_unseen(box, len(self.skeleton)) for box in found] for found in boxes]
        limit = PEOPLE if boxes is None else None
        places = [(index, person) for index, poses in enumerate(answers) for person in range(len(poses[:limit]))]
        for _ in range(UPRIGHT_LOOKS if self.upright else 1):
            firsts = [answers[index][person] for index, person in places]
            squares = [
                steady_crop(first.box, self.margin, lean(first.keypoints, self.skeleton) if self.upright else 0.0)
                for first in firsts
            ]
            turned = [square.box(first.box) for square, first in zip(squares, firsts, strict=True)]
            crops = [square.warp(images[index]) for (index, _), square in zip(places, squares, strict=True)]
            answer = self.model.predict(crops, [box[None] for box in turned] if self.needs_boxes else None)
            for (index, person), first, square, box, found in zip(places, firsts, squares, turned, answer, strict=True):
                overlap = box_iou(box[None], np.array([pose.box for pose in found]).reshape(-1, 4))[0]
                if overlap.size and overlap.max() > 0:
                    nearer = found[int(np.argmax(overlap >= overlap.max() - SAME))]
                    answers[index][person] = replace(
                        first, keypoints=square.to_image(nearer.keypoints), confidence=nearer.confidence
                    )
        return [[pose for pose in poses if np.isfinite(pose.keypoints).any()] for poses in answers]


def _unseen(box: np.ndarray, joints: int) -> Pose:
    """Somebody of whom nothing but the place is known."""
    return Pose(np.full((joints, 2), np.nan), np.zeros(joints), np.asarray(box, dtype=float), 1.0)


def steady_crop(box: np.ndarray, margin: float, angle: float = 0.0) -> RotatedCrop:
    """Lay a square around the middle of a box that does not change with rounding errors of the network that gave it.

    A crop that is turned or moved by a hair has other grey levels, and a network that is unsure of a pose answers them
    with another one. So the angle is rounded to multiples of `TURN`, the middle and the longer side of the box to
    multiples of `GRID` of that side, for which the nearest power of two stands.

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
    side = max(float((box[2:] - box[:2]).max()), 1.0)
    step = GRID * 2.0 ** np.round(np.log2(side))
    half = _to_nearest(side, step) / 2
    middle = _to_nearest((box[:2] + box[2:]) / 2, step)
    return RotatedCrop.around(np.concatenate([middle - half, middle + half]), margin, float(_to_nearest(angle, TURN)))


def _to_nearest(values: np.ndarray | float, step: float) -> np.ndarray:
    """Round to multiples of a step, halves up."""
    return np.floor(np.asarray(values) / step + 0.5) * step
