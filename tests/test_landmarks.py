"""Squares for networks that answer with points: into the square and back, pixels and points alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.errors import BadInput
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
