"""What a clip knows and a picture does not: who it is about, sides, and paths that do not lag."""

import numpy as np
import pytest

from fosbury.dataset.relabel import limb_sides
from fosbury.synth.clips import JOINTS, render_clip
from fosbury.video.tracks import Track, between, follow, repair_sides, runs, smooth, speeds

FPS = 25


def box(x, y, side):
    return np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])


def track(keypoints, seconds=None, trust=None, side=200.0):
    seconds = np.arange(len(keypoints)) / FPS if seconds is None else seconds
    trust = np.isfinite(keypoints).all(-1) * 0.9 if trust is None else trust
    return Track(keypoints, trust, np.asarray(seconds, dtype=float), np.full(len(keypoints), side))


@pytest.fixture(scope="module")
def jumps(skeletons):
    """Exact joints of the built-in athlete in three clips, with the longer side of the box in each frame."""
    place = skeletons["coco17"].match(JOINTS)
    found = []
    for seed in (11, 12, 13):
        labels = render_clip(seed, (64, 64), float(FPS))[1]
        points = np.array([np.where(label.visibility[:, None] > 0, label.keypoints, np.nan)[place] for label in labels])
        found.append((points, np.array([(label.box[2:] - label.box[:2]).max() for label in labels])))
    return found


def swapped(points, truth, skeleton):
    """Share of limbs' joints that are nearer to the label of the other side, both of a pair."""
    limbs = np.concatenate([np.column_stack(limb) for limb in limb_sides(skeleton)])
    own, other = (np.linalg.norm(points[:, limbs] - truth[:, o], axis=-1) for o in (limbs, limbs[:, ::-1]))
    known = np.isfinite(own + other).all(axis=-1)
    return (other < own).all(axis=-1)[known].mean()


def test_a_gap_ends_a_run():
    assert [run.tolist() for run in runs(np.array([0, 0.04, 0.08, 0.5, 0.54]))] == [[0, 1, 2], [3, 4]]
    assert [run.tolist() for run in runs(np.zeros(1))] == [[0]]


def test_the_athlete_is_followed_past_somebody_who_is_larger_for_a_moment():
    frames = [[box(100 + 10 * t, 100, 60), box(400, 120, 40)] for t in range(12)]
    frames[5] = [box(400, 120, 90), box(150, 100, 60)]
    frames[6] = [box(400, 120, 90)]  # she is not seen at all
    frames[7] = []
    boxes = [np.array(people).reshape(-1, 4) for people in frames]
    chosen = follow(boxes, [np.full(len(people), 0.9) for people in frames])
    assert chosen == [0] * 5 + [1, None, None] + [0] * 4


def test_who_is_lost_for_a_second_is_not_taken_for_somebody_who_stood_there_all_the_time():
    frames = [[box(100 + t, 100, 60), box(300, 120, 70)] for t in range(60)]
    for at in range(15, 40):
        frames[at] = frames[at][1:]
    boxes = [np.array(people).reshape(-1, 4) for people in frames]
    found = [np.array([0.9, 0.9])[-len(people) :] for people in frames]
    sure = [np.where(each[:, 0] < 200, 3.0, 1.0) * score for each, score in zip(boxes, found, strict=True)]
    assert follow(boxes, sure) == [0] * 15 + [None] * 25 + [0] * 20


@pytest.mark.parametrize("pan", [0.0, -7.0])
def test_speed_is_that_through_the_scene_whatever_the_camera_does(pan):
    """One stands, one runs at 5 pixels a frame of 25 a second: 125 pixels, or 1.25 sides of a box of 100, a second."""
    boxes = [np.array([box(500 + pan * t, 100, 100), box(100 + (5 + pan) * t, 100, 100)]) for t in range(50)]
    found = speeds(boxes, np.arange(50) / 25, np.full((50, 2), [pan, 0.0]))
    assert np.stack(found) == pytest.approx(np.tile([0.0, 1.25], (50, 1)), abs=0.06)


def test_nobody_anywhere_is_nobody():
    assert follow([np.zeros((0, 4))] * 3, [np.zeros(0)] * 3) == [None] * 3


def test_who_was_not_seen_is_looked_for_on_the_way():
    boxes = np.array([box(0, 0, 10), np.full(4, np.nan), box(40, 0, 10), np.full(4, np.nan)])
    filled = between(boxes, np.array([0.0, 0.1, 0.4, 0.5]))
    assert filled[1] == pytest.approx(box(10, 0, 10)) and filled[3] == pytest.approx(box(40, 0, 10))


def legs(skeleton, frames=30):
    """A walker seen from the side, whose legs cross each other twice, in pixels of a body 200 px high."""
    points = np.full((frames, len(skeleton), 2), 50.0) + np.arange(len(skeleton))[None, :, None]
    swing = 40 * np.sin(np.arange(frames) / 4.5 + 0.6)
    for side, sign in (("left", 1), ("right", -1)):
        for part, reach, down in (("hip", 0.05, 100), ("knee", 0.5, 150), ("ankle", 1.0, 200)):
            points[:, skeleton.joints.index(f"{side}_{part}")] = np.column_stack(
                [100 + sign * reach * swing, np.full(frames, down)]
            )
    return points


@pytest.mark.parametrize("wrong", [[7], [3, 4], [18, 19, 20], [5, 13, 14, 25], [0], [29]])
def test_sides_that_a_model_exchanged_for_a_few_frames_come_back_though_legs_cross(skeletons, wrong):
    skeleton = skeletons["coco17"]
    truth = legs(skeleton)
    left, right = limb_sides(skeleton)[1]
    bad = truth.copy()
    for at in wrong:
        bad[at, left], bad[at, right] = truth[at, right], truth[at, left]
    repaired = repair_sides(track(bad), skeleton)
    assert repaired.keypoints == pytest.approx(truth) and repaired.swapped == len(wrong)


def test_sides_that_are_right_stay(skeletons, jumps):
    truth = legs(skeletons["coco17"])
    assert (repair_sides(track(truth), skeletons["coco17"]).keypoints == truth).all()
    for points, sides in jumps:
        same = repair_sides(
            Track(points, np.isfinite(points).all(-1) * 1.0, np.arange(len(points)) / FPS, sides), skeletons["coco17"]
        )
        assert swapped(same.keypoints, points, skeletons["coco17"]) < 0.02


def test_trust_goes_with_the_joint_whose_side_it_was(skeletons):
    skeleton = skeletons["coco17"]
    truth = legs(skeleton)
    left, right = limb_sides(skeleton)[1]
    trust = np.full(truth.shape[:2], 0.9)
    trust[:, left] = 0.6
    bad, mixed = truth.copy(), trust.copy()
    bad[9, left], bad[9, right] = truth[9, right], truth[9, left]
    mixed[9, left], mixed[9, right] = trust[9, right], trust[9, left]
    assert repair_sides(track(bad, trust=mixed), skeleton).trust == pytest.approx(trust)


def test_sides_are_not_judged_across_a_gap(skeletons):
    skeleton = skeletons["coco17"]
    truth = legs(skeleton, 20)
    other = truth.copy()
    other[10:] = truth[10:][:, skeleton.flip_index]
    seconds = np.where(np.arange(20) < 10, np.arange(20) / FPS, 5 + np.arange(20) / FPS)
    assert (repair_sides(track(other, seconds), skeleton).keypoints == other).all()


def test_noise_and_swaps_on_a_jump_are_less_after_than_before(skeletons, jumps):
    skeleton, rng = skeletons["coco17"], np.random.default_rng(3)
    before, after, errors = [], [], []
    for points, sides in jumps:
        bad = points + rng.normal(size=points.shape) * 0.012 * sides[:, None, None]  # about 20 mm
        for left, right in limb_sides(skeleton):
            wrong = np.flatnonzero(rng.random(len(bad)) < 0.08)[:, None]
            bad[wrong, np.append(left, right)] = bad[wrong, np.append(right, left)]
        raw = Track(bad, np.isfinite(bad).all(-1) * 0.9, np.arange(len(bad)) / FPS, sides)
        steady = smooth(repair_sides(raw, skeleton)).keypoints
        before.append(swapped(bad, points, skeleton))
        after.append(swapped(steady, points, skeleton))
        errors.append([np.nanmean(np.linalg.norm(each - points, axis=-1) / sides[:, None]) for each in (bad, steady)])
    assert np.mean(after) < 0.4 * np.mean(before)
    assert np.mean(errors, axis=0)[1] < 0.75 * np.mean(errors, axis=0)[0]


def test_a_parabola_is_kept_so_nothing_lags():
    seconds = np.array([0, 0.03, 0.07, 0.1, 0.15, 0.2, 0.22, 0.3])  # a phone's rate varies
    path = np.stack([300 * seconds, 100 - 400 * seconds + 490 * seconds**2], axis=-1)[:, None]
    smoothed = smooth(track(path, seconds))
    assert smoothed.keypoints == pytest.approx(path, abs=0.05)
    assert smoothed.trust == pytest.approx(0.9, abs=1e-3)


def test_a_joint_far_from_its_path_comes_back_and_is_doubted():
    path = np.stack([10.0 * np.arange(15), 100 + 0.5 * np.arange(15.0) ** 2], axis=-1)[:, None]
    bad = path.copy()
    bad[7] += (60, -40)
    smoothed = smooth(track(bad))
    assert np.linalg.norm(smoothed.keypoints - path, axis=-1).max() < 5
    assert smoothed.trust[7, 0] < 0.1 and np.delete(smoothed.trust[:, 0], 7).min() > 0.5


def test_a_joint_between_two_that_were_found_is_filled_in_without_trust_and_others_are_not():
    path = np.stack([10.0 * np.arange(15), np.full(15, 50.0)], axis=-1)[:, None]
    holes = path.copy()
    holes[[0, 6]] = np.nan
    smoothed = smooth(track(holes))
    assert smoothed.keypoints[6] == pytest.approx(path[6], abs=0.1) and smoothed.trust[6] == 0
    assert np.isnan(smoothed.keypoints[0]).all()


def test_frames_that_are_no_neighbours_are_left_alone():
    points = np.random.default_rng(0).normal(size=(6, 3, 2)) * 50
    assert (smooth(track(points, np.arange(6) * 0.5)).keypoints == points).all()
    assert (smooth(track(points[:1], np.zeros(1))).keypoints == points[:1]).all()
