"""Checks of labels beside what a model answers: joints elsewhere, sides exchanged, the label of another picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.labelling.quality import Check, Labels, robust
from fosbury.labelling.quality_clips import parts, swapped
from fosbury.labelling.quality_shape import named
from fosbury.metrics.match import match_boxes
from fosbury.pose import Dataset, Pose

LEAST_OFF = 0.05
"""Least standard deviation of the distance of label and answer, in longer sides of the box: that of labels, and a
model's own."""
FITS = 0.1
"""A model is believed on a joint where half of its joints lie nearer to the labels than this, in sides of the box, and
on sides where the others do once they are exchanged; else it is the model that is wrong, as in the arch of a flop."""


def answers(model: PoseModel, dataset: Dataset, labels: Labels, root: Path) -> np.ndarray:
    """Ask a model where the joints of each labelled person are.

    Parameters
    ----------
    model : PoseModel
        It is given the labelled boxes if it needs some, else it is asked about the whole picture.
    dataset : Dataset
    labels : Labels
        Of ``dataset``.
    root : Path
        Folder that file names are relative to.

    Returns
    -------
    ndarray, shape (N, K, 2)
        NaN where the model found nobody, or does not know the joint.
    """
    boxes = [frame.boxes for frame in dataset.frames]
    found = predict_dataset(model, dataset, root, title="quality", boxes=boxes if model.needs_boxes else None)
    result = np.full(labels.keypoints.shape, np.nan)
    places = {
        index: _matched(boxes[index], found[index], in_order=model.needs_boxes) for index in set(labels.frame.tolist())
    }
    for row, (index, person) in enumerate(zip(labels.frame, labels.person, strict=True)):
        place = places[int(index)][int(person)]
        if place >= 0:
            result[row] = found[int(index)][place].keypoints
    return result


def _matched(boxes: np.ndarray, poses: Sequence[Pose], *, in_order: bool) -> Sequence[int]:
    if in_order and len(poses) == len(boxes):
        return range(len(boxes))
    return [int(place) for place in match_boxes(boxes, np.array([pose.box for pose in poses]).reshape(-1, 4))]


def check_model(labels: Labels, said: np.ndarray) -> list[Check]:
    """Compare labels with a model's answers.

    Parameters
    ----------
    labels : Labels
    said : ndarray, shape (N, K, 2)
        As `answers` gives it.
    """
    skeleton, side = labels.skeleton, labels.side[:, None]
    off = np.linalg.norm(labels.keypoints - said, axis=-1) / side
    whole = np.full((len(off), 1), np.nan)
    some = np.isfinite(off).any(axis=1)
    whole[some] = np.nanmedian(off[some], axis=1, keepdims=True)

    def joint_off(person: int, joint: int) -> str:
        return f"{named(skeleton, (joint,))} lies {off[person, joint]:.0%} of the box's side from the model's answer."

    def all_off(person: int, _: int) -> str:
        return f"half of the joints lie more than {whole[person, 0]:.0%} of the box's side from the model's answer."

    joints: list[tuple[int, ...]] = [(joint,) for joint in range(len(skeleton))]
    believed = np.where(whole <= FITS, off - whole, np.nan)
    found = [
        Check("joint beside the model", robust(believed, LEAST_OFF), joints, joint_off),
        Check("all beside the model", robust(whole, LEAST_OFF), [()], all_off),
    ]
    groups = parts(skeleton)
    if groups:
        here, there = labels.keypoints / side[..., None], said / side[..., None]
        ways = [swapped(here, there, left, right) for _, left, right in groups]
        gains = np.column_stack([np.where(after <= FITS, before - after, np.nan) for before, after in ways])

        def flips(_: int, part: int) -> str:
            return f"{groups[part][0]} seem exchanged: the model has them the other way round."

        sides = [(*map(int, left), *map(int, right)) for _, left, right in groups]
        scores = np.where(gains > 0, gains / LEAST_OFF, np.nan)
        found.append(Check("sides beside the model", scores, sides, flips))
    return found
