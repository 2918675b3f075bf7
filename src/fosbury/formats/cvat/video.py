"""CVAT's XML of a video ('CVAT for video 1.1'): tracks of skeletons, of phases, and of boxes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element

from fosbury.errors import BadInput
from fosbury.formats.attributes import frame_fields, phase_of
from fosbury.formats.coco import read_content
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint, claim_box
from fosbury.formats.cvat.document import SKELETON_HINT, Meta, attributes_of, box_of, elements, is_cvat, joint_of, whole
from fosbury.formats.registry import LabelFormat, Reader
from fosbury.media.video import SUFFIXES
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton

PICTURES = (".png", ".PNG", ".jpg", ".jpeg")
"""Suffixes of the frames that CVAT writes beside its labels, the usual first."""


class _Tracks:
    """What the tracks of a file say of each frame."""

    def __init__(self, every: bool) -> None:
        self.every = every
        self.people: dict[int, list[tuple[str, dict[str, Joint]]]] = defaultdict(list)
        self.boxes: dict[int, list[Sequence[float]]] = defaultdict(list)
        self.phases: dict[int, str] = {}
        self.attributes: dict[int, dict[str, str]] = defaultdict(dict)
        self.tags: dict[int, list[str]] = defaultdict(list)
        self.others: set[str] = set()

    def add(self, element: Element) -> None:
        """Take in a track, or a tag of a frame."""
        label = element.get("label") or ""
        if element.tag == "tag":
            frame = whole(element, "frame")
            if frame is not None:
                self.tags[frame].append(label)
                self.attributes[frame] |= attributes_of(element)
            return
        shapes = {shape.tag for shape in element} - {"attribute"}
        if "skeleton" in shapes:
            self._add_skeleton(label, element)
        elif phase := phase_of(label):
            for shape in element:
                if shape.get("outside") != "1" and (frame := whole(shape, "frame")) is not None:
                    self.phases[frame] = phase
        elif "points" in shapes:
            self._add_joints(label, {label: element}, set())
        else:
            self.others.add(label)
            for shape in element.findall("box"):
                frame, box = whole(shape, "frame"), box_of(shape)
                if frame is not None and box is not None and shape.get("outside") != "1":
                    self.boxes[frame].append(box)

    def _add_skeleton(self, label: str, track: Element) -> None:
        keyframes = set()
        for shape in track.findall("skeleton"):
            frame = whole(shape, "frame")
            if frame is None or shape.get("outside") == "1":
                continue
            self.attributes[frame] |= attributes_of(shape)
            if shape.get("keyframe") == "1":
                keyframes.add(frame)
        self._add_joints(label, {part.get("label") or "": part for part in track.findall("track")}, keyframes)

    def _add_joints(self, label: str, parts: Mapping[str, Element], keyframes: set[int]) -> None:
        """Add a person where a person set one joint at least, or in every frame."""
        joints: dict[int, dict[str, Joint]] = defaultdict(dict)
        for name, part in parts.items():
            for point in part.findall("points"):
                frame, joint = whole(point, "frame"), joint_of(point)
                if frame is None or joint is None or not name:
                    continue
                joints[frame][name] = joint
                if point.get("keyframe") == "1":
                    keyframes.add(frame)
        for frame, found in joints.items():
            if (self.every or frame in keyframes) and any(joint[2] for joint in found.values()):
                self.people[frame].append((label, found))


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
    for element in elements(path, ("track", "tag"), meta):
        tracks.add(element)
    if not tracks.people:
        held = sorted({*tracks.others, *tracks.phases.values()})
        problem = f"holds tracks of {', '.join(held)} and no joints" if held else "holds no joints"
        raise BadInput(path, problem, f"{SKELETON_HINT}; phases alone go into phases.csv")
    content = Content(bones=meta.bones)
    clip = _clip(path, meta)
    for frame in sorted(tracks.people):
        fields = frame_fields(tracks.attributes[frame], tracks.tags[frame])
        fields.setdefault("phase", tracks.phases.get(frame, ""))
        name = _picture(f"frame_{frame:06d}", clip, frame, images)
        number = content.add_image(name, meta.size, video=clip, frame=frame, **fields)
        for label, joints in tracks.people[frame]:
            content.joints.setdefault(label, list(meta.joints.get(label, ())))
            content.add_person(number, joints, claim_box(joints, tracks.boxes[frame]), label)
    return read_content(content.lists(), path, skeleton, images, on_problem=on_problem)


def _clip(path: Path, meta: Meta) -> str:
    """Name of the clip: as CVAT says it, else that of a clip beside the labels, else the task's."""
    if meta.source:
        return Path(meta.source.replace("\\", "/")).name
    beside = sorted(each.name for each in path.parent.glob(f"{path.stem}.*") if each.suffix.lower() in SUFFIXES)
    return beside[0] if beside else meta.name or path.stem


def _picture(stem: str, clip: str, frame: int, images: Locate | None) -> str:
    names = [f"{stem}{suffix}" for suffix in PICTURES]
    for name in names if images is not None else ():
        there = images(Frame(name, 0, 0, video=clip, frame=frame)) if images else None
        if there is not None and there.is_file():
            return name
    return names[0]


def video_format(name: str, what: str, read: Reader) -> LabelFormat:
    """Make a format of CVAT's XML of a video."""
    return LabelFormat(name=name, what=what, suffixes=(".xml",), matches=is_cvat("track", "interpolation"), read=read)


FORMAT = video_format("cvat_video", "CVAT's XML of a video ('CVAT for video 1.1')", read_cvat_video)
