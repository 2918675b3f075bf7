"""How far apart the figures of trainings are that differ in their seed alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.documents import read_json
from fosbury.errors import BadInput
from fosbury.metrics.evaluation import UPRIGHT, evaluate
from fosbury.pose import PHASES
from fosbury.report.compare_sides import Run, decisive, differing

SEED, UPRIGHT_MM = "seed", "upright_error_mm"
MILLIMETRES = "_error_mm"


@dataclass(frozen=True)
class SeedSpread:
    """Test errors of several trainings with the same data, recipe and packages.

    Attributes
    ----------
    settings : str
        Digest of every parameter that decides a figure, but the seed.
    seeds : list of int
    focus : str
        The phase of interest.
    focus_error_mm, upright_error_mm : list of float
        Of each seed, in mm-equivalents: of the phase of interest, and of approach and take-off.
    """

    settings: str
    seeds: list[int]
    focus: str
    focus_error_mm: list[float]
    upright_error_mm: list[float]

    def sentence(self) -> str:
        """Sum the spread up for a reader of the headline."""
        focus, upright = np.array(self.focus_error_mm), np.array(self.upright_error_mm)
        return (
            f"{len(self.seeds)} trainings that differ in the seed alone: {focus.min():.0f} to {focus.max():.0f} mm in "
            f"the {self.focus} (mean {focus.mean():.1f}, standard deviation {focus.std(ddof=1):.1f}), "
            f"{upright.min():.1f} to {upright.max():.1f} mm upright"
        )


def settings_digest(params: Mapping[str, Any]) -> str:
    """Return a digest of the parameters that decide a training's and an evaluation's figures, but the seed.

    Parameters
    ----------
    params : mapping of str to Any
        params.yaml, flat.
    """
    return hashlib.sha256(json.dumps(decisive(params, (SEED,)), sort_keys=True).encode()).hexdigest()[:16]


def seed_spread(runs: Sequence[Run]) -> SeedSpread:
    """Measure trainings that differ in their seed alone.

    Parameters
    ----------
    runs : sequence of Run
        The fine-tuned models of at least two runs.

    Raises
    ------
    BadInput
        If there are fewer than two, two have one seed, or they differ in another parameter or in their test frames.
    """
    if len(runs) < 2:
        raise BadInput("fosbury seeds", "was given fewer than two runs", "name runs with different seeds")
    first = runs[0]
    seeds: list[Any] = [run.params.get(SEED) for run in runs]
    if len(set(seeds)) < len(seeds):
        raise BadInput("fosbury seeds", f"was given one seed twice ({seeds})", "name one run of each seed")
    for run in runs[1:]:
        if differ := differing(first, run, (SEED,)):
            hint = "name runs that differ in 'seed' alone"
            raise BadInput(run.name, f"differs from {first.name} in {', '.join(differ)}", hint)
        if [frame.file_name for frame in run.test.frames] != [frame.file_name for frame in first.test.frames]:
            raise BadInput(run.name, f"was tested on other frames than {first.name}", "give both the same data")
    evaluations = []
    for run in runs:
        (poses,) = run.predictions.models.values()
        stature, cap = run.params["data.stature_mm"], run.params["evaluate.cap"]
        evaluations.append(evaluate(run.test, poses, stature, cap=cap, ap=False, focus=run.focus))
    inside = [each.group_metrics(each.phase == each.focus).error_mm for each in evaluations]
    if not np.isfinite(inside).all():
        raise BadInput(first.name, f"has no test frame of the {first.focus}", "label phases, or test on other clips")
    upright = [each.group_metrics(np.isin(each.phase, UPRIGHT)).error_mm for each in evaluations]
    errors = ([round(each, 2) for each in of_runs] for of_runs in (inside, upright))
    return SeedSpread(settings_digest(first.params), seeds, first.focus, *errors)


def to_json(spread: SeedSpread) -> dict[str, Any]:
    """Return what ``fosbury seeds --json`` writes: the phase of interest stands in the name of its errors."""
    return {
        "settings": spread.settings,
        "seeds": spread.seeds,
        spread.focus + MILLIMETRES: spread.focus_error_mm,
        UPRIGHT_MM: spread.upright_error_mm,
    }


def read_spread(path: Path) -> SeedSpread:
    """Read a recorded spread.

    Parameters
    ----------
    path : Path
        What ``fosbury seeds --json`` wrote.

    Raises
    ------
    BadInput
        If the file is missing or holds anything else.
    """
    values = read_json(path)
    try:
        (focus,) = (name.removesuffix(MILLIMETRES) for name in values.keys() - {"settings", "seeds", UPRIGHT_MM})
        if focus not in PHASES:
            raise ValueError(focus)
        errors = values[focus + MILLIMETRES], values[UPRIGHT_MM]
        spread = SeedSpread(values["settings"], values["seeds"], focus, *errors)
        spread.sentence()
    except (AttributeError, KeyError, TypeError, ValueError):
        hint = "restore it with `git checkout`, or write it again with `fosbury seeds`"
        raise BadInput(path, "does not hold the spread of seeds", hint) from None
    return spread


def recorded_spread(path: Path, params: Mapping[str, Any]) -> SeedSpread | None:
    """Read the recorded spread, if it is one of runs with these parameters (params.yaml, flat); see ``read_spread``."""
    spread = read_spread(path)
    return spread if spread.settings == settings_digest(params) else None
