"""CVAT's XML, read element by element: whose it is, and what a shape of it says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from fosbury.errors import BadInput
from fosbury.formats.coco.findings import number_of
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Joint
from fosbury.formats.cvat.meta import Meta, whole
from fosbury.media.files import check_file, unsafe_name
from fosbury.pose import NOT_LABELLED, OCCLUDED, VISIBLE, Frame

EXPORT_AGAIN = "export it from CVAT again"
SKELETON_HINT = "label with a skeleton in CVAT, whose points have the names of joints, and export again"
DEEPEST = 20
"""Levels of elements; CVAT writes eight (the values of a label's attribute)."""
MOST_ELEMENTS = 200_000
"""Of one image, one shape of a track, or the head, which has about twenty for each label."""
PICTURES = (".png", ".PNG", ".jpg", ".jpeg")
"""Suffixes of the frames that CVAT writes beside its labels, the usual first."""


def is_cvat(shapes: str, mode: str) -> Callable[[str, str], bool]:
    """Make the test of a file's head for CVAT's XML of ``shapes``, or of ``mode`` where it holds no shapes."""

    def matches(name: str, head: str) -> bool:
        if not re.search(r"<annotations>\s*<version>1\.", head):
            return False
        first = re.search(r"<(image|track)\s", head)
        return first[1] == shapes if first else f"<mode>{mode}</mode>" in head

    return matches


def elements(path: Path, meta: Meta) -> Iterator[tuple[list[Element], Element]]:
    """Yield the elements right below the root, and those of tracks, each freed before the next is read.

    Parameters
    ----------
    path : Path
    meta : Meta
        Is filled by what the head says.

    Yields
    ------
    tuple of list of Element and Element
        The tracks that an element is part of, the outer first (none for an image), and the element.

    Raises
    ------
    BadInput
        If the file is not XML, is cut off, declares entities, as an attack does and CVAT does not, or holds an element
        of a size or depth that CVAT never writes.
    """
    around: list[Element] = []
    held = 0
    try:
        for event, element in iterparse(check_file(path), events=("start", "end")):
            if event == "start":
                around.append(element)
                held += 1
                if len(around) > DEEPEST or held > MOST_ELEMENTS:
                    problem = f"nests deeper than {DEEPEST} levels or has over {MOST_ELEMENTS} elements in one"
                    raise BadInput(path, f"{problem}, as CVAT never does", EXPORT_AGAIN)
                continue
            around.pop()
            tracks = around[1:]
            if not around or any(each.tag != "track" for each in tracks):
                continue
            if element.tag == "meta" and not tracks:
                meta.read(element)
            elif element.tag != "track":
                yield tracks, element
            del around[-1][:]
            held = 0
    except ParseError as error:
        raise BadInput(path, f"is not XML, or cut off ({error})", EXPORT_AGAIN) from None
    except DefusedXmlException as error:
        raise BadInput(path, f"declares entities ({type(error).__name__}), as CVAT never does", EXPORT_AGAIN) from None
    except (LookupError, ValueError, UnicodeError) as error:
        raise BadInput(path, f"is XML that cannot be read ({error})"[:200], EXPORT_AGAIN) from None


def number(element: Element, name: str) -> int | None:
    """Return an attribute that is a whole number, such as ``frame``; None where it is not."""
    return whole(element.get(name))


def points_of(element: Element) -> list[tuple[float, float]]:
    """Points of an element, such as ``3.5,4;7,8``; those that are no numbers are left out."""
    found = []
    for pair in (element.get("points") or "").split(";"):
        x, _, y = pair.partition(",")
        place = _number(x), _number(y)
        if place[0] is not None and place[1] is not None:
            found.append((place[0], place[1]))
    return found


def _number(text: str | None) -> float | None:
    try:
        return number_of(float(text)) if text is not None else None
    except ValueError:
        return None


def joint_of(element: Element) -> Joint | None:
    """Return a joint from an element of one point: ``outside`` is not labelled, ``occluded`` is occluded."""
    if element.get("outside") == "1":
        return 0.0, 0.0, NOT_LABELLED
    points = points_of(element)
    return (*points[0], OCCLUDED if element.get("occluded") == "1" else VISIBLE) if len(points) == 1 else None


def joints_of(skeleton: Element) -> dict[str, Joint]:
    """Joints of a skeleton's element by the labels of its points; those that are no single point are left out."""
    joints = {point.get("label") or "": joint_of(point) for point in skeleton.iterfind("points")}
    return {name: joint for name, joint in joints.items() if name and joint is not None}


def box_of(element: Element) -> tuple[float, float, float, float] | None:
    """Corners of a box element; None where it is none, or is turned."""
    corners = [_number(element.get(name)) for name in ("xtl", "ytl", "xbr", "ybr")]
    x1, y1, x2, y2 = corners
    if x1 is None or y1 is None or x2 is None or y2 is None or not (x2 > x1 and y2 > y1):
        return None
    return (x1, y1, x2, y2) if (_number(element.get("rotation")) or 0.0) == 0.0 else None


def attributes_of(element: Element) -> dict[str, str]:
    """Attributes that a person gave an element, by name."""
    return {each.get("name") or "": (each.text or "").strip() for each in element.iterfind("attribute")}


def found_picture(names: list[str], images: Locate | None, clip: str | None = None, frame: int | None = None) -> str:
    """Return the first of the names that a picture has, else the first; ``clip`` and ``frame`` it may be taken from."""
    if images is not None and len(names) > 1:
        for name in names:
            there = None if unsafe_name(name) else images(Frame(name, 0, 0, video=clip, frame=frame))
            if there is not None and there.is_file():
                return name
    return names[0]
