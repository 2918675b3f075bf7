"""Frames worth labelling."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fosbury.errors import BadInput, BadInputs
from fosbury.labelling.jump import Motion, find_jump, measure_motion
from fosbury.labelling.select import ALIKE, SHARES, choose, find_clips, select_frames, share_out
from fosbury.media.extract import read_manifest
from fosbury.media.video import write_video

FPS, TOP = 25, 60


def jump_frames(count: int = 120, top: int = TOP, pan: float = 2.0) -> np.ndarray:
    """A body on a textured wall, filmed by a camera that pans: it runs, rises to the frame ``top`` and falls."""
    wall = np.random.default_rng(0).integers(60, 200, (200, 900), np.uint8)
    wall = cv2.GaussianBlur(wall, (0, 0), 3)
    wall = cv2.normalize(wall, None, 40, 220, cv2.NORM_MINMAX)
    frames = []
    for index in range(count):
        start = int(pan * index)
        picture = wall[20:180, start : start + 240].copy()
        since = (index - top) / FPS
        height = max(0.0, 60 - 60 * (since / 0.4) ** 2)
        x, y = 60 + index % 97, int(120 - height)
        cv2.ellipse(picture, (x, y), (9, 22), index * 7 % 180, 0, 360, 255, -1)
        cv2.ellipse(picture, (x, y), (4, 12), index * 7 % 180, 0, 360, 0, -1)
        frames.append(np.repeat(picture[..., None], 3, axis=-1))
    return np.array(frames)


@pytest.mark.parametrize("pan", [0.0, 2.0])
def test_the_jump_is_found_though_the_camera_pans(pan):
    frames = jump_frames(pan=pan)
    jump = find_jump(measure_motion((index / FPS, frame) for index, frame in enumerate(frames)))
    assert abs(jump.clearance - TOP) <= 3 and jump.strength > 0
    flight = [index for index, phase in enumerate(jump.phases) if phase == "flight"]
    assert flight == list(range(jump.clearance - 10, jump.clearance + 11))
    assert jump.phases[0] == "approach" and jump.phases[-1] == ""


def test_where_nothing_moves_there_is_no_jump_and_frames_all_the_same():
    still = np.zeros((10, 40, 60, 3), np.uint8)
    motion = measure_motion((index / FPS, frame) for index, frame in enumerate(still))
    jump = find_jump(motion)
    assert jump.strength == 0 and sorted(choose(motion, jump, 10)) == list(range(10))


@st.composite
def motions(draw) -> Motion:
    count = draw(st.integers(1, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    looks = rng.integers(0, 255, (count, 144), np.uint8)
    if draw(st.booleans()):
        looks[:] = looks[0]
    values = (rng.random(count), rng.normal(size=count), rng.random(count))
    return Motion(np.arange(count) / FPS, *values, looks)


@settings(max_examples=60, deadline=None)
@given(motions(), st.integers(1, 90))
def test_the_number_is_kept_no_frame_twice_and_always_the_same(motion, count):
    jump = find_jump(motion)
    chosen = choose(motion, jump, count)
    assert len(chosen) == len(set(chosen)) == min(count, len(motion))
    assert chosen == choose(motion, jump, count)
    assert set(chosen) <= set(range(len(motion)))


def many(sharpness: np.ndarray | None = None, alike: bool = False) -> Motion:
    """Ten seconds with the clearance in the middle, all frames of another look."""
    count = 250
    looks = np.random.default_rng(1).integers(0, 255, (count, 144), np.uint8)
    if alike:
        looks = np.repeat(looks[::2], 2, axis=0)
    fall = np.where(np.arange(count) < 125, -0.1, 0.1) * (np.abs(np.arange(count) - 125) < 12)
    sharp = np.ones(count) if sharpness is None else sharpness
    return Motion(np.arange(count) / FPS, np.ones(count), fall, sharp, looks)


def test_shares_by_phase_and_the_clearance_first():
    motion = many()
    jump = find_jump(motion)
    chosen = choose(motion, jump, 20)
    assert chosen[0] == jump.clearance and abs(jump.clearance - 125) <= 1
    counts = Counter(jump.phases[frame] for frame in chosen)
    assert counts == {name: round(share * 20) for name, share in SHARES.items()}


def test_a_blurred_frame_gives_way_to_its_neighbours():
    sharpness = np.ones(250)
    sharpness[[120, 123, 125, 128, 100, 140]] = 0.1
    chosen = choose(many(sharpness), find_jump(many()), 30)
    assert not set(chosen) & {120, 123, 125, 128, 100, 140}


def test_of_two_frames_that_look_alike_one_is_chosen():
    motion = many(alike=True)
    chosen = choose(motion, find_jump(motion), 30)
    looks = motion.looks[chosen].astype(float)
    apart = np.abs(looks[:, None] - looks[None]).mean(axis=-1) + 999 * np.eye(len(chosen))
    assert apart.min() >= ALIKE


def test_a_budget_is_shared_alike_and_none_gets_more_than_it_has():
    shares = share_out({"a": 100, "b": 3, "c": 100}, 21)
    assert shares == {"a": 9, "b": 3, "c": 9} and sum(share_out({"a": 2, "b": 1}, 99).values()) == 3


def test_clips_become_frames_a_table_and_a_sheet_and_a_second_run_decodes_none_for_it(tmp_path, monkeypatch):
    (tmp_path / "clips").mkdir()
    for number, top in enumerate((60, 40)):
        write_video(tmp_path / f"clips/{number}.mp4", iter(jump_frames(top=top)), FPS)
    clips = find_clips([tmp_path / "clips"])
    chosen, jumps = select_frames(clips, tmp_path / "out", 16)
    assert len(chosen) == 16 and Counter(each.clip for each in chosen) == {"0.mp4": 8, "1.mp4": 8}
    assert abs(jumps["0.mp4"].clearance - 60) <= 3 and abs(jumps["1.mp4"].clearance - 40) <= 3
    manifest = read_manifest(tmp_path / "out/0")
    assert manifest is not None and list(manifest.frames) == [each.frame for each in chosen if each.clip == "0.mp4"]
    with (tmp_path / "out/selection.csv").open(newline="") as file:
        assert [row["clip"] for row in csv.DictReader(file)] == [each.clip for each in chosen]
    assert (tmp_path / "out/selection.jpg").stat().st_size > 1000
    before = (tmp_path / "out/selection.csv").read_bytes()
    monkeypatch.setattr("fosbury.labelling.select.measure_motion", None)
    assert select_frames(clips, tmp_path / "out", 16) == (chosen, jumps)
    assert (tmp_path / "out/selection.csv").read_bytes() == before


def test_what_cannot_be_selected_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no clips"):
        find_clips([tmp_path / "empty"])
    (tmp_path / "bad.mp4").write_bytes(b"not a video")
    with pytest.raises(BadInputs, match=r"bad\.mp4"):
        select_frames(find_clips([tmp_path / "bad.mp4"]), tmp_path / "out", 5)
    with pytest.raises(BadInput, match="below one frame for each of the 2 clips"):
        select_frames([tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "out", 1)


def test_a_run_that_is_killed_leaves_whole_folders_and_the_next_one_ends_it(tmp_path):
    (tmp_path / "clips").mkdir()
    for number in range(3):
        write_video(tmp_path / f"clips/{number}.mp4", iter(jump_frames(40, 20 + number)), FPS)
    code = (
        "from fosbury.labelling.select import find_clips, select_frames\n"
        "select_frames(find_clips(['clips']), 'out', 12)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while not any((tmp_path / "out/.motion").glob("*.npz")) and process.poll() is None:
        threading.Event().wait(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    chosen, _ = select_frames(find_clips([tmp_path / "clips"]), tmp_path / "out", 12)
    assert len(chosen) == 12 and all(read_manifest(tmp_path / f"out/{number}") for number in range(3))


def test_the_clearance_of_a_real_jump(shared, tmp_path):
    clip = shared / "videos/replico_highjump.mp4"
    chosen, jumps = select_frames([clip], tmp_path, 30)
    assert 93 <= jumps[clip.name].clearance <= 103
    assert sum(93 <= each.frame <= 103 for each in chosen) >= 6


def test_names_that_would_share_a_folder_are_refused(tmp_path):
    for name in ("jump.mp4", "Jump.mov"):
        Path(tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadInput, match="has the name of"):
        find_clips([tmp_path])


def test_frames_of_other_clips_are_neither_mixed_nor_lost(tmp_path):
    (tmp_path / "clips").mkdir()
    for number in range(2):
        write_video(tmp_path / f"clips/{number}.mp4", iter(jump_frames(40, 20 + number)), FPS)
    clips, out = find_clips([tmp_path / "clips"]), tmp_path / "out"
    select_frames(clips, out, 6)

    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}

    before = everything()
    with pytest.raises(BadInput, match=r"holds frames that are not of this selection \(1\)"):
        select_frames(clips[:1], out, 6)
    assert everything() == before
    write_video(tmp_path / "other/0.mp4", iter(jump_frames(30, 10)), FPS)
    with pytest.raises(BadInput, match=r"not of this selection \(0\)"):
        select_frames([tmp_path / "other/0.mp4", clips[1]], out, 6)
    with pytest.raises(BadInput, match=r"not of this selection \(1\)"):
        select_frames(clips, out, 6, pick=lambda motions, jumps: {"0.mp4": [3], "1.mp4": []})
    after = everything()
    assert {path: data for path, data in after.items() if ".motion" not in path.parts} == {
        path: data for path, data in before.items() if ".motion" not in path.parts
    }
    select_frames(clips, out, 4)
    assert {path.parent.name: path.parent for path in out.glob("*/*.jpg")}.keys() == {"0", "1"}
    assert len(list(out.glob("*/*.jpg"))) == 4
