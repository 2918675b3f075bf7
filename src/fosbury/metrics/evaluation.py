"""Joint errors of a model on a labelled data set, and the figures that sum them up.

Everything is kept in one long table with a row for every labelled joint, so that any grouping (phase, trunk
tilt, joint, visibility) is a mask over its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fosbury.metrics.angles import angle_errors, jitter
from fosbury.metrics.calibration import fit_temperature, reliability, temperature_scaled
from fosbury.metrics.error import capped_errors, swapped_joints
from fosbury.metrics.intervals import FEW, WIDTH, mean_intervals, share_intervals, sums_by_unit
from fosbury.metrics.match import match_boxes
from fosbury.metrics.oks import oks_ap
from fosbury.metrics.stature import TRUNK_SHARE, athletes, pixel_stature, times
from fosbury.metrics.takeoff import takeoff
from fosbury.metrics.taxonomy import GOOD, JITTER, KINDS, kinds
from fosbury.pose import (
    AREA_SHARE,
    OCCLUDED,
    PHASES,
    TILTS,
    VISIBLE,
    Dataset,
    Pose,
    body_area,
    tilt_bins,
    trunk_tilt,
)
from fosbury.skeleton import Skeleton

STATURE_MM = 1850.0
"""Stature of an athlete of whom nothing is known: about that of women and men who jump high, together."""

CAP = 0.5
"""Largest error of one joint, and the price of a missed one, as a share of stature."""

PCK = (0.05, 0.1, 0.2)
"""Thresholds of PCK in trunk lengths."""

USUAL_SCORE = 0.25
"""Least score of a person whom an app keeps: Ultralytics' default for prediction."""

UNLABELLED = "unlabelled"
EVERY = "all"
UPRIGHT = ("approach", "takeoff")


@dataclass(frozen=True)
class Figures:
    """What a group of joints comes to.

    Attributes
    ----------
    frames, joints : int
        How many frames and labelled joints the group holds.
    error_mm, error_px, error_trunk : float
        Mean capped error: in mm-equivalents, in pixels, in trunk lengths.
    pck : dict of float to float
        Share of joints within each threshold in trunk lengths.
    missed : float
        Share of labelled people whom no prediction overlaps.
    swapped : float
        Share of left/right pairs, both sides labelled, on the wrong side; NaN where the group has no such
        pair.
    error_mm_unaided : float
        Mean capped error in mm-equivalents where nobody says who the athlete is; NaN where it was not measured.
    """

    frames: int
    joints: int
    error_mm: float
    error_px: float
    error_trunk: float
    pck: dict[float, float]
    missed: float
    swapped: float
    error_mm_unaided: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON holds them: rounded, NaN as null."""
        return {
            "frames": self.frames,
            "joints": self.joints,
            "error_mm": _rounded(self.error_mm, 2),
            "error_px": _rounded(self.error_px, 3),
            "error_trunk": _rounded(self.error_trunk, 4),
            "pck": {str(threshold): _rounded(share, 4) for threshold, share in self.pck.items()},
            "missed": _rounded(self.missed, 4),
            "swapped": _rounded(self.swapped, 4),
            "error_mm_unaided": _rounded(self.error_mm_unaided, 2),
        }


def _rounded(value: float | None, digits: int) -> float | None:
    return round(float(value), digits) if value is not None and np.isfinite(value) else None


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
        1 on the wrong side, 0 not, NaN where it cannot be told.
    unit : ndarray of int, shape (N,)
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
    unit: np.ndarray
    one_clip: bool
    kind: np.ndarray
    confidence: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    person_phase: np.ndarray
    jitter: dict[str, float] | None = None
    takeoff: dict[str, float | int] | None = None
    oks_ap: float | None = None
    left_out: int = 0
    notes: tuple[str, ...] = ()

    def figures(self, rows: np.ndarray | None = None) -> Figures:
        """Sum up the rows of a mask.

        Parameters
        ----------
        rows : ndarray of bool, shape (N,), optional
            All rows by default.
        """
        rows = np.ones(len(self.joint), dtype=bool) if rows is None else rows
        people = _distinct(self.person[rows])
        swap = self.swapped[rows]
        trunk = self.error_trunk[rows]
        return Figures(
            frames=_distinct(self.frame[rows]),
            joints=int(np.count_nonzero(rows)),
            error_mm=_mean(self.error_mm[rows]),
            error_px=_mean(self.error_px[rows]),
            error_trunk=_mean(trunk),
            pck={threshold: _mean(trunk <= threshold) for threshold in PCK},
            missed=_distinct(self.person[rows & self.missed]) / people if people else np.nan,
            swapped=_mean(swap[np.isfinite(swap)]),
            error_mm_unaided=_mean(self.unaided_mm[rows]),
        )

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

    def by_phase(self) -> dict[str, Figures]:
        """Figures of each phase, in the order of a jump, ``unlabelled`` last."""
        return {label: self.figures(rows) for label, rows in self.groups()["by_phase"].items()}

    def by_tilt(self) -> dict[str, Figures]:
        """Figures of each 30 degrees of trunk tilt."""
        return {label: self.figures(rows) for label, rows in self.groups()["by_tilt"].items()}

    def by_joint(self) -> dict[str, Figures]:
        """Figures of each joint, in the skeleton's order."""
        return {label: self.figures(rows) for label, rows in self.groups()["by_joint"].items()}

    def by_visibility(self) -> dict[str, Figures]:
        """Figures of visible and of occluded joints."""
        return {label: self.figures(rows) for label, rows in self.groups()["by_visibility"].items()}

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
        told = rows & np.isfinite(self.confidence)
        return self.confidence[told], np.isin(self.kind[told], (GOOD, JITTER))

    def reliability(self, rows: np.ndarray) -> dict[str, Any]:
        """How the confidence in the joints of a mask that were found compares with the share of them that is right.

        A joint is right when it is ``good`` or ``jitter``: a keypoint similarity of 0.5 or more.
        """
        confidence, right = self.judged(rows)
        found = reliability(confidence, right)
        bins = zip(found.count.tolist(), found.confidence.tolist(), found.right.tolist(), strict=True)
        return {
            "ece": _rounded(found.error, 4),
            "joints": len(right),
            "bins": [
                {"joints": count, "confidence": _rounded(sure, 4), "right": _rounded(right, 4)}
                for count, sure, right in bins
            ],
        }

    def intervals(self, masks: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        """95 % intervals of the figures of several groups of rows, over units.

        Parameters
        ----------
        masks : sequence of ndarray of bool, shape (N,)

        Returns
        -------
        list of dict
            For each mask ``error_mm``, ``pck`` (by threshold), ``missed``, ``swapped``, ``error_mm_unaided``: low and
            high end, or None where fewer than two units tell; ``units`` is how many there are.
        """
        rows = np.array(masks, dtype=bool).reshape(len(masks), len(self.joint)).T
        people = np.zeros_like(rows)
        for column, mask in enumerate(rows.T):
            people[np.flatnonzero(mask)[np.unique(self.person[mask], return_index=True)[1]], column] = True
        near = [(self.error_trunk <= threshold).astype(float) for threshold in PCK]
        means = [(self.error_mm, rows), (self.unaided_mm, rows)]
        shares = [*((each, rows) for each in near), (self.missed.astype(float), people), (self.swapped, rows)]
        ends = []
        for parts, ends_of in ((means, mean_intervals), (shares, share_intervals)):
            sums, counts = zip(*(sums_by_unit(self.unit, values, counted) for values, counted in parts), strict=True)
            ends.append(ends_of(np.hstack(sums), np.hstack(counts)).reshape(len(parts), len(masks), 2).swapaxes(0, 1))
        units = np.count_nonzero(sums_by_unit(self.unit, self.error_mm, rows)[1], axis=0)
        return [
            {
                "units": int(unit),
                "error_mm": _ends(error, 2),
                "pck": {str(each): _ends(share[place], 4) for place, each in enumerate(PCK)},
                "missed": _ends(share[-2], 4),
                "swapped": _ends(share[-1], 4),
                "error_mm_unaided": _ends(unaided, 2),
            }
            for unit, (error, unaided), share in zip(units, *ends, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return what ``fosbury evaluate --json`` writes."""
        groups = self.groups()
        everything = np.ones(len(self.joint), dtype=bool)
        ends = iter(self.intervals([everything, *(rows for part in groups.values() for rows in part.values())]))
        return {
            **self.figures().to_json(),
            "ci": next(ends),
            "oks_ap": _rounded(self.oks_ap, 4),
            "left_out": self.left_out,
            "notes": list(self.notes),
            "kinds": {EVERY: self.kinds(everything), **{n: self.kinds(rows) for n, rows in groups["by_phase"].items()}},
            "angles": {
                EVERY: self.angles(),
                **{phase: self.angles(phase) for phase in groups["by_phase"] if phase == "arch"},
            },
            "jitter": self.jitter and {name: round(value, 2) for name, value in self.jitter.items()},
            "takeoff": self.takeoff and {name: round(value, 4) for name, value in self.takeoff.items()},
            "calibration": {
                EVERY: self.reliability(everything),
                **{name: self.reliability(rows) for name, rows in groups["by_phase"].items() if name == "arch"},
            },
            **{
                part: {name: {**self.figures(rows).to_json(), "ci": next(ends)} for name, rows in masks.items()}
                for part, masks in groups.items()
            },
        }


def _ends(ends: np.ndarray, digits: int) -> list[float] | None:
    return [round(float(end), digits) for end in ends] if np.isfinite(ends).all() else None


def _distinct(values: np.ndarray) -> int:
    return int(np.count_nonzero(np.bincount(values))) if values.size else 0


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else np.nan


def evaluate(
    dataset: Dataset,
    predictions: Sequence[Sequence[Pose]],
    stature_mm: float = STATURE_MM,
    cap: float = CAP,
    known: np.ndarray | None = None,
    ap: bool = True,
    unaided: float | None = None,
) -> Evaluation:
    """Measure predictions against labels.

    Every labelled person is measured against the prediction whose box fits best (one to one, never by
    joints, and by an IoU of at least ``match.MATCH_IOU``); a person whom no prediction fits is missed and charged
    ``cap`` for every joint, as is a joint that the prediction lacks. So all figures are *given the athlete*: the
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
    predicted, confidence, found = _matched(dataset, predictions)
    kept = predicted
    if unaided is not None:
        kept, _, _ = _matched(dataset, best_scored(dataset, predictions, unaided))

    height = pixel_stature(labels, labelled, skeleton.limbs, athlete=athletes(dataset), seconds=times(dataset))
    measurable = np.isfinite(height)
    error, alone = (capped_errors(points, labels, counts, height, cap) for points in (predicted, kept))
    swapped = swapped_joints(predicted, labels, counts, skeleton.pairs)
    stature = np.array([frame.stature_mm or stature_mm for frame in dataset.frames], dtype=float)[owner]
    phase = np.array([frame.phase or UNLABELLED for frame in dataset.frames], dtype=str)
    tilt = trunk_tilt(np.where(labelled[..., None], labels, np.nan), skeleton)

    area = np.array([person.area for person in people], dtype=float)
    named = kinds(predicted, labels, labelled, area, skeleton.sigmas, owner)

    seen = np.where(counts[..., None], labels, np.nan)
    guessed = np.where(counts[..., None], predicted, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        mm_per_px = stature / height

    who, joint = np.nonzero(counts & measurable[:, None])
    unit, told = _units(dataset, owner[who], phase[owner[who]] == "arch")
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
        unit=unit,
        one_clip=len({dataset.frames[index].unit for index in owner[who].tolist()}) < 2,
        kind=named[who, joint],
        confidence=confidence[who, joint],
        predicted=guessed,
        labels=seen,
        person_phase=phase[owner],
        jitter=jitter(guessed, seen, mm_per_px, owner, dataset),
        takeoff=takeoff(guessed, seen, owner, dataset),
        oks_ap=oks_ap(dataset, predictions, known) if ap else None,
        left_out=left_out,
        notes=(*_notes(dataset, owner, counts, measurable, labelled, known), *told),
    )


def unaided_score(boxes: str | None) -> float | None:
    """Least score of a person whom an app keeps, by where the model looks (``models.boxes.SOURCES``; None: everywhere).

    None for ``labels``: a model that was shown the labelled boxes was told who the athlete is. A search gives the one
    person it is surest of, whatever the score.
    """
    if boxes is None:
        return USUAL_SCORE
    return None if boxes == "labels" else 0.0


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


def _units(dataset: Dataset, frame: np.ndarray, arch: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Number of the unit of each row, and what is to be said of an interval over these."""
    if not len(frame):
        return np.zeros(0, dtype=int), []
    names, unit = np.unique([dataset.frames[index].unit for index in frame.tolist()], return_inverse=True)
    if len(names) == 1:
        frames, unit = np.unique(frame, return_inverse=True)
        said = "they say nothing of another clip, and are too narrow where frames follow each other"
        return unit, [f"intervals are over the {len(frames)} frames of one clip: {said}"] if len(frames) > 1 else []
    for count, where in ((len(names), ""), (len(np.unique(unit[arch])), " of the arch")):
        if 0 < count < FEW:
            return unit, [f"intervals{where} are over {count} clips, which are few: {WIDTH}"]
    return unit, []


def _matched(dataset: Dataset, predictions: Sequence[Sequence[Pose]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted joints (P, K, 2) of every labelled person and their confidence (P, K), NaN where missed; mask (P,) of
    the people found."""
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


def _notes(
    dataset: Dataset,
    owner: np.ndarray,
    counts: np.ndarray,
    measurable: np.ndarray,
    labelled: np.ndarray,
    known: np.ndarray,
) -> tuple[str, ...]:
    notes = []
    lost = np.flatnonzero(counts.any(axis=1) & ~measurable)
    if lost.size:
        names = [dataset.frames[index].file_name for index in sorted(set(owner[lost].tolist()))]
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        people = "person has" if lost.size == 1 else "people have"
        notes.append(f"{lost.size} {people} no labelled limb to judge the stature by and were left out: {shown}")
    unknown = np.flatnonzero(labelled.any(axis=0) & ~known)
    if unknown.size:
        names = [dataset.skeleton.joints[index] for index in unknown]
        notes.append(f"labelled joints that were not measured, because a model has none such: {', '.join(names)}")
    labels = [person for frame in dataset.frames for person in frame.people]
    boxed = sum(abs(person.area - body_area(person.box)) < 0.01 + 1e-3 * person.area for person in labels)
    if boxed:
        said = "labelled people's area is taken as"
        notes.append(
            f"OKS: {boxed} of {len(labels)} {said} {AREA_SHARE} of the box, since their labels give no outline"
        )
    return tuple(notes)


def upright_figures(evaluation: Evaluation) -> Figures:
    """Figures of the frames in which the athlete is upright: approach and take-off together."""
    return evaluation.figures(np.isin(evaluation.phase, UPRIGHT))


def headline(baseline: Evaluation, tuned: Evaluation) -> dict[str, float | int]:
    """ModelMetadata ten numbers that say what fine-tuning gained; a number that has no frames is left out.

    Parameters
    ----------
    baseline, tuned : Evaluation
        Before and after, on the same joints of the same frames.

    Returns
    -------
    dict
        Flat, for ``metrics/summary.json``.

    Raises
    ------
    ValueError
        If the two were not measured on the same joints.
    """
    if not (np.array_equal(baseline.frame, tuned.frame) and np.array_equal(baseline.joint, tuned.joint)):
        raise ValueError("the two evaluations were not measured on the same joints of the same frames")
    before, after = (evaluation.figures(evaluation.phase == "arch") for evaluation in (baseline, tuned))
    upright_before, upright_after = upright_figures(baseline), upright_figures(tuned)
    numbers = {
        "arch_error_mm": _rounded(after.error_mm, 2),
        **_arch_ends(tuned, "arch_error_mm"),
        "arch_error_mm_baseline": _rounded(before.error_mm, 2),
        **_arch_ends(baseline, "arch_error_mm_baseline"),
        "arch_error_mm_unaided": _rounded(after.error_mm_unaided, 2),
        **_arch_ends(tuned, "arch_error_mm_unaided", "error_mm_unaided"),
        "arch_error_mm_unaided_baseline": _rounded(before.error_mm_unaided, 2),
        **_arch_ends(baseline, "arch_error_mm_unaided_baseline", "error_mm_unaided"),
        "arch_pck10": _rounded(after.pck[0.1], 4),
        "arch_pck10_baseline": _rounded(before.pck[0.1], 4),
        "arch_missed": _rounded(after.missed, 4),
        "arch_missed_baseline": _rounded(before.missed, 4),
        "arch_swap": _rounded(after.swapped, 4),
        "arch_swap_baseline": _rounded(before.swapped, 4),
        "upright_error_mm": _rounded(upright_after.error_mm, 2),
        "upright_error_mm_baseline": _rounded(upright_before.error_mm, 2),
        "oks_ap": _rounded(tuned.oks_ap, 4),
        "oks_ap_baseline": _rounded(baseline.oks_ap, 4),
        "arch_frames": after.frames,
        "test_frames": tuned.figures().frames,
    }
    return {name: number for name, number in numbers.items() if number is not None}


def calibration(val: Evaluation, test: Evaluation) -> dict[str, float | int]:
    """The temperature that makes a model's confidence honest, fitted on ``val``, and what it does on ``test``.

    Parameters
    ----------
    val, test : Evaluation
        Of the same model.

    Returns
    -------
    dict
        For ``metrics/calibration.json``: ``temperature``, by which to divide the logit of a joint's confidence;
        expected calibration errors with and without it, of all frames and of the arch. What has no frames is left out.
    """
    everything = np.ones(len(val.joint), dtype=bool)
    fitted_on = val.judged(everything)
    if not len(fitted_on[0]):
        return {"val_joints": 0}
    temperature = fit_temperature(*fitted_on)
    numbers = {"temperature": _rounded(temperature, 3), "val_joints": len(fitted_on[0])}
    for name, rows in (("", np.ones(len(test.joint), dtype=bool)), ("arch_", test.phase == "arch")):
        confidence, right = test.judged(rows)
        numbers[f"{name}ece"] = _rounded(reliability(confidence, right).error, 4)
        numbers[f"{name}ece_cooled"] = _rounded(
            reliability(temperature_scaled(confidence, temperature), right).error, 4
        )
    return {name: number for name, number in numbers.items() if number is not None}


def _arch_ends(evaluation: Evaluation, name: str, figure: str = "error_mm") -> dict[str, float | None]:
    low, high = evaluation.intervals([evaluation.phase == "arch"])[0][figure] or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def exported_headline(exported: Evaluation, suffix: str) -> dict[str, float | int]:
    """The arch and upright figures of an exported file, each name ending in ``_<suffix>``.

    Parameters
    ----------
    exported : Evaluation
    suffix : str
        Format of the file, as ``onnx``.

    Returns
    -------
    dict
        Flat, for ``metrics/export.json``; a number that has no frames is left out.
    """
    arch = exported.figures(exported.phase == "arch")
    numbers = {
        "arch_error_mm": _rounded(arch.error_mm, 2),
        **_arch_ends(exported, "arch_error_mm"),
        "arch_error_mm_unaided": _rounded(arch.error_mm_unaided, 2),
        **_arch_ends(exported, "arch_error_mm_unaided", "error_mm_unaided"),
        "arch_pck10": _rounded(arch.pck[0.1], 4),
        "arch_missed": _rounded(arch.missed, 4),
        "arch_swap": _rounded(arch.swapped, 4),
        "upright_error_mm": _rounded(upright_figures(exported).error_mm, 2),
        "oks_ap": _rounded(exported.oks_ap, 4),
    }
    return {f"{name}_{suffix}": number for name, number in numbers.items() if number is not None}
