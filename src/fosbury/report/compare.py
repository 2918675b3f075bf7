"""Git branches, tags and DVC experiments beside each other, on the same test frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fosbury.errors import BadInput
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.paired import Verdict, verdicts
from fosbury.pose import Dataset, Frame
from fosbury.report.compare_sides import Side

CHANGED = 5  # frames that are named, on each side
UNTOLD = ("conf_digest",)  # a digest of what the other parameters say


@dataclass(frozen=True, eq=False)
class Comparison:
    """Revisions on the same test frames, the first being what the others are compared with.

    Attributes
    ----------
    names : tuple of str
    params : dict of str to list
        Parameters that differ, with the value of each revision (None where it has none).
    test : Dataset
    evaluations : tuple of Evaluation
    verdicts : dict of str to list of Verdict
        For each revision but the first.
    notes : tuple of str
    """

    names: tuple[str, ...]
    params: dict[str, list[Any]]
    test: Dataset
    evaluations: tuple[Evaluation, ...]
    verdicts: dict[str, list[Verdict]]
    notes: tuple[str, ...]

    def changed_frames(self, name: str) -> list[tuple[Frame, float, float]]:
        """Frames whose mean error in mm-equivalents moved most against the first revision: those that gained most, then
        those that lost most, with both errors."""
        first, other = self.evaluations[0], self.evaluations[self.names.index(name)]
        frames, before = first.frame_errors()
        _, after = other.frame_errors()
        order = np.argsort(after - before, kind="stable")
        gained = [place for place in order[:CHANGED] if after[place] < before[place]]
        lost = [place for place in order[::-1][:CHANGED] if after[place] > before[place]]
        return [(self.test.frames[frames[at]], float(before[at]), float(after[at])) for at in (*gained, *lost)]


def compare(sides: Sequence[Side], common: bool = False) -> Comparison:
    """Compare models on the same frames, joint by joint.

    Parameters
    ----------
    sides : sequence of Side
        At least two; the first is what the others are compared with.
    common : bool
        Take the frames that all have, where they were tested on different ones.

    Returns
    -------
    Comparison

    Raises
    ------
    BadInput
        If they were tested on different frames or joints.
    """
    first = sides[0]
    for side in sides[1:]:
        if side.test.skeleton.joints != first.test.skeleton.joints:
            raise BadInput(side.name, f"has other joints than {first.name}", "compare runs of one skeleton")
    labels = [{frame.file_name: _label(frame) for frame in side.test.frames} for side in sides]
    shared = {name for name, label in labels[0].items() if all(other.get(name) == label for other in labels[1:])}
    notes = []
    if any(len(own) != len(shared) for own in labels):
        for side, own in zip(sides[1:], labels[1:], strict=True):
            if not common and own != labels[0]:
                counts = f"{len(first.test)} and {len(side.test)}, {len(shared)} of them common to all"
                mend = "give '--common' to compare on these" if shared else "test them on the same frames"
                raise BadInput(side.name, f"was tested on other frames ({counts})", mend)
        if not shared:
            raise BadInput(first.name, "shares no test frame with the others", "test them on the same frames")
        notes.append(f"compared on the {len(shared)} frames that all were tested on, of {len(first.test)}")
    test = first.test.where([frame.file_name in shared for frame in first.test.frames])
    poses = []
    for side in sides:
        place = {name: index for index, name in enumerate(side.predictions.files)}
        (found,) = side.predictions.models.values()
        poses.append([found[place[frame.file_name]] for frame in test.frames])
    known = np.ones(len(test.skeleton), dtype=bool)
    for found in poses:
        there = [np.isfinite(pose.keypoints).all(axis=1) for frame in found for pose in frame]
        known &= np.any(there, axis=0) if there else True
    settings = {name: first.params.get(name) for name in ("data.stature_mm", "evaluate.cap")}
    measured = [evaluate(test, found, settings["data.stature_mm"], settings["evaluate.cap"], known) for found in poses]
    names = tuple(side.name for side in sides)
    return Comparison(
        names,
        _differing([side.params for side in sides]),
        test,
        tuple(measured),
        {name: verdicts(measured[0], own) for name, own in zip(names[1:], measured[1:], strict=True)},
        (*notes, *_told_boxes(sides), *measured[0].notes),
    )


def _told_boxes(sides: Sequence[Side]) -> list[str]:
    """What is to be said where a model did not look for people by itself."""
    told = {side.name: side.params.get("model.boxes") for side in sides}
    labels = [name for name, source in told.items() if source == "labels"]
    others = [f"{name} looked by {source}" for name, source in told.items() if source not in (None, "labels")]
    if labels:
        others.append(f"{', '.join(labels)} looked at the labelled boxes, so that nobody could be missed")
    return others


def _label(frame: Frame) -> str:
    people = [(person.keypoints.round(3).tolist(), person.visibility.tolist()) for person in frame.people]
    return json.dumps([frame.width, frame.height, frame.unit, people])


def _differing(params: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = sorted({name for own in params for name in own} - set(UNTOLD))
    values = {name: [own.get(name) for own in params] for name in names}
    return {name: given for name, given in values.items() if any(value != given[0] for value in given)}
