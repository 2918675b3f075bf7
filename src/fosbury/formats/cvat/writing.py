"""Write a data set as CVAT's XML of images, which a task takes as 'CVAT 1.1'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator

import numpy as np

from fosbury.files import draft
from fosbury.formats.cvat.drawing import skeleton_svg
from fosbury.pose import NOT_LABELLED, OCCLUDED, Dataset, Frame, Person
from fosbury.skeleton import Skeleton

ANNOTATIONS = "annotations.xml"
DOUBTFUL, DOUBT = "doubtful", 0.5
"""Attribute of a joint to look at, and the weight below which it has it."""
ATHLETE = "athlete"
TAGS = ("phase", "label", "description", "group")
"""Fields of a frame that are attributes of its tag, which is named ``frame``."""


def write_images(dataset: Dataset, folder: Path) -> None:
    """Write ``annotations.xml``.

    A joint without a label is ``outside``. One whose weight is below `DOUBT` has the attribute `DOUBTFUL` and stays
    visible: a joint that is outside in every frame cannot come back (cvat#8844).

    Parameters
    ----------
    dataset : Dataset
    folder : Path
    """
    with draft(folder / ANNOTATIONS) as path, path.open("w", encoding="utf-8") as file:
        xml = XmlLines(file)
        xml.begin("annotations")
        xml.line("version", "1.1")
        _meta(xml, dataset)
        for number, frame in enumerate(sorted(dataset.frames, key=lambda frame: frame.file_name)):
            _image(xml, number, frame, dataset.skeleton)
        xml.end("annotations")


def cvat_labels(skeleton: Skeleton) -> list[dict[str, Any]]:
    """Labels of a CVAT project to paste into its 'Raw' editor: the athlete's skeleton, and a tag of the frame.

    Examples
    --------
    >>> from fosbury.formats.coco import skeleton_of
    >>> [label["name"] for label in cvat_labels(skeleton_of("legs", ["left_hip", "right_hip"]))]
    ['athlete', 'frame']
    """
    doubtful = {
        "name": DOUBTFUL,
        "input_type": "checkbox",
        "mutable": True,
        "values": ["false"],
        "default_value": "false",
    }
    joints = [{"name": joint, "type": "points", "attributes": [doubtful]} for joint in skeleton.joints]
    texts = [
        {"name": name, "input_type": "text", "mutable": True, "values": [""], "default_value": ""} for name in TAGS
    ]
    athlete = {
        "name": ATHLETE,
        "type": "skeleton",
        "attributes": [],
        "sublabels": joints,
        "svg": skeleton_svg(skeleton),
    }
    return [athlete, {"name": "frame", "type": "tag", "attributes": texts}]


def write_cvat_labels(skeleton: Skeleton, path: Path) -> None:
    """Write `cvat_labels` as JSON."""
    with draft(path) as unfinished:
        unfinished.write_text(json.dumps(cvat_labels(skeleton), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


class XmlLines:
    """XML by lines, indented.

    Parameters
    ----------
    file : text file
        Open for writing.
    """

    def __init__(self, file: object):
        self.out = XMLGenerator(file, "utf-8", short_empty_elements=True)  # type: ignore[arg-type]
        self.depth = 0
        self.out.startDocument()

    def begin(self, element: str, /, **attributes: object) -> None:
        """Open an element on a line of its own."""
        self.out.ignorableWhitespace("  " * self.depth)
        self.out.startElement(element, {key: str(value) for key, value in attributes.items()})  # type: ignore[arg-type]
        self.out.ignorableWhitespace("\n")
        self.depth += 1

    def end(self, name: str) -> None:
        """Close an element on a line of its own."""
        self.depth -= 1
        self.out.ignorableWhitespace("  " * self.depth)
        self.out.endElement(name)
        self.out.ignorableWhitespace("\n")

    def line(self, element: str, text: str, /, **attributes: object) -> None:
        """Write an element that holds a text."""
        self.out.ignorableWhitespace("  " * self.depth)
        self.out.startElement(element, {key: str(value) for key, value in attributes.items()})  # type: ignore[arg-type]
        self.out.characters(text)
        self.out.endElement(element)
        self.out.ignorableWhitespace("\n")


def write_labels(xml: XmlLines, skeleton: Skeleton, of_athlete: tuple[str, ...] = ()) -> None:
    """Write the labels of a task: the athlete with its joints, and the tag of a frame.

    Parameters
    ----------
    xml : XmlLines
    skeleton : Skeleton
    of_athlete : tuple of str
        Attributes of the athlete.
    """
    xml.begin("labels")
    write_label(xml, ATHLETE, "skeleton", svg=skeleton_svg(skeleton), attributes=of_athlete)
    write_label(xml, "frame", "tag", attributes=TAGS)
    for joint in skeleton.joints:
        write_label(xml, joint, "points", attributes=(DOUBTFUL,), parent=ATHLETE)
    xml.end("labels")


def _meta(xml: XmlLines, dataset: Dataset) -> None:
    for name in ("meta", "task"):
        xml.begin(name)
    xml.line("name", dataset.skeleton.name)
    xml.line("size", str(len(dataset)))
    xml.line("mode", "annotation")
    write_labels(xml, dataset.skeleton)
    for name in ("task", "meta"):
        xml.end(name)


def write_label(
    xml: XmlLines,
    name: str,
    kind: str,
    *,
    svg: str | None = None,
    attributes: tuple[str, ...] = (),
    parent: str | None = None,
) -> None:
    """Write a label of a task.

    Parameters
    ----------
    xml : XmlLines
    name : str
    kind : str
        CVAT's type.
    svg : str, optional
        Drawing of a skeleton.
    attributes : tuple of str
        Texts, but for `DOUBTFUL`.
    parent : str, optional
        Skeleton that the label is a joint of.
    """
    xml.begin("label")
    xml.line("name", name)
    xml.line("type", kind)
    xml.begin("attributes")
    for attribute in attributes:
        xml.begin("attribute")
        box = attribute == DOUBTFUL
        parts = {"mutable": "True", "input_type": "checkbox" if box else "text"}
        for part, text in {"name": attribute, **parts, "default_value": "false" if box else "", "values": ""}.items():
            xml.line(part, text)
        xml.end("attribute")
    xml.end("attributes")
    if svg is not None:
        xml.line("svg", svg)
    if parent is not None:
        xml.line("parent", parent)
    xml.end("label")


def _image(xml: XmlLines, number: int, frame: Frame, skeleton: Skeleton) -> None:
    xml.begin("image", id=number, name=frame.file_name, width=frame.width, height=frame.height)
    for group, person in enumerate(frame.people, 1):
        _person(xml, person, group, skeleton)
    texts = {name: value for name in TAGS if (value := getattr(frame, name)) is not None}
    if texts:
        xml.begin("tag", label="frame", source="manual")
        for name, text in texts.items():
            xml.line("attribute", text, name=name)
        xml.end("tag")
    xml.end("image")


def _person(xml: XmlLines, person: Person, group: int, skeleton: Skeleton) -> None:
    shared = {"source": "manual", "occluded": 0, "z_order": 0, "group_id": group}
    xml.begin("skeleton", label=ATHLETE, **shared)
    write_joints(xml, person, skeleton)
    xml.end("skeleton")
    xml.begin("box", label=ATHLETE, **corners(person), **shared)
    xml.end("box")


def write_joints(xml: XmlLines, person: Person | None, skeleton: Skeleton, hidden: np.ndarray | None = None) -> None:
    """Write the points of a skeleton, one for each joint.

    Parameters
    ----------
    xml : XmlLines
    person : Person or None
        None: every joint is outside.
    skeleton : Skeleton
    hidden : ndarray, shape (K, 2), optional
        Where joints without a label lie; the corner of the picture without it.
    """
    visibility = np.full(len(skeleton), NOT_LABELLED) if person is None else person.visibility
    outside = visibility == NOT_LABELLED
    places = np.zeros((len(skeleton), 2)) if hidden is None else hidden
    doubtful = np.zeros(len(skeleton), dtype=bool)
    if person is not None:
        places = np.where(outside[:, None], places, person.keypoints)
        doubtful = ~outside & (person.weights is not None) & (person.training_weights < DOUBT)
    for index, joint in enumerate(skeleton.joints):
        state = {"outside": int(outside[index]), "occluded": int(visibility[index] == OCCLUDED), "keyframe": 1}
        place = f"{places[index, 0]:.2f},{places[index, 1]:.2f}"
        xml.begin("points", label=joint, source="manual", points=place, z_order=0, **state)
        xml.line("attribute", "true" if doubtful[index] else "false", name=DOUBTFUL)
        xml.end("points")


def corners(person: Person) -> dict[str, str]:
    """Corners of a person's box, as attributes of an element."""
    return {name: f"{value:.2f}" for name, value in zip(("xtl", "ytl", "xbr", "ybr"), person.box, strict=True)}
