"""Intervals and paired tests: known answers, agreement with SciPy, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fosbury.metrics.intervals import (
    differences,
    holm,
    jackknife,
    least_units,
    mean_intervals,
    share_intervals,
    sign_flip_test,
    sums_by_unit,
)


def column(values) -> np.ndarray:
    return np.asarray(values, dtype=float)[:, None]


def test_sums_of_units_by_hand():
    unit = np.array([0, 1, 1, 2])
    counted = np.array([[True, True], [True, False], [True, True], [True, False]])
    sums, counts = sums_by_unit(unit, np.array([1.0, 2.0, np.nan, 8.0]), counted)
    assert sums.tolist() == [[1, 1], [2, 0], [8, 0]]
    assert counts.tolist() == [[1, 1], [1, 0], [1, 0]]


def test_the_jackknife_by_hand():
    # Left out one by one, 10 / 1 and 30 / 2 leave 15 and 10, which are +5/3 and -10/3 from 40 / 3.
    ratio, error, units = jackknife(column([10.0, 30.0, 0.0]), column([1, 2, 0]))
    assert ratio[0] == pytest.approx(40 / 3) and units[0] == 2
    assert error[0] == pytest.approx(np.sqrt((25 / 9 + 100 / 9) / 2))


def test_of_equal_counts_the_jackknife_is_scipys_standard_error():
    values = np.random.default_rng(0).normal(200, 50, 12)
    _, error, _ = jackknife(column(values * 7), column(np.full(12, 7)))
    assert error[0] == pytest.approx(stats.sem(values))


def test_intervals_by_hand():
    # 2, 4 and 9 have the mean 5 and the standard error sqrt(13 / 3); t of two degrees of freedom is 4.3027.
    low, high = mean_intervals(column([2.0, 4.0, 9.0]), column([1, 1, 1]))[0]
    reach = 4.302653 * np.sqrt(13 / 3) / 5
    assert (low, high) == pytest.approx((5 * np.exp(-reach), 5 * np.exp(reach)), rel=1e-6)
    # Shares of 0.2, 0.4 and 0.9 of ten: logit 0, standard error sqrt(0.13 / 3), over 0.25.
    low, high = share_intervals(column([2.0, 4.0, 9.0]), column([10, 10, 10]))[0]
    reach = 4.302653 * np.sqrt(0.13 / 3) / 0.25
    assert (low, high) == pytest.approx((1 / (1 + np.exp(reach)), 1 / (1 + np.exp(-reach))), rel=1e-6)


def test_units_that_are_all_alike_leave_no_doubt():
    low, high = mean_intervals(column([30.0, 60.0, 15.0]), column([10, 20, 5]))[0]
    assert low == high == 3.0
    assert mean_intervals(column([0.0, 0.0]), column([4, 3]))[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("of", [0, 1])
def test_a_share_of_none_or_all_is_as_clopper_and_pearson_have_it(of):
    counts = np.array([7, 3, 9, 5, 2])
    theirs = stats.binomtest(of * 5, 5).proportion_ci(method="exact")
    assert share_intervals(column(of * counts), column(counts))[0] == pytest.approx((theirs.low, theirs.high))


@pytest.mark.parametrize("intervals", [mean_intervals, share_intervals])
def test_one_unit_says_nothing(intervals):
    assert np.isnan(intervals(column([0.5]), column([2]))).all()
    assert np.isnan(intervals(column([0.5, 0.0]), column([2, 0]))).all()
    assert intervals(np.zeros((0, 3)), np.zeros((0, 3))).shape == (3, 2)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=9))
def test_intervals_hold_the_figure_and_stay_in_range(units):
    near, far = np.array(units).T
    for own in (mean_intervals, share_intervals):
        low, high = own(column(near), column(near + far))[0]
        if np.isfinite(low):
            ratio = near.sum() / (near + far).sum()
            assert 0 <= low <= ratio + 1e-12 and high >= ratio - 1e-12
            assert own is mean_intervals or high <= 1


def held(ends: np.ndarray, truth: float) -> float:
    return float(np.mean((ends[:, 0] <= truth) & (ends[:, 1] >= truth)))


@pytest.mark.parametrize("units", [3, 5, 9, 25])
def test_intervals_hold_the_truth_as_often_as_they_say(units):
    """Clips of unequal length; ``bench/coverage.py`` has the whole table."""
    rng = np.random.default_rng(units)
    counts = rng.integers(3, 12, (units, 4000))
    normal = counts * rng.normal(200, 50, counts.shape)
    assert 0.935 <= held(mean_intervals(normal, counts), 200) <= 0.965
    skewed = counts * 200 * np.exp(rng.normal(-0.18, 0.6, counts.shape))
    assert 0.91 <= held(mean_intervals(skewed, counts), 200) <= 0.965
    share = rng.binomial(counts, rng.beta(2, 4, counts.shape)).astype(float)
    assert 0.93 <= held(share_intervals(share, counts), 1 / 3) <= 0.99


@pytest.mark.parametrize("units", [3, 5, 9])
def test_of_equal_models_the_better_one_is_sure_in_a_tenth_of_cases(units):
    rng = np.random.default_rng(units)
    a, b = rng.normal(200, 50, (2, units, 2000))
    better = np.array([each.better for each in differences(a, b, np.ones_like(a))])
    assert np.mean((better >= 0.95) | (better <= 0.05)) == pytest.approx(0.1, abs=0.02)


def test_of_equal_counts_a_difference_is_scipys_paired_t_test():
    rng = np.random.default_rng(4)
    a, b = rng.normal(200, 50, (2, 9))
    (found,) = differences(column(a * 5), column(b * 5), column(np.full(9, 5)))
    theirs = stats.ttest_rel(b, a)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))
    assert found.better == pytest.approx(1 - stats.ttest_rel(b, a, alternative="less").pvalue)


def test_several_runs_by_hand():
    # Clips are alike, so that all doubt stems from the runs: A's are 10 and 14, B's 20 and 22. Pooled variance
    # (8 + 2) / 2, over two runs a side: 5; two degrees of freedom.
    a, b = (np.array(runs, dtype=float)[:, None, None] * np.ones((1, 3, 1)) for runs in ((10, 14), (20, 22)))
    (found,) = differences(a, b, np.ones((3, 1)))
    assert (
        found.mean == 9
        and found.error == pytest.approx(np.sqrt(5))
        and found.runs_share == pytest.approx(1)
        and found.runs == 4
    )
    assert (found.low, found.high) == pytest.approx((9 - 4.302653 * np.sqrt(5), 9 + 4.302653 * np.sqrt(5)))
    assert found.p == pytest.approx(2 * stats.t.sf(9 / np.sqrt(5), 2))


def test_clips_add_to_the_doubt_of_runs():
    # Runs as above; the sides differ by 8, 9 and 10 on the three clips: variance 1 / 3 more, of two degrees of freedom.
    a, b = (np.array(runs, dtype=float)[:, None, None] * np.ones((1, 3, 1)) for runs in ((10, 14), (20, 22)))
    (found,) = differences(a, b + np.array([-1.0, 0.0, 1.0])[:, None], np.ones((3, 1)))
    assert found.error == pytest.approx(np.sqrt(5 + 1 / 3)) and found.runs_share == pytest.approx(15 / 16)
    degrees = (16 / 3) ** 2 / (5**2 / 2 + (1 / 3) ** 2 / 2)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, degrees) * found.error)


def test_a_seed_is_no_difference_where_several_runs_show_what_it_does():
    """Equal models, clips equally hard for all, seeds that move a whole run by 20 mm, and each clip of it by 30."""
    rng, wrong = np.random.default_rng(0), {}
    for runs in (1, 3):
        shape = (runs, 9, 2000)
        clips = rng.normal(200, 60, (1, 9, 2000))
        a, b = (clips + rng.normal(0, 20, (runs, 1, 2000)) + rng.normal(0, 30, shape) for _ in range(2))
        found = differences(a, b, np.ones((9, 2000)))
        wrong[runs] = np.mean([each.significant and each.p < 0.05 for each in found])
    assert wrong[1] > 0.25 and 0.02 < wrong[3] < 0.07


def test_a_single_unit_is_not_tested():
    (found,) = differences(column([3.0, 0.0]), column([5.0, 0.0]), column([1, 0]))
    assert found.units == 1 and np.isnan(found.p) and np.isnan(found.low) and not found.significant


def test_identical_predictions_differ_by_nothing():
    errors, counts = column([3.0, 4.0, 8.0]), column([1, 2, 3])
    (same,) = differences(errors, errors, counts)
    assert (same.mean, same.low, same.high, same.better, same.p, same.error) == (0.0, 0.0, 0.0, 0.5, 1.0, 0.0)
    assert not same.significant


def test_a_shift_of_every_joint_is_told_exactly():
    counts = column([10, 20, 30, 5, 7, 12, 9, 14])
    (found,) = differences(counts * 10.0, counts * 13.0, counts)
    assert found.mean == pytest.approx(3) and found.low == pytest.approx(3) and found.high == pytest.approx(3)
    assert found.better == 0.0 and found.significant and found.p == pytest.approx(2 / 2**8)


def test_noise_is_not_told():
    apart = column([5.0, -4.0, 6.0, -5.5, 4.5, -3.0, 2.0, -4.0])
    counts = np.ones_like(apart)
    (found,) = differences(np.zeros_like(apart), apart, counts)
    assert not found.significant and 0.2 < found.better < 0.8 and found.p > 0.5
    (more,) = differences(np.zeros_like(apart), apart + 20, counts)
    assert more.significant and more.better < 0.001


def test_fewest_units_of_a_significant_result():
    # 2 / 2^5 is 0.0625 and 2 / 2^6 is 0.031; five times 2 / 2^8 is 0.039; 17 times 2 / 2^9 is 0.066.
    assert [least_units(tests) for tests in (1, 5, 17)] == [6, 8, 10]


def test_the_exchange_test_by_hand_and_by_scipy():
    # Of the 8 ways to sign 1, 2, 4 only +7 and -7 reach 7.
    assert sign_flip_test(np.array([1.0, 2.0, 4.0])) == 0.25
    rng = np.random.default_rng(0)
    apart = rng.normal(0.4, 1, 30)
    theirs = stats.permutation_test(
        (apart,), np.sum, permutation_type="samples", n_resamples=20_000, rng=1, alternative="two-sided"
    ).pvalue
    assert sign_flip_test(apart, 20_000) == pytest.approx(theirs, abs=0.01)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    raised = holm([0.5, np.nan, 0.9])
    assert raised[0] == 1.0 and np.isnan(raised[1]) and raised[2] == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(p):
    raised = holm(p)
    assert (raised >= np.asarray(p) - 1e-12).all() and (raised <= 1).all()
    assert (np.diff(raised[np.argsort(p, kind="stable")]) >= -1e-12).all()
