"""Squares for networks that answer with points: into the square and back, pixels and points alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.errors import BadInput
from fosbury.inference import blazepose
from fosbury.inference.decode import LANDMARKS
from fosbury.inference.landmarks import PADDING, SquareCrop

SIZE = (256, 256)
BOXES = st.tuples(*[st.floats(-50, 400)] * 2, *[st.floats(1, 500)] * 2).map(
    lambda box: np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
)
ANGLES = st.floats(-7, 7)


@given(BOXES, ANGLES)
def test_points_go_into_the_square_and_back(box, angle):
    crop = SquareCrop.around(box, SIZE, angle=angle)
    points = np.array([[0.0, 0.0], [33.25, 512.5], [-4.0, 7.0]])
    assert np.allclose(crop.to_image(crop.points(points)), points)


@given(BOXES)
def test_the_longer_side_of_the_box_fills_the_square_but_for_its_room(box):
    corners = SquareCrop.around(box, SIZE).points(box.reshape(2, 2))
    assert np.allclose(corners.mean(0), [128, 128])
    assert np.isclose((corners[1] - corners[0]).max(), 256 / PADDING)


def test_what_leans_clockwise_stands_upright_in_the_square():
    box = np.array([100.0, 100.0, 200.0, 200.0])
    head = np.array([150 + 40 * np.sin(0.7), 150 - 40 * np.cos(0.7)])
    across, up = SquareCrop.around(box, SIZE, angle=0.7).points(head) - 128
    assert abs(across) < 1e-9 and up == pytest.approx(-40 * 256 / 135)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, 3.0])
@pytest.mark.parametrize("box", [(150, 60, 260, 190), (170.5, 70.25, 235, 132), (0, 0, 400, 300)])
def test_pixels_go_where_points_go(box, angle):
    """The middle of a light, to a tenth of a pixel of the input: half a pixel would show."""
    rows, columns = np.mgrid[:300, :400] + 0.5
    light = 255 * np.exp(-((columns - 202) ** 2 + (rows - 102) ** 2) / 50)
    picture = np.repeat(light.round().astype(np.uint8)[..., None], 3, axis=2)
    crop = SquareCrop.around(np.array(box), SIZE, angle=angle)
    light = crop.warp(picture)[..., 0].astype(float)
    grid = np.mgrid[:256, :256] + 0.5
    middle = [(light * axis).sum() / light.sum() for axis in grid[::-1]]
    assert np.abs(middle - crop.points(np.array([202.0, 102.0]))).max() < 0.1


def brightest(batch: np.ndarray) -> np.ndarray:
    """A network of one joint: the middle of the brightest pixel, 0.75 sure of it."""
    places = [np.unravel_index(picture.mean(axis=0).argmax(), SIZE) for picture in batch]
    return np.array([[[column + 0.5, row + 0.5, 0.75]] for row, column in places], np.float32)


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_each_box_gets_its_pose_in_pixels_of_its_picture(batch):
    pictures = [np.zeros((200, 300, 3), np.uint8) for _ in range(3)]
    pictures[0][50, 60], pictures[0][150, 250], pictures[2][20, 30] = 255, 255, 255
    boxes = [np.array([[40, 20, 90, 90], [230, 120, 290, 190]]), np.zeros((0, 4)), np.array([[10.0, 5, 55, 66]])]
    poses = LANDMARKS.predict(pictures, boxes, brightest, size=SIZE, joints=1, batch=batch)
    assert [len(each) for each in poses] == [2, 0, 1]
    for pose, truth in zip([*poses[0], *poses[2]], [(60.5, 50.5), (250.5, 150.5), (30.5, 20.5)], strict=True):
        assert np.abs(pose.keypoints[0] - truth).max() < 0.3
        assert pose.score == pytest.approx(0.75) and pose.confidence.tolist() == [0.75]
    assert poses[0][1].box.tolist() == [230, 120, 290, 190]


def test_without_boxes_there_is_a_sentence():
    with pytest.raises(BadInput, match="box"):
        LANDMARKS.predict([np.zeros((20, 20, 3), np.uint8)], None, brightest, size=SIZE, joints=1)


def test_an_output_of_other_joints_is_refused():
    LANDMARKS.check_output((1, 12, 3), "here", size=SIZE, joints=12)
    with pytest.raises(BadInput, match="1 x 12 x 3, not 1 x 14 x 3"):
        LANDMARKS.check_output((1, 12, 3), "here", size=SIZE, joints=14)


# BlazePose: names, compositions, what its two networks answer.


def test_the_skeleton_has_the_joints_of_the_others_under_their_names(skeletons):
    for name in ("coco17", "lsp14", "lowerbody10"):
        place = skeletons[name].match(blazepose.JOINTS)
        assert (place >= 0).all(), name
        shared = blazepose.SKELETON.sigmas[place]
        assert np.allclose(shared, skeletons[name].sigmas), name
    assert len(blazepose.LANDMARKS) == 33
    flip = blazepose.SKELETON.flip_index
    assert (flip[flip] == np.arange(35)).all() and (flip != np.arange(35)).sum() == 32


def test_landmarks_stand_where_mediapipe_has_them():
    """Its ``PoseLandmark``: ears 7 and 8, shoulders to wrists 11 to 16, hips to ankles 23 to 28, feet last."""
    places = {"nose": 0, "right_eye_outer": 6, "right_ear": 8, "left_mouth": 9, "left_shoulder": 11, "right_wrist": 16}
    places |= {
        "left_pinky": 17,
        "right_thumb": 22,
        "left_hip": 23,
        "right_ankle": 28,
        "left_heel": 29,
        "right_foot": 32,
    }
    assert {name: blazepose.LANDMARKS.index(name) for name in places} == places


def test_neck_and_top_of_the_head_of_a_body_as_drillis_and_contini_have_it():
    points = np.zeros((33, 2))
    at = {"ear": 1 - 0.926, "shoulder": 1 - 0.818}
    for part, height in at.items():
        for side, across in (("left", 0.1), ("right", -0.1)):
            points[blazepose.LANDMARKS.index(f"{side}_{part}")] = across, height
    neck, top = blazepose.composed(points)
    assert np.allclose(neck, [0, 1 - 0.818]) and np.allclose(top, [0, 0], atol=1e-3)


def test_an_answer_is_read_joint_by_joint():
    output = np.zeros((39, 5))
    output[:33, 0], output[:33, 1] = np.arange(33), 200.0
    output[:, 3], output[:, 4] = np.log(3), 100.0  # three quarters visible, surely in the picture
    points, confidence, score = blazepose.read_answer(output.reshape(-1), np.array([0.9]), np.full((64, 64, 39), -9.0))
    assert points[0, :33].tolist() == [[k, 200.0] for k in range(33)] and np.allclose(confidence, 0.75)
    assert score.tolist() == [0.9]
    output[7, 3] = -100.0  # an ear out of sight, and the top of the head with it
    _, confidence, _ = blazepose.read_answer(output.reshape(-1), np.array([0.9]), np.full((64, 64, 39), -9.0))
    assert confidence[0, 7] < 1e-9 and confidence[0, 34] < 1e-9 and confidence[0, 33] == pytest.approx(0.75)


def test_a_clear_peak_draws_a_point_and_a_faint_one_does_not():
    heat = np.full((64, 64, 3), -50.0)
    heat[20, 32] = [5.0, -1.0, 5.0]
    points = np.array([[126.0, 84.0], [126.0, 84.0], [200.0, 200.0]])  # the third far from its peak
    assert blazepose.drawn_to_heat(points, heat).tolist() == [[128.0, 80.0], [126.0, 84.0], [200.0, 200.0]]
    outside = np.array([[-5.0, 3.0], [1e9, 2.0], [256.0, 0.0]])
    assert blazepose.drawn_to_heat(outside, heat).tolist() == outside.tolist()


def detection(anchor: int, box: tuple[float, float, float, float], points: np.ndarray) -> np.ndarray:
    """What the detector's anchor says of a box (middle, sides) and four points, all in pixels of the input."""
    middle = blazepose.anchors()[anchor]
    return np.concatenate([np.array(box[:2]) - middle, box[2:], (points - middle).reshape(-1)])


def test_anchors_stand_in_the_middles_of_cells():
    places = blazepose.anchors()
    assert places.shape == (2254, 2)
    assert places[[0, 1, 2, 56]].tolist() == [[4, 4], [4, 4], [12, 4], [4, 12]]  # two to a cell of 8 pixels, by rows
    assert places[1568].tolist() == [8, 8] and places[-1].tolist() == [208, 208]


def test_what_marks_one_person_is_averaged_and_another_stays():
    output, logits = np.zeros((2254, 12)), np.full(2254, -20.0)
    first, second, other = (np.full((4, 2), value) for value in (50.0, 53.0, 150.0))
    output[10] = detection(10, (50, 50, 20, 20), first)
    output[1600] = detection(1600, (52, 50, 20, 20), second)  # overlaps by 0.82
    output[2000] = detection(2000, (150, 150, 30, 30), other)
    logits[[10, 1600, 2000]] = np.log([0.8 / 0.2, 0.6 / 0.4, 0.7 / 0.3])
    (one, score), (two, less) = blazepose.read_detections(output, logits)
    assert np.allclose(one, (0.8 * 50 + 0.6 * 53) / 1.4) and score == pytest.approx(0.8)
    assert np.allclose(two, 150) and less == pytest.approx(0.7)
    assert len(blazepose.read_detections(output, logits, 0.75)) == 1
    assert blazepose.read_detections(output, logits - 20) == []


def test_the_square_around_a_detection_is_the_circle_and_a_quarter():
    points = np.array([[100.0, 100.0], [100.0, 60.0], [0, 0], [0, 0]])
    box = blazepose.place_of(points)
    crop = SquareCrop.around(box, SIZE)
    assert np.allclose(crop.to_image(np.array([[0.0, 0.0], [256.0, 256.0]])), [[50, 50], [150, 150]])
