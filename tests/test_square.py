"""Squares around people: points and pixels go the same way, and crops for training carry their labels along."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fosbury.inference.rotated_crop import RotatedCrop, lean
from fosbury.media.image import read_image, write_image
from fosbury.pose import Dataset, Frame, Person
from fosbury.training.upright_crops import SWAY, upright_crops

BOX = np.array([40.0, 60.0, 120.0, 100.0])
ANGLES = st.floats(-7, 7)


@given(ANGLES, st.floats(1, 4))
def test_points_go_into_the_square_and_back(angle, margin):
    square = RotatedCrop.around(BOX, margin, angle)
    points = np.array([[[1.0, 2.0], [50.5, 77.25]], [[-30.0, 400.0], [120.0, 100.0]]])
    assert np.allclose(square.to_image(square.points(points)), points)
    assert square.side == int(np.ceil(80 * margin))
    assert np.abs(square.points(np.array([80.0, 80.0])) - square.side / 2).max() <= 1


@given(ANGLES, st.integers(20, 400))
def test_a_square_that_is_scaled_down_shows_the_same(angle, largest):
    whole, small = (RotatedCrop.around(BOX, 1.5, angle, largest=side) for side in (None, largest))
    points = np.array([[1.0, 2.0], [50.5, 77.25], [80.0, 80.0]])
    assert small.side == min(largest, whole.side) and small.scale == pytest.approx(small.side / whole.side)
    assert np.allclose(small.to_image(small.points(points)), points)
    assert np.abs(small.points(points) / small.scale - whole.points(points)).max() <= 1 + 1 / small.scale


@given(ANGLES)
def test_what_leans_by_the_angle_stands_upright_in_the_square(angle):
    hip = np.array([70.0, 80.0])
    shoulder = hip + 20 * np.array([np.sin(angle), -np.cos(angle)])
    low, high = RotatedCrop.around(BOX, 1.5, angle).points(np.array([hip, shoulder]))
    assert np.allclose(high - low, [0, -20])


@pytest.mark.parametrize("degrees", [0, 30, 90, -135, 180])
def test_pixels_go_where_points_go(degrees):
    picture = np.zeros((160, 200, 3), np.uint8)
    picture[70:73, 90:93] = 255
    square = RotatedCrop.around(BOX, 1.7, np.deg2rad(degrees))
    cut = square.warp(picture)
    rows, columns = np.nonzero(cut[..., 1] > 180)
    found = np.array([columns.mean(), rows.mean()]) + 0.5
    assert cut.shape == (square.side, square.side, 3)
    assert np.abs(found - square.points(np.array([91.5, 71.5]))).max() < 0.3


def test_an_unturned_square_has_the_pixels_themselves_and_grey_beyond():
    picture = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    cut = RotatedCrop.around(np.array([40.0, 30.0, 60.0, 50.0]), 2.0).warp(picture)
    assert (cut[:30, :30] == picture[20:, 30:]).all()
    assert (cut[30:] == 114).all() and (cut[:, 30:] == 114).all()


def test_a_trunk_that_cannot_be_seen_leans_nowhere(skeletons):
    skeleton = skeletons["coco17"]
    keypoints = np.full((17, 2), np.nan)
    assert lean(keypoints, skeleton) == 0
    keypoints[skeleton.joints.index("left_shoulder")] = 10, 10
    assert lean(keypoints, skeleton) == 0
    keypoints[skeleton.joints.index("left_hip")] = 0, 10
    assert lean(keypoints, skeleton) == pytest.approx(np.pi / 2)


@pytest.fixture
def somersault(skeletons, tmp_path):
    """Twelve frames of a person in ever another lean, a bright dot at each joint, and somebody without labels."""
    skeleton = skeletons["lsp14"]
    chance, frames = np.random.default_rng(1), []
    standing = chance.uniform((-25, -50), (25, 50), (14, 2))
    for side, x in (("left", -12), ("right", 12)):
        standing[skeleton.joints.index(f"{side}_shoulder")] = x, -35
        standing[skeleton.joints.index(f"{side}_hip")] = x / 2, 5
    for index, turn in enumerate(np.linspace(-np.pi, np.pi, 12)):
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        keypoints = standing @ spin.T + (130, 110)
        picture = np.zeros((220, 260, 3), np.uint8)
        for x, y in keypoints:
            picture[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 255
        write_image(tmp_path / "images" / f"{index}.png", picture)
        seen = np.full(14, 2, np.uint8)
        box = np.concatenate([keypoints.min(0) - 6, keypoints.max(0) + 6])
        nobody = Person(np.full((14, 2), np.nan), np.zeros(14, np.uint8), np.array([0.0, 0, 30, 30]), 900.0)
        people = (Person(keypoints, seen, box, 5000.0), nobody)
        frames.append(Frame(f"images/{index}.png", 260, 220, people, phase="arch"))
    return Dataset(skeleton, tuple(frames))


def test_crops_carry_their_labels_along_and_stand_upright(somersault, tmp_path):
    crops = upright_crops(somersault, tmp_path, tmp_path / "work" / "crops", seed=3)
    assert len(crops) == len(somersault) and {frame.phase for frame in crops.frames} == {"arch"}
    leans = []
    for before, frame in zip(somersault.frames, crops.frames, strict=True):
        picture = read_image(tmp_path / frame.file_name)
        assert picture.shape == (frame.height, frame.width, 3)
        person, nobody = frame.people
        assert not nobody.labelled.any()
        for x, y in person.keypoints:
            if 0 <= x < frame.width and 0 <= y < frame.height:
                assert picture[int(y), int(x)].min() > 180
        room = [person.keypoints.min(0) - person.box[:2], person.box[2:] - person.keypoints.max(0)]
        assert np.allclose(room, 6)
        lengths = [np.linalg.norm(np.diff(each.people[0].keypoints, axis=0), axis=1) for each in (before, frame)]
        assert np.allclose(*lengths)
        leans.append(lean(person.keypoints, crops.skeleton))
    assert np.std(leans) > 0 and np.abs(leans).max() < 4 * SWAY


def test_the_same_seed_gives_the_same_crops(somersault, tmp_path):
    first, again, other = (
        upright_crops(somersault, tmp_path, tmp_path / name, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for one, two, three in zip(first.frames, again.frames, other.frames, strict=True):
        assert (tmp_path / one.file_name).read_bytes() == (tmp_path / two.file_name).read_bytes()
        assert one.people[0].keypoints.tolist() == two.people[0].keypoints.tolist()
        assert one.people[0].keypoints.tolist() != three.people[0].keypoints.tolist()
