"""The data model: labelled people in frames, and the poses that a model predicts.

Coordinates are float64 pixels with the origin at the image's top-left corner, x to the right and y down; pixel i
covers [i, i + 1), so its centre is at i + 0.5. Boxes are ``x1, y1, x2, y2`` in the same coordinates. A joint that is
not there is NaN. Every framework's own convention is converted where it enters.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from fosbury.skeleton import Skeleton

JUMP_PHASES = ("approach", "takeoff", "flight", "arch", "landing")
GAIT_PHASES = ("stance", "swing")
"""Of walking, by the leg that is nearer to the camera."""
PHASES = (*JUMP_PHASES, *GAIT_PHASES)
FOCUS = "arch"
"""The phase of interest, where configuration (``evaluate.phase``) names no other."""
NOT_LABELLED, OCCLUDED, VISIBLE = 0, 1, 2
WARNING = "warning: "
"""Begins the notes of a data set that are printed, too."""
TILT_STEP = 30
TILTS = tuple(f"{low}-{low + TILT_STEP}" for low in range(0, 180, TILT_STEP))
"""Names of the bins of trunk tilt, in degrees."""


def phases_in(phases: Iterable[str | None]) -> tuple[str, ...]:
    """Return the phases of the movements that are there: a jump's, those of gait, or both; a jump's where none is."""
    named = set(phases)
    if not named.intersection(GAIT_PHASES):
        return JUMP_PHASES
    return PHASES if named.intersection(JUMP_PHASES) else GAIT_PHASES


AREA_SHARE = 0.53
"""Mean share of a person's box that the person's outline covers in COCO's keypoint annotations."""


def body_area(box: np.ndarray) -> float:
    """Area in square pixels of a body of which only the box ``x1, y1, x2, y2`` is known."""
    return AREA_SHARE * float(np.prod(box[2:] - box[:2]))


@dataclass(frozen=True, eq=False)
class Person:
    """One labelled person.

    Attributes
    ----------
    keypoints : ndarray of float64, shape (K, 2)
        Pixels; NaN where ``visibility`` is 0.
    visibility : ndarray of uint8, shape (K,)
        COCO's meaning: 0 not labelled, 1 labelled but occluded, 2 labelled and visible.
    box : ndarray of float64, shape (4,)
        ``x1, y1, x2, y2`` in pixels.
    area : float
        Area in square pixels that OKS is scaled by; `body_area` of the box where a label has none.
    weights : ndarray of float64, shape (K,), or None
        How much each label counts in training, in [0, 1]; None: all alike.
    """

    keypoints: np.ndarray
    visibility: np.ndarray
    box: np.ndarray
    area: float
    weights: np.ndarray | None = None

    @property
    def labelled(self) -> np.ndarray:
        """Mask, shape (K,), of joints with a label (visible or occluded)."""
        return self.visibility > NOT_LABELLED

    @property
    def training_weights(self) -> np.ndarray:
        """How much each joint counts in training, shape (K,), in [0, 1]; 0 where it has no label."""
        return self.labelled * (1.0 if self.weights is None else self.weights)


@dataclass(frozen=True, eq=False)
class Frame:
    """One image and the people labelled in it.

    Attributes
    ----------
    file_name : str
        Relative POSIX path below the image folder of its data set.
    width, height : int
        Pixels, as displayed (EXIF orientation or video rotation applied).
    people : tuple of Person
    video, frame, timestamp_ms
        The clip it was taken from, the index of the frame in presentation order (from 0), and its time; None for a
        still.
    phase : str or None
        One of ``PHASES``.
    group : str or None
        Frames of one group never part in a split; the video where None.
    source : str or None
        Name of the data set it came from.
    stature_mm : float or None
        The athlete's stature, where it is known.
    label, description : str or None
        Class of the movement's form, such as ``correct``, and what a person wrote of it.
    """

    file_name: str
    width: int
    height: int
    people: tuple[Person, ...] = ()
    video: str | None = None
    frame: int | None = None
    timestamp_ms: float | None = None
    phase: str | None = None
    group: str | None = None
    source: str | None = None
    stature_mm: float | None = None
    label: str | None = None
    description: str | None = None

    @property
    def unit(self) -> str:
        """What must not be parted by a split: the group, else the video, else the file itself."""
        return self.group or self.video or self.file_name

    @property
    def boxes(self) -> np.ndarray:
        """Boxes of the people, shape (N, 4): x1, y1, x2, y2 in pixels."""
        return np.array([person.box for person in self.people], dtype=float).reshape(-1, 4)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Frames that share one skeleton; ``notes`` tells what a reader dropped, changed or found odd."""

    skeleton: Skeleton
    frames: tuple[Frame, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.frames)

    def where(self, keep: Iterable[bool]) -> Dataset:
        """Return the data set with the frames for which ``keep`` is true."""
        return replace(self, frames=tuple(f for f, k in zip(self.frames, keep, strict=True) if k))


@dataclass(frozen=True, eq=False)
class Pose:
    """One predicted person.

    Attributes
    ----------
    keypoints : ndarray of float64, shape (K, 2)
        Pixels of the image given to the model.
    confidence : ndarray of float64, shape (K,)
        In [0, 1].
    box : ndarray of float64, shape (4,)
        ``x1, y1, x2, y2`` in pixels.
    score : float
        Confidence in the person, in [0, 1].
    doubt : ndarray of float64, shape (K,), or None
        Error to be expected of each joint in mm-equivalents (see `inference.vote`), where views of the person voted.
    """

    keypoints: np.ndarray
    confidence: np.ndarray
    box: np.ndarray
    score: float
    doubt: np.ndarray | None = None


def midpoint(keypoints: np.ndarray, joints: tuple[int, ...]) -> np.ndarray:
    """Mean of the given joints that are there.

    Parameters
    ----------
    keypoints : ndarray, shape (..., K, 2)
    joints : tuple of int

    Returns
    -------
    ndarray, shape (..., 2)
        NaN where none of the joints is there.
    """
    if not joints:
        return np.full((*keypoints.shape[:-2], 2), np.nan)
    chosen = keypoints[..., list(joints), :]
    there = np.isfinite(chosen).all(axis=-1, keepdims=True)
    count = there.sum(axis=-2)
    total = np.where(there, chosen, 0.0).sum(axis=-2)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def trunk_tilt(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Angle between the trunk (mid-hip to mid-shoulder) and the upward vertical of the picture.

    Where a shoulder or hip is not there, the trunk is the line from the hip to the shoulder of one side: it runs along
    the trunk, whereas from one hip to the middle of the shoulders, or to the other shoulder, it runs across. With
    Winter's segments (shoulders .259 and hips .191 of stature apart, .288 from shoulder to hip) these are off by up to
    7, 24 and 38 degrees in a body seen from the front.

    Parameters
    ----------
    keypoints : ndarray, shape (..., K, 2)
        Pixels; NaN where a joint is not there.
    skeleton : Skeleton
        Its ``pairs`` say which joint is of which side.

    Returns
    -------
    ndarray, shape (...,)
        Degrees in [0, 180]: 0 upright, 90 level, 180 upside down; NaN where neither the whole trunk nor a side of it
        is there.
    """
    trunk = np.full((*keypoints.shape[:-2], 2), np.nan)
    for shoulders, hips in _trunks(skeleton):
        line = keypoints[..., shoulders, :].mean(axis=-2) - keypoints[..., hips, :].mean(axis=-2)
        trunk = np.where(np.isfinite(trunk).all(axis=-1, keepdims=True), trunk, line)
    dx, dy = np.moveaxis(trunk, -1, 0)
    return np.degrees(np.arctan2(np.abs(dx), -dy))


def _trunks(skeleton: Skeleton) -> list[tuple[list[int], list[int]]]:
    """Shoulders and hips of the whole trunk, then of each of its sides."""
    sides = (set(side) for side in zip(*skeleton.pairs, strict=True))
    parts = [skeleton.trunk, *(tuple([i for i in end if i in side] for end in skeleton.trunk) for side in sides)]
    return [(list(shoulders), list(hips)) for shoulders, hips in parts if shoulders and hips]


def tilt_bins(tilt: np.ndarray, unknown: str) -> np.ndarray:
    """Name the bin of ``TILTS`` that each trunk tilt falls into; an edge belongs to the bin above it.

    Parameters
    ----------
    tilt : ndarray, shape (N,)
        Degrees in [0, 180], or NaN.
    unknown : str
        What NaN is called.

    Returns
    -------
    ndarray of str, shape (N,)
    """
    known = np.isfinite(tilt)
    index = np.clip(np.where(known, tilt, 0.0) // TILT_STEP, 0, len(TILTS) - 1).astype(int)
    return np.where(known, np.array(TILTS)[index], unknown)
