"""Pixel stature, matching, joint error, swaps and OKS-AP against answers worked by hand."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from fosbury.metrics.error import capped_errors, swapped_joints
from fosbury.metrics.match import box_iou, match_boxes
from fosbury.metrics.oks import oks_ap
from fosbury.metrics.stature import athletes, grouped_percentile, limb_statures, pixel_stature, times
from fosbury.pose import Dataset, Frame, Person, Pose
from fosbury.skeleton import Limb, Skeleton

CONF = Path(__file__).parents[1] / "conf" / "skeleton"


def skeleton(name: str) -> Skeleton:
    return Skeleton.from_mapping(yaml.safe_load((CONF / f"{name}.yaml").read_text()), name)


def person(keypoints, visibility=None, area=None) -> Person:
    keypoints = np.asarray(keypoints, dtype=float)
    visibility = np.full(len(keypoints), 2) if visibility is None else np.asarray(visibility)
    low, high = keypoints[visibility > 0].min(axis=0), keypoints[visibility > 0].max(axis=0)
    box = np.concatenate([low, high])
    return Person(keypoints, visibility.astype(np.uint8), box, float(np.prod(high - low)) if area is None else area)


def pose(keypoints, score=0.9, box=None) -> Pose:
    keypoints = np.asarray(keypoints, dtype=float)
    if box is None:
        box = np.concatenate([np.nanmin(keypoints, axis=0), np.nanmax(keypoints, axis=0)])
    return Pose(keypoints, np.full(len(keypoints), score), np.asarray(box, dtype=float), score)


# Stature


def together(keypoints, labelled, athlete, limbs):
    """Pixel statures of people who were all seen at once."""
    athlete = np.array(athlete, dtype=int)
    return pixel_stature(keypoints, labelled, limbs, athlete=athlete, seconds=np.zeros(len(athlete)))


def test_stature_of_a_skeleton_made_by_hand():
    # Segments of 10, 20, 30, 40 and 50 px at a share of 0.1: votes 100, 200, 300, 400, 500; 80th percentile 420.
    points = np.cumsum([0, 10, 20, 30, 40, 50])
    keypoints = np.stack([points, np.zeros(6)], axis=-1)[None].astype(float)
    limbs = [Limb(i, i + 1, 0.1) for i in range(5)]
    labelled = np.ones((1, 6), dtype=bool)
    assert limb_statures(keypoints, labelled, limbs) == pytest.approx(np.array([[100, 200, 300, 400, 500]]))
    assert together(keypoints, labelled, [0], limbs) == pytest.approx([400 + 0.2 * 100])
    labelled[0, 5] = False
    assert together(keypoints, labelled, [0], limbs) == pytest.approx([300 + 0.4 * 100])


def test_limbs_of_one_athlete_vote_together_and_foreshortening_does_not_shrink_the_stature():
    limbs = [Limb(0, 1, 0.25), Limb(1, 2, 0.25)]
    side_on = [[0, 0], [0, 50], [0, 100]]
    towards_the_camera = [[0, 0], [0, 10], [0, 30]]
    keypoints = np.array([side_on, side_on, towards_the_camera], dtype=float)
    labelled = np.ones((3, 3), dtype=bool)
    assert together(keypoints, labelled, [0, 0, 0], limbs) == pytest.approx([200, 200, 200])
    assert together(keypoints, labelled, [0, 1, 2], limbs)[2] == pytest.approx(40 + 0.8 * 40)


def test_no_labelled_limb_and_limbs_of_no_length_give_no_stature():
    limbs = [Limb(0, 1, 0.25)]
    keypoints = np.array([[[0, 0], [9, 9]], [[5, 5], [5, 5]]], dtype=float)
    labelled = np.array([[True, False], [True, True]])
    assert np.isnan(together(keypoints, labelled, [0, 1], limbs)).all()
    assert np.isnan(together(keypoints, labelled, [0, 1], [])).all()
    assert together(keypoints[:0], labelled[:0], [], limbs).shape == (0,)


def test_only_frames_within_a_fifth_of_a_second_vote_and_the_order_of_frames_does_not_matter():
    # One limb of a share of 0.1: votes 100, 110, 120, 130, 140 at these times.
    lengths, seconds = np.array([10.0, 11, 12, 13, 14]), np.array([0.0, 0.1, 0.2, 0.4001, 5.0])
    keypoints = np.stack([np.zeros((5, 2)), np.stack([lengths, np.zeros(5)], axis=-1)], axis=1)
    expected = [116, 116, 116, 130, 140]  # numpy.percentile([100, 110, 120], 80) = 116; the others stand alone
    rng = np.random.default_rng(0)
    for order in (np.arange(5), rng.permutation(5), rng.permutation(5)):
        height = pixel_stature(
            keypoints[order],
            np.ones((5, 2), dtype=bool),
            [Limb(0, 1, 0.1)],
            athlete=np.zeros(5, dtype=int),
            seconds=seconds[order],
        )
        assert height == pytest.approx(np.array(expected)[order])
    apart = pixel_stature(
        keypoints,
        np.ones((5, 2), dtype=bool),
        [Limb(0, 1, 0.1)],
        athlete=np.array([1, 0, 1, 0, 0]),
        seconds=np.zeros(5),
    )
    assert apart == pytest.approx([116, 136, 116, 136, 136])


def test_times_come_from_timestamps_else_from_numbers_and_the_clips_rate_else_from_the_order():
    someone = person([[0.0, 0.0], [1.0, 1.0]])

    def frame(name, **about):
        return Frame(name, 9, 9, (someone,), **about)

    frames = (
        frame("a/1.jpg", video="a.mp4", frame=10, timestamp_ms=200.0),
        frame("a/2.jpg", video="a.mp4", frame=20),  # 50 frames a second, as the others say
        frame("b/1.jpg", video="b.mp4", frame=5),  # nothing says how many a second: 25
        frame("a/3.jpg", video="a.mp4", frame=60, timestamp_ms=1200.0),
        frame("b/2.jpg", video="b.mp4"),  # one after the last
        frame("c/1.jpg", video="c.mp4"),
        frame("c/2.jpg", video="c.mp4"),
        frame("a/1.jpg", video="a.mp4", frame=10, source="other"),
    )
    expected = [0.2, 0.4, 0.2, 1.2, 0.24, 0.04, 0.08, 0.4]
    assert times(Dataset(skeleton("coco17"), frames)) == pytest.approx(expected)


@settings(deadline=None, max_examples=50)
@given(
    values=arrays(float, (7, 4), elements=st.one_of(st.floats(0, 1e4), st.just(np.nan))),
    groups=arrays(int, 7, elements=st.integers(0, 3)),
    percentile=st.floats(0, 100),
)
def test_grouped_percentile_is_numpys(values, groups, percentile):
    result = grouped_percentile(values, groups, percentile)
    for group in range(groups.max() + 1):
        votes = values[groups == group]
        votes = votes[np.isfinite(votes)]
        expected = np.percentile(votes, percentile) if votes.size else np.nan
        assert result[group] == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_athletes_are_shared_by_a_clip_unless_it_shows_several_people_at_once():
    someone = person([[0.0, 0.0], [1.0, 1.0]])
    frames = (
        Frame("a/1.jpg", 9, 9, (someone,), video="a.mp4", frame=1),
        Frame("still.jpg", 9, 9, (someone,)),
        Frame("a/2.jpg", 9, 9, (someone,), video="a.mp4", frame=2),
        Frame("other/a/1.jpg", 9, 9, (someone,), video="a.mp4", frame=1, source="other"),
        Frame("b/1.jpg", 9, 9, (someone, someone), video="b.mp4", frame=1),
        Frame("b/2.jpg", 9, 9, (someone,), video="b.mp4", frame=2),
        Frame("still2.jpg", 9, 9, (someone,)),
        Frame("nobody.jpg", 9, 9, (), video="a.mp4", frame=3),
    )
    numbers = athletes(Dataset(skeleton("coco17"), frames)).tolist()
    assert numbers[0] == numbers[2]
    assert len(numbers) == 8
    assert len(set(numbers)) == 7
    assert sorted(set(numbers)) == list(range(7))


def test_a_bystander_without_joints_does_not_part_the_frames_of_an_athlete():
    someone, bystander = person([[0.0, 0.0], [1.0, 1.0]]), person([[0.0, 0.0], [1.0, 1.0]])
    bystander = replace(bystander, visibility=np.zeros_like(bystander.visibility))
    frames = (
        Frame("a/1.jpg", 9, 9, (someone, bystander), video="a.mp4", frame=1),
        Frame("a/2.jpg", 9, 9, (bystander, someone), video="a.mp4", frame=2),
        Frame("a/3.jpg", 9, 9, (someone,), video="a.mp4", frame=3),
    )
    numbers = athletes(Dataset(skeleton("coco17"), frames)).tolist()
    assert numbers[0] == numbers[3] == numbers[4]
    assert len({numbers[0], numbers[1], numbers[2]}) == 3


# Matching


def test_iou_worked_by_hand():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [0, 0, 0, 0], [np.nan, 0, 1, 1]], dtype=float)
    assert box_iou(boxes[:1], boxes)[0] == pytest.approx([1, 1 / 7, 0, 0, 0])
    assert box_iou(np.zeros((0, 4)), boxes).shape == (0, 5)


def test_match_is_by_box_and_a_touching_box_is_a_miss():
    label = np.array([[0, 0, 10, 10]], dtype=float)
    assert match_boxes(label, np.array([[10, 0, 20, 10]], dtype=float)).tolist() == [-1]
    assert match_boxes(label, np.zeros((0, 4))).tolist() == [-1]
    assert match_boxes(label, np.array([[8, 8, 30, 30], [1, 1, 11, 11]], dtype=float)).tolist() == [1]
    for right, choice in ((3.01, 0), (2.99, -1)):  # of a box of 10 that lies in it: an overlap of 0.301, and of 0.299
        assert match_boxes(label, np.array([[0, 0, right, 10]], dtype=float)).tolist() == [choice]
    assert match_boxes(label, np.repeat(label, 3, axis=0)).tolist() == [0]
    assert match_boxes(np.zeros((0, 4)), label).tolist() == []


def test_match_gives_one_prediction_to_one_person():
    # Both people overlap the first prediction most; only one may have it, and the sum of overlaps decides.
    labels = np.array([[0, 0, 10, 10], [2, 0, 12, 10]], dtype=float)
    predictions = np.array([[1, 0, 11, 10], [4, 0, 14, 10]], dtype=float)
    assert match_boxes(labels, predictions).tolist() == [0, 1]
    assert sorted(match_boxes(labels, predictions[:1]).tolist()) == [-1, 0]


# Error and swaps


def test_errors_are_distances_capped_and_charged():
    labels = np.array([[[0, 0], [10, 0], [20, 0]]] * 2, dtype=float)
    predicted = np.array([[[3, 4], [10, 99], [np.nan, np.nan]], [[np.nan] * 2] * 3])
    labelled = np.array([[True, True, True], [True, False, True]])
    errors = capped_errors(predicted, labels, labelled, stature_px=np.array([40.0, 60.0]), cap=0.5)
    assert errors == pytest.approx(np.array([[5, 20, 20], [30, np.nan, 30]]), nan_ok=True)


def test_swap_needs_both_sides_nearer_to_the_other():
    labels = np.array([[[0, 0], [10, 0], [5, 5]]], dtype=float)
    labelled = np.ones((1, 3), dtype=bool)

    def marks(left, right):
        return swapped_joints(np.array([[left, right, [5, 5]]], dtype=float), labels, labelled, [(0, 1)])[0]

    assert marks([10, 0], [0, 0])[:2].tolist() == [1, 1]
    assert marks([0, 0], [10, 0])[:2].tolist() == [0, 0]
    assert marks([10, 0], [10, 0])[:2].tolist() == [0, 0]  # both on one leg: collapsed, not swapped
    assert np.isnan(marks([10, 0], [0, 0])[2])
    assert np.isnan(marks([np.nan, np.nan], [0, 0])).all()
    labelled[0, 0] = False
    assert np.isnan(marks([10, 0], [0, 0])).all()


# OKS


def one_person(bones: Skeleton, distance: float, area: float = 10_000.0):
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0, 200, (len(bones), 2))
    label = person(keypoints, area=area)
    return Dataset(bones, (Frame("1.jpg", 400, 400, (label,)),)), [[pose(keypoints + np.array([distance, 0.0]))]]


@pytest.mark.parametrize("name", ["lowerbody10", "coco17", "lsp14"])
def test_oks_ap_uses_the_sigmas_of_the_skeleton(name):
    # OKS = mean over joints of exp(-d^2 / (2 s^2 k^2)) with k = 2 sigma and s^2 the area; with one person found, AP is
    # the share of the ten thresholds 0.50 ... 0.95 that OKS reaches.
    bones = skeleton(name)
    area, distance = 10_000.0, 9.0
    oks = np.exp(-(distance**2) / (2 * area * (2 * bones.sigmas) ** 2)).mean()
    expected = np.count_nonzero(np.arange(50, 100, 5) / 100 <= oks) / 10
    assert 0 < expected < 1
    assert oks_ap(*one_person(bones, distance, area)) == pytest.approx(expected)


def test_oks_ap_of_the_right_poses_is_one_and_of_none_is_zero():
    data, right = one_person(skeleton("lowerbody10"), 0.0)
    assert oks_ap(data, right) == pytest.approx(1.0)
    assert oks_ap(data, [[]]) == 0.0


def test_oks_ap_ignores_joints_without_label_and_says_none_without_labels(capfd):
    bones = skeleton("coco17")
    keypoints = np.random.default_rng(1).uniform(0, 100, (17, 2))
    visibility = np.full(17, 2)
    visibility[:5] = 0
    guess = keypoints.copy()
    guess[:5] = np.nan
    keypoints = np.where((visibility > 0)[:, None], keypoints, np.nan)
    data = Dataset(bones, (Frame("1.jpg", 100, 100, (person(keypoints, visibility, area=5000.0),)),))
    assert oks_ap(data, [[pose(guess)]]) == pytest.approx(1.0)
    assert oks_ap(data, [[pose(guess)]], known=visibility == 0) is None
    assert oks_ap(Dataset(bones, (Frame("1.jpg", 9, 9),)), [[pose(guess)]]) is None
    assert capfd.readouterr().out == ""


def test_a_joint_that_was_not_predicted_is_wrong_even_when_its_label_is_at_the_origin():
    bones = skeleton("lowerbody10")
    keypoints = np.random.default_rng(2).uniform(50, 100, (10, 2))
    keypoints[:5] = 0.0
    guess = keypoints.copy()
    guess[:5] = np.nan
    data = Dataset(bones, (Frame("1.jpg", 100, 100, (person(keypoints, area=5000.0),)),))
    assert oks_ap(data, [[pose(guess, box=[0, 0, 100, 100])]]) == pytest.approx(0.1)  # OKS 0.5: one threshold of ten


def test_oks_ap_is_that_of_pycocotools_on_files(tmp_path):
    bones = skeleton("coco17")
    rng = np.random.default_rng(3)
    frames, predictions, truth, results = [], [], [], []
    for image in range(1, 13):
        people, found = [], []
        for _ in range(1 + image % 2):
            keypoints = rng.uniform(20, 300, (17, 2))
            visibility = rng.choice([0, 1, 2], 17, p=[0.2, 0.2, 0.6])
            visibility[:2] = 2
            masked = np.where((visibility > 0)[:, None], keypoints, np.nan)
            people.append(person(masked, visibility, area=30_000.0))
            found.append(pose(keypoints + rng.normal(0, 8 + image, (17, 2)), score=float(rng.uniform(0.1, 1))))
            triple = np.column_stack([np.where((visibility > 0)[:, None], keypoints, 0), visibility])
            box = people[-1].box
            truth.append(
                {
                    "id": len(truth) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "iscrowd": 0,
                    "area": 30_000.0,
                    "num_keypoints": int((visibility > 0).sum()),
                    "keypoints": triple.ravel().tolist(),
                    "bbox": [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()],
                }
            )
            guess = np.column_stack([found[-1].keypoints, np.ones(17)])
            results.append(
                {"image_id": image, "category_id": 1, "score": found[-1].score, "keypoints": guess.ravel().tolist()}
            )
        frames.append(Frame(f"{image}.jpg", 320, 320, tuple(people)))
        predictions.append(found)
    images = [{"id": i, "width": 320, "height": 320} for i in range(1, 13)]
    file = tmp_path / "truth.json"
    file.write_text(json.dumps({"images": images, "annotations": truth, "categories": [{"id": 1, "name": "person"}]}))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(file))
        run = COCOeval(coco, coco.loadRes(results), "keypoints")
        run.evaluate()
        run.accumulate()
        run.summarize()
    assert 0.05 < run.stats[0] < 0.95
    assert oks_ap(Dataset(bones, tuple(frames)), predictions) == pytest.approx(run.stats[0], abs=1e-12)
