"""Angles, jitter and the agreement of two labellings: answers worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compare import dataset, off
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput
from fosbury.formats.coco import write_coco
from fosbury.metrics.agreement import agreement
from fosbury.metrics.angles import angle_errors, angles, bend, common_step, shake
from fosbury.metrics.evaluation import evaluate
from fosbury.pose import Dataset, Frame


def body(skeleton, **joints) -> np.ndarray:
    points = np.full((1, len(skeleton), 2), np.nan)
    for name, place in joints.items():
        for side in ("left", "right"):
            points[0, skeleton.joints.index(f"{side}_{name}")] = place
    return points


def test_a_bend_by_hand():
    assert bend(np.array([0.0, 0]), np.array([0.0, 1]), np.array([0.0, 2])) == pytest.approx(180)
    assert bend(np.array([0.0, 0]), np.array([0.0, 1]), np.array([5.0, 1])) == pytest.approx(90)
    assert np.isnan(bend(np.zeros(2), np.zeros(2), np.ones(2)))


def test_angles_of_an_arch_by_hand(skeletons):
    skeleton = skeletons["coco17"]
    arch = body(skeleton, shoulder=(0, 100), hip=(50, 75), knee=(100, 100), ankle=(100, 150))
    found = {name: value[0] for name, value in angles(arch, skeleton).items()}
    assert found["left_knee"] == pytest.approx(180 - np.degrees(np.arctan(2)))
    assert found["right_hip"] == pytest.approx(2 * np.degrees(np.arctan(2)))
    assert found["arch_depth"] == pytest.approx(0.25)
    assert found["trunk_tilt"] == pytest.approx(180 - np.degrees(np.arctan(2)))
    mirrored = arch * [-1, 1]
    assert angles(mirrored, skeleton)["arch_depth"][0] == pytest.approx(0.25)
    sagging = body(skeleton, shoulder=(0, 100), hip=(50, 125), knee=(100, 100), ankle=(100, 150))
    assert angles(sagging, skeleton)["arch_depth"][0] == pytest.approx(-0.25)


@given(st.floats(-3, 3), st.floats(0.2, 5), st.floats(-500, 500))
def test_bends_do_not_depend_on_place_size_or_turn(turn, size, shift):
    points = np.array([[0.0, 0.0], [3.0, 1.0], [4.0, 7.0]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = size * points @ rotation.T + shift
    assert bend(*moved) == pytest.approx(bend(*points), abs=1e-6)


def test_a_skeleton_of_legs_has_the_angles_of_legs(skeletons):
    legs = skeletons["lowerbody10"]
    points = np.random.default_rng(0).random((2, len(legs), 2))
    assert set(angles(points, legs)) == {"left_knee", "right_knee"}


def test_errors_of_angles_have_a_sign(skeletons):
    skeleton = skeletons["coco17"]
    straight = body(skeleton, shoulder=(0, 0), hip=(0, 100), knee=(0, 200), ankle=(0, 300))
    bent = body(skeleton, shoulder=(0, 0), hip=(0, 100), knee=(0, 200), ankle=(100, 200))
    found = angle_errors(bent, straight, skeleton)
    assert found["left_knee"] == {"error": pytest.approx(90), "bias": pytest.approx(-90), "poses": 1}
    assert found["left_hip"]["error"] == pytest.approx(0, abs=1e-6)
    missed = np.full_like(bent, np.nan)
    assert angle_errors(missed, straight, skeleton) == {}


def test_even_motion_does_not_shake_and_a_jump_of_one_frame_does(skeletons):
    frames = tuple(Frame(f"{n}.jpg", 9, 9, video="a.mp4", frame=3 * n) for n in range(6))
    data = Dataset(skeletons["coco17"], frames)
    assert common_step(data) == 3
    points = np.broadcast_to(np.arange(6.0)[:, None, None], (6, 17, 2)).copy()
    assert np.nanmax(shake(points, data, 3)) == 0
    points[3] += [3, 4]
    assert shake(points, data, 3)[:, 0].tolist()[1:5] == pytest.approx([0, 5 / 9, 10 / 9, 5 / 9])
    assert np.isnan(shake(points, data, 1)).all()
    gap = replace(data, frames=(*frames[:3], *(replace(f, video="b.mp4") for f in frames[3:])))
    assert np.flatnonzero(np.isfinite(shake(points, gap, 3)[:, 0])).tolist() == [1, 4]


def test_the_order_of_the_file_does_not_matter(skeletons):
    data = dataset(skeletons["coco17"])
    turned = replace(data, frames=data.frames[::-1])
    pixels = np.random.default_rng(0).normal(0, 5, len(data))
    one, other = evaluate(data, off(data, pixels)), evaluate(turned, off(turned, pixels[::-1]))
    assert one.to_json()["jitter"] == other.to_json()["jitter"] and one.jitter["step"] == 1


def test_a_line_that_stands_has_no_depth(skeletons):
    skeleton = skeletons["coco17"]
    for tip in (-1, 0, 1):
        standing = body(skeleton, shoulder=(0, 0), hip=(10, 100), knee=(tip, 200), ankle=(0, 300))
        assert np.isnan(angles(standing, skeleton)["arch_depth"][0])


def test_the_evaluation_tells_angles_and_jitter(skeletons):
    data = dataset(skeletons["coco17"])
    written = evaluate(data, off(data, 3.0)).to_json()
    assert written["angles"]["arch"]["left_knee"]["error"] == pytest.approx(0, abs=1e-4)
    assert written["jitter"]["step"] == 1 and written["jitter"]["predicted"] == written["jitter"]["labelled"] == 0
    rng = np.random.default_rng(0)
    assert evaluate(data, off(data, rng.normal(0, 5, len(data)))).to_json()["jitter"]["predicted"] > 0
    stills = replace(data, frames=tuple(replace(frame, video=None, frame=None) for frame in data.frames))
    assert evaluate(stills, off(stills, 3.0)).to_json()["jitter"] is None


# Two labellings


def shifted(data: Dataset, pixels: float) -> Dataset:
    def moved(person):
        return replace(person, keypoints=person.keypoints + np.array([pixels, 0.0]))

    return replace(data, frames=tuple(replace(f, people=tuple(map(moved, f.people))) for f in data.frames))


def test_labels_that_are_apart_by_so_much(skeletons):
    data = dataset(skeletons["coco17"])
    found, notes = agreement(data, shifted(data, 2.0), 1850.0)
    assert notes == []
    errors = evaluate(data, off(data, 2.0), ap=False).group_metrics().error_mm
    assert found[0].apart_mm == pytest.approx(errors)  # in the same millimetres as every error
    assert [each.joint for each in found] == ["all", *skeletons["coco17"].joints]
    assert found[0].pairs == 17 * len(data) and found[0].one_only == 0
    assert found[0].floor_mm == pytest.approx(found[0].apart_mm / np.sqrt(2))
    assert found[0].low < found[0].apart_mm < found[0].high
    area = np.array([frame.people[0].area for frame in data.frames])
    assert found[3].sigma == pytest.approx(np.sqrt(np.mean(4 / (2 * area))))
    same = agreement(data, data, 1850.0)[0][0]
    assert (same.apart_mm, same.pck10) == (0.0, 1.0)


def test_a_sigma_is_found_again(skeletons):
    """Two labellers with a spread of 0.05 around the truth."""
    data = dataset(skeletons["coco17"], clips=40)
    rng = np.random.default_rng(1)

    def labelled(person):
        noise = rng.normal(0, 0.05 * np.sqrt(person.area / 2), person.keypoints.shape)
        return replace(person, keypoints=person.keypoints + noise)

    a, b = (
        replace(data, frames=tuple(replace(f, people=tuple(map(labelled, f.people))) for f in data.frames))
        for _ in range(2)
    )
    sigmas = [each.sigma for each in agreement(a, b, 1850.0)[0][1:]]
    assert np.mean(sigmas) == pytest.approx(0.05, rel=0.05)


def test_labels_of_other_pictures_are_refused(skeletons):
    data = dataset(skeletons["coco17"])
    with pytest.raises(BadInput, match="share no labelled person"):
        agreement(data, replace(data, frames=tuple(replace(f, file_name=f"x{f.file_name}") for f in data.frames)), 1850)


def test_what_only_one_has_is_counted(skeletons):
    data = dataset(skeletons["coco17"])

    def blind(person):
        return replace(person, visibility=np.where(np.arange(17) == 3, 0, person.visibility).astype(np.uint8))

    few = replace(data, frames=tuple(replace(f, people=tuple(map(blind, f.people))) for f in data.frames[:10]))
    found, notes = agreement(data, few, 1850.0)
    rows = {each.joint: each for each in found}
    assert rows["left_ear"].pairs == 0 and rows["left_ear"].one_only == rows["all"].one_only == 10
    assert notes == [
        "30 frames of the first labelling are not in the second",
        "30 people of the first labelling have none in the second",
        "intervals are over 2 clips, which are few: their width is itself uncertain",
    ]


def test_the_command(skeletons, tmp_path):
    data = dataset(skeletons["coco17"])
    write_coco(data, tmp_path / "a.json")
    write_coco(shifted(data, 1.0), tmp_path / "b.json")
    files = [str(tmp_path / name) for name in ("a.json", "b.json")]
    result = CliRunner().invoke(app, ["agreement", *files, "--json", str(tmp_path / "out.json")])
    assert result.exit_code == 0, result.output
    assert "left_knee" in result.output and (tmp_path / "out.json").exists()
    assert CliRunner().invoke(app, ["agreement", files[0], str(tmp_path / "absent.json")]).exit_code == 2
