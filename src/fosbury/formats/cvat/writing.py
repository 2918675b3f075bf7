"""Write a data set as CVAT's XML of images, which a task takes as 'CVAT 1.1'."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import XMLGenerator

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
        xml = _Writer(file)
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


class _Writer:
    """XML by lines, indented."""

    def __init__(self, file: object):
        self.out = XMLGenerator(file, "utf-8", short_empty_elements=True)  # type: ignore[arg-type]
        self.depth = 0
        self.out.startDocument()

    def begin(self, element: str, /, **attributes: object) -> None:
        self.out.ignorableWhitespace("  " * self.depth)
        self.out.startElement(element, {key: str(value) for key, value in attributes.items()})  # type: ignore[arg-type]
        self.out.ignorableWhitespace("\n")
        self.depth += 1

    def end(self, name: str) -> None:
        self.depth -= 1
        self.out.ignorableWhitespace("  " * self.depth)
        self.out.endElement(name)
        self.out.ignorableWhitespace("\n")

    def line(self, element: str, text: str, /, **attributes: object) -> None:
        self.out.ignorableWhitespace("  " * self.depth)
        self.out.startElement(element, {key: str(value) for key, value in attributes.items()})  # type: ignore[arg-type]
        self.out.characters(text)
        self.out.endElement(element)
        self.out.ignorableWhitespace("\n")


def _meta(xml: _Writer, dataset: Dataset) -> None:
    for name in ("meta", "task"):
        xml.begin(name)
    xml.line("name", dataset.skeleton.name)
    xml.line("size", str(len(dataset)))
    xml.line("mode", "annotation")
    xml.begin("labels")
    _label(xml, ATHLETE, "skeleton", svg=skeleton_svg(dataset.skeleton))
    _label(xml, "frame", "tag", attributes=TAGS)
    for joint in dataset.skeleton.joints:
        _label(xml, joint, "points", attributes=(DOUBTFUL,), parent=ATHLETE)
    for name in ("labels", "task", "meta"):
        xml.end(name)


def _label(
    xml: _Writer,
    name: str,
    kind: str,
    *,
    svg: str | None = None,
    attributes: tuple[str, ...] = (),
    parent: str | None = None,
) -> None:
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


def _image(xml: _Writer, number: int, frame: Frame, skeleton: Skeleton) -> None:
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


def _person(xml: _Writer, person: Person, group: int, skeleton: Skeleton) -> None:
    shared = {"source": "manual", "occluded": 0, "z_order": 0, "group_id": group}
    x1, y1, x2, y2 = (f"{value:.2f}" for value in person.box)
    xml.begin("skeleton", label=ATHLETE, **shared)
    for joint, (x, y), visibility, weight in zip(
        skeleton.joints, person.keypoints, person.visibility, person.training_weights, strict=True
    ):
        outside = visibility == NOT_LABELLED
        place = "0.00,0.00" if outside else f"{x:.2f},{y:.2f}"
        state = {"outside": int(outside), "occluded": int(visibility == OCCLUDED), "keyframe": 1}
        xml.begin("points", label=joint, source="manual", points=place, z_order=0, **state)
        doubtful = not outside and person.weights is not None and weight < DOUBT
        xml.line("attribute", "true" if doubtful else "false", name=DOUBTFUL)
        xml.end("points")
    xml.end("skeleton")
    xml.begin("box", label=ATHLETE, xtl=x1, ytl=y1, xbr=x2, ybr=y2, **shared)
    xml.end("box")
