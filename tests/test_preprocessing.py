"""The ways of a phone in bench/preprocessing.py: where a point of the picture lies in the input, and back."""

import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from fosbury.inference.letterbox import Letterbox
from fosbury.pose import Pose

BENCH = Path(__file__).parents[1] / "bench"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("preprocessing")


@pytest.mark.parametrize("name", ["stretched", "centre crop", "resampled by area", "padded with black"])
@pytest.mark.parametrize("shape", [(240, 320), (320, 200), (96, 96), (501, 333)])
def test_every_way_says_where_the_picture_lies_in_the_input(bench, name, shape):
    picture = np.zeros((*shape, 3), np.uint8)
    middle = np.array([shape[1] / 2 + 11.5, shape[0] / 2 - 13.5])  # in the centre crop of each of these
    cv2.circle(picture, np.round(middle - 0.5).astype(int).tolist(), 6, (255, 255, 255), -1)
    pixels, matrix = bench.WAYS[name](picture, (96, 96))
    assert pixels.shape == (96, 96, 3) and pixels.dtype == np.uint8
    grey = 255 * (pixels[..., 0] > 140) * pixels[..., 0].astype(float)  # the padding is grey
    rows, columns = np.mgrid[:96, :96] + 0.5
    seen = np.array([(grey * columns).sum(), (grey * rows).sum()]) / grey.sum()
    assert matrix[:, :2] @ middle + matrix[:, 2] == pytest.approx(seen, abs=0.5)


@pytest.mark.parametrize("name", ["stretched", "centre crop", "resampled by area", "padded with black"])
def test_poses_come_back_to_the_pixels_of_the_picture(bench, name):
    class Corners:
        skeleton, input_size, licence, needs_boxes, temperature = None, (64, 64), "none", False, None

        def predict(self, images, boxes=None):
            return [[Pose(np.array([[0.0, 0.0], [64.0, 64.0]]), np.ones(2), np.array([0.0, 0, 64, 64]), 0.9)]]

    (pose,) = bench.Phone(Corners(), bench.WAYS[name]).predict([np.zeros((120, 200, 3), np.uint8)])[0]
    place = Letterbox.fit((120, 200), (64, 64))
    expected = {
        "stretched": [[0, 0], [200, 120]],
        "centre crop": [[40, 0], [160, 120]],
    }.get(name, place.to_image(np.array([[0.0, 0.0], [64.0, 64.0]])))
    assert pose.keypoints == pytest.approx(np.array(expected, dtype=float))
    assert pose.box == pytest.approx(np.array(expected, dtype=float).ravel())


def test_only_the_padding_differs_between_grey_and_black(bench):
    picture = np.random.default_rng(0).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    place = Letterbox.fit((120, 200), (64, 64))
    grey, (black, _) = place.image(picture), bench.padded_black(picture, (64, 64))
    differs = (grey != black).any(axis=(1, 2))
    assert differs.sum() == 64 - place.inner[0]
    assert not black[differs].any()
