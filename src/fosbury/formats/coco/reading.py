"""Read a COCO keypoints file as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from fosbury.documents import parse_json
from fosbury.errors import BadInput, BadInputs
from fosbury.formats.attributes import frame_fields
from fosbury.formats.coco.categories import file_skeleton, joint_indices, read_categories
from fosbury.formats.coco.findings import Findings, is_id
from fosbury.formats.coco.images import Locate, locator, read_images
from fosbury.formats.coco.people import read_people, read_records
from fosbury.formats.recognise import refuse_other_tools
from fosbury.media.files import check_file
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton

MAX_MISPLACED = 0.05
"""From this share of labels that belong elsewhere on, the ids are mixed up and the others are not to be trusted."""


def read_coco(
    path: str | Path,
    skeleton: Skeleton | None = None,
    images: str | Path | Locate | None = None,
    on_problem: Literal["raise", "drop"] = "raise",
    *,
    keep_empty: bool = False,
) -> Dataset:
    """Read and validate a COCO keypoints file.

    Parameters
    ----------
    path : str or Path
    skeleton : Skeleton, optional
        Joints are matched to it by name, each annotation by its own category. Without it the joints are those of the
        category with the most annotations, with left/right pairs found by name and ``DEFAULT_SIGMA`` throughout.
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
    return read_content(_load(path), path, skeleton, images, on_problem=on_problem, keep_empty=keep_empty)


def read_content(
    content: Mapping[str, list[Any]],
    path: Path,
    skeleton: Skeleton | None = None,
    images: str | Path | Locate | None = None,
    *,
    on_problem: Literal["raise", "drop"] = "raise",
    keep_empty: bool = False,
) -> Dataset:
    """Validate labels that are there as the lists of a COCO file, as readers of other formats make them.

    Parameters
    ----------
    content : mapping of str to list
        ``images``, ``annotations`` and ``categories`` as in a COCO keypoints file.
    path : Path
        What to call them in a message.
    skeleton, images, on_problem, keep_empty
        As for `read_coco`, which says what is returned and raised, too.
    """
    found = Findings()
    categories = read_categories(content["categories"], found)
    records = read_records(content["annotations"], found)
    annotated = {record["image_id"] for record in records if is_id(record.get("image_id"))}
    frames, bad_images = read_images(content["images"], locator(images), None if keep_empty else annotated, found)
    chosen = skeleton or file_skeleton(path, categories, records, found)
    indices = joint_indices(path, chosen, categories, found)
    people = read_people(
        records, frames, bad_images=bad_images, categories=categories, indices=indices, skeleton=chosen, found=found
    )

    stated = _fields(records)
    kept = []
    for image_id, frame in frames.items():
        frame = replace(_with_fields(frame, stated.get(image_id, {})), people=tuple(people.get(image_id, ())))
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
        raise BadInputs(path, problems, "correct and export again, or leave them out with 'fosbury import --drop-bad'")
    for problem in found.problems + found.misplaced:
        found.note("left out for a problem", problem)
    for name in found.missing:
        found.note("image files that do not exist, left out with their labels", name)
    if not kept and not keep_empty:
        raise BadInput(path, "labels nobody", "label at least one joint of one athlete and export again")
    return Dataset(chosen, tuple(kept), found.notes)


def _fields(records: Sequence[Mapping[str, Any]]) -> dict[Any, dict[str, str]]:
    """Fields of frames by image id, as the attributes of the annotations on them tell; of two the first counts."""
    fields: dict[Any, dict[str, str]] = {}
    for record in records:
        attributes, image_id = record.get("attributes"), record.get("image_id")
        if isinstance(attributes, dict) and is_id(image_id):
            fields[image_id] = frame_fields(attributes) | fields.get(image_id, {})
    return fields


def _with_fields(frame: Frame, fields: Mapping[str, str]) -> Frame:
    """Return the frame with the fields that it has not of its own."""
    absent: dict[str, Any] = {name: value for name, value in fields.items() if getattr(frame, name) is None}
    return replace(frame, **absent) if absent else frame


def _load(path: Path) -> dict[str, list]:
    check_file(path)
    try:
        return _parse(path)
    except BadInput:
        refuse_other_tools(path)
        raise


def _parse(path: Path) -> dict[str, list]:
    hint = "export as 'COCO keypoints'"
    content = parse_json(path.read_bytes(), path, hint)
    if isinstance(content, list):
        raise BadInput(path, "is a list, such as detection results or Label Studio tasks, not a COCO file", hint)
    if not isinstance(content, dict):
        raise BadInput(path, "is JSON, but not a COCO file", hint)
    for key in ("images", "annotations", "categories"):
        if not isinstance(content.get(key), list):
            raise BadInput(path, f"has no list '{key}', so it is not a COCO file", hint)
    return content
