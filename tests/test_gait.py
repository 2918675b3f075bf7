"""Legs alone: walkers, their phases and scale, steps and stances, labels of ten joints."""

from __future__ import annotations

import json
from collections import Counter

import jsonschema
import numpy as np
import pytest
from PIL import Image

from fosbury.config import compose, parse_params
from fosbury.dataset.phases import assign_phases
from fosbury.dataset.split import split
from fosbury.formats.coco import read_coco
from fosbury.formats.importing import import_labels
from fosbury.formats.yolo_pose import read_yolo_pose
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.headline import headline
from fosbury.pose import GAIT_PHASES, JUMP_PHASES, PHASES, Dataset, Frame, Person, Pose, phases_in
from fosbury.synth.clips import render_clip
from fosbury.synth.walkers import JOINTS, render_walker, write_walkers
from fosbury.video.gait import Legs, gait_of_lines, has_gait, legs_of, strides
from fosbury.video.outputs.json import SCHEMA

FPS = 50.0


def walking(fps: float = FPS, sweep: float = 80.0, direction: float = 1.0) -> Legs:
    """Legs of 100 px whose heels are farthest ahead at 0.5, 1.5, 2.5 s (left) and half a second later (right).

    The toes are farthest behind 0.6 s after the strike: they fall for 0.6 s and rise for 0.4 s.
    """
    seconds = np.arange(round(3.4 * fps)) / fps
    hips = np.stack([50.0 + 30 * seconds, np.full(len(seconds), 20.0)], axis=-1)
    heels, feet = np.zeros((len(seconds), 2, 2)), np.zeros((len(seconds), 2, 2))
    for side, late in enumerate((0.5, 1.0)):
        phase = (seconds - late) % 1.0
        fall = np.cos(np.pi * phase / 0.6)
        rise = -np.cos(np.pi * (phase - 0.6) / 0.4)
        x = direction * sweep / 2 * np.where(phase < 0.6, fall, rise)
        heels[:, side, 0], feet[:, side, 0] = hips[:, 0] + x, hips[:, 0] + x + direction * 15
        heels[:, side, 1] = feet[:, side, 1] = 120.0
    return Legs(hips, heels, feet, heels, seconds, 100.0)


@pytest.mark.parametrize("direction", [1.0, -1.0])
def test_steps_and_stances_of_a_path_made_by_hand(direction):
    found = strides(walking(direction=direction))
    assert found["left"]["strikes_ms"] == [500, 1500, 2500] and found["right"]["strikes_ms"] == [1000, 2000, 3000]
    assert found["left"]["offs_ms"] == [1100, 2100, 3100] and found["left"]["stances_ms"] == [600, 600, 600]
    assert [step["step_ms"] for step in found["steps"]] == [500] * 5
    assert [step["side"] for step in found["steps"]] == ["right", "left"] * 2 + ["right"]


def test_a_gap_of_three_frames_costs_no_step():
    legs = walking()
    legs.heels[60:63] = np.nan
    assert strides(legs)["left"]["strikes_ms"] == [500, 1500, 2500]


@pytest.mark.parametrize(
    ("legs", "why"),
    [
        (walking(fps=12), "at least 24 frames a second"),
        (walking(sweep=20), "nobody walks, or the view is not from the side"),
    ],
)
def test_what_cannot_support_steps_is_refused_in_a_sentence(legs, why):
    assert why in strides(legs)["refused"]


def test_legs_that_are_not_seen_are_refused():
    legs = walking()
    legs.hips[:] = np.nan
    assert strides(legs) == {"refused": "The legs are not seen."}


@pytest.fixture(scope="module")
def walker():
    return render_walker(3, (128, 128), FPS, 80)


def test_a_walker_is_shown_from_the_hips_down_with_both_feet(walker):
    assert walker.keypoints.shape == (80, len(JOINTS), 2)
    assert (walker.visibility > 0).mean() > 0.97
    knees, hips = walker.keypoints[:, 2:4, 1], walker.keypoints[:, :2, 1]
    thigh = np.nanmedian(knees.mean(axis=1) - hips.mean(axis=1))
    assert (np.nanmax(hips) > 0) and np.nanmean(hips) < 0.6 * thigh  # little is shown above the hips
    assert set(walker.phases) == set(GAIT_PHASES)


def test_the_foot_on_the_ground_stands_still_and_the_other_swings():
    from fosbury.synth.body import Body, soles
    from fosbury.synth.walk import walk

    body = Body()
    way = walk(body, np.random.default_rng(4), 100.0, 220)
    ground = soles(body, way.bones)
    speed = np.abs(np.diff(ground[..., 0], axis=0)).reshape(-1, 2, 2).min(axis=2) * 100.0
    middle = way.stance[1:] & way.stance[:-1]
    assert np.median(speed[middle]) < 0.15 * np.median(speed[~middle])
    assert ground[..., 2].min() > -25.0
    assert 0.5 < np.mean(way.stance) < 0.75


def test_steps_of_a_rendered_walk_are_those_it_was_made_with(walker, skeletons):
    found = strides(legs_of(walker.keypoints, np.arange(80) / FPS, skeletons["lowerbody10"]))
    assert found["left"]["strikes_ms"] or found["right"]["strikes_ms"]
    for side, name in enumerate(("left", "right")):
        began = (np.flatnonzero(np.diff(walker.stance[:, side].astype(int)) == 1) + 1) / FPS * 1000
        for strike in found[name]["strikes_ms"]:
            assert np.abs(began - strike).min() <= 100.0


def test_the_same_seed_gives_the_same_walker_and_feet_change_no_jump(walker):
    again = render_walker(3, (128, 128), FPS, 80)
    assert np.array_equal(walker.frames[40], again.frames[40])
    assert render_clip(1, (64, 64), approach=1, landing=1)[1][0].keypoints.shape == (17, 2)


def test_a_set_of_walkers_is_read_with_its_phases_and_split(tmp_path, skeletons):
    write_walkers(tmp_path / "set", 3, 1, (64, 64), fps=FPS, frames=30)
    dataset = read_coco(tmp_path / "set/annotations.json", skeletons["lowerbody10"])
    assert len(dataset) == 90 and {frame.phase for frame in dataset.frames} <= set(GAIT_PHASES)
    assert assign_phases(dataset).frames[0].phase == dataset.frames[0].phase
    parts = split(dataset, {"train": 0.4, "val": 0.3, "test": 0.3}, {}, 0)
    assert [len({f.video for f in part.frames}) for part in parts.values()] == [1, 1, 1]


def test_the_phases_of_a_movement():
    assert phases_in([None]) == phases_in(["arch"]) == JUMP_PHASES
    assert phases_in(["swing", None]) == GAIT_PHASES
    assert phases_in(["swing", "arch"]) == PHASES


def legs_of_size(scale: float) -> np.ndarray:
    """Ten joints of a standing person whose thighs and shanks fit a stature of 1000 px at scale 1."""
    points = np.zeros((10, 2))
    for side in range(2):
        x = 100.0 + 30 * side
        points[[side, 2 + side, 4 + side, 6 + side, 8 + side]] = [
            [x, 100], [x, 345], [x, 591], [x - 10, 630], [x + 60, 630]
        ]  # fmt: skip
    return points * scale


def test_the_scale_comes_from_the_legs_and_that_is_said(skeletons):
    truth, box = legs_of_size(0.5), np.array([0.0, 0, 200, 400])
    seen = np.full(10, 2, dtype=np.uint8)
    frames = [
        Frame(
            f"{n}.png",
            200,
            400,
            (Person(truth, seen, box, 1.0),),
            video=f"{n}",
            frame=0,
            phase=phase,
            stature_mm=1800.0,
        )
        for n, phase in enumerate(("stance", "stance", "swing"))
    ]
    dataset = Dataset(skeletons["lowerbody10"], tuple(frames))
    wrong = [[Pose(truth + np.array([px, 0.0]), np.ones(10), box, 1.0)] for px in (5.0, 10.0, 20.0)]
    found = evaluate(dataset, wrong, focus="stance")
    # 500 px of stature are 1800 mm: 5 px are 18 mm, 10 px 36 mm, 20 px 72 mm
    assert found.by_phase()["stance"].error_mm == pytest.approx(27.0)
    assert found.by_phase()["swing"].error_mm == pytest.approx(72.0)
    assert list(found.by_phase()) == ["stance", "swing"]
    assert any("mm-equivalents by leg length" in note and "left_hip to left_knee" in note for note in found.notes)
    numbers = headline(found, found)
    assert numbers["stance_error_mm"] == pytest.approx(27.0) and numbers["stance_frames"] == 2
    assert not [name for name in numbers if name.startswith(("arch", "upright"))]


def test_a_skeleton_with_a_trunk_says_nothing_of_legs(skeletons):
    joints = skeletons["lsp14"]
    points = np.stack([np.arange(14.0) * 5, np.arange(14.0) * 9], axis=-1)
    person = Person(points, np.full(14, 2, dtype=np.uint8), np.array([0.0, 0, 80, 130]), 1.0)
    dataset = Dataset(joints, (Frame("a.png", 90, 140, (person,), phase="arch"),))
    found = evaluate(dataset, [[Pose(points, np.ones(14), person.box, 1.0)]])
    assert not [note for note in found.notes if "leg length" in note]


def test_the_experiment_composes():
    params = parse_params(compose(["experiment=gait"]))
    assert params.evaluate.phase == "stance" and params.pose_skeleton.name == "lowerbody10"
    assert params.pose_skeleton.joints == JOINTS and params.data.figure == "walker"


def test_the_json_carries_steps_of_legs_alone(skeletons):
    legs, skeleton = walking(), skeletons["lowerbody10"]
    lines = []
    for at, seconds in enumerate(legs.seconds):
        places = np.concatenate(
            [
                legs.hips[[at, at]],
                legs.hips[[at, at]] + [0, 50],
                legs.hips[[at, at]] + [0, 100],
                legs.heels[at],
                legs.feet[at],
            ]
        )
        joints = [
            {"name": name, "x": float(x), "y": float(y), "score": 1.0}
            for name, (x, y) in zip(skeleton.joints, places, strict=True)
        ]
        lines.append({"frame_index": at, "timestamp_ms": 1000 * seconds, "pose_score": 1.0, "keypoints": joints})
        lines[-1] |= {"person_id": 1}
    gait = gait_of_lines(map(json.dumps, lines), skeleton)
    assert gait is not None and gait["left"]["stances_ms"] == [600, 600, 600]
    meta = {"fps": FPS, "width": 200, "height": 200, "frame_count": len(lines)}
    whole = {"meta": meta, "keypoint_format": list(skeleton.joints), "gait": gait, "frames": lines}
    jsonschema.validate(whole, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert has_gait(skeletons["body21"]) and gait_of_lines([], skeletons["body21"]) is None
    assert gait_of_lines([], skeletons["coco17"]) is None


def test_yolo_pose_exports_of_ten_leg_joints_go_in(tmp_path, skeletons):
    source, points = tmp_path / "export", legs_of_size(0.5)
    for kind in ("images", "labels"):
        (source / kind / "train").mkdir(parents=True)
    for name in ("walk_000001", "walk_000002"):
        Image.new("RGB", (200, 400), (0, 0, int(name[-1]))).save(source / f"images/train/{name}.png")
        joints = " ".join(f"{x / 200:.6f} {y / 400:.6f} 2" for x, y in points)
        (source / f"labels/train/{name}.txt").write_text(f"0 0.5 0.5 0.9 0.9 {joints}\n")
    data = "kpt_shape: [10, 3]\nnames: {0: person}\ntrain: train.txt\n"
    (source / "data.yaml").write_text(data)
    (source / "train.txt").write_text("".join(f"images/train/walk_00000{n}.png\n" for n in (1, 2)))
    skeleton = skeletons["lowerbody10"]
    unnamed = read_yolo_pose(source / "data.yaml", skeleton, lambda frame: source / frame.file_name)
    assert unnamed.skeleton.joints == JOINTS and len(unnamed) == 2
    (source / "data.yaml").write_text(f"{data}kpt_names: {{0: [{', '.join(JOINTS)}]}}\n")
    done = import_labels(source, name="walk", root=tmp_path / "raw")
    dataset = read_coco(done.folder / "annotations.json", skeleton)
    assert done.format == "yolo_pose" and Counter(len(f.people) for f in dataset.frames) == {1: 2}
    assert dataset.frames[0].people[0].keypoints == pytest.approx(points, abs=0.01)
