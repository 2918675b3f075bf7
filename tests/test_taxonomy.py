"""Kinds of mistakes and calibration: known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.metrics.calibration import fit_temperature, reliability, temperature_scaled
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.headline import calibration_headline
from fosbury.metrics.taxonomy import KINDS, kinds
from fosbury.pose import Dataset, Frame, Person, Pose

AREA = 100.0 * 200.0


@pytest.fixture
def body() -> np.ndarray:
    """17 joints, each far from the next."""
    return np.stack([np.arange(17) % 5 * 60.0, np.arange(17) // 5 * 60.0], axis=-1)


def named(predicted, labels, sigmas, labelled=None, frame=None) -> np.ndarray:
    predicted, labels = np.array(predicted, float), np.array(labels, float)
    labelled = np.ones(labels.shape[:2], bool) if labelled is None else labelled
    frame = np.arange(len(labels)) if frame is None else np.array(frame)
    return kinds(predicted, labels, labelled=labelled, area=np.full(len(labels), AREA), sigmas=sigmas, frame=frame)


def test_each_kind_by_hand(body, skeletons):
    sigmas = skeletons["coco17"].sigmas
    predicted = body.copy()
    reach = np.sqrt(2 * AREA) * 2 * sigmas[1]
    predicted[1] += [reach * np.sqrt(np.log(1 / 0.6)), 0]  # similarity 0.6: jitter
    predicted[2] = body[7]  # on another joint
    predicted[3] = [1000.0, 20.0]  # on the other person's joint 0
    predicted[4] = [500.0, 900.0]
    predicted[5] = np.nan
    other = body + np.array([1000, 20])
    kind = named([predicted, other], [body, other], sigmas, frame=[0, 0])
    assert kind[0, :6].tolist() == ["good", "jitter", "inversion", "other_person", "miss", "miss"]
    assert (kind[0, 6:] == "good").all() and (kind[1] == "good").all()
    apart = named([predicted, other], [body, other], sigmas, frame=[0, 1])
    assert apart[0, 3] == "miss"  # nobody else in that frame


def test_exchanged_sides_are_all_inversions(body, skeletons):
    skeleton = skeletons["coco17"]
    flipped = body[list(skeleton.flip_index)]
    kind = named([flipped], [body], skeleton.sigmas)[0]
    paired = np.array(skeleton.flip_index) != np.arange(17)
    assert (kind[paired] == "inversion").all() and (kind[~paired] == "good").all()
    data, poses = one_frame(skeleton, body, flipped)
    figures = evaluate(data, poses, ap=False)
    assert figures.group_metrics().swapped == 1.0
    assert figures.to_json()["kinds"]["all"]["inversion"]["share"] == pytest.approx(16 / 17, abs=1e-4)


def one_frame(skeleton, labels, predicted, confidence=0.9):
    box = np.concatenate([labels.min(0) - 5, labels.max(0) + 5])
    person = Person(labels, np.full(17, 2, np.uint8), box, AREA)
    pose = Pose(predicted, np.full(17, confidence), box, 0.9)
    return Dataset(skeleton, (Frame("a.jpg", 400, 400, (person,), phase="arch"),)), [[pose]]


def test_shares_and_costs_add_up(body, skeletons):
    skeleton = skeletons["coco17"]
    rng = np.random.default_rng(5)
    data, poses = one_frame(skeleton, body, body + rng.normal(0, 25, body.shape))
    evaluation = evaluate(data, poses, ap=False)
    parts = evaluation.to_json()["kinds"]["arch"]
    assert list(parts) == list(KINDS)
    assert sum(part["share"] for part in parts.values()) == pytest.approx(1, abs=1e-3)
    assert sum(part["cost_mm"] for part in parts.values()) == pytest.approx(
        evaluation.group_metrics().error_mm, abs=0.1
    )


def test_a_joint_without_a_label_is_nobodys_place(body, skeletons):
    labelled = np.ones((1, 17), bool)
    labelled[0, 7] = False
    predicted = body.copy()
    predicted[2] = body[7]
    assert named([predicted], [body], skeletons["coco17"].sigmas, labelled)[0, 2] == "miss"


# Calibration


def test_reliability_by_hand():
    found = reliability(np.array([0.95, 0.95, 0.95, 0.95, 0.15, 1.0]), np.array([1, 1, 0, 0, 1, 1], bool))
    assert found.count.tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 5]
    assert found.right[9] == pytest.approx(0.6) and found.confidence[9] == pytest.approx(0.96)
    assert found.error == pytest.approx((5 * 0.36 + 0.85) / 6)
    assert np.isnan(found.right[0])


def test_the_temperature_is_found_again():
    rng = np.random.default_rng(0)
    honest = rng.uniform(0.05, 0.95, 20_000)
    right = rng.random(20_000) < honest
    boastful = temperature_scaled(honest, 1 / 3)
    temperature = fit_temperature(boastful, right)
    assert temperature == pytest.approx(3, rel=0.05)
    assert (
        reliability(temperature_scaled(boastful, temperature), right).error < 0.2 * reliability(boastful, right).error
    )
    assert fit_temperature(np.zeros(0), np.zeros(0, bool)) == 1.0


@given(st.floats(0, 1), st.floats(0.1, 20))
def test_cooling_keeps_the_order_and_the_middle(confidence, temperature):
    assert temperature_scaled(np.array(0.5), temperature) == pytest.approx(0.5)
    assert (
        temperature_scaled(np.array(confidence), temperature)
        >= temperature_scaled(np.array(confidence / 2), temperature) - 1e-12
    )
    assert temperature_scaled(np.array(confidence), 1.0) == pytest.approx(confidence, abs=2e-6)


def test_joints_that_were_not_found_have_no_confidence(body, skeletons):
    data, poses = one_frame(skeletons["coco17"], body, body)
    lacking = body.copy()
    lacking[:5] = np.nan
    evaluation = evaluate(data, [[replace(poses[0][0], keypoints=lacking)]], ap=False)
    calibration = evaluation.to_json()["calibration"]["arch"]
    assert calibration["joints"] == 12 and calibration["ece"] == pytest.approx(0.1)


def test_a_boastful_model_is_cooled_on_other_frames(body, skeletons):
    rng = np.random.default_rng(2)
    skeleton = skeletons["coco17"]

    def frames(count):
        data, poses = [], []
        for number in range(count):
            wrong = rng.random(17) < 0.4
            one, (found,) = one_frame(skeleton, body, body + 300.0 * wrong[:, None], 0.99)
            data.append(replace(one.frames[0], file_name=f"{number}.jpg"))
            poses.append(found)
        return evaluate(Dataset(skeleton, tuple(data)), poses, ap=False)

    numbers = calibration_headline(frames(40), frames(40))
    assert numbers["temperature"] > 5
    assert numbers["arch_ece"] > 0.3 and numbers["arch_ece_cooled"] < 0.1
    assert numbers["ece"] == numbers["arch_ece"] and numbers["val_joints"] == 40 * 17
    data, _ = one_frame(skeleton, body, body)
    assert calibration_headline(evaluate(data, [[]], ap=False), frames(2)) == {"val_joints": 0}
