"""Labels judged by a teacher whose every joint comes with a trust, and joints without a label taken from it.

(a) A label that the teacher agrees with is kept, with weight 1. (b) Arms or legs that agree with it once their sides
are swapped are swapped. (c) A label that a sure teacher contradicts gives way to the teacher's word, with less weight.
(d) A label with which an unsure teacher disagrees is kept, with less weight. (e) A joint without a label, and a person
without any, is what the teacher says, weighted by its trust, and left out where that is small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fosbury.pose import NOT_LABELLED, VISIBLE, Frame, Person
from fosbury.skeleton import Skeleton
from fosbury.teaching import Rules

NOTHING, KEPT, DOUBTED, REPAIRED, ADDED = range(5)
"""What became of a joint: without a label before and after, a label kept, kept with less weight, replaced; new."""

AROUND = 0.1
"""How far beyond the box, in its longer sides, the teacher is believed: readers of labels refuse what lies farther."""


@dataclass(frozen=True, eq=False)
class Voted:
    """What a teacher says of a person.

    Attributes
    ----------
    keypoints : ndarray, shape (K, 2)
        Pixels; NaN where the teacher does not know the joint.
    trust : ndarray, shape (K,)
        In [0, 1]; 0 for such a joint.
    """

    keypoints: np.ndarray
    trust: np.ndarray


@dataclass(frozen=True, eq=False)
class Judged:
    """A person after a teacher has looked.

    Attributes
    ----------
    person : Person
        With weights.
    verdicts : ndarray of int, shape (K,)
        ``KEPT``, ``DOUBTED``, ``REPAIRED``, ``ADDED``, or ``NOTHING``.
    swapped : int
        How many of arms and legs had their sides swapped.
    """

    person: Person
    verdicts: np.ndarray
    swapped: int = 0


def trust_of(doubt_mm: np.ndarray, rules: Rules) -> np.ndarray:
    """Trust in a joint, in [0, 1], by its expected error in mm-equivalents; 0 where that is NaN.

    Examples
    --------
    >>> trust_of(np.array([0, 60, 180, 300, 900, np.nan]), Rules()).tolist()
    [1.0, 1.0, 0.5, 0.0, 0.0, 0.0]
    """
    share = (rules.doubtful_mm - doubt_mm) / (rules.doubtful_mm - rules.sure_mm)
    return np.nan_to_num(np.clip(share, 0.0, 1.0), nan=0.0)


def limb_sides(skeleton: Skeleton) -> list[tuple[np.ndarray, np.ndarray]]:
    """Joints of the left and of the right side of arms, and of legs, in the same order.

    A limb begins at a shoulder or hip and goes on by limbs and bones that do not come back to the trunk, so that heels
    belong to the leg and ears to nothing.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Arms, then legs; without those that the skeleton has none of.
    """
    mirror = skeleton.flip_index
    left = {pair[0] for pair in skeleton.pairs}
    trunk = {joint for end in skeleton.trunk for joint in end}
    ties = [(limb.start, limb.end) for limb in skeleton.limbs]
    roots = [[joint for joint in end if joint in left] for end in skeleton.trunk]
    if not any(roots):  # no trunk: legs alone, say, begin where their limbs do
        ends = {end for _, end in ties}
        roots = [[start for start, _ in ties if start in left and start not in ends]]
    found = []
    for root in roots:
        side = list(dict.fromkeys(root))
        for joint in side:
            known = ties if joint in trunk else [*ties, *skeleton.bones]
            near = [other for tie in known if joint in tie for other in tie if other in left and other not in trunk]
            side += [other for other in dict.fromkeys(near) if other not in side]
        if side:
            found.append((np.array(side), mirror[np.array(side)]))
    return found


def swap_sides(
    keypoints: np.ndarray, visibility: np.ndarray, voted: Voted, *, skeleton: Skeleton, side: float, rules: Rules
) -> tuple[np.ndarray, np.ndarray, int]:
    """Swap left and right of arms, and of legs, where a sure teacher agrees with them only then: rule (b).

    Parameters
    ----------
    keypoints : ndarray, shape (K, 2)
    visibility : ndarray of uint8, shape (K,)
    voted : Voted
    skeleton : Skeleton
    side : float
        Longer side of the person's box in pixels.
    rules : Rules

    Returns
    -------
    keypoints, visibility : ndarray
    swapped : int
    """
    keypoints, visibility, count = keypoints.copy(), visibility.copy(), 0
    for left, right in limb_sides(skeleton):
        here, there = np.concatenate([left, right]), np.concatenate([right, left])
        trust = voted.trust[here]
        as_is, swapped = (
            _mean_distance(keypoints[order], visibility[order] > NOT_LABELLED, voted.keypoints[here], trust) / side
            for order in (here, there)
        )
        sure = trust[visibility[there] > NOT_LABELLED].sum() >= rules.sure * (visibility[there] > NOT_LABELLED).sum()
        if sure and swapped <= rules.near and swapped < rules.sides * as_is:
            keypoints[here], visibility[here] = keypoints[there], visibility[there]
            count += 1
    return keypoints, visibility, count


def _mean_distance(keypoints: np.ndarray, labelled: np.ndarray, voted: np.ndarray, trust: np.ndarray) -> float:
    """Mean distance of labels from a vote by its trust; NaN where nothing can be compared."""
    weight = labelled * trust
    distance = np.linalg.norm(np.where(weight[:, None] > 0, keypoints - voted, 0.0), axis=-1)
    return float((weight * distance).sum() / weight.sum()) if weight.sum() > 0 else np.nan


def decide(distance: np.ndarray, trust: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Decide on labels by how far the teacher is from them, and how much it is to be trusted: rules (a), (c), (d).

    Parameters
    ----------
    distance : ndarray, shape (K,)
        In longer sides of the person's box; NaN where the teacher does not know the joint: such a label is kept.
    trust : ndarray, shape (K,)
    rules : Rules

    Returns
    -------
    verdicts : ndarray of int, shape (K,)
        ``KEPT``, ``DOUBTED`` or ``REPAIRED``.
    weights : ndarray, shape (K,)
        1 for a label that is kept; what takes a label's place counts ``repaired`` times its trust. A label that is
        doubted counts ``doubted`` at no trust, and the less the surer the teacher is, down to what takes a label's
        place.

    Examples
    --------
    >>> verdicts, weights = decide(np.array([0.1, 0.5, 0.5, np.nan]), np.array([0.9, 0.9, 0.0, 0.0]), Rules())
    >>> verdicts.tolist(), weights.round(2).tolist()
    ([1, 3, 2, 1], [1.0, 0.45, 0.6, 1.0])
    """
    agrees = ~(distance > rules.near)
    contradicted = ~agrees & (trust >= rules.sure)
    doubted = rules.doubted + (rules.repaired * rules.sure - rules.doubted) * trust / rules.sure
    verdicts = np.where(agrees, KEPT, np.where(contradicted, REPAIRED, DOUBTED))
    weights = np.where(agrees, 1.0, np.where(contradicted, rules.repaired * trust, doubted))
    return verdicts, np.clip(weights, 0.0, 1.0)


def add(trust: np.ndarray, skeleton: Skeleton, rules: Rules, *, alone: bool) -> np.ndarray:
    """Weigh the teacher's word for joints without a label: rule (e).

    Parameters
    ----------
    trust : ndarray, shape (K,)
    skeleton : Skeleton
    rules : Rules
    alone : bool
        Whether the person has no label at all; beside labels it counts ``repaired`` as much.

    Returns
    -------
    ndarray, shape (K,)
        0 for what is left out: a joint below ``least``; of a person alone, everything where the ends of the limbs have
        a smaller mean.
    """
    ends = limb_ends(skeleton)
    if alone and trust[ends].mean() < rules.least:
        return np.zeros_like(trust)
    weights = trust * np.where(ends, 1.0, rules.minor) * (1.0 if alone else rules.repaired)
    return np.where(weights >= rules.least, weights, 0.0)


def limb_ends(skeleton: Skeleton) -> np.ndarray:
    """Mask, shape (K,), of joints at the end of a limb; all where the skeleton has no limbs."""
    ends = {end for limb in skeleton.limbs for end in (limb.start, limb.end)}
    return np.array([joint in ends or not ends for joint in range(len(skeleton))])


def believed(voted: Voted, box: np.ndarray, size: Sequence[float]) -> Voted:
    """Take the trust from joints outside the picture (width, height), or far outside the person's box."""
    margin = AROUND * (box[2:] - box[:2]).max()
    low = np.maximum(box[:2] - margin, 0)
    high = np.minimum(box[2:] + margin, size)
    with np.errstate(invalid="ignore"):
        inside = ((voted.keypoints >= low) & (voted.keypoints <= high)).all(axis=-1)
    return replace(voted, trust=np.where(inside, voted.trust, 0.0))


def judge(person: Person, voted: Voted, frame: Frame, *, skeleton: Skeleton, rules: Rules) -> Judged:
    """Apply all rules to a person.

    Parameters
    ----------
    person : Person
    voted : Voted
    frame : Frame
        Whose size counts.
    skeleton : Skeleton
    rules : Rules
    """
    voted = believed(voted, person.box, (frame.width, frame.height))
    side = max(float((person.box[2:] - person.box[:2]).max()), 1.0)
    visibility = person.visibility if rules.labels else np.zeros_like(person.visibility)
    keypoints = np.where((visibility > NOT_LABELLED)[:, None], person.keypoints, np.nan)
    weights, swapped = np.ones(len(skeleton)), 0
    labelled = visibility > NOT_LABELLED
    verdicts = np.where(labelled, KEPT, NOTHING)
    if rules.clean and labelled.any():
        keypoints, visibility, swapped = swap_sides(
            keypoints, visibility, voted, skeleton=skeleton, side=side, rules=rules
        )
        labelled = visibility > NOT_LABELLED
        distance = np.linalg.norm(voted.keypoints - keypoints, axis=-1) / side
        decided, weights = decide(distance, voted.trust, rules)
        verdicts = np.where(labelled, decided, NOTHING)
    if rules.pseudo:
        added = add(voted.trust, skeleton, rules, alone=not labelled.any())
        verdicts = np.where(~labelled & (added > 0), ADDED, verdicts)
        weights = np.where(labelled, weights, added)
    taken = np.isin(verdicts, (REPAIRED, ADDED))
    there = verdicts != NOTHING
    keypoints = np.where(taken[:, None], voted.keypoints, np.where(there[:, None], keypoints, np.nan))
    visibility = np.where(verdicts == ADDED, VISIBLE, np.where(there, visibility, NOT_LABELLED)).astype(np.uint8)
    taught = replace(person, keypoints=keypoints, visibility=visibility, weights=np.where(there, weights, 0.0))
    return Judged(taught, verdicts, swapped)
