"""What `fosbury import` says to every real file of CVAT's XML and of YOLO's pose labels: a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from fosbury.errors import BadInput, BadInputs
from fosbury.formats.importing import import_labels

GYM = "cvat_ultralytics_yolo_pose/finetune_gym_v1"
TABLE = {
    "cvat_images_xml/datumaro_test": "is 8x8: pictures under 10 pixels a side cannot be trained on",
    "cvat_images_xml/keytool": "holds points of which no label is a joint's (up to 5 of 'keytool' in one shape)",
    "cvat_video_xml/datumaro_test": "4 of its 4 joints lie outside the image of 25x20",
    "cvat_video_xml/volleyball_phases": "holds tracks of approach, jump, landing, swing and no joints",
    "cvat_video_xml/volleyball_phases/annotations.xml": "phases alone go into phases.csv",
    "cvat_video_xml/volleyball_phases/usa-hitting.xml": "phases alone go into phases.csv",
    "cvat_ultralytics_yolo_pose/datumaro_test": "does not name its 3 joints; add a line 'kpt_names: {0: [left_hip",
    f"{GYM}/ultralytics_yolo_pose_1.0_210": "image files that do not exist (210; is the folder right?)",
    f"{GYM}/yolo_1.1_210": "holds YOLO 1.1 (Darknet) labels, boxes without joints",
    "cvat_coco_keypoints/keira_tiger/data.yaml": "is not readable YAML",
    "cvat_coco_keypoints/keira_tiger/tiger.zip": "holds YOLO's text labels without their data.yaml",
    "roboflow_yolov8_pose/keira_humanpose/humanpose.v1i.yolov5pytorch.zip": "yolo_pose: 60 frames, 60 people, 1020",
}
"""File or folder, and the sentence or part of it."""
FOLDERS = ("cvat_images_xml", "cvat_video_xml", "cvat_ultralytics_yolo_pose", "roboflow_yolov8_pose")


def said(path: Path, root: Path) -> str:
    try:
        done = import_labels(path, name="x", root=root, trial=True)
    except BadInputs as error:
        return f"{len(error.problems)} problems, such as {error.problems[0]}; {error.hint}"
    except BadInput as error:
        return f"{error.problem}; {error.hint}"
    return f"{done.format}: {done.frames} frames, {done.people} people, {done.joints} joints"


@pytest.mark.parametrize("name", TABLE)
def test_each_is_brought_in_or_refused_by_the_sentence_of_the_table(shared, tmp_path, name):
    path = shared / "formats" / name
    if not path.exists():
        pytest.skip(f"needs {name}")
    answer = said(path, tmp_path)
    print(f"| {name} | {answer} |")
    assert TABLE[name] in answer


def test_every_other_file_of_these_kinds_gets_an_answer(shared, tmp_path):
    """A file that the table does not name is brought in, or refused by a sentence that says what to do."""
    paths = [path for folder in FOLDERS for path in sorted((shared / "formats" / folder).glob("*/*"))]
    files = [path for path in paths if path.suffix in (".xml", ".yaml", ".yml", ".zip")]
    assert files
    for path in files:
        if path.relative_to(shared / "formats").as_posix() not in TABLE:
            answer = said(path, tmp_path)
            print(f"| {path.parent.name}/{path.name} | {answer} |")
            assert "Traceback" not in answer and len(answer) > 20
