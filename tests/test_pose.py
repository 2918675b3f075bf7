"""Midpoints, trunk tilt, and what belongs together in a split."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.pose import Dataset, Frame, Person, midpoint, tilt_bins, trunk_tilt

HIPS, SHOULDERS = ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder")


def body(skeleton, hips, shoulders):
    keypoints = np.full((len(skeleton), 2), np.nan)
    for names, place in ((HIPS, hips), (SHOULDERS, shoulders)):
        for name, side in zip(names, (-1, 1), strict=True):
            keypoints[skeleton.joints.index(name)] = place[0], place[1] + side
    return keypoints


@pytest.mark.parametrize(
    ("shoulders", "tilt"),
    [((50, 20), 0), ((90, 60), 90), ((10, 60), 90), ((50, 90), 180), ((80, 30), 45), ((20, 90), 135)],
)
def test_tilt_is_measured_from_upright(skeletons, shoulders, tilt):
    assert trunk_tilt(body(skeletons["coco17"], (50, 60), shoulders), skeletons["coco17"]) == pytest.approx(tilt)


@given(st.floats(-180, 180), st.floats(1, 500))
def test_a_trunk_turned_by_an_angle_is_tilted_by_it(angle, length):
    from fosbury.skeleton import Skeleton

    skeleton = Skeleton("stick", ("hip", "neck"), (), (), np.array([0.1, 0.1]), (1,), (0,), ())
    turn = np.radians(angle)
    keypoints = np.array([[100.0, 100.0], [100 + length * np.sin(turn), 100 - length * np.cos(turn)]])
    assert trunk_tilt(keypoints, skeleton) == pytest.approx(abs(angle), abs=1e-6)
    mirrored = keypoints * [-1, 1]
    assert trunk_tilt(mirrored, skeleton) == pytest.approx(abs(angle), abs=1e-6)


def trunk_of(skeleton, **places):
    keypoints = np.full((len(skeleton), 2), np.nan)
    for name, place in places.items():
        keypoints[skeleton.joints.index(name)] = place
    return keypoints


@pytest.mark.parametrize(
    ("absent", "tilt"),
    [
        ((), 0.0),
        (("left_hip",), 0.0),
        (("right_shoulder",), 0.0),
        (("right_shoulder", "right_hip"), 0.0),
        (("right_shoulder", "left_hip"), np.nan),
        (("left_shoulder", "right_hip"), np.nan),
        (("left_hip", "right_hip"), np.nan),
    ],
)
def test_an_upright_trunk_seen_from_the_front_is_upright_from_either_side(skeletons, absent, tilt):
    """Shoulders and hips 60 apart, 60 high: from mid-shoulder to one hip it is 27 degrees, and across 45."""
    whole = {"left_shoulder": (160, 40), "right_shoulder": (100, 40), "left_hip": (160, 100), "right_hip": (100, 100)}
    keypoints = trunk_of(skeletons["coco17"], **{name: at for name, at in whole.items() if name not in absent})
    assert trunk_tilt(keypoints, skeletons["coco17"]) == pytest.approx(tilt, nan_ok=True)


def test_the_whole_trunk_comes_before_a_side_of_it(skeletons):
    """Shoulders 60 apart, hips 20: the middle is upright, the left side leans by atan(20 / 60)."""
    skeleton = skeletons["coco17"]
    whole = trunk_of(
        skeleton, left_shoulder=(160, 40), right_shoulder=(100, 40), left_hip=(140, 100), right_hip=(120, 100)
    )
    left = np.where(np.isin(np.arange(len(skeleton)), [skeleton.joints.index("right_hip")])[:, None], np.nan, whole)
    expected = [0.0, np.degrees(np.arctan2(20, 60))]
    assert trunk_tilt(np.stack([whole, left]), skeleton).tolist() == pytest.approx(expected)


def test_a_trunk_of_a_neck_has_no_sides():
    from fosbury.skeleton import Skeleton

    skeleton = Skeleton("neck", ("lhip", "rhip", "neck"), (), ((0, 1),), np.full(3, 0.1), (2,), (0, 1), ())
    whole = np.array([[110.0, 100], [90, 100], [100, 40]])
    assert trunk_tilt(whole, skeleton) == pytest.approx(0)
    assert np.isnan(trunk_tilt(np.where([[True], [False], [False]], np.nan, whole), skeleton))
    assert np.isnan(trunk_tilt(whole, Skeleton("none", ("a", "b", "c"), (), (), np.full(3, 0.1), (), (0,), ())))


def test_midpoint_leaves_out_what_is_not_there():
    keypoints = np.array([[0.0, 0.0], [4.0, 2.0], [np.nan, np.nan], [8.0, np.nan]])
    assert midpoint(keypoints, (0, 1)).tolist() == [2, 1]
    assert midpoint(keypoints, (1, 2, 3)).tolist() == [4, 2]
    assert np.isnan(midpoint(keypoints, (2,))).all()
    assert np.isnan(midpoint(keypoints, ())).all()
    assert midpoint(np.zeros((5, 3, 4, 2)), (0, 1)).shape == (5, 3, 2)


def test_a_frame_belongs_to_its_group_else_its_video_else_itself():
    assert Frame("a.jpg", 1, 1).unit == "a.jpg"
    assert Frame("a.jpg", 1, 1, video="c.mp4").unit == "c.mp4"
    assert Frame("a.jpg", 1, 1, video="c.mp4", group="anna").unit == "anna"


def test_occluded_joints_are_labelled():
    person = Person(np.zeros((3, 2)), np.array([0, 1, 2], np.uint8), np.array([0, 0, 1, 1.0]), 1.0)
    assert person.labelled.tolist() == [False, True, True]


def test_choosing_frames_keeps_their_order_and_wants_an_answer_for_each(skeletons):
    dataset = Dataset(skeletons["lsp14"], tuple(Frame(f"{i}.jpg", 1, 1) for i in range(4)), ("note",))
    chosen = dataset.where([True, False, True, False])
    assert [frame.file_name for frame in chosen.frames] == ["0.jpg", "2.jpg"]
    assert chosen.notes == ("note",)
    with pytest.raises(ValueError):
        dataset.where([True])


def test_an_edge_belongs_to_the_tilt_bin_above_it():
    tilts = np.array([0.0, 29.9, 30.0, 89.9, 90.0, 180.0, np.nan])
    assert tilt_bins(tilts, "?").tolist() == ["0-30", "0-30", "30-60", "60-90", "90-120", "150-180", "?"]
    assert tilt_bins(np.array([]), "?").tolist() == []
