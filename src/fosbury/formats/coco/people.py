"""Annotations of a COCO file as people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fosbury.formats.coco.categories import Category
from fosbury.formats.coco.findings import Findings, is_id, number_of
from fosbury.pose import AREA_SHARE, NOT_LABELLED, OCCLUDED, VISIBLE, Frame, Person, body_area
from fosbury.skeleton import Skeleton

MIN_JOINTS_INSIDE = 0.5
"""With fewer of its labelled joints inside the picture (or its box), a label belongs elsewhere."""

WEIGHTS = "keypoint_weights"
"""Key of how much each joint of an annotation counts in training, beside COCO's own."""

WHOLE_BOX = 0.99
"""Of the box's area: no body covers as much, so an area from here on is the box's own."""


def read_records(entries: list, found: Findings) -> list[Mapping[str, Any]]:
    """Annotations that are objects, with ids that are there and differ."""
    records: list[Mapping[str, Any]] = []
    ids: set[Any] = set()
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            found.problem(f"annotation at position {position} is not an object")
            continue
        annotation_id = entry.get("id")
        if not is_id(annotation_id):
            found.note("annotations without an id, kept", f"position {position}")
            entry = {**entry, "id": f"at position {position}"}
        elif annotation_id in ids:
            found.problem(f"annotation {annotation_id} at position {position}: its id is taken")
            continue
        ids.add(entry["id"])
        records.append(entry)
    return records


def read_people(
    records: Iterable[Mapping[str, Any]],
    frames: Mapping[Any, Frame],
    *,
    bad_images: set,
    categories: Mapping[Any, Category],
    indices: Mapping[Any, np.ndarray],
    skeleton: Skeleton,
    found: Findings,
) -> dict[Any, list[Person]]:
    """People by image id, with the skeleton's joints in its order (``indices``, see ``joint_indices``)."""
    people: dict[Any, list[Person]] = {}
    for record in records:
        image_id, category_id = record.get("image_id"), record.get("category_id")
        label = f"annotation {record['id']}"
        if not is_id(image_id) or (image_id not in frames and image_id not in bad_images):
            found.problem(f"{label}: is on image {image_id!r}, which the file does not list")
            continue
        if image_id in bad_images:
            found.note("annotations on an image with a problem", label)
            continue
        frame = frames[image_id]
        label += f" on {frame.file_name}"
        if not is_id(category_id) or category_id not in categories:
            found.problem(f"{label}: is of category {category_id!r}, which the file does not list")
            continue
        category = categories[category_id]
        if not category.joints and record.get("keypoints"):
            found.problem(f"{label}: has joints, but category '{category.name}' does not name them")
            continue
        if record.get("iscrowd") in (1, True):
            found.note("crowd regions, left out", label)
            continue
        if category_id not in indices:
            found.note(f"annotations of '{category.name}', which is not this skeleton, left out", label)
            continue
        problems: list[str] = []
        person = _person(record, label, category, indices[category_id], skeleton, frame, found, problems)
        for problem in problems:
            found.problem(f"{label}: {problem}")
        if person is not None and not problems:
            people.setdefault(image_id, []).append(person)
    return people


def _person(
    record: Mapping[str, Any],
    label: str,
    category: Category,
    into: np.ndarray,
    skeleton: Skeleton,
    frame: Frame,
    found: Findings,
    problems: list[str],
) -> Person | None:
    values = record.get("keypoints")
    if values is None or values == []:
        values = [0] * (3 * len(category.joints))
    if not isinstance(values, list):
        problems.append("its keypoints are not a list")
        return None
    if len(values) != 3 * len(category.joints):
        problems.append(
            f"has {len(values)} numbers for the {len(category.joints)} joints of '{category.name}', "
            f"which need {3 * len(category.joints)}"
        )
        return None
    xy, visibility = _joints(values, label, category, found, problems)
    stated_weights = _weights(record, category, problems)
    if problems:
        return None
    labelled = visibility > NOT_LABELLED
    if int(((xy == 0).all(axis=1) & labelled).sum()) > 1:
        problems.append("several joints are marked as labelled at exactly 0, 0; a joint that is not labelled has v 0")
    stated = record.get("num_keypoints")
    if stated is not None and stated != int(labelled.sum()):
        found.note("num_keypoints that lie, counted anew", label)
    box = _box(record, xy[labelled], label, frame, found, problems)
    if box is None or problems or not _belongs(xy, labelled, category, label, frame, found):
        return None
    area = _area(record, box, label, found)
    if not labelled.any():
        found.note("people with a box but no labelled joint, kept beside others", label)
    keypoints = np.full((len(skeleton), 2), np.nan)
    marks = np.zeros(len(skeleton), dtype=np.uint8)
    keypoints[into[into >= 0]] = xy[into >= 0]
    marks[into[into >= 0]] = visibility[into >= 0]
    weights = None
    if stated_weights is not None:
        weights = np.zeros(len(skeleton))
        weights[into[into >= 0]] = stated_weights[into >= 0]
    person = Person(keypoints, marks, box, area, weights)
    return person if (into >= 0).all() else _in_its_own_right(person, skeleton, label, frame, found)


def _area(record: Mapping[str, Any], box: np.ndarray, label: str, found: Findings) -> float:
    """Return the stated area, or, to a hundredth, that of a usual body in the box.

    A file that states none and one that states the box's area (as tools do that have no outline) say the same.
    """
    stated = record.get("area")
    area = None if stated is None else number_of(stated)
    if area is not None and 0 < area < WHOLE_BOX * np.prod(box[2:] - box[:2]):
        return area
    if stated is not None and (area is None or area <= 0):
        found.note(f"areas that are not positive, replaced by {AREA_SHARE} of the box's", label)
    return round(body_area(box), 2) or body_area(box)


def _in_its_own_right(person: Person, skeleton: Skeleton, label: str, frame: Frame, found: Findings) -> Person:
    """Return the person without what only the joints that the skeleton lacks vouched for.

    The category's joints together told that the label belongs here. Those that are left may not, as the legs of an
    athlete whom the picture cuts at the hip: what was written with them alone would be refused when it is read again.
    """
    size = np.array([frame.width, frame.height])
    outside = person.labelled & ~_within(person.keypoints, np.zeros(2), size)
    if outside.sum() > (1 - MIN_JOINTS_INSIDE) * person.labelled.sum():
        for joint in np.flatnonzero(outside):
            kind = "joints outside the image, left out, as are most of those that the skeleton keeps"
            found.note(kind, f"{skeleton.joints[joint]} of {label}")
        person = replace(
            person,
            keypoints=np.where(outside[:, None], np.nan, person.keypoints),
            visibility=np.where(outside, NOT_LABELLED, person.visibility).astype(np.uint8),
        )
    joints = person.keypoints[person.labelled]
    if _in_box(joints, person.box).sum() < MIN_JOINTS_INSIDE * len(joints):
        found.note("boxes that hold few of the skeleton's joints, widened to them", label)
        box = np.concatenate(
            [np.minimum(person.box[:2], joints.min(axis=0)), np.maximum(person.box[2:], joints.max(axis=0))]
        )
        person = replace(person, box=box)
    return person


def _within(xy: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.asarray(((xy >= low) & (xy <= high)).all(axis=-1))


def _in_box(xy: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Mask of the points in a box, give or take a tenth of its larger side."""
    margin = 0.1 * (box[2:] - box[:2]).max()
    return _within(xy, box[:2] - margin, box[2:] + margin)


def _belongs(
    xy: np.ndarray, labelled: np.ndarray, category: Category, label: str, frame: Frame, found: Findings
) -> bool:
    """Whether the label can be of this picture: most joints lie inside, and none farther off than its own size."""
    size = np.array([frame.width, frame.height])
    outside = labelled & ~_within(xy, np.zeros(2), size)
    far = labelled & ((xy < -size) | (xy > 2 * size)).any(axis=1)
    if outside.sum() > (1 - MIN_JOINTS_INSIDE) * labelled.sum():
        reason = f"{outside.sum()} of its {labelled.sum()} joints lie outside"
    elif far.any():
        reason = f"{category.joints[far.argmax()]} lies more than a picture's size outside"
    else:
        for joint in np.flatnonzero(outside):
            found.note("joints outside the image, kept", f"{category.joints[joint]} of {label}")
        return True
    found.misplaced.append(
        f"{label}: {reason} the image of {frame.width}x{frame.height}; it seems to belong to another image"
    )
    return False


def _joints(
    values: list, label: str, category: Category, found: Findings, problems: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates, NaN where not labelled, shape (J, 2), and visibility, shape (J,), in the category's order."""
    xy = np.full((len(category.joints), 2), np.nan)
    visibility = np.zeros(len(category.joints), dtype=np.uint8)
    for joint, name in enumerate(category.joints):
        x, y, v = (number_of(value) for value in values[3 * joint : 3 * joint + 3])
        if v not in (NOT_LABELLED, OCCLUDED, VISIBLE):
            problems.append(f"{name} has visibility {values[3 * joint + 2]!r}, which is none of 0, 1, 2")
        elif v == NOT_LABELLED:
            if x or y:
                found.note("coordinates of joints that are not labelled, left out", f"{name} of {label}")
        elif x is None or y is None:
            problems.append(f"{name} lies at {values[3 * joint]!r}, {values[3 * joint + 1]!r}")
        else:
            xy[joint], visibility[joint] = (x, y), int(v)
    return xy, visibility


def _weights(record: Mapping[str, Any], category: Category, problems: list[str]) -> np.ndarray | None:
    """How much each joint of the category counts in training, shape (J,); None where the file does not say."""
    stated = record.get(WEIGHTS)
    if stated is None:
        return None
    numbers = [number_of(value) for value in stated] if isinstance(stated, list) else []
    if len(numbers) != len(category.joints) or any(number is None or not 0 <= number <= 1 for number in numbers):
        problems.append(f"its {WEIGHTS} are not {len(category.joints)} numbers from 0 to 1, one for each joint")
        return None
    return np.array(numbers, dtype=float)


def _box(
    record: Mapping[str, Any],
    labelled: np.ndarray,
    label: str,
    frame: Frame,
    found: Findings,
    problems: list[str],
) -> np.ndarray | None:
    stated = record.get("bbox")
    if stated is None or stated == []:
        if len(labelled) == 0:
            found.note("annotations without joints and box, left out", label)
            return None
        box = np.concatenate([labelled.min(axis=0), labelled.max(axis=0)])
        if not (box[2:] > box[:2]).all():
            problems.append("has no box, and its joints span none")
            return None
        found.note("boxes absent, derived from the joints", label)
        return box
    numbers = [n for value in stated if (n := number_of(value)) is not None] if isinstance(stated, list) else []
    if len(numbers) != 4 or len(stated) != 4:
        problems.append(f"its box is {stated!r}, not four numbers")
        return None
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        problems.append(f"its box is {width:g} wide and {height:g} high")
        return None
    box = np.array([x, y, round(x + width, 6), round(y + height, 6)])
    if (box[:2] < 0).any() or box[2] > frame.width or box[3] > frame.height:
        found.note("boxes that reach outside the image, kept", label)
    inside = int(_in_box(labelled, box).sum())
    if inside < MIN_JOINTS_INSIDE * len(labelled):
        problems.append(f"its box holds {inside} of its {len(labelled)} joints")
    return box
