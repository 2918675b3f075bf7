"""Who is in a picture and where their joints are, by any model; what was answered once is not asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.answers import DECIMALS, Answers, Asked
from fosbury.inference.blazepose import ALIGNMENT, SAME_PERSON
from fosbury.inference.boxes import LABELS, TRACK, search, windows
from fosbury.inference.predict import Predictor
from fosbury.inference.refine import Refiner
from fosbury.inference.registry import load_model
from fosbury.media.files import sha256_of
from fosbury.media.image import read_image
from fosbury.metrics.calibration import temperature_scaled
from fosbury.metrics.match import box_iou
from fosbury.pose import Frame, Pose
from fosbury.skeleton import Skeleton

FOUND = 0.5
"""Least score of a person whom only a search, or the frames before and after, say to be there: MediaPipe's
``min_detection_confidence``."""


class Seen:
    """A picture that is read when a model has to look at it.

    Attributes
    ----------
    key : str
        Of its content.
    """

    def __init__(self, path: Path):
        self.path, self.key = path, sha256_of(path)[:32]
        self.read: np.ndarray | None = None

    def pixels(self) -> np.ndarray:
        """RGB, uint8, shape (H, W, 3)."""
        if self.read is None:
            self.read = read_image(self.path)
        return self.read

    def forget(self) -> None:
        """Leave the memory."""
        self.read = None


class Asker:
    """Asks a model about pictures, once.

    Parameters
    ----------
    asked : Asked
    skeleton : Skeleton
        Of a model file that does not name its joints.
    answers : Answers

    Raises
    ------
    BadInput
        If a model cannot be read, or does not suit.
    """

    def __init__(self, asked: Asked, skeleton: Skeleton, answers: Answers):
        self.model = load_model(asked.model, skeleton, refinement=asked.refinement)
        self.first = self.model.model if isinstance(self.model, Refiner) else self.model
        self.refines = self.model is not self.first
        """Whether people who are found are looked at again."""
        self.skeleton, self.answers = self.model.skeleton, answers
        boxes = asked.boxes
        if boxes in (LABELS, TRACK):
            raise BadInput("--boxes", f"is '{boxes}'", "name the file of a model that finds people, or search")
        if self.first.needs_boxes and boxes is None:
            hint = "give one with --boxes: the file of a detector, or of YOLO"
            raise BadInput(asked.model, "needs a model that finds people", hint)
        self.finder = Predictor(self.first, boxes)
        self._detector = self.finder.provider.finder if self.finder.provider else None

    def people(self, picture: Seen, frame: Frame) -> list[Pose]:
        """Everybody whom one look at a picture finds, or a look from farther off, or looks from nearer."""
        return self._once(f"people {picture.key}", lambda: self._find(picture.pixels(), frame))

    def _find(self, pixels: np.ndarray, frame: Frame) -> list[Pose]:
        found = self._find_once(pixels, frame)
        if found:
            return found
        edge = np.array([pixels.shape[1] // 2, pixels.shape[0] // 2])  # a body that fills the picture is too large
        wide = np.pad(pixels, ((edge[1], edge[1]), (edge[0], edge[0]), (0, 0)))
        found = [_moved(pose, -edge) for pose in self._find_once(wide, frame)]
        if found or self._detector is None:
            return found
        nearer = []  # somebody who is small in a picture of 1920 x 1080 is a few pixels of the detector's input
        for x1, y1, x2, y2 in windows(*pixels.shape[:2])[1:].round().astype(int):
            seen = self._find_once(pixels[y1:y2, x1:x2], frame)
            nearer += [_moved(pose, np.array([x1, y1])) for pose in seen]
        return _different(nearer)

    def _find_once(self, pixels: np.ndarray, frame: Frame) -> list[Pose]:
        detector = self._detector
        if not self.refines or detector is None or detector.skeleton is not ALIGNMENT:
            return self.finder.predict([pixels], [frame])[0]
        # The circle around the person, not the box of one look's joints, which is wrong where the look is.
        nothing = np.full((len(self.skeleton), 2), np.nan)
        return [
            Pose(nothing, np.zeros(len(nothing)), place.box, place.score) for place in detector.predict([pixels])[0]
        ]

    def search(self, picture: Seen) -> list[Pose]:
        """Whom a search finds that goes through all of a picture, where it is sure; only for models that need boxes."""
        if not self.first.needs_boxes:
            return []
        found = self._once(f"search {picture.key}", lambda: [search(self.first, picture.pixels())])
        return [pose for pose in found if pose.score >= FOUND]

    def look(self, picture: Seen, box: np.ndarray) -> Pose | None:
        """Look at the person in a box as closely as the refinement says.

        None where nobody is seen, or the model takes no box.

        Parameters
        ----------
        picture : Seen
        box : ndarray, shape (4,)
        """
        if not (self.refines or self.first.needs_boxes):
            return None
        name = f"look {picture.key} {' '.join(f'{edge:.{DECIMALS}f}' for edge in box)}"
        found = self._once(name, lambda: self._looked(picture.pixels(), box))
        return found[0] if found else None

    def _looked(self, pixels: np.ndarray, box: np.ndarray) -> list[Pose]:
        found, temperature = self.model.predict([pixels], [box[None]])[0][:1], self.model.temperature
        if temperature is None:
            return found
        return [replace(pose, confidence=temperature_scaled(pose.confidence, temperature)) for pose in found]

    def _once(self, key: str, ask: Callable[[], list[Pose]]) -> list[Pose]:
        known = self.answers.get(key)
        return self.answers.put(key, ask()) if known is None else known


def _moved(pose: Pose, by: np.ndarray) -> Pose:
    """Return a pose elsewhere."""
    return replace(pose, keypoints=pose.keypoints + by, box=pose.box + np.tile(by, 2))


def _different(poses: Sequence[Pose]) -> list[Pose]:
    """Keep of poses that overlap the one with the best score, which comes first."""
    kept: list[Pose] = []
    for pose in sorted(poses, key=lambda pose: -pose.score):
        if all(box_iou(pose.box[None], each.box[None])[0, 0] <= SAME_PERSON for each in kept):
            kept.append(pose)
    return kept
