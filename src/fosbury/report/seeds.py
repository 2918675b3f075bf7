"""How far apart the figures of trainings are that differ in their seed alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fosbury.documents import read_json
from fosbury.errors import BadInput
from fosbury.metrics.evaluation import UPRIGHT, evaluate
from fosbury.report.compare_sides import Run

VARYING = ("seed", "conf_digest")


@dataclass(frozen=True)
class SeedSpread:
    """Test errors of several trainings with the same data, recipe and packages.

    Attributes
    ----------
    settings : str
        Digest of every parameter but the seed.
    seeds : list of int
    arch_error_mm, upright_error_mm : list of float
        Of each seed, in mm-equivalents.
    """

    settings: str
    seeds: list[int]
    arch_error_mm: list[float]
    upright_error_mm: list[float]

    def sentence(self) -> str:
        """Sum the spread up for a reader of the headline."""
        arch, upright = np.array(self.arch_error_mm), np.array(self.upright_error_mm)
        return (
            f"{len(self.seeds)} trainings that differ in the seed alone: {arch.min():.0f} to {arch.max():.0f} mm in "
            f"the arch (mean {arch.mean():.1f}, standard deviation {arch.std(ddof=1):.1f}), {upright.min():.1f} to "
            f"{upright.max():.1f} mm upright"
        )


def settings_digest(params: Mapping[str, Any]) -> str:
    """Return a digest of all parameters but those that a change of the seed changes.

    Parameters
    ----------
    params : mapping of str to Any
        params.yaml, flat.
    """
    kept = {name: value for name, value in params.items() if name not in VARYING}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


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
    seeds: list[Any] = [run.params.get("seed") for run in runs]
    if len(set(seeds)) < len(seeds):
        raise BadInput("fosbury seeds", f"was given one seed twice ({seeds})", "name one run of each seed")
    for run in runs[1:]:
        differing = sorted(
            name
            for name in (first.params.keys() | run.params.keys()) - set(VARYING)
            if first.params.get(name) != run.params.get(name)
        )
        if differing:
            hint = "name runs that differ in 'seed' alone"
            raise BadInput(run.name, f"differs from {first.name} in {', '.join(differing)}", hint)
        if [frame.file_name for frame in run.test.frames] != [frame.file_name for frame in first.test.frames]:
            raise BadInput(run.name, f"was tested on other frames than {first.name}", "give both the same data")
    evaluations = []
    for run in runs:
        (poses,) = run.predictions.models.values()
        stature, cap = run.params["data.stature_mm"], run.params["evaluate.cap"]
        evaluations.append(evaluate(run.test, poses, stature, cap=cap, ap=False, focus=run.focus))
    arch = [each.group_metrics(each.phase == each.focus).error_mm for each in evaluations]
    if not np.isfinite(arch).all():
        raise BadInput(first.name, "has no test frame of the arch", "label phases, or test on other clips")
    upright = [each.group_metrics(np.isin(each.phase, UPRIGHT)).error_mm for each in evaluations]
    return SeedSpread(settings_digest(first.params), seeds, [round(x, 2) for x in arch], [round(x, 2) for x in upright])


def to_json(spread: SeedSpread) -> dict[str, Any]:
    """Return what ``fosbury seeds --json`` writes."""
    return asdict(spread)


def recorded_spread(path: Path, params: Mapping[str, Any]) -> SeedSpread | None:
    """Read the recorded spread, if it is one of runs with these parameters.

    Parameters
    ----------
    path : Path
        What ``fosbury seeds --json`` wrote.
    params : mapping of str to Any
        params.yaml, flat.

    Raises
    ------
    BadInput
        If the file is missing or holds anything else.
    """
    values = read_json(path)
    try:
        spread = SeedSpread(**values)
        spread.sentence()
    except (TypeError, ValueError):
        hint = "restore it with `git checkout`, or write it again with `fosbury seeds`"
        raise BadInput(path, "does not hold the spread of seeds", hint) from None
    return spread if spread.settings == settings_digest(params) else None
