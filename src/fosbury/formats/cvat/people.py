"""What belongs to one person: single points that are labelled by their joints, and a box."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from fosbury.formats.content import Joint, claim_box

POINTS = "points"
"""Name of the category of people whose joints are single points."""


Box = Sequence[float]
"""``x1, y1, x2, y2`` in pixels."""


class Point(NamedTuple):
    """A joint by itself, and the group that a person put it in."""

    label: str
    joint: Joint
    group: str | None


def people_of(points: Iterable[Point], boxes: Sequence[Box]) -> tuple[list[dict[str, Joint]], list[str]]:
    """Put single points together: by group, else by the smallest box that holds them, else all as one person.

    Parameters
    ----------
    points : iterable of Point
    boxes : sequence of Box

    Returns
    -------
    tuple of list of dict of str to Joint, and list of str
        The people, and the joints that a person would have twice: nobody can say whose these are.
    """
    people: dict[object, dict[str, Joint]] = defaultdict(dict)
    twice: list[str] = []
    for label, joint, group in points:
        joints = people[group or _holder(joint, boxes)]
        if label in joints:
            twice.append(label)
        joints[label] = joint
    return list(people.values()), twice


def group_of(element: Element) -> str | None:
    """Group that a person put a shape or a track in; CVAT's 0 is none."""
    return (element.get("group_id") or "").strip("0") and element.get("group_id")


def box_of_person(
    joints: Mapping[str, Joint], boxes: list[Box], grouped: Mapping[str, Box], group: str | None
) -> Box | None:
    """Take a person's box out of ``boxes``: that of the group, else one of no other group that holds the joints.

    Parameters
    ----------
    joints : mapping of str to Joint
    boxes : list of Box
    grouped : mapping of str to Box
        Those of ``boxes`` that are in a group, by it.
    group : str, optional
    """
    box = grouped.get(group) if group else None
    if box is None or box not in boxes:
        of_others = [other for name, other in grouped.items() if group and name != group]
        box = claim_box(joints, [each for each in boxes if each not in of_others])
    if box is not None:
        boxes.remove(box)
    return box


def _holder(joint: Joint, boxes: Sequence[Box]) -> int:
    """Index of the smallest box that holds a joint, -1 for none."""
    x, y, _ = joint
    holding = [
        ((x2 - x1) * (y2 - y1), index)
        for index, (x1, y1, x2, y2) in enumerate(boxes)
        if x1 <= x <= x2 and y1 <= y <= y2
    ]
    return min(holding)[1] if holding else -1
