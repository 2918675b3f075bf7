"""SLEAP's labels and DeepLabCut's HDF5, written here field by field as sleap-io 0.9.5 and pandas 2 write them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.formats.hdf5 import plain
from fosbury.formats.importing import import_labels
from fosbury.formats.recognise import recognise
from fosbury.media.video import write_video
from fosbury.pose import Dataset

h5py = pytest.importorskip("h5py")
JOINTS = ("nose", "left_hip", "right_hip")
FRAMES = [
    ("frame_id", "u8"),
    ("video", "u4"),
    ("frame_idx", "u8"),
    ("instance_id_start", "u8"),
    ("instance_id_end", "u8"),
]
INSTANCES = [
    *(("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"), ("track", "i4")),
    *(("from_predicted", "i8"), ("score", "f4"), ("point_id_start", "u8"), ("point_id_end", "u8")),
]
POINTS = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
NAN = float("nan")


def pictures(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8)).save(folder / name)


def sleap(path: Path, backend: dict, frames=(0, 2), version: float = 1.4, kind: int = 0) -> Path:
    """One person on each frame and what a network found; the joints listed in another order than the nodes."""
    edge, mirror = ({"py/reduce": [{"py/type": "EdgeType"}, {"py/tuple": [number]}]} for number in (1, 2))
    links = [
        {"source": 2, "target": 1, "type": mirror},
        {"source": 0, "target": 1, "type": edge},
        {"source": 0, "target": 2, "type": {"py/id": 2}},
    ]
    skeleton = {"links": links, "nodes": [{"id": 0}, {"id": 2}, {"id": 1}]}
    nodes = [{"name": name} for name in ("nose", "right_hip", "left_hip")]
    with h5py.File(path, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = version
        group.attrs["json"] = np.bytes_(json.dumps({"skeletons": [skeleton], "nodes": nodes}))
        file["videos_json"] = [json.dumps({"filename": backend.get("filename"), "backend": backend})]
        rows = [(at, 0, index, 2 * at, 2 * at + 2) for at, index in enumerate(frames)]
        file["frames"] = np.array(rows, FRAMES)
        people = [
            person
            for at in range(len(frames))
            for person in (
                (2 * at, kind, at, 0, -1, -1, 0, 3 * at, 3 * at + 3),
                (2 * at + 1, 1, at, 0, -1, -1, 0.9, 0, 3),
            )
        ]
        file["instances"] = np.array(people, INSTANCES)
        points = [(10 + at, 20, True, True) for at in range(len(frames))]
        file["points"] = np.array(
            [each for p in points for each in (p, (30, 40, False, True), (NAN, NAN, 0, 0))], POINTS
        )
    return path


def images_of(folder: Path) -> dict:
    """Pictures by the paths of another computer."""
    names = [rf"C:\labels\clip\im {number}.png" for number in range(3)]
    return {"type": "ImageVideo", "filename": names[0], "filenames": names, "shape": [3, 48, 64, 3]}


def imported(path: Path, root: Path, name: str = "club") -> Dataset:
    return read_coco(import_labels(path, name=name, root=root).folder / "annotations.json")


def test_sleap_on_pictures(tmp_path):
    pictures(tmp_path / "set", *(f"clip/im {number}.png" for number in range(3)))
    path = sleap(tmp_path / "set/labels.slp", images_of(tmp_path))
    assert recognise(path)[0].name == "sleap"
    dataset = imported(tmp_path / "set", tmp_path / "raw")
    assert dataset.skeleton.joints == JOINTS and set(dataset.skeleton.bones) == {(0, 1), (0, 2)}
    assert [(frame.file_name, len(frame.people)) for frame in dataset.frames] == [
        ("clip/im 0.png", 1),
        ("clip/im 2.png", 1),
    ]
    assert dataset.frames[1].people[0].visibility.tolist() == [2, 1, 0]
    assert dataset.frames[1].people[0].keypoints[:2].tolist() == [[11.5, 20.5], [30.5, 40.5]]


def test_before_sleaps_format_1_1_a_pixel_began_at_its_corner(tmp_path):
    pictures(tmp_path, *(f"clip/im {number}.png" for number in range(3)))
    path = sleap(tmp_path / "labels.slp", images_of(tmp_path), version=1.0)
    assert imported(path, tmp_path / "raw").frames[0].people[0].keypoints[0].tolist() == [10, 20]


@pytest.mark.parametrize("shape", [[8, 48, 64, 3], None])
def test_sleap_on_a_clip_and_as_a_package_of_one(tmp_path, shape):
    frames = [np.full((48, 64, 3), 20 * number, np.uint8) for number in range(8)]
    (tmp_path / "set").mkdir()
    write_video(tmp_path / "set/jump.mp4", frames, 25)
    clip = {"type": "MediaVideo", "filename": r"D:\films\jump.mp4", "shape": shape}
    path = sleap(tmp_path / "set/labels.slp", clip, frames=(3, 7))
    found = imported(tmp_path / "set", tmp_path / "raw")
    assert [(frame.video, frame.frame) for frame in found.frames] == [("jump.mp4", 3), ("jump.mp4", 7)]
    path.unlink()
    package = sleap(tmp_path / "set/labels.pkg.slp", {"filename": ".", "dataset": "video0/video"}, frames=(3, 7))
    with h5py.File(package, "a") as file:
        file.create_group("video0/source_video").attrs["json"] = json.dumps({"filename": "jump.mp4", "backend": clip})
    again = imported(tmp_path / "set", tmp_path / "raw", "again")
    assert [frame.people[0].keypoints[0].tolist() for frame in again.frames] == [[10.5, 20.5], [11.5, 20.5]]
    (tmp_path / "set/jump.mp4").unlink()
    with pytest.raises(BadInput, match=r"jump\.mp4"):
        import_labels(tmp_path / "set", name="none", root=tmp_path / "raw")


def test_what_a_network_found_is_no_label(tmp_path):
    pictures(tmp_path, *(f"clip/im {number}.png" for number in range(3)))
    with pytest.raises(BadInput, match="holds nothing that a person set"):
        import_labels(sleap(tmp_path / "l.slp", images_of(tmp_path), kind=1), name="club", root=tmp_path / "raw")


def tampered(path: Path, how: str) -> None:
    if how == "text":
        path.write_text("labels")
        return
    if how == "cut":
        path.write_bytes(path.read_bytes()[:3000])
        return
    with h5py.File(path, "a") as file:
        if how == "names":
            file["metadata"].attrs["json"] = "{}"
            return
        values = file["points"][()]
        if how == "columns":
            del file["points"]
            file["points"] = values["x"]
            return
        if how == "person":
            rows = file["instances"][()]
            rows["point_id_end"] = 2
            file["instances"][...] = rows
            return
        del file["points"]
        if how == "link":
            file["points"] = h5py.ExternalLink("/etc/passwd", "points")
        elif how == "soft":
            file["points"] = h5py.SoftLink("/frames")
        elif how == "elsewhere":
            file.create_dataset("points", (6,), np.dtype(POINTS), external=[("/etc/passwd", 0, 1000)])
        elif how == "size":
            file.create_dataset("points", (10**12,), np.dtype(POINTS), chunks=(1000,), compression="gzip")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("text", "is not an HDF5 file"),
        ("cut", "is HDF5 that cannot be read"),
        ("names", "does not name the joints"),
        ("columns", "has no x, y, visible in /points"),
        ("person", "has 2 points for 3 joints"),
        ("link", "has a link for 'points'"),
        ("soft", "has a link for 'points'"),
        ("elsewhere", "keeps 'points' in other files"),
        ("size", "has an array 'points' of"),
    ],
)
def test_hdf5_of_strangers_is_refused_in_words(tmp_path, how, said):
    pictures(tmp_path, *(f"clip/im {number}.png" for number in range(3)))
    path = sleap(tmp_path / "labels.slp", images_of(tmp_path))
    tampered(path, how)
    with pytest.raises(BadInput) as caught:
        import_labels(path, name="club", root=tmp_path / "raw")
    assert said in str(caught.value)
    assert not (tmp_path / "raw/club").exists()


def axis(group, name: str, names: list[str | None], entries: list[tuple[str, ...]]) -> None:
    """An axis of several levels, as pandas writes it: texts and numbers into them."""
    for at, level in enumerate(names):
        said = sorted({entry[at] for entry in entries})
        values = group.create_dataset(f"{name}_level{at}", data=np.array(said, "S"))
        values.attrs["name"] = np.bytes_(level or "N.")
        group[f"{name}_label{at}"] = np.array([said.index(entry[at]) for entry in entries], np.int8)


COLUMNS = [("anna", joint, axis) for joint in ("hip", "knee") for axis in "xy"]
ROWS = [("labeled-data", "jump", f"{name}.png") for name in "ab"]
VALUES = np.array([[1, 2, 3, 4], [5, 6, 17.5, 18]])


def deeplabcut(path: Path, layout: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["scorer", "bodyparts", "coords"]
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        if layout == "table":
            group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, COLUMNS)], 0))
            rows = [("/".join(row), values) for row, values in zip(ROWS, VALUES, strict=True)]
            group["table"] = np.array(rows, [("index", "S40"), ("values_block_0", "f8", (4,))])
            return path
        axis(group, "axis0", names, COLUMNS)
        axis(group, "block0_items", names, COLUMNS[::-1])
        group["block0_values"] = VALUES[:, ::-1]
        if layout == "levels":
            axis(group, "axis1", [None] * 3, ROWS)
        else:
            group["axis1"] = np.array(["\\".join(row) for row in ROWS], "S")
    return path


@pytest.mark.parametrize("layout", ["fixed", "levels", "table"])
def test_deeplabcuts_hdf5_without_its_csv(tmp_path, layout):
    folder = tmp_path / "project/labeled-data/jump"
    deeplabcut(folder / "CollectedData_anna.h5", layout)
    pictures(folder, "a.png", "b.png")
    dataset = imported(tmp_path / "project", tmp_path / "raw")
    assert dataset.skeleton.joints == ("hip", "knee")
    assert [frame.people[0].keypoints.tolist() for frame in dataset.frames] == VALUES.reshape(2, 2, 2).tolist()
    assert {frame.group for frame in dataset.frames} == {"jump"}


class Evil:
    """Would make a folder when it is unpickled."""

    def __reduce__(self):
        return Path.mkdir, (Path("made-by-a-pickle"),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_read_and_never_run(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    value = [(1, [("a", "b", "ü"), ("a", "c", "x")]), (), ("x", None, -70000, 10**12)]
    assert plain(pickle.dumps(value, protocol)) == value
    with pytest.raises(ValueError, match="holds"):
        plain(pickle.dumps([Evil()], protocol))
    file = deeplabcut(tmp_path / "labeled-data/jump/CollectedData_anna.h5", "table")
    pictures(file.parent, "a.png", "b.png")
    with h5py.File(file, "a") as opened:
        opened["df_with_missing"].attrs["non_index_axes"] = np.void(pickle.dumps([(1, [Evil()])], protocol))
    with pytest.raises(BadInput, match="is a table of pandas that cannot be read"):
        import_labels(file, name="club", root=tmp_path / "raw")
    assert not Path("made-by-a-pickle").exists()
