"""What is said of a difference between two models: a sentence, or the cells of a table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fosbury.metrics.intervals import least_units
from fosbury.metrics.paired import POWER, Verdict

ANOTHER_SEED = "one run a side: another seed may change this"
VERDICT = ("difference, mm", "P(better)", "p (Holm)", "Significant?")
AFTER_CORRECTION = "no, after correction"


def sentence(verdict: Verdict, a: str = "A", b: str = "B") -> str:
    """Say how far B is from A, and whether that is more than chance.

    Parameters
    ----------
    verdict : Verdict
    a, b : str
        Names of the models.
    """
    difference, over = verdict.difference, f"{verdict.frames} frames of {verdict.units} clips"
    if verdict.units < 2:
        return f"{b} against {a}: one clip alone says nothing of another ({verdict.frames} frames)"
    if verdict.several_runs:
        these, lacking = f"over {difference.runs} runs", "frames or runs"
        seed = f"{100 * difference.runs_share:.0f} % of the variance lies between runs"
    else:
        these, lacking, seed = "of these two trained models", "frames", ANOTHER_SEED
    size = f"{difference.mean:+.1f} mm [{difference.low:+.1f}, {difference.high:+.1f}]"
    sure = f"confidence that {b} is better {difference.better:.2f}, p {verdict.p_holm:.3g}, {over}"
    if verdict.significant:
        word = "better" if difference.mean < 0 else "worse"
        return f"{these}, {b} is {word} than {a}: {size}; {sure}; {seed}"
    if difference.mean == 0 and difference.error == 0:
        return f"{these}, no difference between {b} and {a}: {over}; {seed}"
    if verdict.too_few_units:
        return f"{b} against {a}: {size}, {over}; {too_few([verdict])}; {seed}"
    corrected = f" ({_corrected(verdict)})" if difference.significant else ""
    return (
        f"not significant, {b} against {a}: {size}{corrected}; {sure}; {seed}; there are not enough {lacking}"
        f"{_needed(verdict)}"
    )


def _corrected(verdict: Verdict) -> str:
    looked = f"is corrected for the {verdict.tests} groups looked at" if verdict.tests > 1 else "says less"
    return f"this interval alone leaves 0 out, but p {looked}"


def _needed(verdict: Verdict) -> str:
    """Say how many frames would be enough."""
    if verdict.several_runs:
        return ": more runs and more clips would narrow it"
    if np.isnan(verdict.units_needed):
        return ": the difference is within its standard error, so that no number of frames can be named"
    if verdict.units_needed <= verdict.units:
        return ""
    return (
        f": if the true difference is this large, about {_rounded_up(verdict.frames_needed)} frames of "
        f"{_rounded_up(verdict.units_needed)} clips would show it with a power of {100 * POWER:.0f} %"
    )


def _rounded_up(count: float) -> str:
    step = 10 ** max(0, int(np.log10(max(count, 1))) - 1)
    return str(int(np.ceil(count / step) * step))


def verdict_cells(verdict: Verdict) -> tuple[str, ...]:
    """Return what stands under ``VERDICT`` for one group of joints.

    The last cell agrees with the others: where the interval of this row leaves 0 out and the corrected test does not
    reject, it says so; where no result of so few clips could be significant, there is no p.
    """
    difference = verdict.difference
    if verdict.units < 2:
        return (f"{difference.mean:+.1f}", "-", "-", "one clip")
    size = f"{difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"
    better, p = f"{difference.better:.2f}", f"{verdict.p_holm:.3g}"
    if verdict.significant:
        return (size, better, p, f"yes, {'better' if difference.mean < 0 else 'worse'}")
    if verdict.too_few_units:
        return (size, better, "-", f"too few clips: {verdict.units}, needs {least_units(verdict.tests)}")
    return (size, better, p, AFTER_CORRECTION if difference.significant else "no")


def too_few(found: Sequence[Verdict]) -> str:
    """Say in words that a table, or a row of it, has too few clips for any result to be significant; empty if not."""
    few = [verdict for verdict in found if verdict.too_few_units and verdict.units > 1]
    if not few:
        return ""
    most = max(few, key=lambda verdict: least_units(verdict.tests))
    looked = f" with {most.tests} groups looked at" if most.tests > 1 else ""
    return (
        f"too few clips to test ({most.units}): no result of fewer than {least_units(most.tests)} clips can be "
        f"significant{looked}, however large, so the interval says how large the difference was and not that it is real"
    )
