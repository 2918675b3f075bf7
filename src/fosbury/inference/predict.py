"""Run a model over a labelled data set, and measure models beside each other on the same joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fosbury.errors import BadInput
from fosbury.inference.boxes import LABELS, BoxProvider, boxes_of, note_of
from fosbury.inference.joints import poses_in
from fosbury.inference.protocol import PoseModel
from fosbury.media.image import read_image
from fosbury.metrics.calibration import temperature_scaled
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.people import unaided_score
from fosbury.metrics.selection import CAP, STATURE_MM
from fosbury.pose import FOCUS, Dataset, Frame, Pose
from fosbury.progress import Bar
from fosbury.skeleton import normalise

FOUND_BEFORE = (
    "boxes: the exported files looked where the checkpoint had found the athlete, and did not search themselves"
)


@dataclass(frozen=True, eq=False)
class Measured:
    """What a model predicted on a data set and how far off it was."""

    evaluation: Evaluation
    poses: list[list[Pose]]


class Predictor:
    """A model with a source of boxes, whose confidence is calibrated.

    Parameters
    ----------
    model : PoseModel
    boxes : str, optional
        Where it looks, a source of ``boxes.BoxProvider``: in the whole picture if not given.
    """

    def __init__(self, model: PoseModel, boxes: str | None = None):
        self.model = model
        self.finder = model if boxes in (None, LABELS) else getattr(model, "finder", model)
        self.provider = BoxProvider(self.finder, boxes) if boxes else None

    def predict(
        self, pictures: Sequence[np.ndarray], frames: Sequence[Frame], boxes: Sequence[np.ndarray] | None = None
    ) -> list[list[Pose]]:
        """Poses in each picture, in the joints of the model.

        Parameters
        ----------
        pictures : sequence of ndarray of uint8, shape (H, W, 3)
        frames : sequence of Frame
            Whose they are.
        boxes : sequence of ndarray, shape (N, 4), optional
            Of the people in each, where no source says them.
        """
        found = self.provider.predict(pictures, frames) if self.provider else self.model.predict(pictures, boxes)
        if self.finder is not self.model:
            found = self.model.predict(pictures, boxes_of(found))
        if self.model.temperature is not None:
            found = [[_temperature_scaled(pose, self.model.temperature) for pose in poses] for poses in found]
        return found


def predict_dataset(
    model: PoseModel,
    dataset: Dataset,
    root: Path,
    *,
    batch: int = 16,
    title: str = "predict",
    boxes: str | Sequence[np.ndarray] | None = None,
) -> list[list[Pose]]:
    """Predict every frame of a data set; pictures are read a batch at a time.

    Parameters
    ----------
    model : PoseModel
    dataset : Dataset
    root : Path
        Folder that the frames' ``file_name`` is relative to.
    batch : int
        Pictures in memory at once.
    title : str
        What the progress bar says.
    boxes : str or sequence of ndarray, shape (N, 4), optional
        Where the model looks, a source of ``boxes.BoxProvider`` or the boxes of each frame: in the whole picture if not
        given.

    Returns
    -------
    list of list of Pose
        For each frame its poses, in the joints of the data set's skeleton and the pixels of the picture; confidence in
        joints as the model's temperature has it.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    predictions: list[list[Pose]] = []
    source, given = (boxes, None) if boxes is None or isinstance(boxes, str) else (None, boxes)
    predictor = Predictor(model, source)
    with Bar(title, "frame", len(dataset)) as bar:
        for start in range(0, len(dataset), batch):
            part = slice(start, start + batch)
            frames = dataset.frames[part]
            pictures = [read_image(root / frame.file_name) for frame in frames]
            found = predictor.predict(pictures, frames, given and given[part])
            predictions.extend(poses_in(poses, model.skeleton, dataset.skeleton) for poses in found)
            bar.update(len(frames))
    return predictions


def _temperature_scaled(pose: Pose, temperature: float) -> Pose:
    return replace(pose, confidence=temperature_scaled(pose.confidence, temperature))


def measure(
    models: Mapping[str, PoseModel],
    dataset: Dataset,
    root: Path,
    *,
    stature_mm: float = STATURE_MM,
    cap: float = CAP,
    joints: Sequence[str] | None = None,
    batch: int = 16,
    boxes: str | None = None,
    found: Sequence[np.ndarray] | None = None,
    focus: str = FOCUS,
) -> dict[str, Measured]:
    """Predict and measure models beside each other.

    The same frames, and only joints that every one of them has.

    Parameters
    ----------
    models : mapping of str to PoseModel
    dataset : Dataset
    root : Path
        Folder that the frames' ``file_name`` is relative to.
    stature_mm, cap : float
        As in `fosbury.metrics.evaluation.evaluate`.
    joints : sequence of str, optional
        Names of the joints that count, where not all that are shared should.
    batch : int
    boxes : str, optional
        Where every model looks, a source of ``boxes.BoxProvider``; ``labels`` is the protocol of the papers on
        top-down models, by which no unaided error can be measured.
    found : sequence of ndarray, shape (N, 4), optional
        For each frame the boxes that this gave for the checkpoint of exported models: they look there.
    focus : str
        The phase of interest.

    Returns
    -------
    dict of str to Measured
        In the order of ``models``.

    Raises
    ------
    BadInput
        If the data set has no frames or no one whose stature can be judged, a model shares no labelled joint with it,
        or a picture cannot be read.
    """
    if not len(dataset):
        raise BadInput("test data", "holds no labelled frame", "label some, or give the split more to test on")
    known = np.ones(len(dataset.skeleton), dtype=bool)
    if joints is not None:
        wanted = {normalise(joint) for joint in joints}
        known &= np.array([normalise(joint) in wanted for joint in dataset.skeleton.joints])
    for name, model in models.items():
        known &= dataset.skeleton.match(model.skeleton.joints) >= 0
        if not known.any():
            raise BadInput(
                name,
                f"none of its joints ({', '.join(model.skeleton.joints)}) is a joint of the labels "
                f"({', '.join(dataset.skeleton.joints)}) that counts",
                "measure a model and labels whose joints have the same names",
            )
    nothing = evaluate(dataset, [[] for _ in dataset.frames], stature_mm, cap=cap, known=known, ap=False)
    if not len(nothing.joint):
        raise BadInput(
            "test data",
            f"no labelled person has a limb of skeleton '{dataset.skeleton.name}' to judge the stature by",
            "label both ends of a limb, or use a skeleton that names its limbs with their share of stature",
        )
    result = {}
    for name, model in models.items():
        poses = predict_dataset(model, dataset, root, batch=batch, title=name, boxes=boxes if found is None else found)
        evaluation = evaluate(
            dataset, poses, stature_mm, cap=cap, known=known, unaided=unaided_score(boxes), focus=focus
        )
        if boxes:
            note = note_of(boxes) if found is None else FOUND_BEFORE
            evaluation = replace(evaluation, notes=(*evaluation.notes, note))
        result[name] = Measured(evaluation, poses)
    return result
