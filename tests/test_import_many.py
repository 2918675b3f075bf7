"""Several files of labels as one set: joints united, counts conserved, equal pictures once, labels of form."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco
from fosbury.formats.exporting import export_labels
from fosbury.formats.importing import NOTES, import_labels
from fosbury.formats.label_table import FrameLabel, read_label_table

HIPS, TORSO = ["left_hip", "right_hip"], ["left_hip", "right_hip", "left_shoulder", "right_shoulder"]


def export(folder: Path, names: list[str], joints: list[str], seed: int = 0, shift: float = 0) -> Path:
    """Labels of one athlete a picture, each picture another noise."""
    images, annotations = [], []
    for number, name in enumerate(names, 1):
        pixels = np.random.default_rng([seed, number]).integers(0, 255, (40, 60, 3), np.uint8)
        (folder / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / "images" / name)
        images.append({"id": number, "file_name": name, "width": 60, "height": 40})
        keypoints = [
            value for joint in range(len(joints)) for value in (10 + 3 * joint + shift, 12 + 2 * joint + number % 9, 2)
        ]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints})
    category = {"id": 1, "name": "person", "keypoints": joints}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


def test_files_become_one_set_with_the_joints_of_all(tmp_path):
    paths = [export(tmp_path / "good", ["a.png", "b.png"], HIPS), export(tmp_path / "bad", ["a.png"], TORSO[::-1], 1)]
    done = import_labels(paths, name="club", root=tmp_path / "raw", label_by="path")
    assert (done.frames, done.people, done.joints) == (3, 3, 2 * 2 + 4)
    assert [(file.name, file.frames, file.people) for file in done.files] == [("good", 2, 2), ("bad", 1, 1)]
    assert dict(done.labels) == {"bad": 1, "good": 2}
    dataset = read_coco(tmp_path / "raw/club/annotations.json", images=tmp_path / "raw/club/images")
    assert set(dataset.skeleton.joints) == set(TORSO)
    named = {frame.file_name: frame for frame in dataset.frames}
    at = [dataset.skeleton.joints.index(joint) for joint in TORSO]
    assert named["bad/a.png"].people[0].keypoints[at, 0].tolist() == [19, 16, 13, 10]
    assert named["good/a.png"].people[0].visibility[at].tolist() == [2, 2, 0, 0]
    assert named["good/b.png"].label == "good"


def test_a_picture_that_is_there_twice_is_kept_once_or_warned_of(tmp_path):
    paths = [export(tmp_path / name, ["jump.png"], HIPS, shift=shift) for name, shift in (("x", 0), ("y", 0), ("z", 9))]
    done = import_labels(paths, name="club", root=tmp_path / "raw")
    notes = (done.folder / NOTES).read_text()
    assert done.frames == 2 and sum(file.frames for file in done.files) == 3
    assert "y/jump.png is x/jump.png" in notes and "different labels, kept (1): z/jump.png is x/jump.png" in notes


def test_a_joint_that_one_calls_hidden_makes_the_labels_differ(tmp_path):
    paths = [export(tmp_path / name, ["jump.png"], HIPS) for name in "xy"]
    content = json.loads((paths[1] / "annotations.json").read_text())
    content["annotations"][0]["keypoints"][2] = 1
    (paths[1] / "annotations.json").write_text(json.dumps(content))
    done = import_labels(paths, name="club", root=tmp_path / "raw")
    assert done.frames == 2 and any("different labels, kept (1)" in note for note in done.notes)


def test_a_trial_says_the_same_and_makes_nothing(tmp_path):
    path = export(tmp_path / "a", ["a.png"], HIPS)
    trial = import_labels(path, name="club", root=tmp_path / "raw", trial=True)
    assert list((tmp_path / "raw").iterdir()) == []
    assert trial == import_labels(path, name="club", root=tmp_path / "raw")


def test_paths_of_one_name_keep_their_pictures_apart(tmp_path):
    paths = [export(tmp_path / part / "jump", ["frame_000001.png"], HIPS, seed) for seed, part in enumerate("ab")]
    done = import_labels(paths, name="club", root=tmp_path / "raw")
    dataset = read_coco(done.folder / "annotations.json")
    assert [frame.file_name for frame in dataset.frames] == ["jump/frame_000001.png", "jump_2/frame_000001.png"]
    assert len({frame.unit for frame in dataset.frames}) == 2


def test_labels_come_from_a_table_or_the_folder(tmp_path):
    path = export(tmp_path / "a", ["lumbar/1.png", "lumbar/2.png", "correct/3.png"], HIPS)
    table = tmp_path / "labels.csv"
    table.write_text("frame_path,label,description\nimages/lumbar/1.png,correct,\n3.png,,a straight back\nx.png,y,\n")
    done = import_labels(path, name="club", root=tmp_path / "raw", label_by="folder", label_table=table)
    frames = {frame.file_name: frame for frame in read_coco(done.folder / "annotations.json").frames}
    assert [frames[name].label for name in sorted(frames)] == ["correct", "correct", "lumbar"]
    assert frames["correct/3.png"].description == "a straight back"
    assert any("fit no picture (1): x.png" in note for note in done.notes)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("image,class\na,b\n", "no columns frame_path and label"),
        ("frame_path,label\n,b\n", "line 2 names no picture"),
        ("frame_path,label\na,b\na,c\n", "line 3 labels a in another way"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, text, problem):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises((BadInput, BadInputs), match=problem):
        read_label_table(tmp_path / "t.csv")


def test_a_row_that_fits_two_pictures_is_refused(tmp_path):
    path = export(tmp_path / "a", ["x/1.png", "y/1.png"], HIPS)
    (tmp_path / "t.csv").write_text("frame_path,label\n1.png,b\n")
    assert read_label_table(tmp_path / "t.csv") == {"1.png": FrameLabel("b", None)}
    with pytest.raises(BadInputs, match=r"1\.png may be any of x/1\.png, y/1\.png"):
        import_labels(path, name="club", root=tmp_path / "raw", label_table=tmp_path / "t.csv")
    assert not (tmp_path / "raw/club").exists()


def test_what_is_exported_can_be_imported_again(tmp_path):
    path = export(tmp_path / "a", ["x/1.png", "2.png"], TORSO)
    first = import_labels(path, name="one", root=tmp_path / "raw")
    done = export_labels(first.folder, tmp_path / "out", "coco", pictures=True)
    again = import_labels(tmp_path / "out", name="two", root=tmp_path / "raw")
    assert (done.frames, done.losses) == (2, ())
    one, two = ((each.folder / "annotations.json").read_text() for each in (first, again))
    assert one.replace("one/", "two/") == two
    with pytest.raises(BadInput, match="exists already"):
        export_labels(first.folder, tmp_path / "out", "coco")


def test_an_import_that_is_killed_leaves_nothing_and_the_next_one_works(tmp_path):
    path = export(tmp_path / "a", [f"{number}.png" for number in range(300)], HIPS)
    code = f"from fosbury.formats.importing import import_labels; import_labels({str(path)!r}, name='club', root='raw')"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    work = tmp_path / "raw"
    while not any(work.glob(".club.*/set/images/*")) and process.poll() is None:
        threading.Event().wait(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (work / "club").exists()
    done = import_labels(path, name="club", root=work)
    assert done.frames == 300 and [entry.name for entry in work.iterdir()] == ["club"]


MOMENTS = {
    "unpacking": ".club.*/unpacked0/**/*.png",
    "the first picture is copied": ".club.*/set/images/*/*.png",
    "the second file's pictures are copied": ".club.*/set/images/b/*.png",
    "labels are written": ".club.*/set/.*.part",
    "the set is put in place": "club",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_merge_that_is_killed_leaves_the_old_or_the_new_state(tmp_path, moment):
    """Killed as soon as a file of that moment is there: the set is whole or absent, others stay, and the next works."""
    paths = [
        export(tmp_path / name, [f"{number}.png" for number in range(60)], HIPS, seed) for seed, name in enumerate("ab")
    ]
    packed = Path(shutil.make_archive(str(tmp_path / "a"), "zip", paths[0]))
    work = tmp_path / "raw"
    import_labels(export(tmp_path / "c", ["1.png"], HIPS, 7), name="old", root=work)
    before = {file: file.read_bytes() for file in (work / "old").rglob("*") if file.is_file()}
    given = [str(packed), str(paths[1])]
    code = f"from fosbury.formats.importing import import_labels; import_labels({given!r}, name='club', root='raw')"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL)
    while next(work.glob(MOMENTS[moment]), None) is None and process.poll() is None:
        threading.Event().wait(0.0005)
    process.kill()
    process.wait()
    if (work / "club").exists():
        assert len(read_coco(work / "club/annotations.json", images=work / "club/images").frames) == 120
        shutil.rmtree(work / "club")
    done = import_labels(given, name="club", root=work)
    assert done.frames == 120 and sorted(entry.name for entry in work.iterdir()) == ["club", "old"]
    assert before == {file: file.read_bytes() for file in (work / "old").rglob("*") if file.is_file()}


def test_exports_in_folders_of_their_own_are_one_set(tmp_path):
    for seed, name in enumerate(("task 1", "task 2")):
        export(tmp_path / "all" / name, ["frame_000001.png"], HIPS, seed)
    packed = Path(shutil.make_archive(str(tmp_path / "all"), "zip", tmp_path / "all"))
    done = import_labels(packed, name="club", root=tmp_path / "raw")
    frames = read_coco(done.folder / "annotations.json", images=done.folder / "images").frames
    assert [frame.file_name for frame in frames] == ["task 1/frame_000001.png", "task 2/frame_000001.png"]
    assert len({frame.unit for frame in frames}) == 2
    (tmp_path / "zips").mkdir()
    shutil.copy(packed, tmp_path / "zips/all.zip")
    with pytest.raises(BadInput, match=r"holds archives and no labels beside them: all\.zip"):
        import_labels(tmp_path / "zips", name="none", root=tmp_path / "raw")
