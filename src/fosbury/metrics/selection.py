"""The joint error that chooses a checkpoint, and nothing else: matching, stature and distance.

``evaluation.evaluate`` gives the same numbers, bit for bit, with all the others beside them. Training depends on this
module alone, so that a new metric retrains nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fosbury.metrics.error import capped_errors
from fosbury.metrics.match import match_boxes
from fosbury.metrics.stature import TRUNK_SHARE, athletes, pixel_stature, times
from fosbury.pose import Dataset, Pose

STATURE_MM = 1850.0
"""Stature of an athlete of whom nothing is known."""

CAP = 0.5
"""Largest error of one joint, and the price of a missed one, as a share of stature."""


@dataclass(frozen=True, eq=False)
class JointErrors:
    """One row for every labelled joint of every person with a pixel stature (N rows).

    Attributes
    ----------
    frame : ndarray of int, shape (N,)
        Index of the frame in the data set.
    phase : ndarray of str, shape (N,)
        Phase of the frame; empty where it has none.
    error_mm : ndarray, shape (N,)
        Capped error in mm-equivalents.
    error_trunk : ndarray, shape (N,)
        The same in trunk lengths, of which ``TRUNK_SHARE`` is one in statures.
    """

    frame: np.ndarray
    phase: np.ndarray
    error_mm: np.ndarray
    error_trunk: np.ndarray

    def __len__(self) -> int:
        return len(self.frame)

    def of(self, *phases: str) -> JointErrors:
        """Keep the rows of some phases."""
        rows = np.isin(self.phase, phases)
        return JointErrors(self.frame[rows], self.phase[rows], self.error_mm[rows], self.error_trunk[rows])

    def mean_mm(self) -> float | None:
        """Mean error, to two digits; None without rows."""
        return round(float(self.error_mm.mean()), 2) if len(self) else None

    def pck(self, threshold: float) -> float | None:
        """Share of joints within ``threshold`` trunk lengths, to four digits; None without rows."""
        return round(float((self.error_trunk <= threshold).mean()), 4) if len(self) else None

    def frames(self) -> int:
        """Return the number of frames."""
        return len(np.unique(self.frame))


def joint_errors(dataset: Dataset, predictions: Sequence[Sequence[Pose]]) -> JointErrors:
    """Measure predictions against labels, as ``evaluation.evaluate`` does by default.

    Parameters
    ----------
    dataset : Dataset
        F frames.
    predictions : sequence of sequence of Pose, length F
        For each frame its poses, in the joints of the data set's skeleton and pixels of the image.

    Returns
    -------
    JointErrors
    """
    skeleton, joints = dataset.skeleton, len(dataset.skeleton)
    people = [person for frame in dataset.frames for person in frame.people]
    frame = np.repeat(np.arange(len(dataset)), [len(each.people) for each in dataset.frames]).astype(int)
    labels = np.array([person.keypoints for person in people], dtype=float).reshape(-1, joints, 2)
    labelled = np.array([person.visibility for person in people], dtype=np.uint8).reshape(-1, joints) > 0
    height = pixel_stature(labels, labelled, skeleton.limbs, athlete=athletes(dataset), seconds=times(dataset))
    error = capped_errors(_matched(dataset, predictions), labels, labelled, stature_px=height, cap=CAP)
    stature = np.array([each.stature_mm or STATURE_MM for each in dataset.frames], dtype=float)[frame]
    phase = np.array([each.phase or "" for each in dataset.frames], dtype=str)[frame]
    who, joint = np.nonzero(labelled & np.isfinite(height)[:, None])
    return JointErrors(
        frame=frame[who],
        phase=phase[who],
        error_mm=error[who, joint] / height[who] * stature[who],
        error_trunk=error[who, joint] / (TRUNK_SHARE * height[who]),
    )


def _matched(dataset: Dataset, predictions: Sequence[Sequence[Pose]]) -> np.ndarray:
    """Predicted joints (P, K, 2) of every labelled person; NaN for one who was missed."""
    joints = len(dataset.skeleton)
    nobody = np.full((joints, 2), np.nan)
    rows = []
    for frame, poses in zip(dataset.frames, predictions, strict=True):
        offers = np.array([pose.box for pose in poses], dtype=float).reshape(-1, 4)
        rows += [poses[choice].keypoints if choice >= 0 else nobody for choice in match_boxes(frame.boxes, offers)]
    return np.array(rows, dtype=float).reshape(-1, joints, 2)
