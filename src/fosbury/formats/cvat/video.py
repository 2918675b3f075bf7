"""CVAT's XML of a video ('CVAT for video 1.1'): tracks of skeletons, of single points, of phases, and of boxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.attributes import frame_fields, phase_of
from fosbury.formats.coco import read_content
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint, check_clips
from fosbury.formats.cvat.document import (
    PICTURES,
    SKELETON_HINT,
    attributes_of,
    box_of,
    elements,
    found_picture,
    is_cvat,
    joint_of,
    joints_of,
    number,
)
from fosbury.formats.cvat.meta import Meta, Task
from fosbury.formats.cvat.people import POINTS, Box, Point, box_of_person, group_of, people_of
from fosbury.formats.cvat.video_writing import write_video_labels
from fosbury.formats.registry import LabelFormat, Reader
from fosbury.media.video import SUFFIXES
from fosbury.pose import Dataset
from fosbury.skeleton import Skeleton

_People = list[tuple[str, dict[str, Joint], str | None]]
"""Label, joints and group of each."""
_Place = tuple[str, int]
"""Task ('' where there is one) and number of a frame, as the file has them."""


@dataclass
class _Shown:
    """What the tracks of a file say of one frame."""

    people: _People = field(default_factory=list)
    points: list[tuple[Point, bool]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    grouped: dict[str, Box] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)


@dataclass
class _Track:
    """The track that is being read.

    Attributes
    ----------
    phase : str or None
    last : tuple of int and bool, or None
        Frame of the shape before, and whether it is outside.
    parts, keyframes
        Joints by frame and label, and the frames in which a person set one, of a skeleton whose joints are tracks.
    """

    element: Element
    label: str
    task: str
    group: str | None
    phase: str | None
    last: tuple[int, bool] | None = None
    parts: dict[int, dict[str, Joint]] = field(default_factory=lambda: defaultdict(dict))
    keyframes: set[int] = field(default_factory=set)


class _Tracks:
    """What the tracks of a file say of each frame, taken in shape by shape."""

    def __init__(self, every: bool) -> None:
        self.every = every
        self.frames: dict[_Place, _Shown] = defaultdict(_Shown)
        self.phases: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        self.others: set[str] = set()
        self.subsets: dict[str, str] = {}
        self.track: _Track | None = None

    def add(self, tracks: Sequence[Element], element: Element) -> None:
        """Take in a shape of a track, or a tag of a frame."""
        frame = number(element, "frame")
        if not tracks:
            if element.tag == "tag" and frame is not None:
                shown = self.frames[element.get("task_id") or "", frame]
                shown.tags.append(element.get("label") or "")
                shown.attributes |= attributes_of(element)
            return
        if self.track is None or self.track.element is not tracks[0]:
            self.close()
            label, task = tracks[0].get("label") or "", tracks[0].get("task_id") or ""
            self.track = _Track(tracks[0], label, task, group_of(tracks[0]), phase_of(label))
            self.subsets[task] = tracks[0].get("subset") or ""
        if frame is None:
            return
        if len(tracks) > 1:
            self._add_part(self.track, tracks[1].get("label") or "", frame, element)
        elif element.tag == "skeleton":
            self._add_skeleton(self.track, frame, element)
        elif self.track.phase:
            self._add_phase(self.track, self.track.phase, frame, element)
        else:
            self._add_shape(self.track, frame, element)

    def _add_skeleton(self, track: _Track, frame: int, element: Element) -> None:
        if element.get("outside") == "1":
            return
        joints = joints_of(element)
        stated = attributes_of(element)
        key = self.every or any(each.get("keyframe") == "1" for each in (element, *element.iterfind("points")))
        if joints and key and any(joint[2] for joint in joints.values()):
            self.frames[track.task, frame].people.append((track.label, joints, track.group))
        elif not joints and key:
            track.keyframes.add(frame)
        if stated and (key or not joints):
            self.frames[track.task, frame].attributes |= stated

    def _add_part(self, track: _Track, name: str, frame: int, element: Element) -> None:
        """Take in a joint of a skeleton whose joints are tracks of their own, as Datumaro writes it."""
        joint = joint_of(element)
        if joint is not None and name:
            track.parts[frame][name] = joint
            if element.get("keyframe") == "1":
                track.keyframes.add(frame)

    def _add_phase(self, track: _Track, phase: str, frame: int, element: Element) -> None:
        """Take in a shape of a phase, which lasts from the shape before unless that one is its end."""
        outside = element.get("outside") == "1"
        spans = self.phases[track.task]
        if track.last is not None and not track.last[1] and spans:
            spans[-1] = (spans[-1][0], frame if outside else frame + 1, phase)
        elif not outside:
            spans.append((frame, frame + 1, phase))
        track.last = frame, outside

    def _add_shape(self, track: _Track, frame: int, element: Element) -> None:
        outside = element.get("outside") == "1"
        joint = joint_of(element) if element.tag == "points" and not outside else None
        if joint is not None and track.label:
            point = Point(track.label, joint, track.group)
            self.frames[track.task, frame].points.append((point, element.get("keyframe") == "1"))
            return
        if element.tag != "points" or not outside:
            self.others.add(track.label)
        if element.tag == "box" and not outside and (box := box_of(element)):
            shown = self.frames[track.task, frame]
            shown.boxes.append(box)
            shown.grouped |= {track.group: box} if track.group else {}
            shown.attributes = attributes_of(element) | shown.attributes

    def close(self) -> None:
        """Take in what is known at the end of a track: which frames a person set a joint of."""
        if self.track is None:
            return
        for frame, joints in self.track.parts.items():
            wanted = self.every or frame in self.track.keyframes
            if wanted and any(joint[2] for joint in joints.values()):
                self.frames[self.track.task, frame].people.append((self.track.label, joints, self.track.group))
        self.track = None

    def phase(self, place: _Place) -> str:
        """Phase of a frame, empty where no track spans it; of two the later track counts."""
        task, frame = place
        return next((phase for start, stop, phase in reversed(self.phases[task]) if start <= frame < stop), "")


def read_cvat_video(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
    *,
    every: bool = False,
) -> Dataset:
    """Read CVAT's XML of a video.

    Frames are those of the clip, counted from 0. Their pictures are those that CVAT writes (``frame_000012.png``) where
    they are there, else the frames of the clip.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them.
    every : bool
        Take the frames between keyframes too, in which CVAT drew a line from one joint to the next.

    Raises
    ------
    BadInput, BadInputs
        If it is not such a file, names no joints, or has a problem that ``read_content`` finds.
    """
    meta, tracks = Meta(), _Tracks(every)
    for around, element in elements(path, meta):
        if around or element.tag == "tag":
            tracks.add(around, element)
    tracks.close()
    if meta.tasks and all(task.of_pictures for task in meta.tasks):
        hint = "export it as 'CVAT for images 1.1', which names them"
        raise BadInput(path, "is of a task of pictures, which it does not name", hint)
    content = Content(bones=meta.bones)
    problems: list[str] = []
    for place, people in _people(tracks, problems):
        problem = _add_frame(place, people, content, tracks, meta=meta, path=path, images=images)
        problems += [problem] if problem else []
    if problems and on_problem == "raise":
        raise BadInputs(path, problems, "correct them in CVAT, or leave them out with 'fosbury import --drop-bad'")
    if not content.people:
        spans = {phase for each in tracks.phases.values() for _, _, phase in each}
        held = sorted({*tracks.others, *spans})
        problem = f"holds tracks of {', '.join(held)} and no joints" if held else "holds no joints"
        raise BadInput(path, problem, f"{SKELETON_HINT}; phases alone go into phases.csv")
    if POINTS in content.joints:
        content.joints[POINTS] = meta.in_order(content.joints[POINTS])
    if on_problem == "raise":
        check_clips(path, content, images)
    dataset = read_content(content.lists(), path, skeleton, images, on_problem=on_problem)
    dropped = tuple(f"left out for a problem: {problem}" for problem in problems)
    return replace(dataset, notes=dropped + dataset.notes)


def _people(tracks: _Tracks, problems: list[str]) -> Iterator[tuple[_Place, _People]]:
    """Yield the people of each frame that has some: skeletons, then those of single points with a keyframe."""
    for place, shown in sorted(tracks.frames.items()):
        people = list(shown.people)
        if any(key or tracks.every for _, key in shown.points):
            single, twice = people_of((point for point, _ in shown.points), shown.boxes)
            if twice:
                listed = ", ".join(dict.fromkeys(twice))
                problems.append(f"frame {place[1]}: {listed} twice; a group or a box for each person says whose")
            else:
                people += [(POINTS, joints, None) for joints in single]
        if people:
            yield place, people


def _add_frame(
    place: _Place,
    people: _People,
    content: Content,
    tracks: _Tracks,
    *,
    meta: Meta,
    path: Path,
    images: Locate | None,
) -> str | None:
    """Add a frame with its people; returns what is wrong with it."""
    shown, subset = tracks.frames[place], tracks.subsets.get(place[0])
    task = meta.task(place[0] or None)
    clip = _clip(path, task)
    frame = place[1] if task is None else task.frame(place[1])
    if frame is None:
        return f"frame {place[1]}: is none that its task can have of {clip}"
    fields = frame_fields(shown.attributes, shown.tags)
    fields.setdefault("phase", tracks.phase(place))
    stem = f"frame_{place[1]:06d}"
    names = [f"{folder}{stem}{suffix}" for folder in ([f"{subset}/", ""] if subset else [""]) for suffix in PICTURES]
    name = found_picture(names, images, clip, frame)
    image = content.add_image(name, task.size if task else None, video=clip, frame=frame, **fields)
    boxes = list(shown.boxes)
    for label, joints, group in people:
        content.joints.setdefault(label, list(meta.joints.get(label, ())))
        content.add_person(image, joints, box_of_person(joints, boxes, shown.grouped, group), label)
    return None


def _clip(path: Path, task: Task | None) -> str:
    """Name of the clip: as CVAT says it, else that of a clip beside the labels, else the task's."""
    if task is not None and task.source is not None:
        return task.source
    beside = sorted(each.name for each in path.parent.glob("*") if each.suffix.lower() in SUFFIXES)
    named = [name for name in beside if Path(name).stem == path.stem] or (beside if len(beside) == 1 else [])
    return named[0] if named else (task.name if task is not None and task.name else path.stem)


def video_format(name: str, what: str, read: Reader) -> LabelFormat:
    """Make a format of CVAT's XML of a video."""
    return LabelFormat(
        name=name,
        what=what,
        suffixes=(".xml",),
        matches=is_cvat("track", "interpolation"),
        read=read,
        write=write_video_labels,
        loses=("file_name", "timestamp_ms", "source", "stature_mm", "weights", "area"),
    )


FORMAT = video_format("cvat_video", "CVAT's XML of a video ('CVAT for video 1.1')", read_cvat_video)
