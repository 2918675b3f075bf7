"""Phases: what a person said comes first, and geometry gives the answers worked out by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fosbury.config import named_skeleton
from fosbury.dataset.phases import assign_phases, phases_by_geometry, phases_from_csv, phases_from_tables
from fosbury.errors import BadInput, BadInputs
from fosbury.pose import Dataset, Frame, Person, trunk_tilt
from fosbury.skeleton import Skeleton

STICK = Skeleton("stick", ("hip", "neck"), ((0, 1),), (), np.array([0.1, 0.1]), (1,), (0,), ())
LEGS = Skeleton("legs", ("hip", "knee"), ((0, 1),), (), np.array([0.1, 0.1]), (), (0,), ())


def person(tilt: float, area: float = 400.0) -> Person:
    angle = np.radians(tilt)
    hip = np.array([100.0, 100.0])
    there = np.isfinite(tilt)
    points = np.array([hip, hip + 40 * np.array([np.sin(angle), -np.cos(angle)])])
    return Person(points, np.array([2, 2 if there else 0], np.uint8), np.array([80.0, 60, 140, 140]), area)


def still(tilt: float, name: str = "im.jpg", phase: str | None = None) -> Frame:
    return Frame(name, 200, 200, (person(tilt),), phase=phase)


def phases(frames, skeleton=STICK) -> list[str | None]:
    return [frame.phase for frame in assign_phases(Dataset(skeleton, tuple(frames))).frames]


def jump(video: str = "clip.mp4") -> list[Frame]:
    """At 25 frames/s: upright for 0.8 s, tilted from frame 20 on, upright for three frames, then down on the mat."""
    tilt = [5.0] * 20 + [70, 80, 90, 100, 120, 140, 150, 140, 120, 100, 80] + [40] * 3 + [80, 90]
    return [
        Frame(f"{i:06d}.jpg", 200, 200, (person(t),), video=video, frame=i, timestamp_ms=40.0 * i)
        for i, t in enumerate(tilt)
    ]


# 0.33 s are 8 frames, 0.51 s are 12, and frame 34 is the first that comes more than 0.54 s after frame 20.
EXPECTED = ["approach"] * 8 + ["takeoff"] * 4 + ["flight"] * 8 + ["arch"] * 11 + ["flight"] * 3 + ["landing"] * 2


def test_the_jump_worked_by_hand():
    assert phases(jump()) == EXPECTED


def test_order_of_frames_does_not_matter():
    assert phases(jump()[::-1]) == EXPECTED[::-1]


def test_two_clips_are_judged_apart():
    other = [Frame(f"b{i}.jpg", 200, 200, (person(3),), video="b.mp4", frame=i) for i in range(4)]
    frames = [frame for pair in zip(jump(), other, strict=False) for frame in pair] + jump()[4:]
    found = dict(zip([f.file_name for f in frames], phases(frames), strict=True))
    assert all(found[f"b{i}.jpg"] == "approach" for i in range(4))
    assert [found[f.file_name] for f in jump()] == EXPECTED


def test_labels_of_a_person_win():
    frames = jump()
    frames[21] = Frame(**{**vars(frames[21]), "phase": "takeoff"})
    assert phases(frames) == [*EXPECTED[:21], "takeoff", *EXPECTED[22:]]


def test_without_timestamps_the_frame_number_tells_the_time_and_a_note_the_assumption():
    frames = [replace(frame, timestamp_ms=None) for frame in jump()]
    assert phases(frames) == EXPECTED
    notes = assign_phases(Dataset(STICK, tuple(frames))).notes
    assert notes[1:] == ("clips without times, assumed 25 frames a second for their phases (1): clip.mp4",)
    assert len(assign_phases(Dataset(STICK, tuple(jump()))).notes) == 1


@pytest.mark.parametrize("untimed", [[0], [35], [20], [0, 1, 2, 17, 18, 19, 34, 35], range(2, 36)])
def test_frames_without_a_time_get_it_from_the_rate_of_the_others(untimed):
    """The jump at 100 frames a second, of which every fourth frame is labelled."""
    frames = [
        replace(f, frame=4 * f.frame, timestamp_ms=None if f.frame in untimed else f.timestamp_ms) for f in jump()
    ]
    assert phases(frames) == EXPECTED
    assert len(assign_phases(Dataset(STICK, tuple(frames))).notes) == 1


def test_one_wrong_label_in_the_approach_is_no_arch():
    tilt = np.array([5.0] * 4 + [170] + [5] * 30 + [70, 90, 100])
    found = phases_by_geometry(tilt, np.arange(len(tilt)) / 25)
    assert found[4] == "approach"
    assert found[-3:] == ["arch"] * 3


def test_a_clip_without_tilt_is_all_approach():
    assert phases_by_geometry(np.array([5.0, 50, 10]), np.arange(3) / 25) == ["approach"] * 3


def test_a_frame_without_trunk_stays_unknown_and_does_not_part_the_arch():
    tilt = np.array([170.0, 170] + [5] * 20 + [70, np.nan, 90])
    found = phases_by_geometry(tilt, np.arange(len(tilt)) / 8)
    assert found[:2] == ["arch", "arch"]
    tilt[1] = 5
    found = phases_by_geometry(tilt, np.arange(len(tilt)) / 8)
    assert found[:2] == ["approach", "approach"]
    assert found[-3:] == ["arch", None, "arch"]


def test_a_clip_that_begins_in_the_air_keeps_its_arch():
    assert phases_by_geometry(np.array([80.0, 90, 120]), np.arange(3) / 25) == ["arch"] * 3


def test_the_built_in_athlete_is_judged_as_it_was_made():
    """The body's true joints, projected, against the phases that the motion itself tells."""
    render_clip = pytest.importorskip("fosbury.synth.clips").render_clip
    coco17 = named_skeleton("coco17", Path(__file__).parents[1])
    right = arch = found = total = 0
    for seed in range(3):
        _, labels = render_clip(seed, size=(96, 96))
        tilt = trunk_tilt(np.array([label.keypoints for label in labels]), coco17)
        for label, phase in zip(labels, phases_by_geometry(tilt, np.arange(len(labels)) / 25), strict=True):
            right, total = right + (phase == label.phase), total + 1
            arch, found = arch + (label.phase == "arch"), found + (phase == label.phase == "arch")
    assert right / total > 0.9
    assert found / arch > 0.9


@pytest.mark.parametrize(("tilt", "phase"), [(0, None), (59.9, None), (60.1, "arch"), (180, "arch")])
def test_a_still_is_an_arch_by_its_trunk_or_unknown(tilt, phase):
    assert phases([still(tilt)]) == [phase]


def test_a_still_without_trunk_or_people_stays_unknown():
    assert phases([still(np.nan), Frame("empty.jpg", 8, 8)]) == [None, None]
    assert phases([Frame("legs.jpg", 200, 200, (person(90),))], LEGS) == [None]


def test_the_largest_person_is_the_athlete():
    assert phases([Frame("im.jpg", 200, 200, (person(0, area=10), person(90, area=900), person(0, area=20)))]) == [
        "arch"
    ]


def test_folder_of_a_still_is_a_label():
    assert phases([still(90, "set/Landing/im.jpg"), still(90, "set/other/im.jpg")]) == ["landing", "arch"]


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("data/raw/flight/images/x.jpg", "arch"),
        ("data/raw/flight/images/landing/x.jpg", "landing"),
        ("data/raw/flight/images/landing/images/x.jpg", "landing"),
        ("data/images/takeoff/flight/images/x.jpg", "arch"),
    ],
)
def test_the_name_of_a_set_or_of_a_folder_above_it_is_no_label(name, phase):
    assert phases([replace(still(90, name), source="flight")]) == [phase]


def test_an_unknown_label_is_named():
    with pytest.raises(BadInputs, match="unknown phase 'run'"):
        phases([still(0, phase="run")])


def test_the_note_counts_the_sources():
    notes = assign_phases(Dataset(STICK, (still(0), still(90, phase="flight"), still(np.nan)))).notes
    assert notes[0] == (
        "phases: 1 frames by label, 0 by geometry, 2 unknown (no label, and no labelled trunk or an upright still)"
    )
    assert len(notes) == 2
    assert (
        "0 with a trunk at least 60 degrees from upright are called arch" in notes[1] and "1 stay unknown" in notes[1]
    )


@pytest.mark.parametrize(
    ("slower", "warned"), [(1, []), (2.9, []), (3.1, ["clip.mp4 (1.2 s)"]), (10, ["clip.mp4 (4.0 s)"])]
)
def test_slow_motion_is_warned_of_by_name(slower, warned):
    """The trunk of the jump is tilted from frame 20 to 30, for 0.4 s."""
    frames = [replace(f, timestamp_ms=slower * f.timestamp_ms) for f in jump()]
    notes = [n for n in assign_phases(Dataset(STICK, tuple(frames))).notes if "probably slow motion" in n]
    assert [note.split("(1): ")[1] for note in notes] == warned
    assert all(note.startswith("warning: ") for note in notes)
    labelled = [replace(f, phase="flight") for f in frames]
    assert len(assign_phases(Dataset(STICK, tuple(labelled))).notes) == 1


def csv_file(tmp_path, text: str):
    path = tmp_path / "phases.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_labels_both_ends_and_leaves_labelled_frames(tmp_path):
    frames = jump()
    frames[3] = Frame(**{**vars(frames[3]), "phase": "takeoff"})
    path = csv_file(tmp_path, "\ufeffvideo; start; end; phase\nclip;2;4;Arch\nclip.mp4;5;5;landing\n")
    labelled = phases_from_csv(path, Dataset(STICK, tuple(frames)))
    assert [f.phase for f in labelled.frames[:7]] == [None, None, "arch", "takeoff", "arch", "landing", None]


def test_csv_reports_every_problem_at_once(tmp_path):
    text = "video,start,end,phase\nclip,0,4,run\nclip,9,5,arch\nnone.mp4,0,1,arch\nclip,a,1,arch\nclip,4,6,arch\nclip\n"
    with pytest.raises(BadInputs) as caught:
        phases_from_csv(csv_file(tmp_path, text), Dataset(STICK, tuple(jump())))
    said = "\n".join(caught.value.problems)
    for part in ("unknown phase 'run'", "9 to 5", "'none.mp4'", "line 5: start and end", "lines 2 and 6", "line 7"):
        assert part in said


def test_csv_without_a_column_or_file(tmp_path):
    with pytest.raises(BadInput, match="lacks the column end"):
        phases_from_csv(csv_file(tmp_path, "video,start,phase\n"), Dataset(STICK))
    with pytest.raises(BadInput, match="cannot be read"):
        phases_from_csv(tmp_path / "none.csv", Dataset(STICK))


STILLS = (
    still(90, "data/raw/club/images/a/im1.jpg"),
    still(90, "data/raw/club/images/b/im1.jpg"),
    still(90, "data/raw/club/images/b/im2.jpg", phase="flight"),
    still(90, "data/raw/club/images/im3.jpg"),
)


@pytest.mark.parametrize("columns", ["image,phase\n{}", "video,start,end,phase,image\n,,,{}", "phase;image\n{}"])
def test_csv_labels_stills_by_name_and_geometry_has_no_say(tmp_path, columns):
    rows = [("a/im1.jpg", "landing"), ("im2.jpg", "arch"), ("im3.jpg", "Approach")]
    semicolon, after = ";" in columns, columns.startswith(("video", "phase"))
    cells = [(phase, name) if after else (name, phase) for name, phase in rows]
    lines = [(";" if semicolon else ",").join(pair) for pair in cells]
    blank = ",,," if columns.startswith("video") else ""
    text = columns.format(f"\n{blank}".join(lines)) + "\n"
    labelled = phases_from_csv(csv_file(tmp_path, text), Dataset(STICK, (*STILLS, *jump())))
    assert [frame.phase for frame in labelled.frames[:4]] == ["landing", None, "flight", "approach"]
    assert phases(labelled.frames[:4]) == ["landing", "arch", "flight", "approach"]
    assert all(frame.phase is None for frame in labelled.frames[4:])


def test_csv_names_stills_that_are_not_there_not_alone_or_named_twice(tmp_path):
    text = "image,phase\nim1.jpg,arch\nnone.jpg,arch\nim3.jpg,arch\nim3.jpg,landing\na/im1.jpg,run\n"
    with pytest.raises(BadInputs) as caught:
        phases_from_csv(csv_file(tmp_path, text), Dataset(STICK, STILLS))
    said = "\n".join(caught.value.problems)
    for part in ("2: 2 labelled stills", "3: no labelled stills", "lines 4 and 5 name", "6: unknown phase 'run'"):
        assert part in said
    with pytest.raises(BadInput, match="lacks the column phase"):
        phases_from_csv(csv_file(tmp_path, "image,label\n"), Dataset(STICK, STILLS))


def test_a_table_beside_the_labels_of_one_set_labels_that_set_alone(tmp_path):
    (tmp_path / "club").mkdir()
    (tmp_path / "club/phases.csv").write_text("video,start,end,phase\nclip,0,3,landing\n")
    sets = {name: Dataset(STICK, tuple(jump())) for name in ("club", "other")}
    labelled = phases_from_tables(sets, tmp_path)
    assert [frame.phase for frame in labelled["club"].frames[:5]] == ["landing"] * 4 + [None]
    assert labelled["other"] is sets["other"]
