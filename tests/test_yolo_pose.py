"""YOLO's pose labels as CVAT, Roboflow and Ultralytics write them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.config import named_skeleton
from fosbury.errors import BadInput, BadInputs
from fosbury.formats.coco import read_coco, skeleton_of
from fosbury.formats.importing import import_labels
from fosbury.formats.yolo_pose import COCO_JOINTS, read_yolo_pose, write_yolo_pose
from fosbury.pose import Dataset, Frame, Person

NAMED = "kpt_shape: [2, 3]\nkpt_names: {0: [left_hip, right_hip]}\nnames: [person]\n"
LINE = "0 0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1\n"


def folder(root: Path, data: str = NAMED, line: str = LINE, layout: str = "{kind}/train") -> Path:
    for kind in ("images", "labels"):
        (root / layout.format(kind=kind)).mkdir(parents=True)
    Image.new("RGB", (50, 40)).save(root / layout.format(kind="images") / "a.png")
    (root / layout.format(kind="labels") / "a.txt").write_text(line)
    (root / "data.yaml").write_text(data)
    return root


@pytest.mark.parametrize("layout", ["{kind}/train", "train/{kind}", "{kind}"])
def test_joints_in_pixels_from_every_layout(tmp_path, layout):
    done = import_labels(folder(tmp_path / "x", layout=layout), name="club", root=tmp_path / "raw")
    (frame,) = read_coco(done.folder / "annotations.json").frames
    assert done.format == "yolo_pose" and frame.file_name == layout.format(kind="images") + "/a.png"
    assert frame.people[0].keypoints.tolist() == [[20, 16], [30, 24]]
    assert frame.people[0].visibility.tolist() == [2, 1] and frame.people[0].box.tolist() == [15, 12, 35, 28]


def test_pictures_elsewhere_and_two_numbers_a_joint(tmp_path):
    source = folder(tmp_path / "x", line="0 .5 .5 .4 .4 .4 .4 0 0\n")
    (source / "images/train/a.png").rename(tmp_path / "a.png")
    done = import_labels(source, tmp_path, name="club", root=tmp_path / "raw")
    assert (done.frames, done.joints) == (1, 1)


def test_seventeen_joints_without_names_are_cocos_and_that_is_said(tmp_path):
    line = "0 .5 .5 .4 .4 " + " ".join(f"{0.35 + n / 60:.3f} {0.35 + n / 70:.3f} 2" for n in range(17))
    path = folder(tmp_path / "x", "kpt_shape: [17, 2]\nnames: {0: person}\n", line) / "data.yaml"
    dataset = read_yolo_pose(path, None, lambda frame: path.parent / frame.file_name)
    assert dataset.skeleton.joints == COCO_JOINTS
    assert "taken for COCO's 17" in dataset.notes[0]


TWO = "kpt_shape: [2, 3]\nnames: {0: man, 5: woman}\n"


@pytest.mark.parametrize(
    ("data", "joints"),
    [
        (TWO + "kpt_names: {0: [left_hip, right_hip], 5: [right_hip, left_hip]}\n", [[20, 16], [30, 24]]),
        (TWO + "kpt_names: {0: [right_hip, left_hip]}\n", [[30, 24], [20, 16]]),
        (TWO + "keypoints: [right_hip, left_hip]\n", [[30, 24], [20, 16]]),
    ],
)
def test_classes_by_number_with_joints_of_their_own_and_ids_of_tracks(tmp_path, data, joints):
    line = LINE.rstrip() + " 7\n" + LINE.replace("0 ", "5 ", 1)
    path = folder(tmp_path / "x", data, line) / "data.yaml"
    dataset = read_yolo_pose(path, None, lambda frame: path.parent / frame.file_name)
    (frame,) = dataset.frames
    names = [dataset.skeleton.joints.index(name) for name in ("left_hip", "right_hip")]
    assert frame.people[0].keypoints[names].tolist() == joints
    other = joints[::-1] if "5: [" in data else joints
    assert frame.people[1].keypoints[names].tolist() == other


def test_joints_by_datumaros_file_or_a_skeleton_of_as_many(tmp_path):
    path = folder(tmp_path / "x", "kpt_shape: [2, 3]\nnames: [man]\n") / "data.yaml"
    skeleton = skeleton_of("legs", ["left_hip", "right_hip"])
    dataset = read_yolo_pose(path, skeleton, lambda frame: path.parent / frame.file_name)
    assert dataset.frames[0].people[0].keypoints.tolist() == [[20, 16], [30, 24]]
    assert dataset.notes[0] == "joints without names, taken for the 2 of skeleton 'legs' in their order"
    content = {"label_categories": [["man", ""]], "point_categories": [[0, ["right_hip", "left_hip"], []]]}
    (path.parent / "dataset_meta.json").write_text(json.dumps(content))
    dataset = read_yolo_pose(path, skeleton, lambda frame: path.parent / frame.file_name)
    assert dataset.frames[0].people[0].keypoints.tolist() == [[30, 24], [20, 16]]


def test_ultralytics_loads_what_is_written(tmp_path, monkeypatch):
    dataset = pytest.importorskip("ultralytics.data.dataset")
    check = pytest.importorskip("ultralytics.data.utils").check_det_dataset
    keypoints = np.array([[5.0, 4.0], [20.0, 15.0], [np.nan, np.nan]])
    person = Person(keypoints, np.array([2, 1, 0], np.uint8), np.array([4.0, 3, 24, 18]), 18.0)
    skeleton = skeleton_of("legs", ["left_hip", "right_hip", "ü"])
    write_yolo_pose(Dataset(skeleton, (Frame("a b/ü 1.png", 40, 30, (person,)),)), tmp_path)
    picture = tmp_path / "images/train/a b/ü 1.png"
    picture.parent.mkdir(parents=True)
    Image.new("RGB", (40, 30)).save(picture)
    monkeypatch.chdir(tmp_path.parent)  # its folders are relative to the file, not to where the command runs
    info = check(str(tmp_path / "data.yaml"), autodownload=False)
    (label,) = dataset.YOLODataset(img_path=info["train"], data=info, task="pose", augment=False, imgsz=64).labels
    assert info["kpt_names"] == {0: ["left_hip", "right_hip", "ü"]} and info["flip_idx"] == [1, 0, 2]
    np.testing.assert_allclose(label["keypoints"][0], [[0.125, 4 / 30, 2], [0.5, 0.5, 1], [0, 0, 0]], atol=1e-6)


def test_pictures_that_would_share_a_text_file_are_not_written(tmp_path):
    keypoints = np.array([[5.0, 4.0], [9.0, 8.0]])
    person = Person(keypoints, np.array([2, 2], np.uint8), np.array([4.0, 3, 10, 9]), 18.0)
    frames = tuple(Frame(name, 40, 30, (person,)) for name in ("a.png", "a.jpg"))
    with pytest.raises(BadInput, match=r"a\.jpg: has the name of a\.png but for the suffix"):
        write_yolo_pose(Dataset(skeleton_of("legs", ["left_hip", "right_hip"]), frames), tmp_path)


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        ("kpt_shape: [3, 3]\nnames: [p]\n", LINE, "does not name its 3 joints"),
        (TWO + "kpt_names: {0: [a, b], 1: [a, b]}\n", LINE, "none for class 'woman'"),
        ("kpt_shape: [2, 3]\nnames: {a: b}\n", LINE, "has a class 'a': 'b' in 'names'"),
        ("kpt_shape: 3\nnames: [p]\n", LINE, "kpt_shape 3, not the numbers"),
        ("kpt_shape: [2, 3]\n", LINE, "no list 'names'"),
        (NAMED.replace("left_hip, ", ""), LINE, "kpt_names that are not 2 names"),
        ("path: https: //a\nkpt_shape: [2, 3]\n", LINE, "is not readable YAML"),
        (NAMED, "0 .5 .5 .4 .4 .4 .4 2\n", "has 3 numbers for 2 joints"),
        (NAMED, "0 .5 .5 .4 .4 .4 .4 2 .6 .6 7\n", "visibility 7"),
        (NAMED, "1 .5 .5 .4 .4 .4 .4 2 .6 .6 1\n", "class 1, which is not among the 1 names"),
        (NAMED, "0 .5 .5 .4 .4 .4 nan 2 .6 .6 1\n", "is no number"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path, data, line, problem):
    with pytest.raises((BadInput, BadInputs), match=problem):
        import_labels(folder(tmp_path / "x", data, line), name="club", root=tmp_path / "raw")
    assert not (tmp_path / "raw/club").exists()


def test_real_exports(shared, tmp_path):
    exports = shared / "formats/cvat_ultralytics_yolo_pose"
    gym = shared / "formats/cvat_coco_keypoints/finetune_gym"
    done = import_labels(
        exports / "finetune_gym_v1/ultralytics_yolo_pose_1.0_210", gym / "images", "gym", tmp_path / "raw"
    )
    assert (done.frames, done.people, done.joints) == (210, 210, 3570)
    roboflow = shared / "formats/roboflow_yolov8_pose/keira_humanpose/humanpose.v1i.yolov5pytorch.zip"
    done = import_labels(roboflow, name="robo", root=tmp_path / "raw")
    assert (done.format, done.frames, done.joints) == ("yolo_pose", 60, 1020)
    with pytest.raises(BadInput, match="does not name its 3 joints"):
        import_labels(exports / "datumaro_test", name="x", root=tmp_path / "raw")
    with pytest.raises(BadInput, match="is not readable YAML"):
        import_labels(shared / "formats/cvat_coco_keypoints/keira_tiger/data.yaml", name="x", root=tmp_path / "raw")


def test_a_skeleton_names_the_joints_of_labels_that_do_not(tmp_path):
    line = "0 .5 .5 .4 .4 " + " ".join(f"{0.35 + n / 60:.3f} .4 2" for n in range(10))
    source = folder(tmp_path / "x", "kpt_shape: [10, 3]\nnames: [p]\nflip_idx: [1, 0]\n", line)
    with pytest.raises(BadInput, match=r"does not name its 10 joints; .* or import with --skeleton lowerbody10"):
        import_labels(source, name="club", root=tmp_path / "raw")
    with pytest.raises(BadInput, match=r"10 joints, and skeleton 'coco17' has 17; .* --skeleton lowerbody10"):
        import_labels(source, name="club", root=tmp_path / "raw", skeleton="coco17")
    with pytest.raises(BadInput, match="is not in conf/skeleton; use one of body21, coco17"):
        import_labels(source, name="club", root=tmp_path / "raw", skeleton="legs")
    done = import_labels(source, name="club", root=tmp_path / "raw", skeleton="lowerbody10")
    assert done.joint_names == named_skeleton("lowerbody10").joints
    named = folder(tmp_path / "y")
    assert import_labels(named, name="named", root=tmp_path / "raw", skeleton="coco17").joint_names == (
        "left_hip",
        "right_hip",
    )
