"""The time of take-off that joints tell: known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.takeoff import reach, takeoff
from fosbury.pose import Dataset, Frame, Person, Pose

PHASES = ("approach",) * 3 + ("takeoff",) * 2 + ("flight",) * 2 + ("arch",) * 3
HEIGHTS = np.array([100, 99, 98, 105, 120, 110, 90, 40, 20, 10.0])  # of the shoulders above the ankle; most at toe-off


def clip(skeleton, heights=HEIGHTS, step: int = 2, video: str = "a.mp4") -> Dataset:
    """A clip whose shoulders stand so high above ankles on a slope, as a camera that follows shows them."""
    frames = []
    for number, height in enumerate(heights):
        points = np.random.default_rng(0).uniform(0, 50, (len(skeleton), 2))
        for side in ("left", "right"):
            points[skeleton.joints.index(f"{side}_ankle")] = (5, 300 - 10 * number)
            points[skeleton.joints.index(f"{side}_shoulder")] = (5, 300 - 10 * number - height)
        points[skeleton.joints.index("left_ankle"), 1] -= 30  # the free leg
        box = np.concatenate([points.min(0), points.max(0)])
        person = Person(points, np.full(len(skeleton), 2, np.uint8), box, float((box[2:] - box[:2]).prod()))
        about = {"video": video, "frame": step * number, "timestamp_ms": 40.0 * step * number, "phase": PHASES[number]}
        frames.append(Frame(f"{video}/{number}.jpg", 200, 400, (person,), **about))
    return Dataset(skeleton, tuple(frames))


def told(labelled: Dataset, predicted: Dataset) -> dict | None:
    points = [np.array([frame.people[0].keypoints for frame in each.frames]) for each in (predicted, labelled)]
    return takeoff(*points, np.arange(len(labelled)), labelled)


@pytest.fixture(scope="module")
def coco17(skeletons):
    return skeletons["coco17"]


def test_the_reach_is_from_the_shoulders_to_the_lower_ankle(coco17):
    points = np.array([frame.people[0].keypoints for frame in clip(coco17).frames])
    assert reach(points, coco17).tolist() == pytest.approx(HEIGHTS.tolist())
    points[:, coco17.joints.index("right_ankle")] = np.nan
    assert reach(points, coco17).tolist() == pytest.approx((HEIGHTS - 30).tolist())
    points[:, coco17.joints.index("left_ankle")] = np.nan
    assert np.isnan(reach(points, coco17)).all()


def test_labels_tell_their_own_take_off(coco17):
    own = clip(coco17)
    nothing_off = {"predicted": 0.0, "predicted_within": 1.0, "labelled": 0.0, "labelled_within": 1.0}
    assert told(own, own) == {"clips": 1, **nothing_off, "lost": 0}


@pytest.mark.parametrize(("late", "within"), [(1, 1.0), (2, 0.0)])
def test_a_late_take_off_is_so_many_frames_away(coco17, late, within):
    found = told(clip(coco17), clip(coco17, np.roll(HEIGHTS, late)))
    assert (found["predicted"], found["predicted_within"], found["labelled"]) == (2.0 * late, within, 0.0)


def test_nothing_longer_ago_than_the_window_counts(coco17):
    early = HEIGHTS.copy()
    early[0] = 500
    assert told(clip(coco17), clip(coco17, early))["predicted"] == 8.0
    assert told(clip(coco17, step=5), clip(coco17, early, step=5))["predicted"] == 0.0


def test_the_arch_itself_is_no_take_off(coco17):
    late = HEIGHTS.copy()
    late[8:] = 500
    assert told(clip(coco17), clip(coco17, late))["predicted"] == 0.0


def test_a_lost_athlete_is_not_within_and_in_no_mean(coco17):
    lost = clip(coco17, np.full(len(HEIGHTS), np.nan))
    found = told(clip(coco17), lost)
    assert found["lost"] == 1 and found["predicted_within"] == 0.0 and "predicted" not in found


def without(data: Dataset, *joints: str) -> Dataset:
    gone = [any(joint in name for joint in joints) for name in data.skeleton.joints]

    def blind(person: Person) -> Person:
        return replace(person, keypoints=np.where(np.array(gone)[:, None], np.nan, person.keypoints))

    return replace(data, frames=tuple(replace(f, people=tuple(map(blind, f.people))) for f in data.frames))


def test_a_neighbour_is_one_in_the_set_whatever_lies_between(coco17):
    own = clip(coco17, np.roll(HEIGHTS, -1))
    apart = [0, 2, 4, 6, 16, 18, 20, 22, 24, 26]  # nothing labelled from 6 to 16, the take-off
    frames = tuple(replace(f, frame=n, timestamp_ms=20.0 * n) for f, n in zip(own.frames, apart, strict=True))
    found = told(replace(own, frames=frames), replace(own, frames=frames))
    assert (found["labelled"], found["labelled_within"]) == (10.0, 1.0)
    early = np.roll(HEIGHTS, -2)
    found = told(replace(own, frames=frames), clip(coco17, early))
    assert (found["predicted"], found["predicted_within"]) == (12.0, 0.0)


def test_a_crowd_at_take_off_is_no_earlier_take_off(coco17):
    own = clip(coco17)
    crowd = list(own.frames)
    crowd[4] = replace(crowd[4], people=crowd[4].people * 2)
    data = replace(own, frames=tuple(crowd))
    poses = [[Pose(p.keypoints, np.ones(17), p.box, 1.0) for p in f.people] for f in crowd]
    assert evaluate(data, poses, ap=False).takeoff is None


@pytest.mark.parametrize("fps", [25, 240])
def test_slow_motion_and_absent_times_lose_no_clip(coco17, fps):
    own = clip(coco17, step=fps // 10)
    frames = tuple(replace(f, timestamp_ms=None if n % 3 else f.timestamp_ms) for n, f in enumerate(own.frames))
    untimed = replace(own, frames=frames)
    assert told(untimed, untimed)["labelled"] == 0.0


def test_without_a_take_off_or_joints_for_it_there_is_nothing_to_tell(coco17):
    own = clip(coco17)
    running = replace(own, frames=tuple(replace(f, phase="approach") for f in own.frames))
    stills = replace(own, frames=tuple(replace(f, video=None, frame=None) for f in own.frames))
    assert told(running, running) is None and told(stills, stills) is None
    headless = without(own, "shoulder")
    assert told(headless, own) is None and told(without(own, "ankle"), own) is None
    assert told(own, headless)["lost"] == 1


def test_the_evaluation_tells_it_in_any_order_of_frames(coco17):
    frames = clip(coco17).frames + clip(coco17, video="b.mp4").frames
    data = Dataset(coco17, frames)
    poses = [[Pose(f.people[0].keypoints, np.ones(17), f.people[0].box, 1.0)] for f in frames]
    order = np.random.default_rng(0).permutation(len(frames))
    mixed = replace(data, frames=tuple(frames[index] for index in order))
    one = evaluate(data, poses, ap=False).to_json()["takeoff"]
    assert one["clips"] == 2 and one["predicted_within"] == 1.0
    assert evaluate(mixed, [poses[index] for index in order], ap=False).to_json()["takeoff"] == one
