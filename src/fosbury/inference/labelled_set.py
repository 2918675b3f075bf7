"""Measure any model file on any labelled set, outside the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fosbury.dataset.merge import merge
from fosbury.dataset.phases import assign_phases, phases_from_tables
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.formats.sets import read_set, set_of
from fosbury.inference.predict import measure
from fosbury.inference.refine import Refiner
from fosbury.inference.registry import load_model
from fosbury.inference.vote import Vote
from fosbury.metrics.selection import STATURE_MM
from fosbury.pose import Dataset
from fosbury.refinement import Refinement
from fosbury.skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class SetEvaluation:
    """How a model did on a labelled set.

    Attributes
    ----------
    figures : dict
        ``Evaluation.to_json()``.
    input_size : (int, int)
        Height and width of the model's input in pixels.
    boxes : str
        Where the model looked, in words.
    passes : float or None
        How often the network ran for a picture, where people were looked at again.
    notes : tuple of str
        Of the labels and of the measurement.
    """

    figures: dict[str, Any]
    input_size: tuple[int, int]
    boxes: str
    passes: float | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``fosbury evaluate --json`` writes."""
        about = {"input_size": list(self.input_size), "boxes": self.boxes, "passes": self.passes}
        return about | self.figures


def evaluate_on_set(
    model: Path,
    annotations: Path,
    images: Path | None = None,
    *,
    skeleton: Skeleton | None = None,
    default_skeleton: Skeleton | None = None,
    image_size: int | None = None,
    confidence: float = 0.05,
    refinement: Refinement | None = None,
    boxes: str | None = None,
    stature_mm: float = STATURE_MM,
) -> SetEvaluation:
    """Open a model file, read labels with their pictures and phases, predict, and measure.

    Parameters
    ----------
    model : Path
        As for ``load_model``.
    annotations : Path
        A COCO keypoints file; without ``images`` a set or the labels of one, whose clips are extracted to a temporary
        folder.
    images : Path, optional
        Folder that the file names in the labels are relative to.
    skeleton : Skeleton, optional
        The joints to measure; those of the model without it.
    default_skeleton : Skeleton, optional
        The joints of a model file that does not name its own.
    image_size, confidence, refinement
        As for ``load_model``.
    boxes : str, optional
        A source of ``boxes.BoxProvider``; without it the labelled boxes for a model that needs some.
    stature_mm : float
        Of athletes whose labels do not state it.

    Raises
    ------
    BadInput, BadInputs
        If the model or the labels cannot be read, or nothing can be measured.
    """
    assumed = skeleton or default_skeleton
    opened = load_model(model, assumed, image_size, confidence, refinement=refinement)
    if refinement is not None and isinstance(opened, Vote):
        for path, other in zip(refinement.also, opened.others, strict=True):
            if not (opened.skeleton.match(other.skeleton.joints) >= 0).any():
                raise BadInput(path, f"has no joint of {model.name}", "let models of the same joints vote")
    if boxes is None and opened.needs_boxes:
        boxes = "labels"
    with TemporaryDirectory() as work:
        dataset, root = _labels(annotations, images, skeleton or opened.skeleton, Path(work))
        evaluation = measure({model.name: opened}, dataset, root, stature_mm=stature_mm, boxes=boxes)[
            model.name
        ].evaluation
    figures = evaluation.to_json()
    height, width = opened.input_size
    return SetEvaluation(
        figures,
        (height, width),
        boxes=boxes or "the model's own",
        passes=round(opened.passes / len(dataset), 2) if isinstance(opened, Refiner) else None,
        notes=(*dataset.notes, *figures["notes"]),
    )


def _labels(annotations: Path, images: Path | None, skeleton: Skeleton, work: Path) -> tuple[Dataset, Path]:
    """Labels with phases, and the folder that their file names are relative to."""
    if images is not None:
        return assign_phases(read_coco(annotations, skeleton, images)), images
    folder = set_of(annotations)
    sets = {folder.name: read_set(folder, work, skeleton)}
    return assign_phases(merge(phases_from_tables(sets, folder.parent))), folder.parent
