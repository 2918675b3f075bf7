"""Read labels, check them in every way that they allow, and say which may be wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fosbury.errors import BadInput
from fosbury.formats.grouping import Still, group_stills
from fosbury.inference.protocol import PoseModel
from fosbury.labelling.quality import FEW, Check, Labels, Suspect, labels_of, suspects_of
from fosbury.labelling.quality_clips import check_clips
from fosbury.labelling.quality_model import answers, check_model
from fosbury.labelling.quality_shape import check_crossed, check_lengths, check_place
from fosbury.labelling.review import find_pictures
from fosbury.pose import Dataset


@dataclass(frozen=True, eq=False)
class Checked:
    """Labels that were checked.

    Attributes
    ----------
    dataset : Dataset
    root : Path
        Folder that file names are relative to.
    suspects : list of Suspect
        The worst first.
    checks : tuple of str
        Kinds of checks that the labels allowed.
    """

    dataset: Dataset
    root: Path
    suspects: list[Suspect]
    checks: tuple[str, ...]


def read_labels(annotations: str | Path, images: str | Path | None = None) -> tuple[Dataset, Path]:
    """Read labels of any format, with bones, and with clips as far as names tell; and the folder of their pictures.

    Raises
    ------
    BadInput, BadInputs
        If they cannot be read, or are no labels.
    """
    found = find_pictures(annotations, images)
    if found.skeleton is None or found.folder is None:
        raise BadInput(annotations, "holds no labels", "name the file of the labels, and the pictures with --images")
    dataset = Dataset(found.skeleton, tuple(picture.frame for picture in found.pictures), found.notes)
    stills = {picture.frame.file_name: Still(picture.path, picture.frame.file_name) for picture in found.pictures}
    return group_stills(dataset, stills), found.folder


def checks_of(labels: Labels, dataset: Dataset, root: Path, model: PoseModel | None = None) -> list[Check]:
    """Check labels in every way that they allow."""
    checks = [
        *check_lengths(labels),
        *check_crossed(labels),
        *check_place(labels),
        *check_clips(labels, dataset.frames),
    ]
    if model is not None:
        checks += check_model(labels, answers(model, dataset, labels, root))
    return checks


def check(annotations: str | Path, images: str | Path | None = None, model: PoseModel | None = None) -> Checked:
    """Find labels that may be wrong.

    Parameters
    ----------
    annotations : str or Path
        As for `find_pictures`.
    images : str or Path, optional
    model : PoseModel, optional
        To compare the labels with.

    Raises
    ------
    BadInput, BadInputs
        If the labels cannot be read, or fewer than `FEW` people are labelled.
    """
    dataset, root = read_labels(annotations, images)
    labels = labels_of(dataset)
    if len(labels.frame) < FEW:
        problem = f"labels {len(labels.frame)} people, and what is usual shows from {FEW} on"
        raise BadInput(annotations, problem, "check these by eye: fosbury review")
    checks = checks_of(labels, dataset, root, model)
    return Checked(dataset, root, suspects_of(labels, checks), tuple(each.kind for each in checks))
