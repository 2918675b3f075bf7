"""What a teacher does to labels: each rule on cases worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from fosbury.dataset.relabel import (
    ADDED,
    DOUBTED,
    KEPT,
    NOTHING,
    REPAIRED,
    Voted,
    add,
    believed,
    decide,
    judge,
    limb_ends,
    limb_sides,
    swap_sides,
    trust_of,
)
from fosbury.pose import NOT_LABELLED, VISIBLE, Frame, Person
from fosbury.teaching import Rules

RULES = Rules()
SIDE = 100.0
FRAME = Frame("a.jpg", 200, 200)


@pytest.fixture
def skeleton(skeletons):
    return skeletons["coco17"]


@pytest.fixture
def pose(skeleton):
    """Joints on two columns, 20 pixels apart, the left ones on the right: all in a box of 100 from 50, 50."""
    points = np.zeros((len(skeleton), 2))
    rows = {"shoulder": 60, "elbow": 75, "wrist": 90, "hip": 105, "knee": 120, "ankle": 140}
    for index, joint in enumerate(skeleton.joints):
        side, _, part = joint.rpartition("_")
        points[index] = (90 + 20 * (side == "left"), rows.get(part, 55))
    return points


def person(pose, **changes):
    visibility = np.full(len(pose), VISIBLE, dtype=np.uint8)
    return replace(Person(pose, visibility, np.array([50.0, 50.0, 150.0, 150.0]), 5000.0), **changes)


def unlabelled(someone, *joints):
    hidden = np.isin(np.arange(len(someone.keypoints)), joints)
    return replace(
        someone,
        keypoints=np.where(hidden[:, None], np.nan, someone.keypoints),
        visibility=np.where(hidden, NOT_LABELLED, someone.visibility).astype(np.uint8),
    )


def taught(someone, keypoints, trust=1.0, rules=RULES, *, skeleton):
    voted = Voted(keypoints, np.broadcast_to(np.asarray(trust, dtype=float), len(keypoints)).copy())
    return judge(someone, voted, FRAME, skeleton=skeleton, rules=rules)


def test_trust_falls_from_one_doubt_to_the_other():
    doubt = np.array([0.0, 60.0, 120.0, 300.0, 500.0, np.nan])
    assert trust_of(doubt, RULES).tolist() == [1.0, 1.0, 0.75, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("distance", "trust", "verdict", "weight"),
    [
        (0.119, 1.0, KEPT, 1.0),  # (a)
        (0.119, 0.0, KEPT, 1.0),
        (0.121, 0.8, REPAIRED, 0.4),  # (c): half the trust
        (0.121, 0.43, REPAIRED, 0.215),
        (0.5, 0.0, DOUBTED, 0.6),  # (d)
        (0.5, 0.215, DOUBTED, 0.4075),  # half way from 0.6 to 0.215
        (np.nan, 0.0, KEPT, 1.0),  # nobody contradicts
    ],
)
def test_a_label_is_kept_weighted_down_or_replaced(distance, trust, verdict, weight):
    verdicts, weights = decide(np.array([distance]), np.array([trust]), RULES)
    assert verdicts[0] == verdict
    assert weights[0] == pytest.approx(weight)


def test_arms_and_legs_are_what_hangs_on_the_trunk(skeletons):
    names = {
        name: [[skeletons[name].joints[joint] for joint in left] for left, _ in limb_sides(skeletons[name])]
        for name in ("coco17", "lsp14", "lowerbody10")
    }
    arm, leg = ["left_shoulder", "left_elbow", "left_wrist"], ["left_hip", "left_knee", "left_ankle"]
    assert names["coco17"] == names["lsp14"] == [arm, leg]
    (legs,) = names["lowerbody10"]
    assert legs[:3] == leg
    assert len(legs) == 5, "heel and toe belong to the leg"
    for name in names:
        for left, right in limb_sides(skeletons[name]):
            assert (skeletons[name].flip_index[left] == right).all()


def test_only_limbs_that_agree_when_swapped_are_swapped(skeleton, pose):
    """The legs of the label lie on the wrong sides, 20 pixels off; the arms are right."""
    arms, (left, right) = limb_sides(skeleton)
    wrong = pose.copy()
    wrong[left], wrong[right] = pose[right], pose[left]
    visibility = np.full(len(pose), VISIBLE, dtype=np.uint8)
    visibility[left[0]] = NOT_LABELLED
    settings = {"skeleton": skeleton, "side": SIDE, "rules": RULES}
    swapped, seen, count = swap_sides(wrong, visibility, Voted(pose, np.ones(len(pose))), **settings)
    assert count == 1
    np.testing.assert_allclose(swapped, pose)
    assert seen[right[0]] == NOT_LABELLED, "the joint without a label changes sides, too"
    assert (seen[left] == VISIBLE).all()
    assert swap_sides(wrong, visibility, Voted(pose, np.full(len(pose), 0.4)), **settings)[2] == 0, "not sure"
    assert swap_sides(pose, visibility, Voted(pose, np.ones(len(pose))), **settings)[2] == 0
    far = pose + np.array([0, 13])  # swapped it is nearer, and still 0.13 of the box off
    assert swap_sides(wrong, visibility, Voted(far, np.ones(len(pose))), **settings)[2] == 0
    assert set(arms[0]).isdisjoint(left)


def test_a_joint_without_a_label_counts_by_trust_and_kind(skeleton):
    ends = limb_ends(skeleton)
    assert ends.sum() == 12
    alone = add(np.full(17, 0.8), skeleton, RULES, alone=True)
    np.testing.assert_allclose(alone, np.where(ends, 0.8, 0.24))
    beside = add(np.full(17, 0.8), skeleton, RULES, alone=False)
    np.testing.assert_allclose(beside, np.where(ends, 0.4, 0.12))
    low = add(np.where(ends, 0.15, 1.0), skeleton, RULES, alone=True)
    np.testing.assert_allclose(low, np.where(ends, 0.15, 0.3))
    assert not add(np.where(ends, 0.09, 1.0), skeleton, RULES, alone=True).any(), "nobody to be sure of"


def test_the_teacher_is_not_believed_outside_the_picture_or_far_outside_the_box():
    points = np.array([[55.0, 55], [45, 55], [39, 55], [np.nan, np.nan], [150, 199], [150, 201]])
    voted = believed(Voted(points, np.ones(6)), np.array([50.0, 50, 150, 250]), (200, 200))
    assert voted.trust.tolist() == [1, 1, 1, 0, 1, 0]  # a tenth of 200 is 20 pixels
    assert believed(voted, np.array([60.0, 50, 150, 140]), (200, 200)).trust.tolist() == [1, 0, 0, 0, 0, 0]


def test_one_person_by_all_rules(skeleton, pose):
    at = {joint: index for index, joint in enumerate(skeleton.joints)}
    label = pose.copy()
    label[at["left_ankle"]] += (-20, -40)  # contradicted
    label[at["right_wrist"]] += (40, 0)  # the teacher does not know
    trust = np.full(17, 0.9)
    trust[at["right_wrist"]] = 0.0
    someone = unlabelled(person(label), at["nose"], at["left_knee"])
    judged = taught(someone, pose, trust, skeleton=skeleton)
    expected = {"left_ankle": REPAIRED, "right_wrist": DOUBTED, "nose": ADDED, "left_knee": ADDED, "left_hip": KEPT}
    assert {joint: judged.verdicts[at[joint]] for joint in expected} == expected
    weights = {joint: round(float(judged.person.weights[at[joint]]), 3) for joint in expected}
    assert weights == {"left_ankle": 0.45, "right_wrist": 0.6, "nose": 0.135, "left_knee": 0.45, "left_hip": 1.0}
    np.testing.assert_allclose(judged.person.keypoints[at["left_ankle"]], pose[at["left_ankle"]])
    np.testing.assert_allclose(judged.person.keypoints[at["right_wrist"]], label[at["right_wrist"]])
    assert judged.person.labelled.all()


def test_settings_turn_rules_off(skeleton, pose):
    label = unlabelled(person(pose + np.array([30, 0])), 0)
    as_is = taught(label, pose, rules=RULES.model_copy(update={"clean": False, "pseudo": False}), skeleton=skeleton)
    np.testing.assert_array_equal(as_is.person.keypoints, label.keypoints)
    np.testing.assert_array_equal(as_is.person.training_weights, label.training_weights)
    no_labels = taught(label, pose, rules=RULES.model_copy(update={"labels": False}), skeleton=skeleton)
    np.testing.assert_array_equal(no_labels.person.keypoints, pose)
    assert (no_labels.verdicts == ADDED).all()
    cleaned = taught(label, pose, rules=RULES.model_copy(update={"pseudo": False}), skeleton=skeleton)
    assert cleaned.verdicts[0] == NOTHING
    assert (cleaned.verdicts[1:] == REPAIRED).all()


def test_nobody_is_made_of_doubt(skeleton, pose):
    nobody = unlabelled(person(pose), *range(17))
    assert not taught(nobody, pose, 0.05, skeleton=skeleton).person.labelled.any()
    found = taught(nobody, pose, 0.5, skeleton=skeleton).person
    assert found.labelled.all()
    assert np.isfinite(found.keypoints).all()


@pytest.mark.parametrize(
    "values", [{"labels": False, "pseudo": False}, {"sure_mm": 300.0}, {"least": 0.0}, {"near": 1.5}]
)
def test_rules_that_make_no_sense_are_refused(values):
    with pytest.raises(ValueError, match=r"labels|sure_mm|least|near"):
        Rules(**values)
