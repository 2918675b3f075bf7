"""Two models on the same frames: how far apart they are, where, and whether that can be told from chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from fosbury.metrics.bootstrap import LEVEL, Difference, differences, holm, sums_by_unit
from fosbury.metrics.evaluation import Evaluation

SURE = 1 - LEVEL


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
        Mean error of A and of B in mm-equivalents.
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
    def told(self) -> bool:
        """Whether the difference can be told from chance: interval and corrected test agree."""
        return self.difference.told and self.p_holm < SURE

    @property
    def frames_needed(self) -> float:
        """About how many frames, of as many more clips, would tell a difference of this size; infinite if it is 0.

        Enough to make an interval at the level of the corrected test as narrow as the difference (Holm's first step,
        that is Bonferroni's), and to let the test reach its threshold at all: of n clips it cannot come below 2 / 2^n.
        """
        corrected = (norm.isf(SURE / (2 * max(self.tests, 1))) / norm.isf(SURE / 2)) ** 2
        least = np.log2(2 * max(self.tests, 1) / SURE) / max(self.units, 1)
        return self.frames * max(self.difference.times_more * corrected, least, 1.0)


def verdicts(a: Evaluation, b: Evaluation) -> list[Verdict]:
    """Compare two evaluations: all joints, the arch, then every phase, trunk tilt, joint and visibility.

    Parameters
    ----------
    a, b : Evaluation
        Of two models on the same joints of the same frames.

    Returns
    -------
    list of Verdict
        The p-values within a part are corrected for its number of groups (Holm); that of all joints stands alone.

    Raises
    ------
    ValueError
        If they are not of the same joints.
    """
    if not (
        np.array_equal(a.frame, b.frame) and np.array_equal(a.joint, b.joint) and np.array_equal(a.person, b.person)
    ):
        raise ValueError("the two evaluations were not measured on the same joints of the same frames")
    groups = {"all": {"all": np.ones(len(a.joint), dtype=bool)}, **a.groups()}
    keys = [(part, name) for part, masks in groups.items() for name in masks]
    rows = np.array([groups[part][name] for part, name in keys]).reshape(len(keys), -1).T
    first, counts = sums_by_unit(a.unit, a.error_mm, rows)
    second, _ = sums_by_unit(b.unit, b.error_mm, rows)
    found = differences(first, second, counts)
    if a.one_clip:
        found = [replace(each, low=np.nan, high=np.nan, better=np.nan, p=np.nan, units=1) for each in found]
    raised = {part: _raised(part, keys, found) for part in groups}
    result = []
    for column, ((part, name), difference) in enumerate(zip(keys, found, strict=True)):
        mask = rows[:, column]
        place = sum(key[0] == part for key in keys[:column])
        result.append(
            Verdict(
                part,
                name,
                len(np.unique(a.frame[mask])),
                difference.units,
                float(a.error_mm[mask].mean()) if mask.any() else np.nan,
                float(b.error_mm[mask].mean()) if mask.any() else np.nan,
                difference,
                float(raised[part][place]),
                int(np.isfinite(raised[part]).sum()),
            )
        )
    return result


def _raised(part: str, keys: Sequence[tuple[str, str]], found: Sequence[Difference]) -> np.ndarray:
    return holm([difference.p for key, difference in zip(keys, found, strict=True) if key[0] == part])


def sentence(verdict: Verdict, a: str = "A", b: str = "B") -> str:
    """What a person is told of one verdict.

    Parameters
    ----------
    verdict : Verdict
    a, b : str
        Names of the models.
    """
    difference, over = verdict.difference, f"{verdict.frames} frames of {verdict.units} clips"
    if verdict.units < 2:
        return f"{b} against {a}: one clip alone tells nothing of another ({verdict.frames} frames)"
    size = f"{difference.mean:+.1f} mm [{difference.low:+.1f}, {difference.high:+.1f}]"
    sure = f"probability that {b} is better {difference.better:.2f}, p {verdict.p_holm:.3g}, {over}"
    if verdict.told:
        word = "better" if difference.mean < 0 else "worse"
        return f"{b} is {word} than {a}: {size}; {sure}"
    if difference.mean == 0:
        return f"no difference between {b} and {a}: {size}; {over}"
    said = f"not enough frames to tell {b} from {a}: {size}; {sure}"
    if verdict.frames_needed <= verdict.frames:  # the interval would tell, the test does not
        return said
    return f"{said}; about {_rounded_up(verdict.frames_needed)} frames, of as many more clips, would be"


def _rounded_up(count: float) -> str:
    if not np.isfinite(count) or count > 1e6:
        return "more than a million"
    step = 10 ** max(0, int(np.log10(max(count, 1))) - 1)
    return str(int(np.ceil(count / step) * step))
