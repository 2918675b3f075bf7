"""From pictures to poses through the network of an exported file, whatever its head."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.crop import predict_crops
from fosbury.inference.letterbox import predict_letterboxed
from fosbury.inference.metadata import ModelMetadata
from fosbury.pose import Pose


def answer(
    images: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray] | None,
    forward: Callable[[np.ndarray], np.ndarray],
    about: ModelMetadata,
    size: tuple[int, int],
    confidence: float,
    iou: float,
) -> list[list[Pose]]:
    """Poses in each image; see ``PoseModel.predict``.

    Parameters
    ----------
    images : sequence of ndarray of uint8, shape (H, W, 3)
        RGB.
    boxes : sequence of ndarray, shape (N, 4), or None
        For a top-down head: where the people of each image are.
    forward : callable
        The network: RGB in [0, 1], shape (1, 3, *size), to its raw output.
    about : ModelMetadata
    size : (int, int)
        Height and width of the input.
    confidence, iou : float
        As for ``letterbox.decode``; a top-down head answers for every box.

    Raises
    ------
    BadInput
        If a top-down head is given no boxes, or another one is given some.
    """
    if about.head == "simcc":
        return predict_crops(images, boxes, forward, size)
    refuse_boxes(boxes)
    return predict_letterboxed(images, forward, size, len(about.skeleton), confidence, iou, about.values)


def refuse_boxes(boxes: Sequence[np.ndarray] | None) -> None:
    """Of a model that finds people by itself.

    Raises
    ------
    BadInput
        If there are boxes.
    """
    if boxes is not None:
        raise BadInput("boxes", "were given to a model that finds people by itself", "add a second look, or leave them")
