"""Pictures into a network's input and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fosbury.inference.letterbox import GREY, Letterbox, decode, predict_letterboxed, suppress

sides = st.integers(1, 3000)
inputs = st.tuples(*[st.integers(1, 20).map(lambda n: 32 * n)] * 2)


@given(sides, sides, inputs)
def test_the_picture_lies_inside_centred_and_undo_is_the_inverse(height, width, size):
    place = Letterbox.fit((height, width), size)
    corners = np.array([[0, 0], [width, height], [width / 3, height / 7]], dtype=float)
    there = place.points(corners)
    assert (there > -1e-6).all() and (there < np.array(size[::-1]) + 1e-6).all()
    behind = np.array(size[::-1]) - there[1]
    assert np.abs(there[0] - behind).max() <= 1 + 1e-6
    assert max(place.inner[0] / size[0], place.inner[1] / size[1]) == 1
    np.testing.assert_allclose(place.to_image(there), corners, atol=1e-6 * max(height, width))


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 300), st.integers(1, 300), inputs)
def test_ultralytics_places_the_same_pixels(height, width, size):
    LetterBox = pytest.importorskip("ultralytics.data.augment").LetterBox
    picture = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    place = Letterbox.fit((height, width), size)
    np.testing.assert_array_equal(place.image(picture), LetterBox(size, auto=False)(image=picture))


def test_ultralytics_moves_points_back_the_same_way():
    ops = pytest.importorskip("ultralytics.utils.ops")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    for shape, size in (((281, 500), (640, 384)), ((1080, 1920), (256, 256)), ((97, 31), (64, 96))):
        points = rng.uniform(-20, 700, (40, 2))
        theirs = ops.scale_coords(size, torch.from_numpy(points.copy()), shape).numpy()
        np.testing.assert_allclose(Letterbox.fit(shape, size).to_image_inside(points), theirs, atol=1e-9)


def test_padding_is_grey_and_an_edge_stays_where_points_say():
    picture = np.zeros((100, 200, 3), dtype=np.uint8)
    picture[:, 50:] = 255
    place = Letterbox.fit((100, 200), (128, 128))
    image = place.image(picture)
    assert (image[:32] == GREY).all() and (image[96:] == GREY).all()
    edge = place.points(np.array([50.0, 0.0]))
    assert edge.tolist() == [32.0, 32.0]
    assert image[64, 31, 0] < 128 <= image[64, 32, 0]


def raw(*people, joints=2, count=6):
    """Raw output with the given (cx, cy, w, h, score, joints...) in its first columns."""
    output = np.zeros((5 + 3 * joints, count), dtype=np.float32)
    for column, person in enumerate(people):
        output[:, column] = person
    return output


def test_decode_by_hand():
    weak = [51, 50, 20, 40, 0.5, 1, 2, 0.3, 4, 5, 0.6]
    best = [50, 50, 20, 40, 0.9, 40, 30, 0.8, 60, 70, 0.7]
    other = [150, 50, 20, 40, 0.6, 140, 30, 0.8, 160, 70, 0.7]
    found = decode(raw(weak, best, other), joints=2, confidence=0.25, iou=0.7)
    np.testing.assert_allclose(found.scores, [0.9, 0.6], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[40, 30, 60, 70], [140, 30, 160, 70]])
    np.testing.assert_allclose(found.keypoints[0], [[40, 30], [60, 70]])
    np.testing.assert_allclose(found.confidence[1], [0.8, 0.7], rtol=1e-6)
    assert len(decode(raw(weak, best, other), 2, confidence=0.25, iou=0.95).scores) == 3
    assert len(decode(raw(weak, best, other), 2, confidence=0.9).scores) == 0


def test_a_head_without_joint_confidence_and_with_two_classes():
    output = np.array([[50, 50, 20, 40, 0.1, 0.8, 41, 31]], dtype=np.float32).T
    found = decode(output, joints=1, values=2)
    np.testing.assert_allclose([found.scores[0], found.confidence[0, 0]], [0.8, 0.8], rtol=1e-6)
    np.testing.assert_allclose(found.keypoints[0], [[41, 31]])


@given(st.integers(0, 40), st.integers(0, 10_000))
def test_suppression_agrees_with_the_definition(count, seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 50, (count, 2))], axis=1)

    def overlap(a, b):
        shared = np.prod(np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0))
        return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)

    kept = []
    for row in range(count):
        if all(overlap(boxes[row], boxes[better]) <= 0.5 for better in kept):
            kept.append(row)
    assert suppress(boxes, 0.5).tolist() == kept


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_poses_come_back_in_pixels_of_each_picture(batch):
    shapes = [(100, 200), (400, 100), (64, 64)]
    images = [np.full((*shape, 3), 10 * index, dtype=np.uint8) for index, shape in enumerate(shapes)]

    def forward(pixels):
        assert pixels.dtype == np.float32 and pixels.shape[1:] == (3, 64, 64) and pixels.max() <= 1
        return np.stack([raw([32, 32, 8, 8, 0.9, 32, 32, 0.5, -50, 90, 0.5]) for _ in pixels])

    for (height, width), poses in zip(
        shapes, predict_letterboxed(images, forward, (64, 64), 2, batch=batch), strict=True
    ):
        assert len(poses) == 1
        # A joint beyond the edge of the picture stays there: (-50, 90) is 82 left of the middle of the input, 58 below.
        beyond = [width / 2 - 82 * max(height, width) / 64, height / 2 + 58 * max(height, width) / 64]
        np.testing.assert_allclose(poses[0].keypoints, [[width / 2, height / 2], beyond], atol=1e-9)
        np.testing.assert_allclose(poses[0].box.reshape(2, 2).mean(axis=0), [width / 2, height / 2])
    assert predict_letterboxed([], forward, (64, 64), 2) == []
