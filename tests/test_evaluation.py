"""The evaluation as a whole: known answers, invariances, groupings, the JSON contract and the headline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from counting import calls

from fosbury.metrics.evaluation import TILTS, evaluate
from fosbury.metrics.headline import exported_headline, headline
from fosbury.metrics.people import unaided_score
from fosbury.pose import Dataset, Frame, Person, Pose
from fosbury.skeleton import Skeleton

CONF = Path(__file__).parents[1] / "conf" / "skeleton"
KEYS = {"frames", "joints", "error_mm", "error_px", "error_trunk", "pck", "missed", "swapped", "error_mm_unaided"}


def skeleton(name: str) -> Skeleton:
    return Skeleton.from_mapping(yaml.safe_load((CONF / f"{name}.yaml").read_text()), name)


COCO17 = skeleton("coco17")
PHASES = ("approach", "takeoff", "flight", "arch", "arch", "landing", None)


def standing(height: float = 200.0) -> np.ndarray:
    """A person of Winter's proportions, arms hanging, whose every limb speaks for the same stature."""
    half = 0.06 * height
    rows = {"nose": 0.0, "eye": -0.01, "ear": -0.005, "shoulder": 0.11}
    rows |= {"elbow": rows["shoulder"] + 0.186, "hip": rows["shoulder"] + 0.288}
    rows |= {"wrist": rows["elbow"] + 0.146, "knee": rows["hip"] + 0.245}
    rows |= {"ankle": rows["knee"] + 0.246}
    side = {"left": half, "right": -half}
    return np.array([[side.get(name.split("_")[0], 0.0), height * rows[name.split("_")[-1]]] for name in COCO17.joints])


def turned(points: np.ndarray, degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T


def labelled(points: np.ndarray, visibility: np.ndarray | None = None) -> Person:
    visibility = np.full(len(points), 2, dtype=np.uint8) if visibility is None else visibility.astype(np.uint8)
    points = np.where((visibility > 0)[:, None], points, np.nan)
    low, high = np.nanmin(points, axis=0) - 5, np.nanmax(points, axis=0) + 5
    return Person(points, visibility, np.concatenate([low, high]), float(np.prod(high - low)))


def guess(person: Person, keypoints: np.ndarray, score: float = 0.9) -> Pose:
    return Pose(keypoints, np.full(len(keypoints), score), person.box, score)


def jump(height: float = 200.0, tilts=(10, 40, 70, 100, 130, 170, 20)) -> Dataset:
    """One clip, one frame of every phase (two of the arch) and one without."""
    frames = []
    for index, (phase, tilt) in enumerate(zip(PHASES, tilts, strict=True)):
        points = turned(standing(height), tilt) + 2 * height
        frames.append(Frame(f"{index}.jpg", 900, 900, (labelled(points),), video="a.mp4", frame=index, phase=phase))
    return Dataset(COCO17, tuple(frames))


def shifted(dataset: Dataset, by) -> list[list[Pose]]:
    return [[guess(p, p.keypoints + np.asarray(by)) for p in frame.people] for frame in dataset.frames]


def moved(dataset: Dataset, change) -> Dataset:
    """The data set with every coordinate changed by a function of points."""

    def people(frame):
        return tuple(
            replace(p, keypoints=change(p.keypoints), box=change(p.box.reshape(2, 2)).ravel()) for p in frame.people
        )

    return replace(dataset, frames=tuple(replace(frame, people=people(frame)) for frame in dataset.frames))


def moved_poses(predictions, change):
    return [
        [replace(p, keypoints=change(p.keypoints), box=change(p.box.reshape(2, 2)).ravel()) for p in poses]
        for poses in predictions
    ]


def noisy(dataset: Dataset, spread: float = 6.0, seed: int = 0) -> list[list[Pose]]:
    rng = np.random.default_rng(seed)
    return [
        [guess(p, p.keypoints + rng.normal(0, spread, p.keypoints.shape)) for p in frame.people]
        for frame in dataset.frames
    ]


def test_a_shift_of_three_pixels_is_an_error_of_exactly_three_pixels():
    data = jump(height=200.0)
    figures = evaluate(data, shifted(data, [0.0, 3.0])).group_metrics()
    assert figures.error_px == pytest.approx(3.0, abs=1e-9)
    assert figures.error_mm == pytest.approx(3.0 / 200.0 * 1850.0, abs=1e-9)
    assert figures.error_trunk == pytest.approx(3.0 / (0.288 * 200.0), abs=1e-9)
    assert (figures.pck05, figures.pck10, figures.pck20) == (0.0, 1.0, 1.0)  # 0.052 of the trunk
    assert (figures.missed, figures.swapped, figures.frames, figures.joints) == (0.0, 0.0, 7, 7 * 17)


def test_identical_predictions_have_no_error():
    data = jump()
    evaluation = evaluate(data, shifted(data, [0.0, 0.0]))
    figures = evaluation.group_metrics()
    assert (figures.error_mm, figures.error_px, figures.error_trunk) == (0.0, 0.0, 0.0)
    assert {figures.pck05, figures.pck10, figures.pck20} == {1.0}
    assert (figures.missed, figures.swapped) == (0.0, 0.0)
    assert evaluation.oks_ap == pytest.approx(1.0)


def test_left_and_right_exchanged_is_a_swap_share_of_one():
    data = jump()
    exchanged = [[guess(p, p.keypoints[COCO17.flip_index]) for p in frame.people] for frame in data.frames]
    evaluation = evaluate(data, exchanged)
    assert evaluation.group_metrics().swapped == 1.0
    assert {figures.swapped for figures in evaluation.by_phase().values()} == {1.0}
    joints = evaluation.by_joint()
    assert joints["left_knee"].swapped == joints["right_knee"].swapped == 1.0
    assert np.isnan(joints["nose"].swapped)
    assert joints["nose"].error_px == 0.0


def test_a_missed_athlete_costs_exactly_the_cap_for_every_joint():
    data = jump()
    for nothing in ([[] for _ in data.frames], moved_poses(shifted(data, [0.0, 0.0]), lambda p: p + 5000.0)):
        evaluation = evaluate(data, nothing, stature_mm=1800.0, cap=0.4)
        figures = evaluation.group_metrics()
        assert figures.error_mm == pytest.approx(0.4 * 1800.0)
        assert figures.error_px == pytest.approx(0.4 * 200.0)
        assert figures.missed == 1.0
        assert {figures.pck05, figures.pck10, figures.pck20} == {0.0}
        assert np.isnan(figures.swapped)
        assert evaluation.oks_ap == 0.0


def test_missing_never_pays():
    data = jump()
    wild = moved_poses(shifted(data, [0.0, 0.0]), lambda p: p)
    wild = [[replace(p, keypoints=p.keypoints + 1e5) for p in poses] for poses in wild]
    missed = evaluate(data, [[] for _ in data.frames]).group_metrics().error_mm
    assert evaluate(data, wild).group_metrics().error_mm == pytest.approx(missed)
    half = [poses if index % 2 else [] for index, poses in enumerate(noisy(data))]
    assert evaluate(data, noisy(data)).group_metrics().error_mm < evaluate(data, half).group_metrics().error_mm < missed


def test_a_joint_that_a_found_athlete_lacks_is_charged_the_cap():
    data = jump()
    lacking = shifted(data, [0.0, 0.0])
    for poses in lacking:
        poses[0].keypoints[9] = np.nan
    joints = evaluate(data, lacking).by_joint()
    assert joints["left_wrist"].error_mm == pytest.approx(0.5 * 1850.0)
    assert joints["left_wrist"].missed == 0.0
    assert joints["right_wrist"].error_mm == 0.0


def test_stature_of_the_frame_comes_before_the_default():
    data = jump()
    tall = replace(data, frames=tuple(replace(frame, stature_mm=2000.0) for frame in data.frames))
    short = evaluate(data, shifted(data, [0.0, 3.0])).group_metrics().error_mm
    assert evaluate(tall, shifted(tall, [0.0, 3.0])).group_metrics().error_mm == pytest.approx(short * 2000 / 1850)


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_mm_trunks_and_shares_do_not_depend_on_the_scale_of_the_picture(scale):
    data = jump()
    poses = noisy(data)
    big = moved(data, lambda points: points * scale)
    a = evaluate(data, poses, ap=False).group_metrics()
    b = evaluate(big, moved_poses(poses, lambda points: points * scale), ap=False).group_metrics()
    assert b.error_mm == pytest.approx(a.error_mm)
    assert b.error_trunk == pytest.approx(a.error_trunk)
    assert b.error_px == pytest.approx(a.error_px * scale)
    assert all(getattr(b, key) == getattr(a, key) for key in ("pck05", "pck10", "pck20", "swapped", "missed"))


def test_moving_labels_and_predictions_together_changes_nothing():
    data = jump()
    poses = noisy(data)
    expected = evaluate(data, poses).to_json()

    def away(points):
        return points + np.array([64.0, -32.0])

    assert evaluate(moved(data, away), moved_poses(poses, away)).to_json() == expected


def test_mirroring_picture_labels_and_predictions_changes_nothing():
    data = jump()
    poses = noisy(data, spread=12.0)
    flip = COCO17.flip_index

    def mirrored(points):
        return np.array([900.0, 0.0]) + points * np.array([-1.0, 1.0])

    def mirrored_box(box):
        return np.array([900.0 - box[2], box[1], 900.0 - box[0], box[3]])

    def mirror(thing):
        return replace(thing, keypoints=mirrored(thing.keypoints)[flip], box=mirrored_box(thing.box))

    other = replace(data, frames=tuple(replace(f, people=tuple(mirror(p) for p in f.people)) for f in data.frames))
    a = evaluate(data, poses)
    b = evaluate(other, [[mirror(p) for p in found] for found in poses])
    first, second = a.to_json(), b.to_json()
    for part in ("error_mm", "error_px", "pck", "swapped", "missed", "oks_ap", "by_phase", "by_tilt"):
        assert first[part] == second[part]
    assert first["by_joint"]["left_knee"] == second["by_joint"]["right_knee"]


def test_the_athlete_is_found_by_box_and_not_by_joints():
    data = jump().where([True] + [False] * 6)
    athlete = data.frames[0].people[0]
    off = replace(shifted(data, [0.0, 7.0])[0][0], score=0.1)
    bystander = Pose(athlete.keypoints, np.ones(17), athlete.box + np.array([0.0, 60.0, 0.0, 60.0]), 0.99)
    assert evaluate(data, [[bystander, off]]).group_metrics().error_px == pytest.approx(7.0)


def test_unaided_keeps_the_best_scored_person_and_charges_the_cap_where_it_is_not_the_athlete():
    data = jump()
    poses = shifted(data, [0.0, 3.0])
    athlete = [found[0] for found in poses]
    away = np.array([300.0, 0.0, 300.0, 0.0])
    poses[3].insert(
        0, replace(athlete[3], box=athlete[3].box + away, score=0.95)
    )  # a bystander, surer than the athlete
    poses[4].append(replace(athlete[4], box=athlete[4].box + away, score=0.85))  # one who is less sure
    poses[0] = [replace(athlete[0], score=0.2)]  # an athlete whom an app would not show
    evaluation = evaluate(data, poses, unaided=0.25)
    right, cap = 3 / 200 * 1850, 0.5 * 1850
    assert evaluation.group_metrics().error_mm == pytest.approx(right)
    for frame, expected in enumerate([cap, right, right, cap, right, right, right]):
        assert evaluation.unaided_mm[evaluation.frame == frame] == pytest.approx(np.full(17, expected))
    arch = evaluation.by_phase()["arch"].to_json()
    assert arch["error_mm"] == round(right, 2)
    assert arch["error_mm_unaided"] == round((cap + right) / 2, 2)
    plain = evaluate(data, shifted(data, [0.0, 3.0]), unaided=0.25)
    numbers = headline(plain, evaluation)
    assert numbers["arch_error_mm_unaided"] == round((cap + right) / 2, 2)
    assert numbers["arch_error_mm_unaided_baseline"] == numbers["arch_error_mm"] == round(right, 2)
    low, high = numbers["arch_error_mm_unaided_low"], numbers["arch_error_mm_unaided_high"]
    assert low <= numbers["arch_error_mm_unaided"] <= high
    assert exported_headline(evaluation, "onnx")["arch_error_mm_unaided_onnx"] == numbers["arch_error_mm_unaided"]


def test_unaided_keeps_as_many_people_as_are_labelled_and_needs_an_overlap_to_be_the_athlete():
    small, large = standing(100.0) + 300.0, standing(300.0) + np.array([600.0, 300.0])
    data = Dataset(COCO17, (Frame("1.jpg", 900, 900, (labelled(small), labelled(large)), phase="arch"),))
    found = shifted(data, [0.0, 3.0])[0]
    both = evaluate(data, [found], unaided=0.25)
    assert both.unaided_mm == pytest.approx(both.error_mm)
    wide = found[0].box + np.array([0.0, 0.0, 4 * np.ptp(found[0].box[::2]), 0.0])  # a fifth of it is the person
    assert evaluate(data, [[replace(found[0], box=wide), found[1]]], unaided=0.25).group_metrics().missed == 0.5


def test_no_unaided_error_has_a_meaning_where_the_model_was_given_the_labelled_boxes():
    assert unaided_score("labels") is None
    assert unaided_score("search") == unaided_score("track") == 0.0
    assert unaided_score(None) == 0.25
    data = jump()
    evaluation = evaluate(data, shifted(data, [0.0, 3.0]), unaided=unaided_score("labels"))
    assert np.isnan(evaluation.group_metrics().error_mm_unaided)
    assert not any("unaided" in name for name in headline(evaluation, evaluation))
    assert evaluation.to_json()["ci"]["error_mm_unaided"] is None


def test_every_labelled_person_is_measured_with_their_own_stature():
    small, large = standing(100.0) + 300.0, standing(300.0) + np.array([600.0, 300.0])
    data = Dataset(COCO17, (Frame("1.jpg", 900, 900, (labelled(small), labelled(large)), phase="arch"),))
    poses = [shifted(data, [0.0, 3.0])[0][::-1]]
    evaluation = evaluate(data, poses)
    assert evaluation.error_mm[evaluation.person == 0] == pytest.approx(np.full(17, 3 / 100 * 1850))
    assert evaluation.error_mm[evaluation.person == 1] == pytest.approx(np.full(17, 3 / 300 * 1850))
    one = evaluate(data, [poses[0][:1]]).group_metrics()
    assert one.missed == 0.5
    assert one.frames == 1


def test_groupings_are_parts_of_the_whole():
    data = jump()
    evaluation = evaluate(data, noisy(data, 15.0))
    whole = evaluation.group_metrics()
    assert list(evaluation.by_phase()) == ["approach", "takeoff", "flight", "arch", "landing", "unlabelled"]
    assert evaluation.by_phase()["arch"].frames == 2
    assert list(evaluation.by_tilt()) == list(TILTS)
    assert TILTS == ("0-30", "30-60", "60-90", "90-120", "120-150", "150-180")
    assert {name: part.frames for name, part in evaluation.by_tilt().items()} == dict(
        zip(TILTS, (2, 1, 1, 1, 1, 1), strict=True)
    )
    assert list(evaluation.by_joint()) == list(COCO17.joints)
    for parts in (evaluation.by_phase(), evaluation.by_tilt(), evaluation.by_joint(), evaluation.by_visibility()):
        joints = [part.joints for part in parts.values()]
        assert sum(joints) == whole.joints
        for figure in ("error_mm", "error_px", "error_trunk"):
            mean = np.average([getattr(part, figure) for part in parts.values()], weights=joints)
            assert mean == pytest.approx(getattr(whole, figure))
        for key in ("pck05", "pck10", "pck20"):
            mean = np.average([getattr(part, key) for part in parts.values()], weights=joints)
            assert mean == pytest.approx(getattr(whole, key))


def test_the_error_of_a_phase_is_that_of_its_frames():
    data = jump()
    poses = shifted(data, [0.0, 2.0])
    for index in (3, 4):
        poses[index] = shifted(data, [8.0, 0.0])[index]
    evaluation = evaluate(data, poses)
    parts = evaluation.by_phase()
    assert parts["arch"].error_px == pytest.approx(8.0)
    assert all(part.error_px == pytest.approx(2.0) for name, part in parts.items() if name != "arch")
    frames, error = evaluation.frame_errors(evaluation.phase == "arch")
    assert frames.tolist() == [3, 4]
    assert error == pytest.approx([8 / 200 * 1850] * 2)


def test_occluded_joints_count_and_unlabelled_ones_do_not():
    visibility = np.full(17, 2)
    visibility[[7, 8]] = 1
    visibility[[9, 10]] = 0
    person = labelled(standing() + 300.0, visibility)
    points = standing() + 300.0
    points[[7, 8], 1] += 4.0
    points[[9, 10]] += 500.0
    data = Dataset(COCO17, (Frame("1.jpg", 900, 900, (person,)),))
    evaluation = evaluate(data, [[guess(person, points)]])
    assert evaluation.group_metrics().joints == 15
    assert evaluation.by_visibility()["occluded"].error_px == pytest.approx(4.0)
    assert evaluation.by_visibility()["visible"].error_px == 0.0
    assert "left_wrist" not in evaluation.by_joint()
    assert evaluation.phase.tolist() == ["unlabelled"] * 15


def test_people_without_a_limb_to_measure_are_left_out_and_counted():
    data = jump()
    visibility = np.zeros(17)
    visibility[0] = 2
    face = labelled(standing() + 300.0, visibility)
    stills = (Frame("face.jpg", 900, 900, (face,)), Frame("empty.jpg", 900, 900, ()))
    more = replace(data, frames=data.frames + stills)
    evaluation = evaluate(more, [*noisy(data), [guess(face, standing() + 300.0)], []])
    assert evaluation.left_out == 1
    assert "face.jpg" in evaluation.notes[0]
    assert evaluation.group_metrics().to_json() == evaluate(data, noisy(data)).group_metrics().to_json()
    same_clip = replace(stills[0], video="a.mp4", frame=9)
    more = replace(data, frames=(*data.frames, same_clip))
    assert evaluate(more, [*noisy(data), [guess(face, standing() + 300.0)]]).group_metrics().frames == 8


def test_joints_that_a_model_was_not_made_with_are_left_out_and_noted():
    data = jump()
    poses = shifted(data, [0.0, 3.0])
    for found in poses:
        found[0].keypoints[:5] = np.nan
    evaluation = evaluate(data, poses, known=np.arange(17) >= 5)
    assert evaluation.group_metrics().error_px == pytest.approx(3.0)
    assert evaluation.group_metrics().joints == 7 * 12
    assert "left_ear" in evaluation.notes[0]
    assert "left_knee" not in evaluation.notes[0]


def test_legs_alone_can_be_measured():
    legs = skeleton("lowerbody10")
    place = legs.match(COCO17.joints)
    points = np.where((place >= 0)[:, None], standing()[place] + 300.0, 0.0)
    points[6:] = points[[4, 5, 4, 5]] + np.array([[-5, 8], [-5, 8], [20, 10], [20, 10]])
    person = labelled(points)
    data = Dataset(legs, (Frame("1.jpg", 900, 900, (person,)),))
    evaluation = evaluate(data, shifted(data, [3.0, 0.0]))
    assert evaluation.group_metrics().error_mm == pytest.approx(3 / 200 * 1850)
    assert evaluation.group_metrics().error_trunk == pytest.approx(3 / (0.288 * 200))
    assert list(evaluation.by_tilt()) == ["unlabelled"]


def test_json_keeps_its_contract():
    data = jump()
    written = json.loads(json.dumps(evaluate(data, noisy(data)).to_json(), allow_nan=False))
    assert written.keys() >= KEYS | {"oks_ap", "by_phase", "by_tilt", "by_joint"}
    for part in ("by_phase", "by_tilt", "by_joint"):
        for figures in written[part].values():
            assert figures.keys() == KEYS | {"ci"}
            assert figures["pck"].keys() == {"0.05", "0.1", "0.2"}
    assert written["by_joint"]["nose"]["swapped"] is None
    assert 0 < written["oks_ap"] <= 1
    assert written["error_mm"] == round(written["error_mm"], 2)


def clips_of(errors: dict[str, float], frames: int = 4) -> tuple[Dataset, list[list[Pose]]]:
    """Clips in each of which every joint is off by so many pixels."""
    base = jump()
    frame = base.frames[0]
    named = [(name, error) for name, error in errors.items() for _ in range(frames)]
    dataset = replace(
        base,
        frames=tuple(
            replace(frame, file_name=f"{name}/{place}.jpg", video=f"{name}.mp4", group=None)
            for place, (name, _) in enumerate(named)
        ),
    )
    poses = [guess(frame.people[0], frame.people[0].keypoints + np.array([0.0, error])) for _, error in named]
    return dataset, [[pose] for pose in poses]


def test_intervals_are_over_clips():
    evaluation = evaluate(*clips_of({"a": 2.0, "b": 4.0, "c": 6.0, "d": 4.0, "e": 4.0}), ap=False)
    assert len(set(evaluation.cluster.tolist())) == 5
    written = evaluation.to_json()
    low, high = written["ci"]["error_mm"]
    assert low < written["error_mm"] < high and written["ci"]["units"] == 5
    # Clips of 18.5, 37, 55.5, 37 and 37 mm: standard error 18.5 / sqrt(10); t of four degrees of freedom is 2.776.
    reach = 2.776445 * 18.5 / np.sqrt(10) / 37
    assert (low, high) == pytest.approx((37 * np.exp(-reach), 37 * np.exp(reach)), abs=0.01)
    more = evaluate(*clips_of({"a": 2.0, "b": 4.0, "c": 6.0, "d": 4.0, "e": 4.0}, frames=40), ap=False).to_json()
    assert more["ci"]["error_mm"] == written["ci"]["error_mm"]  # more frames of the same clips tell nothing more
    assert written["by_phase"].popitem()[1]["ci"]["error_mm"] == [low, high]


def test_few_clips_and_one_clip_are_noted():
    few = evaluate(*clips_of({"a": 2.0, "b": 4.0}), ap=False)
    assert "2 clips, which are few" in few.notes[-1]
    one = evaluate(*clips_of({"a": 2.0}), ap=False)
    assert "4 frames of one clip" in one.notes[-1] and len(set(one.cluster.tolist())) == 4
    assert not any("intervals" in note for note in evaluate(*clips_of(dict.fromkeys("abcde", 1.0)), ap=False).notes)


def test_missed_people_are_counted_once_in_an_interval():
    dataset, poses = clips_of({"a": 2.0, "b": 2.0, "c": 2.0, "d": 2.0, "e": 2.0})
    poses[0] = []
    ends = evaluate(dataset, poses, ap=False).to_json()["ci"]["missed"]
    # One of four people in one of five clips: 0.05, standard error 0.05, over 0.05 x 0.95 on the logit.
    reach = 2.776445 / 0.95
    assert ends == pytest.approx([1 / (1 + 19 * np.exp(reach)), 1 / (1 + 19 * np.exp(-reach))], abs=1e-3)


def test_nothing_to_measure_is_said_without_nan():
    written = evaluate(Dataset(COCO17, (Frame("1.jpg", 9, 9),)), [[]]).to_json()
    assert (written["frames"], written["joints"], written["error_mm"], written["oks_ap"]) == (0, 0, None, None)
    assert written["by_phase"] == {}
    json.dumps(written, allow_nan=False)


def test_headline_compares_before_and_after():
    data = jump()
    before, after = evaluate(data, shifted(data, [0.0, 30.0])), evaluate(data, shifted(data, [0.0, 3.0]))
    numbers = headline(before, after)
    assert numbers["arch_error_mm"] == 27.75
    assert numbers["arch_error_mm_baseline"] == 277.5
    assert numbers["upright_error_mm_baseline"] == 277.5
    assert (numbers["arch_pck10"], numbers["arch_pck10_baseline"]) == (1.0, 0.0)
    assert (numbers["arch_frames"], numbers["test_frames"]) == (2, 7)
    assert (numbers["arch_missed"], numbers["arch_swap"]) == (0.0, 0.0)
    assert numbers["oks_ap"] > numbers["oks_ap_baseline"]
    assert all(isinstance(value, (int, float)) for value in numbers.values())
    assert exported_headline(after, "onnx")["arch_error_mm_onnx"] == 27.75


def test_headline_leaves_out_what_has_no_frames_and_refuses_other_joints():
    data = jump()
    arch = data.where([frame.phase == "arch" for frame in data.frames])
    evaluation = evaluate(arch, noisy(arch))
    numbers = headline(evaluation, evaluation)
    assert "upright_error_mm" not in numbers
    assert numbers["arch_error_mm"] == numbers["arch_error_mm_baseline"]
    with pytest.raises(ValueError, match="same joints"):
        headline(evaluation, evaluate(data, noisy(data)))


def test_predictions_that_do_not_belong_to_the_data_set_are_refused():
    data = jump()
    with pytest.raises(ValueError, match="6 lists of poses for 7 frames"):
        evaluate(data, noisy(data)[:6])
    poses = noisy(data)
    poses[2] = [replace(poses[2][0], keypoints=np.zeros((14, 2)))]
    with pytest.raises(ValueError, match=r"2\.jpg"):
        evaluate(data, poses)


def test_four_times_the_clips_take_about_four_times_the_steps():
    def work(clips: int) -> int:
        frames = [
            replace(frame, file_name=f"{clip}/{frame.file_name}", video=f"{clip}.mp4")
            for clip in range(clips)
            for frame in jump().frames
        ]
        data = Dataset(COCO17, tuple(frames))
        poses = noisy(data)
        return calls(lambda: evaluate(data, poses, ap=False).to_json())

    assert work(160) < 5 * work(40)


@pytest.mark.real
def test_untuned_yolo11n_on_real_flops(shared):
    # The figure found before this code was written, through Ultralytics' own letterboxing: 270 mm-equivalents.
    pytest.importorskip("ultralytics")
    from fosbury.formats.coco import read_coco
    from fosbury.inference.predict import measure
    from fosbury.inference.registry import load_model

    model = load_model(shared / "weights" / "yolo11n-pose-coco-approx.pt", COCO17, 320, confidence=0.05)
    flops = read_coco(shared / "flops" / "annotations.json", skeleton("lsp14"))
    evaluation = measure({"untuned": model}, flops, shared / "flops" / "images")["untuned"].evaluation
    figures = evaluation.group_metrics()
    assert (figures.frames, figures.joints) == (27, 275)
    assert figures.error_mm == pytest.approx(270, abs=10)
    assert figures.swapped == pytest.approx(0.14, abs=0.04)
    assert any("neck" in note for note in evaluation.notes)
