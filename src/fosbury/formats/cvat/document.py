"""What CVAT's XML of images and of videos have in common: their labels, and reading them element by element."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from fosbury.errors import BadInput
from fosbury.formats.coco.findings import number_of
from fosbury.formats.content import Joint
from fosbury.media.files import check_file
from fosbury.pose import NOT_LABELLED, OCCLUDED, VISIBLE

EXPORT_AGAIN = "export it from CVAT again"
SKELETON_HINT = "label with a skeleton in CVAT, whose points have the names of joints, and export again"


@dataclass
class Meta:
    """What the head of a file says.

    Attributes
    ----------
    joints : dict of str to list of str
        Joints of each skeleton's label, in CVAT's order.
    bones : dict of str to list of tuple of str
    source, name : str or None
        File of the clip, and name of the task.
    size : tuple of int, or None
        Width and height of the clip.
    """

    joints: dict[str, list[str]] = field(default_factory=dict)
    bones: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    source: str | None = None
    name: str | None = None
    size: tuple[int, int] | None = None


def is_cvat(shapes: str, mode: str) -> Callable[[str, str], bool]:
    """Make the test of a file's head for CVAT's XML of ``shapes``, or of ``mode`` where it holds no shapes."""

    def matches(name: str, head: str) -> bool:
        if not re.search(r"<annotations>\s*<version>1\.", head):
            return False
        first = re.search(r"<(image|track)\s", head)
        return first[1] == shapes if first else f"<mode>{mode}</mode>" in head

    return matches


def elements(path: Path, names: tuple[str, ...], meta: Meta) -> Iterator[Element]:
    """Yield the elements of these names right below the root, each freed before the next is read.

    Parameters
    ----------
    path : Path
    names : tuple of str
    meta : Meta
        Is filled by what the head says.

    Raises
    ------
    BadInput
        If the file is not XML, is cut off, or declares entities, as an attack does and CVAT does not.
    """
    depth, root = 0, None
    try:
        for event, element in iterparse(check_file(path), events=("start", "end")):
            if event == "start":
                root = element if root is None else root
                depth += 1
                continue
            depth -= 1
            if depth == 1 and root is not None:
                if element.tag == "meta":
                    _read_meta(element, meta)
                elif element.tag in names:
                    yield element
                root.clear()
    except ParseError as error:
        raise BadInput(path, f"is not XML, or cut off ({error})", EXPORT_AGAIN) from None
    except DefusedXmlException as error:
        raise BadInput(path, f"declares entities ({type(error).__name__}), as CVAT never does", EXPORT_AGAIN) from None
    except (LookupError, ValueError, UnicodeError) as error:
        raise BadInput(path, f"is XML that cannot be read ({error})"[:200], EXPORT_AGAIN) from None


def _read_meta(meta: Element, into: Meta) -> None:
    children: dict[str, list[str]] = defaultdict(list)
    for label in meta.iter("label"):
        name, parent = label.findtext("name"), label.findtext("parent")
        if name and parent:
            children[parent].append(name)
        if name and label.findtext("type") == "skeleton":
            into.joints.setdefault(name, [])
            into.bones[name] = _bones(label.findtext("svg") or "")
    for name, joints in children.items():
        into.joints[name] = list(dict.fromkeys(joints))
    into.source = next((each.text for each in meta.iter("source") if each.text), None)
    into.name = next((each.findtext("name") for each in meta if each.tag in ("task", "project", "job")), None)
    size = next(meta.iter("original_size"), None)
    if size is not None:
        width, height = (_whole(size.findtext(side)) for side in ("width", "height"))
        into.size = (width, height) if width and height else None


def _bones(svg: str) -> list[tuple[str, str]]:
    """Bones of a skeleton's drawing: its edges join nodes by number, its circles name them."""
    names = {}
    for circle in re.findall(r"<circle[^>]*>", svg):
        number, name = _attribute(circle, "data-node-id"), _attribute(circle, "data-label-name")
        if number and name:
            names[number] = name
    lines = re.findall(r"<line[^>]*>", svg)
    edges = [(_attribute(line, "data-node-from"), _attribute(line, "data-node-to")) for line in lines]
    return [(names[a], names[b]) for a, b in edges if a in names and b in names]


def _attribute(tag: str, name: str) -> str | None:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else None


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,6}", text.strip()) else None


def whole(element: Element, name: str) -> int | None:
    """Return an attribute that is a whole number, such as ``frame``; None where it is not."""
    return _whole(element.get(name))


def points_of(element: Element) -> list[tuple[float, float]]:
    """Points of an element, such as ``3.5,4;7,8``; those that are no numbers are left out."""
    found = []
    for pair in (element.get("points") or "").split(";"):
        numbers = [_number(part) for part in pair.split(",")]
        if len(numbers) == 2 and numbers[0] is not None and numbers[1] is not None:
            found.append((numbers[0], numbers[1]))
    return found


def _number(text: str | None) -> float | None:
    try:
        return number_of(float(text)) if text is not None else None
    except ValueError:
        return None


def joint_of(element: Element) -> Joint | None:
    """Return a joint from an element of one point: ``outside`` is not labelled, ``occluded`` is occluded."""
    points = points_of(element)
    if element.get("outside") == "1":
        return 0.0, 0.0, NOT_LABELLED
    return (*points[0], OCCLUDED if element.get("occluded") == "1" else VISIBLE) if len(points) == 1 else None


def box_of(element: Element) -> tuple[float, float, float, float] | None:
    """Corners of a box element; None where it is none, or is turned."""
    corners = [_number(element.get(name)) for name in ("xtl", "ytl", "xbr", "ybr")]
    x1, y1, x2, y2 = corners
    if x1 is None or y1 is None or x2 is None or y2 is None or not (x2 > x1 and y2 > y1):
        return None
    return (x1, y1, x2, y2) if (_number(element.get("rotation")) or 0.0) == 0.0 else None


def attributes_of(element: Element) -> dict[str, str]:
    """Attributes that a person gave an element, by name."""
    return {each.get("name") or "": (each.text or "").strip() for each in element.findall("attribute")}
