"""What a comparison says, by simulation.

How often the number of clips it asks for shows the difference, and how often trainings that differ in their seed alone
are called different.

    python bench/power.py

prints the tables of docs/statistics.md. The same seed gives the same tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import norm

from fosbury.metrics.intervals import SURE, Difference, differences, holm, least_units
from fosbury.metrics.paired import Verdict

SPREAD_MM = 40.0  # of the difference of two models from clip to clip
CLIP_MM = 60.0  # of the error of one model from clip to clip
RESAMPLES = 2000


def asked_for(size: float, tests: int) -> int:
    """How many clips a comparison asks for that has seen nine clips and measured the true difference."""
    seen = Difference(-size, -np.inf, np.inf, np.nan, np.nan, 9, error=SPREAD_MM / 3)
    return int(np.ceil(Verdict("by_phase", "arch", 9, 9, 0.0, -size, seen, np.nan, tests).units_needed))


def asked_for_before(size: float, tests: int) -> int:
    """Count the clips by the rule used before.

    As many as make the interval as narrow as the difference, and as the test needs at all.
    """
    return max(int(np.ceil((norm.isf(SURE / (2 * tests)) * SPREAD_MM / size) ** 2)), least_units(tests))


def power(clips: int, size: float, tests: int, runs: int) -> float:
    """How often one true difference among ``tests`` comparisons is called significant."""
    rng, found = np.random.default_rng(clips), 0
    shift = np.where(np.arange(tests) == 0, -size, 0.0)
    for _ in range(runs):
        apart = rng.normal(shift, SPREAD_MM, (clips, tests))
        each = differences(np.zeros_like(apart), apart, np.ones_like(apart), resamples=RESAMPLES)
        found += each[0].significant and holm([own.p for own in each])[0] < SURE
    return found / runs


def powers(runs: int) -> Iterator[list[str]]:
    """Rows: true difference, groups looked at, then clips and power by either rule."""
    for size in (15.0, 25.0, 40.0):
        for tests in (1, 5, 17):
            cells = []
            for rule in (asked_for_before, asked_for):
                clips = rule(size, tests)
                cells += [str(clips), f"{100 * power(clips, size, tests, runs):.0f}"]
            yield [f"{size:.0f} mm", str(tests), *cells]


def trained(
    rng: np.random.Generator, clips: int, sides: Sequence[int], seed_mm: float, both_mm: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw errors (R, U, 1) of runs of two equally good models, and counts.

    A clip is as hard for all, a seed shifts all clips of a run, and each clip of each run has a shift besides.
    """
    hard = rng.normal(200, CLIP_MM, (clips, 1))
    a, b = (hard + rng.normal(0, seed_mm, (runs, 1, 1)) + rng.normal(0, both_mm, (runs, clips, 1)) for runs in sides)
    return a, b, np.ones((clips, 1))


def seeds(runs: int) -> Iterator[list[str]]:
    """Rows: spread of a seed over all clips and in each, runs a side, then the per cent called different."""
    for seed_mm, both_mm in ((0, 30), (10, 30), (20, 30), (40, 30)):
        for sides in ((1, 1), (2, 2), (3, 3), (5, 5), (1, 3)):
            cells = []
            for clips in (6, 9, 25):
                rng = np.random.default_rng(clips)
                found = [
                    differences(*trained(rng, clips, sides, seed_mm, both_mm), resamples=RESAMPLES // 4)[0]
                    for _ in range(runs)
                ]
                cells.append(f"{100 * np.mean([each.significant and each.p < SURE for each in found]):.0f}")
            yield [f"{seed_mm} mm", f"{both_mm} mm", f"{sides[0]} against {sides[1]}", *cells]


def table(head: Sequence[str], rows: Iterator[list[str]]) -> str:
    """Write a table in Markdown."""
    lines = [head, ["---:"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="experiments behind each number")
    runs = parser.parse_args().runs
    head = ("true difference", "groups", "clips asked for before", "power, %", "clips asked for now", "power, %")
    print(table(head, powers(runs)))
    head = ("seed moves all clips by", "each clip by", "runs a side", "6 clips, %", "9 clips, %", "25 clips, %")
    print(table(head, seeds(runs)))


if __name__ == "__main__":
    main()
