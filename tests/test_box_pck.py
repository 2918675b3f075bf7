"""PCK in sides of the labelled box: known answers by hand."""

from __future__ import annotations

import numpy as np
import pytest

from fosbury.metrics.box_pck import box_pck

# Two people with three joints. The box of the first is 100 wide and 40 high, of the second 20 wide and 200 high.
LABELS = np.array([[[0.0, 0], [100, 40], [50, 20]], [[0.0, 0], [20, 200], [10, 100]]])
EVERY = np.ones((2, 3), dtype=bool)


def moved(*distances: float) -> np.ndarray:
    return LABELS + np.array(distances).reshape(2, 3, 1) * np.array([0.6, -0.8])


def test_a_joint_is_right_within_six_hundredths_of_the_longer_side():
    # 6 px of the first, 12 px of the second: strictly less is right.
    found = box_pck(moved(5.99, 6.01, 0, 11.9, 5, 12.1), LABELS, EVERY)
    assert found.joints.tolist() == [1.0, 0.5, 0.5]
    assert found.mean == pytest.approx(2 / 3) and found.people == 2
    exactly = box_pck(LABELS + np.array([6.0, 0.0]), LABELS, EVERY)
    assert exactly.joints.tolist() == [0.5, 0.5, 0.5]
    assert box_pck(moved(11.9, 11.9, 12.1, 0, 0, 0), LABELS, EVERY, threshold=0.1).mean == pytest.approx(5 / 6)


def test_each_joint_counts_alike_however_often_it_is_labelled():
    counts = np.array([[True, True, True], [True, False, False]])
    # The second person's box is that of one joint, a point: no distance is less than nothing.
    found = box_pck(moved(0, 9, 0, 0, 0, 0), LABELS, counts)
    assert found.joints.tolist() == [0.5, 0.0, 1.0] and found.mean == pytest.approx(0.5)
    laid = box_pck(moved(0, 9, 0, 0, 0, 0), LABELS, counts, around=EVERY)
    assert laid.joints.tolist() == [1.0, 0.0, 1.0] and laid.mean == pytest.approx(2 / 3)


def test_what_was_not_found_is_wrong_and_what_is_not_labelled_does_not_count():
    predicted = LABELS.copy()
    predicted[1] = np.nan
    predicted[0, 2] = np.nan
    labels = LABELS.copy()
    counts = EVERY.copy()
    labels[0, 1], counts[0, 1] = np.nan, False
    found = box_pck(predicted, labels, counts)
    assert found.joints.tolist() == [0.5, 0.0, 0.0]
    nobody = box_pck(predicted, labels, np.zeros_like(counts))
    assert np.isnan(nobody.mean) and np.isnan(nobody.joints).all() and nobody.people == 0
    assert np.isnan(box_pck(np.zeros((0, 3, 2)), np.zeros((0, 3, 2)), np.zeros((0, 3), bool)).mean)


def test_it_changes_neither_with_the_size_of_the_picture_nor_with_a_turn_by_a_right_angle():
    generator = np.random.default_rng(3)
    labels = generator.uniform(0, 300, (40, 12, 2))
    predicted = labels + generator.normal(0, 15, labels.shape)
    counts = generator.random((40, 12)) < 0.8
    found = box_pck(predicted, labels, counts)
    for other in (box_pck(3 * predicted, 3 * labels, counts), box_pck(predicted[..., ::-1], labels[..., ::-1], counts)):
        assert other.joints == pytest.approx(found.joints) and (other.low, other.high) == (found.low, found.high)


def test_its_interval_is_over_units():
    """By hand: one joint, three of four people right; without each: 2/3, 2/3, 2/3, 1."""
    labels = np.array([[[0.0, 0], [100, 0]]] * 4)
    counts = np.array([[True, False]] * 4)
    predicted = labels + np.array([[[0.0, 0]]] * 3 + [[[50.0, 0]]])
    found = box_pck(predicted, labels, counts, around=np.ones_like(counts))
    error = np.sqrt(3 / 4 * (3 * (1 / 12) ** 2 + (1 / 4) ** 2))
    reach = 3.182446 * error / (0.75 * 0.25)
    low, high = (1 / (1 + np.exp(-(np.log(3) + side * reach))) for side in (-1, 1))
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    alike = box_pck(predicted, labels, counts, around=np.ones_like(counts), unit=np.array([0, 0, 1, 1]))
    assert alike.mean == found.mean and alike.high > found.high
    alone = box_pck(predicted, labels, counts, around=np.ones_like(counts), unit=np.zeros(4, int))
    assert np.isnan(alone.low) and np.isnan(box_pck(labels, labels, EVERY[:1].repeat(4, 0)[:, :2]).low)
