"""CVAT's XML of images ('CVAT for images 1.1'): skeletons, or single points that are labelled by their joint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree.ElementTree import Element

from fosbury.errors import BadInput
from fosbury.formats.attributes import frame_fields
from fosbury.formats.coco import read_content
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint, claim_box
from fosbury.formats.cvat.document import (
    SKELETON_HINT,
    Meta,
    attributes_of,
    box_of,
    elements,
    is_cvat,
    joint_of,
    points_of,
    whole,
)
from fosbury.formats.cvat.writing import write_images
from fosbury.formats.registry import LabelFormat
from fosbury.pose import Dataset
from fosbury.skeleton import Skeleton

POINTS = "points"
"""Name of the category of people whose joints are single points."""


@dataclass
class _Seen:
    """What the file holds that is of no use, to be said if it holds nothing else."""

    unnamed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    boxes: int = 0


def read_cvat_images(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read CVAT's XML of images.

    Single points make one person by their ``group_id``, else by the smallest box that holds them, else all together.

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
    meta, content, seen = Meta(), Content(), _Seen()
    for element in elements(path, ("image",), meta):
        _add_image(element, content, meta, seen)
    content.bones = meta.bones
    if not content.people:
        raise BadInput(path, _without_joints(seen), SKELETON_HINT)
    return read_content(content.lists(), path, skeleton, images, on_problem=on_problem)


def _without_joints(seen: _Seen) -> str:
    if seen.unnamed:
        label, count = max(seen.unnamed.items(), key=lambda item: item[1])
        return f"holds points of which no label is a joint's (up to {count} of '{label}' in one shape)"
    return f"holds {seen.boxes} boxes and no joints" if seen.boxes else "holds no joints"


def _add_image(element: Element, content: Content, meta: Meta, seen: _Seen) -> None:
    width, height = whole(element, "width"), whole(element, "height")
    shapes = [each for each in element if each.tag not in ("tag", "attribute")]
    tags: list[str] = []
    attributes: dict[str, str] = {}
    for tag in element.findall("tag"):
        stated = attributes_of(tag)
        attributes |= stated
        if not frame_fields(stated):  # else it is there for its attributes, and its name says nothing
            tags.append(tag.get("label") or "")
    for shape in shapes:
        attributes |= attributes_of(shape)
    fields = frame_fields(attributes, tags)
    number = content.add_image(element.get("name") or "", (width, height) if width and height else None, **fields)
    boxes: list[Sequence[float]] = [box for shape in shapes if shape.tag == "box" and (box := box_of(shape))]
    seen.boxes += len(boxes)
    for label, joints in _people(shapes, boxes, meta, seen):
        content.joints.setdefault(label, list(meta.joints.get(label, ())))
        content.add_person(number, joints, claim_box(joints, boxes), label)


def _people(
    shapes: Sequence[Element], boxes: Sequence[Sequence[float]], meta: Meta, seen: _Seen
) -> list[tuple[str, dict[str, Joint]]]:
    """People of an image: the label of each, and its joints by name."""
    people: list[tuple[str, dict[str, Joint]]] = []
    single: dict[object, dict[str, Joint]] = defaultdict(dict)
    for shape in shapes:
        label = shape.get("label") or ""
        if shape.tag == "skeleton":
            joints = {point.get("label") or "": joint_of(point) for point in shape.findall("points")}
            people.append((label, {name: joint for name, joint in joints.items() if name and joint is not None}))
        elif shape.tag == "points":
            joint = joint_of(shape)
            if joint is None or not label:
                seen.unnamed[label] = max(seen.unnamed[label], len(points_of(shape)))
                continue
            people_of = single[shape.get("group_id") or _holder(joint, boxes)]
            if label in people_of:  # the same joint again is another person's, or no joint
                people_of = single[label, len(single)]
            people_of[label] = joint
    people += [(POINTS, joints) for joints in single.values()]
    return [(label, joints) for label, joints in people if any(joint[2] for joint in joints.values())]


def _holder(joint: Joint, boxes: Sequence[Sequence[float]]) -> int:
    """Index of the smallest box that holds a joint, -1 for none."""
    x, y, _ = joint
    holding = [
        ((x2 - x1) * (y2 - y1), index)
        for index, (x1, y1, x2, y2) in enumerate(boxes)
        if x1 <= x <= x2 and y1 <= y <= y2
    ]
    return min(holding)[1] if holding else -1


FORMAT = LabelFormat(
    name="cvat_images",
    what="CVAT's XML of images ('CVAT for images 1.1')",
    suffixes=(".xml",),
    matches=is_cvat("image", "annotation"),
    read=read_cvat_images,
    write=write_images,
    loses=("video", "frame", "timestamp_ms", "source", "stature_mm", "weights", "area"),
)
