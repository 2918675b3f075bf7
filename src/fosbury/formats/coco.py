"""COCO keypoints: the format that this project stores, and that most tools can write.

COCO's annotators clicked on continuous coordinates with the origin at the top-left corner, which is this project's
convention too (see ``pose.py``), so numbers go in and out as they are: nothing is shifted by half a pixel.

Beyond plain COCO an image may carry ``video``, ``frame``, ``timestamp_ms``, ``phase``, ``group``, ``source`` and
``stature_mm``; other readers ignore them.

What would silently spoil training (a joint on the wrong picture, a number that is none, two images under one id) is a
problem; what is harmless (a joint outside the picture, a wrong ``num_keypoints``) is put right or kept, and noted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from fosbury.errors import BadInput, BadInputs
from fosbury.media.files import check_file, unsafe_name
from fosbury.media.image import image_size
from fosbury.pose import NOT_LABELLED, OCCLUDED, PHASES, VISIBLE, Dataset, Frame, Person
from fosbury.skeleton import Skeleton, normalise

Locate = Callable[[Frame], Path | None]
"""Where a frame's picture ought to lie; None where there is none to check."""

OWN_SIGMA = 0.05
"""OKS sigma of every joint of a skeleton that is made from a file; COCO's range from 0.025 to 0.107."""
MIN_SHARED_JOINTS = 0.5
"""Share of the skeleton's joints that a category must name to be taken for the same kind of being."""
MIN_JOINTS_INSIDE = 0.5
"""With fewer of its labelled joints inside the picture (or its box), a label belongs elsewhere."""
MAX_MISPLACED = 0.05
"""From this share of labels that belong elsewhere on, the ids are mixed up and the others are not to be trusted."""
DECIMALS = 2


@dataclass
class _Findings:
    """Collects what is wrong (``problems``) and what was dropped, changed or odd (``notes``, by kind)."""

    problems: list[str] = field(default_factory=list)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        self.problems.append(text)

    def note(self, kind: str, detail: str) -> None:
        self.kinds.setdefault(kind, []).append(detail)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(f"{kind} ({len(details)}): {', '.join(details)}" for kind, details in self.kinds.items())


@dataclass(frozen=True)
class _Category:
    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]


def read_coco(
    path: str | Path,
    skeleton: Skeleton | None = None,
    images: str | Path | Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
    keep_empty: bool = False,
) -> Dataset:
    """Read and validate a COCO keypoints file.

    Parameters
    ----------
    path : str or Path
    skeleton : Skeleton, optional
        Joints are matched to it by name, each annotation by its own category. Without it the joints are those of the
        category with the most annotations, with left/right pairs found by name and ``OWN_SIGMA`` throughout.
    images : str, Path or callable, optional
        Folder below which every ``file_name`` must exist with the size that the file states (EXIF applied), or a
        function from a frame to its picture.
    on_problem : {"raise", "drop"}
        ``"drop"`` leaves out the images and annotations that have a problem and lists each in the notes.
    keep_empty : bool
        Keep images in which nobody has a labelled joint.

    Returns
    -------
    Dataset
        Frames in the order of the file. ``notes`` holds one line for each kind of thing that was dropped, changed, or
        odd, with the count and every case.

    Raises
    ------
    BadInputs
        Listing every problem of the file.
    BadInput
        If the file is no COCO file at all, or names fewer than half of the skeleton's joints.
    """
    path = Path(path)
    content = _load(path)
    found = _Findings()
    categories = _categories(content["categories"], found)
    records = _records(content["annotations"], found)
    annotated = {record["image_id"] for record in records if _is_id(record.get("image_id"))}
    frames, bad_images = _images(content["images"], _locator(images), None if keep_empty else annotated, found)
    chosen = skeleton or _own_skeleton(path, categories, records, found)
    indices = _joint_indices(path, chosen, categories, found)
    people = _people(records, frames, bad_images, categories, indices, chosen, found)

    kept = []
    for image_id, frame in frames.items():
        frame = replace(frame, people=tuple(people.get(image_id, ())))
        if keep_empty or any(person.labelled.any() for person in frame.people):
            kept.append(frame)
        else:
            found.note("images without labelled joints, left out", frame.file_name)
    problems = found.problems + found.misplaced
    if found.missing:
        few = ", ".join(found.missing[:10]) + (", ..." if len(found.missing) > 10 else "")
        problems.append(f"image files that do not exist ({len(found.missing)}; is the folder right?): {few}")
    if len(found.misplaced) > 2 and len(found.misplaced) >= MAX_MISPLACED * len(records):
        raise BadInputs(path, problems, "the image ids seem mixed up by a merge: export and import each part alone")
    if problems and (on_problem == "raise" or not kept):
        raise BadInputs(path, problems, "mend and export again, or leave them out with 'fosbury import --drop-bad'")
    for problem in found.problems + found.misplaced:
        found.note("left out for a problem", problem)
    for name in found.missing:
        found.note("image files that do not exist, left out with their labels", name)
    if not kept and not keep_empty:
        raise BadInput(path, "labels nobody", "label at least one joint of one athlete and export again")
    return Dataset(chosen, tuple(kept), found.notes)


def _load(path: Path) -> dict[str, list]:
    check_file(path)
    mend = "export as 'COCO keypoints'"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadInput(path, f"is not JSON ({error})", mend) from None
    except (RecursionError, ValueError):
        raise BadInput(path, "is JSON that no labelling tool writes", mend) from None
    if isinstance(content, list):
        raise BadInput(path, "is a list, such as detection results or Label Studio tasks, not a COCO file", mend)
    if not isinstance(content, dict):
        raise BadInput(path, "is JSON, but not a COCO file", mend)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise BadInput(path, f"has no list '{key}', so it is not a COCO file", mend)
    return content


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """Return a finite float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _nowhere(_: Frame) -> None:
    return None


def _locator(images: str | Path | Locate | None) -> Locate:
    if images is None:
        return _nowhere
    if callable(images):
        return images
    folder = Path(images)
    if not folder.is_dir():
        raise BadInput(folder, "is not a folder", "name the folder of the images")
    return lambda frame: folder / frame.file_name


def _categories(entries: list, found: _Findings) -> dict[Any, _Category]:
    categories: dict[Any, _Category] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not _is_id(entry.get("id")):
            found.problem(f"category at position {position} has no id")
            continue
        name = str(entry.get("name", entry["id"]))
        joints = entry.get("keypoints") or ()
        if entry["id"] in categories:
            found.problem(f"category '{name}' has id {entry['id']}, which is taken")
            continue
        if not isinstance(joints, list | tuple) or not all(isinstance(j, str) and j.strip() for j in joints):
            found.problem(f"category '{name}' has joints that are not names")
            joints = ()
        if len({normalise(joint) for joint in joints}) != len(joints):
            found.problem(f"category '{name}' names a joint twice")
            joints = ()
        categories[entry["id"]] = _Category(name, tuple(joints), _bones(entry.get("skeleton"), len(joints)))
    return categories


def _bones(entries: Any, count: int) -> tuple[tuple[int, int], ...]:
    """Bones as pairs of indices from 0; COCO counts from 1, some tools from 0; anything else gives none."""
    if not isinstance(entries, list):
        return ()
    pairs = [tuple(e) for e in entries if isinstance(e, list) and len(e) == 2 and all(type(i) is int for i in e)]
    ends = [end for pair in pairs for end in pair]
    first = 0 if 0 in ends else 1
    if not ends or min(ends) < first or max(ends) >= count + first:
        return ()
    return tuple((a - first, b - first) for a, b in pairs)


def _images(entries: list, locate: Locate, wanted: set | None, found: _Findings) -> tuple[dict[Any, Frame], set]:
    """Frames by image id, and the ids of images with a problem; files are looked at for ``wanted`` ids only."""
    frames: dict[Any, Frame] = {}
    bad: set = set()
    names: dict[Any, Any] = {}
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict) or not _is_id(entry.get("id")):
            found.problem(f"image at position {position} has no id")
            continue
        image_id = entry["id"]
        if image_id in frames or image_id in bad:
            first = frames.pop(image_id, None)
            with_whom = f", as has {first.file_name}" if first else ""
            found.problem(f"image '{entry.get('file_name')}' has id {image_id}{with_whom}: one id, two images")
            bad.add(image_id)
            continue
        problems: list[str] = []
        look = locate if wanted is None or image_id in wanted else _nowhere
        frame = _frame(entry, look, found, problems)
        if frame is None:
            bad.add(image_id)
        else:
            keys = [frame.file_name] + ([(frame.video, frame.frame)] if frame.video and frame.frame is not None else [])
            problems += [f"is listed twice, with ids {names[key]} and {image_id}" for key in keys if key in names][:1]
            names.update(dict.fromkeys(keys, image_id))
        if problems:
            bad.add(image_id)
            label = str(entry.get("file_name"))[:120]
            for problem in problems:
                found.problem(f"image {image_id} ({label!r}): {problem}")
        elif frame is not None:
            frames[image_id] = frame
    return frames, bad


def _frame(entry: Mapping[str, Any], locate: Locate, found: _Findings, problems: list[str]) -> Frame | None:
    name = entry.get("file_name")
    if not isinstance(name, str):
        problems.append("has no file_name")
        return None
    reason = unsafe_name(name)
    if reason:
        problems.append(f"file_name {reason}")
        return None
    frame = Frame(
        file_name=PurePosixPath(name).as_posix(),
        width=0,
        height=0,
        **_extras(entry, problems),
    )
    size = [entry.get(key) for key in ("width", "height")]
    stated = all(type(side) in (int, float) and side == side and side > 0 and side % 1 == 0 for side in size)
    absent = all(side is None for side in size)
    if not stated and not absent:
        problems.append(f"has width {size[0]!r} and height {size[1]!r}")
        return frame
    file = locate(frame)
    if file is not None and not file.exists():
        found.missing.append(str(file))
        return None
    try:
        actual = image_size(file) if file is not None else None
    except BadInput as error:
        problems.append(f"{error.problem}; {error.mend}")
        return frame
    if absent and actual is None:
        problems.append("has no width and height")
        return frame
    if absent:
        found.note("image sizes absent, taken from the file", frame.file_name)
    width, height = actual if absent else (int(size[0]), int(size[1]))
    if actual is not None and actual != (width, height):
        turned = " (turned: the labelling tool ignored the EXIF orientation)" if actual == (height, width) else ""
        problems.append(f"is {actual[0]}x{actual[1]} as a file, but {width}x{height} in the labels{turned}")
    return replace(frame, width=width, height=height)


def _extras(entry: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    extras: dict[str, Any] = {}
    for key in ("video", "group", "source"):
        value = entry.get(key)
        if value is None or value == "":
            continue
        if not isinstance(value, str | int) or isinstance(value, bool):
            problems.append(f"{key} {value!r} is not a name")
            continue
        extras[key] = str(value)
    if "video" in extras and (reason := unsafe_name(extras["video"])):
        problems.append(f"video {reason}")
        del extras["video"]
    frame = entry.get("frame")
    if frame is not None:
        if type(frame) is int and frame >= 0:
            extras["frame"] = frame
        else:
            problems.append(f"frame {frame!r} is not a frame number")
    for key, least in (("timestamp_ms", -math.inf), ("stature_mm", 0.0)):
        value = entry.get(key)
        if value is None:
            continue
        number = _number(value)
        if number is None or number <= least:
            problems.append(f"{key} {value!r} is not a measure")
        else:
            extras[key] = number
    phase = entry.get("phase")
    if phase is not None and phase != "":
        if isinstance(phase, str) and normalise(phase) in PHASES:
            extras["phase"] = normalise(phase)
        else:
            problems.append(f"phase {phase!r} is none of {', '.join(PHASES)}")
    return extras


def _records(entries: list, found: _Findings) -> list[Mapping[str, Any]]:
    """Annotations that are objects, with ids that are there and differ."""
    records, ids = [], set()
    for position, entry in enumerate(entries):
        if not isinstance(entry, dict):
            found.problem(f"annotation at position {position} is not an object")
            continue
        annotation_id = entry.get("id")
        if not _is_id(annotation_id):
            found.note("annotations without an id, kept", f"position {position}")
            entry = {**entry, "id": f"at position {position}"}
        elif annotation_id in ids:
            found.problem(f"annotation {annotation_id} at position {position}: its id is taken")
            continue
        ids.add(entry["id"])
        records.append(entry)
    return records


def _own_skeleton(
    path: Path, categories: Mapping[Any, _Category], records: Sequence[Mapping[str, Any]], found: _Findings
) -> Skeleton:
    """The joints of the category with the most annotations, and those of categories that share half of them."""
    jointed = {key: category for key, category in categories.items() if category.joints}
    if not jointed:
        raise BadInputs(
            path,
            [*found.problems, "no category names its joints ('keypoints')"],
            "label with a skeleton and export as 'COCO keypoints'",
        )
    uses = dict.fromkeys(jointed, 0)
    for record in records:
        category = record.get("category_id")
        if _is_id(category) and category in uses:
            uses[category] += 1
    main = max(uses, key=uses.__getitem__)
    joints = list(jointed[main].joints)
    known = {normalise(joint) for joint in joints}
    for category in jointed.values():
        names = {normalise(joint) for joint in category.joints}
        if len(names & known) >= MIN_SHARED_JOINTS * len(jointed[main].joints):
            joints += [joint for joint in category.joints if normalise(joint) not in known]
            known |= names
    return skeleton_of(jointed[main].name, joints, jointed[main].bones)


def skeleton_of(name: str, joints: Sequence[str], bones: Iterable[tuple[int, int]] = ()) -> Skeleton:
    """Make a skeleton from joint names alone.

    Left and right pairs, shoulders and hips are found by name; every sigma is ``OWN_SIGMA``; there are no limbs.

    Examples
    --------
    >>> skeleton_of("legs", ["Left Hip", "Right Hip", "nose"]).flip_index.tolist()
    [1, 0, 2]
    """
    place = {normalise(joint): joint for joint in joints}

    def other_side(joint: str) -> str | None:
        key = normalise(joint)
        if "left" in key:
            return place.get(key.replace("left", "right"))
        lowered = joint.strip().lower()
        return place.get("r" + key[1:]) if lowered.startswith(("l_", "l-", "l ")) else None

    def both(part: str) -> list[str]:
        sides = [place.get(normalise(side + part)) for side in ("left", "right")]
        return [side for side in sides if side]

    joints = list(joints)
    return Skeleton.from_mapping(
        {
            "name": name,
            "joints": joints,
            "sigmas": dict.fromkeys(joints, OWN_SIGMA),
            "pairs": [(joint, other) for joint in joints if (other := other_side(joint))],
            "bones": [(joints[a], joints[b]) for a, b in bones],
            "trunk": {"shoulders": both("shoulder"), "hips": both("hip")},
        },
        where=name,
    )


def _joint_indices(
    path: Path, skeleton: Skeleton, categories: Mapping[Any, _Category], found: _Findings
) -> dict[Any, np.ndarray]:
    """For each category of the skeleton's kind: where each of its joints goes, -1 for nowhere."""
    indices: dict[Any, np.ndarray] = {}
    best, best_share = "", 0.0
    for key, category in categories.items():
        places = skeleton.match(category.joints)
        share = float((places >= 0).mean())
        if share >= best_share and category.joints:
            best, best_share = category.name, share
        if not category.joints or share < MIN_SHARED_JOINTS:
            continue
        into = np.full(len(category.joints), -1)
        into[places[places >= 0]] = np.flatnonzero(places >= 0)
        indices[key] = into
        for joint, place in zip(category.joints, into, strict=True):
            if place < 0:
                found.note("joints that the skeleton lacks, left out", f"{joint} of '{category.name}'")
        for joint, place in zip(skeleton.joints, places, strict=True):
            if place < 0:
                found.note("joints that the file lacks, taken as not labelled", f"{joint} in '{category.name}'")
    if not indices:
        missing = [
            j
            for j in skeleton.joints
            if not any(normalise(j) == normalise(n) for c in categories.values() for n in c.joints)
        ]
        nearest = f"its category '{best}' names" if best else "it names"
        raise BadInputs(
            path,
            [
                *found.problems,
                f"{nearest} {round(best_share * len(skeleton))} of the {len(skeleton)} joints of skeleton "
                f"'{skeleton.name}'; missing: {', '.join(missing)}",
            ],
            "choose the skeleton that the labels have, or rename the joints",
        )
    return indices


def _people(
    records: Iterable[Mapping[str, Any]],
    frames: Mapping[Any, Frame],
    bad_images: set,
    categories: Mapping[Any, _Category],
    indices: Mapping[Any, np.ndarray],
    skeleton: Skeleton,
    found: _Findings,
) -> dict[Any, list[Person]]:
    people: dict[Any, list[Person]] = {}
    for record in records:
        image_id, category_id = record.get("image_id"), record.get("category_id")
        label = f"annotation {record['id']}"
        if not _is_id(image_id) or (image_id not in frames and image_id not in bad_images):
            found.problem(f"{label}: is on image {image_id!r}, which the file does not list")
            continue
        if image_id in bad_images:
            found.note("annotations on an image with a problem", label)
            continue
        frame = frames[image_id]
        label += f" on {frame.file_name}"
        if not _is_id(category_id) or category_id not in categories:
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
    category: _Category,
    into: np.ndarray,
    skeleton: Skeleton,
    frame: Frame,
    found: _Findings,
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
    extent = float((box[2] - box[0]) * (box[3] - box[1]))
    area = record.get("area")
    area = extent if area is None else _number(area)
    if area is None or area <= 0:
        found.note("areas that are not positive, replaced by the box's", label)
        area = extent
    if not labelled.any():
        found.note("people with a box but no labelled joint, kept beside others", label)
    keypoints = np.full((len(skeleton), 2), np.nan)
    marks = np.zeros(len(skeleton), dtype=np.uint8)
    keypoints[into[into >= 0]] = xy[into >= 0]
    marks[into[into >= 0]] = visibility[into >= 0]
    person = Person(keypoints, marks, box, area)
    return person if (into >= 0).all() else _in_its_own_right(person, skeleton, label, frame, found)


def _in_its_own_right(person: Person, skeleton: Skeleton, label: str, frame: Frame, found: _Findings) -> Person:
    """The person with nothing that only the joints which the skeleton lacks vouched for.

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
    return ((xy >= low) & (xy <= high)).all(axis=-1)


def _in_box(xy: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Mask of the points in a box, give or take a tenth of its larger side."""
    margin = 0.1 * (box[2:] - box[:2]).max()
    return _within(xy, box[:2] - margin, box[2:] + margin)


def _belongs(
    xy: np.ndarray, labelled: np.ndarray, category: _Category, label: str, frame: Frame, found: _Findings
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
    values: list, label: str, category: _Category, found: _Findings, problems: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates, NaN where not labelled, shape (J, 2), and visibility, shape (J,), in the category's order."""
    xy = np.full((len(category.joints), 2), np.nan)
    visibility = np.zeros(len(category.joints), dtype=np.uint8)
    for joint, name in enumerate(category.joints):
        x, y, v = (_number(value) for value in values[3 * joint : 3 * joint + 3])
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


def _box(
    record: Mapping[str, Any],
    labelled: np.ndarray,
    label: str,
    frame: Frame,
    found: _Findings,
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
    numbers = [_number(value) for value in stated] if isinstance(stated, list) else []
    if len(numbers) != 4 or None in numbers:
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


def write_coco(dataset: Dataset, path: str | Path) -> None:
    """Write a data set as COCO keypoints in its canonical form.

    Frames are sorted by ``file_name`` and numbered from 1, people keep their order within a frame, numbers have two
    decimals, and each record has a line of its own: the same data set gives the same bytes, and differences are read
    line by line.

    Parameters
    ----------
    dataset : Dataset
    path : str or Path
        Written under a temporary name and moved in place.
    """
    path = Path(path)
    skeleton = dataset.skeleton
    images, annotations = [], []
    for frame in sorted(dataset.frames, key=lambda frame: frame.file_name):
        extras = {
            "video": frame.video,
            "frame": frame.frame,
            "timestamp_ms": None if frame.timestamp_ms is None else _rounded(frame.timestamp_ms),
            "phase": frame.phase,
            "group": frame.group,
            "source": frame.source,
            "stature_mm": None if frame.stature_mm is None else _rounded(frame.stature_mm),
        }
        images.append(
            {
                "id": len(images) + 1,
                "file_name": frame.file_name,
                "width": frame.width,
                "height": frame.height,
                **{key: value for key, value in extras.items() if value is not None},
            }
        )
        for person in frame.people:
            annotations.append(_annotation(person, len(annotations) + 1, len(images)))
    category = {
        "id": 1,
        "name": "person",
        "keypoints": list(skeleton.joints),
        "skeleton": [[a + 1, b + 1] for a, b in skeleton.bones],
    }
    parts = [
        f'"{key}": [\n' + ",\n".join(json.dumps(record, allow_nan=False) for record in records) + "\n]"
        for key, records in (("images", images), ("annotations", annotations), ("categories", [category]))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    info = f'"info": {{"description": {json.dumps(skeleton.name)}}}'
    partial.write_text("{\n" + ",\n".join([info, *parts]) + "\n}\n", encoding="utf-8", newline="\n")
    partial.replace(path)


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0


def _annotation(person: Person, annotation_id: int, image_id: int) -> dict[str, Any]:
    keypoints: list[float] = []
    for (x, y), v in zip(person.keypoints, person.visibility, strict=True):
        keypoints += [_rounded(x), _rounded(y), int(v)] if v else [0, 0, 0]
    x1, y1, x2, y2 = (_rounded(value) for value in person.box)
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "keypoints": keypoints,
        "num_keypoints": int(person.labelled.sum()),
        "bbox": [x1, y1, _rounded(x2 - x1), _rounded(y2 - y1)],
        "area": _rounded(person.area),
        "iscrowd": 0,
    }
