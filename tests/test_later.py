"""Later rounds of selecting: what a model is in doubt of."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fosbury.errors import BadInput
from fosbury.inference.registry import load_model
from fosbury.labelling.jump import Motion
from fosbury.labelling.later import Later, doubtful_and_diverse, frames_in, k_centre_order, turned_back
from fosbury.labelling.score import leaps, limb_unlikelihood, mean_rank
from fosbury.labelling.select import select_frames
from fosbury.media.video import write_video
from fosbury.pose import Pose
from fosbury.skeleton import Limb

STARTER = Path(__file__).parents[1] / "models/starter/yolo11n-pose.pt"


def motion(seed: int, count: int) -> Motion:
    looks = np.random.default_rng(seed).integers(0, 256, (count, 144), dtype=np.uint8)
    return Motion(np.arange(count) / 25, np.ones(count), np.zeros(count), np.ones(count), looks)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_the_number_is_kept_and_no_clip_takes_more_than_its_cap(budget, lengths):
    motions = {str(at): motion(at, length) for at, length in enumerate(lengths)}
    scores = {(name, frame): float(frame) for name, each in motions.items() for frame in range(len(each))}
    chosen = doubtful_and_diverse(scores, motions, budget)
    cap = int(np.ceil(2 * budget / len(lengths)))
    assert all(len(frames) == len(set(frames)) <= cap for frames in chosen.values())
    assert sum(map(len, chosen.values())) <= budget
    if len(lengths) == 1:
        assert len(chosen["0"]) == min(budget, lengths[0])
    assert chosen == doubtful_and_diverse(scores, motions, budget)


def test_doubtful_frames_come_before_others():
    motions = {"a": motion(0, 100)}
    scores = {("a", frame): float(frame % 4 == 0) for frame in range(100)}
    assert all(frame % 4 == 0 for frame in doubtful_and_diverse(scores, motions, 12)["a"])


def test_k_centre_takes_the_furthest_each_time():
    assert k_centre_order(np.array([[0.0], [1.0], [2.0], [9.0], [10.0]])) == [0, 4, 2, 1, 3]


def test_doubts_name_the_frame_that_is_odd():
    rng = np.random.default_rng(0)
    points = np.cumsum(np.full((20, 4, 2), 3.0), axis=0) + np.array([[0, 0], [0, 50], [0, 100], [20, 50]])
    points += rng.normal(0, 0.1, points.shape)
    points[10, 2] += 40
    side, seconds = np.full(20, 100.0), np.arange(20) / 25
    assert np.nanargmax(leaps(points, seconds, side)) == 10
    assert np.argmax(limb_unlikelihood(points, side, [Limb(1, 2, 0.25)])) == 10
    rank = mean_rank([np.array([1.0, 2.0, np.nan]), np.array([3.0, 5.0, np.nan])])
    assert rank[0] < rank[1] and np.isnan(rank[2])


@pytest.mark.parametrize("turn", range(4))
def test_a_pose_of_a_turned_picture_is_turned_back(turn):
    picture = np.zeros((30, 50), int)
    picture[7, 40] = 1
    y, x = np.argwhere(np.rot90(picture, turn))[0]
    pose = Pose(np.array([[x + 0.5, y + 0.5]]), np.ones(1), np.array([x, y, x + 1, y + 1], float), 1.0)
    back = turned_back(pose, turn, 50, 30)
    assert back.keypoints.tolist() == [[40.5, 7.5]] and back.box.tolist() == [40, 7, 41, 8]


def test_a_later_round_takes_other_frames_and_a_second_run_decodes_nothing_for_it(tmp_path):
    rng = np.random.default_rng(3)
    ground = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
    write_video(tmp_path / "one.mp4", (np.roll(ground, 2 * step, axis=1) for step in range(20)), 25)
    clips = [tmp_path / "one.mp4"]
    first, _ = select_frames(clips, tmp_path / "first", 4)
    model = load_model(STARTER, confidence=1e-6)
    later = Later(clips, model, "0" * 64, tmp_path / "later", 3, [tmp_path / "first"])
    chosen, _ = select_frames(clips, tmp_path / "later", 3, pick=later)
    assert not {each.frame for each in chosen} & {each.frame for each in first}
    table = list(csv.DictReader((tmp_path / "later/doubt.csv").open()))
    assert [int(row["frame"]) for row in table] == list(range(0, 20, 2))
    [kept] = (tmp_path / "later/.looks").iterdir()
    os.utime(kept, (0, 0))
    again, _ = select_frames(clips, tmp_path / "later", 3, pick=later)
    assert again == chosen and kept.stat().st_mtime == 0


def test_a_folder_without_frames_is_said(tmp_path):
    with pytest.raises(BadInput, match="holds no frames"):
        frames_in([tmp_path])
