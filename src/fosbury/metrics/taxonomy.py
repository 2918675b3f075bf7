"""What kind of mistake each predicted joint is.

After Ronchi and Perona (2017, "Benchmarking and Error Diagnosis in Multi-Instance Pose Estimation", section 3), with
the keypoint similarity of OKS as the measure of nearness.

Wider than theirs in one thing: their inversions are joints on the other side's place, these are on any other joint of
the athlete, since in the arch shoulders lie on legs. Points thrown at random into the box of an athlete are inversions
three times in ten, so a share below that says little.
"""

from __future__ import annotations

import numpy as np

GOOD, JITTER, INVERSION, OTHER_PERSON, MISS = KINDS = ("good", "jitter", "inversion", "other_person", "miss")
NEAR, AT_ALL = 0.85, 0.5
"""Similarity from which a joint is good, and from which it is there at all (Ronchi and Perona)."""

MEANING = {
    GOOD: "as near as a second person would label it",
    JITTER: "near its joint",
    INVERSION: "on another joint of the same athlete",
    OTHER_PERSON: "on a joint of another person",
    MISS: "on no joint, or nobody found",
}


def kinds(
    predicted: np.ndarray,
    labels: np.ndarray,
    *,
    labelled: np.ndarray,
    area: np.ndarray,
    sigmas: np.ndarray,
    frame: np.ndarray,
) -> np.ndarray:
    """Name the kind of every joint.

    A joint that is near enough to its own label is never counted as a confusion, and one that lies on several other
    joints is an inversion first.

    Parameters
    ----------
    predicted : ndarray, shape (P, K, 2)
        Pixels, for each labelled person; NaN where missed.
    labels : ndarray, shape (P, K, 2)
    labelled : ndarray of bool, shape (P, K)
    area : ndarray, shape (P,)
        RotatedCrop pixels, as in OKS.
    sigmas : ndarray, shape (K,)
    frame : ndarray of int, shape (P,)
        Which frame a person is in, ascending.

    Returns
    -------
    ndarray of str, shape (P, K)
        One of ``KINDS``.
    """
    people, joints = labelled.shape
    own = np.zeros((people, joints))
    inverted = np.zeros((people, joints), dtype=bool)
    elsewhere = np.zeros((people, joints), dtype=bool)
    for person in range(people):
        similar = _similarity(predicted[person], labels[person], labelled[person], area[person], sigmas)
        own[person] = np.diagonal(similar)
        np.fill_diagonal(similar, 0.0)
        inverted[person] = (similar >= AT_ALL).any(axis=1)
        for other in np.flatnonzero(frame == frame[person]):
            if other != person:
                near = _similarity(predicted[person], labels[other], labelled[other], area[other], sigmas)
                elsewhere[person] |= (near >= AT_ALL).any(axis=1)
    return np.select([own >= NEAR, own >= AT_ALL, inverted, elsewhere], KINDS[:-1], MISS)


def _similarity(
    points: np.ndarray, labels: np.ndarray, labelled: np.ndarray, area: float, sigmas: np.ndarray
) -> np.ndarray:
    """Keypoint similarity (K, K) of each predicted joint with each label, 0 where either is absent."""
    squared = ((points[:, None] - labels[None]) ** 2).sum(axis=-1)
    spread = 2 * max(area, np.spacing(1)) * (2 * sigmas) ** 2
    return np.where(labelled & np.isfinite(squared), np.exp(-np.nan_to_num(squared) / spread), 0.0)
