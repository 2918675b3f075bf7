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
    """

    skeleton: Skeleton
    input_size: tuple[int, int]
    licence: str

    def predict(self, images: Sequence[np.ndarray]) -> list[list[Pose]]:
        """Find the people in each image.

        Parameters
        ----------
        images : sequence of ndarray of uint8, shape (H, W, 3)
            RGB pictures of any size.

        Returns
        -------
        list of list of Pose
            For each image its poses, the most confident first, in that image's pixels.
        """
        ...
