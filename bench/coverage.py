"""How often a 95 % interval holds the truth, by simulation: of mean errors, of shares, and of paired differences.

    python bench/coverage.py

prints the tables of docs/statistics.md. The same seed gives the same tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from fosbury.metrics.intervals import LEVEL, SURE, differences, jackknife, mean_intervals, share_intervals

UNITS = (3, 5, 9, 25)
MEAN_MM = 200.0
RESAMPLES = 1000
REAL = Path(__file__).parent / "data" / "arch_errors.csv"  # columns: joints, error_mm, within_tenth, missed

Sample = tuple[np.ndarray, np.ndarray, float]  # sums and counts (U, M) of M experiments, and the true ratio
Draw = Callable[[np.random.Generator, int, int], Sample]
Ends = Callable[[np.ndarray, np.ndarray], np.ndarray]  # sums and counts (U, M) -> (M, 2)


def normal(rng: np.random.Generator, units: int, runs: int) -> Sample:
    """Clips of 3 to 11 frames: a clip's mean error varies by 50 mm, a frame about it by 60 mm."""
    frames = rng.integers(3, 12, (units, runs))
    clip = rng.normal(MEAN_MM, 50, frames.shape)
    return frames * clip + rng.normal(0, 60, frames.shape) * np.sqrt(frames), frames, MEAN_MM


def lognormal(spread: float) -> Draw:
    """Clips of 3 to 11 frames whose mean errors are log-normal, with that standard deviation of the logarithm."""

    def draw(rng: np.random.Generator, units: int, runs: int) -> Sample:
        frames = rng.integers(3, 12, (units, runs))
        clip = MEAN_MM * np.exp(rng.normal(-(spread**2) / 2, spread, frames.shape))
        return frames * clip * (1 + 0.2 * rng.normal(0, 1, frames.shape) / np.sqrt(frames)), frames, MEAN_MM

    return draw


def real(column: int, per: int = 0) -> Draw:
    """Real pictures, drawn with replacement; the truth is that of all of them."""
    table = np.loadtxt(REAL, delimiter=",", skiprows=1)
    counts = table[:, per] if per >= 0 else np.ones(len(table))

    def draw(rng: np.random.Generator, units: int, runs: int) -> Sample:
        chosen = rng.integers(0, len(table), (units, runs))
        return table[chosen, column], counts[chosen], table[:, column].sum() / counts.sum()

    return draw


def share(mean: float, alike: float, size: int) -> Draw:
    """Clips of about ``size`` yes or no; each clip's share is a beta variable, ``alike`` its intraclass correlation."""

    def draw(rng: np.random.Generator, units: int, runs: int) -> Sample:
        counts = rng.integers(max(1, size // 2), size * 3 // 2 + 1, (units, runs))
        own = rng.beta(mean * (1 / alike - 1), (1 - mean) * (1 / alike - 1), counts.shape)
        return rng.binomial(counts, own).astype(float), counts, mean

    return draw


def percentile_bootstrap(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Percentile bootstrap over units, widened for few units as Hesterberg (2015) proposes."""
    units = len(sums)
    tail = norm.cdf(-np.sqrt(units / (units - 1)) * student.ppf((1 + LEVEL) / 2, units - 1))
    drawn = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), RESAMPLES).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanquantile((drawn @ sums) / (drawn @ counts), [tail, 1 - tail], axis=0).T


def linearised(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Ratio, its linearised standard error, and the quantile of Student's t."""
    units, ratio = len(sums), sums.sum(axis=0) / counts.sum(axis=0)
    squares = ((sums - ratio * counts) ** 2).sum(axis=0)
    error = np.sqrt(units / (units - 1) * squares) / counts.sum(axis=0)
    return ratio, error, float(student.ppf((1 + LEVEL) / 2, units - 1))


def plain_t(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Student's t on the ratio as it is, with the linearised standard error."""
    ratio, error, quantile = linearised(sums, counts)
    return np.stack([ratio - quantile * error, ratio + quantile * error], axis=-1)


def root_t(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Student's t on the square root of the ratio."""
    ratio, error, quantile = linearised(sums, counts)
    root, reach = np.sqrt(ratio), quantile * error / (2 * np.sqrt(ratio))
    return np.stack([np.maximum(root - reach, 0) ** 2, (root + reach) ** 2], axis=-1)


def log_t(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Student's t on the logarithm of the ratio, with the linearised standard error."""
    ratio, error, quantile = linearised(sums, counts)
    return np.stack([ratio * np.exp(-quantile * error / ratio), ratio * np.exp(quantile * error / ratio)], axis=-1)


def bootstrap_t(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Bootstrap of the t statistic of the logarithm of the ratio."""
    units, rng, ends = len(sums), np.random.default_rng(0), []
    for own, count in zip(sums.T, counts.T, strict=True):
        drawn = rng.integers(0, units, (units, RESAMPLES))
        ratio, error, _ = linearised(own[:, None], count[:, None])
        ratios, errors, _ = linearised(own[drawn], count[drawn])
        varied = (ratios > 0) & (errors > 1e-9 * ratios)
        scores = np.log(ratios[varied] / ratio) * ratios[varied] / errors[varied]
        if not len(scores):  # units that are all alike
            ends.append(np.repeat(ratio, 2))
            continue
        high, low = np.quantile(scores, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        with np.errstate(over="ignore"):
            ends.append(ratio * np.exp(-np.array([low, high]) * error / ratio))
    return np.array(ends)


def clipped_t(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Student's t on the share as it is, cut off at 0 and 1."""
    ratio, error, _ = jackknife(sums, counts)
    reach = student.ppf((1 + LEVEL) / 2, len(sums) - 1) * error
    return np.clip(np.stack([ratio - reach, ratio + reach], axis=-1), 0, 1)


MEANS: dict[str, Draw] = {
    "normal": normal,
    "log-normal, 0.6": lognormal(0.6),
    "log-normal, 1.0": lognormal(1.0),
    "real photographs": real(1),
}
MEAN_METHODS: dict[str, Ends] = {
    "percentile bootstrap, widened": percentile_bootstrap,
    "bootstrap-t on the logarithm": bootstrap_t,
    "t": plain_t,
    "t on the square root": root_t,
    "t on the logarithm, linearised": log_t,
    "**t on the logarithm, jackknife**": mean_intervals,
}
SHARES: dict[str, Draw] = {
    "PCK, 0.30 of 100 a clip": share(0.3, 0.1, 100),
    "PCK, 0.05 of 100 a clip": share(0.05, 0.1, 100),
    "missed, 0.30 of 7 a clip": share(0.3, 0.1, 7),
    "missed, 0.05 of 7 a clip": share(0.05, 0.1, 7),
    "missed, 0.01 of 7 a clip": share(0.01, 0.1, 7),
    "PCK, real photographs (0.055)": real(2),
    "missed, real photographs (0.0625)": real(3, per=-1),
}
SHARE_METHODS: dict[str, Ends] = {
    "percentile bootstrap, widened": percentile_bootstrap,
    "t, cut off at 0 and 1": clipped_t,
    "**t on the logit, Clopper-Pearson at 0 and 1**": share_intervals,
}


def coverage(draws: dict[str, Draw], methods: dict[str, Ends], runs: int) -> Iterator[list[str]]:
    """Make the rows of a table of coverage.

    What is drawn, the method, and for each number of units the coverage in per cent and, in brackets, the median width
    over the truth.
    """
    for what, draw in draws.items():
        for name, method in methods.items():
            cells = []
            for units in UNITS:
                sums, counts, truth = draw(np.random.default_rng(units), units, runs)
                low, high = method(sums, counts).T
                held = (low <= truth * (1 + 1e-12)) & (high >= truth * (1 - 1e-12))
                cells.append(f"{100 * held.mean():.0f} ({np.median(high - low) / truth:.2f})")
            yield [what, name, *cells]


def equal_models(draw: Draw, units: int, runs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of two models that are equally good on every clip, but err apart; sums of A and B, and counts."""
    rng = np.random.default_rng(units)
    a, counts, _ = draw(rng, units, runs)
    b, others, _ = draw(rng, units, runs)
    return a, b / others * counts, counts


def resampled_differences(apart: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap of differences: intervals (M, 2), and the share of resamples below 0."""
    units = len(apart)
    drawn = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), RESAMPLES).astype(float)
    ratios = (drawn @ apart) / (drawn @ counts)
    return percentile_bootstrap(apart, counts), (ratios < 0).mean(axis=0) + (ratios == 0).mean(axis=0) / 2


def paired(runs: int) -> Iterator[list[str]]:
    """Make the rows of a table about two equal models.

    Per cent of experiments in which an interval holds 0, in which P(better) is at least 0.95 or at most 0.05, and in
    which a difference is called significant.
    """
    for what, draw in MEANS.items():
        found = []
        for units in UNITS:
            a, b, counts = equal_models(draw, units, runs)
            ends, share = resampled_differences(b - a, counts)
            each = differences(a, b, counts, resamples=RESAMPLES)
            better = np.array([own.better for own in each])
            found.append(
                (
                    np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0)),
                    np.mean([not own.significant for own in each]),
                    np.mean((share >= 0.95) | (share <= 0.05)),
                    np.mean((better >= 0.95) | (better <= 0.05)),
                    np.mean([own.significant and own.p < SURE for own in each]),
                )
            )
        for name, shares in zip(PAIRED, zip(*found, strict=True), strict=True):
            yield [what, name, *(f"{100 * each:.0f}" for each in shares)]


PAIRED = (
    "interval holds 0: percentile bootstrap, widened",
    "**interval holds 0: t, jackknife**",
    "P(better) >= 0.95 or <= 0.05: share of resamples",
    "**P(better) >= 0.95 or <= 0.05: t**",
    "**called significant: interval and sign-flip test**",
)


def table(title: str, rows: Iterator[list[str]]) -> str:
    """Write a table in Markdown: two columns of words, then one for each number of units."""
    head = [title, "", *(f"{units} units" for units in UNITS)]
    lines = [head, ["---", "---", *["---:"] * len(UNITS)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="experiments behind each number")
    runs = parser.parse_args().runs
    print(table("mean error", coverage(MEANS, MEAN_METHODS, runs)))
    print(table("share", coverage(SHARES, SHARE_METHODS, runs)))
    print(table("difference of equal models", paired(runs)))


if __name__ == "__main__":
    main()
