"""Whom of the people found a label means, whom an app would keep, and who was left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fosbury.metrics.match import match_boxes
from fosbury.pose import AREA_SHARE, Dataset, Pose, body_area

USUAL_SCORE = 0.25
"""Least score of a person whom an app keeps: Ultralytics' default for prediction."""


def matched(dataset: Dataset, predictions: Sequence[Sequence[Pose]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give every labelled person the prediction whose box fits best.

    Returns
    -------
    keypoints : ndarray, shape (P, K, 2)
        NaN where missed.
    confidence : ndarray, shape (P, K)
    found : ndarray of bool, shape (P,)

    Raises
    ------
    ValueError
        If a pose has another number of joints.
    """
    joints = len(dataset.skeleton)
    nobody = np.full((joints, 2), np.nan), np.full(joints, np.nan)
    rows, sure, found = [], [], []
    for frame, poses in zip(dataset.frames, predictions, strict=True):
        for pose in poses:
            if pose.keypoints.shape != (joints, 2):
                raise ValueError(f"{frame.file_name}: a pose of shape {pose.keypoints.shape}, not {(joints, 2)}")
        boxes = np.array([person.box for person in frame.people], dtype=float).reshape(-1, 4)
        offers = np.array([pose.box for pose in poses], dtype=float).reshape(-1, 4)
        for choice in match_boxes(boxes, offers):
            keypoints, confidence = (poses[choice].keypoints, poses[choice].confidence) if choice >= 0 else nobody
            rows.append(keypoints)
            sure.append(np.where(np.isfinite(keypoints).all(axis=-1), confidence, np.nan))
            found.append(choice >= 0)
    points = np.array(rows, dtype=float).reshape(-1, joints, 2)
    return points, np.array(sure, dtype=float).reshape(-1, joints), np.array(found, dtype=bool)


def unaided_score(boxes: str | None) -> float | None:
    """Least score of a person whom an app keeps, by the source of the boxes (None: everywhere).

    None for ``labels``: a model that was shown the labelled boxes was given the athlete. A search gives the one
    person it is surest of, whatever the score.
    """
    return {"labels": None, "search": 0.0, "track": 0.0}.get(boxes or "", USUAL_SCORE)


def best_scored(
    dataset: Dataset, predictions: Sequence[Sequence[Pose]], least: float = USUAL_SCORE
) -> list[list[Pose]]:
    """Keep the people whom an app keeps: of each frame the best-scored, as many as are labelled in it (mostly one).

    Parameters
    ----------
    dataset : Dataset
    predictions : sequence of sequence of Pose
        For each frame its poses.
    least : float
        Who scores less is not kept.

    Returns
    -------
    list of list of Pose
        The best first; of equal scores the one that the model gave first.
    """
    wanted = [sum(bool(person.labelled.any()) for person in frame.people) for frame in dataset.frames]
    return [
        sorted((pose for pose in poses if pose.score >= least), key=lambda pose: -pose.score)[:count]
        for count, poses in zip(wanted, predictions, strict=True)
    ]


def notes(
    dataset: Dataset,
    owner: np.ndarray,
    *,
    counts: np.ndarray,
    measurable: np.ndarray,
    labelled: np.ndarray,
    known: np.ndarray,
) -> tuple[str, ...]:
    """Say what was left out of an evaluation and why."""
    said = []
    lost = np.flatnonzero(counts.any(axis=1) & ~measurable)
    if lost.size:
        names = [dataset.frames[index].file_name for index in sorted(set(owner[lost].tolist()))]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        people = "person has" if lost.size == 1 else "people have"
        said.append(f"{lost.size} {people} no labelled limb to judge the stature by and were left out: {shown}")
    if not all(dataset.skeleton.trunk) and measurable.any():
        joints = dataset.skeleton.joints
        limbs = dict.fromkeys(f"{joints[limb.start]} to {joints[limb.end]}" for limb in dataset.skeleton.limbs)
        how = "the size of a person is judged by these lengths, since the skeleton has no trunk"
        said.append(f"mm-equivalents by leg length: {how}: {', '.join(limbs)}")
    unknown = np.flatnonzero(labelled.any(axis=0) & ~known)
    if unknown.size:
        names = [dataset.skeleton.joints[index] for index in unknown]
        said.append(f"labelled joints that were not measured, because a model has none such: {', '.join(names)}")
    labels = [person for frame in dataset.frames for person in frame.people]
    boxed = sum(abs(person.area - body_area(person.box)) < 0.01 + 1e-3 * person.area for person in labels)
    if boxed:
        what = "labelled people's area is taken as"
        said.append(f"OKS: {boxed} of {len(labels)} {what} {AREA_SHARE} of the box, since their labels give no outline")
    return tuple(said)
