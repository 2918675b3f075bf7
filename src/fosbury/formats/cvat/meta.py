"""The head of CVAT's XML: labels with their joints, and the tasks with their clips."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

FRAME = re.compile(r"frame_(\d{6,9})")
"""How CVAT calls the frames of a clip."""


@dataclass(frozen=True)
class Task:
    """A task, or the job of one that was exported alone.

    Attributes
    ----------
    number : str or None
        By which images and tracks of a project name their task.
    source, name : str or None
        File of the clip, if the task has one, and the task's name.
    size : tuple of int, or None
        Width and height of the clip.
    of_pictures : bool
        Whether the task says that it is of pictures, not of a clip.
    offset : int
        What the numbers of its frames are too large by: a project counts through the tasks of a subset.
    frames : tuple of int, or None
        First and last frame of the clip that the task may have, in a project.
    """

    number: str | None
    source: str | None
    name: str | None
    size: tuple[int, int] | None
    of_pictures: bool
    offset: int = 0
    frames: tuple[int, int] | None = None

    def frame(self, number: int) -> int | None:
        """Return the frame of the clip that a number stands for; None where the task cannot have it."""
        frame = number - self.offset
        return frame if self.frames is None or self.frames[0] <= frame <= self.frames[1] else None


@dataclass
class Meta:
    """What the head of a file says.

    Attributes
    ----------
    joints : dict of str to list of str
        Joints of each skeleton's label, in CVAT's order.
    bones : dict of str to list of tuple of str
    labels : list of str
        Labels that are no joint of a skeleton, in CVAT's order.
    tasks : list of Task
    """

    joints: dict[str, list[str]] = field(default_factory=dict)
    bones: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    def read(self, meta: Element) -> None:
        """Take in the element ``meta``."""
        children: dict[str, list[str]] = defaultdict(list)
        for label in meta.iter("label"):
            name, parent = _text(label, "name"), _text(label, "parent")
            if name is None:
                continue
            if parent is not None:
                children[parent].append(name)
            elif label.findtext("type") == "skeleton":
                self.joints.setdefault(name, [])
                self.bones[name] = _bones(label.findtext("svg") or "")
            else:
                self.labels.append(name)
        for name, joints in children.items():
            self.joints[name] = list(dict.fromkeys(joints))
        elements = [*meta.iter("task"), *meta.iter("job")]
        in_project = meta.find("project") is not None
        first: dict[str, int] = defaultdict(int)
        for element in elements:
            subset = _text(element, "subset") or ""
            task = _task(element, meta, alone=len(elements) == 1)
            if in_project:
                start, stop = (whole(element.findtext(name)) for name in ("start_frame", "stop_frame"))
                frames = None if stop is None else (start or 0, stop)
                task = replace(task, offset=first[subset], frames=frames)
                first[subset] += _frames_of(element)
            self.tasks.append(task)

    def task(self, number: str | None) -> Task | None:
        """Task of this number, by which images and tracks of a project name theirs; else the only one."""
        if number is None:
            return self.tasks[0] if len(self.tasks) == 1 else None
        return next((task for task in self.tasks if task.number == number), None)

    def in_order(self, joints: Sequence[str]) -> list[str]:
        """Return labels of single points in the order of the head, then those that it does not name."""
        known = [label for label in self.labels if label in joints]
        return known + [joint for joint in joints if joint not in known]


def _task(element: Element, meta: Element, *, alone: bool) -> Task:
    source = _text(element, "source") or (_text(meta, "source") if alone else None)  # beside the task in CVAT 1
    shape = element.find("original_size")
    sides = [None, None] if shape is None else [whole(shape.findtext(side)) for side in ("width", "height")]
    size = (sides[0], sides[1]) if sides[0] and sides[1] else None
    name = None if source is None else PurePosixPath(source.replace("\\", "/")).name
    of_pictures = name is None and _text(element, "mode") == "annotation"
    return Task(_text(element, "id"), name, _text(element, "name"), size, of_pictures)


def _frames_of(task: Element) -> int:
    """Frames that a project counts on by after a task: from the clip's first to the last that the task has."""
    step = re.search(r"step\s*=\s*(\d{1,6})", task.findtext("frame_filter") or "")
    frames = (whole(task.findtext("size")) or 0) * (int(step[1]) if step else 1)
    return (whole(task.findtext("start_frame")) or 0) + frames


def _text(element: Element, name: str) -> str | None:
    return (element.findtext(name) or "").strip() or None


def whole(text: str | None) -> int | None:
    """Return a whole number that is not negative, such as a frame's; None where the text is none."""
    return int(text) if text and re.fullmatch(r"\d{1,18}", text.strip()) else None


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
