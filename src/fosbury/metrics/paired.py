"""Two models on the same frames: how far apart they are, where, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from fosbury.metrics.evaluation import Evaluation
from fosbury.metrics.intervals import SURE, Difference, differences, holm, least_units, sums_by_unit

POWER = 0.8  # with which the frames that are asked for would show the difference, if it is as large as it seems


@dataclass(frozen=True)
class Verdict:
    """B against A on one group of joints.

    Attributes
    ----------
    part, name : str
        What the group is: ``by_phase`` and ``arch``, for instance; ``all`` and ``all`` for everything.
    frames, units : int
        How many frames the group has, of how many clips.
    before, after : float
        Mean error of A and of B in mm-equivalents, over the runs of each.
    difference : Difference
        B minus A in mm-equivalents: negative, B is better.
    p_holm : float
        p of the difference, raised for the number of groups of the same part that were looked at.
    tests : int
        How many groups these are.
    """

    part: str
    name: str
    frames: int
    units: int
    before: float
    after: float
    difference: Difference
    p_holm: float
    tests: int = 1

    @property
    def significant(self) -> bool:
        """Whether the difference is more than chance: interval and corrected test agree."""
        return self.difference.significant and self.p_holm < SURE

    @property
    def several_runs(self) -> bool:
        """Whether more than one training a side was compared, so that the interval holds what a seed does."""
        return self.difference.runs > 2

    @property
    def too_few_units(self) -> bool:
        """Whether no result of so few clips could be significant, whatever the difference."""
        return not self.several_runs and self.units < least_units(self.tests)

    @property
    def units_needed(self) -> float:
        """How many clips would show the difference with a power of 80 %, if it truly is as large as it was measured.

        The normal approximation for a t test, with Guenther's correction (1981, "Sample Size Formulas for Normal Theory
        T Tests", The American Statistician 35:243), at the level of the corrected test (Holm's first step, that is
        Bonferroni's). NaN where the difference is below its standard error: then not even its sign is known.
        """
        size, error = abs(self.difference.mean), self.difference.error
        if not error <= size or size == 0:
            return np.nan
        level = norm.isf(SURE / (2 * max(self.tests, 1)))
        spread = error * np.sqrt(self.units) / size
        return float(max(((level + norm.ppf(POWER)) * spread) ** 2 + level**2 / 2, least_units(self.tests)))

    @property
    def frames_needed(self) -> float:
        """Return about how many frames ``units_needed`` clips have, if they are as long as those at hand."""
        return self.units_needed * self.frames / max(self.units, 1)


def verdicts(a: Sequence[Evaluation], b: Sequence[Evaluation]) -> list[Verdict]:
    """Compare two models: all joints, then every phase, trunk tilt, joint and visibility.

    Parameters
    ----------
    a, b : sequence of Evaluation
        Of one or several trainings of each model, all on the same joints of the same frames.

    Returns
    -------
    list of Verdict
        The p-values within a part are corrected for its number of groups (Holm); that of all joints stands alone.

    Raises
    ------
    ValueError
        If they are not of the same joints.
    """
    first = a[0]
    if not all(_same_joints(first, other) for other in (*a, *b)):
        raise ValueError("the evaluations were not measured on the same joints of the same frames")
    groups = {"all": {"all": np.ones(len(first.joint), dtype=bool)}, **first.groups()}
    keys = [(part, name) for part, masks in groups.items() for name in masks]
    rows = np.array([groups[part][name] for part, name in keys]).reshape(len(keys), -1).T
    sums_a, sums_b = (np.array([sums_by_unit(first.cluster, run.error_mm, rows)[0] for run in side]) for side in (a, b))
    _, counts = sums_by_unit(first.cluster, first.error_mm, rows)
    found = differences(sums_a, sums_b, counts)
    if first.one_clip:
        found = [Difference(each.mean, np.nan, np.nan, np.nan, np.nan, 1, runs=each.runs) for each in found]
    raised = {part: _raised(part, keys, found) for part in groups}
    errors = [np.mean([run.error_mm for run in side], axis=0) for side in (a, b)]
    result = []
    for column, ((part, name), difference) in enumerate(zip(keys, found, strict=True)):
        mask = rows[:, column]
        place = sum(key[0] == part for key in keys[:column])
        before, after = (float(each[mask].mean()) if mask.any() else np.nan for each in errors)
        frames, tests = len(np.unique(first.frame[mask])), int(np.isfinite(raised[part]).sum())
        p = float(raised[part][place])
        result.append(Verdict(part, name, frames, difference.units, before, after, difference, p, tests))
    return result


def _same_joints(a: Evaluation, b: Evaluation) -> bool:
    return np.array_equal(a.frame, b.frame) and np.array_equal(a.joint, b.joint) and np.array_equal(a.person, b.person)


def _raised(part: str, keys: Sequence[tuple[str, str]], found: Sequence[Difference]) -> np.ndarray:
    return holm([difference.p for key, difference in zip(keys, found, strict=True) if key[0] == part])
