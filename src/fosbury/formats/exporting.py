"""Write a labelled set for a labelling tool, in any format of the registry that can be written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.files import put_folder, work_folder
from fosbury.formats.coco import read_coco
from fosbury.formats.registry import FORMATS, LabelFormat, label_format
from fosbury.formats.sets import ANNOTATIONS, IMAGES
from fosbury.pose import OCCLUDED, Dataset, Frame, Person, body_area
from fosbury.progress import progress

_OF_PEOPLE: dict[str, Callable[[Person], bool]] = {
    "occlusion": lambda person: bool((person.visibility == OCCLUDED).any()),
    "weights": lambda person: person.weights is not None,
    "area": lambda person: not np.isclose(person.area, body_area(person.box), rtol=0.01),
    "box": lambda person: not person.labelled.any() or not np.allclose(person.box, _hull(person), atol=0.5),
}
"""What a person may have of each thing that a format may lose."""


@dataclass(frozen=True)
class ExportSummary:
    """How much was written, and what the format cannot hold, a sentence each."""

    frames: int
    people: int
    losses: tuple[str, ...]


def export_labels(labels: str | Path, output: str | Path, format: str, pictures: bool = False) -> ExportSummary:
    """Write a set in a format.

    Parameters
    ----------
    labels : str or Path
        Folder of a set, or a COCO file.
    output : str or Path
        A new folder.
    format : str
        A name of ``registry.FORMATS``.
    pictures : bool
        Copy the stills to where the format has them.

    Raises
    ------
    BadInput, BadInputs
        If the format cannot be written, the folder exists, or the labels cannot be read.
    """
    labels, output = Path(labels), Path(output)
    kind = label_format(format)
    if kind.write is None:
        able = ", ".join(name for name in FORMATS if label_format(name).write is not None)
        raise BadInput("--format", f"is '{format}', which can be read but not written", f"choose one of {able}")
    if output.exists():
        raise BadInput(output, "exists already", "choose another --output, or remove it first")
    file = labels / ANNOTATIONS if labels.is_dir() else labels
    dataset = read_coco(file, keep_empty=True)
    stills = [(frame, file.parent / IMAGES / frame.file_name) for frame in dataset.frames]
    missing = [frame.file_name for frame, still in stills if not still.is_file()]
    if pictures and missing:
        problem = f"has no picture {missing[0]} in {IMAGES}/ ({len(missing)} are missing)"
        raise BadInput(file.parent, problem, "extract them with 'fosbury frames', or leave out --pictures")
    with work_folder(output) as folder:
        made = folder / "export"
        made.mkdir()
        kind.write(dataset, made)
        for frame, still in progress(stills if pictures else [], "copying", "picture"):
            copy = made / kind.pictures / frame.file_name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(still, copy)
        put_folder(made, output)
    return ExportSummary(len(dataset), sum(len(frame.people) for frame in dataset.frames), losses(kind, dataset))


def losses(kind: LabelFormat, dataset: Dataset) -> tuple[str, ...]:
    """Say what of a data set a format does not keep.

    Parameters
    ----------
    kind : LabelFormat
    dataset : Dataset

    Returns
    -------
    tuple of str
        A sentence for each field of ``kind.loses`` that the data set has.
    """
    people = [person for frame in dataset.frames for person in frame.people]
    said = []
    for field in kind.loses:
        if has := _OF_PEOPLE.get(field):
            count, what = sum(map(has, people)), "people"
        else:
            count, what = sum(_has(frame, field) for frame in dataset.frames), "frames"
        if count:
            said.append(f"{kind.what} cannot hold {field}: lost of {count} {what}")
    return tuple(said)


def _has(frame: Frame, field: str) -> bool:
    return getattr(frame, field) is not None


def _hull(person: Person) -> np.ndarray:
    joints = person.keypoints[person.labelled]
    return np.concatenate([joints.min(axis=0), joints.max(axis=0)])
