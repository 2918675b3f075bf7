"""How far two labellings of the same pictures are apart: what no model measured on such labels can go below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fosbury.errors import BadInput
from fosbury.metrics.intervals import FEW, WIDTH, mean_intervals, sums_by_unit
from fosbury.metrics.match import match_boxes
from fosbury.metrics.stature import TRUNK_SHARE, athletes, pixel_stature, times
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


def agreement(a: Dataset, b: Dataset, stature_mm: float) -> tuple[list[JointAgreement], list[str]]:
    """Compare two labellings joint by joint, the sum of all first.

    Frames are paired by ``file_name``, people by their boxes. Statures are those of ``a``.

    Parameters
    ----------
    a, b : Dataset
        In the same skeleton.
    stature_mm : float
        Of athletes whose frame does not tell it.

    Returns
    -------
    joints : list of JointAgreement
    notes : list of str
        What was left out, and how few the clips are.

    Raises
    ------
    BadInput
        If they share no person, or none whose stature can be judged.
    """
    skeleton, other = a.skeleton, {frame.file_name: frame for frame in b.frames}
    people = [person for frame in a.frames for person in frame.people]
    points = np.array([person.keypoints for person in people]).reshape(-1, len(skeleton), 2)
    labelled = np.array([person.labelled for person in people]).reshape(-1, len(skeleton))
    height = pixel_stature(points, labelled, skeleton.limbs, athlete=athletes(a), seconds=times(a))
    mates: list[Person | None] = []
    for frame in a.frames:
        match = other.get(frame.file_name)
        there = match.people if match else ()
        mates += [there[choice] if choice >= 0 else None for choice in match_boxes(_boxes(frame.people), _boxes(there))]
    paired = np.array([mate is not None for mate in mates], dtype=bool)
    if not paired.any():
        raise BadInput("the two labellings", "share no labelled person", "give labels of the same file names")
    frames = np.repeat(np.arange(len(a)), [len(frame.people) for frame in a.frames])[paired]
    stature = np.array([a.frames[index].stature_mm or stature_mm for index in frames])
    number = np.unique([a.frames[index].unit for index in frames], return_inverse=True)[1]
    first, has_first, height = points[paired], labelled[paired], height[paired]
    second = np.array([mate.keypoints for mate in mates if mate is not None])
    has_second = np.array([mate.labelled for mate in mates if mate is not None])
    area = np.array([person.area for person, there in zip(people, paired, strict=True) if there])[:, None]
    known = np.isfinite(height)
    both = has_first & has_second & known[:, None]
    if not both.any():
        raise BadInput("the two labellings", "have no one whose stature can be judged", "label both ends of a limb")
    pixels = np.linalg.norm(first - second, axis=-1)
    apart = pixels / height[:, None] * stature[:, None]
    spread = pixels**2 / (2 * area)
    near = pixels <= 0.1 * TRUNK_SHARE * height[:, None]
    rows, columns = np.nonzero(both)
    masks = np.column_stack([np.ones(len(rows), bool), columns[:, None] == np.arange(len(skeleton))])
    ends = mean_intervals(*sums_by_unit(number[rows], apart[rows, columns], masks))
    one_only = (has_first ^ has_second).sum(axis=0)
    found = [_joint("all", both, apart, near, None, ends[0], int(one_only.sum()))]
    for joint, name in enumerate(skeleton.joints):
        only = both & (np.arange(len(skeleton)) == joint)
        if only.any() or one_only[joint]:
            found.append(_joint(name, only, apart, near, spread, ends[joint + 1], int(one_only[joint])))
    units = len(np.unique(number[rows]))
    few = [f"intervals are over {units} clips, which are few: {WIDTH}"] if 1 < units < FEW else []
    return found, _left_out(a, b, paired, known) + few


def to_json(joints: Sequence[JointAgreement], notes: Sequence[str]) -> dict[str, Any]:
    """Return what ``fosbury agreement --json`` writes: a figure without meaning is null."""
    rows = [{name: None if value != value else value for name, value in asdict(each).items()} for each in joints]
    return {"joints": rows, "notes": list(notes)}


def _left_out(a: Dataset, b: Dataset, paired: np.ndarray, known: np.ndarray) -> list[str]:
    names = [{frame.file_name for frame in each.frames} for each in (a, b)]
    counts = {
        "frames of the first labelling are not in the second": len(names[0] - names[1]),
        "frames of the second labelling are not in the first": len(names[1] - names[0]),
        "people of the first labelling have none in the second": int(np.count_nonzero(~paired)),
        "people have no limb to judge their stature by": int(np.count_nonzero(~known)),
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


def _joint(
    name: str,
    rows: np.ndarray,
    apart: np.ndarray,
    near: np.ndarray,
    spread: np.ndarray | None,
    ends: np.ndarray,
    one_only: int,
) -> JointAgreement:
    count = int(rows.sum())
    mean = float(apart[rows].mean()) if count else np.nan
    sigma = float(np.sqrt(spread[rows].mean())) if spread is not None and count else np.nan
    share = float(near[rows].mean()) if count else np.nan
    low, high = map(float, ends)
    return JointAgreement(name, count, mean, low, high, mean / np.sqrt(2), share, sigma, one_only)


def _boxes(people: Sequence[Person]) -> np.ndarray:
    return np.array([person.box for person in people]).reshape(-1, 4)
