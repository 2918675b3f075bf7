"""Attributes and tags of labelling tools as fields of a frame."""

from __future__ import annotations

import json

from fosbury.formats.attributes import frame_fields
from fosbury.formats.coco import read_coco


def test_known_names_give_fields_and_others_give_none():
    attributes = {
        "Form": "lumbar",
        "occluded": False,
        "PHASE": "Take-off",
        "Description": "__undefined__",
        "track_id": 3,
    }
    assert frame_fields(attributes) == {"label": "lumbar", "phase": "takeoff"}


def test_a_tag_is_a_phase_or_the_label_and_attributes_count_before_tags():
    assert frame_fields({}, ["land", "good form", "other"]) == {"phase": "landing", "label": "good form"}
    assert frame_fields({"phase": "arch"}, ["land"]) == {"phase": "arch"}


def test_attributes_of_annotations_reach_the_frame_and_its_own_fields_stay(tmp_path):
    joints = ["left_hip", "right_hip"]
    people = [
        {"id": n, "image_id": n, "category_id": 1, "keypoints": [1, 2, 2, 5, 6, 2], "attributes": {"form": "lumbar"}}
        for n in (1, 2)
    ]
    images = [
        {"id": 1, "file_name": "a.jpg", "width": 10, "height": 10},
        {"id": 2, "file_name": "b.jpg", "width": 10, "height": 10, "label": "correct"},
    ]
    path = tmp_path / "labels.json"
    categories = [{"id": 1, "name": "person", "keypoints": joints}]
    path.write_text(json.dumps({"images": images, "annotations": people, "categories": categories}))
    assert [frame.label for frame in read_coco(path).frames] == ["lumbar", "correct"]
