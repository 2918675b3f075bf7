"""Joint errors of a model on a labelled data set, and the metrics that sum them up.

Everything is kept in one long table with a row for every labelled joint, so that any grouping (phase, trunk
tilt, joint, visibility) is a mask over its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fosbury.metrics.angles import angle_errors, jitter
from fosbury.metrics.calibration import reliability
from fosbury.metrics.clusters import clusters
from fosbury.metrics.error import capped_errors, swapped_joints
from fosbury.metrics.intervals import mean_intervals, share_intervals, sums_by_unit
from fosbury.metrics.oks import oks_ap
from fosbury.metrics.people import best_scored, matched, notes
from fosbury.metrics.registry import METRICS, GroupMetrics, Metric, nested, rounded
from fosbury.metrics.selection import CAP, STATURE_MM
from fosbury.metrics.stature import TRUNK_SHARE, athletes, pixel_stature, times
from fosbury.metrics.takeoff import takeoff
from fosbury.metrics.taxonomy import GOOD, JITTER, KINDS, kinds
from fosbury.pose import FOCUS, OCCLUDED, PHASES, TILTS, VISIBLE, Dataset, Pose, tilt_bins, trunk_tilt
from fosbury.skeleton import Skeleton

UNLABELLED = "unlabelled"
EVERY = "all"
UPRIGHT = ("approach", "takeoff")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One row for every labelled joint of every person with a pixel stature (N rows).

    Attributes
    ----------
    skeleton : Skeleton
    frame : ndarray of int, shape (N,)
        Index of the frame in the data set.
    person : ndarray of int, shape (N,)
        Number of the labelled person, counted through the data set.
    joint : ndarray of int, shape (N,)
        Index in the skeleton.
    phase : ndarray of str, shape (N,)
        Phase of the frame; ``unlabelled`` where it has none.
    tilt : ndarray, shape (N,)
        The person's labelled trunk tilt in degrees, NaN where the trunk is not labelled.
    visibility : ndarray of uint8, shape (N,)
        1 occluded, 2 visible.
    error_mm, error_px, error_trunk : ndarray, shape (N,)
        Capped error. A trunk length is `TRUNK_SHARE` of the pixel stature: the trunk in the frame itself
        would shrink with foreshortening, and the same mistake would count for more.
    unaided_mm : ndarray, shape (N,)
        Capped error in mm-equivalents of the best-scored person, see `evaluate`; NaN where it was not measured.
    missed : ndarray of bool, shape (N,)
        Whether the person was missed.
    swapped : ndarray, shape (N,)
        1 on the wrong side, 0 not, NaN where it cannot be decided.
    cluster : ndarray of int, shape (N,)
        What an interval is over: the clip (or group, or picture) of the frame; the frame where all are of one clip.
    one_clip : bool
        Whether all frames are of one.
    kind : ndarray of str, shape (N,)
        One of ``taxonomy.KINDS``.
    confidence : ndarray, shape (N,)
        Of the model in the joint; NaN where it gave none.
    predicted, labels : ndarray, shape (P, K, 2)
        Joints of every labelled person in pixels; NaN where missed, not labelled, or not measured.
    person_phase : ndarray of str, shape (P,)
    focus : str
        The phase of interest.
    jitter, takeoff : dict or None
        See ``angles.jitter`` and ``takeoff.takeoff``.
    oks_ap : float or None
        None where it was not asked for or has no meaning.
    left_out : int
        People without a pixel stature, whose joints are not in the table.
    notes : tuple of str
        What was left out and why.
    """

    skeleton: Skeleton
    frame: np.ndarray
    person: np.ndarray
    joint: np.ndarray
    phase: np.ndarray
    tilt: np.ndarray
    visibility: np.ndarray
    error_mm: np.ndarray
    error_px: np.ndarray
    error_trunk: np.ndarray
    unaided_mm: np.ndarray
    missed: np.ndarray
    swapped: np.ndarray
    cluster: np.ndarray
    one_clip: bool
    kind: np.ndarray
    confidence: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    person_phase: np.ndarray
    focus: str = FOCUS
    jitter: dict[str, float] | None = None
    takeoff: dict[str, float | int] | None = None
    oks_ap: float | None = None
    left_out: int = 0
    notes: tuple[str, ...] = ()

    def group_metrics(self, rows: np.ndarray | None = None) -> GroupMetrics:
        """Sum up the rows of a mask.

        Parameters
        ----------
        rows : ndarray of bool, shape (N,), optional
            All rows by default.
        """
        rows = np.ones(len(self.joint), dtype=bool) if rows is None else rows
        first = self._people(rows)
        values = {}
        for metric in METRICS:
            own = metric.per_row(self)[first if metric.denominator == "people" else rows]
            values[metric.key] = _mean(own[np.isfinite(own)])
        return GroupMetrics(len(np.unique(self.frame[rows])), int(np.count_nonzero(rows)), values)

    def _people(self, rows: np.ndarray) -> np.ndarray:
        """Find the first row of every person among the rows of a mask."""
        return np.flatnonzero(rows)[np.unique(self.person[rows], return_index=True)[1]]

    def groups(self) -> dict[str, dict[str, np.ndarray]]:
        """Masks (N,) of the rows of every part, those that have some.

        Returns
        -------
        dict of str to dict of str to ndarray
            ``by_phase`` in the order of a jump, ``by_tilt`` by 30 degrees of trunk tilt (an edge belongs to the bin
            above it), ``by_joint`` in the skeleton's order, ``by_visibility``.
        """
        names, seen = np.array(self.skeleton.joints), {VISIBLE: "visible", OCCLUDED: "occluded"}
        labels = {
            "by_phase": (self.phase, (*PHASES, UNLABELLED)),
            "by_tilt": (tilt_bins(self.tilt, UNLABELLED), (*TILTS, UNLABELLED)),
            "by_joint": (names[self.joint], tuple(names)),
            "by_visibility": (np.where(self.visibility == VISIBLE, *seen.values()), tuple(seen.values())),
        }
        return {
            part: {str(label): own == label for label in order if (own == label).any()}
            for part, (own, order) in labels.items()
        }

    def by_phase(self) -> dict[str, GroupMetrics]:
        """Metrics of each phase, in the order of a jump, ``unlabelled`` last."""
        return {label: self.group_metrics(rows) for label, rows in self.groups()["by_phase"].items()}

    def by_tilt(self) -> dict[str, GroupMetrics]:
        """Metrics of each 30 degrees of trunk tilt."""
        return {label: self.group_metrics(rows) for label, rows in self.groups()["by_tilt"].items()}

    def by_joint(self) -> dict[str, GroupMetrics]:
        """Metrics of each joint, in the skeleton's order."""
        return {label: self.group_metrics(rows) for label, rows in self.groups()["by_joint"].items()}

    def by_visibility(self) -> dict[str, GroupMetrics]:
        """Metrics of visible and of occluded joints."""
        return {label: self.group_metrics(rows) for label, rows in self.groups()["by_visibility"].items()}

    def frame_errors(self, rows: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Mean error of each frame.

        Parameters
        ----------
        rows : ndarray of bool, shape (N,), optional
            Joints that count; all by default.

        Returns
        -------
        frames : ndarray of int, shape (F,)
            Indices in the data set, ascending; only frames with a joint that counts.
        error_mm : ndarray, shape (F,)
        """
        rows = np.ones(len(self.joint), dtype=bool) if rows is None else rows
        count = np.bincount(self.frame[rows])
        total = np.bincount(self.frame[rows], weights=self.error_mm[rows])
        frames = np.flatnonzero(count)
        return frames, total[frames] / count[frames]

    def kinds(self, rows: np.ndarray) -> dict[str, dict[str, float]]:
        """Share of each kind of mistake among the rows of a mask, and the part of the mean error that it makes."""
        total = np.count_nonzero(rows)
        return {
            kind: {
                "share": round(float(np.mean(self.kind[rows] == kind)), 4),
                "cost_mm": round(float(self.error_mm[rows & (self.kind == kind)].sum() / total), 2),
            }
            for kind in KINDS
            if total
        }

    def angles(self, phase: str | None = None) -> dict[str, dict[str, float]]:
        """Error of the angles that a coach reads, over the people of one phase or of all; see ``angle_errors``."""
        rows = None if phase is None else self.person_phase == phase
        found = angle_errors(self.predicted, self.labels, self.skeleton, rows)
        return {name: {key: round(value, 4) for key, value in own.items()} for name, own in found.items()}

    def judged(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Confidence in the joints of a mask that were found, and whether each is right, as ``reliability`` has it."""
        judged = rows & np.isfinite(self.confidence)
        return self.confidence[judged], np.isin(self.kind[judged], (GOOD, JITTER))

    def reliability(self, rows: np.ndarray) -> dict[str, Any]:
        """How the confidence in the joints of a mask that were found compares with the share of them that is right.

        A joint is right when it is ``good`` or ``jitter``: a keypoint similarity of 0.5 or more.
        """
        confidence, right = self.judged(rows)
        found = reliability(confidence, right)
        bins = zip(found.count.tolist(), found.confidence.tolist(), found.right.tolist(), strict=True)
        return {
            "ece": rounded(found.error, 4),
            "joints": len(right),
            "bins": [
                {"joints": count, "confidence": rounded(sure, 4), "right": rounded(right, 4)}
                for count, sure, right in bins
            ],
        }

    def intervals(self, masks: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """95 % intervals of the metrics of several groups of rows, over clusters.

        Parameters
        ----------
        masks : sequence of ndarray of bool, shape (N,)

        Returns
        -------
        list of dict
            For each mask, of every metric that has one, low and high end, where ``GroupMetrics.to_json`` has its value;
            None where fewer than two clusters contribute. ``units`` is how many there are.
        """
        rows = np.array(masks, dtype=bool).reshape(len(masks), len(self.joint)).T
        people = np.zeros_like(rows)
        for column, mask in enumerate(rows.T):
            people[self._people(mask), column] = True
        found: dict[Metric, np.ndarray] = {}
        for metric in METRICS:
            if metric.interval is None:
                continue
            counted = people if metric.denominator == "people" else rows
            of_kind = mean_intervals if metric.interval == "mean" else share_intervals
            found[metric] = of_kind(*sums_by_unit(self.cluster, metric.per_row(self), counted))
        clusters = np.count_nonzero(sums_by_unit(self.cluster, self.error_mm, rows)[1], axis=0)
        return [
            {
                "units": int(count),
                **nested({metric: metric.rounded_ci(ci[column]) for metric, ci in found.items()}),
            }
            for column, count in enumerate(clusters)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what ``fosbury evaluate --json`` writes."""
        groups = self.groups()
        everything = np.ones(len(self.joint), dtype=bool)
        ends = iter(self.intervals([everything, *(rows for part in groups.values() for rows in part.values())]))
        return {
            **self.group_metrics().to_json(),
            "ci": next(ends),
            "oks_ap": rounded(self.oks_ap, 4),
            "left_out": self.left_out,
            "notes": list(self.notes),
            "kinds": {EVERY: self.kinds(everything), **{n: self.kinds(rows) for n, rows in groups["by_phase"].items()}},
            "angles": {
                EVERY: self.angles(),
                **{phase: self.angles(phase) for phase in groups["by_phase"] if phase == self.focus},
            },
            "jitter": self.jitter and {name: round(value, 2) for name, value in self.jitter.items()},
            "takeoff": self.takeoff and {name: round(value, 4) for name, value in self.takeoff.items()},
            "calibration": {
                EVERY: self.reliability(everything),
                **{name: self.reliability(rows) for name, rows in groups["by_phase"].items() if name == self.focus},
            },
            **{
                part: {name: {**self.group_metrics(rows).to_json(), "ci": next(ends)} for name, rows in masks.items()}
                for part, masks in groups.items()
            },
        }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def evaluate(
    dataset: Dataset,
    predictions: Sequence[Sequence[Pose]],
    stature_mm: float = STATURE_MM,
    *,
    cap: float = CAP,
    known: np.ndarray | None = None,
    ap: bool = True,
    unaided: float | None = None,
    focus: str = FOCUS,
) -> Evaluation:
    """Measure predictions against labels.

    Every labelled person is measured against the prediction whose box fits best (one to one, never by
    joints, and by an IoU of at least ``match.MATCH_IOU``); a person whom no prediction fits is missed and charged
    ``cap`` for every joint, as is a joint that the prediction lacks. So all metrics are *given the athlete*: the
    labelled box chooses among everybody whom the model found. An app has no labelled box. ``error_mm_unaided`` is the
    error, by the same rules, of what it keeps: the person of the highest score (as many as are labelled in the frame).

    Parameters
    ----------
    dataset : Dataset
        F frames.
    predictions : sequence of sequence of Pose, length F
        For each frame its poses, in the joints of the data set's skeleton (NaN for a joint that was not
        found), in pixels of the image.
    stature_mm : float
        Stature of an athlete whose frame does not tell it.
    cap : float
        Largest error of one joint, as a share of stature.
    known : ndarray of bool, shape (K,), optional
        Joints that count: those that the model was made with. All by default; the others are left out and
        noted.
    ap : bool
        Whether to compute OKS-AP, which takes most of the time.
    unaided : float, optional
        Least score of a person whom an app keeps; no unaided error is measured without it.
    focus : str
        The phase of interest: what is looked at more closely.

    Returns
    -------
    Evaluation

    Raises
    ------
    ValueError
        If there is not one list of poses for each frame, or a pose has another number of joints.
    """
    skeleton, joints = dataset.skeleton, len(dataset.skeleton)
    if len(predictions) != len(dataset):
        raise ValueError(f"{len(predictions)} lists of poses for {len(dataset)} frames")
    known = np.ones(joints, dtype=bool) if known is None else np.asarray(known, dtype=bool)
    people = [person for frame in dataset.frames for person in frame.people]
    owner = np.repeat(np.arange(len(dataset)), [len(frame.people) for frame in dataset.frames]).astype(int)
    labels = np.array([person.keypoints for person in people], dtype=float).reshape(-1, joints, 2)
    visibility = np.array([person.visibility for person in people], dtype=np.uint8).reshape(-1, joints)
    labelled = visibility > 0
    counts = labelled & known
    predicted, confidence, found = matched(dataset, predictions)
    kept = predicted
    if unaided is not None:
        kept, _, _ = matched(dataset, best_scored(dataset, predictions, unaided))

    height = pixel_stature(labels, labelled, skeleton.limbs, athlete=athletes(dataset), seconds=times(dataset))
    measurable = np.isfinite(height)
    error, alone = (capped_errors(points, labels, counts, stature_px=height, cap=cap) for points in (predicted, kept))
    swapped = swapped_joints(predicted, labels, counts, skeleton.pairs)
    stature = np.array([frame.stature_mm or stature_mm for frame in dataset.frames], dtype=float)[owner]
    phase = np.array([frame.phase or UNLABELLED for frame in dataset.frames], dtype=str)
    tilt = trunk_tilt(np.where(labelled[..., None], labels, np.nan), skeleton)

    area = np.array([person.area for person in people], dtype=float)
    named = kinds(predicted, labels, labelled=labelled, area=area, sigmas=skeleton.sigmas, frame=owner)

    seen = np.where(counts[..., None], labels, np.nan)
    guessed = np.where(counts[..., None], predicted, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        mm_per_px = stature / height

    who, joint = np.nonzero(counts & measurable[:, None])
    cluster, few = clusters(dataset, owner[who], phase[owner[who]], focus)
    error_px = error[who, joint]
    left_out = int(np.count_nonzero(counts.any(axis=1) & ~measurable))
    return Evaluation(
        skeleton=skeleton,
        frame=owner[who],
        person=who,
        joint=joint,
        phase=phase[owner[who]],
        tilt=tilt[who],
        visibility=visibility[who, joint],
        error_mm=error_px / height[who] * stature[who],
        error_px=error_px,
        error_trunk=error_px / (TRUNK_SHARE * height[who]),
        unaided_mm=alone[who, joint] / height[who] * stature[who] * (np.nan if unaided is None else 1.0),
        missed=~found[who],
        swapped=swapped[who, joint],
        cluster=cluster,
        one_clip=len({dataset.frames[index].unit for index in owner[who].tolist()}) < 2,
        kind=named[who, joint],
        confidence=confidence[who, joint],
        predicted=guessed,
        labels=seen,
        person_phase=phase[owner],
        focus=focus,
        jitter=jitter(guessed, seen, mm_per_px, owner=owner, dataset=dataset),
        takeoff=takeoff(guessed, seen, owner, dataset),
        oks_ap=oks_ap(dataset, predictions, known) if ap else None,
        left_out=left_out,
        notes=(*notes(dataset, owner, counts=counts, measurable=measurable, labelled=labelled, known=known), *few),
    )
