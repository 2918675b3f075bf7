"""The built-in athlete: anatomy, physics, phases, exact labels, and the same bytes each time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.media.video import decode, to_image
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.stature import athletes, pixel_stature, times
from fosbury.pose import JUMP_PHASES, OCCLUDED, VISIBLE, Dataset, Pose, trunk_tilt
from fosbury.skeleton import Skeleton
from fosbury.synth.body import ANGLES, BONE, Body, Bones, centre_of_mass, joints, pose_bones, rotation
from fosbury.synth.camera import VIEWS, Camera, aim
from fosbury.synth.clips import BONES, JOINTS, render_clip, render_stills
from fosbury.synth.figure import Kit, build_figure
from fosbury.synth.montage import contact_sheet, overlay, write_montage
from fosbury.synth.motion import GRAVITY, MAT_HEIGHT, jump
from fosbury.synth.render import SUPERSAMPLE, CameraResponse, render
from fosbury.synth.scene import BAR_RADIUS, Scene, make_backdrop
from fosbury.synth.sets import Recipe, is_fixed, read_recipe, write_set
from fosbury.synth.stills import labelled_frame

ROOT = Path(__file__).parents[1]
FPS = 25.0
AT = {name: index for index, name in enumerate(JOINTS)}
CLEAN = CameraResponse(gain=1.0, gamma=1.0, blur=0.0, noise=0.0, shutter=0.0, tint=np.ones(3))


@pytest.fixture(scope="module")
def skeleton() -> Skeleton:
    return Skeleton.from_mapping(yaml.safe_load((ROOT / "conf/skeleton/coco17.yaml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module", params=[0, 1, 2, 3])
def leap(request):
    """Body, figure, and jump of one athlete."""
    rng = np.random.default_rng(request.param)
    body = Body.random(rng)
    figure = build_figure(body, Kit.random(rng, body.female))
    return body, figure, jump(body, figure, rng, FPS, approach=12, landing=6)


@pytest.fixture(scope="module")
def clips():
    return {seed: render_clip(seed, (128, 128)) for seed in (1, 2, 3, 4)}


def stand(body: Body, heading: float = 0.0, **angles: float) -> Bones:
    """A straight athlete with the hips 0.53 of stature above the ground, facing ``heading`` degrees from x to y."""
    pose = np.zeros((1, len(ANGLES)))
    for name, value in angles.items():
        pose[0, ANGLES.index(name)] = value
    return pose_bones(body, pose, rotation("z", np.array([heading]))).moved(np.array([[0, 0, 0.53 * body.stature]]))


def camera_at(place, target, size: int = 256, focal: float = 900.0) -> Camera:
    place = np.array(place, dtype=float)
    return Camera(place, *aim(place, np.array(target, dtype=float)), 0.0, focal, size, size)


def scene_with(bar: float | None) -> Scene:
    rng = np.random.default_rng(0)
    return Scene.random(rng, make_backdrop(rng), 0.0, bar)


def shoot(body: Body, bones: Bones, camera: Camera, bar: float | None = None, time: int = 0):
    rng = np.random.default_rng(0)
    figure = build_figure(body, Kit.random(rng, body.female))
    return render(body, figure, bones, time, camera=camera, scene=scene_with(bar), response=CLEAN, rng=rng)


def test_joints_and_bones_are_those_of_the_skeleton_file(skeleton):
    assert skeleton.joints == JOINTS
    assert {frozenset(bone) for bone in skeleton.bones} == {frozenset(bone) for bone in BONES}


def test_limbs_keep_their_share_of_stature_in_every_frame(leap, skeleton):
    body, _, flop = leap
    points = joints(body, flop.bones)
    for limb in skeleton.limbs:
        if limb.start in skeleton.shoulders and limb.end in skeleton.hips:
            continue
        length = np.linalg.norm(points[:, limb.start] - points[:, limb.end], axis=1)
        np.testing.assert_allclose(length, limb.share * body.stature, rtol=1e-9)


def test_straight_trunk_has_its_share_of_stature_and_the_crown_is_at_full_height():
    body = Body(stature=1840.0)
    bones = stand(body)
    points = joints(body, bones)[0]
    for side in ("left", "right"):
        trunk = np.linalg.norm(points[AT[f"{side}_shoulder"]] - points[AT[f"{side}_hip"]])
        assert trunk == pytest.approx(0.288 * body.stature, rel=1e-9)
    skin = build_figure(body, Kit.random(np.random.default_rng(0), female=False)).vertices(bones, 0)
    assert skin[:, 2].max() == pytest.approx(body.stature, rel=0.02)
    assert skin[:, 2].min() == pytest.approx(0.0, abs=0.01 * body.stature)


@pytest.mark.parametrize(
    ("angle", "joint", "axis", "sign"),
    [
        ("left_hip_flex", "left_knee", 0, 1),
        ("left_hip_abduct", "left_knee", 1, 1),
        ("right_hip_abduct", "right_knee", 1, -1),
        ("left_knee", "left_ankle", 0, -1),
        ("left_shoulder_flex", "left_elbow", 0, 1),
        ("right_elbow", "right_wrist", 0, 1),
        ("spine_flex", "nose", 0, 1),
        ("neck_twist", "nose", 1, 1),
    ],
)
def test_a_positive_angle_bends_the_way_it_says(angle, joint, axis, sign):
    body = Body()
    straight, bent = (joints(body, stand(body, **{angle: value}))[0, AT[joint]] for value in (0.0, 30.0))
    assert sign * (bent - straight)[axis] > 30


def test_mirrored_athlete_is_the_reflection_with_sides_swapped(leap, skeleton):
    body, _, flop = leap
    points, mirrored = joints(body, flop.bones), joints(body, flop.bones.mirrored())
    np.testing.assert_allclose(mirrored, points[:, skeleton.flip_index] * [-1, 1, 1], atol=1e-6)
    assert np.abs(joints(body, flop.bones.mirrored().mirrored()) - points).max() < 1e-6
    np.testing.assert_allclose(np.linalg.det(flop.bones.mirrored().frame), 1.0, atol=1e-9)


def test_centre_of_mass_falls_freely_in_the_air(leap):
    body, _, flop = leap
    air = [i for i, stage in enumerate(flop.stage) if stage == "air"]
    com = centre_of_mass(body, Bones(flop.bones.origin[air], flop.bones.frame[air]))
    bend = np.diff(com, 2, axis=0) * FPS**2
    np.testing.assert_allclose(bend, np.broadcast_to([0, 0, -GRAVITY], bend.shape), atol=1.0)


def test_athlete_clears_the_bar_and_ends_on_the_mat(leap):
    body, figure, flop = leap
    air = [i for i, stage in enumerate(flop.stage) if stage == "air"]
    skin = np.stack([figure.vertices(flop.bones, i) for i in air])
    over = np.abs(skin[..., 1]) < BAR_RADIUS
    assert over.any()
    assert skin[over][:, 2].min() > flop.bar + BAR_RADIUS
    assert flop.bar > MAT_HEIGHT + 300
    assert centre_of_mass(body, flop.bones)[air[0], 1] < 0 < centre_of_mass(body, flop.bones)[air[-1], 1]
    last = figure.vertices(flop.bones, len(flop.stage) - 1)
    assert MAT_HEIGHT - 150 < last[:, 2].min() < MAT_HEIGHT
    back = np.isin(figure.bone, [BONE["pelvis"], BONE["lumbar"], BONE["chest"]])
    assert last[back, 2].min() < MAT_HEIGHT + 30


def test_feet_stand_on_the_ground_before_the_jump(leap):
    _, figure, flop = leap
    for index, stage in enumerate(flop.stage):
        if stage in ("approach", "takeoff"):
            assert -25 < figure.vertices(flop.bones, index)[:, 2].min() < 60


def test_back_is_turned_to_the_bar_and_arched_over_it(leap):
    body, _, flop = leap
    points = joints(body, flop.bones)
    middle = {k: points[:, [AT[f"left_{k}"], AT[f"right_{k}"]]].mean(axis=1) for k in ("shoulder", "hip", "knee")}
    air = np.array([stage == "air" for stage in flop.stage])
    over = int(np.argmin(np.where(air, np.abs(middle["hip"][:, 1]), np.inf)))
    shoulder, hip, knee = (middle[k][over] for k in ("shoulder", "hip", "knee"))
    share = (hip - shoulder)[1] / (knee - shoulder)[1]
    assert 0 < share < 1
    assert hip[2] - (shoulder + share * (knee - shoulder))[2] > 0.03 * body.stature
    assert flop.bones.frame[over, BONE["pelvis"], 2, 0] > 0.7  # the belly looks up
    assert shoulder[1] > hip[1] > knee[1]  # head first


def test_phases_come_in_order_and_arch_is_a_trunk_60_degrees_from_upright(clips, skeleton):
    for frames, labels in clips.values():
        assert 40 <= len(frames) == len(labels) <= 62
        phases = [label.phase for label in labels]
        assert tuple(dict.fromkeys(phases)) == JUMP_PHASES
        assert sorted(phases, key=JUMP_PHASES.index) == phases
        assert 9 <= phases.count("arch") <= 18
        for label in labels:
            tilt = trunk_tilt(label.keypoints, skeleton)
            if label.phase == "arch":
                assert tilt >= 60
            elif label.phase == "flight":
                assert tilt < 60


def test_boxes_hold_their_joints_and_areas_fit_their_boxes(clips):
    for frames, labels in clips.values():
        height, width = frames[0].shape[:2]
        for label in labels:
            there = label.visibility > 0
            x1, y1, x2, y2 = label.box
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
            points = label.keypoints[there]
            assert ((points >= [x1 - 1, y1 - 1]) & (points <= [x2 + 1, y2 + 1])).all()
            assert np.isnan(label.keypoints[~there]).all()
            assert 0.08 * (x2 - x1) * (y2 - y1) < label.area < (x2 - x1) * (y2 - y1)


def test_upright_athlete_fills_about_half_of_the_frame(clips):
    for frames, labels in clips.values():
        heights = [label.box[3] - label.box[1] for label in labels if label.phase == "approach"]
        assert 0.35 < np.median(heights) / frames[0].shape[0] < 0.85


def test_every_joint_lies_on_the_drawn_body(leap):
    body, figure, flop = leap
    points = joints(body, flop.bones)
    rng = np.random.default_rng(3)
    for time in range(0, len(flop.stage), 3):
        target = points[time].mean(axis=0)
        camera = camera_at(target + np.array([6000 * np.cos(time), 6000 * np.sin(time), 600.0]), target, focal=420.0)
        shot = render(body, figure, flop.bones, time, camera=camera, scene=scene_with(None), response=CLEAN, rng=rng)
        drawn = np.argwhere(shot.silhouette)[:, ::-1]
        for x, y in shot.keypoints * SUPERSAMPLE - 0.5:
            assert np.hypot(drawn[:, 0] - x, drawn[:, 1] - y).min() <= 2.0


def test_box_is_tight_about_the_drawn_body(leap):
    body, figure, flop = leap
    target = joints(body, flop.bones)[5].mean(axis=0)
    camera = camera_at(target + np.array([0, -7000, 300]), target, focal=600.0)
    shot = render(
        body, figure, flop.bones, 5, camera=camera, scene=scene_with(None), response=CLEAN, rng=np.random.default_rng(0)
    )
    rows, columns = np.nonzero(shot.silhouette)
    drawn = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / SUPERSAMPLE
    np.testing.assert_allclose(shot.box, drawn, atol=1.0)
    assert shot.area == pytest.approx(shot.silhouette.sum() / SUPERSAMPLE**2)


@pytest.fixture(scope="module")
def fixed_clips():
    return {seed: render_clip(seed, (96, 96), fixed=True) for seed in (3, 9, 12, 30)}


def test_a_fixed_camera_neither_turns_nor_zooms_and_keeps_the_whole_jump_in_the_picture(fixed_clips):
    for frames, labels in fixed_clips.values():
        assert tuple(dict.fromkeys(label.phase for label in labels)) == JUMP_PHASES
        assert all((label.visibility > 0).all() for label in labels)
        # One camera, so one linear map to homogeneous pixels explains every joint of every frame (direct linear
        # transformation: twelve unknowns, found as the null vector of all points' equations).
        world = np.concatenate([label.keypoints_3d for label in labels]) / 1000.0
        pixels = np.concatenate([label.keypoints for label in labels]) / 96.0
        point, nothing = np.column_stack([world, np.ones(len(world))]), np.zeros((len(world), 4))
        rows = np.concatenate(
            [
                np.hstack([point, nothing, -pixels[:, :1] * point]),
                np.hstack([nothing, point, -pixels[:, 1:] * point]),
            ]
        )
        matrix = np.linalg.svd(rows)[2][-1].reshape(3, 4)
        seen = point @ matrix.T
        np.testing.assert_allclose(seen[:, :2] / seen[:, 2:], pixels, atol=1e-6)
        height = np.array([label.stature_px for label in labels])
        assert height.max() / height.min() > 1.2, "the athlete comes nearer or goes away"
        assert len(frames) == len(labels) >= 30


@pytest.mark.parametrize("fixed", [False, True])
def test_limbs_within_a_fifth_of_a_second_judge_the_stature_in_the_arch_with_both_cameras(
    clips, fixed_clips, skeleton, fixed
):
    share = []
    for _, labels in (fixed_clips if fixed else clips).values():
        frames = [labelled_frame(f"{i}.jpg", label, (96, 96), skeleton) for i, label in enumerate(labels)]
        frames = [replace(f, video="a.mp4", frame=i, timestamp_ms=1000 * i / FPS) for i, f in enumerate(frames)]
        data = Dataset(skeleton, tuple(frames))
        judged = pixel_stature(
            np.array([frame.people[0].keypoints for frame in frames]),
            np.array([frame.people[0].labelled for frame in frames]),
            skeleton.limbs,
            athlete=athletes(data),
            seconds=times(data),
        )
        arch = np.array([label.phase == "arch" for label in labels])
        share.append(np.mean(judged[arch] / np.array([label.stature_px for label in labels])[arch]))
    assert np.mean(share) == pytest.approx(0.99, abs=0.025)
    assert 0.93 < min(share) <= max(share) < 1.06


def test_every_third_clip_of_a_set_is_filmed_by_a_fixed_camera(tmp_path):
    assert [index for index in range(10) if is_fixed(index, 3)] == [2, 5, 8]
    assert not any(is_fixed(index, 0) for index in range(10))
    write_set(tmp_path / "set", clips=2, seed=7, size=(64, 64), fixed_every=2)
    content = json.loads((tmp_path / "set/annotations.json").read_text(encoding="utf-8"))
    for name, (_, labels) in zip(
        ("clip01.mp4", "clip02.mp4"), (render_clip(7, (64, 64)), render_clip(8, (64, 64), fixed=True)), strict=True
    ):
        ids = [image["id"] for image in content["images"] if image["video"] == name]
        written = [a for a in content["annotations"] if a["image_id"] in ids]
        assert [a["stature_px"] for a in written] == [round(label.stature_px, 3) for label in labels]


def test_area_of_built_in_labels_is_the_one_that_labels_without_an_outline_get(tmp_path, skeleton):
    write_set(tmp_path / "set", clips=1, seed=7, size=(64, 64))
    path = tmp_path / "set/annotations.json"
    data = read_coco(path, skeleton)
    content = json.loads(path.read_text(encoding="utf-8"))
    for annotation in content["annotations"]:
        del annotation["area"]
    path.write_text(json.dumps(content), encoding="utf-8")
    imported = read_coco(path, skeleton)
    areas, same = ([p.area for frame in each.frames for p in frame.people] for each in (data, imported))
    assert areas == pytest.approx(same, abs=0.02)
    rng = np.random.default_rng(0)
    poses = [
        [Pose(p.keypoints + rng.normal(0, 3, (17, 2)), np.ones(17), p.box, 0.9) for p in frame.people]
        for frame in data.frames
    ]
    evaluations = [evaluate(each, poses) for each in (data, imported)]
    assert evaluations[0].oks_ap == evaluations[1].oks_ap
    assert 0 < evaluations[0].oks_ap < 1
    assert any("taken as 0.53 of the box" in note for note in evaluations[0].notes)


def test_camera_projects_by_hand():
    camera = Camera(np.array([0.0, -5000.0, 1000.0]), 90.0, 0.0, 0.0, 500.0, 200, 100)
    pixels, depth = camera.project(np.array([[0, 0, 1000.0], [500, 0, 1000], [0, 0, 1200]]))
    np.testing.assert_allclose(pixels, [[100, 50], [150, 50], [100, 30]], atol=1e-9)
    np.testing.assert_allclose(depth, 5000)
    rolled = replace(camera, roll=90.0).project(np.array([[500.0, 0, 1000]]))[0]
    np.testing.assert_allclose(rolled, [[100, 0]], atol=1e-9)


def test_far_side_is_occluded_and_near_side_is_not():
    body = Body()
    shot = shoot(body, stand(body), camera_at((0, -6000, 1000), (0, 0, 950)))
    for joint in ("ear", "eye", "shoulder", "elbow", "hip"):
        assert shot.visibility[AT[f"left_{joint}"]] == OCCLUDED, joint
        if joint != "eye":
            assert shot.visibility[AT[f"right_{joint}"]] == VISIBLE, joint


def test_front_and_back_can_be_told_apart():
    body = Body()
    bones = stand(body, left_shoulder_abduct=20, right_shoulder_abduct=20)
    front = shoot(body, bones, camera_at((6000, 0, 1200), (0, 0, 950), focal=700.0))
    back = shoot(body, bones, camera_at((-6000, 0, 1200), (0, 0, 950), focal=700.0))
    face = [AT[name] for name in ("nose", "left_eye", "right_eye")]
    limbs = [AT[f"{s}_{j}"] for s in ("left", "right") for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
    assert (front.visibility[face] == VISIBLE).all()
    assert (back.visibility[face] == OCCLUDED).all()
    assert (front.visibility[limbs] == VISIBLE).all()
    assert front.keypoints[AT["left_shoulder"], 0] > front.keypoints[AT["right_shoulder"], 0]
    assert back.keypoints[AT["left_shoulder"], 0] < back.keypoints[AT["right_shoulder"], 0]
    nose = np.round(front.keypoints[AT["nose"]] - 0.5).astype(int)
    assert np.abs(front.image[nose[1], nose[0]].astype(int) - back.image[nose[1], 255 - nose[0]]).sum() > 20


def test_bar_before_a_joint_occludes_it():
    body = Body()
    bones = stand(body, heading=-90.0).moved(np.array([[0.0, 260.0, 0.0]]))
    height = joints(body, bones)[0, AT["left_shoulder"], 2]
    camera = camera_at((0, -6000, height), (0, 0, height))
    behind_bar = shoot(body, bones, camera, bar=height + 18)
    below_bar = shoot(body, bones, camera, bar=height + 200)
    for side in ("left", "right"):
        assert behind_bar.visibility[AT[f"{side}_shoulder"]] == OCCLUDED
        assert below_bar.visibility[AT[f"{side}_shoulder"]] == VISIBLE


def test_mat_before_the_legs_occludes_them():
    body = Body()
    bones = stand(body, heading=90.0).moved(np.array([[0.0, -1200.0, 0.0]]))
    behind_mat = shoot(body, bones, camera_at((0, 9000, 1500), (0, -1200, 1000)), bar=2000.0)
    in_front = shoot(body, bones, camera_at((0, -9000, 1500), (0, -1200, 1000)), bar=2000.0)
    for side in ("left", "right"):
        assert behind_mat.visibility[AT[f"{side}_ankle"]] == OCCLUDED
        assert in_front.visibility[AT[f"{side}_ankle"]] == VISIBLE
    assert behind_mat.visibility[AT["nose"]] == VISIBLE


def test_joint_outside_the_picture_is_not_labelled():
    body = Body()
    shot = shoot(body, stand(body), camera_at((4000, 0, 1700), (0, 0, 1700), focal=1800.0))
    assert (shot.visibility[[AT["left_ankle"], AT["right_ankle"]]] == 0).all()
    assert shot.visibility[AT["nose"]] == VISIBLE
    assert shot.box[3] == 256.0


@pytest.mark.parametrize("view", sorted(VIEWS))
def test_every_view_keeps_the_athlete_in_the_picture(view):
    _, labels = render_clip(11, (96, 96), view=view)
    there = np.mean([(label.visibility > 0).mean() for label in labels])
    assert there > 0.9
    assert {label.phase for label in labels} == set(JUMP_PHASES)


def test_upright_clip_stays_upright(skeleton):
    frames, labels = render_clip(5, (96, 96), upright=True)
    assert len(frames) >= 40
    assert {label.phase for label in labels} == {"approach"}
    assert max(trunk_tilt(label.keypoints, skeleton) for label in labels) < 45


def test_upright_stills_are_upright_and_the_others_are_not_always(skeleton):
    tilts = [trunk_tilt(label.keypoints, skeleton) for _, label in render_stills(40, 3, (96, 96))]
    assert np.nanmax(tilts) < 60
    free = [trunk_tilt(label.keypoints, skeleton) for _, label in render_stills(16, 3, (96, 96), upright=False)]
    assert np.nanmax(free) > 80


def test_share_says_how_large_the_athlete_stands_in_a_still():
    def heights(share):
        stills = render_stills(12, 3, (96, 96), share=share)
        return [np.ptp(label.keypoints[:, 1]) for _, label in stills]

    small, large = heights((0.4, 0.4)), heights((0.8, 0.8))
    np.testing.assert_allclose(np.divide(large, small), 2.0, rtol=0.15)


def test_stills_are_the_same_for_the_same_seed_and_differ_otherwise():
    first, again, other = (list(render_stills(5, seed, (96, 96))) for seed in (4, 4, 5))
    for (image, label), (image2, label2) in zip(first, again, strict=True):
        np.testing.assert_array_equal(image, image2)
        np.testing.assert_array_equal(label.keypoints, label2.keypoints)
    assert any(not np.array_equal(a[0], b[0]) for a, b in zip(first, other, strict=True))


def test_seeds_bring_different_bodies_and_both_take_off_feet():
    bodies = [Body.random(np.random.default_rng(seed)) for seed in range(200)]
    assert {body.female for body in bodies} == {True, False}
    assert min(body.stature for body in bodies) >= 1550
    assert max(body.stature for body in bodies) <= 2050
    drift = []
    for seed in range(1, 9):
        _, labels = render_clip(seed, (64, 64))
        run = [label.keypoints_3d[:, 0].mean() for label in labels if label.phase == "approach"]
        drift.append(np.sign(run[-1] - run[0]))
    assert set(drift) == {-1.0, 1.0}


def test_set_is_the_same_bytes_twice_and_its_labels_fit_its_videos(tmp_path, skeleton):
    for name in ("one", "two"):
        write_set(tmp_path / name, clips=2, seed=7, size=(96, 96))
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*") if p.is_file())
    assert [str(f) for f in files] == ["annotations.json", "videos/clip01.mp4", "videos/clip02.mp4"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one", "two"]

    data = read_coco(tmp_path / "one/annotations.json", skeleton)
    content = json.loads((tmp_path / "one/annotations.json").read_text(encoding="utf-8"))
    frames, labels = render_clip(7, (96, 96))
    first = [frame for frame in data.frames if frame.video == "clip01.mp4"]
    assert [frame.frame for frame in first] == list(range(len(frames)))
    assert [frame.phase for frame in first] == [label.phase for label in labels]
    assert first[3].timestamp_ms == 120.0
    assert first[3].stature_mm == labels[3].stature_mm
    assert first[3].group == "clip01"
    np.testing.assert_allclose(first[3].people[0].keypoints, labels[3].keypoints, atol=1e-3)
    np.testing.assert_allclose(content["annotations"][3]["keypoints_3d"], labels[3].keypoints_3d, atol=0.06)
    decoded = [to_image(frame) for _, _, frame in decode(tmp_path / "one/videos/clip01.mp4")]
    assert len(decoded) == len(frames)
    assert np.abs(decoded[3].astype(int) - frames[3]).mean() < 12


def test_montage_shows_moments_and_stays_small(tmp_path, clips):
    frames, labels = clips[1]
    plain, drawn = (contact_sheet([clips[1], clips[2]], labelled) for labelled in (False, True))
    assert plain.shape == drawn.shape == (2 * 128, 8 * 128, 3)
    assert not np.array_equal(plain, drawn)
    before = frames[0].copy()
    overlay(frames[0], labels[0])
    np.testing.assert_array_equal(frames[0], before)
    write_montage(tmp_path / "athlete.jpg", seed=1, size=(96, 96), fps=FPS, clips=2, limit=60_000)
    assert 5_000 < (tmp_path / "athlete.jpg").stat().st_size <= 60_000


def test_recipe_in_the_repository_is_sound():
    recipe = read_recipe(ROOT / "data/synthetic/params.yaml")
    assert recipe == Recipe(clips=40, seed=1, width=256, height=256, fps=25, fixed_every=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clips: 0", "'clips' is 0"),
        ("width: 255", "even"),
        ("fps: fast", "'fps' is 'fast'"),
        ("clip: 3", "unknown key 'clip'"),
        ("- 1", "holds no keys"),
        ("clips: [", "not readable YAML"),
    ],
)
def test_bad_recipe_is_answered_in_one_sentence(tmp_path, text, words):
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"params\.yaml") as caught:
        read_recipe(path)
    assert words in str(caught.value)
    with pytest.raises(BadInput, match="is missing"):
        read_recipe(tmp_path / "missing.yaml")


def test_a_camera_that_aims_lower_brings_the_feet_of_close_athletes_into_the_picture():
    feet = [JOINTS.index(f"{side}_ankle") for side in ("left", "right")]

    def height(aim):
        stills = render_stills(12, 3, (96, 96), share=(1.2, 1.3), aim=aim)
        return np.array([label.keypoints[feet, 1] for _, label in stills])

    level, low = height((-0.02, -0.02)), height((-0.26, -0.2))
    both = np.isfinite(level) & np.isfinite(low)
    assert both.sum() > 12 and (low[both] < level[both] - 10).all(), "the feet rise in the picture"
    assert np.isfinite(low).sum() > np.isfinite(level).sum(), "feet that were cut off are in it now"
