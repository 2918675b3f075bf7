"""Write a data set as CVAT's XML of videos, which a task of a clip takes as 'CVAT 1.1'."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from fosbury.errors import BadInput
from fosbury.files import draft
from fosbury.formats.cvat.writing import ATHLETE, TAGS, XmlLines, corners, write_joints, write_labels
from fosbury.pose import Dataset, Frame, Person
from fosbury.skeleton import Skeleton


def write_video_labels(dataset: Dataset, folder: Path) -> None:
    """Write one file for each clip, named after it: a track for each person of a frame, the first person the first.

    Frames without a label lie between two keyframes: CVAT draws a line from one to the next there. A person who is
    not in a frame that has others is outside in it. What is known of the frame stands as attributes of its skeletons,
    for CVAT's videos have no tags.

    Parameters
    ----------
    dataset : Dataset
    folder : Path

    Raises
    ------
    BadInput
        If a picture is of no clip, or the frames of a clip differ in size.
    """
    clips: dict[str, dict[int, Frame]] = defaultdict(dict)
    for frame in dataset.frames:
        if frame.video is None or frame.frame is None:
            hint = "write pictures as 'cvat_images'"
            raise BadInput(frame.file_name, "is a picture that names no clip and frame of it", hint)
        clips[frame.video][frame.frame] = frame
    names = _file_names(list(clips))
    for clip, frames in clips.items():
        _write_clip(clip, dict(sorted(frames.items())), folder / names[clip], dataset.skeleton)


def _file_names(clips: Sequence[str]) -> dict[str, str]:
    """Name of each clip's file: that of the clip, with its suffix where two differ in nothing else."""
    stems = [PurePosixPath(clip).stem.lower() for clip in clips]
    flat = {clip: clip.replace("/", "__") for clip in clips}
    alone = {clip: stems.count(PurePosixPath(clip).stem.lower()) == 1 for clip in clips}
    return {clip: f"{PurePosixPath(clip).stem if alone[clip] else flat[clip]}.xml" for clip in clips}


def _write_clip(clip: str, frames: Mapping[int, Frame], path: Path, skeleton: Skeleton) -> None:
    sizes = {(frame.width, frame.height) for frame in frames.values()}
    if len(sizes) > 1:
        listed = " and ".join(f"{width}x{height}" for width, height in sorted(sizes))
        raise BadInput(clip, f"has frames of {listed}", "write them as 'cvat_images'")
    with draft(path) as unfinished, unfinished.open("w", encoding="utf-8") as file:
        xml = XmlLines(file)
        xml.begin("annotations")
        xml.line("version", "1.1")
        _meta(xml, clip, max(frames) + 1, next(iter(sizes)), skeleton)
        most = max(len(frame.people) for frame in frames.values())
        for person in range(most):
            _skeletons(xml, person, frames, skeleton)
        for person in range(most):
            _boxes(xml, most + person, person, frames)
        xml.end("annotations")


def _meta(xml: XmlLines, clip: str, count: int, size: tuple[int, int], skeleton: Skeleton) -> None:
    for name in ("meta", "task"):
        xml.begin(name)
    stated = {"name": clip, "size": count, "mode": "interpolation", "start_frame": 0, "stop_frame": count - 1}
    for name, value in {**stated, "frame_filter": ""}.items():
        xml.line(name, str(value))
    write_labels(xml, skeleton, of_athlete=TAGS)
    xml.begin("original_size")
    xml.line("width", str(size[0]))
    xml.line("height", str(size[1]))
    xml.end("original_size")
    xml.line("source", clip)
    for name in ("task", "meta"):
        xml.end(name)


def _shown(person: int, frames: Mapping[int, Frame]) -> dict[int, Person | None]:
    """Return a person by frame, from the first frame that shows it; None in those that do not."""
    shown = {number: frame.people[person] if person < len(frame.people) else None for number, frame in frames.items()}
    first = min((number for number, one in shown.items() if one is not None), default=0)
    return {number: one for number, one in shown.items() if number >= first}


def _skeletons(xml: XmlLines, person: int, frames: Mapping[int, Frame], skeleton: Skeleton) -> None:
    """Write the track of a person's joints; one without a label stays where it was, for CVAT draws lines to it."""
    xml.begin("track", id=person, label=ATHLETE, source="manual", group_id=person + 1)
    places: np.ndarray | None = None
    for number, one in _shown(person, frames).items():
        if one is not None:
            before = (one.box[:2] + one.box[2:]) / 2 if places is None else places
            places = np.where(one.labelled[:, None], one.keypoints, before)
        xml.begin("skeleton", frame=number, keyframe=1, z_order=0)
        write_joints(xml, one, skeleton, hidden=places)
        for name in TAGS if one is not None else ():
            xml.line("attribute", getattr(frames[number], name) or "", name=name)
        xml.end("skeleton")
    xml.end("track")


def _boxes(xml: XmlLines, track: int, person: int, frames: Mapping[int, Frame]) -> None:
    xml.begin("track", id=track, label=ATHLETE, source="manual", group_id=person + 1)
    last: Person | None = None
    for number, one in _shown(person, frames).items():
        last = one or last
        assert last is not None  # the first frame shows it
        state = {"keyframe": 1, "outside": int(one is None), "occluded": 0}
        xml.begin("box", frame=number, **state, **corners(last), z_order=0)
        xml.end("box")
    xml.end("track")
