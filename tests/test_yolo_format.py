"""The YOLO pose layout, judged by the loader that reads it."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.yolo import description, label_lines, write_yolo
from fosbury.pose import Dataset, Frame, Person
from fosbury.skeleton import Skeleton

STICK = Skeleton(
    "stick",
    ("neck", "left_hip", "right_hip"),
    ((0, 1), (0, 2)),
    ((1, 2),),
    np.array([0.1, 0.2, 0.3]),
    (0,),
    (1, 2),
    (),
)
NAN = np.nan


def person(points, visibility, box) -> Person:
    return Person(np.array(points, float), np.array(visibility, np.uint8), np.array(box, float), 100.0)


INSIDE = person([[10, 20], [30.5, 40.25], [NAN, NAN]], [2, 1, 0], [5, 10, 50, 60])
ACROSS = person([[-3, 20], [99.5, 40], [100, 80]], [2, 2, 1], [-10, 5, 120, 90])
OUTSIDE = person([[-30, 20], [-20, 40], [NAN, NAN]], [2, 2, 0], [-40, 5, -10, 90])


@pytest.fixture
def data(tmp_path) -> dict[str, Dataset]:
    frames = {
        "train": [
            Frame("a/images/im1.jpg", 100, 80, (INSIDE, ACROSS)),
            Frame("b/images/im1.jpg", 100, 80, (INSIDE,)),
            Frame("b/images/im1.png", 100, 80, ()),
            Frame("b__images/im1.jpg", 100, 80, (ACROSS,)),
        ],
        "val": [Frame("a/images/im2.jpg", 100, 80, (OUTSIDE, INSIDE))],
    }
    for index, frame in enumerate(f for part in frames.values() for f in part):
        path = tmp_path / frame.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80), (index, 0, 0)).save(path)
    return {name: Dataset(STICK, tuple(part)) for name, part in frames.items()}


def test_pictures_of_every_suffix_are_loaded(tmp_path):
    frames = []
    for name, kind in (("a.jfif", "JPEG"), ("b", "PNG"), ("c.gif", "GIF"), ("d.jpg", "GIF"), ("e.jpg", "JPEG")):
        Image.new("RGB", (100, 80), (len(frames), 0, 0)).save(tmp_path / name, kind)
        frames.append(Frame(name, 100, 80, (INSIDE,)))
    part = Dataset(STICK, tuple(frames))
    assert len(load(write_yolo({"train": part, "val": part}, tmp_path / "yolo", tmp_path), "train")) == 5


def load(data_yaml: Path, split: str):
    dataset = pytest.importorskip("ultralytics.data.dataset")
    check = pytest.importorskip("ultralytics.data.utils").check_det_dataset
    info = check(str(data_yaml), autodownload=False)
    return dataset.YOLODataset(img_path=info[split], data=info, task="pose", augment=False, imgsz=64)


def test_the_loader_reads_what_was_written(data, tmp_path):
    loaded = load(write_yolo(data, tmp_path / "yolo", tmp_path), "train")
    by_source = {str(Path(label["im_file"]).resolve().relative_to(tmp_path)): label for label in loaded.labels}
    assert set(by_source) == {frame.file_name for frame in data["train"].frames}
    size = np.array([100.0, 80.0])
    for frame in data["train"].frames:
        label = by_source[frame.file_name]
        assert label["shape"] == (80, 100)
        assert len(label["bboxes"]) == len(frame.people)
        order = np.argsort([p.box[0] for p in frame.people])
        read = np.argsort(label["bboxes"][:, 0] - label["bboxes"][:, 2] / 2)
        for given, at in zip(order, read, strict=True):
            one = frame.people[given]
            box = np.clip(one.box, 0, [100, 80, 100, 80])
            centre, extent = (box[:2] + box[2:]) / 2 / size, (box[2:] - box[:2]) / size
            np.testing.assert_allclose(label["bboxes"][at], [*centre, *extent], atol=1e-4)
            inside = one.labelled & (one.keypoints >= 0).all(axis=1) & (one.keypoints <= size).all(axis=1)
            points = np.where(inside[:, None], one.keypoints / size, 0)
            np.testing.assert_allclose(label["keypoints"][at, :, :2], points, atol=1e-4)
            np.testing.assert_array_equal(label["keypoints"][at, :, 2], np.where(inside, one.visibility, 0))


def test_a_person_outside_the_image_is_left_out(data, tmp_path):
    (label,) = load(write_yolo(data, tmp_path / "yolo", tmp_path), "val").labels
    np.testing.assert_allclose(label["bboxes"], [[0.275, 0.4375, 0.45, 0.625]], atol=1e-4)


def test_repeats_grow_the_data_set(data, tmp_path):
    loaded = load(write_yolo(data, tmp_path / "yolo", tmp_path, {"b/images/im1.jpg": 3}), "train")
    assert len(loaded) == len(data["train"]) + 2
    assert sum(Path(f).resolve() == tmp_path / "b/images/im1.jpg" for f in loaded.im_files) == 3
    with pytest.raises(BadInput, match="0 times"):
        write_yolo(data, tmp_path / "yolo", tmp_path, {"b/images/im1.jpg": 0})


def test_new_labels_are_read_although_a_cache_was_left(data, tmp_path):
    first = load(write_yolo(data, tmp_path / "yolo", tmp_path), "val")
    moved = person(INSIDE.keypoints + 1, INSIDE.visibility, INSIDE.box + 1)
    frame = data["val"].frames[0]
    data["val"] = Dataset(STICK, (Frame(frame.file_name, 100, 80, (OUTSIDE, moved)),))
    second = load(write_yolo(data, tmp_path / "yolo", tmp_path), "val")
    shift = second.labels[0]["keypoints"] - first.labels[0]["keypoints"]
    np.testing.assert_allclose(shift[0, 0], [0.01, 0.0125, 0], atol=1e-4)


def test_description_comes_from_the_skeleton(data, tmp_path):
    read = yaml.safe_load(write_yolo(data, tmp_path / "yolo", tmp_path).read_text())
    assert read["flip_idx"] == [0, 2, 1]
    assert read["kpt_shape"] == [3, 3]
    assert read["kpt_oks_sigmas"] == pytest.approx([0.1, 0.2, 0.3])
    assert read["kpt_names"] == {0: ["neck", "left_hip", "right_hip"]}
    assert read["names"] == {0: "person"}
    assert {key: read[key] for key in description(STICK)} == description(STICK)


def test_images_are_links_and_the_originals_stay(data, tmp_path):
    before = {f.file_name: (tmp_path / f.file_name).read_bytes() for p in data.values() for f in p.frames}
    folder = write_yolo(data, tmp_path / "yolo", tmp_path).parent
    assert all(path.is_symlink() for path in (folder / "images").glob("*/*"))
    write_yolo(data, folder, tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_what_the_loader_repairs_is_not_the_original(data, tmp_path):
    """Ultralytics rewrites a JPEG with bytes after its end marker, as some phones write them."""
    original = tmp_path / "a/images/im2.jpg"
    odd = original.read_bytes() + b"\0\0"
    original.write_bytes(odd)
    data_yaml = write_yolo(data, tmp_path / "yolo", tmp_path)
    assert len(load(data_yaml, "val")) == 1
    assert not (data_yaml.parent / "images/val/a__images__im2.jpg").is_symlink()
    assert original.read_bytes() == odd


def test_copies_where_links_are_refused(data, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    folder = write_yolo(data, tmp_path / "yolo", tmp_path).parent
    copy = folder / "images/val/a__images__im2.jpg"
    assert not copy.is_symlink()
    assert copy.read_bytes() == (tmp_path / "a/images/im2.jpg").read_bytes()


def test_a_folder_with_something_else_is_left_alone(data, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(BadInput, match="something other"):
        write_yolo(data, folder, tmp_path)
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_missing_images_are_named_and_nothing_is_written(data, tmp_path):
    (tmp_path / "a/images/im1.jpg").unlink()
    with pytest.raises(BadInputs, match=r"a/images/im1\.jpg is missing"):
        write_yolo(data, tmp_path / "yolo", tmp_path)
    assert not (tmp_path / "yolo").exists()


def test_joints_on_the_edge_are_kept():
    edge = person([[0, 0], [100, 80], [100.01, 80]], [2, 1, 2], [0, 0, 100, 80])
    (line,) = label_lines(Frame("im.jpg", 100, 80, (edge,)))
    joints = np.array(line.split()[5:], float).reshape(3, 3)
    np.testing.assert_allclose(joints, [[0, 0, 2], [1, 1, 1], [0, 0, 0]])
