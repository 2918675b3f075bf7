"""How sure a figure is: confidence intervals over clusters, and tests of paired differences.

Frames of one clip err alike, so what counts is never a frame but a *unit*: a clip, or whatever a split never parts.
Every figure is a ratio of two sums over units (errors over joints, missed people over people). Its standard error is
that of the jackknife over units (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11), its
interval Student's t with one degree of freedom less than there are units: on the logarithm of a mean error, which is
skewed, on the logit of a share, and as it is on a difference. How often such intervals hold the truth is measured by
``bench/coverage.py``; ``docs/statistics.md`` has its tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit
from scipy.stats import beta
from scipy.stats import t as student

LEVEL = 0.95
SURE = 1 - LEVEL  # p below which a difference is significant
RESAMPLES = 10_000
SEED = 0
FEW = 5  # units below which an interval is said to be of few
WIDTH = "their width is itself uncertain"  # what is said of these
EXACT = 12  # units up to which every way of exchanging two models is counted


@dataclass(frozen=True)
class Difference:
    """How far B is from A on the same joints; a negative error difference says that B is better.

    Attributes
    ----------
    mean : float
        B minus A.
    low, high : float
        Its 95 % interval; NaN with fewer than two units.
    better : float
        Confidence that B is less than A: the level of the one-sided t interval that ends at 0.
    p : float
        Two-sided. Of one run a side, from a test that exchanges A and B unit by unit (exact up to ``EXACT`` units); of
        several, from Student's t. NaN with fewer than two units.
    units : int
    error : float
        Standard error of ``mean``.
    runs : int
        Trainings of A and B together.
    runs_share : float
        Part of the variance of ``mean`` that stems from training again; 0 where one run a side leaves it unknown.
    """

    mean: float
    low: float
    high: float
    better: float
    p: float
    units: int
    error: float = np.nan
    runs: int = 2
    runs_share: float = 0.0

    @property
    def significant(self) -> bool:
        """Whether the interval leaves 0 out."""
        return bool(self.low > 0 or self.high < 0)


def sums_by_unit(unit: np.ndarray, values: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum and count over the rows of each unit.

    Parameters
    ----------
    unit : ndarray of int, shape (N,)
        From 0.
    values : ndarray, shape (N,) or (N, M)
    counted : ndarray of bool, shape (N, M)
        Which rows belong to each of M figures; a value that is not finite belongs to none.

    Returns
    -------
    sums, counts : ndarray, shape (U, M)
    """
    values = np.broadcast_to(values if values.ndim > 1 else values[:, None], counted.shape)
    counted = counted & np.isfinite(values)
    units = int(unit.max()) + 1 if len(unit) else 0
    chosen = np.where(counted, values, 0.0)
    sums = np.array([np.bincount(unit, column, units) for column in chosen.T])
    counts = np.array([np.bincount(unit, column, units) for column in counted.T])
    return sums.reshape(counted.shape[1], units).T, counts.reshape(counted.shape[1], units).T


def jackknife(sums: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ratios of sums to counts, and their standard errors.

    Parameters
    ----------
    sums, counts : ndarray, shape (U, M)
        Of each unit, for M figures.

    Returns
    -------
    ratio, error : ndarray, shape (M,)
        The error is NaN of a figure to which fewer than two units contribute, the ratio of one to which none does.
    units : ndarray of int, shape (M,)
        How many units contribute.
    """
    units = np.count_nonzero(counts, axis=0)
    total, count = sums.sum(axis=0), counts.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.divide(total, count)
        apart = np.where(counts > 0, np.divide(total - sums, count - counts) - ratio, 0.0)
        error = np.sqrt((units - 1) / units * (apart**2).sum(axis=0))
        error[error < 1e-12 * np.abs(ratio)] = 0.0  # what rounding leaves of units that are all alike
    return ratio, np.where(units > 1, error, np.nan), units


def _reach(units: np.ndarray, level: float) -> np.ndarray:
    """Quantile of Student's t for each number of units."""
    return student.ppf((1 + level) / 2, np.maximum(units - 1, 1))


def mean_intervals(sums: np.ndarray, counts: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Intervals of means that are positive and skewed, such as errors: Student's t on their logarithm.

    Parameters
    ----------
    sums, counts : ndarray, shape (U, M)
    level : float
        Nominal coverage.

    Returns
    -------
    ndarray, shape (M, 2)
        NaN for a figure to which fewer than two units contribute; 0 to 0 where every unit is 0.
    """
    ratio, error, units = jackknife(sums, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = np.where(ratio > 0, _reach(units, level) * error / ratio, error)
    return np.stack([ratio * np.exp(-reach), ratio * np.exp(reach)], axis=-1)


def share_intervals(sums: np.ndarray, counts: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Intervals of shares: Student's t on their logit.

    A share of exactly 0 or 1 has no logit and no spread; there the interval is that of Clopper and Pearson (1934) for
    as many trials as there are units, as if each unit were all of one kind.

    Parameters
    ----------
    sums, counts : ndarray, shape (U, M)
    level : float
        Nominal coverage.

    Returns
    -------
    ndarray, shape (M, 2)
        NaN for a figure to which fewer than two units contribute.
    """
    ratio, error, units = jackknife(sums, counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        reach = _reach(units, level) * error / (ratio * (1 - ratio))
        ends = expit(logit(ratio)[:, None] + np.stack([-reach, reach], axis=-1))
    several = units > 1
    none, every = several & (ratio <= 0), several & (ratio >= 1)
    ends[none] = np.stack([np.zeros(none.sum()), beta.ppf((1 + level) / 2, 1, units[none])], axis=-1)
    ends[every] = np.stack([beta.ppf((1 - level) / 2, units[every], 1), np.ones(every.sum())], axis=-1)
    return np.where(several[:, None], ends, np.nan)


def differences(
    a: np.ndarray, b: np.ndarray, counts: np.ndarray, *, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Difference]:
    """Paired differences of two models, figure by figure.

    With several runs a side, runs and units are crossed random effects: the variance of the difference is that over
    units, of the difference of the sides' means, plus that over runs, pooled over both sides. Each holds the variance
    that runs and units have together, so that their sum rather has it twice than not at all. Its degrees of freedom
    are Satterthwaite's (1946, "An Approximate Distribution of Estimates of Variance Components", Biometrics Bulletin
    2:110).

    Parameters
    ----------
    a, b : ndarray, shape (U, M) or (R, U, M)
        Sums of the errors of each unit, over the same joints, of one run or of R; A and B need not have as many.
    counts : ndarray, shape (U, M)
        How many joints these are.
    resamples, seed : int
        Of ``sign_flip_test``.

    Returns
    -------
    list of Difference, length M
    """
    first, second = (side.reshape(-1, *counts.shape) for side in (a, b))
    apart = second.mean(axis=0) - first.mean(axis=0)
    mean, error, units = jackknife(apart, counts)
    by_units = error**2
    by_runs, freedom = _over_runs(first, second, counts)
    runs = len(first) + len(second)
    error = np.sqrt(by_units + by_runs)
    with np.errstate(invalid="ignore", divide="ignore"):
        pieces = by_units**2 / (units - 1) + by_runs**2 / max(freedom, 1)
        degrees = np.where(pieces > 0, error**4 / pieces, np.maximum(units - 1, 1))
        share = np.where(error > 0, by_runs / error**2, 0.0)
        score = np.where(mean == 0, 0.0, mean / error)
    reach = student.ppf((1 + LEVEL) / 2, degrees) * error
    result = []
    for figure in range(counts.shape[1]):
        if units[figure] < 2:
            nothing = dict.fromkeys(("low", "high", "better", "p"), np.nan)
            result.append(Difference(float(mean[figure]), **nothing, units=int(units[figure]), runs=runs))
            continue
        if freedom:
            p = float(2 * student.sf(abs(score[figure]), degrees[figure]))
        else:
            p = sign_flip_test(apart[counts[:, figure] > 0, figure], resamples, seed)
        result.append(
            Difference(
                mean=float(mean[figure]),
                low=float(mean[figure] - reach[figure]),
                high=float(mean[figure] + reach[figure]),
                better=float(student.cdf(-score[figure], degrees[figure])),
                p=p,
                units=int(units[figure]),
                error=float(error[figure]),
                runs=runs,
                runs_share=float(share[figure]),
            )
        )
    return result


def _over_runs(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, int]:
    """Variance (M,) that training again gives a difference of the sides' means, and its degrees of freedom."""
    freedom = len(a) + len(b) - 2
    if not freedom:
        return np.zeros(counts.shape[1]), 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [np.divide(side.sum(axis=1), counts.sum(axis=0)) for side in (a, b)]
    squares = sum(((own - own.mean(axis=0)) ** 2).sum(axis=0) for own in means)
    return squares / freedom * (1 / len(a) + 1 / len(b)), freedom


def sign_flip_test(apart: np.ndarray, resamples: int = RESAMPLES, seed: int = SEED) -> float:
    """Two-sided p of a sum of paired differences, if A and B could as well be exchanged in any unit.

    Parameters
    ----------
    apart : ndarray, shape (U,)
        Differences, B minus A, of each unit.
    resamples, seed : int
        Of the random exchanges, where there are too many units to count all.

    Returns
    -------
    float
    """
    units = len(apart)
    if units <= EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**units)[:, None] >> np.arange(units)) & 1)
        extra = 0
    else:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], (resamples, units))
        extra = 1  # the exchange of nothing
    reach = abs(apart.sum()) * (1 - 1e-9)
    return float((np.count_nonzero(np.abs(signs @ apart) >= reach) + extra) / (len(signs) + extra))


def least_units(tests: int) -> int:
    """Fewest units of which ``sign_flip_test`` can be significant at all among so many tests.

    Of n units it cannot come below 2 / 2^n, which Holm multiplies by the number of tests.
    """
    return int(np.floor(np.log2(2 * max(tests, 1) / SURE))) + 1


def holm(p: Sequence[float]) -> np.ndarray:
    """Raise the p-values of many tests (Holm 1979).

    One false alarm among all of them stays as rare as one test would make it.

    Parameters
    ----------
    p : sequence of float, length M
        NaN for a test that could not be made.

    Returns
    -------
    ndarray, shape (M,)
    """
    given = np.asarray(p, dtype=float)
    raised = np.full(given.shape, np.nan)
    made = np.flatnonzero(np.isfinite(given))
    order = made[np.argsort(given[made], kind="stable")]
    raised[order] = np.minimum(1.0, np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)))
    return raised
