"""Where a top-down model looks when nobody tells it: a search of the picture, then along the clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fosbury.errors import BadInput
from fosbury.inference import boxes as boxes_module
from fosbury.inference.boxes import BoxProvider, box_of, boxes_of, look_upright, search, windows
from fosbury.inference.predict import predict_dataset
from fosbury.inference.registry import load_model
from fosbury.metrics.match import box_iou
from fosbury.pose import Frame, Pose
from fosbury.skeleton import Skeleton
from fosbury.synth.stills import write_upright_clips

STARTER = Path(__file__).parents[1] / "models/starter/rtmpose/rtmpose-t.pt"
CORNERS = Skeleton.from_mapping({"name": "corners", "joints": ["a", "b"], "sigmas": {"a": 0.1, "b": 0.1}})


class Blob:
    """Finds the corners of what is bright in and around a box; surer of what fills it, unsure of what is cut off."""

    skeleton, input_size, licence, needs_boxes, temperature = CORNERS, (64, 48), "Apache-2.0", True, None

    def __init__(self):
        self.asked = 0

    def predict(self, images, boxes=None):
        self.asked += sum(len(found) for found in boxes)
        return [[self._look(image, box) for box in found] for image, found in zip(images, boxes, strict=True)]

    def _look(self, image, box) -> Pose:
        middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * 0.625
        size = np.array(image.shape[1::-1])
        (x1, y1), (x2, y2) = (np.clip(middle + sign * half, 0, size).astype(int) for sign in (-1, 1))
        window = image[y1:y2, x1:x2, 0] > 127
        rows, columns = np.nonzero(window)
        if not len(rows):
            return Pose(box.reshape(2, 2), np.full(2, 0.01), box, 0.01)
        corners = np.array(
            [[columns.min() + x1, rows.min() + y1], [columns.max() + x1 + 1, rows.max() + y1 + 1]], float
        )
        cut = window[[0, -1]].any() or window[:, [0, -1]].any()
        score = float(window.mean() * (0.3 if cut else 1.0))
        return Pose(corners, np.full(2, score), box, score)


def picture(x: int, y: int, wide: int = 40, tall: int = 60, size: tuple[int, int] = (240, 320)) -> np.ndarray:
    image = np.zeros((*size, 3), np.uint8)
    image[y : y + tall, x : x + wide] = 255
    return image


@pytest.mark.parametrize("size", [(240, 320), (320, 240), (100, 100), (1080, 1920)])
def test_windows_cover_the_picture_and_stay_in_it(size):
    boxes = windows(*size)
    assert boxes[0].tolist() == [0, 0, size[1], size[0]]
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= np.array(size[::-1]) + 1e-9).all()
    for side in np.unique((boxes[1:, 3] - boxes[1:, 1]).round(6)):
        covered = np.zeros(size, bool)
        for x1, y1, x2, y2 in boxes[np.isclose(boxes[:, 3] - boxes[:, 1], side)]:
            covered[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
        assert covered.all()
    assert len(boxes) < 90


@pytest.mark.parametrize(("x", "y"), [(10, 10), (200, 150), (270, 170)])
def test_the_search_finds_who_is_there(x, y):
    pose = search(Blob(), picture(x, y))
    assert pose.keypoints.tolist() == [[x, y], [x + 40, y + 60]]
    assert box_iou(pose.box[None], np.array([[x, y, x + 40, y + 60]], float))[0, 0] > 0.6


def test_a_box_leaves_out_joints_that_the_model_does_not_see():
    points = np.array([[10.0, 10.0], [30.0, 50.0], [20.0, 30.0], [400.0, 5.0]])
    pose = Pose(points, np.array([0.8, 0.7, 0.9, 0.05]), np.zeros(4), 0.6)
    assert box_of(pose, margin=0.0).tolist() == [10, 10, 30, 50]
    assert box_of(pose, margin=0.1).tolist() == [8, 6, 32, 54]


def frame(video: str | None, number: int) -> Frame:
    return Frame(f"{video}/{number}.jpg", 320, 240, video=video, frame=number)


def test_the_athlete_is_followed_and_searched_for_when_lost():
    model = Blob()
    predictor = BoxProvider(model, "track")
    first = picture(100, 80)
    predictor.predict([first], [frame("a", 0)])
    searched, model.asked = model.asked, 0
    for step in range(1, 6):
        (pose,) = predictor.predict([picture(100 + 4 * step, 80)], [frame("a", step)])[0]
        assert pose.keypoints[0].tolist() == [100 + 4 * step, 80]
    assert model.asked == 10 < searched  # two looks a frame
    (pose,) = predictor.predict([picture(10, 160)], [frame("a", 6)])[0]
    assert pose.keypoints[0].tolist() == [10, 160] and model.asked > 12  # gone from there: searched for
    model.asked = 0
    predictor.predict([picture(10, 160)], [frame("b", 0)])
    assert model.asked == searched  # another clip starts anew
    model.asked = 0
    predictor.predict([picture(10, 160)] * 2, [frame(None, 0)] * 2)
    assert model.asked == 2 * searched  # stills have no frame before them


def test_what_cannot_be_is_said():
    with pytest.raises(BadInput, match="labels, search, track"):
        BoxProvider(Blob(), "guess")
    finder = Blob()
    finder.needs_boxes = False
    with pytest.raises(BadInput, match="finds people by itself"):
        BoxProvider(finder, "search")


@pytest.mark.parametrize("source", ["search", "track"])
def test_the_starter_weights_find_upright_athletes_by_themselves(source, skeletons, tmp_path):
    pytest.importorskip("mmpose")
    clips = write_upright_clips(tmp_path, 1, 5000, (256, 256), every=8, skeleton=skeletons["coco17"])
    model = load_model(STARTER)
    poses = predict_dataset(model, clips, tmp_path, boxes=source)
    labelled = np.array([f.people[0].box for f in clips.frames])
    overlap = [box_iou(box[None], found[0].box[None])[0, 0] for box, found in zip(labelled, poses, strict=True)]
    assert np.mean(np.array(overlap) > 0.5) > 0.8
    if source == "search":
        again = predict_dataset(model, clips, tmp_path, boxes=boxes_of(poses))
        for (found,), (same,) in zip(poses, again, strict=True):
            assert np.abs(found.keypoints - same.keypoints).max() < 0.01


class Finder:
    """Finds people by itself, at the boxes that it was made with, the first surest."""

    skeleton, input_size, licence, needs_boxes, temperature = CORNERS, (64, 64), "MIT", False, None

    def __init__(self, boxes):
        self.boxes = np.array(boxes, dtype=float)

    def predict(self, images, boxes=None):
        sure = np.linspace(0.9, 0.1, len(self.boxes))
        return [
            [
                Pose(np.zeros((2, 2)), np.zeros(2), box, float(score))
                for box, score in zip(self.boxes, sure, strict=True)
            ]
            for _ in images
        ]


def test_people_whom_another_model_finds_are_looked_at_the_surest_first(monkeypatch, tmp_path):
    found = [(95, 75, 145, 145), (0, 0, 30, 30), (200, 10, 240, 70), (1, 1, 5, 5)]
    monkeypatch.setattr(boxes_module, "load_model", lambda path, skeleton: Finder(found))
    predictor = BoxProvider(Blob(), str(tmp_path / "finder.pt"))
    (poses,) = predictor.predict([picture(100, 80)], [frame(None, 0)])
    assert [pose.box.tolist() for pose in poses] == [list(map(float, box)) for box in found[:3]]
    assert poses[0].keypoints.tolist() == [[100, 80], [140, 140]] and poses[0].score == 0.9


def test_a_turned_look_gives_joints_of_the_picture():
    """A blob takes no turned boxes: it is given a turned part of the picture, and its joints are put back."""
    place = Pose(
        np.array([[120.0, 110.0], [160.0, 110.0], [0, 0], [0, 0]]), np.ones(4), np.array([80.0, 70, 160, 150]), 0.7
    )
    pose = look_upright(Blob(), picture(100, 90, 40, 40), place)
    low, high = np.sort(pose.keypoints, axis=0)
    assert np.abs(low - [100, 90]).max() < 1.5 and np.abs(high - [140, 130]).max() < 1.5
    assert pose.score == 0.7
