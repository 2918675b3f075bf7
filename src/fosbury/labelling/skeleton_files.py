"""What a person pastes into a labelling tool before pre-labels can be opened there: the definition of the skeleton.

CVAT takes a list of labels (constructor of labels, *Raw*). Its picture of a skeleton is SVG without the element
``svg`` itself: lines between node numbers, and a circle for each joint that names its label. Label Studio takes a
labelling interface in XML (project, *Labeling Interface*, *Code*).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

from fosbury.files import write_json, write_text
from fosbury.skeleton import Skeleton, normalise

PERSON, DOUBTFUL = "person", "doubtful"
"""Names of the label and of the attribute of a joint, as the formats write them."""
CVAT_FILE, LABEL_STUDIO_FILE = "skeleton.json", "config.xml"
LEFT, RIGHT, MIDDLE = "#2f7ed8", "#d8432f", "#3c9d4e"
"""Colours by the side of a joint."""

_STANDING = {
    "head_top": (0, 6), "nose": (0, 14), "eye": (3, 11), "ear": (6, 13), "neck": (0, 22), "shoulder": (13, 25),
    "elbow": (20, 38), "wrist": (24, 50), "hip": (8, 52), "knee": (10, 70), "ankle": (11, 86), "heel": (9, 92),
    "foot": (18, 93), "big_toe": (18, 93), "small_toe": (21, 93),
}  # fmt: skip
"""Where joints are in the picture, in hundredths: to the left or right of the middle, and from the top."""


def layout(skeleton: Skeleton) -> np.ndarray:
    """Places of the joints in a square of 100 x 100 in which a person faces the viewer, shape (K, 2).

    Left joints are to the right, as in a photograph of somebody who faces the camera. Joints without a known place are
    in a row at the bottom.
    """
    known = {normalise(name): place for name, place in _STANDING.items()}
    side = {joint: sign for pair in skeleton.pairs for joint, sign in zip(pair, (1, -1), strict=True)}
    places, spare = [], 0
    for joint, name in enumerate(skeleton.joints):
        part = normalise(name)
        part = part.removeprefix("left").removeprefix("right") if joint in side else part
        if part in known:
            across, down = known[part]
            places.append((50 + side.get(joint, 0) * across, down))
        else:
            places.append((4 + 6 * (spare % 16), 97 - 4 * (spare // 16)))
            spare += 1
    return np.array(places, dtype=float)


def colours(skeleton: Skeleton) -> list[str]:
    """Colour of each joint by its side."""
    side = {joint: colour for pair in skeleton.pairs for joint, colour in zip(pair, (LEFT, RIGHT), strict=True)}
    return [side.get(joint, MIDDLE) for joint in range(len(skeleton))]


def cvat_labels(skeleton: Skeleton) -> list[dict[str, Any]]:
    """Labels of a CVAT project: a skeleton whose every joint can be marked as doubtful."""
    places = layout(skeleton)
    lines = [
        f'<line x1="{places[a][0]:g}" y1="{places[a][1]:g}" x2="{places[b][0]:g}" y2="{places[b][1]:g}" '
        f'stroke="black" data-type="edge" data-node-from="{a + 1}" stroke-width="0.5" data-node-to="{b + 1}"></line>'
        for a, b in skeleton.bones
    ]
    circles = [
        f'<circle r="1.5" stroke="black" fill="{colour}" cx="{x:g}" cy="{y:g}" stroke-width="0.1" '
        f'data-type="element node" data-element-id="{node}" data-node-id="{node}" data-label-name={quoteattr(name)}>'
        "</circle>"
        for node, (name, (x, y), colour) in enumerate(zip(skeleton.joints, places, colours(skeleton), strict=True), 1)
    ]
    attribute = {
        "name": DOUBTFUL,
        "input_type": "checkbox",
        "mutable": True,
        "default_value": "false",
        "values": ["false"],
    }
    joints = [
        {"name": name, "type": "points", "color": colour, "attributes": [attribute]}
        for name, colour in zip(skeleton.joints, colours(skeleton), strict=True)
    ]
    label = {"name": PERSON, "type": "skeleton", "color": MIDDLE, "attributes": []}
    return [label | {"sublabels": joints, "svg": "\n".join([*lines, *circles])}]


def label_studio_config(skeleton: Skeleton) -> str:
    """Labelling interface of a Label Studio project: a rectangle for the person, a point for each joint, doubt."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true", zoomControl="true")
    boxes = ElementTree.SubElement(view, "RectangleLabels", name="box", toName="image")
    ElementTree.SubElement(boxes, "Label", value=PERSON, background=MIDDLE)
    points = ElementTree.SubElement(view, "KeyPointLabels", name="keypoints", toName="image", strokeWidth="4")
    for name, colour in zip(skeleton.joints, colours(skeleton), strict=True):
        ElementTree.SubElement(points, "Label", value=name, background=colour)
    doubt = ElementTree.SubElement(view, "Choices", name=DOUBTFUL, toName="image", perRegion="true", choice="multiple")
    ElementTree.SubElement(doubt, "Choice", value=DOUBTFUL)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def write_cvat_labels(skeleton: Skeleton, folder: Path) -> None:
    """Write `cvat_labels` into a folder."""
    write_json(folder / CVAT_FILE, cvat_labels(skeleton))


def write_label_studio_config(skeleton: Skeleton, folder: Path) -> None:
    """Write `label_studio_config` into a folder."""
    write_text(folder / LABEL_STUDIO_FILE, label_studio_config(skeleton))


SKELETON_FILES: dict[str, Callable[[Skeleton, Path], None]] = {
    "cvat": write_cvat_labels,
    "label_studio": write_label_studio_config,
}
"""What writes the definition for each tool that needs one."""
