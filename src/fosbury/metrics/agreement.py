"""How far two labellings of the same pictures are apart: what no model measured on such labels can go below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fosbury.errors import BadInput
from fosbury.metrics.bootstrap import intervals, sums_by_unit
from fosbury.metrics.match import match_boxes
from fosbury.metrics.stature import TRUNK_SHARE, pixel_stature
from fosbury.pose import Dataset, Person


@dataclass(frozen=True)
class JointAgreement:
    """Two labellings of one joint, or of all.

    Attributes
    ----------
    joint : str
    pairs : int
        How often both labelled it.
    apart_mm : float
        Mean distance of the two labels in mm-equivalents.
    low, high : float
        Its 95 % interval over clips; NaN with one.
    floor_mm : float
        Mean error of a model without error, measured on one such labelling: the distance over the root of two, as both
        labels err alike around the truth.
    pck10 : float
        Share of pairs within a tenth of the trunk.
    sigma : float
        Of OKS, estimated from these pairs: root of E[d^2 / 2 area], the labels' own spread. NaN for all together.
    one_only : int
        How often only one of the two labelled it.
    """

    joint: str
    pairs: int
    apart_mm: float
    low: float
    high: float
    floor_mm: float
    pck10: float
    sigma: float
    one_only: int


def agreement(a: Dataset, b: Dataset, stature_mm: float) -> list[JointAgreement]:
    """Compare two labellings joint by joint, the sum of all first.

    Frames are paired by ``file_name``, people by their boxes.

    Parameters
    ----------
    a, b : Dataset
        In the same skeleton.
    stature_mm : float
        Of athletes whose frame does not tell it.

    Returns
    -------
    list of JointAgreement

    Raises
    ------
    BadInput
        If they share no person, or none whose stature can be judged.
    """
    skeleton, other = a.skeleton, {frame.file_name: frame for frame in b.frames}
    pairs: list[tuple[Person, Person]] = []
    stature, unit = [], []
    for frame in a.frames:
        match = other.get(frame.file_name)
        if match is None or not frame.people or not match.people:
            continue
        for person, choice in zip(frame.people, match_boxes(_boxes(frame.people), _boxes(match.people)), strict=True):
            if choice >= 0:
                pairs.append((person, match.people[choice]))
                stature.append(frame.stature_mm or stature_mm)
                unit.append(frame.unit)
    if not pairs:
        raise BadInput("the two labellings", "share no labelled person", "give labels of the same file names")
    first, second = (np.array([pair[side].keypoints for pair in pairs]) for side in (0, 1))
    has_first, has_second = (np.array([pair[side].labelled for pair in pairs]) for side in (0, 1))
    both = has_first & has_second
    height = pixel_stature(first, has_first, np.arange(len(pairs)), skeleton.limbs)
    both &= np.isfinite(height)[:, None]
    if not both.any():
        raise BadInput("the two labellings", "have no one whose stature can be judged", "label both ends of a limb")
    pixels = np.linalg.norm(first - second, axis=-1)
    apart = pixels / height[:, None] * np.array(stature)[:, None]
    area = np.array([pair[0].area for pair in pairs])[:, None]
    spread = pixels**2 / (2 * area)
    near = pixels <= 0.1 * TRUNK_SHARE * height[:, None]
    number = np.unique(unit, return_inverse=True)[1]
    rows, columns = np.nonzero(both)
    masks = np.column_stack([np.ones(len(rows), bool), columns[:, None] == np.arange(len(skeleton))])
    ends = intervals(*sums_by_unit(number[rows], apart[rows, columns], masks))
    one_only = (has_first ^ has_second).sum(axis=0)
    found = [_joint("all", both, apart, near, None, ends[0], int(one_only.sum()))]
    for joint, name in enumerate(skeleton.joints):
        if both[:, joint].any():
            only = np.zeros_like(both)
            only[:, joint] = both[:, joint]
            found.append(_joint(name, only, apart, near, spread, ends[joint + 1], int(one_only[joint])))
    return found


def _joint(
    name: str,
    rows: np.ndarray,
    apart: np.ndarray,
    near: np.ndarray,
    spread: np.ndarray | None,
    ends: np.ndarray,
    one_only: int,
) -> JointAgreement:
    mean = float(apart[rows].mean())
    sigma = float(np.sqrt(spread[rows].mean())) if spread is not None else np.nan
    low, high = map(float, ends)
    return JointAgreement(
        name, int(rows.sum()), mean, low, high, mean / np.sqrt(2), float(near[rows].mean()), sigma, one_only
    )


def _boxes(people: Sequence[Person]) -> np.ndarray:
    return np.array([person.box for person in people]).reshape(-1, 4)
