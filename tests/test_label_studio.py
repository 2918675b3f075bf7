"""Label Studio's JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring
from PIL import Image

from fosbury.errors import BadInput
from fosbury.formats.coco import skeleton_of
from fosbury.formats.importing import import_labels
from fosbury.formats.label_studio import picture_names, read_label_studio, write_label_studio
from fosbury.formats.label_studio_config import config
from fosbury.pose import Dataset, Frame, Person


def joint(name: str, x: float, y: float, region: str, **more: object) -> dict:
    value = {"x": x, "y": y, "width": 0.3, "keypointlabels": [name]}
    return {"id": region, "type": "keypointlabels", "value": value, **size(), **more}


def size() -> dict:
    return {"original_width": 200, "original_height": 100, "image_rotation": 0, "to_name": "image"}


def rectangle(region: str, x: float, width: float) -> dict:
    value = {"x": x, "y": 5, "width": width, "height": 90, "rotation": 0, "rectanglelabels": ["athlete"]}
    return {"id": region, "type": "rectanglelabels", "value": value, **size()}


def export(path: Path, *results: dict, **task: object) -> Path:
    made = {"completed_by": 1, "result": list(results)}
    path.write_text(
        json.dumps([{"id": 1, "data": {"image": "/data/upload/1/0a1b2c3d-a.png"}, "annotations": [made], **task}])
    )
    return path


def test_joints_are_put_together_with_their_rectangles(tmp_path):
    path = export(
        tmp_path / "a.json",
        rectangle("r1", 5, 40),
        rectangle("r2", 50, 45),
        joint("left_hip", 20, 20, "a"),
        joint("right_hip", 30, 20, "b", parentID="r1"),
        joint("left_hip", 60, 20, "c", parentID="r2"),
        joint("right_hip", 20, 60, "d"),
        {"type": "relation", "from_id": "d", "to_id": "r2", "direction": "right"},
        {"id": "a", "type": "choices", "from_name": "state", "value": {"choices": ["occluded"]}},
        {"id": "z", "type": "choices", "from_name": "phase", "value": {"choices": ["arch"]}},
        {"id": "y", "type": "choices", "from_name": "anything", "value": {"choices": ["lumbar"]}},
        {"id": "x", "type": "textarea", "from_name": "description", "value": {"text": ["a round back"]}},
    )
    (frame,) = read_label_studio(path).frames
    assert [person.keypoints.tolist() for person in frame.people] == [[[40, 20], [60, 20]], [[120, 20], [40, 60]]]
    assert [person.visibility.tolist() for person in frame.people] == [[1, 2], [2, 2]]
    assert frame.people[0].box.tolist() == [10, 5, 90, 95]
    assert (frame.file_name, frame.phase, frame.label, frame.description) == ("a.png", "arch", "lumbar", "a round back")


def test_the_last_annotation_counts_and_a_prediction_only_without_one(tmp_path):
    good = [joint("left_hip", 20, 20, "a"), joint("right_hip", 30, 30, "b")]
    old = {"result": [joint("left_hip", 1, 1, "a"), joint("right_hip", 2, 2, "b")]}
    made = [old, {"result": good}, {"result": old["result"], "was_cancelled": True}]
    path = export(tmp_path / "a.json", annotations=made, predictions=[old])
    assert read_label_studio(path).frames[0].people[0].keypoints.tolist() == [[40, 20], [60, 30]]
    path = export(tmp_path / "a.json", annotations=[], predictions=[{"from_name": "x", "result": good}])
    assert read_label_studio(path).frames[0].people[0].keypoints[0].tolist() == [40, 20]


def test_the_short_export(tmp_path):
    points = [
        {**joint(n, x, 20, "")["value"], "original_width": 200, "original_height": 100} for n, x in (("a", 1), ("b", 9))
    ]
    points[1]["y"] = 30
    (tmp_path / "a.json").write_text(
        json.dumps([{"id": 1, "annotator": 2, "image": "s3://clips/a.png", "joints": points}])
    )
    (frame,) = read_label_studio(tmp_path / "a.json").frames
    assert frame.people[0].keypoints.tolist() == [[2, 20], [18, 30]] and frame.file_name == "a.png"


@pytest.mark.parametrize(
    ("address", "first"),
    [
        ("/data/upload/1/0a1b2c3d-jump 1.jpg", "jump 1.jpg"),
        ("/data/local-files/?d=club/%C3%BC.jpg", "club/ü.jpg"),
        ("https://host/x/y.jpg?token=1", "y.jpg"),
        ("club/a.jpg", "club/a.jpg"),
    ],
)
def test_names_of_pictures(address, first):
    assert picture_names(address)[0] == first


def test_a_name_that_climbs_out_is_refused(tmp_path):
    data = {"data": {"image": "/data/local-files/?d=../../a.png"}}
    path = export(tmp_path / "a.json", joint("left_hip", 1, 1, "a"), joint("right_hip", 9, 9, "b"), **data)
    with pytest.raises(BadInput, match="climbs out"):
        read_label_studio(path)


def test_predictions_mark_doubt_and_keep_the_joint(tmp_path):
    keypoints = np.array([[5.0, 4.0], [9.0, 8.0]])
    person = Person(keypoints, np.array([2, 1], np.uint8), np.array([4.0, 3, 10, 9]), 18.0, np.array([0.9, 0.2]))
    dataset = Dataset(skeleton_of("person", ["left_hip", "right_hip"]), (Frame("a.png", 40, 30, (person,)),))
    write_label_studio(dataset, tmp_path)
    (task,) = json.loads((tmp_path / "tasks.json").read_text())
    assert task["annotations"] == []
    marks = [r["value"]["choices"] for r in task["predictions"][0]["result"] if r["type"] == "choices"]
    assert marks == [["occluded", "doubtful"]]
    back = read_label_studio(tmp_path / "tasks.json").frames[0].people[0]
    assert np.allclose(back.keypoints, keypoints) and back.visibility.tolist() == [2, 1]


def test_the_configuration_is_xml_with_every_joint(skeletons):
    root = fromstring(config(skeletons["coco17"]))
    joints = [label.get("value") for label in root.find("KeyPointLabels").iter("Label")]
    assert tuple(joints) == skeletons["coco17"].joints


def test_the_sdks_own_sample(shared, tmp_path):
    path = shared / "formats/label_studio/sdk_test/data_keypoints.json"
    (frame,) = read_label_studio(path).frames
    assert (frame.width, frame.height, len(frame.people)) == (216, 174, 1)
    nose = frame.people[0].keypoints[read_label_studio(path).skeleton.joints.index("nose")]
    assert np.allclose(nose, [0.6444444444 * 216, 0.3929078014 * 174], atol=0.01)
    Image.new("RGB", (216, 174)).save(tmp_path / "image1.jpg")
    assert import_labels(path, tmp_path, "club", tmp_path / "raw").format == "label_studio"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image_rotation": 90}, "a.png: was turned by 90 degrees"),
        ({"value": [1]}, "a.png: has 1 results whose value is no object"),
        ({"id": ["a"]}, "a.png: has 1 results whose value is no object or whose id"),
    ],
)
def test_results_that_cannot_be_placed_are_said_or_dropped_and_noted(tmp_path, change, said):
    good = [joint("left_hip", 20, 20, "a"), joint("right_hip", 30, 30, "b")]
    path = export(tmp_path / "a.json", {**good[0], **change}, good[1])
    with pytest.raises(BadInput) as caught:
        read_label_studio(path)
    assert said in str(caught.value)
    tasks = json.loads(path.read_text())
    other = {"id": 2, "data": {"image": "b.png"}, "annotations": [{"result": good}]}
    path.write_text(json.dumps([*tasks, other]))
    dataset = read_label_studio(path, on_problem="drop")
    assert [frame.file_name for frame in dataset.frames] == ["b.png"] and said in dataset.notes[0]


@pytest.mark.parametrize("made", [[], [{"id": 1, "result": []}], [{"result": [rectangle("r", 5, 40)]}]])
def test_tasks_without_joints_are_label_studios_and_said_to_have_none(tmp_path, made):
    (tmp_path / "a.json").write_text(
        json.dumps([{"id": 1, "data": {"image": "a.png"}, "annotations": made, "total_annotations": 1}])
    )
    with pytest.raises(BadInput, match="holds no joints"):
        import_labels(tmp_path / "a.json", name="club", root=tmp_path / "raw")
