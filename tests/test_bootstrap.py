"""Intervals and paired tests: known answers, agreement with SciPy, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fosbury.metrics.bootstrap import differences, exchange_test, holm, intervals, resampled, sums_by_unit, tail


def column(values) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def test_sums_of_units_by_hand():
    unit = np.array([0, 1, 1, 2])
    counted = np.array([[True, True], [True, False], [True, True], [True, False]])
    sums, counts = sums_by_unit(unit, np.array([1.0, 2.0, np.nan, 8.0]), counted)
    assert sums.tolist() == [[1, 1], [2, 0], [8, 0]]
    assert counts.tolist() == [[1, 1], [1, 0], [1, 0]]


def test_units_that_are_all_alike_leave_no_doubt():
    low, high = intervals(column([30.0, 60.0, 15.0]), column([10, 20, 5]))[0]
    assert low == high == 3.0


def test_one_unit_tells_nothing():
    assert np.isnan(intervals(column([5.0]), column([2]))).all()
    assert np.isnan(intervals(column([5.0, 0.0]), column([2, 0]))).all()
    assert intervals(np.zeros((0, 3)), np.zeros((0, 3))).shape == (3, 2)


def test_the_same_seed_gives_the_same_interval():
    rng = np.random.default_rng(1)
    sums, counts = rng.random((20, 3)), rng.integers(1, 9, (20, 3))
    assert np.array_equal(intervals(sums, counts), intervals(sums, counts))
    assert not np.array_equal(intervals(sums, counts), intervals(sums, counts, seed=1))


def test_it_is_scipys_bootstrap_at_the_same_quantiles():
    rng = np.random.default_rng(3)
    counts = rng.integers(5, 40, 25).astype(float)
    sums = counts * rng.normal(200, 50, 25)
    level = 1 - 2 * tail(25)

    def ratio(total, count, axis):
        return total.sum(axis) / count.sum(axis)

    theirs = stats.bootstrap(
        (sums, counts), ratio, paired=True, confidence_level=level, n_resamples=20_000, method="percentile", rng=5
    ).confidence_interval
    ours = intervals(column(sums), column(counts), resamples=20_000)[0]
    assert np.allclose(ours, theirs, atol=0.02 * (theirs[1] - theirs[0]))


@pytest.mark.parametrize("units", [12, 25, 60])
def test_95_percent_cover_93_to_97(units):
    """Clips of unequal length whose athletes differ; the truth is known. Fewer units cover less: see the module."""
    rng = np.random.default_rng(units)
    hits, runs = 0, 1500
    for _ in range(runs):
        counts = rng.integers(20, 60, units)
        sums = counts * rng.normal(200, 40, units) + rng.normal(0, 60, units) * np.sqrt(counts)
        low, high = intervals(column(sums), column(counts), resamples=600)[0]
        hits += low <= 200 <= high
    assert hits / runs + 0.006 >= 0.93 and hits / runs <= 0.97


def test_a_single_unit_is_not_tested():
    (found,) = differences(column([3.0, 0.0]), column([5.0, 0.0]), column([1, 0]))
    assert found.units == 1 and np.isnan(found.p) and np.isnan(found.low) and not found.told


def test_identical_predictions_differ_by_nothing():
    errors, counts = column([3.0, 4.0, 8.0]), column([1, 2, 3])
    (same,) = differences(errors, errors, counts)
    assert (same.mean, same.low, same.high, same.better, same.p) == (0.0, 0.0, 0.0, 0.5, 1.0)
    assert not same.told and same.times_more == np.inf


def test_a_shift_of_every_joint_is_told_exactly():
    counts = column([10, 20, 30, 5, 7, 12, 9, 14])
    (found,) = differences(counts * 10.0, counts * 13.0, counts)
    assert found.mean == pytest.approx(3) and found.low == pytest.approx(3) and found.high == pytest.approx(3)
    assert found.better == 0.0 and found.told and found.p == pytest.approx(2 / 2**8)


def test_noise_is_not_told_and_says_how_much_more_it_needs():
    apart = column([5.0, -4.0, 6.0, -5.5, 4.5, -3.0, 2.0, -4.0])
    counts = np.ones_like(apart)
    (found,) = differences(np.zeros_like(apart), apart, counts)
    assert not found.told and 0.2 < found.better < 0.8 and found.p > 0.5 and found.times_more > 10
    (more,) = differences(np.zeros_like(apart), apart + 20, counts)
    assert more.told and more.times_more < 1 and more.better == 0.0


def test_the_exchange_test_by_hand_and_by_scipy():
    # Of the 8 ways to sign 1, 2, 4 only +7 and -7 reach 7.
    assert exchange_test(np.array([1.0, 2.0, 4.0])) == 0.25
    rng = np.random.default_rng(0)
    apart = rng.normal(0.4, 1, 30)
    theirs = stats.permutation_test(
        (apart,), np.sum, permutation_type="samples", n_resamples=20_000, rng=1, alternative="two-sided"
    ).pvalue
    assert exchange_test(apart, 20_000) == pytest.approx(theirs, abs=0.01)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    raised = holm([0.5, np.nan, 0.9])
    assert raised[0] == 1.0 and np.isnan(raised[1]) and raised[2] == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(p):
    raised = holm(p)
    assert (raised >= np.asarray(p) - 1e-12).all() and (raised <= 1).all()
    assert (np.diff(raised[np.argsort(p, kind="stable")]) >= -1e-12).all()


def test_draws_are_shared_by_all_figures():
    rng = np.random.default_rng(2)
    sums = rng.random((15, 1))
    both = resampled(np.hstack([sums, 2 * sums]), np.ones((15, 2)), 100)
    assert np.allclose(both[:, 1], 2 * both[:, 0])
