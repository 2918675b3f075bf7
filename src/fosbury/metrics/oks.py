"""Average precision over object keypoint similarity, by pycocotools and with the skeleton's own sigmas."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fosbury.pose import Dataset, Pose

NOWHERE = -1e6
"""Pixels; where a joint without a prediction is put, because 0 may lie next to a label."""

MOST_PEOPLE = 20
"""Predictions that count in one image, as in the COCO keypoint challenge."""


def oks_ap(dataset: Dataset, predictions: Sequence[Sequence[Pose]], known: np.ndarray | None = None) -> float | None:
    """Average precision over OKS thresholds 0.50, 0.55 ... 0.95, people of every size.

    Parameters
    ----------
    dataset : Dataset
        Labels; joints with visibility 0 do not count, and people without a labelled joint are ignored.
    predictions : sequence of sequence of Pose
        For every frame its poses, in the joints of the data set's skeleton.
    known : ndarray of bool, shape (K,), optional
        Joints that count; all by default.

    Returns
    -------
    float or None
        In [0, 1]; None where no person has a label that counts.
    """
    joints = len(dataset.skeleton)
    known = np.ones(joints, dtype=bool) if known is None else known
    truth = [
        _label(index, person, known) for index, frame in enumerate(dataset.frames, start=1) for person in frame.people
    ]
    found = [
        _result(index, pose)
        for index, poses in enumerate(predictions, start=1)
        for pose in poses
        if np.isfinite(pose.score)
    ]
    if not any(annotation["num_keypoints"] for annotation in truth):
        return None
    if not found:
        return 0.0
    images = [
        {"id": index, "width": frame.width, "height": frame.height}
        for index, frame in enumerate(dataset.frames, start=1)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        run = COCOeval(_index(images, truth), _index(images, found), iouType="keypoints")
        run.params.kpt_oks_sigmas = np.asarray(dataset.skeleton.sigmas, dtype=float)
        run.params.areaRng, run.params.areaRngLbl = [[0.0, 1e10]], ["all"]
        run.params.maxDets = [MOST_PEOPLE]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"]
    return float(precision[precision > -1].mean())


def _label(image: int, person: Any, known: np.ndarray) -> dict[str, Any]:
    counts = person.labelled & known
    joints = np.zeros((len(counts), 3))
    joints[counts, :2], joints[counts, 2] = person.keypoints[counts], person.visibility[counts]
    return _annotation(image, joints, person.box, area=float(person.area), num_keypoints=int(counts.sum()))


def _result(image: int, pose: Pose) -> dict[str, Any]:
    there = np.isfinite(pose.keypoints).all(axis=-1)
    joints = np.full((len(there), 3), NOWHERE)
    joints[there, :2], joints[:, 2] = pose.keypoints[there], 1.0
    x1, y1, x2, y2 = pose.box
    return _annotation(image, joints, pose.box, area=float((x2 - x1) * (y2 - y1)), score=float(pose.score))


def _annotation(image: int, joints: np.ndarray, box: np.ndarray, **more: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return {
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": joints.ravel().tolist(),
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        **more,
    }


def _index(images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> COCO:
    numbered = [{**annotation, "id": number} for number, annotation in enumerate(annotations, start=1)]
    coco = COCO()
    coco.dataset = {"images": images, "annotations": numbered, "categories": [{"id": 1, "name": "person"}]}
    coco.createIndex()
    return coco
