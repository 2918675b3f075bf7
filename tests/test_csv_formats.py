"""DeepLabCut's tables, and those of jump-broadcast; written here as their layouts are known, not real exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.config import named_skeleton
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.formats.deeplabcut import read_deeplabcut
from fosbury.formats.importing import import_labels
from fosbury.formats.jump_broadcast import JOINTS
from fosbury.formats.recognise import recognise

ONE = "scorer,{0}a,a,a,a,a,a\nbodyparts,{0}hip,hip,knee,knee,toe,toe\ncoords,{0}x,y,x,y,x,y\n"
MANY = (
    "scorer,,,anna,anna,anna,anna,anna,anna,anna,anna\nindividuals,,,a,a,a,a,b,b,b,b\n"
    "bodyparts,,,hip,hip,knee,knee,hip,hip,knee,knee\ncoords,,,x,y,x,y,x,y,x,y\n"
)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = sum(path.as_posix().encode()) % 200
    Image.new("RGB", (64, 48), (shade, 2 * shade % 250, 7)).save(path)


def table(path: Path, text: str, *pictures: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    for name in pictures:
        picture(path.parent / name)
    return path


@pytest.mark.parametrize(
    ("commas", "index"),
    [("", "labeled-data/jump 1/a.png"), (",,", "labeled-data,jump 1,a.png"), ("", "labeled-data\\jump 1\\a.png")],
)
def test_deeplabcut_of_one_animal(tmp_path, commas, index):
    text = ONE.format(commas) + f"{index},10.5,20,30,40.25,,\n" + index.replace("a.png", "b.png") + ",1,2,,,8,9\n"
    path = table(tmp_path / "labeled-data/jump 1/CollectedData_anna.csv", text, "a.png", "b.png")
    dataset = read_deeplabcut(path, None, lambda frame: path.parent / frame.file_name)
    assert dataset.skeleton.joints == ("hip", "knee", "toe")
    first = dataset.frames[0]
    assert (first.file_name, first.group, first.width, first.height) == ("a.png", "jump 1", 64, 48)
    assert dataset.frames[0].people[0].keypoints[:2].tolist() == [[10.5, 20], [30, 40.25]]
    assert [f.people[0].visibility.tolist() for f in dataset.frames] == [[2, 2, 0], [2, 0, 2]]


def test_a_project_of_deeplabcut_is_imported(tmp_path):
    for clip in ("jump1", "jump2"):
        row = f"labeled-data,{clip},a.png,1,2,3,4,11,12,13,14\nlabeled-data,{clip},b.png,1,2,3,4,,,,\n"
        file = table(tmp_path / f"project/labeled-data/{clip}/CollectedData_anna.csv", MANY + row, "a.png", "b.png")
        file.with_suffix(".h5").write_bytes(b"\x89HDF")
    summary = import_labels(tmp_path / "project", name="club", root=tmp_path / "raw")
    assert (summary.format, summary.frames, summary.people, summary.joints) == ("deeplabcut", 4, 6, 12)
    alone = tmp_path / "project/labeled-data/jump1"
    assert import_labels(alone, name="one", root=tmp_path / "raw", trial=True).people == 3


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("CollectedData_a.h5", "\x89HDF", "is not an HDF5 file"),
        ("a.csv", "scorer,m,m,m\nbodyparts,hip,hip,hip\ncoords,x,y,likelihood\n0,1,2,0.9\n", "what a model found"),
        ("CollectedData_a.csv", "x,y\n1,2\n", "has no rows 'bodyparts' and 'coords'"),
        ("CollectedData_a.csv", ONE.format("") + "a.png,1,two,3,4\n", "line 4: hip has y 'two', which is no number"),
    ],
)
def test_what_is_wrong_with_deeplabcuts_labels_is_said(tmp_path, name, text, said):
    with pytest.raises(BadInput) as caught:
        import_labels(table(tmp_path / name, text, "a.png"), name="club", root=tmp_path / "raw")
    assert said in str(caught.value)


def broadcast(path: Path, *rows: str) -> Path:
    head = "event;frame_num;athlete;slowmotion;" + ";".join(f"{j}_x;{j}_y;{j}_s" for j in JOINTS)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"#{len(rows)}", head, *rows, ""]))
    return path


def row(event: str, frame: int, hidden: str) -> str:
    joints = [f"{at + 5}.5;{2 * at + 3};{0 if short == hidden else 1}" for at, short in enumerate(JOINTS)]
    return f"{event};{frame};3;0;" + ";".join(joints)


def test_jump_broadcast(tmp_path):
    folder = tmp_path / "set"
    broadcast(folder / "keypoints/train.csv", row("final_1", 12, "neck"), row("final_1", 40, ""))
    broadcast(folder / "keypoints/val.csv", row("final_2", 7, "ltoe"))
    for event, frame in (("final_1", 12), ("final_1", 40), ("final_2", 7)):
        picture(folder / f"annotated_frames/{event}/{event}_({frame:05d}).jpg")
    assert recognise(folder)[0].name == "jump_broadcast"
    summary = import_labels(folder, name="club", root=tmp_path / "raw")
    assert (summary.frames, summary.people, summary.joints, summary.videos) == (3, 3, 58, 2)
    assert summary.joint_names == named_skeleton("jump20").joints
    frames = {(f.video, f.frame): f for f in read_coco(summary.folder / "annotations.json").frames}
    first = frames["final_1", 12].people[0]
    assert np.flatnonzero(~first.labelled).tolist() == [1]
    assert first.keypoints[0].tolist() == [5.5, 3]
    broadcast(folder / "keypoints/val.csv", "final_2;x;3;0" + ";1" * 60)
    with pytest.raises(BadInput, match="names event 'final_2' and frame 'x'"):
        import_labels(folder, name="bad", root=tmp_path / "raw")
