"""A teacher looks at training frames in turned views, and its vote judges their labels or takes their place."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fosbury.dataset.relabel import ADDED, DOUBTED, KEPT, REPAIRED, Judged, Voted, judge, trust_of
from fosbury.errors import BadInput
from fosbury.files import draft
from fosbury.inference.registry import kind_of, load_model
from fosbury.inference.vote import Vote, elect
from fosbury.media.files import sha256_of
from fosbury.media.image import read_image
from fosbury.model_kinds import KINDS
from fosbury.pose import Dataset, Frame, Person
from fosbury.progress import progress
from fosbury.skeleton import Skeleton
from fosbury.teaching import Rules, Teaching

SAVED = 100
"""People between two writes of what the teacher said: so many are asked about again after a kill."""

WORDS = {KEPT: "labels_kept", DOUBTED: "labels_weighted_down", REPAIRED: "labels_repaired", ADDED: "joints_added"}
VOTED = ("frames_labelled_by_vote", "frames_left_out")


@dataclass(frozen=True, eq=False)
class Answers:
    """What a teacher said.

    Attributes
    ----------
    settings : str
        Digest of what decides an answer beside picture and box.
    joints : tuple of str
        The teacher's.
    of : dict of str to (ndarray, ndarray)
        By person, see `names_of`: keypoints, shape (K, 2), and the expected error of each in mm-equivalents; NaN where
        nothing was seen.
    """

    settings: str
    joints: tuple[str, ...]
    of: dict[str, tuple[np.ndarray, np.ndarray]]

    @classmethod
    def read(cls, path: Path) -> Answers:
        """Read a file of answers.

        Raises
        ------
        BadInput
            If it is none, or a kill left it.
        """
        try:
            with np.load(path, allow_pickle=False) as kept:
                rows = zip(kept["people"].tolist(), kept["keypoints"], kept["doubt"], strict=True)
                of = {who: (points, doubt) for who, points, doubt in rows}
                return cls(str(kept["settings"]), tuple(kept["joints"].tolist()), of)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput(path, "is no file of a teacher's answers", "run `dvc repro teacher` again") from error

    def write(self, path: Path, people: Sequence[str]) -> None:
        """Write the answers about these people, as far as they are there."""
        there = [who for who in people if who in self.of]
        points = np.array([self.of[who][0] for who in there], dtype=np.float32)
        doubt = np.array([self.of[who][1] for who in there], dtype=np.float32)
        with draft(path) as unfinished:
            np.savez(
                unfinished,
                settings=self.settings,
                joints=np.array(self.joints, dtype=str),
                people=np.array(there, dtype=str),
                keypoints=points.reshape(len(there), len(self.joints), 2),
                doubt=doubt.reshape(len(there), len(self.joints)),
            )

    def about(self, who: str, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints and expected errors of a person in a skeleton's joints; NaN for what the teacher does not know."""
        points, doubt = np.full((len(skeleton), 2), np.nan), np.full(len(skeleton), np.nan)
        if who in self.of:
            place = skeleton.match(self.joints)
            known = place >= 0
            points[known], doubt[known] = (part[place[known]] for part in self.of[who])
        return points, doubt


def names_of(frame: Frame, root: Path) -> list[str]:
    """Name each person of a frame by picture and box."""
    if not frame.people:
        return []
    picture = sha256_of(root / frame.file_name)
    return [f"{picture[:32]} {' '.join(f'{edge:.2f}' for edge in person.box)}" for person in frame.people]


def ask(teacher: Vote, dataset: Dataset, root: Path, *, out: Path, settings: str) -> None:
    """Have a teacher vote on every person with a box.

    Parameters
    ----------
    teacher : Vote
    dataset : Dataset
        File names are relative to ``root``.
    root : Path
    out : Path
        The file of answers. Those in it of the same settings count, so that a run goes on after a kill, and nobody is
        asked about twice.
    settings : str
        See `settings_key`.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    answers = Answers(settings, tuple(teacher.skeleton.joints), {})
    try:
        kept = Answers.read(out)
    except BadInput:  # there is none yet, or it is damaged
        kept = answers
    if (kept.settings, kept.joints) == (answers.settings, answers.joints):
        answers = kept
    names = [names_of(frame, root) for frame in dataset.frames]
    everybody = [who for of_frame in names for who in of_frame]
    unsaved = 0
    for frame, of_frame in progress(list(zip(dataset.frames, names, strict=True)), "teacher", "frame"):
        new = [(who, person) for who, person in zip(of_frame, frame.people, strict=True) if who not in answers.of]
        if not new:
            continue
        picture = read_image(root / frame.file_name)
        ballots = teacher.ballots([(picture, person.box) for _, person in new])
        for (who, _), ballot in zip(new, ballots, strict=True):
            pose = elect(ballot, teacher.settings.bandwidth) if ballot.candidates else None
            nothing = np.full(len(answers.joints), np.nan)
            doubt = nothing if pose is None or pose.doubt is None else pose.doubt
            answers.of[who] = (np.stack([nothing, nothing], axis=-1) if pose is None else pose.keypoints, doubt)
        unsaved += len(new)
        if unsaved >= SAVED:
            answers.write(out, everybody)
            unsaved = 0
    answers.write(out, everybody)


def settings_key(settings: Teaching, code: Path) -> str:
    """Digest of what decides a teacher's answers beside picture and box.

    Parameters
    ----------
    settings : Teaching
    code : Path
        What stage ``code`` wrote about the stage: the vote's code counts, and that of the teacher's kind of file.
    """
    weights = Path(settings.weights)
    kind = KINDS[kind_of(weights)].module.removeprefix("fosbury.").replace(".", "/")
    lines = code.read_text(encoding="utf-8").splitlines() if code.is_file() else []
    lines = [line for line in lines if "  inference/" in line or line.endswith(f"  {kind}.py")]
    parts = [sha256_of(weights), settings.vote.model_dump(), settings.margin, lines]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def ask_teacher(train: Dataset, root: Path, settings: Teaching, *, out: Path, code: Path) -> None:
    """Write what the configured teacher says of training frames; without a teacher an empty file.

    Parameters
    ----------
    train : Dataset
        File names are relative to ``root``.
    root : Path
    settings : Teaching
    out : Path
        See `ask`.
    code : Path
        See `settings_key`.

    Raises
    ------
    BadInput
        If the teacher or a picture cannot be read, or no joint of the teacher is in the skeleton.
    """
    if settings.how == "none":
        Answers("", (), {}).write(out, ())
        return
    weights = Path(settings.weights)
    teacher = Vote(load_model(weights, train.skeleton), settings.margin, settings.vote)
    if not (train.skeleton.match(teacher.skeleton.joints) >= 0).any():
        raise BadInput(weights, "has no joint of the skeleton", "choose another teacher or skeleton")
    ask(teacher, train, root, out=out, settings=settings_key(settings, code))


@dataclass(frozen=True, eq=False)
class Taught:
    """Training frames after a teacher has looked.

    Attributes
    ----------
    dataset : Dataset
        The same frames.
    counts : dict of str to int
    changed : tuple of (Frame, Person, Judged)
        Labelled people with a joint repaired or sides swapped: the frame, the label as it was, what became of it.
    """

    dataset: Dataset
    counts: dict[str, int]
    changed: tuple[tuple[Frame, Person, Judged], ...] = ()

    @property
    def summary(self) -> str:
        """One line about what was done."""
        counts = self.counts
        if "labels_repaired" not in counts:
            return "no teacher: the labels are as they were"
        return (
            f"{len(self.changed)} of {counts['people']} people changed: {counts['labels_repaired']} labels repaired "
            f"(ringed), {counts['sides_swapped']} limb pairs swapped. Label to the left, after the vote to the right."
        )


def teach(train: Dataset, root: Path, settings: Teaching, answers: Path) -> Taught:
    """Judge every person by a teacher's answers.

    Parameters
    ----------
    train : Dataset
        File names are relative to ``root``.
    root : Path
    settings : Teaching
        Without a teacher nothing changes.
    answers : Path
        As `ask_teacher` wrote them.

    Raises
    ------
    BadInput
        If the answers cannot be read.
    """
    if settings.how == "none":
        people = [person for frame in train.frames for person in frame.people]
        labels = sum(int(person.labelled.sum()) for person in people)
        return Taught(train, {"frames": len(train), "people": len(people), "labels_kept": labels})
    said, rules, skeleton = Answers.read(answers), settings.rules, train.skeleton
    counts = dict.fromkeys(("frames", "people", *WORDS.values(), "sides_swapped", *VOTED), 0)
    frames, changed = [], []
    for frame in train.frames:
        judged = [
            judge(person, _voted(said, who, skeleton, rules), frame, skeleton=skeleton, rules=rules)
            for who, person in zip(names_of(frame, root), frame.people, strict=True)
        ]
        for before, after in zip(frame.people, judged, strict=True):
            for verdict, name in WORDS.items():
                counts[name] += int((after.verdicts == verdict).sum())
            counts["sides_swapped"] += after.swapped
            if after.swapped or (after.verdicts == REPAIRED).any():
                changed.append((frame, before, after))
        taught = replace(frame, people=tuple(each.person for each in judged))
        counts["frames"] += 1
        counts["people"] += len(judged)
        if not (rules.labels and any(person.labelled.any() for person in frame.people)):
            by_vote = any(person.labelled.any() for person in taught.people)
            counts[VOTED[0] if by_vote else VOTED[1]] += 1
        frames.append(taught)
    return Taught(replace(train, frames=tuple(frames)), counts, tuple(changed))


def _voted(answers: Answers, who: str, skeleton: Skeleton, rules: Rules) -> Voted:
    keypoints, doubt = answers.about(who, skeleton)
    return Voted(keypoints, trust_of(doubt, rules))
