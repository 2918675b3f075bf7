"""YOLO's pose labels: ``data.yaml`` and a text file a picture, as CVAT, Roboflow and Ultralytics write them.

What ``data.yaml`` says of folders is passed over, since it is often wrong after a copy: labels are the ``.txt`` files
below folders named ``labels`` beside it, and their pictures have the same names below ``images``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml

from fosbury.documents import parse_json, read_yaml
from fosbury.errors import BadInput, BadInputs
from fosbury.files import write_text
from fosbury.formats.coco import read_content
from fosbury.formats.coco.findings import number_of
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint
from fosbury.formats.layout import LabelFile, bases
from fosbury.formats.registry import LabelFormat
from fosbury.formats.yolo import description, label_lines
from fosbury.media.image import SUFFIXES, image_size
from fosbury.pose import NOT_LABELLED, OCCLUDED, VISIBLE, Dataset, Frame
from fosbury.skeleton import Skeleton

DATA = "data.yaml"
LABELS, IMAGES = "labels", "images"
META = "dataset_meta.json"
"""Beside ``data.yaml`` where Datumaro wrote it with what it knows of the labels."""
NAMED_BY = ("kpt_names", "keypoint_names", "keypoints")
"""Keys of joint names; the first is Ultralytics', the others are people's."""
SUBSET = "train"
"""Part of the set that is written."""
DEEPEST = 4
COCO_JOINTS = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow"),
    *("right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle"),
    "right_ankle",
)
"""Joints of COCO's people in their order, which Ultralytics' own models have."""


def read_yolo_pose(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read ``data.yaml`` and the text files beside it.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them; the sizes of the pictures are needed.

    Returns
    -------
    Dataset
        The joints are those of ``kpt_names``; without names they are taken for the skeleton's where it has as many,
        and 17 for COCO's, with a note.

    Raises
    ------
    BadInput, BadInputs
        If joints cannot be named, a line is not what ``kpt_shape`` says, or ``read_content`` finds a problem.
    """
    values = read_yaml(path, "correct that line, or export the set again")
    classes = _classes(path, values)
    joints, note = _joints(path, values, classes, skeleton)
    content = Content(joints={classes[kind]: list(names) for kind, names in joints.items()})
    problems: list[str] = []
    measured: set[str] = set()
    for relative in label_names(path):
        name = _add_image(path.parent / relative, relative, images, content, classes, problems)
        measured |= {name} if name else set()
    if not content.images:
        raise BadInput(path, f"has no text files below a folder '{LABELS}' beside it", "copy the labels there")
    if problems and on_problem == "raise":
        raise BadInputs(path, problems, "correct them, or leave them out with 'fosbury import --drop-bad'")

    def locate(frame: Frame) -> Path | None:
        return None if images is None or frame.file_name in measured else images(frame)

    dataset = read_content(content.lists(), path, skeleton, locate, on_problem=on_problem)
    notes = [f"left out for a problem: {problem}" for problem in problems]
    return replace(dataset, notes=(*note, *notes, *dataset.notes))


def label_names(path: Path) -> list[str]:
    """Text files of labels beside a ``data.yaml``, relative to its folder, sorted."""
    folder = path.parent
    found = []
    for file in _files(folder, 0):
        relative = file.relative_to(folder)
        if LABELS in relative.parts[:-1] and file.suffix == ".txt":
            found.append(relative.as_posix())
    return sorted(found)


def _files(folder: Path, depth: int) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir() and depth < DEEPEST:
            yield from _files(entry, depth + 1)
        elif entry.is_file():
            yield entry


def picture_names(relative: str) -> list[str]:
    """Names that the picture of a text file may have, the likeliest first.

    Examples
    --------
    >>> picture_names("labels/train/a.txt")[:2], picture_names("labels/train/a.txt")[-1]
    (['images/train/a.jpg', 'images/train/a.jpeg'], 'a.gif')
    """
    path = PurePosixPath(relative)
    parts = path.with_suffix("").parts
    at = len(parts) - 1 - parts[::-1].index(LABELS)
    stems = ["/".join((*parts[:at], folder, *parts[at + 1 :])) for folder in (IMAGES, "image")]
    stems += ["/".join((*parts[:at], *parts[at + 1 :])), "/".join(parts[at + 1 :]), parts[-1]]
    return [f"{stem}{suffix}" for stem in dict.fromkeys(stems) for suffix in SUFFIXES]


def _names(path: Path) -> list[str]:
    return [name for relative in label_names(path) for name in picture_names(relative)]


def _classes(path: Path, values: Any) -> dict[int, str]:
    """Names of the classes by number; of two with one name the second has its number in it."""
    names = values.get("names") if isinstance(values, dict) else None
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict) or not listed:
        raise BadInput(path, "has no list 'names' of its classes", "export the set again")
    classes: dict[int, str] = {}
    for key, name in listed.items():
        kind = int(key) if isinstance(key, str) and key.isdecimal() else key
        if type(kind) is not int or not isinstance(name, str | int):
            raise BadInput(path, f"has a class {key!r}: {name!r} in 'names'", "name each number once")
        classes[kind] = str(name) if str(name) not in classes.values() else f"{name} {kind}"
    return classes


def _joints(
    path: Path, values: Mapping[str, Any], classes: Mapping[int, str], skeleton: Skeleton | None
) -> tuple[dict[int, list[str]], list[str]]:
    """Joints of each class, and a note where they had to be guessed."""
    count = _count(path, values)
    for key in NAMED_BY:
        if values.get(key) is not None:
            return _stated(path, key, values[key], classes, count), []
    if (by_tool := _of_datumaro(path.parent / META, classes, count)) is not None:
        return by_tool, []
    if skeleton is not None and len(skeleton) == count:
        note = f"joints without names, taken for the {count} of skeleton '{skeleton.name}' in their order"
        return {kind: list(skeleton.joints) for kind in classes}, [note]
    if count == len(COCO_JOINTS):
        note = f"joints without names, taken for COCO's {count} in their order; 'kpt_names' in {path.name} names others"
        return {kind: list(COCO_JOINTS) for kind in classes}, [note]
    example = "kpt_names: {0: [left_hip, right_hip, ...]}"
    raise BadInput(path, f"does not name its {count} joints", f"add a line '{example}', in the order of the numbers")


def _count(path: Path, values: Mapping[str, Any]) -> int:
    shape = values.get("kpt_shape")
    count = shape[0] if isinstance(shape, list) and len(shape) == 2 else None
    if type(count) is not int or not 0 < count < 1000:
        raise BadInput(path, f"has kpt_shape {shape!r}, not the numbers of joints and of values", "correct it")
    return count


def unnamed_joints(path: Path) -> int:
    """Return how many joints the labels have without naming them; 0 where they name them."""
    values = read_yaml(path, "correct that line, or export the set again")
    classes, count = _classes(path, values), _count(path, values)
    named = any(values.get(key) is not None for key in NAMED_BY)
    return 0 if named or _of_datumaro(path.parent / META, classes, count) is not None else count


def _stated(path: Path, key: str, stated: Any, classes: Mapping[int, str], count: int) -> dict[int, list[str]]:
    """Joints of each class from a list for all of them, or from lists by class, of which one may do for all."""
    by_class = {str(kind): names for kind, names in stated.items()} if isinstance(stated, Mapping) else {}
    given = list(by_class.values()) if by_class else [stated]
    fitting = all(isinstance(names, list) and len(names) == count for names in given)
    if not fitting or not all(isinstance(name, str | int) for names in given for name in names):
        raise BadInput(path, f"has {key} that are not {count} names", "correct them")
    lists = {kind: by_class.get(str(kind), given[0] if len(given) == 1 else None) for kind in classes}
    lacking = [name for kind, name in classes.items() if lists[kind] is None]
    if lacking:
        raise BadInput(path, f"has {key} but none for class '{lacking[0]}'", "name its joints, too")
    return {kind: [str(name) for name in names] for kind, names in lists.items() if names is not None}


def _of_datumaro(path: Path, classes: Mapping[int, str], count: int) -> dict[int, list[str]] | None:
    """Joints of each class as Datumaro writes them beside ``data.yaml``; None where it did not, or they do not fit."""
    if not path.is_file():
        return None
    content = parse_json(path.read_bytes(), path, "delete it, or export the set again")
    stated = content.get("point_categories") if isinstance(content, dict) else None
    lists = []
    for entry in stated if isinstance(stated, list) else []:
        names = entry.get("labels") if isinstance(entry, dict) else None
        names = entry[1] if isinstance(entry, list) and len(entry) > 1 else names
        if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str) for name in names):
            return None
        lists.append(names)
    return dict(zip(sorted(classes), lists, strict=True)) if len(lists) == len(classes) else None


def _add_image(
    file: Path,
    relative: str,
    images: Locate | None,
    content: Content,
    classes: Mapping[int, str],
    problems: list[str],
) -> str | None:
    """Add the image of a text file with its people; returns its name if its picture was there to be measured."""
    tries = picture_names(relative)
    there = ((name, images(Frame(name, 0, 0))) for name in tries) if images is not None else ()
    name, picture = next(((name, place) for name, place in there if place and place.is_file()), (tries[0], None))
    try:
        size = None if picture is None else image_size(picture)
    except BadInput as error:
        problems.append(str(error))
        return None
    number = content.add_image(name, size)
    width, height = size or (1, 1)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        problems.append(f"{relative} is not text")
        return None
    for at, line in enumerate(text.splitlines(), 1):
        values = [_number(word) for word in line.split()]
        if not values:
            continue
        person = _person(values, classes, content)
        if isinstance(person, str):
            problems.append(f"{relative}, line {at}: {person}")
            continue
        category, box, joints = person
        scaled = {joint: (x * width, y * height, v) for joint, (x, y, v) in joints.items()}
        x1, y1, x2, y2 = box
        content.add_person(number, scaled, (x1 * width, y1 * height, x2 * width, y2 * height), category)
    return None if size is None else name


def _number(word: str) -> float | None:
    return number_of(float(word)) if re.fullmatch(r"[-+]?\d*\.?\d+(?:[eE][-+]?\d+)?\.?", word) else None


def _person(
    values: list[float | None], classes: Mapping[int, str], content: Content
) -> tuple[str, tuple[float, float, float, float], dict[str, Joint]] | str:
    """Class, relative box and relative joints of a line; a sentence where it is none."""
    numbers = [value for value in values if value is not None]
    if len(numbers) != len(values):
        return "holds something that is no number"
    kind = numbers[0]
    if kind not in classes:
        return f"is of class {kind:g}, which is not among the {len(classes)} names"
    names = content.joints[classes[int(kind)]]
    given = len(numbers) - 5
    fitting = [
        step for step in (3, 2) if given in (step * len(names), step * len(names) + 1)
    ]  # a track's id at the end
    if not fitting:
        return f"has {given} numbers for {len(names)} joints, not 2 or 3 for each"
    step = fitting[0]
    cx, cy, w, h = numbers[1:5]
    joints: dict[str, Joint] = {}
    for index, name in enumerate(names):
        x, y, *stated = numbers[5 + step * index : 5 + step * (index + 1)]
        seen = stated[0] if stated else (VISIBLE if (x, y) != (0, 0) else NOT_LABELLED)
        if seen not in (NOT_LABELLED, OCCLUDED, VISIBLE):
            return f"{name} has visibility {seen:g}, which is none of 0, 1, 2"
        joints[name] = (x, y, int(seen))
    return classes[int(kind)], (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), joints


def find_yolo_pose(path: Path) -> list[LabelFile]:
    """Return the ``data.yaml`` of a folder, which labels all its parts."""
    files = [path] if path.is_file() else [file for base in bases(path) for file in sorted(base.glob("*.y*ml"))]
    known = [file for file in files if path.is_file() or FORMAT.sniff(file)][:1]
    return [LabelFile(file, (file.parent,), file.parent) for file in known]


def write_yolo_pose(dataset: Dataset, folder: Path) -> None:
    """Write ``data.yaml`` and ``labels/train``; a joint outside its picture is not labelled there.

    Parameters
    ----------
    dataset : Dataset
    folder : Path

    Raises
    ------
    BadInput
        If two pictures differ only in their suffix, and so would share a text file.
    """
    taken: dict[PurePosixPath, str] = {}
    for frame in dataset.frames:
        other = taken.setdefault(PurePosixPath(frame.file_name).with_suffix(""), frame.file_name)
        if other != frame.file_name:
            raise BadInput(frame.file_name, f"has the name of {other} but for the suffix", "rename one of the two")
        unweighted = replace(frame, people=tuple(replace(person, weights=None) for person in frame.people))
        place = folder / LABELS / SUBSET / PurePosixPath(frame.file_name).with_suffix(".txt")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(f"{line}\n" for line in label_lines(unweighted)), encoding="utf-8", newline="\n")
    # Without `path` Ultralytics takes folders relative to this file; with "." it would take the current folder.
    values = {"train": f"{IMAGES}/{SUBSET}", "val": f"{IMAGES}/{SUBSET}", **description(dataset.skeleton)}
    write_text(folder / DATA, yaml.safe_dump(values, sort_keys=False, default_flow_style=None, allow_unicode=True))


def _is_yolo_pose(name: str, head: str) -> bool:
    return re.search(r"(?m)^kpt_shape\s*:", head) is not None


FORMAT = LabelFormat(
    name="yolo_pose",
    what="YOLO pose labels of Ultralytics, CVAT or Roboflow (data.yaml)",
    suffixes=(".yaml", ".yml", ".txt"),
    matches=lambda name, head: not name.endswith(".txt") and _is_yolo_pose(name, head),
    read=read_yolo_pose,
    find=find_yolo_pose,
    unnamed=unnamed_joints,
    names=_names,
    write=write_yolo_pose,
    pictures=f"{IMAGES}/{SUBSET}",
    loses=(
        *("video", "frame", "timestamp_ms", "phase", "group", "source", "stature_mm", "label", "description"),
        *("weights", "area"),
    ),
)
