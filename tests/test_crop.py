"""Top-down geometry: into the crop and back, pixels and points alike, and as MMPose does it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("mmpose", reason="needs the extra rtmpose")

from mmpose.registry import KEYPOINT_CODECS

from fosbury.backends.rtmpose import Compose, init_default_scope  # imports MMPose, in a way of its own
from fosbury.errors import BadInput
from fosbury.inference.crop import SPLIT, Crop, decode_simcc, predict_crops

init_default_scope("mmpose")

SIZE = (256, 192)
BOXES = st.tuples(*[st.floats(-50, 400)] * 2, *[st.floats(1, 500)] * 2).map(
    lambda box: np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
)


@given(BOXES)
def test_points_go_into_the_crop_and_back(box):
    crop = Crop.around(box, SIZE)
    points = np.array([[0.0, 0.0], [33.25, 512.5], [-4.0, 7.0]])
    assert np.allclose(crop.to_image(crop.points(points)), points)


@given(BOXES)
def test_the_box_fills_the_crop_but_for_its_room(box):
    corners = Crop.around(box, SIZE, padding=1.25).points(box.reshape(2, 2)) + 0.5
    middle, extent = corners.mean(0), corners[1] - corners[0]
    assert np.allclose(middle, [96.5, 128.5], atol=1e-6)
    assert np.isclose((extent / [192, 256]).max(), 1 / 1.25)


def test_pixels_go_where_points_go():
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[100:104, 200:204] = 255
    crop = Crop.around(np.array([150.0, 60.0, 260.0, 190.0]), SIZE)
    rows, columns = np.nonzero(crop.warp(picture)[..., 0] > 127)
    assert np.abs([columns.mean(), rows.mean()] - crop.points(np.array([202.0, 102.0]))).max() < 0.3


@given(BOXES)
def test_geometry_is_mmposes(box):
    steps = [{"type": "GetBBoxCenterScale"}, {"type": "TopdownAffine", "input_size": (192, 256)}]
    picture = np.random.default_rng(0).integers(0, 255, (120, 90, 3), dtype=np.uint8)
    points = np.array([[[10.0, 20.0], [80.5, 3.25]]], np.float32)
    theirs = Compose(steps)({"img": picture, "bbox": (box - 0.5)[None].astype(np.float32), "keypoints": points - 0.5})
    crop = Crop.around(box, SIZE)
    assert np.allclose(crop.points(points[0]), theirs["transformed_keypoints"][0], rtol=1e-4, atol=2e-3)
    assert np.abs(crop.warp(picture).astype(int) - theirs["img"]).mean() < 0.5


def test_decoding_is_mmposes():
    codec = KEYPOINT_CODECS.build({"type": "SimCCLabel", "input_size": (192, 256), "simcc_split_ratio": SPLIT})
    along_x, along_y = (np.random.default_rng(n).random((5, 17, n)).astype(np.float32) for n in (384, 512))
    points, score = decode_simcc(np.concatenate([along_x, along_y], axis=-1), SIZE)
    theirs, confidence = codec.decode(along_x.copy(), along_y.copy())
    assert np.abs(points - theirs).max() < 0.01
    assert np.allclose(score, confidence)


def test_what_is_encoded_is_decoded():
    codec = KEYPOINT_CODECS.build(
        {"type": "SimCCLabel", "input_size": (192, 256), "sigma": (4.9, 5.66), "normalize": False}
    )
    points = np.random.default_rng(0).uniform((0, 0), (191, 255), (1, 17, 2))
    encoded = codec.encode(points)
    answer = np.concatenate([encoded["keypoint_x_labels"], encoded["keypoint_y_labels"]], axis=-1)
    assert np.abs(decode_simcc(answer, SIZE)[0] - points).max() <= 0.5 / SPLIT + 1e-9


def bright(batch):
    """A top-down network that finds the brightest pixel, surely."""
    grey = batch.mean(axis=1)
    answer = np.zeros((len(batch), 1, round(SPLIT * sum(SIZE))), np.float32)
    for each, picture in zip(answer, grey, strict=True):
        row, column = np.unravel_index(picture.argmax(), picture.shape)
        each[0, round(column * SPLIT)] = each[0, round(SIZE[1] * SPLIT + row * SPLIT)] = 0.75
    return answer


@pytest.mark.parametrize("batch", [1, 2, 64])
def test_each_box_gets_its_pose_in_pixels_of_its_picture(batch):
    pictures = [np.zeros((200, 300, 3), np.uint8) for _ in range(3)]
    pictures[0][50, 60], pictures[0][150, 250], pictures[2][20, 30] = 255, 255, 255
    boxes = [np.array([[40, 20, 90, 90], [230, 120, 290, 190]]), np.zeros((0, 4)), np.array([[10.0, 5, 55, 66]])]
    poses = predict_crops(pictures, boxes, bright, SIZE, batch=batch)
    assert [len(each) for each in poses] == [2, 0, 1]
    for pose, truth in zip([*poses[0], *poses[2]], [(60.5, 50.5), (250.5, 150.5), (30.5, 20.5)], strict=True):
        assert np.abs(pose.keypoints[0] - truth).max() < 0.6
        assert pose.score == pytest.approx(0.75) and pose.confidence.tolist() == [0.75]
    assert poses[0][1].box.tolist() == [230, 120, 290, 190]


def test_without_boxes_there_is_a_sentence():
    with pytest.raises(BadInput, match="box"):
        predict_crops([np.zeros((20, 20, 3), np.uint8)], None, bright, SIZE)
