"""Labels that are made wrong are found, with the reason; sound ones are not."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput
from fosbury.formats.coco import write_coco
from fosbury.labelling.quality import HEAD, SUSPECT, Check, Labels, labels_of, robust, severity, suspects_of
from fosbury.labelling.quality_clips import check_clips, neighbours
from fosbury.labelling.quality_model import answers, check_model
from fosbury.labelling.quality_run import check, checks_of, read_labels
from fosbury.labelling.quality_shape import check_crossed, check_lengths, check_place, lengths, segments
from fosbury.pose import Dataset, Frame, Person, Pose

SIZE = (200, 300)
NUMBER = 40
STANDING = {
    "nose": (0, -90), "eye": (4, -95), "ear": (8, -92), "shoulder": (22, -60), "elbow": (30, -25), "wrist": (34, 8),
    "hip": (15, 0), "knee": (17, 50), "ankle": (18, 98), "heel": (16, 104), "foot": (24, 108),
}  # fmt: skip
CLIPS = 4


def standing(skeleton, chance: np.random.Generator, size: float = 1.0) -> np.ndarray:
    """Joints of somebody seen from behind, about 200 px high."""
    points = np.empty((len(skeleton), 2))
    for index, joint in enumerate(skeleton.joints):
        side, _, part = joint.rpartition("_")
        x, y = STANDING[part]
        points[index] = (-x if side == "left" else x, y)
    return points * size + chance.normal(0, 1.5, points.shape) + (100, 140)


def person(points: np.ndarray, box: np.ndarray | None = None) -> Person:
    box = np.concatenate([points.min(axis=0) - 5, points.max(axis=0) + 5]) if box is None else box
    return Person(points, np.full(len(points), 2, np.uint8), box, 5000.0)


def made(skeleton, *, clips: bool = False) -> Dataset:
    chance = np.random.default_rng(0)
    frames = []
    for number in range(NUMBER):
        points = standing(skeleton, chance, chance.uniform(0.8, 1.1))
        clip, frame = f"clip{number % CLIPS}.mp4", number // CLIPS
        more = {"video": clip, "frame": frame, "timestamp_ms": 40.0 * frame} if clips else {}
        frames.append(Frame(f"{number:03}.png", *SIZE, (person(points),), **more))
    return Dataset(skeleton, tuple(frames))


def spoilt(dataset: Dataset, index: int, change, box: np.ndarray | None = None) -> Dataset:
    """The data set with the joints of one frame changed, its box being as it was."""
    frame = dataset.frames[index]
    points = change(frame.people[0].keypoints.copy())
    wrong = replace(frame, people=(person(points, frame.people[0].box if box is None else box),))
    return replace(dataset, frames=tuple(wrong if at == index else each for at, each in enumerate(dataset.frames)))


def worst(dataset: Dataset, checks) -> tuple[int, str, float]:
    """Frame, reason and severity of the first suspect."""
    first = suspects_of(labels_of(dataset), checks, least=0.1)[0]
    return first.frame, first.reason, first.severity


def moved(joint: int, by: tuple[float, float]):
    def change(points: np.ndarray) -> np.ndarray:
        points[joint] += by
        return points

    return change


def exchanged(joints):
    def change(points: np.ndarray) -> np.ndarray:
        return points[joints]

    return change


@pytest.fixture(params=["coco17", "lowerbody10"])
def skeleton(request, skeletons):
    return skeletons[request.param]


def everything(dataset: Dataset) -> list[Check]:
    return checks_of(labels_of(dataset), dataset, Path())


class TestShape:
    def test_sound_labels_are_not_suspected(self, skeleton):
        dataset = made(skeleton)
        assert suspects_of(labels_of(dataset), everything(dataset), least=2 * SUSPECT) == []

    def test_a_joint_that_is_off_is_found_by_the_bones_at_it(self, skeleton):
        ankle = skeleton.joints.index("left_ankle")
        dataset = spoilt(made(skeleton), 7, moved(ankle, (-40, 25)))
        frame, reason, score = worst(dataset, everything(dataset))
        assert frame == 7 and "left" in reason and score > 2 * SUSPECT
        found = suspects_of(labels_of(dataset), everything(dataset))[0]
        assert ankle in found.joints

    def test_a_size_is_nobodys_fault(self, skeletons):
        """A child beside adults has short bones, and nothing is wrong with them."""
        skeleton = skeletons["coco17"]
        dataset = spoilt(made(skeleton), 3, lambda points: (points - 100) * 0.4 + 100, np.array([40.0, 60, 160, 160]))
        _, _, residual = lengths(labels_of(dataset))
        assert np.median(np.abs(residual[3])) < 0.1

    def test_legs_that_are_exchanged_below_the_hips_cross(self, skeleton):
        flip = skeleton.flip_index
        below = [
            joint
            for joint, name in enumerate(skeleton.joints)
            if name.split("_")[-1] in ("knee", "ankle", "heel", "foot")
        ]
        order = np.arange(len(skeleton))
        order[below] = flip[below]
        dataset = spoilt(made(skeleton), 5, exchanged(order))
        frame, reason, score = worst(dataset, check_crossed(labels_of(dataset)))
        assert frame == 5 and "the lines from hips to knees cross" in reason and score > SUSPECT

    def test_a_limb_that_is_longer_on_one_side(self, skeletons):
        skeleton = skeletons["coco17"]
        at = [skeleton.joints.index(name) for name in ("right_elbow", "right_wrist")]
        dataset = spoilt(made(skeleton), 9, moved(at[1], (15, 45)))
        kinds = {each.kind: each for each in check_lengths(labels_of(dataset))}
        uneven = kinds["asymmetry"]
        assert int(uneven.worst.argmax()) == 9
        reason = uneven.reason(9, int(np.nanargmax(uneven.scores[9])))
        assert "right elbow to right wrist" in reason and "times as long as left elbow to left wrist" in reason

    def test_joints_outside_and_boxes_that_do_not_fit(self, skeleton):
        dataset = spoilt(made(skeleton), 2, moved(len(skeleton) - 1, (0, 150)))
        frame, reason, _ = worst(dataset, check_place(labels_of(dataset)))
        assert frame == 2 and "outside the" in reason
        wide = spoilt(made(skeleton), 4, lambda points: points, np.array([0.0, 0, 200, 300]))
        frame, reason, _ = worst(wide, check_place(labels_of(wide)))
        assert frame == 4 and "% of the area of its box" in reason

    def test_what_a_tenth_of_the_set_has_is_a_habit(self, skeletons):
        skeleton = skeletons["coco17"]
        ankle = skeleton.joints.index("right_ankle")
        dataset = made(skeleton)
        for index in range(0, NUMBER, 4):
            dataset = spoilt(
                dataset, index, lambda points: np.where(np.arange(17)[:, None] == ankle, (100, 330), points)
            )
        by = next(each for each in check_place(labels_of(dataset)) if each.kind == "outside the picture")
        assert 0.5 < by.scores.max() < 2

    def test_bones_and_limbs_count_once(self, skeletons):
        lines = segments(skeletons["coco17"])
        assert len({frozenset(line) for line in lines}) == len(lines) > 12


class TestClips:
    def test_neighbours_are_those_of_the_clip_in_order(self, skeleton):
        dataset = made(skeleton, clips=True)
        beside = neighbours(labels_of(dataset), dataset.frames)
        assert beside[0].tolist() == [-1, CLIPS] and beside[CLIPS].tolist() == [0, 2 * CLIPS]
        assert (beside[-1] == [NUMBER - 1 - CLIPS, -1]).all()
        late = [replace(each, timestamp_ms=1e4 * (each.frame or 0)) for each in dataset.frames]
        assert (neighbours(labels_of(dataset), late) == -1).all()

    def test_names_tell_the_order_where_no_number_does(self, skeleton):
        dataset = made(skeleton)
        names = [f"row_{number}.png" for number in (10, 9, 2)]
        frames = [replace(each, file_name=name, group="row") for name, each in zip(names, dataset.frames, strict=False)]
        three = replace(dataset, frames=tuple(frames))
        assert neighbours(labels_of(three), three.frames).tolist() == [[1, -1], [2, 0], [-1, 1]]

    def test_a_body_whose_sides_are_exchanged_in_one_frame(self, skeleton):
        dataset = spoilt(made(skeleton, clips=True), 17, exchanged(skeleton.flip_index))
        frame, reason, score = worst(dataset, check_clips(labels_of(dataset), dataset.frames))
        assert frame == 17 and score > SUSPECT
        assert "seem exchanged beside the frames of clip1.mp4" in reason or "lies" in reason
        sides = check_clips(labels_of(dataset), dataset.frames)[1]
        assert int(sides.worst.argmax()) == 17 and (np.delete(sides.worst, 17) == 0).all()

    def test_a_joint_that_leaps_for_one_frame(self, skeleton):
        joint = skeleton.joints.index("right_knee")
        dataset = spoilt(made(skeleton, clips=True), 21, moved(joint, (0, 30)))
        frame, reason, score = worst(dataset, check_clips(labels_of(dataset), dataset.frames))
        assert frame == 21 and reason.startswith("right knee lies") and score > SUSPECT

    def test_stills_have_no_neighbours(self, skeleton):
        dataset = made(skeleton)
        assert check_clips(labels_of(dataset), dataset.frames) == []


class Oracle:
    """Answers with the true joints, in the order of the boxes, or as a model that finds people itself."""

    input_size, licence, temperature = (64, 64), "Apache-2.0", None

    def __init__(self, dataset: Dataset, *, needs_boxes: bool):
        self.skeleton, self.needs_boxes = dataset.skeleton, needs_boxes
        self.truth = [frame.people[0].keypoints for frame in dataset.frames]
        self.asked: list[np.ndarray | None] = []

    def predict(self, images, boxes=None):
        start = len(self.asked)
        self.asked += list(boxes) if boxes is not None else [None] * len(images)
        points = self.truth[start : start + len(images)]
        box = [np.concatenate([each.min(axis=0), each.max(axis=0)]) for each in points]
        return [[Pose(each, np.ones(len(each)), b, 0.9)] for each, b in zip(points, box, strict=True)]


def written(folder: Path, dataset: Dataset) -> Path:
    (folder / "images").mkdir(parents=True)
    for number, frame in enumerate(dataset.frames):
        shade = np.random.default_rng(number).integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(shade).resize(SIZE).save(folder / "images" / frame.file_name)
    write_coco(dataset, folder / "annotations.json")
    return folder


class TestModel:
    @pytest.mark.parametrize("needs_boxes", [True, False])
    def test_what_a_model_has_elsewhere(self, tmp_path, skeleton, needs_boxes):
        sound = made(skeleton)
        knee = skeleton.joints.index("left_knee")
        dataset = spoilt(spoilt(sound, 6, exchanged(skeleton.flip_index)), 11, moved(knee, (0, -60)))
        root = written(tmp_path / "set", dataset) / "images"
        model = Oracle(sound, needs_boxes=needs_boxes)
        labels = labels_of(dataset)
        said = answers(model, dataset, labels, root)
        assert (model.asked[0] is None) == (not needs_boxes)
        np.testing.assert_allclose(said[6], sound.frames[6].people[0].keypoints)
        found = {each.frame: each for each in suspects_of(labels, check_model(labels, said))}
        assert set(found) == {6, 11}
        assert "the model has them the other way round" in found[6].reason or "model" in found[6].reason
        assert "sides beside the model" in (found[6].kind, *found[6].also)
        assert found[11].joints == (knee,) and found[11].reason.startswith("left knee lies")

    def test_a_label_of_another_picture(self, tmp_path, skeletons):
        sound = made(skeletons["coco17"])
        dataset = spoilt(sound, 8, lambda points: points[:, ::-1] * 0.7)
        labels = labels_of(dataset)
        said = answers(Oracle(sound, needs_boxes=True), dataset, labels, written(tmp_path / "set", dataset) / "images")
        whole = check_model(labels, said)[1]
        assert int(whole.worst.argmax()) == 8 and "half of the joints" in whole.reason(8, 0)


class TestScores:
    def test_few_values_say_nothing(self):
        assert np.isnan(robust(np.arange(7.0)[:, None], 1.0)).all()
        assert np.isnan(robust(np.full((20, 1), np.nan), 1.0)).all()

    def test_the_spread_is_that_of_the_side_it_lies_on(self):
        values = np.concatenate([np.linspace(-100, 0, 50), np.linspace(0, 1, 50), [10.0]])[:, None]
        assert robust(values, 0.01)[-1, 0] > 10 and robust(-values, 0.01)[0, 0] < 2

    def test_the_largest_of_many_counts_less(self):
        labels = Labels(None, np.zeros((1, 1, 2)), np.zeros((1, 4)), np.zeros((1, 2)), np.zeros(1), np.zeros(1))
        few, many = (Check("c", np.full((1, n), 3.0), [()] * n, lambda *_: "") for n in (1, 50))
        assert few.worst == 3.0 and 1.0 < many.worst < 1.3 and labels.side == 1.0
        assert severity([few, many])[0] == pytest.approx(np.hypot(few.worst, many.worst)[0])


class TestCommand:
    def test_it_lists_and_draws_and_leaves_the_labels(self, tmp_path, skeletons):
        dataset = made(skeletons["coco17"])
        wrist = dataset.skeleton.joints.index("left_wrist")
        folder = written(tmp_path / "größe 1", spoilt(dataset, 12, moved(wrist, (-30, 60))))
        before = (folder / "annotations.json").read_bytes()
        out = tmp_path / "out"
        done = CliRunner().invoke(app, ["quality", str(folder), "--output", str(out)])
        assert done.exit_code == 0, done.output
        assert done.output.startswith("1. 012.png, person 1") and (folder / "annotations.json").read_bytes() == before
        assert sorted(path.name for path in out.iterdir()) == ["quality.jpg", "quality.json", "suspects.csv"]
        with (out / "suspects.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == HEAD and rows[0]["frame_path"] == "012.png" and "left_wrist" in rows[0]["joints"]
        severities = [float(row["severity"]) for row in rows]
        assert severities == sorted(severities, reverse=True) and severities[-1] >= SUSPECT
        figures = json.loads((out / "quality.json").read_text(encoding="utf-8"))
        assert (figures["people"], figures["suspects"]) == (NUMBER, len(rows))
        with Image.open(out / "quality.jpg") as sheet:
            assert sheet.width > 1000
        again = CliRunner().invoke(app, ["quality", str(folder), "--output", str(out)])
        assert again.exit_code == 2 and "exists already" in again.output

    def test_bad_input(self, tmp_path, skeletons):
        dataset = made(skeletons["coco17"])
        few = written(tmp_path / "few", replace(dataset, frames=dataset.frames[:5]))
        with pytest.raises(BadInput, match="labels 5 people"):
            check(few)
        with pytest.raises(BadInput, match="holds no labels"):
            check(few / "images")
        with pytest.raises(BadInput, match="does not exist"):
            check(tmp_path / "absent.json")


def test_real_labels_that_hold_gross_errors(shared):
    """Of lspe about one in eight holds a grossly wrong joint, such as a shoulder at a hand."""
    found = check(shared / "lspe")
    assert 0.05 * len(found.dataset) < len(found.suspects) < 0.25 * len(found.dataset)
    names = [found.dataset.frames[each.frame].file_name for each in found.suspects[:20]]
    assert {"im09890.jpg", "im01865.jpg", "im08170.jpg"} <= set(names)  # seen to be wrong


def test_clips_of_real_exports_are_known_by_their_names(shared):
    dataset, root = read_labels(shared / "form/lumbar")
    labels = labels_of(dataset)
    assert (root / dataset.frames[0].file_name).is_file() and dataset.skeleton.bones
    assert (neighbours(labels, dataset.frames) >= 0).any(axis=1).mean() > 0.95
