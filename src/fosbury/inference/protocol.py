"""What every model answers, whether it is a checkpoint, an ONNX file or a CoreML package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from fosbury.pose import Pose
from fosbury.skeleton import Skeleton


@runtime_checkable
class PoseModel(Protocol):
    """A model that finds people and their joints.

    Attributes
    ----------
    skeleton : Skeleton
        The joints it was made with, in the order of its keypoints.
    input_size : (int, int)
        Height and width in pixels of the model's input.
    licence : str
        SPDX name of the licence that the weights carry.
    needs_boxes : bool
        Whether it needs the box of each person (a top-down model).
    temperature : float or None
        See ``metadata.ModelMetadata``; ``predict`` gives the confidence as the network has it, ``predict_dataset``
        applies it.
    """

    skeleton: Skeleton
    input_size: tuple[int, int]
    licence: str
    needs_boxes: bool
    temperature: float | None

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each image.

        Parameters
        ----------
        images : sequence of ndarray of uint8, shape (H, W, 3)
            RGB pictures of any size.
        boxes : sequence of ndarray, shape (N, 4), optional
            For each image x1, y1, x2, y2 of its people in pixels, for a top-down model or a second look.

        Returns
        -------
        list of list of Pose
            For each image its poses in that image's pixels: the most confident first, or in the order of the boxes.

        Raises
        ------
        BadInput
            If boxes are needed and not given, or given and not understood.
        """
        ...
