"""Frames of the report page: those that a reader of any bar of its charts wants to see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fosbury.metrics.evaluation import Evaluation
from fosbury.pose import Dataset
from fosbury.report.montage import choose_frames

WORST, TYPICAL = 9, 6  # frames of the phase of interest
OF_A_GROUP = {"by_phase": 2, "by_tilt": 2, "by_visibility": 2, "by_joint": 1}  # worst frames of every other group


def select_frames(dataset: Dataset, tuned: Evaluation) -> dict[int, str]:
    """Choose frames: the phase of interest by its worst and typical ones, every other group of joints by its worst.

    Parameters
    ----------
    dataset : Dataset
    tuned : Evaluation
        Of the fine-tuned model on ``dataset``.

    Returns
    -------
    dict of int to str
        Index of the frame -> why it is there; those of the phase of interest first, the worst before the typical.
    """
    choices = choose_frames(dataset, tuned, phase=tuned.focus, typical=TYPICAL, worst=WORST)
    found = {choice.frame: choice.kind for choice in sorted(choices, key=lambda choice: choice.kind == "typical")}
    for part, masks in tuned.groups().items():
        for name, rows in masks.items():
            frames, errors = tuned.frame_errors(rows)
            for index in frames[np.argsort(-errors, kind="stable")[: OF_A_GROUP[part]]]:
                found.setdefault(int(index), f"worst of {name.replace('_', ' ')}")
    return found


def group_errors(evaluations: Mapping[str, Evaluation], frames: list[int]) -> dict[str, list[tuple[float, ...]]]:
    """Errors of the chosen frames, group by group.

    Parameters
    ----------
    evaluations : mapping of str to Evaluation
        ``finetuned`` among them.
    frames : list of int

    Returns
    -------
    dict of str to list of tuple
        ``by_phase/arch``, for instance -> for each chosen frame that has such joints its place in ``frames`` and the
        mean error of these joints in mm-equivalents by each model, worst of the fine-tuned model first.
    """
    tuned, names = evaluations["finetuned"], list(evaluations)
    place = {frame: number for number, frame in enumerate(frames)}
    result = {}
    for part, masks in tuned.groups().items():
        for name, rows in masks.items():
            errors = {}
            for model, evaluation in evaluations.items():
                errors[model] = dict(zip(*evaluation.frame_errors(rows), strict=True))
            there = sorted(
                (frame for frame in errors["finetuned"] if frame in place),
                key=lambda frame: (-errors["finetuned"][frame], place[frame]),
            )
            result[f"{part}/{name}"] = [
                (place[frame], *(round(float(errors[model][frame]), 1) for model in names)) for frame in there
            ]
    return result
