"""The vote: a person is looked at in many turned views, and the pose counts that most of them agree on.

A network trained on upright people sees an athlete in the arch rightly from some sides and wrongly from others, and its
confidence does not tell which. What is right is seen alike from many sides, what is wrong differently from each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from fosbury.inference.joints import poses_in
from fosbury.inference.protocol import PoseModel
from fosbury.inference.refine import PEOPLE, Refiner, View, steady_angle, steady_box, unseen
from fosbury.inference.registry import load_model
from fosbury.inference.rotated_crop import RotatedCrop, lean
from fosbury.metrics.match import box_iou
from fosbury.pose import Pose
from fosbury.refinement import Refinement, VoteSettings
from fosbury.skeleton import Skeleton

MODE = 0.5
"""Bandwidth of the weights around the mode, in that of the agreement: the mean is of what is near."""

REACH = 1.5
"""Distance from the mode, in bandwidths, from which on a candidate has no part in the mean."""

STRICT = 0.4
"""Bandwidth by which a vote for a joint counts as one, in that of the agreement: who is sure of a joint is near."""

SHARPEST = 2
"""Largest side of a view, in longer sides of the model's input: the model would scale down what is larger."""

AT_ONCE = 256
"""Views in one call of the model."""

CALIBRATION = (
    *((0.569, 109.8), (0.683, 109.8), (0.747, 109.8), (0.792, 133.8)),
    *((0.828, 146.0), (0.862, 167.3), (0.892, 211.8), (0.934, 286.7)),
)
"""Dissent, and the mean error in mm-equivalents of joints with it, as ``bench/vote.py`` printed it: docs/vote.md."""


@dataclass(frozen=True, eq=False)
class Ballot:
    """What the views of one person showed.

    Attributes
    ----------
    box : ndarray, shape (4,)
        The person's: x1, y1, x2, y2 in pixels.
    candidates : tuple of Pose
        In the pixels of the picture, one for each look that found the person.
    skeleton : Skeleton
        Of the candidates.
    """

    box: np.ndarray
    candidates: tuple[Pose, ...]
    skeleton: Skeleton

    @property
    def side(self) -> float:
        """Longer side of the box in pixels."""
        return max(float((self.box[2:] - self.box[:2]).max()), 1.0)

    @property
    def keypoints(self) -> np.ndarray:
        """Joints of the candidates, shape (N, K, 2)."""
        return np.array([pose.keypoints for pose in self.candidates])

    @property
    def body(self) -> np.ndarray:
        """Those at the ends of limbs, so that a face or a hand of many points counts no more than it is large."""
        ends = sorted({end for limb in self.skeleton.limbs for end in (limb.start, limb.end)})
        return self.keypoints[:, ends] if ends else self.keypoints

    def distances(self) -> np.ndarray:
        """Mean distance of the joints of every two candidates, shape (N, N), in longer sides of the box."""
        points = self.body
        points = points[:, np.isfinite(points).all(axis=(0, 2))]
        if not points.size:
            return np.zeros((len(points), len(points)))
        return np.linalg.norm(points[:, None] - points[None], axis=-1).mean(axis=-1) / self.side

    def overlaps(self) -> np.ndarray:
        """Overlap (IoU) of the box of each candidate's joints with the person's box, shape (N,)."""
        points = self.body
        boxes = np.concatenate([np.fmin.reduce(points, axis=1), np.fmax.reduce(points, axis=1)], axis=1)
        return box_iou(boxes, self.box[None])[:, 0]


def weights(ballot: Ballot, bandwidth: float) -> np.ndarray:
    """Weigh the candidates: those around the one that most others agree with.

    A candidate's score is the sum over all of ``exp(-distance / bandwidth)``, times the overlap of its joints' box with
    the person's.

    Parameters
    ----------
    ballot : Ballot
        With at least one candidate.
    bandwidth : float
        In longer sides of the box.

    Returns
    -------
    ndarray, shape (N,)
        Not negative, and 1 in sum.
    """
    distances, overlaps = ballot.distances(), ballot.overlaps()
    agreement = np.exp(-distances / bandwidth).sum(axis=1)
    mode = int(np.argmax(agreement * overlaps if overlaps.any() else agreement))
    near = np.exp(-distances[mode] / (MODE * bandwidth)) * (distances[mode] < REACH * bandwidth)
    return near / near.sum()


def elect(ballot: Ballot, bandwidth: float) -> Pose:
    """Take the weighted mean of the candidates.

    Parameters
    ----------
    ballot : Ballot
        With at least one candidate.
    bandwidth : float
        In longer sides of the box.

    Returns
    -------
    Pose
        With the ballot's box; joints, confidence and score are means, and doubt is what the dissent lets expect.
    """
    weight, points = weights(ballot, bandwidth), ballot.keypoints
    there = np.isfinite(points).all(axis=-1) * weight[:, None]
    total, count = np.einsum("nk,nkd->kd", there, np.nan_to_num(points)), there.sum(axis=0)[:, None]
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    confidence = weight @ np.array([pose.confidence for pose in ballot.candidates])
    score = float(weight @ np.array([pose.score for pose in ballot.candidates]))
    return Pose(mean, confidence, ballot.box, score, expected_error(dissent(ballot, mean, STRICT * bandwidth)))


def dissent(ballot: Ballot, keypoints: np.ndarray, bandwidth: float) -> np.ndarray:
    """Share of the votes that are elsewhere, for each joint.

    Parameters
    ----------
    ballot : Ballot
    keypoints : ndarray, shape (K, 2)
        Where the joints are said to be.
    bandwidth : float
        Distance in longer sides of the box at which a vote counts 1/e.

    Returns
    -------
    ndarray, shape (K,)
        In [0, 1]. A candidate's vote weighs as much as its joints' box overlaps the person's. NaN for a joint that is
        not there.
    """
    overlaps = ballot.overlaps()
    voice = overlaps / overlaps.sum() if overlaps.any() else np.full(len(overlaps), 1 / len(overlaps))
    near = np.exp(-np.linalg.norm(ballot.keypoints - keypoints, axis=-1) / (bandwidth * ballot.side))
    there = np.isfinite(near) * voice[:, None]
    total, count = (there * np.nan_to_num(near)).sum(axis=0), there.sum(axis=0)
    return 1 - np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


def expected_error(dissent: np.ndarray) -> np.ndarray:
    """Error in mm-equivalents to be expected of joints with such a dissent: interpolated in `CALIBRATION`."""
    share, error = np.array(CALIBRATION).T
    return np.interp(dissent, share, error)


@dataclass(eq=False)
class _Person:
    """Somebody who is looked at, and what each angle (degrees) showed."""

    picture: np.ndarray
    box: np.ndarray
    seen: dict[float, Pose | None] = field(default_factory=dict)

    def ballot(self, skeleton: Skeleton) -> Ballot:
        return Ballot(self.box, tuple(pose for pose in self.seen.values() if pose is not None), skeleton)


class Vote(Refiner):
    """Answers with the pose that most turned views of a person agree on.

    Each person is looked at in `VoteSettings.views` squares, turned evenly around the circle. Each is followed by
    ``rounds`` looks that set the trunk which the one before found upright. All poses found are candidates. No angle is
    looked at twice, however many views lead to it: a look that is counted twice agrees with itself.

    Parameters
    ----------
    model : PoseModel
    margin : float
        Side of a square, in longer sides of the person's box.
    settings : VoteSettings
    also : sequence of PoseModel
        Others whose views vote with the model's, joints by name: networks that were trained otherwise err otherwise.

    Attributes
    ----------
    finder : PoseModel
        What searches a picture for the box of a person, where somebody has to: a search by votes would take thousands
        of looks.

    Notes
    -----
    Squares are laid as `refine.steady_crop` lays them, so that networks which are equal but for rounding are shown the
    same. With a skeleton that has no trunk nothing follows a view.
    """

    def __init__(
        self, model: PoseModel, margin: float, settings: VoteSettings | None = None, also: Sequence[PoseModel] = ()
    ):
        super().__init__(model, margin)
        self.settings, self.finder = settings or VoteSettings(), model
        self.others = [Vote(other, margin, settings) for other in also]

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``.

        Who, where and in which order is the first look's answer, or that of the boxes given. Joints, confidence and
        doubt are the vote's; so is the score where boxes are given.
        """
        answers = self.first_look(images, None) if boxes is None else unseen(boxes, len(self.skeleton))
        limit = PEOPLE if boxes is None else None
        places = [(index, person) for index, poses in enumerate(answers) for person in range(len(poses[:limit]))]
        ballots = self.ballots([(images[index], answers[index][person].box) for index, person in places])
        for (index, person), ballot in zip(places, ballots, strict=True):
            if ballot.candidates:
                pose = elect(ballot, self.settings.bandwidth)
                first = answers[index][person]
                answers[index][person] = replace(pose, score=first.score if boxes is None else pose.score)
        return [[pose for pose in poses if np.isfinite(pose.keypoints).any()] for poses in answers]

    def ballots(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Ballot]:
        """Look at people in all views, or in two where these agree and the settings let that do.

        Parameters
        ----------
        people : sequence of (ndarray of uint8, ndarray)
            The picture of each person, and the box x1, y1, x2, y2 in it.
        """
        voters = [_Person(picture, np.asarray(box, dtype=float)) for picture, box in people]
        angles = [_degrees(2 * np.pi * view / self.settings.views) for view in range(self.settings.views)]
        unsure = voters
        if self.settings.cheap is not None:
            self._look([(person, angle) for person in voters for angle in angles[:2]])
            unsure = [person for person in voters if not self._apart(person) <= self.settings.cheap]
        self._follow(unsure, angles)
        found = [person.ballot(self.skeleton) for person in voters]
        for other in self.others:
            before = other.passes
            found = [_joined(*both) for both in zip(found, other.ballots(people), strict=True)]
            self.passes += other.passes - before
        return found

    def _follow(self, people: Sequence[_Person], angles: Sequence[float]) -> None:
        """Look at each person by each angle, and by those that follow from what is seen."""
        at = [list(angles) for _ in people]
        for rounds_left in reversed(range(self.settings.rounds + 1 if all(self.skeleton.trunk) else 1)):
            self._look([(person, angle) for person, now in zip(people, at, strict=True) for angle in now])
            if rounds_left:
                at = [[self._next(person, angle) for angle in now] for person, now in zip(people, at, strict=True)]

    def _next(self, person: _Person, angle: float) -> float:
        """Angle that sets the trunk seen by an angle upright; the same where nobody was seen."""
        pose = person.seen[angle]
        return angle if pose is None else _degrees(steady_angle(lean(pose.keypoints, self.skeleton)))

    def _apart(self, person: _Person) -> float:
        """Distance of the first two views, in longer sides of the box; NaN where one of them saw nobody."""
        ballot = person.ballot(self.skeleton)
        return float(ballot.distances().max()) if len(ballot.candidates) == len(person.seen) else np.nan

    def _look(self, wanted: Sequence[tuple[_Person, float]]) -> None:
        """Look at people by angles by which they have not been seen."""
        new = list(
            {(id(person), angle): (person, angle) for person, angle in wanted if angle not in person.seen}.values()
        )
        for start in range(0, len(new), AT_ONCE):
            part = new[start : start + AT_ONCE]
            for (person, angle), pose in zip(part, self.look([self._view(*each) for each in part]), strict=True):
                person.seen[angle] = pose

    def _view(self, person: _Person, angle: float) -> View:
        largest = SHARPEST * max(self.input_size)
        around = steady_box(person.box)
        square = RotatedCrop.around(around, self.margin, np.radians(angle), largest=largest)
        if not self.needs_boxes:
            return View(person.picture, square, square.box(person.box))
        # As large in every view: the box around a turned box would be larger in some.
        half = square.scale * (around[2:] - around[:2]) / 2
        middle = square.points((around[:2] + around[2:]) / 2)
        return View(person.picture, square, np.concatenate([middle - half, middle + half]))


def _joined(ballot: Ballot, other: Ballot) -> Ballot:
    """Put two ballots on one person together, in the joints of the first."""
    theirs = poses_in(other.candidates, other.skeleton, ballot.skeleton)
    return replace(ballot, candidates=(*ballot.candidates, *theirs))


def _degrees(angle: float) -> float:
    """Degrees in [0, 360) of an angle in radians, the same for all that differ by rounding."""
    return float(np.round(np.degrees(angle), 3) % 360)


def refined(model: PoseModel, refinement: Refinement) -> Vote:
    """Wrap a model as the setting ``vote`` says."""
    return Vote(model, refinement.margin, refinement.vote, [load_model(path) for path in refinement.also])
