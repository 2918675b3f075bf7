"""Decoders: from the raw output of a network to poses, one for each kind of output.

A new decoder is a class here, or in a module of its own, and an entry in ``DECODERS``. An exported file names its
decoder in its metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.crop import PADDING, SPLIT, predict_crops
from fosbury.inference.landmarks import PADDING as LANDMARK_PADDING
from fosbury.inference.landmarks import predict_landmarks, read_landmarks
from fosbury.inference.letterbox import IOU, predict_letterboxed
from fosbury.pose import Pose
from fosbury.skeleton import Skeleton

EXPORT_AGAIN = "export the checkpoint again"
STRIDES = (8, 16, 32, 64)

Forward = Callable[[np.ndarray], np.ndarray]


class Decoder(Protocol):
    """What a network's output means.

    Attributes
    ----------
    name : str
        As the metadata of exported files has it.
    needs_boxes : bool
        Whether the network is shown one person at a time, whose box has to be given (a top-down model).
    output : str
        The output in one line.
    """

    name: str
    needs_boxes: bool
    output: str

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray] | None,
        forward: Forward,
        *,
        size: tuple[int, int],
        joints: int,
        values: int = 3,
        confidence: float = 0.05,
        iou: float = IOU,
        batch: int = 1,
    ) -> list[list[Pose]]:
        """Find the people in each image; see ``PoseModel.predict``.

        Parameters
        ----------
        images : sequence of ndarray of uint8, shape (H, W, 3)
            RGB.
        boxes : sequence of ndarray, shape (N, 4), or None
            Where the people of each image are, for a top-down model.
        forward : callable
            The network: RGB in [0, 1], shape (B, 3, *size), to its raw output.
        size : (int, int)
            Height and width of the input.
        joints : int
        values : int
            Numbers for each joint in the output.
        confidence, iou : float
            As for ``letterbox.decode``; a top-down model answers for every box.
        batch : int
            Inputs in one call of ``forward``.

        Raises
        ------
        BadInput
            If a top-down model is given no boxes, or another one is given some.
        """
        ...

    def check_output(
        self, shape: tuple[int, ...], where: str | Path, *, size: tuple[int, int], joints: int, values: int = 3
    ) -> None:
        """Make sure that an output of ``shape``, for an input of ``size``, is what ``predict`` understands.

        Raises
        ------
        BadInput
            If it is not; ``where`` is the file.
        """
        ...

    def entries(self, common: Mapping[str, str]) -> dict[str, str]:
        """Complete the metadata of an exported file by what belongs to this decoder."""
        ...

    def description(self, skeleton: Skeleton, size: tuple[int, int], *, pixels: str, confidence: str) -> str:
        """Say how to feed an exported file, and how to read its output.

        Parameters
        ----------
        skeleton : Skeleton
        size : (int, int)
            Height and width of the input.
        pixels : str
            What the input takes.
        confidence : str
            What is to be said of the confidence, with a space after it; may be empty.
        """
        ...


class YoloDecoder:
    """Candidates for a whole picture, as the pose head of YOLO gives them."""

    name = "yolo"
    needs_boxes = False
    output = "Candidates: box x, y, w, h, score, then x, y, confidence of each joint"

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray] | None,
        forward: Forward,
        *,
        size: tuple[int, int],
        joints: int,
        values: int = 3,
        confidence: float = 0.05,
        iou: float = IOU,
        batch: int = 1,
    ) -> list[list[Pose]]:
        """Letterbox each image, and keep the best candidates; see ``Decoder.predict``."""
        if boxes is not None:
            hint = "add a second look, or leave them"
            raise BadInput("boxes", "were given to a model that finds people by itself", hint)
        return predict_letterboxed(
            images, forward, size, joints, confidence=confidence, iou=iou, values=values, batch=batch
        )

    def check_output(
        self, shape: tuple[int, ...], where: str | Path, *, size: tuple[int, int], joints: int, values: int = 3
    ) -> None:
        """Expect (1, 4 + classes + joints * values, N), with N of three or four strides; see ``Decoder``."""
        cells = [-(-size[0] // stride) * -(-size[1] // stride) for stride in STRIDES]
        least = 5 + joints * values
        if len(shape) != 3 or shape[0] != 1 or shape[1] < least or shape[2] not in (sum(cells[:3]), sum(cells)):
            problem = f"has an output of {_by(shape)}, not the raw answer of a YOLO pose head"
            raise BadInput(where, problem, "export it without nms")

    def entries(self, common: Mapping[str, str]) -> dict[str, str]:
        """Add the keys without a dot, which Ultralytics reads, so that its tools take the file too."""
        return {
            "batch": "1",
            "channels": "3",
            "end2end": "False",
            **common,
            "names": "{0: 'person'}",
            "stride": "32",
            "task": "pose",
        }

    def description(self, skeleton: Skeleton, size: tuple[int, int], *, pixels: str, confidence: str) -> str:
        """See ``Decoder.description``."""
        height, width = size
        return (
            f"Finds people and their {len(skeleton)} joints. Input: RGB, {pixels}, {width} wide and {height} high, the "
            f"picture scaled to fit, centred, the rest grey (114). Output (1, {5 + 3 * len(skeleton)}, N), for each of "
            "N candidates: box centre x, y, width, height, score, then x, y, confidence of each joint, in input "
            "pixels. Keep candidates with a score of at least 0.25 and drop those whose box overlaps a better one by "
            f"more than 0.7 (IoU). {confidence}Joints in order: {', '.join(skeleton.joints)}."
        )


class SimccDecoder:
    """Two distributions for each joint of the one person in a crop, as RTMPose gives them."""

    name = "simcc"
    needs_boxes = True
    output = "For each joint scores along x, then along y, in half pixels of the input"

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray] | None,
        forward: Forward,
        *,
        size: tuple[int, int],
        batch: int = 1,
        **of_other_decoders: object,
    ) -> list[list[Pose]]:
        """Crop each box out of its image, one pose a box; see ``Decoder.predict``."""
        return predict_crops(images, boxes, forward, size, batch=batch)

    def check_output(
        self,
        shape: tuple[int, ...],
        where: str | Path,
        *,
        size: tuple[int, int],
        joints: int,
        **of_other_decoders: object,
    ) -> None:
        """Expect (1, joints, SPLIT * (W + H)); see ``Decoder``."""
        wanted = (1, joints, round(SPLIT * sum(size)))
        if shape != wanted:
            raise BadInput(where, f"has an output of {_by(shape)}, not {_by(wanted)}", EXPORT_AGAIN)

    def entries(self, common: Mapping[str, str]) -> dict[str, str]:
        """Name the decoder."""
        return {"fosbury.head": self.name, **common}

    def description(self, skeleton: Skeleton, size: tuple[int, int], *, pixels: str, confidence: str) -> str:
        """See ``Decoder.description``."""
        height, width = size
        across, along = round(SPLIT * width), round(SPLIT * (width + height))
        return (
            f"Finds the {len(skeleton)} joints of one person. Input: RGB, {pixels}, {width} wide and {height} high: "
            f"the person's box, {PADDING} times as large and of the shape of the input, black beyond the picture. "
            f"Output (1, {len(skeleton)}, {along}): for each joint {across} scores along x, then {along - across} "
            f"along y; the place of the largest, divided by {SPLIT:g} and plus 0.5, is the joint in input pixels from "
            f"the corner, and the lesser of the two largest its confidence. {confidence}"
            f"Joints in order: {', '.join(skeleton.joints)}."
        )


class LandmarksDecoder:
    """The points of the one person in a square, as BlazePose gives them."""

    name = "landmarks"
    needs_boxes = True
    output = "For each joint x, y in input pixels, and its confidence"

    def predict(
        self,
        images: Sequence[np.ndarray],
        boxes: Sequence[np.ndarray] | None,
        forward: Forward,
        *,
        size: tuple[int, int],
        batch: int = 1,
        **of_other_decoders: object,
    ) -> list[list[Pose]]:
        """Cut a square around each box out of its image, one pose a box; see ``Decoder.predict``."""
        return predict_landmarks(images, boxes, lambda pixels: read_landmarks(forward(pixels)), size, batch=batch)

    def check_output(
        self,
        shape: tuple[int, ...],
        where: str | Path,
        *,
        size: tuple[int, int],
        joints: int,
        **of_other_decoders: object,
    ) -> None:
        """Expect (1, joints, 3); see ``Decoder``."""
        if shape != (1, joints, 3):
            raise BadInput(where, f"has an output of {_by(shape)}, not {_by((1, joints, 3))}", EXPORT_AGAIN)

    def entries(self, common: Mapping[str, str]) -> dict[str, str]:
        """Name the decoder."""
        return {"fosbury.head": self.name, **common}

    def description(self, skeleton: Skeleton, size: tuple[int, int], *, pixels: str, confidence: str) -> str:
        """See ``Decoder.description``."""
        height, width = size
        return (
            f"Finds the {len(skeleton)} joints of one person. Input: RGB, {pixels}, {width} wide and {height} high: "
            f"a square around the middle of the person's box, {LANDMARK_PADDING} times as large as its longer side, "
            f"black beyond the picture. Output (1, {len(skeleton)}, 3): for each joint x, y in input pixels from the "
            f"corner, and its confidence. {confidence}Joints in order: {', '.join(skeleton.joints)}."
        )


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


YOLO, SIMCC, LANDMARKS = YoloDecoder(), SimccDecoder(), LandmarksDecoder()
DECODERS: dict[str, Decoder] = {decoder.name: decoder for decoder in (YOLO, SIMCC, LANDMARKS)}
