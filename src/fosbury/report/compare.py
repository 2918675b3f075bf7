"""Git branches, tags and DVC experiments beside each other, on the same test frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.paired import Verdict, verdicts
from fosbury.pose import Dataset, Frame
from fosbury.report.compare_pairing import pair
from fosbury.report.compare_sides import IMPLIED, SETTINGS, Run, Side

CHANGED = 5  # frames that are named, on each side
SEED = "seed"
SKELETON = ("skeleton.sigmas", "skeleton.limbs", "skeleton.pairs", "skeleton.trunk")  # what else measures


@dataclass(frozen=True, eq=False)
class Comparison:
    """Sides on the same test frames, the first being what the others are compared with.

    Attributes
    ----------
    names : tuple of str
        Of the sides.
    runs : tuple of tuple of str
        Names of the runs of each side.
    params : dict of str to list
        Parameters that differ, with the value of each run, side after side (None where it has none).
    test : Dataset
    evaluations : tuple of tuple of Evaluation
        Of each side the evaluations of its runs.
    verdicts : dict of str to list of Verdict
        For each side but the first.
    notes : tuple of str
    """

    names: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]
    params: dict[str, list[Any]]
    test: Dataset
    evaluations: tuple[tuple[Evaluation, ...], ...]
    verdicts: dict[str, list[Verdict]]
    notes: tuple[str, ...]

    @property
    def focus(self) -> str:
        """The phase of interest."""
        return self.evaluations[0][0].focus

    def side(self, name: str) -> tuple[Evaluation, ...]:
        """Evaluate the runs of a side."""
        return self.evaluations[self.names.index(name)]

    def changed_frames(self, name: str) -> list[tuple[Frame, float, float]]:
        """Find the frames whose mean error moved most against the first side.

        Those that gained most, then those that lost most, with both errors in mm-equivalents.
        """
        frames, _ = self.evaluations[0][0].frame_errors()
        before, after = (
            np.mean([run.frame_errors()[1] for run in side], axis=0) for side in (self.evaluations[0], self.side(name))
        )
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
        Leave out the frames that not all have with the same labels, and those that one was trained on.

    Returns
    -------
    Comparison

    Raises
    ------
    BadInput
        If they were tested on different frames, labels or joints, or one was trained on a test frame.
    """
    runs = list(chain.from_iterable(side.runs for side in sides))
    test, notes = pair(runs, common)
    poses = [_poses(run, test) for run in runs]
    known = np.ones(len(test.skeleton), dtype=bool)
    for found in poses:
        there = [np.isfinite(pose.keypoints).all(axis=1) for frame in found for pose in frame]
        known &= np.any(there, axis=0) if there else True
    stature, cap = (runs[0].params[name] for name in SETTINGS)
    measured = iter([evaluate(test, found, stature, cap=cap, known=known, focus=runs[0].focus) for found in poses])
    evaluations = tuple(tuple(next(measured) for _ in side.runs) for side in sides)
    return Comparison(
        tuple(side.name for side in sides),
        tuple(tuple(run.name for run in side.runs) for side in sides),
        _differing([run.params for run in runs]),
        test,
        evaluations,
        {side.name: verdicts(evaluations[0], each) for side, each in zip(sides[1:], evaluations[1:], strict=True)},
        (*notes, *_seed_notes(sides), *_applied(runs), *_box_notes(runs), *evaluations[0][0].notes),
    )


def _poses(run: Run, test: Dataset) -> list[Any]:
    place = {name: index for index, name in enumerate(run.predictions.files)}
    (found,) = run.predictions.models.values()
    return [found[place[frame.file_name]] for frame in test.frames]


def _applied(runs: Sequence[Run]) -> list[str]:
    """Say which settings of the measure differ, and which were applied to all."""
    first, differing = runs[0].name, _differing([run.params for run in runs])
    notes = []
    for name in SETTINGS:
        if name in differing:
            values = ", ".join(f"{run.name} {value}" for run, value in zip(runs, differing[name], strict=True))
            notes.append(f"{name} differs ({values}): all are measured with that of {first}")
    parts = [part for part in SKELETON if any(name.startswith(part) for name in differing)]
    return notes + [f"{part} differ: all are measured with those of {first}" for part in parts]


def _seed_notes(sides: Sequence[Side]) -> list[str]:
    """Note trainings that differ in their seed alone, and runs of a side that differ in more."""
    notes = []
    for side in sides:
        more = sorted(_differing([run.params for run in side.runs]).keys() - {SEED})
        if more:
            notes.append(f"the runs of {side.name} differ in {', '.join(more)}, not in their seed alone")
    first = sides[0]
    for side in sides[1:]:
        between = _differing([first.runs[0].params, side.runs[0].params])
        if between.keys() == {SEED}:
            notes.append(f"{side.name} and {first.name} differ in their seed alone: any difference is what a seed does")
    return notes


def _box_notes(runs: Sequence[Run]) -> list[str]:
    """Note a model that was given boxes of people."""
    sources = {run.name: run.params.get("model.boxes") for run in runs}
    labels = [name for name, source in sources.items() if source == "labels"]
    others = [
        f"{name} had its boxes from {source}" for name, source in sources.items() if source not in (None, "labels")
    ]
    if labels:
        others.append(f"{', '.join(labels)} had the labelled boxes, so that nobody could be missed")
    return others


def _differing(params: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = sorted({name for each in params for name in each} - set(IMPLIED))
    values = {name: [each.get(name) for each in params] for name in names}
    return {name: given for name, given in values.items() if any(value != given[0] for value in given)}
