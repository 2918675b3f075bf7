"""The second look: nearer, at the same people, in the pixels of the whole picture."""

from pathlib import Path

import numpy as np
import pytest

from fosbury.models import load_model
from fosbury.models.protocol import PoseModel
from fosbury.models.second_look import SecondLook
from fosbury.pose import Pose
from fosbury.skeleton import Skeleton

SKELETON = Skeleton.from_mapping({"name": "dot", "joints": ["dot"], "sigmas": {"dot": 0.05}})


class Finder:
    """Finds each pure colour in a picture, to a pixel of its own input: coarse and unsure in a large picture."""

    skeleton, licence, input_size = SKELETON, "none", (8, 8)

    def __init__(self, colours=((255, 0, 0),)):
        self.colours, self.shapes = colours, []

    def predict(self, images):
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
    model = SecondLook(Finder(), 1.5)
    assert isinstance(model, PoseModel)
    assert (model.skeleton, model.input_size, model.licence) == (SKELETON, (8, 8), "none")


@pytest.mark.parametrize("x, y", [(301, 197), (0, 0), (580, 376), (3, 371)])
def test_joints_get_nearer_and_stay_in_the_pixels_of_the_picture(x, y):
    image = picture(((x, y, 20, 24), (255, 0, 0)))
    truth = np.array([x + 10, y + 12])
    (first,), (second,) = Finder().predict([image])[0], SecondLook(Finder(), 1.5).predict([image])[0]
    assert np.abs(second.keypoints[0] - truth).max() <= 24 * 1.5 / 8 / 2 + 1e-9
    assert np.abs(first.keypoints[0] - truth).max() > 5
    assert second.box.tolist() == first.box.tolist() and second.score == first.score


def test_each_person_keeps_to_herself_and_the_order_stays():
    colours = ((255, 0, 0), (0, 255, 0))
    image = picture(((100, 100, 40, 60), colours[0]), ((130, 100, 30, 60), colours[1]))
    poses = SecondLook(Finder(colours), 2.0).predict([image])[0]
    assert [pose.box.tolist() for pose in poses] == [[100, 100, 130, 160], [130, 100, 160, 160]]


def test_a_picture_without_people_and_one_whose_crop_shows_none():
    class Once(Finder):
        def predict(self, images):
            return super().predict(images) if not self.shapes else [[] for _ in images]

    image = picture(((300, 200, 20, 24), (255, 0, 0)))
    assert SecondLook(Finder(), 1.5).predict([np.zeros((50, 50, 3), np.uint8)]) == [[]]
    (kept,) = SecondLook(Once(), 1.5).predict([image])[0]
    assert kept.keypoints.tolist() == Finder().predict([image])[0][0].keypoints.tolist()


def test_a_model_file_is_opened_with_a_second_look_where_one_is_asked_for():
    starter = Path(__file__).parents[1] / "models/starter/yolo11n-pose.pt"
    once, twice = load_model(starter, image_size=64), load_model(starter, image_size=64, second_look=1.5)
    assert isinstance(twice, SecondLook) and not isinstance(once, SecondLook)
    assert twice.margin == 1.5 and twice.input_size == once.input_size
