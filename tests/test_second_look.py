"""The second look: nearer, at the same people, in the pixels of the whole picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fosbury.inference.protocol import PoseModel
from fosbury.inference.refine import CropRefiner
from fosbury.inference.registry import load_model
from fosbury.pose import Pose
from fosbury.refinement import Refinement
from fosbury.skeleton import Skeleton

STARTER = Path(__file__).parents[1] / "models/starter/yolo11n-pose.pt"
SKELETON = Skeleton.from_mapping({"name": "dot", "joints": ["dot"], "sigmas": {"dot": 0.05}})


class Finder:
    """Finds each pure colour in a picture, to a pixel of its own input: coarse and unsure in a large picture."""

    skeleton, licence, input_size, needs_boxes, temperature = SKELETON, "none", (8, 8), False, 2.0

    def __init__(self, colours=((255, 0, 0),)):
        self.colours, self.shapes = colours, []

    def predict(self, images, boxes=None):
        self.shapes += [image.shape[:2] for image in images]
        return [[pose for colour in self.colours if (pose := self.find(image, colour))] for image in images]

    def find(self, image, colour):
        rows, columns = np.nonzero((image == colour).all(axis=-1))
        if not len(rows):
            return None
        grid = max(image.shape[:2]) / 8
        middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)
        return Pose((np.floor(middle / grid) + 0.5)[None] * grid, np.ones(1), box, len(rows) / image[..., 0].size)


def picture(*spots, size=(400, 600)):
    image = np.zeros((*size, 3), np.uint8)
    for (x, y, w, h), colour in spots:
        image[y : y + h, x : x + w] = colour
    return image


def test_it_is_a_model_that_says_what_the_wrapped_one_says():
    model = CropRefiner(Finder(), 1.5)
    assert isinstance(model, PoseModel)
    assert (model.skeleton, model.input_size, model.licence) == (SKELETON, (8, 8), "none")


@pytest.mark.parametrize("x, y", [(301, 197), (0, 0), (580, 376), (3, 371)])
def test_joints_get_nearer_and_stay_in_the_pixels_of_the_picture(x, y):
    image = picture(((x, y, 20, 24), (255, 0, 0)))
    truth = np.array([x + 10, y + 12])
    (first,), (second,) = Finder().predict([image])[0], CropRefiner(Finder(), 1.5).predict([image])[0]
    assert np.abs(second.keypoints[0] - truth).max() <= 24 * 1.5 / 8 / 2 + 1e-9
    assert np.abs(first.keypoints[0] - truth).max() > 5
    assert second.box.tolist() == first.box.tolist() and second.score == first.score


def test_each_person_keeps_to_herself_and_the_order_stays():
    colours = ((255, 0, 0), (0, 255, 0))
    image = picture(((100, 100, 40, 60), colours[0]), ((130, 100, 30, 60), colours[1]))
    poses = CropRefiner(Finder(colours), 2.0).predict([image])[0]
    assert [pose.box.tolist() for pose in poses] == [[100, 100, 130, 160], [130, 100, 160, 160]]


def test_a_picture_without_people_and_one_whose_crop_shows_none():
    class Once(Finder):
        def predict(self, images, boxes=None):
            return super().predict(images) if not self.shapes else [[] for _ in images]

    image = picture(((300, 200, 20, 24), (255, 0, 0)))
    assert CropRefiner(Finder(), 1.5).predict([np.zeros((50, 50, 3), np.uint8)]) == [[]]
    (kept,) = CropRefiner(Once(), 1.5).predict([image])[0]
    assert kept.keypoints.tolist() == Finder().predict([image])[0][0].keypoints.tolist()


TALL = Skeleton.from_mapping(
    {
        "name": "tall",
        "joints": ["shoulder", "hip"],
        "sigmas": {"shoulder": 0.05, "hip": 0.05},
        "trunk": {"shoulders": ["shoulder"], "hips": ["hip"]},
    }
)


class UprightOnly(Finder):
    """Sees who stands upright as she is; of anyone else it gets the lean half right, and the length."""

    skeleton = TALL

    def find(self, image, colour):
        red, blue = (self.middle(image, seen) for seen in ((255, 0, 0), (0, 0, 255)))
        if red is None or blue is None:
            return None
        trunk, centre = red - blue, (red + blue) / 2
        off = np.arctan2(trunk[0], -trunk[1])
        turned = off if abs(off) < 0.1 else off / 2
        half = np.hypot(*trunk) / 2 * np.array([np.sin(turned), -np.cos(turned)])
        points = np.array([centre + half, centre - half])
        reach = np.array([red, blue])
        box = np.concatenate([reach.min(0) - 15, reach.max(0) + 15])
        return Pose(points, np.ones(2), box, 0.9)

    @staticmethod
    def middle(image, colour):
        rows, columns = np.nonzero((np.abs(image.astype(int) - colour) < 60).all(axis=-1))
        return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) if len(rows) else None


class Rounding(UprightOnly):
    """Keeps the pictures that it is shown, and errs by as little as rounding does."""

    def __init__(self, off):
        super().__init__()
        self.off, self.seen = np.array(off), []

    def find(self, image, colour):
        self.seen.append(image)
        pose = super().find(image, colour)
        ends = np.stack([self.off, -self.off])  # shoulder one way, hip the other
        return pose and Pose(pose.keypoints + ends, pose.confidence, pose.box + ends.ravel(), pose.score)


@pytest.mark.parametrize("looks", [1, 2])
@pytest.mark.parametrize("degrees", [0, 7, 33, 60, 97, -121, 150])
def test_networks_that_are_equal_but_for_rounding_are_shown_the_same_pictures_again(degrees, looks):
    lean = np.deg2rad(degrees)
    centre, half = np.array([203.0, 151.0]), 61 * np.array([np.sin(lean), -np.cos(lean)])
    image = np.random.default_rng(0).integers(0, 40, (300, 400, 3), dtype=np.uint8)
    for point, colour in ((centre + half, (255, 0, 0)), (centre - half, (0, 0, 255))):
        cv2.circle(image, np.round(point - 0.5).astype(int).tolist(), 12, colour, -1)
    one, other = Rounding([0.0, 0.0]), Rounding([0.0015, -0.0015])
    for model in (one, other):
        CropRefiner(model, 1.5, upright_looks=looks).predict([image])
    assert len(one.seen) == len(other.seen) == 1 + looks
    for first, second in zip(one.seen, other.seen, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("swapped", [False, True])
def test_of_two_who_overlap_the_box_almost_alike_the_one_whom_the_network_gave_first_counts(swapped):
    class Two(Finder):
        def predict(self, images, boxes=None):
            found = super().predict(images)
            if len(self.shapes) == 1:
                return found
            twin = [Pose(pose.keypoints + 5.0, pose.confidence, pose.box + 0.001, pose.score) for pose in found[0]]
            return [[*twin, *found[0]] if swapped else [*found[0], *twin]]

    image = picture(((300, 200, 20, 24), (255, 0, 0)))
    (plain,) = CropRefiner(Finder(), 1.5).predict([image])[0]
    (chosen,) = CropRefiner(Two(), 1.5).predict([image])[0]
    assert chosen.keypoints - plain.keypoints == pytest.approx(np.full((1, 2), 5.0 if swapped else 0.0))


@pytest.mark.parametrize("degrees", [0, 5, 60, 90, -120, 150])
def test_turned_upright_a_person_is_seen_as_the_network_knows_people(degrees):
    lean = np.deg2rad(degrees)
    centre, half = np.array([200.0, 150.0]), 60 * np.array([np.sin(lean), -np.cos(lean)])
    image = np.zeros((300, 400, 3), np.uint8)
    for point, colour in ((centre + half, (255, 0, 0)), (centre - half, (0, 0, 255))):
        cv2.circle(image, np.round(point - 0.5).astype(int).tolist(), 12, colour, -1)
    truth = np.array([centre + half, centre - half])
    plain = CropRefiner(UprightOnly(), 2.0).predict([image])[0][0]
    upright = CropRefiner(UprightOnly(), 2.0, upright_looks=2).predict([image])[0][0]
    if abs(degrees) > 30:
        assert np.abs(plain.keypoints - truth).max() > 20
    # Two looks leave an eighth of the lean, and a tenth of a radian is seen as it is.
    left = 0 if abs(lean) < 0.1 else abs(lean) / 8
    assert np.abs(upright.keypoints - truth).max() < 60 * left + 2
    assert upright.box.tolist() == UprightOnly().predict([image])[0][0].box.tolist()


def test_given_boxes_take_the_place_of_the_first_look():
    image = picture(((301, 197, 20, 24), (255, 0, 0)))
    model = CropRefiner(Finder(), 1.5)
    boxes = [np.array([[301.0, 197, 321, 221], [20, 20, 60, 60]])]
    (found,) = model.predict([image], boxes)[0]  # where nobody is, nobody is claimed
    assert found.box.tolist() == boxes[0][0].tolist() and found.score == 1.0
    assert np.abs(found.keypoints[0] - (311, 209)).max() <= 24 * 1.5 / 8 / 2 + 1e-9
    assert len(model.model.shapes) == 2 and max(model.model.shapes[0]) < 100


def test_a_skeleton_without_a_trunk_is_not_turned():
    image = picture(((300, 200, 20, 24), (255, 0, 0)))
    turned, plain = (CropRefiner(Finder(), 1.5, looks).predict([image])[0][0] for looks in (2, 0))
    assert turned.keypoints.tolist() == plain.keypoints.tolist()


def test_a_model_file_is_opened_with_a_second_look_where_one_is_asked_for():
    once, twice = (
        load_model(STARTER, image_size=64),
        load_model(STARTER, image_size=64, refinement=Refinement(how="zoom")),
    )
    assert isinstance(twice, CropRefiner) and not isinstance(once, CropRefiner)
    turned = load_model(STARTER, image_size=64, refinement=Refinement(how="upright"))
    assert (turned.upright_looks, twice.upright_looks) == (2, 0)
    assert twice.margin == 1.5 and twice.input_size == once.input_size
