"""Pre-labels: what a model says of pictures, made steady over clips, for a labelling tool to begin with.

Every joint of everybody is there and visible, so that a person can take hold of it. The doubtful ones have a weight
below `DOUBT`, by the rules of ``teaching.Rules`` an expected error of more than 180 mm, and formats mark them.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fosbury.dataset.relabel import trust_of
from fosbury.errors import BadInput
from fosbury.files import DRAFT, put_folder, work_folder
from fosbury.formats.cvat.writing import DOUBT, write_cvat_labels
from fosbury.formats.registry import label_format
from fosbury.inference.answers import Answers, Asked
from fosbury.inference.boxes import MARGIN
from fosbury.inference.joints import poses_in
from fosbury.labelling.asking import FOUND, Asker, Seen
from fosbury.labelling.pictures import Picture, gather
from fosbury.metrics.match import box_iou
from fosbury.pose import VISIBLE, Dataset, Frame, Person, Pose, body_area
from fosbury.progress import progress
from fosbury.skeleton import Skeleton
from fosbury.teaching import Rules
from fosbury.video.tracks import Track, between, follow, repair_sides, smooth

TOOLS = {"cvat": "cvat_images", "label_studio": "label_studio", "coco": "coco"}
"""Name of each tool, as ``--for`` takes it, and of the format that is written for it."""
CVAT_LABELS = "skeleton.json"
"""The labels of a project, to paste into CVAT."""
LOST = 0.5
"""Seconds from the nearest frame in which a person was found up to which she is looked for where she should be."""
PRESENT = 0.25
"""Least score of a person where everybody is labelled: the default of Ultralytics."""


Place = tuple[int, np.ndarray, Pose | None]
"""A picture, where a person should be in it, and who was found there by one look."""


@dataclass(frozen=True, eq=False)
class Prelabels:
    """Pre-labels of pictures.

    Attributes
    ----------
    dataset : Dataset
    empty : tuple of str
        Pictures in which nobody was found.
    swapped : int
        Limb pairs whose sides were exchanged, counted over frames.
    filled : int
        People who were put where the frames before and after say.
    """

    dataset: Dataset
    empty: tuple[str, ...]
    swapped: int = 0
    filled: int = 0

    @property
    def people(self) -> list[Person]:
        """All of them."""
        return [person for frame in self.dataset.frames for person in frame.people]

    @property
    def doubtful(self) -> int:
        """Joints that are marked."""
        return sum(int((person.training_weights < DOUBT).sum()) for person in self.people)

    @property
    def notes(self) -> list[str]:
        """What a person should know of them, a sentence each."""
        notes = []
        if self.swapped:
            notes.append(
                f"{self.swapped} times the sides of arms, legs or face were exchanged, as the frames around say"
            )
        if self.filled:
            notes.append(f"{self.filled} people were put between where they are in the frames before and after")
        if self.empty:
            few = ", ".join(self.empty[:5]) + (", ..." if len(self.empty) > 5 else "")
            notes.append(f"nobody was found in {len(self.empty)} pictures: {few}")
        return notes


def prelabel(
    inputs: Sequence[str | Path],
    output: str | Path,
    asked: Asked,
    *,
    skeletons: Sequence[Skeleton],
    tools: Sequence[str] | None = None,
    everyone: bool = False,
    steady: bool = True,
    pictures: bool = False,
) -> Prelabels:
    """Write pre-labels of pictures for labelling tools.

    Parameters
    ----------
    inputs : sequence of str or Path
        As `pictures.gather` takes them.
    output : str or Path
        A new folder; gets one for each tool, whole or not at all. What the model answered is kept beside it until then,
        so that a run which was killed goes on where it was.
    asked : Asked
    skeletons : sequence of Skeleton
        The joints to label: the first of which the model has all, or the last.
    tools : sequence of str, optional
        Of `TOOLS`; all without it.
    everyone : bool
        Label everybody; without it the largest person of a still, and the one whom a clip is about.
    steady : bool
        Repair sides and smooth paths over neighbouring frames.
    pictures : bool
        Copy the pictures into the folder, too.

    Raises
    ------
    BadInput, BadInputs
        If the folder exists, or a picture or model cannot be read.
    """
    output = Path(output)
    if output.exists():
        raise BadInput(output, "exists already", "choose another --output, or remove it first")
    tools = tuple(TOOLS) if tools is None else tools
    unknown = [tool for tool in tools if tool not in TOOLS]
    if unknown:
        raise BadInput("--for", f"is '{unknown[0]}'", f"choose from {', '.join(TOOLS)}")
    formats = {tool: label_format(TOOLS[tool]) for tool in tools}
    found = gather(inputs, skeletons[-1])
    kept = output.parent / f".{output.name}.answers{DRAFT}"
    made = ask(found, asked, kept / "answers.jsonl", skeletons=skeletons, everyone=everyone, steady=steady)
    with work_folder(output) as work:
        whole = work / "prelabels"
        for tool, format in formats.items():
            folder = whole / tool
            folder.mkdir(parents=True)
            assert format.write is not None
            format.write(made.dataset, folder)
            if tool == "cvat":
                write_cvat_labels(made.dataset.skeleton, folder / CVAT_LABELS)
        for picture in progress(found if pictures else [], "copying", "picture"):
            copy = whole / "images" / picture.frame.file_name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture.path, copy)
        put_folder(whole, output)
    shutil.rmtree(kept, ignore_errors=True)
    return made


def ask(
    pictures: Sequence[Picture],
    asked: Asked,
    answers: Path,
    *,
    skeletons: Sequence[Skeleton],
    everyone: bool = False,
    steady: bool = True,
) -> Prelabels:
    """Pre-label pictures; see `prelabel`.

    Parameters
    ----------
    pictures : sequence of Picture
    asked : Asked
    answers : Path
        File of what the model answered: what is in it is not asked again.
    skeletons, everyone, steady
        As for `prelabel`.
    """
    kept = Answers(answers, asked.digest())
    try:
        asker = Asker(asked, skeletons[-1], kept)
        skeleton = _chosen(skeletons, asker.skeleton, asked.model)
        seen = [Seen(picture.path) for picture in pictures]
        firsts = []
        for each, picture in progress(list(zip(seen, pictures, strict=True)), "find people", "picture"):
            firsts.append(_candidates(asker, each, picture.frame, everyone=everyone))
            each.forget()
        tracks = [
            track for scene in _scenes(pictures) for track in _people_of(scene, pictures, firsts, everyone=everyone)
        ]
        poses = []
        for track in progress(tracks, "look closely", "person" if everyone else "clip or still"):
            poses.append([_looked(asker, seen[at], box, first) for at, box, first in track])
    finally:
        kept.close()
    people: dict[int, list[Person]] = {at: [] for at in range(len(pictures))}
    swapped = filled = 0
    for track, found in zip(tracks, poses, strict=True):
        frames = [pictures[at].frame for at, _, _ in track]
        whole = _steady(found, frames, asker.skeleton, skeleton, steady=steady)
        swapped += whole.swapped
        for at, ((place, _, _), pose) in enumerate(zip(track, found, strict=True)):
            if np.isfinite(whole.keypoints[at]).any():
                people[place].append(person_of(whole.keypoints[at], whole.trust[at], frames[at], skeleton))
                filled += pose is None
    frames = [replace(picture.frame, people=tuple(people[at])) for at, picture in enumerate(pictures)]
    empty = tuple(frame.file_name for frame in frames if not frame.people)
    return Prelabels(Dataset(skeleton, tuple(frames)), empty, swapped, filled)


def _chosen(skeletons: Sequence[Skeleton], of_model: Skeleton, model: Path) -> Skeleton:
    """Choose the first skeleton of which the model has every joint, or the last, of which it has to have one."""
    there = [skeleton.match(of_model.joints) >= 0 for skeleton in skeletons]
    if not there[-1].any():
        names = ", ".join(of_model.joints)
        raise BadInput(model, f"has no joint of {skeletons[-1].name} ({names})", "choose another --skeleton or --model")
    return next((each for each, known in zip(skeletons, there, strict=True) if known.all()), skeletons[-1])


def _candidates(asker: Asker, seen: Seen, frame: Frame, *, everyone: bool) -> list[Pose]:
    """Who may be labelled in a picture: whom the set has boxes of, or whom the model finds."""
    found = asker.people(seen, frame)
    if len(frame.boxes):
        overlaps = box_iou(frame.boxes, np.array([pose.box for pose in found]).reshape(-1, 4))
        nobody = np.full((len(asker.skeleton), 2), np.nan)
        unseen = [Pose(nobody, np.zeros(len(nobody)), box, 1.0) for box in frame.boxes]
        return [
            replace(found[int(row.argmax())], box=box, score=1.0) if row.size and row.max() > 0 else nothing
            for row, box, nothing in zip(overlaps, frame.boxes, unseen, strict=True)
        ]
    if everyone:
        found = [pose for pose in found if pose.score >= PRESENT]
    return found or ([] if frame.timestamp_ms is not None else asker.search(seen))


def _scenes(pictures: Sequence[Picture]) -> list[list[int]]:
    """Pictures that belong together, by their times: those of each clip, and each still by itself."""
    clips: dict[str, list[int]] = {}
    for at, picture in enumerate(pictures):
        frame = picture.frame
        clip = f"{frame.source}/{frame.video}" if frame.video and frame.timestamp_ms is not None else f"still {at}"
        clips.setdefault(clip, []).append(at)
    return [sorted(scene, key=lambda at: pictures[at].frame.timestamp_ms or 0.0) for scene in clips.values()]


def _people_of(
    scene: Sequence[int], pictures: Sequence[Picture], firsts: Sequence[Sequence[Pose]], *, everyone: bool
) -> list[list[Place]]:
    """Follow people through the pictures of a scene: the one that it is about, or everybody."""
    seconds = np.array([(pictures[at].frame.timestamp_ms or 0.0) / 1000 for at in scene])
    left = {at: list(firsts[at]) for at in scene}
    tracks: list[list[Place]] = []
    while any(left.values()) and (everyone or not tracks):
        boxes = [np.array([pose.box for pose in left[at]]).reshape(-1, 4) for at in scene]
        chosen = follow(boxes, [np.array([pose.score for pose in left[at]]) for at in scene])
        found = [None if index is None else left[at].pop(index) for at, index in zip(scene, chosen, strict=True)]
        there = np.array([pose is not None for pose in found])
        known = np.array([np.full(4, np.nan) if pose is None else pose.box for pose in found])
        away = np.abs(seconds[:, None] - seconds[there][None]).min(axis=1)
        places = zip(scene, np.round(between(known, seconds), 1), found, away, strict=True)
        tracks.append([(at, box, first) for at, box, first, lost in places if lost <= LOST])
    return tracks


def _looked(asker: Asker, seen: Seen, box: np.ndarray, first: Pose | None) -> Pose | None:
    """Return the pose of a person: of the closer look where there is one."""
    if asker.refines or first is None:
        pose = asker.look(seen, box)
        seen.forget()
        if first is None:
            return pose if pose is not None and pose.score >= FOUND else None
        first = pose or first
    return first if np.isfinite(first.keypoints).any() else None


def _steady(
    found: Sequence[Pose | None], frames: Sequence[Frame], source: Skeleton, target: Skeleton, *, steady: bool
) -> Track:
    """Joints of a person over the frames of a clip, in the target's joints."""
    nobody = Pose(np.full((len(source), 2), np.nan), np.zeros(len(source)), np.full(4, np.nan), 0.0)
    poses = poses_in([pose or nobody for pose in found], source, target)
    keypoints = np.array([pose.keypoints for pose in poses])
    trust = np.array([trust_in(pose) for pose in poses])
    seconds = np.array([(frame.timestamp_ms or 0.0) / 1000 for frame in frames])
    sides = np.array([max(float((pose.box[2:] - pose.box[:2]).max()), 1.0) for pose in poses])
    known = np.isfinite(sides)
    if not known.any():
        return Track(keypoints, trust, seconds, sides)
    track = Track(keypoints, trust, seconds, np.interp(seconds, seconds[known], sides[known]))
    return smooth(repair_sides(track, target)) if steady and len(frames) > 1 else track


def trust_in(pose: Pose) -> np.ndarray:
    """Trust in each joint of a pose, in [0, 1]: by its doubt, or where nobody voted by its confidence."""
    return np.clip(pose.confidence, 0.0, 1.0) if pose.doubt is None else trust_of(pose.doubt, Rules())


def person_of(keypoints: np.ndarray, trust: np.ndarray, frame: Frame, skeleton: Skeleton) -> Person:
    """Make a label of a pose: every joint in the picture and visible.

    Parameters
    ----------
    keypoints : ndarray, shape (K, 2)
        Pixels. A joint that is not there is put where the nearest one along the bones is, and one outside the picture
        to its edge; the trust in both is 0.
    trust : ndarray, shape (K,)
    frame : Frame
    skeleton : Skeleton
    """
    points, absent = _with_all(keypoints, skeleton), ~np.isfinite(keypoints).all(axis=1)
    size = np.array([frame.width, frame.height], dtype=float)
    inside = np.clip(points, 0.5, size - 0.5)
    beyond = (np.abs(inside - points) > 0.5).any(axis=1)
    low, high = inside.min(axis=0), inside.max(axis=0)
    margin = MARGIN * np.maximum(high - low, 1.0)
    box = np.concatenate([np.maximum(low - margin, 0.0), np.minimum(high + margin, size)])
    weights = np.where(absent | beyond, 0.0, trust)
    return Person(inside, np.full(len(skeleton), VISIBLE, dtype=np.uint8), box, body_area(box), weights)


def _with_all(keypoints: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints, of which at least one is there, with those that are not put where the nearest one along the bones is."""
    points = keypoints.copy()
    while not np.isfinite(points).all():
        there = np.isfinite(points).all(axis=1)
        ends = [(a, b) for bone in skeleton.bones for a, b in (bone, bone[::-1]) if there[a] and not there[b]]
        for near, absent in ends:
            points[absent] = points[near]
        if not ends:
            points[~there] = points[there].mean(axis=0)
    return points
