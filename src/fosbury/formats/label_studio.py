"""Label Studio's JSON: joints and rectangles are results of their own, in percent of the picture.

A joint belongs to the rectangle that its ``parentID`` or a relation names, else to the smallest that holds it, else all
that are left make one person. What a choice or text of the whole picture says becomes a field of the frame.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from fosbury.documents import parse_json
from fosbury.errors import BadInput, BadInputs
from fosbury.files import write_json, write_text
from fosbury.formats.attributes import FIELDS, frame_fields
from fosbury.formats.coco import read_content
from fosbury.formats.coco.findings import number_of
from fosbury.formats.coco.images import Locate
from fosbury.formats.content import Content, Joint
from fosbury.formats.label_studio_config import CONFIG, DOUBTFUL, OCCLUDED_CHOICE, RECTANGLE, config
from fosbury.formats.registry import LabelFormat
from fosbury.media.files import check_file
from fosbury.media.image import SUFFIXES
from fosbury.pose import OCCLUDED, VISIBLE, Dataset, Frame, Person
from fosbury.skeleton import Skeleton, normalise

TASKS = "tasks.json"
DOUBT = 0.5
"""Weight of a joint below which it is marked as doubtful."""
EXTRAS = ("video", "frame", "timestamp_ms", "group", "source", "stature_mm")
"""Fields of a frame that a task's ``data`` carries beside the picture."""
SAID = (("phase", "choices", "choices"), ("label", "textarea", "text"), ("description", "textarea", "text"))
"""Fields of a frame that are said of the whole picture: name, type of result, and key of its value."""
_HASHED = re.compile(r"[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
_HINT = "export as 'JSON' from Label Studio again"


def read_label_studio(
    path: Path,
    skeleton: Skeleton | None = None,
    images: Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """Read an export 'JSON' or 'JSON-MIN'.

    Of several annotations of a task the last that was not cancelled counts, of predictions the last where there is
    none. ``labelling_config.xml`` beside the file gives the order of the joints.

    Parameters
    ----------
    path : Path
    skeleton, images, on_problem
        As `formats.registry.Reader` has them.

    Raises
    ------
    BadInput, BadInputs
        If it is not such a file, holds no joints, or has a problem that ``read_content`` finds.
    """
    tasks = parse_json(check_file(path).read_bytes(), path, _HINT)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise BadInput(path, "is not a list of Label Studio's tasks", _HINT)
    content = Content(joints={RECTANGLE: _configured(path.with_name(CONFIG))})
    problems = [problem for task in tasks if (problem := _add_task(task, content, images))]
    if problems and (on_problem == "raise" or not content.people):
        raise BadInputs(path, problems, "correct them in Label Studio, or leave them out with --drop-bad")
    if not content.people:
        raise BadInput(
            path, "holds no joints (KeyPointLabels)", "label joints with KeyPointLabels and export as 'JSON'"
        )
    dataset = read_content(content.lists(), path, skeleton, images, on_problem=on_problem)
    dropped = tuple(f"left out for a problem: {problem}" for problem in problems)
    return replace(dataset, notes=dropped + dataset.notes)


def _configured(path: Path) -> list[str]:
    """Joints in the order of a labelling configuration; none where there is none."""
    try:
        labels = parse(path).getroot().iter("KeyPointLabels") if path.is_file() else ()
        return [label.get("value") for group in labels for label in group.iter("Label") if label.get("value")]
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return []


def _add_task(task: Mapping[str, Any], content: Content, images: Locate | None) -> str | None:
    """Add the picture of a task and its people; returns what is wrong with it."""
    results = _results(task)
    unsound = sum(not _sound(result) for result in results)
    data = task["data"] if isinstance(task.get("data"), dict) else task
    if unsound:
        return f"{_picture(data, images)}: has {unsound} results whose value is no object or whose id is no name"
    sizes = [
        (int(width), int(height))
        for result in results
        if (width := number_of(result.get("original_width"))) and (height := number_of(result.get("original_height")))
    ]
    by_region: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
    for result in results:
        by_region[result.get("id")].append(result)
    regions = {result.get("id") for result in results if _label(result, "keypointlabels", "rectanglelabels")}
    whole = [result for result in results if result.get("id") not in regions or "id" not in result]
    fields: dict[str, Any] = {key: data[key] for key in EXTRAS if data.get(key) not in (None, "")}
    fields |= frame_fields(*_said(whole, data))
    turned = next((result["image_rotation"] for result in results if number_of(result.get("image_rotation"))), None)
    if turned is not None and _has_joints(results):
        return f"{_picture(data, images)}: was turned by {turned} degrees while it was labelled, so places are unsure"
    number = content.add_image(_picture(data, images), sizes[0] if sizes else None, **fields)
    for joints, box in _people(results, by_region, sizes[0] if sizes else (1, 1)):
        content.add_person(number, joints, box, RECTANGLE)
    return None


def _sound(result: Any) -> bool:
    """Whether a result has the parts of one: an object ``value``, and ids that are texts or numbers, if any."""
    if not isinstance(result, dict) or not isinstance(result.get("value"), dict | None):
        return False
    return all(isinstance(result.get(key), str | int | None) for key in ("id", "parentID", "from_id", "to_id"))


def _has_joints(results: Sequence[Mapping[str, Any]]) -> bool:
    return any(_label(result, "keypointlabels") for result in results)


def _results(task: Mapping[str, Any]) -> list[Any]:
    """Results of the annotation that counts; those of JSON-MIN are lists of the task itself."""
    for key in ("annotations", "completions", "predictions"):
        made = task.get(key)
        finished = [each for each in made if isinstance(each, dict) and not each.get("was_cancelled")] if made else []
        for each in reversed(finished):
            if isinstance(each.get("result"), list) and each["result"]:
                return list(each["result"])
    flat = []
    for name, values in task.items():
        for value in values if isinstance(values, list) and name not in ("annotations", "predictions") else ():
            if isinstance(value, dict) and _label({"value": value}, "keypointlabels", "rectanglelabels"):
                flat.append({"value": value, "from_name": name, **{k: value.get(k) for k in value if "original" in k}})
    return flat


def _label(result: Mapping[str, Any], *kinds: str) -> str | None:
    """Return the label of a region of one of these kinds."""
    value = result.get("value")
    for kind in kinds:
        labels = value.get(kind) if isinstance(value, dict) else None
        if isinstance(labels, list) and labels and isinstance(labels[0], str):
            return labels[0]
    return None


def _said(whole: Sequence[Mapping[str, Any]], data: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Attributes and tags of the picture: its choices and texts, and what the task carries under a field's name."""
    attributes = {key: value for key, value in data.items() if normalise(key) in FIELDS and isinstance(value, str)}
    tags: list[str] = []
    for result in whole:
        value = result.get("value")
        name = str(result.get("from_name") or "")
        for kind in ("choices", "text"):
            said = value.get(kind) if isinstance(value, dict) else None
            texts = [text for text in (said if isinstance(said, list) else [said]) if isinstance(text, str)]
            if normalise(name) in FIELDS and texts:
                attributes[name] = texts[-1]
            elif kind == "choices":
                tags += texts
    return attributes, tags


def _people(
    results: Sequence[Mapping[str, Any]], by_region: Mapping[Any, list[Mapping[str, Any]]], size: tuple[int, int]
) -> Iterator[tuple[dict[str, Joint], Sequence[float] | None]]:
    """People of a task: joints by name, and box."""
    boxes: dict[Any, tuple[float, float, float, float]] = {}
    for at, result in enumerate(results):
        corners = _corners(result, size)
        if corners and _label(result, "rectanglelabels"):
            boxes[result.get("id", at)] = corners
    links: dict[Any, Any] = {}
    for result in results:
        if result.get("type") == "relation":
            a, b = result.get("from_id"), result.get("to_id")
            links |= {b: a} if a in boxes else {a: b}
    joints: dict[Any, dict[str, Joint]] = defaultdict(dict)
    for result in results:
        name = _label(result, "keypointlabels")
        point = _point(result, size, by_region)
        if name is None or point is None:
            continue
        parents = (result.get("parentID"), links.get(result.get("id")))
        owner = next((parent for parent in parents if parent in boxes), None)
        owner = _holder(point, boxes) if owner is None else owner
        while name in joints[owner]:  # the same joint again is another person's
            owner = (owner, "again")
        joints[owner][name] = point
    for owner, found in joints.items():
        yield found, boxes.get(owner)


def _point(
    result: Mapping[str, Any], size: tuple[int, int], by_region: Mapping[Any, list[Mapping[str, Any]]]
) -> Joint | None:
    value = result.get("value")
    x, y = (number_of(value.get(axis)) for axis in "xy") if isinstance(value, dict) else (None, None)
    if x is None or y is None:
        return None
    choices = [
        choice
        for other in (by_region[result["id"]] if result.get("id") is not None else [result])
        for choice in _listed((other.get("value") or {}).get("choices"))
        if isinstance(choice, str)
    ]
    hidden = any(normalise(choice) == OCCLUDED_CHOICE for choice in choices)
    return x * size[0] / 100, y * size[1] / 100, OCCLUDED if hidden else VISIBLE


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _corners(result: Mapping[str, Any], size: tuple[int, int]) -> tuple[float, float, float, float] | None:
    value = result.get("value") or {}
    x, y, width, height = (number_of(value.get(key)) for key in ("x", "y", "width", "height"))
    if x is None or y is None or not width or not height or number_of(value.get("rotation") or 0):
        return None
    sx, sy = size[0] / 100, size[1] / 100
    return x * sx, y * sy, (x + width) * sx, (y + height) * sy


def _holder(point: Joint, boxes: Mapping[Any, tuple[float, float, float, float]]) -> Any:
    holding = [
        ((x2 - x1) * (y2 - y1), str(key), key)
        for key, (x1, y1, x2, y2) in boxes.items()
        if x1 <= point[0] <= x2 and y1 <= point[1] <= y2
    ]
    return min(holding)[2] if holding else None


def _picture(data: Mapping[str, Any], images: Locate | None) -> str:
    """Name of a task's picture: the longest end of its address that is there, without what an upload put before it."""
    texts = [data[key] for key in ("image", "img", "picture") if isinstance(data.get(key), str)]
    texts += [text for text in data.values() if isinstance(text, str) and text.lower().endswith(SUFFIXES)]
    if not texts:
        return ""
    tries = picture_names(texts[0])
    there = ((name, images(Frame(name, 0, 0))) for name in tries) if images is not None else ()
    return next((name for name, place in there if place and place.is_file()), tries[0])


def picture_names(address: str) -> list[str]:
    """Names that a picture may have below a folder, the likeliest first.

    Examples
    --------
    >>> picture_names("/data/upload/3/0a1b2c3d-jump%201.jpg")
    ['jump 1.jpg', '0a1b2c3d-jump 1.jpg', '3/0a1b2c3d-jump 1.jpg', 'upload/3/0a1b2c3d-jump 1.jpg']
    >>> picture_names("/data/local-files/?d=club/a.jpg")
    ['club/a.jpg', 'a.jpg']
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        return [address]
    local = parse_qs(parts.query).get("d") if "local-files" in parts.path else None
    path = PurePosixPath(local[0] if local else unquote(parts.path).lstrip("/"))
    if not local and not parts.scheme and not address.startswith("/data/"):
        return list(dict.fromkeys([unquote(address), path.name]))
    folders = path.parts[1:] if path.parts[:1] == ("data",) else path.parts
    ends = ["/".join(folders[-length:]) for length in range(1, len(folders) + 1)]
    stripped = [_HASHED.sub("", ends[0], count=1)] if ends and _HASHED.match(ends[0]) else []
    return list(dict.fromkeys([*reversed(ends), *stripped] if local else [*stripped, *ends])) or [address]


def local_address(name: str) -> str:
    """Address of a file of the server's local storage.

    Examples
    --------
    >>> local_address("club/a+b.png"), picture_names(local_address("club/a+b.png"))[0]
    ('/data/local-files/?d=club/a%2Bb.png', 'club/a+b.png')
    """
    return f"/data/local-files/?d={quote(name)}"


def write_label_studio(dataset: Dataset, folder: Path) -> None:
    """Write ``tasks.json`` and ``labelling_config.xml``.

    People with weights are a model's: they become a prediction, to be corrected, and a joint whose weight is below
    `DOUBT` is marked as doubtful. Other people become an annotation. Pictures are addressed as files that the server
    has in its local storage; ``fosbury push`` uploads them instead.

    Parameters
    ----------
    dataset : Dataset
    folder : Path
    """
    frames = sorted(dataset.frames, key=lambda frame: frame.file_name)
    write_json(folder / TASKS, [_task(frame, dataset.skeleton) for frame in frames])
    write_text(folder / CONFIG, config(dataset.skeleton))


def _task(frame: Frame, skeleton: Skeleton) -> dict[str, Any]:
    made = [part for n, person in enumerate(frame.people, 1) for part in _person_results(frame, person, n, skeleton)]
    predicted = any(person.weights is not None for person in frame.people)
    said = [
        {"id": name, "type": kind, "from_name": name, "to_name": "image", "value": {key: [text]}}
        for name, kind, key in (
            ("phase", "choices", "choices"),
            ("label", "textarea", "text"),
            ("description", "textarea", "text"),
        )
        if (text := getattr(frame, name)) is not None
    ]
    extras = {key: value for key in EXTRAS if (value := getattr(frame, key)) is not None}
    result = {"result": [*made, *said]}
    return {
        "data": {"image": local_address(frame.file_name), **extras},
        "annotations": [] if predicted else [result],
        "predictions": [{"model_version": "fosbury", **result}] if predicted else [],
    }


def _person_results(frame: Frame, person: Person, number: int, skeleton: Skeleton) -> Iterator[dict[str, Any]]:
    shared = {"to_name": "image", "original_width": frame.width, "original_height": frame.height, "image_rotation": 0}
    x, y = 100 / frame.width, 100 / frame.height
    x1, y1, x2, y2 = person.box
    rectangle = {"x": x1 * x, "y": y1 * y, "width": (x2 - x1) * x, "height": (y2 - y1) * y, "rotation": 0}
    parent = f"athlete{number}"
    yield {
        "id": parent,
        "type": "rectanglelabels",
        "from_name": "athlete",
        **shared,
        "value": {**rectangle, "rectanglelabels": [RECTANGLE]},
    }
    for at, (joint, place) in enumerate(zip(skeleton.joints, person.keypoints, strict=True)):
        if not person.labelled[at]:
            continue
        region = f"{parent}-{at}"
        spot = {"x": float(place[0] * x), "y": float(place[1] * y), "width": 0.5}
        yield {
            "id": region,
            "type": "keypointlabels",
            "from_name": "joints",
            "parentID": parent,
            **shared,
            "value": {**spot, "keypointlabels": [joint]},
        }
        doubtful = person.weights is not None and person.weights[at] < DOUBT
        occluded = person.visibility[at] == OCCLUDED
        marks = [name for name, on in ((OCCLUDED_CHOICE, occluded), (DOUBTFUL, doubtful)) if on]
        if marks:
            value = {**spot, "choices": marks}
            yield {"id": region, "type": "choices", "from_name": "state", **shared, "value": value}


def _is_label_studio(name: str, head: str) -> bool:
    marks = (
        r'"(?:keypointlabels|completed_by|from_name|to_name|annotator|was_cancelled|total_annotations|file_upload)"\s*:'
        r'|"(?:annotations|predictions)"\s*:\s*\[[^{]*\{[^{}]*"result"\s*:'
    )
    return re.match(r"\s*\[\s*\{", head) is not None and re.search(marks, head) is not None


FORMAT = LabelFormat(
    name="label_studio",
    what="Label Studio's JSON",
    suffixes=(".json",),
    matches=_is_label_studio,
    read=read_label_studio,
    write=write_label_studio,
    loses=("weights", "area"),
)
