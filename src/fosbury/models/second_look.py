"""A model that looks twice: at the whole picture, and then from nearer at each person whom it found there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fosbury.metrics.match import box_iou
from fosbury.models.letterbox import GREY
from fosbury.models.protocol import PoseModel
from fosbury.pose import Pose

PEOPLE = 3  # in a picture; who comes after them is looked at once


class SecondLook:
    """Wraps a model so that it answers ``PoseModel`` with the joints of a second look.

    An athlete who fills a third of the picture fills a third of the network's input; the second look spends the whole
    input on a square around the box that the first look found. It costs one more pass for each person.

    Parameters
    ----------
    model : PoseModel
        Finds people by itself.
    margin : float
        Side of the square, in the longer sides of the box.
    """

    def __init__(self, model: PoseModel, margin: float):
        self.model, self.margin = model, margin
        self.skeleton, self.input_size, self.licence = model.skeleton, model.input_size, model.licence

    def predict(self, images: Sequence[np.ndarray]) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``.

        Who, in which order and how sure is the first look's answer; box and joints are those of the person of the
        second look whose box overlaps the first one most, where there is one.
        """
        answers = self.model.predict(images)
        places = [(index, person) for index, poses in enumerate(answers) for person in range(min(len(poses), PEOPLE))]
        squares = [_square(answers[index][person].box, self.margin) for index, person in places]
        crops = [_cut(images[index], square) for (index, _), square in zip(places, squares, strict=True)]
        for (index, person), square, found in zip(places, squares, self.model.predict(crops), strict=True):
            first = answers[index][person]
            corner = square[:2].astype(float)
            boxes = np.array([pose.box for pose in found]).reshape(-1, 4) + np.tile(corner, 2)
            overlap = box_iou(first.box[None], boxes)[0]
            if overlap.size and overlap.max() > 0:
                best = int(overlap.argmax())
                nearer = found[best]
                answers[index][person] = replace(
                    nearer, keypoints=nearer.keypoints + corner, box=boxes[best], score=first.score
                )
        return answers


def _square(box: np.ndarray, margin: float) -> np.ndarray:
    """Whole pixels ``x1, y1, x2, y2`` of a square around a box."""
    centre = (box[:2] + box[2:]) / 2
    side = max(1, int(np.ceil((box[2:] - box[:2]).max() * margin)))
    corner = np.floor(centre - side / 2).astype(int)
    return np.concatenate([corner, corner + side])


def _cut(image: np.ndarray, square: np.ndarray) -> np.ndarray:
    """The pixels of a square, grey where it reaches beyond the picture."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = square
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    canvas = np.full((y2 - y1, x2 - x1, 3), GREY, dtype=np.uint8)
    if right > left and bottom > top:
        canvas[top - y1 : bottom - y1, left - x1 : right - x1] = image[top:bottom, left:right]
    return canvas
