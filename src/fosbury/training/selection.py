"""The choice of the checkpoint: by the pose error on validation frames, those of the phase of interest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.protocol import PoseModel
from fosbury.media.image import read_image
from fosbury.metrics.selection import joint_errors
from fosbury.pose import FOCUS, Dataset, Pose

BATCH = 16  # pictures in memory at once


def selection_frames(dataset: Dataset, focus: str = FOCUS) -> Dataset:
    """Return the frames whose pose error chooses the checkpoint: those of the phase of interest, or all without any."""
    chosen = [frame.phase == focus for frame in dataset.frames]
    return dataset.where(chosen) if any(chosen) else dataset


@dataclass(frozen=True, eq=False)
class Selection:
    """The frames whose pose error chooses the checkpoint.

    Attributes
    ----------
    dataset : Dataset
        Frames of ``val`` in the phase of interest, or all of its frames where there is none.
    images : list of ndarray of uint8, shape (H, W, 3)
        Their pictures, RGB.
    """

    dataset: Dataset
    images: list[np.ndarray]

    @classmethod
    def of(cls, val: Dataset, root: Path, focus: str = FOCUS) -> Selection:
        """Take the frames of a validation split and read their pictures.

        Raises
        ------
        BadInput
            If the error of none of them can be measured, or a picture cannot be read.
        """
        select = selection_frames(val, focus)
        if not len(joint_errors(select, [[] for _ in select.frames])):
            hint = "label both ends of a limb that the skeleton names under 'limbs'"
            raise BadInput("split 'val'", "has no one whose pose error can be measured", hint)
        return cls(select, [read_image(root / frame.file_name) for frame in select.frames])

    def score(self, predictions: Sequence[Sequence[Pose]]) -> dict[str, float]:
        """``val_error_mm``, the less the better, and ``val_pck10`` of predictions on these frames."""
        errors = joint_errors(self.dataset, predictions)
        return {"val_error_mm": errors.mean_mm() or 0.0, "val_pck10": errors.pck(0.1) or 0.0}


def is_best(history: Sequence[Mapping[str, float]]) -> bool:
    """Whether the last epoch has less pose error than every one before it."""
    *before, last = [row["val_error_mm"] for row in history]
    return all(last < error for error in before)


def validate(model: PoseModel, val: Dataset, root: Path, focus: str = FOCUS) -> dict[str, float | int]:
    """Measure a checkpoint on the validation frames, as its selection did: labelled boxes where it needs boxes.

    Parameters
    ----------
    model : PoseModel
        Its joints in the order of the data set's skeleton.
    val : Dataset
    root : Path
        Folder that file names are relative to.
    focus : str
        The phase of interest.

    Returns
    -------
    dict
        Of the phase of interest ``val_arch_error_mm`` and ``val_arch_pck10`` (a share), with its name in theirs;
        ``val_upright_error_mm`` (approach and take-off), ``val_all_error_mm`` (every frame) and ``val_frames``.
        Millimetres are equivalents at the stature of the label, or at 1850 mm. A figure that has no frames is left out.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    poses: list[list[Pose]] = []
    for start in range(0, len(val), BATCH):
        frames = val.frames[start : start + BATCH]
        boxes = [frame.boxes for frame in frames]
        images = [read_image(root / frame.file_name) for frame in frames]
        poses += model.predict(images, boxes if model.needs_boxes else None)
    errors = joint_errors(val, poses)
    chosen = errors.of(focus)
    figures = {
        f"val_{focus}_error_mm": chosen.mean_mm(),
        f"val_{focus}_pck10": chosen.pck(0.1),
        "val_upright_error_mm": errors.of("approach", "takeoff").mean_mm(),
        "val_all_error_mm": errors.mean_mm(),
        "val_frames": errors.frames(),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}
