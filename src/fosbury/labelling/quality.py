"""Labels that may be wrong, the worst first, each with its reason.

A check gives each person, for each bone, joint or limb that it looks at, a score: by how many robust standard
deviations it is off from what is usual in the set (the median, and 1.4826 times the median deviation to that side).
What each check finds worst makes a person's severity. Where a check has a fixed measure instead, it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.files import write_csv, write_json
from fosbury.pose import Dataset, Person
from fosbury.skeleton import Skeleton

SUSPECT = 3.5
"""Severity from which on a label is listed (Iglewicz and Hoaglin, *How to Detect and Handle Outliers*, 1993)."""
FEW = 8
"""Of fewer people nothing is usual."""
NORMAL = 1.4826
"""Standard deviations of a normal distribution in its median deviation."""
TABLE, FIGURES, SHEET = "suspects.csv", "quality.json", "quality.jpg"
HEAD = ("rank", "frame_path", "person", "severity", "kind", "joints", "reason", "also")


@dataclass(frozen=True, eq=False)
class Labels:
    """Labelled people of a set as arrays.

    Attributes
    ----------
    skeleton : Skeleton
    keypoints : ndarray, shape (N, K, 2)
        Pixels; NaN where a joint has no label.
    boxes : ndarray, shape (N, 4)
    pictures : ndarray, shape (N, 2)
        Width and height of each person's picture in pixels.
    frame, person : ndarray of int, shape (N,)
        Index of the frame in the data set, and of the person in the frame.
    """

    skeleton: Skeleton
    keypoints: np.ndarray
    boxes: np.ndarray
    pictures: np.ndarray
    frame: np.ndarray
    person: np.ndarray

    @property
    def side(self) -> np.ndarray:
        """Longer side of each box in pixels, shape (N,)."""
        return np.maximum((self.boxes[:, 2:] - self.boxes[:, :2]).max(axis=1), 1.0)

    @property
    def known(self) -> np.ndarray:
        """Mask of joints with a label, shape (N, K)."""
        return np.isfinite(self.keypoints).all(axis=-1)


def labels_of(dataset: Dataset) -> Labels:
    """Put the people of a data set who have a labelled joint into arrays."""
    found: list[tuple[int, int, Person]] = [
        (index, number, person)
        for index, frame in enumerate(dataset.frames)
        for number, person in enumerate(frame.people)
        if person.labelled.any()
    ]
    count = len(dataset.skeleton)
    points = [np.where(each.labelled[:, None], each.keypoints, np.nan) for _, _, each in found]
    sizes = [(dataset.frames[index].width, dataset.frames[index].height) for index, _, _ in found]
    return Labels(
        dataset.skeleton,
        np.array(points, dtype=float).reshape(-1, count, 2),
        np.array([each.box for _, _, each in found], dtype=float).reshape(-1, 4),
        np.array(sizes, dtype=float).reshape(-1, 2),
        np.array([index for index, _, _ in found], dtype=int),
        np.array([number for _, number, _ in found], dtype=int),
    )


@dataclass(frozen=True, eq=False)
class Check:
    """What one check found.

    Attributes
    ----------
    kind : str
    scores : ndarray, shape (N, M)
        Of each person and thing that was looked at; NaN where there was nothing to look at.
    joints : sequence of tuple of int
        Of each of the M things.
    reason : callable
        From a person and a thing to a sentence.
    """

    kind: str
    scores: np.ndarray
    joints: Sequence[tuple[int, ...]]
    reason: Callable[[int, int], str]

    @property
    def worst(self) -> np.ndarray:
        """Largest score of each person, shape (N,), lowered for the number M that it is the largest of; at least 0.

        Of M normal values the largest exceeds ``z`` about as often as one exceeds the root of ``z**2 - 2 log M``.
        """
        if not self.scores.shape[1]:
            return np.zeros(len(self.scores))
        largest = np.maximum(np.nan_to_num(self.scores, nan=0.0).max(axis=1), 0.0)
        return np.sqrt(np.maximum(largest**2 - 2 * np.log(self.scores.shape[1]), 0.0))


def robust(values: np.ndarray, least: float) -> np.ndarray:
    """By how many robust standard deviations each value lies above the median of its column.

    Parameters
    ----------
    values : ndarray, shape (N, M)
        NaN where there is none.
    least : float
        The least standard deviation.

    Returns
    -------
    ndarray, shape (N, M)
        Below the median 0 or less; NaN in a column of fewer than `FEW` values.

    Examples
    --------
    >>> robust(np.array([[0.0], [1], [2], [3], [4], [5], [6], [7], [38.0]]), 0.1)[-1].round(1).tolist()
    [11.5]
    """
    result = np.full(values.shape, np.nan)
    for column in range(values.shape[1]):
        there = np.isfinite(values[:, column])
        if there.sum() < FEW:
            continue
        above = values[there, column] - np.median(values[there, column])
        spread = NORMAL * float(np.median(above[above >= 0]))
        result[there, column] = above / max(spread, least)
    return result


@dataclass(frozen=True)
class Suspect:
    """A label that may be wrong.

    Attributes
    ----------
    frame, person : int
        Index of the frame in the data set, and of the person in the frame.
    severity : float
    kind : str
        Of the check that found it worst.
    joints : tuple of int
    reason : str
        One sentence.
    also : tuple of str
        Kinds of other checks that found it suspect.
    """

    frame: int
    person: int
    severity: float
    kind: str
    joints: tuple[int, ...]
    reason: str
    also: tuple[str, ...] = ()


def severity(checks: Sequence[Check]) -> np.ndarray:
    """Root of the sum of the squares of what each check found worst, shape (N,): several that agree count more."""
    return np.sqrt(np.sum([check.worst**2 for check in checks], axis=0))


def suspects_of(labels: Labels, checks: Sequence[Check], least: float = SUSPECT) -> list[Suspect]:
    """List people whose labels a check finds suspect, the worst first.

    Parameters
    ----------
    labels : Labels
    checks : sequence of Check
    least : float
        Severity from which on a label is listed.
    """
    found = []
    total = severity(checks)
    for index in np.argsort(-total, kind="stable"):
        if total[index] < least:
            break
        ranked = sorted(checks, key=lambda check: -check.worst[index])
        thing = int(np.nanargmax(ranked[0].scores[index]))
        found.append(
            Suspect(
                int(labels.frame[index]),
                int(labels.person[index]),
                float(total[index]),
                ranked[0].kind,
                tuple(ranked[0].joints[thing]),
                ranked[0].reason(int(index), thing),
                tuple(check.kind for check in ranked[1:] if check.worst[index] >= least),
            )
        )
    return found


def write_suspects(folder: Path, dataset: Dataset, suspects: Sequence[Suspect], about: dict[str, Any]) -> None:
    """Write `TABLE` and `FIGURES`.

    Parameters
    ----------
    folder : Path
    dataset : Dataset
    suspects : sequence of Suspect
    about : dict
        What the figures begin with.
    """
    names = dataset.skeleton.joints
    rows: list[Sequence[object]] = [HEAD]
    for rank, each in enumerate(suspects, 1):
        joints = " ".join(names[joint].replace(" ", "_") for joint in each.joints)
        place = (rank, dataset.frames[each.frame].file_name, each.person + 1, f"{each.severity:.1f}")
        rows.append((*place, each.kind, joints, each.reason, ", ".join(each.also)))
    write_csv(folder / TABLE, rows)
    counts = Counter(each.kind for each in suspects)
    people = sum(person.labelled.any() for frame in dataset.frames for person in frame.people)
    figures = about | {"frames": len(dataset), "people": int(people), "suspect_from": SUSPECT}
    figures |= {"suspects": len(suspects), "by_kind": dict(counts.most_common())}
    write_json(folder / FIGURES, figures)
