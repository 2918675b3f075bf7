"""CVAT's XML of images ('CVAT for images 1.1'): skeletons, or single points that are labelled by their joint."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from xml.etree.ElementTree import Element

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.attributes import frame_fields
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
    points_of,
)
from fosbury.formats.cvat.meta import FRAME, Meta
from fosbury.formats.cvat.people import POINTS, Box, Point, box_of_person, group_of, people_of
from fosbury.formats.cvat.writing import write_images
from fosbury.formats.registry import LabelFormat
from fosbury.pose import Dataset
from fosbury.skeleton import Skeleton


@dataclass
class _Found:
    """What a file holds beside people: what is wrong, and what is of no use, to be said if it holds nothing else."""

    problems: list[str] = field(default_factory=list)
    unnamed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    boxes: int = 0
    passed_over: dict[str, int] = field(default_factory=lambda: defaultdict(int))


_SHAPES = ("box", "polygon", "polyline", "ellipse", "cuboid", "mask")


def read_cvat_images(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read CVAT's XML of images.

    Single points make one person by their ``group_id``, else by the smallest box that holds them, else all together.
    Frames of a clip, which CVAT names without a suffix, keep the clip and their number in it.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them.

    Raises
    ------
    BadInput, BadInputs
        If it is not such a file, names no joints, or has a problem that ``read_content`` finds.
    """
    meta, content, found = Meta(), Content(), _Found()
    for tracks, element in elements(path, meta):
        if element.tag == "image" and not tracks:
            _add_image(element, content, meta, images, found)
    if found.problems and on_problem == "raise":
        raise BadInputs(
            path, found.problems, "correct them in CVAT, or leave them out with 'fosbury import --drop-bad'"
        )
    if not content.people:
        raise BadInput(path, _without_joints(found), SKELETON_HINT)
    content.bones = meta.bones
    if POINTS in content.joints:
        content.joints[POINTS] = meta.in_order(content.joints[POINTS])
    if on_problem == "raise":
        check_clips(path, content, images)
    dataset = read_content(content.lists(), path, skeleton, images, on_problem=on_problem)
    dropped = tuple(f"left out for a problem: {problem}" for problem in found.problems)
    others = ", ".join(f"{count} {kind}" for kind, count in sorted(found.passed_over.items()))
    passed = (f"shapes that are no joints, passed over: {others}",) if others else ()
    return replace(dataset, notes=dropped + passed + dataset.notes)


def _without_joints(found: _Found) -> str:
    if found.unnamed:
        label, count = max(found.unnamed.items(), key=lambda item: item[1])
        return f"holds points of which no label is a joint's (up to {count} of '{label}' in one shape)"
    return f"holds {found.boxes} boxes and no joints" if found.boxes else "holds no joints"


def _add_image(element: Element, content: Content, meta: Meta, images: Locate | None, found: _Found) -> None:
    boxes: list[Box] = []
    grouped: dict[str, Box] = {}
    points: list[Point] = []
    people: list[tuple[str, dict[str, Joint], str | None]] = []
    tags: list[str] = []
    attributes: dict[str, str] = {}
    for shape in element:
        label, group, stated = shape.get("label") or "", group_of(shape), attributes_of(shape)
        attributes |= stated
        if shape.tag == "tag" and not frame_fields(stated):  # else it is there for them, and its name says nothing
            tags.append(label)
        elif shape.tag == "box" and (box := box_of(shape)):
            boxes.append(box)
            grouped |= {group: box} if group else {}
        elif shape.tag == "skeleton":
            people.append((label, joints_of(shape), group))
            found.problems += [
                f"{element.get('name')}: {each.get('label')!r} of '{label}' lies at {each.get('points')!r}"
                for each in shape.iterfind("points")
                if joint_of(each) is None
            ]
        elif shape.tag == "points":
            joint = joint_of(shape)
            if joint is None or not label:
                found.unnamed[label] = max(found.unnamed[label], len(points_of(shape)))
            elif joint[2]:
                points.append(Point(label, joint, group))
        elif shape.tag in _SHAPES:
            found.passed_over[f"{shape.tag} '{label}'" + (" that is turned" if shape.tag == "box" else "")] += 1
    name, fields = _names(element, meta, images, found)
    size = number(element, "width"), number(element, "height")
    stated_size = (size[0], size[1]) if size[0] is not None and size[1] is not None else None
    image = content.add_image(name, stated_size, **fields, **frame_fields(attributes, tags))
    found.boxes += len(boxes)
    single, twice = people_of(points, boxes)
    if twice:
        found.problems.append(
            f"{name}: {', '.join(twice)} twice; a group for each person, or a box around each, says whose"
        )
    else:
        people += [(POINTS, joints, None) for joints in single]
    for label, joints, group in people:
        if any(joint[2] for joint in joints.values()):
            content.joints.setdefault(label, list(meta.joints.get(label, ())))
            content.add_person(image, joints, box_of_person(joints, boxes, grouped, group), label)


def _names(element: Element, meta: Meta, images: Locate | None, found: _Found) -> tuple[str, dict[str, Any]]:
    """Name of an image's picture, and the clip and frame that it is of.

    A project has its pictures below a folder for each subset, and names the subset of each image.
    """
    name = element.get("name") or ""
    task, subset = meta.task(element.get("task_id")), element.get("subset")
    frame = FRAME.fullmatch(name)
    names = [f"{name}{suffix}" for suffix in PICTURES] if frame else [name]
    if subset and name:
        names = [f"{folder}{each}" for folder in (f"{subset}/", "") for each in names]
    if frame is None or task is None or task.source is None:
        return found_picture(names, images), {}
    at = task.frame(int(frame[1]))
    if at is None:
        found.problems.append(f"{name}: is no frame that its task '{task.name}' can have of {task.source}")
        return found_picture(names, images), {}
    return found_picture(names, images, task.source, at), {"video": task.source, "frame": at}


FORMAT = LabelFormat(
    name="cvat_images",
    what="CVAT's XML of images ('CVAT for images 1.1')",
    suffixes=(".xml",),
    matches=is_cvat("image", "annotation"),
    read=read_cvat_images,
    write=write_images,
    loses=("video", "frame", "timestamp_ms", "source", "stature_mm", "weights", "area"),
)
