"""Overlays, the montage, tables and CSVs: what a person sees of an evaluation."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from rich.console import Console

from fosbury.errors import BadInput
from fosbury.inference.joints import poses_in
from fosbury.inference.predict import measure, predict_dataset
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.tables import csv_rows, write_csvs
from fosbury.pose import Dataset, Frame, Person, Pose
from fosbury.report.montage import CELL, choose_frames, montage, write_montage
from fosbury.report.table import (
    markdown_table,
    phase_rows,
    table_page,
    terminal_table,
)
from fosbury.skeleton import Skeleton
from fosbury.video.draw import LEFT, RIGHT, draw_comparison, draw_pose

CONF = Path(__file__).parents[1] / "conf" / "skeleton"


def skeleton(name: str) -> Skeleton:
    return Skeleton.from_mapping(yaml.safe_load((CONF / f"{name}.yaml").read_text()), name)


LSP14, COCO17, LEGS = skeleton("lsp14"), skeleton("coco17"), skeleton("lowerbody10")
BODY = np.array(
    [
        *([70, 190], [68, 150], [65, 110], [95, 110], [97, 150], [99, 190], [40, 125], [45, 95]),
        *([60, 60], [100, 60], [115, 95], [120, 125], [80, 55], [80, 30]),
    ],
    dtype=float,
)


class Shifter:
    """A model that knows where the athlete of every test picture is, and errs by a constant."""

    input_size, licence, needs_boxes, temperature = (64, 64), "Apache-2.0", False, None

    def __init__(self, shift: float, bones: Skeleton = LSP14):
        self.skeleton, self.shift, self.batches = bones, shift, []

    def predict(self, images, boxes=None):
        self.batches.append(len(images))
        place = self.skeleton.match(LSP14.joints)
        points = np.where((place >= 0)[:, None], BODY[place], 0.0) + np.array([0.0, self.shift])
        corner = [int(np.argmax(image[:, :, 0].max(axis=0) > 250)) for image in images]
        box = np.array([30.0, 20.0, 130.0, 200.0])
        return [
            [Pose(points + np.array([c, 0.0]), np.ones(len(points)), box + np.array([c, 0, c, 0]), 0.9)] for c in corner
        ]


@pytest.fixture
def jump(tmp_path) -> Dataset:
    """Eight frames of three clips on disk; the athlete stands where the picture's red stripe is."""
    frames = []
    for index, phase in enumerate(("approach", "takeoff", "arch", "arch", "arch", "arch", "arch", "landing")):
        image = np.random.default_rng(index).integers(0, 200, (220, 300, 3), dtype=np.uint8)
        corner = 10 * index + 1
        image[:, corner:, 0] = 255
        Image.fromarray(image).save(tmp_path / f"{index}.png")
        points = BODY + np.array([corner, 0.0])
        box = np.array([30.0 + corner, 20.0, 130.0 + corner, 200.0])
        person = Person(points, np.full(14, 2, dtype=np.uint8), box, 18_000.0)
        frames.append(Frame(f"{index}.png", 300, 220, (person,), video=f"{index % 3}.mp4", frame=index, phase=phase))
    return Dataset(LSP14, tuple(frames))


@pytest.fixture
def evaluations(jump, tmp_path):
    measured = measure({"baseline": Shifter(20.0), "finetuned": Shifter(5.0)}, jump, tmp_path)
    return {name: each.evaluation.to_json() for name, each in measured.items()}


# Predicting


def test_every_frame_is_predicted_in_batches(jump, tmp_path):
    model = Shifter(3.0)
    poses = predict_dataset(model, jump, tmp_path, batch=3)
    assert model.batches == [3, 3, 2]
    assert evaluate(jump, poses).group_metrics().error_px == pytest.approx(3.0)


def test_poses_are_reordered_by_name():
    pose = Shifter(0.0, COCO17).predict([np.full((4, 4, 3), 255, dtype=np.uint8)])[0][0]
    (mapped,) = poses_in([pose], COCO17, LSP14)
    place = {name: index for index, name in enumerate(LSP14.joints)}
    assert mapped.keypoints[place["left_knee"]] == pytest.approx(BODY[place["left_knee"]])
    assert np.isnan(mapped.keypoints[[place["neck"], place["head_top"]]]).all()
    assert mapped.confidence[place["neck"]] == 0.0
    assert mapped.confidence[place["left_knee"]] == 1.0


def test_models_are_measured_on_the_joints_that_all_have(jump, tmp_path):
    models = {"whole body": Shifter(6.0, COCO17), "legs": Shifter(3.0, LEGS)}
    measured = measure(models, jump, tmp_path)
    assert measured["whole body"].evaluation.group_metrics().error_px == pytest.approx(6.0)
    assert list(measured["whole body"].evaluation.by_joint()) == list(measured["legs"].evaluation.by_joint())
    assert set(measured["legs"].evaluation.by_joint()) == {
        f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle")
    }
    some = measure({"legs": Shifter(3.0, LEGS)}, jump, tmp_path, joints=["Left Knee", "neck"])["legs"]
    assert list(some.evaluation.by_joint()) == ["left_knee"]


def test_nothing_to_measure_is_said(jump, tmp_path):
    with pytest.raises(BadInput, match="no labelled frame"):
        measure({"a": Shifter(0.0)}, replace(jump, frames=()), tmp_path)
    with pytest.raises(BadInput, match="no labelled person has a limb"):
        measure({"a": Shifter(0.0)}, replace(jump, skeleton=replace(LSP14, limbs=())), tmp_path)
    head = Skeleton.from_mapping({"name": "head", "joints": ["crown"], "sigmas": {"crown": 0.1}})
    with pytest.raises(BadInput, match="crown"):
        measure({"a": Shifter(0.0, head)}, jump, tmp_path)


# Overlays


def test_sides_are_told_apart_and_unknown_joints_are_not_drawn():
    grey = np.full((220, 160, 3), 128, dtype=np.uint8)
    picture = draw_pose(grey, BODY, LSP14)
    assert (grey == 128).all()
    left_shin = picture[170, 97:100].reshape(-1, 3)
    assert (left_shin == LEFT).all(axis=1).any()
    right_shin = picture[150:190, 66:72].reshape(-1, 3)
    assert (right_shin == RIGHT).all(axis=1).any()
    # In grey, too, the sides differ: in brightness and by the gaps between dashes.
    brightness = cv2.cvtColor(np.array([[LEFT, RIGHT]], dtype=np.uint8), cv2.COLOR_RGB2GRAY)[0].astype(int)
    assert abs(brightness[0] - brightness[1]) > 60
    nobody = draw_pose(grey, np.full((14, 2), np.nan), LSP14)
    assert (nobody == grey).all()


def test_the_right_side_is_dashed_and_the_left_is_not():
    grey = np.full((220, 160, 3), 128, dtype=np.uint8)
    picture = draw_pose(grey, BODY, LSP14)

    def covered(start, end, colour):
        share = np.linspace(0.2, 0.8, 50)[:, None]
        at = (BODY[start] + (BODY[end] - BODY[start]) * share).astype(int)
        return (picture[at[:, 1], at[:, 0]] == colour).all(axis=1).mean()

    assert covered(5, 4, LEFT) > 0.95
    assert 0.3 < covered(0, 1, RIGHT) < 0.9


def test_pixels_are_where_the_joints_are():
    # A joint at the centre of pixel (10, 20) marks that pixel symmetrically.
    bones = Skeleton.from_mapping({"name": "dot", "joints": ["dot"], "sigmas": {"dot": 0.1}})
    picture = draw_pose(np.zeros((41, 31, 3), dtype=np.uint8), np.array([[10.5, 20.5]]), bones)
    weight = picture.sum(axis=2).astype(float)
    rows, columns = np.indices(weight.shape) + 0.5
    assert (rows * weight).sum() / weight.sum() == pytest.approx(20.5, abs=0.02)
    assert (columns * weight).sum() / weight.sum() == pytest.approx(10.5, abs=0.02)


def test_a_comparison_marks_labels_even_when_the_athlete_was_missed_and_bears_wild_predictions():
    grey = np.full((220, 160, 3), 128, dtype=np.uint8)
    missed = draw_comparison(grey, BODY, None, skeleton=LSP14)
    assert (missed != grey).any()
    assert not (missed == LEFT).all(axis=2).any()
    wild = BODY.copy()
    wild[0] = [1e12, -1e12]
    wild[1] = np.nan
    assert draw_comparison(grey, BODY, wild, skeleton=LSP14).shape == grey.shape


# Montage


def uneven(dataset: Dataset, shifts) -> list[list[Pose]]:
    return [
        [Pose(p.keypoints + np.array([0.0, shift]), np.ones(14), p.box, 0.9) for p in frame.people]
        for frame, shift in zip(dataset.frames, shifts, strict=True)
    ]


def test_typical_and_worst_frames_of_the_arch_are_chosen(jump):
    clips = replace(jump, frames=tuple(replace(f, video=f"{i}.mp4") for i, f in enumerate(jump.frames)))
    evaluation = evaluate(clips, uneven(clips, [90, 90, 1, 8, 4, 2, 9, 90]), ap=False)
    chosen = choose_frames(clips, evaluation, typical=2, worst=2)
    assert [(choice.frame, choice.kind) for choice in chosen] == [
        (5, "typical"),
        (4, "typical"),
        (6, "worst"),
        (3, "worst"),
    ]
    assert len(choose_frames(clips, evaluation, typical=9, worst=9)) == 5
    only_approach = clips.where([frame.phase == "approach" for frame in clips.frames])
    everything = choose_frames(only_approach, evaluate(only_approach, uneven(only_approach, [3]), ap=False))
    assert [choice.frame for choice in everything] == [0]


def test_frames_of_different_clips_are_preferred(jump):
    # Frames 3 and 6 are of one clip: the worst two come from two clips.
    evaluation = evaluate(jump, uneven(jump, [0, 0, 1, 8, 4, 2, 9, 0]), ap=False)
    assert [choice.frame for choice in choose_frames(jump, evaluation, typical=0, worst=2)] == [6, 4]


def test_montage_is_deterministic_small_and_leaves_nothing_behind(jump, tmp_path):
    measured = measure({"before": Shifter(20.0), "after": Shifter(5.0)}, jump, tmp_path)
    pairs = [(each.evaluation, each.poses) for each in measured.values()]
    choices = choose_frames(jump, pairs[1][0])
    picture = montage(jump, tmp_path, pairs[0], after=pairs[1], choices=choices)
    assert picture.shape[1] > 3 * CELL[0]
    assert picture.shape[0] > len(choices) * CELL[1]
    write_montage(tmp_path / "out" / "a.jpg", picture)
    write_montage(tmp_path / "out" / "b.jpg", montage(jump, tmp_path, pairs[0], after=pairs[1], choices=choices))
    assert (tmp_path / "out" / "a.jpg").read_bytes() == (tmp_path / "out" / "b.jpg").read_bytes()
    assert (tmp_path / "out" / "a.jpg").stat().st_size <= 300_000
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "b.jpg"]


def test_the_columns_of_the_montage_differ_where_the_models_do(jump, tmp_path):
    measured = measure({"before": Shifter(20.0), "after": Shifter(5.0)}, jump, tmp_path)
    before, after = ((each.evaluation, each.poses) for each in measured.values())
    choices = choose_frames(jump, after[0], typical=1, worst=0)
    same = montage(jump, tmp_path, before, after=before, choices=choices)
    other = montage(jump, tmp_path, before, after=after, choices=choices)
    changed = np.flatnonzero((same != other).any(axis=(0, 2)))
    assert changed.min() >= 2 * CELL[0]
    missed = montage(jump, tmp_path, before, after=(evaluate(jump, [[]] * 8), [[]] * 8), choices=choices)
    assert (missed != same).any()


def test_a_picture_too_rich_for_its_limit_is_made_smaller(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (900, 900, 3), dtype=np.uint8)
    write_montage(tmp_path / "noise.jpg", noise, largest=60_000)
    assert (tmp_path / "noise.jpg").stat().st_size <= 60_000
    assert Image.open(tmp_path / "noise.jpg").width < 900


# Tables


def test_table_compares_by_phase(evaluations):
    head, rows = phase_rows(evaluations)
    assert head[:4] == ["phase", "frames", "baseline mm", "finetuned mm"]
    assert [row[0] for row in rows] == [
        *("approach", "takeoff", "arch", "arch, unaided", "landing", "all", "all, unaided")
    ]
    assert [row[1] for row in rows] == ["1", "1", "5", "5", "1", "8", "8"]
    assert all("(-75 %)" in row[3] for row in rows)
    assert all(len(row) == len(head) for row in rows)


def test_table_bears_a_model_without_a_phase_and_without_error(evaluations):
    perfect = evaluations["baseline"]
    exported = {**evaluations["finetuned"], "by_phase": {"arch": evaluations["finetuned"]["by_phase"]["arch"]}}
    _, rows = phase_rows({"baseline": perfect, "onnx": exported})
    assert rows[0][3] == "-"
    zero = {**perfect, "error_mm": 0.0, "by_phase": {}}
    assert phase_rows({"a": zero, "b": perfect})[1][-1][3] != "-"


def test_markdown_and_terminal_say_the_same(evaluations):
    markdown = markdown_table(evaluations)
    lines = markdown.splitlines()
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert lines[1].startswith("| --- | ---: |")
    arch = next(line for line in lines if "arch" in line)
    error = f"{evaluations['finetuned']['by_phase']['arch']['error_mm']:.1f}"
    assert error in arch
    assert "**" in arch
    screen = io.StringIO()
    Console(file=screen, width=160).print(terminal_table(evaluations))
    assert error in screen.getvalue()
    assert table_page(evaluations).startswith("# Joint error by phase")


def test_notes_reach_the_page_once(jump, tmp_path):
    measured = measure({"baseline": Shifter(20.0, COCO17), "finetuned": Shifter(5.0, COCO17)}, jump, tmp_path)
    page = table_page({name: each.evaluation.to_json() for name, each in measured.items()})
    assert page.count("head_top") == 1


def test_csv_holds_both_models_in_one_table(evaluations, tmp_path):
    write_csvs(tmp_path / "metrics", evaluations)
    rows = list(csv.DictReader((tmp_path / "metrics" / "by_phase.csv").open()))
    assert [(row["phase"], row["model"]) for row in rows[:2]] == [("approach", "baseline"), ("takeoff", "baseline")]
    assert {row["model"] for row in rows} == {"baseline", "finetuned"}
    arch = {row["model"]: row for row in rows if row["phase"] == "arch"}
    assert float(arch["baseline"]["error_mm"]) == evaluations["baseline"]["by_phase"]["arch"]["error_mm"]
    assert float(arch["finetuned"]["pck10"]) == evaluations["finetuned"]["by_phase"]["arch"]["pck"]["0.1"]
    joints = list(csv.DictReader((tmp_path / "metrics" / "by_joint.csv").open()))
    assert len(joints) == 2 * 14
    assert {row["swapped"] for row in joints if row["joint"] == "neck"} == {""}
    assert csv_rows(evaluations, "tilt")[0][:5] == ["tilt", "model", "frames", "joints", "error_mm"]


def test_the_terminal_table_of_three_models_fits_eighty_columns(evaluations):
    three = {**evaluations, "onnx": evaluations["finetuned"]}
    screen = io.StringIO()
    Console(file=screen, width=80).print(terminal_table(three))
    assert "…" not in screen.getvalue()
    assert screen.getvalue().count("-75%") == 2 * 7
    four = io.StringIO()
    Console(file=four, width=80).print(terminal_table({**three, "coreml": evaluations["finetuned"]}))
    assert four.getvalue().count("-75%") == 3 * 7 and four.getvalue().count("  unaided") == 2


def test_models_that_were_told_who_the_athlete_is_have_no_unaided_row(jump, tmp_path):
    measured = measure({"given": Shifter(20.0)}, jump, tmp_path)["given"]
    told = evaluate(jump, measured.poses, unaided=None).to_json()
    assert told["error_mm_unaided"] is None and told["ci"]["error_mm_unaided"] is None
    assert not any("unaided" in row[0] for row in phase_rows({"given": told})[1])
    found = measured.evaluation.to_json()
    mixed = [row for row in phase_rows({"given": told, "found": found})[1] if "unaided" in row[0]]
    assert [row[2] for row in mixed] == ["-", "-"]
    assert all(row[3].startswith(f"{found['error_mm_unaided']:.1f}") for row in mixed[1:])
