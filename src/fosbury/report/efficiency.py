"""How the error falls with the number of labelled frames, over experiments that drew different ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dvc.api
import numpy as np
from dvc.exceptions import NotDvcRepoError
from dvc.scm import SCMError

from fosbury.errors import BadInput
from fosbury.pose import FOCUS
from fosbury.report.charts import lines
from fosbury.report.html import Section, chart, document, table

FRAMES, DRAW = "split.train_frames", "split.draw"
PHASE = "evaluate.phase"
SAME = ("model.name", "train.epochs", "train.lr0", "data.name", "seed", "split.seed")
UNDONE = ("Queued", "Running", "Failed")  # such experiments show the metrics of the commit that they start from
EVERY = "test_frames"


@dataclass(frozen=True)
class Point:
    """Runs with one number of labelled frames.

    Attributes
    ----------
    frames : int
    errors : tuple of float
        Error in the phase of interest, in mm-equivalents, of each draw, ascending.
    """

    frames: int
    errors: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the draws."""
        return float(np.mean(self.errors))


@dataclass(frozen=True)
class Curve:
    """How the error falls.

    Attributes
    ----------
    focus : str
        The phase of interest, whose error it is.
    points : list of Point
        By their number of frames.
    before : float
        Error without fine-tuning, in mm-equivalents.
    """

    focus: str
    points: list[Point]
    before: float


def learning_curve(rows: Sequence[Mapping[str, Any]]) -> Curve:
    """Sort experiments by their number of labelled frames.

    Parameters
    ----------
    rows : sequence of mapping
        As ``dvc.api.exp_show`` gives them.

    Returns
    -------
    Curve

    Raises
    ------
    BadInput
        If there are not two numbers of frames, or the experiments differ in more than the frames drawn.
    """
    errors: dict[int, dict[Any, float]] = defaultdict(dict)
    before, settings = set(), set()
    for row in rows:
        focus = str(_cell(row, PHASE) or FOCUS)
        names = (FRAMES, f"{focus}_error_mm", f"{focus}_error_mm_baseline")
        frames, error, untuned = (_number(_cell(row, name)) for name in names)
        if row.get("State") in UNDONE or frames is None or error is None or untuned is None:
            continue
        errors[int(frames)][_cell(row, DRAW)] = error
        before.add((focus, untuned, _cell(row, EVERY)))
        settings.add(tuple(str(_cell(row, name)) for name in SAME))
    if len(errors) < 2:
        hint = "queue some: see conf/experiment/label_efficiency.yaml"
        raise BadInput("experiments", "with two numbers of split.train_frames are not there", hint)
    if len(before) > 1 or len(settings) > 1:
        hint = "remove what does not belong (`dvc exp remove`)"
        raise BadInput("experiments", "differ in model, recipe, data or test frames, too", hint)
    points = [Point(frames, tuple(sorted(draws.values()))) for frames, draws in sorted(errors.items())]
    focus, untuned, _ = before.pop()
    return Curve(focus, points, untuned)


def _cell(row: Mapping[str, Any], name: str) -> Any:
    """Find a value by its name; DVC puts the file in front where several files have that name."""
    keys = (name, f"params.yaml:{name}", f"metrics/summary.json:{name}")
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _number(value: Any) -> float | None:
    """None for what DVC shows in place of a number: nothing, 'None', or '!' of a run that has not got there."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def experiments(repository: Path = Path()) -> list[dict[str, Any]]:
    """Experiments of HEAD with their parameters and metrics.

    Raises
    ------
    BadInput
        If it is no repository.
    """
    try:
        return dvc.api.exp_show(str(repository))
    except (SCMError, NotDvcRepoError):
        raise BadInput(repository.absolute(), "is no repository of git and DVC", "go to the project's folder") from None


def efficiency_page(curve: Curve) -> str:
    """Return the curve as one HTML page."""
    rows = [
        {
            "model": "mean of the draws, worst to best draw",
            "frames": point.frames,
            "error_mm": round(point.mean, 2),
            "error_mm_low": point.errors[0],
            "error_mm_high": point.errors[-1],
        }
        for point in curve.points
    ]
    drawn = lines(
        rows,
        across="frames",
        value="error_mm",
        title=f"Error in the {curve.focus} by the number of labelled frames",
        labels=("labelled frames", f"mean joint error in the {curve.focus}, mm-equivalents"),
        levels={f"before fine-tuning, {curve.before:.0f} mm": curve.before},
    )
    cells = [
        (point.frames, len(point.errors), f"{point.mean:.1f}", f"{point.errors[0]:.1f} to {point.errors[-1]:.1f}")
        for point in curve.points
    ]
    shown = chart(drawn, table(("frames", "draws", "mean mm", "range"), cells))
    return document("How many labelled frames are enough?", "", [Section("Learning curve over frames", shown)])
