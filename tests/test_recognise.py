"""Whose labels a file is: real exports of tools, and what a stranger might make of one."""

import json
import zipfile
from pathlib import Path

import pytest

from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.formats.importing import import_labels
from fosbury.formats.recognise import TOOLS, kinds, recognise, refuse_other_tools
from fosbury.formats.registry import FORMATS, HEAD

CVAT_XML = '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
KEYPOINT = {"from_name": "kp", "value": {"x": 1, "y": 2, "keypointlabels": ["nose"]}, "type": "keypointlabels"}
FILES = {
    "coco.json": ("coco", {"info": {}, "images": [], "annotations": [], "categories": []}),
    "images.xml": ("cvat_images", f"{CVAT_XML}<meta><task><mode>annotation</mode></task></meta></annotations>"),
    "dumped.xml": ("cvat_images", f'{CVAT_XML}<meta><mode>interpolation</mode></meta><image id="0"/></annotations>'),
    "video.xml": ("cvat_video", f'{CVAT_XML}<meta/><track id="0" label="athlete"></track></annotations>'),
    "voc.xml": ("pascal_voc", "<annotation><folder>x</folder><object></object></annotation>"),
    "data.yaml": ("yolo_pose", "path: .\ntrain: train.txt\nkpt_shape: [17, 3]\nnames:\n  0: human\n"),
    "roboflow.yaml": ("yolo_pose", "train: ../train\nkpt_shape: [17, 3]\nroboflow:\n  version: 1\n"),
    "boxes.yaml": ("yolo_boxes", "train: ../train/images\nnc: 3\nnames: ['jump', 'land', 'run']\n"),
    "obj.data": ("darknet", "classes = 18\n"),
    "tasks.json": ("label_studio", [{"id": 1, "annotations": [{"result": [KEYPOINT]}]}]),
    "min.json": ("label_studio", [{"image": "a.jpg", "kp": [{"x": 1, "keypointlabels": ["nose"]}], "annotator": 1}]),
    "project.json": ("via", {"_via_settings": {}, "_via_img_metadata": {}}),
    "region.json": ("via", {"a.jpg1": {"filename": "a.jpg", "regions": [{"shape_attributes": {"name": "point"}}]}}),
    "labelme.json": ("labelme", {"version": "5.0.1", "flags": {}, "shapes": [], "imagePath": "a.jpg"}),
    "datumaro.json": ("datumaro", {"dm_format_version": "1.0", "infos": {}, "categories": {}, "items": []}),
    "older.json": ("datumaro", {"info": {}, "categories": {"label": {"labels": []}}, "items": []}),
    "pose.json": ("openpose", {"version": 1.3, "people": [{"pose_keypoints_2d": [1, 2, 0.5]}]}),
    "results.json": ("coco_results", [{"image_id": 1, "category_id": 1, "keypoints": [], "score": 0.9}]),
    "labels.slp": ("sleap", "\x89HDF"),
    "CollectedData_anna.h5": ("deeplabcut", "\x89HDF"),
    "machine.csv": ("deeplabcut", "scorer,anna,anna\nbodyparts,nose,nose\ncoords,x,y\n"),
    "many.csv": ("deeplabcut", "scorer,,,anna\nindividuals,,,one\nbodyparts,,,nose\ncoords,,,x\n"),
    "train.csv": ("jump_broadcast", "#1\nevent;frame_num;athlete;slowmotion;head_x;rsho_x\n"),
    "a.txt": ("yolo_text", "0 0.133333 0.3 0.266667 0.2 0.1 0.2 2 0.3 0.4 2\n"),
}
UNKNOWN = {
    "notes.txt": "one 2 3",
    "other.xml": "<html></html>",
    "params.yaml": "seed: 0\n",
    "list.json": [],
    "table.csv": "a,b\n",
    "x.json": {},
}


def write(path: Path, content) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(("name", "kind", "content"), [(n, *rest) for n, rest in FILES.items()])
def test_each_tools_file_is_known_alone_in_a_folder_and_in_an_archive(tmp_path, name, kind, content):
    path = write(tmp_path / "set/deep" / name, content)
    picture = write(tmp_path / "set/images/a.jpg", "picture")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(path, f"deep/{name}")
        archive.write(picture, "images/a.jpg")
    found = [recognise(each) for each in (path, tmp_path / "set", tmp_path / "set.zip")]
    assert [(each[0].name, each[1]) for each in found] == [(kind, ""), (kind, f"deep/{name}"), (kind, f"deep/{name}")]


@pytest.mark.parametrize(("name", "content"), UNKNOWN.items())
def test_what_is_no_tools_file_is_not_taken_for_one(tmp_path, name, content):
    path = write(tmp_path / "set" / name, content)
    assert recognise(path) is recognise(tmp_path / "set") is recognise(tmp_path / "none") is None
    refuse_other_tools(path)


def test_every_kind_has_a_file_here_and_comes_from_the_registry_or_has_a_hint():
    assert [kind.name for kind in kinds()] == [*FORMATS, *(tool.name for tool in TOOLS)]
    assert {kind for kind, _ in FILES.values()} == {kind.name for kind in kinds()} - {"cvat_video_every"}
    assert len({kind.name for kind in kinds()}) == len(kinds())
    assert all(tool.hint for tool in TOOLS)


@pytest.mark.parametrize("name", [name for name, (kind, _) in FILES.items() if kind in FORMATS and kind != "coco"])
def test_where_coco_is_wanted_other_labels_are_to_be_imported(tmp_path, name):
    with pytest.raises(BadInput, match=r"not COCO keypoints; bring it in with 'fosbury import' first"):
        read_coco(write(tmp_path / name, FILES[name][1]))


@pytest.mark.parametrize("name", [name for name, (kind, _) in FILES.items() if kind not in FORMATS])
def test_reading_and_importing_say_whose_file_it_is_and_what_to_export(tmp_path, name):
    kind = next(tool for tool in TOOLS if tool.name == FILES[name][0])
    path = write(tmp_path / "set" / name, FILES[name][1])
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(path, name)
    (tmp_path / "raw").mkdir()
    for source in (path, tmp_path / "set", tmp_path / "set.zip"):
        with pytest.raises(BadInput) as caught:
            import_labels(source, name="club", root=tmp_path / "raw")
        said = str(caught.value)
        assert kind.what in said and kind.hint in said and str(source) in said
    with pytest.raises(BadInput) as caught:
        read_coco(path)
    assert kind.hint in str(caught.value)
    assert list((tmp_path / "raw").iterdir()) == []


def test_coco_beside_another_tools_files_is_read(tmp_path):
    write(tmp_path / "set/person_keypoints_default.json", FILES["coco.json"][1])
    write(tmp_path / "set/data.yaml", FILES["data.yaml"][1])
    assert recognise(tmp_path / "set")[0].name == "coco"
    with pytest.raises(BadInput, match="no category names its joints"):
        import_labels(tmp_path / "set", name="club", root=tmp_path / "raw")


def test_only_the_head_of_a_file_is_looked_at_and_an_entity_bomb_is_not_expanded(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaa">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 20)
    )
    path = write(tmp_path / "bomb.xml", f"{bomb}]>{CVAT_XML[39:]}<meta>&a19;</meta><image id='0'/></annotations>")
    assert recognise(path)[0].name == "cvat_images"
    late = write(tmp_path / "late.xml", " " * HEAD + FILES["video.xml"][1])
    assert recognise(late) is None
    with late.open("r+b") as file:
        file.truncate(2**40)
    assert recognise(late) is None


def test_links_endless_folders_and_damaged_archives_give_no_answer(tmp_path):
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop/again").symlink_to(tmp_path / "loop")
    (tmp_path / "loop/data.yaml").symlink_to(write(tmp_path / "outside.yaml", FILES["data.yaml"][1]))
    assert recognise(tmp_path / "loop") is None
    deep = tmp_path.joinpath("deep", *"abcdefgh")
    write(deep / "data.yaml", FILES["data.yaml"][1])
    assert recognise(tmp_path / "deep") is None
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.yaml", FILES["data.yaml"][1] * 99)
    packed = bytearray((tmp_path / "set.zip").read_bytes())
    packed[45:60] = bytes(15)
    (tmp_path / "set.zip").write_bytes(packed)
    assert recognise(tmp_path / "set.zip") is None


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("cvat_images_xml/keytool", "cvat_images"),
        ("cvat_images_xml/datumaro_test/train.xml", "cvat_images"),
        ("cvat_video_xml/volleyball_phases", "cvat_video"),
        ("cvat_video_xml/volleyball_phases/usa-hitting.xml", "cvat_video"),
        ("cvat_video_xml/datumaro_test", "cvat_video"),
        ("cvat_ultralytics_yolo_pose/datumaro_test", "yolo_pose"),
        ("cvat_ultralytics_yolo_pose/finetune_gym_v1/ultralytics_yolo_pose_1.0_210", "yolo_pose"),
        ("cvat_ultralytics_yolo_pose/finetune_gym_v1/yolo_1.1_210", "darknet"),
        ("roboflow_yolov8_pose/keira_humanpose/humanpose.v1i.yolov5pytorch.zip", "yolo_pose"),
        ("label_studio/sdk_test/data_keypoints.json", "label_studio"),
        ("label_studio/sdk_test", "label_studio"),
        ("mmpose_tests/coco/test_coco_det_AP_H_56.json", "coco_results"),
        ("mmpose_tests/coco/test_coco.json", "coco"),
        ("mmpose_tests/crowdpose/test_crowdpose.json", "coco"),
        ("cvat_coco_keypoints/keira_tiger", "coco"),
        ("cvat_coco_keypoints/datumaro_test", "coco"),
        ("cvat_coco_keypoints/finetune_gym/annotations_v1/merged_coco.json", "coco"),
        ("cvat_video_xml/volleyball_phases/non_spike_regions.json", None),
    ],
)
def test_real_exports_are_known(shared, tmp_path, path, kind):
    found = recognise(shared / "formats" / path)
    assert (found[0].name if found else None) == kind
    if found and found[0] in TOOLS:
        with pytest.raises(BadInput) as caught:
            import_labels(shared / "formats" / path, name="club", root=tmp_path)
        assert found[0].what in str(caught.value) and found[0].hint in str(caught.value)


@pytest.mark.real
def test_real_sets_of_boxes_and_of_photographs_are_known(shared):
    assert recognise(shared / "broadcast")[0].name == "yolo_boxes"
    assert recognise(shared / "lspe")[0].name == "coco"
    assert recognise(shared / "videos") is None


def test_the_docs_name_every_kind():
    text = (Path(__file__).parents[1] / "docs/your-own-clips.md").read_text(encoding="utf-8")
    assert [tool.what for tool in TOOLS if tool.what not in text] == []
