"""A format of labels is one module and one entry: import, sniffing, refusal, archives and folders come with it."""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput, BadInputs
from fosbury.formats import registry
from fosbury.formats.coco import read_coco
from fosbury.formats.importing import import_labels
from fosbury.formats.recognise import TOOLS, kinds, recognise

TOY = """
from fosbury.formats.coco import read_content
from fosbury.formats.registry import LabelFormat


def read(path, skeleton=None, images=None, on_problem="raise"):
    header, *rows = [line.split(",") for line in path.read_text().splitlines()]
    content = {
        "images": [{"id": n, "file_name": row[0], "width": 64, "height": 48} for n, row in enumerate(rows)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "keypoints": [float(value) for value in row[1:]] }
            for n, row in enumerate(rows)
        ],
        "categories": [{"id": 1, "name": "toy", "keypoints": header[2:]}],
    }
    return read_content(content, path, skeleton, images, on_problem=on_problem)


FORMAT = LabelFormat(
    name="toy",
    what="toy points",
    suffixes=(".csv",),
    matches=lambda name, head: head.startswith("toy,picture,"),
    read=read,
)
"""
LABELS = "toy,picture,nose,left_hip,right_hip\n"
ROW = "{},10,5,2,20,30,2,26,30,1\n"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """The toy format, as its author adds it."""
    (tmp_path / "toy_labels.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(registry.FORMATS, "toy", "toy_labels")
    yield
    sys.modules.pop("toy_labels", None)


def export(folder: Path, names=("a.jpg", "b.jpg"), labels="labels.csv") -> Path:
    (folder / "images").mkdir(parents=True)
    for shade, name in enumerate(names):
        Image.new("RGB", (64, 48), (60 * shade, 0, 0)).save(folder / "images" / name)
    path = folder / labels
    path.parent.mkdir(exist_ok=True)
    path.write_text(LABELS + "".join(ROW.format(name) for name in names))
    return folder


def pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.rglob("*")):
            packed.write(path, path.relative_to(folder))
    return archive


@pytest.mark.parametrize("format", ["auto", "toy"])
@pytest.mark.parametrize("labels", ["labels.csv", "annotations/labels.csv"])
def test_a_new_format_goes_in_as_file_folder_and_archive(toy, tmp_path, format, labels):
    folder = export(tmp_path / "mine", labels=labels)
    sources = {"file": folder / labels, "folder": folder, "zip": pack(folder, tmp_path / "mine.zip")}
    for name, source in sources.items():
        summary = import_labels(source, name=name, root=tmp_path / "raw", format=format)
        assert (summary.format, summary.frames, summary.joints, summary.occluded) == ("toy", 2, 6, 2)
        found = read_coco(tmp_path / "raw" / name / "annotations.json", images=tmp_path / "raw" / name / "images")
        assert found.skeleton.joints == ("nose", "left_hip", "right_hip")
        assert found.frames[0].people[0].keypoints[1].tolist() == [20, 30]


def test_what_is_common_holds_for_a_new_format_too(toy, tmp_path):
    folder = export(tmp_path / "mine", ("jump_frame_0001.jpg", "jump_frame_0002.jpg"))
    import_labels(folder, name="club", root=tmp_path / "raw")
    groups = {frame.group for frame in read_coco(tmp_path / "raw/club/annotations.json").frames}
    assert groups == {"club/jump"}
    (folder / "images" / "jump_frame_0002.jpg").write_bytes(b"")
    with pytest.raises(BadInputs):
        import_labels(folder, name="bad", root=tmp_path / "raw")
    assert import_labels(folder, name="part", root=tmp_path / "raw", drop_bad=True).frames == 1
    assert not (tmp_path / "raw" / "bad").exists()


def test_a_format_that_is_named_and_does_not_match_is_refused(toy, tmp_path):
    toys = export(tmp_path / "toys")
    coco = tmp_path / "coco"
    coco.mkdir()
    content = {"images": [], "annotations": [], "categories": []}
    (coco / "annotations.json").write_text(json.dumps(content))
    (tmp_path / "empty").mkdir()
    for folder, asked, said in (
        (toys, "coco", "holds toy points in labels.csv, not COCO keypoints; import it with --format toy"),
        (toys / "labels.csv", "coco", "is toy points, not COCO keypoints; import it with --format toy"),
        (pack(toys, tmp_path / "toys.zip"), "coco", "holds toy points in labels.csv, not COCO keypoints"),
        (coco, "toy", "holds COCO keypoints in annotations.json, not toy points; import it with --format coco"),
        (tmp_path / "empty", "toy", "holds no labels that can be read (toy points)"),
        (toys, "nonsense", f"--format: is 'nonsense'; choose one of {', '.join(('auto', *registry.FORMATS))}"),
    ):
        with pytest.raises(BadInput) as caught:
            import_labels(folder, name="club", root=tmp_path / "raw", format=asked)
        assert said in str(caught.value)
    assert not (tmp_path / "raw" / "club").exists()


def test_a_format_that_is_named_is_read_beside_another(toy, tmp_path):
    folder = export(tmp_path / "mine")
    (folder / "annotations.json").write_text('{"images": [')
    assert recognise(folder)[0].name == "coco"
    assert import_labels(folder, name="club", root=tmp_path / "raw", format="toy").frames == 2


def test_a_tool_whose_format_is_registered_is_no_longer_refused(toy, tmp_path, monkeypatch):
    assert [kind.name for kind in kinds()][: len(registry.FORMATS)] == [*registry.FORMATS]
    monkeypatch.setitem(registry.FORMATS, "via", "toy_labels")
    assert "via" in {tool.name for tool in TOOLS}
    assert "via" not in {kind.name for kind in kinds()}


def test_the_command_takes_a_format(toy, tmp_path, monkeypatch):
    root = Path(__file__).parents[1]
    repository = tmp_path / "repository"
    repository.mkdir()
    for entry in ("conf", "hydra_plugins", "dvc.yaml"):
        (repository / entry).symlink_to(root / entry)
    monkeypatch.chdir(repository)
    folder = export(tmp_path / "mine")
    words = ["import", str(folder), "--format"]
    result = CliRunner().invoke(app, [*words, "toy", "--name", "club"])
    assert result.exit_code == 0, result.output
    assert "2 frames, 2 people, 6 joints" in result.output
    assert CliRunner().invoke(app, [*words, "coco", "--name", "other"]).exit_code == 2
    assert CliRunner().invoke(app, [*words, "nonsense", "--name", "other"]).exit_code == 2


def coco_of_a_tool(folder: Path, image: dict, annotation: dict, categories: list[dict]) -> dict:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)).save(folder / image["file_name"])
    size = {"width": 64, "height": 48}
    annotation = {"image_id": image["id"], "keypoints": [10, 20, 2, 30, 40, 1, 0, 0, 0], **annotation}
    return {"images": [{**image, **size}], "annotations": [annotation], "categories": categories}


def test_coco_annotators_joints_without_an_outline_have_no_box(tmp_path):
    """As its ``export_annotations`` writes them: no ``info``, edges counted from 1, the box and area all 0."""
    joints = {"keypoints": ["left_hip", "right_hip", "nose"], "skeleton": [[1, 2], [2, 3]]}
    category = {"id": 3, "name": "athlete", "supercategory": "", "color": "#e5ae51", "metadata": {}, **joints}
    image = {"id": 7, "file_name": "a b.png", "path": "/datasets/jumps/a b.png", "dataset_id": 1, "metadata": {}}
    made = {"id": 9, "category_id": 3, "segmentation": [], "area": 0, "bbox": [0, 0, 0, 0], "iscrowd": False}
    made |= {"isbbox": False, "color": "#09db44", "metadata": {}, "num_keypoints": 2}
    content = coco_of_a_tool(tmp_path, image, made, [category])
    (tmp_path / "coco-1700000000.123.json").write_text(json.dumps(content))
    done = import_labels(tmp_path, name="club", root=tmp_path / "raw")
    (frame,) = read_coco(done.folder / "annotations.json").frames
    assert (done.format, frame.file_name, done.joint_names) == ("coco", "a b.png", tuple(joints["keypoints"]))
    assert frame.people[0].visibility.tolist() == [2, 1, 0] and frame.people[0].box.tolist() == [10, 20, 30, 40]


def test_roboflows_root_category_names_no_joints(tmp_path):
    """Its COCO has a first category, the name of the project, of which nothing is an instance."""
    joints = {"keypoints": ["left_hip", "right_hip", "nose"], "skeleton": [[1, 2]]}
    categories = [
        {"id": 0, "name": "jumps", "supercategory": "none"},
        {"id": 1, "name": "athlete", "supercategory": "jumps", **joints},
    ]
    image = {"id": 0, "license": 1, "file_name": "a_png.rf.0a1b2c3d.png", "extra": {"name": "a.png"}}
    made = {"id": 0, "category_id": 1, "bbox": [8, 15, 30, 30.5], "area": 915, "segmentation": [], "iscrowd": 0}
    (tmp_path / "train").mkdir()
    content = coco_of_a_tool(tmp_path / "train", image, made, categories)
    (tmp_path / "train/_annotations.coco.json").write_text(json.dumps(content))
    done = import_labels(tmp_path, name="club", root=tmp_path / "raw")
    assert (done.format, done.frames, done.joints, done.occluded) == ("coco", 1, 2, 1)
    assert done.joint_names == tuple(joints["keypoints"])
