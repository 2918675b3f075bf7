"""Networks that others published as .tflite: BlazePose, its detector, MoveNet; and files that are none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="needs the extra tflite")

from fosbury.errors import BadInput
from fosbury.export.tflite import open_model
from fosbury.formats.coco import read_coco
from fosbury.inference.blazepose import ALIGNMENT, JOINTS, SKELETON
from fosbury.inference.boxes import BoxProvider, look_upright
from fosbury.inference.registry import load_model
from fosbury.inference.rotated_crop import lean
from fosbury.media.image import read_image

FULL, DETECTOR, MOVENET = "blazepose_landmark_full", "blazepose_detection", "movenet_lightning_int8"
# Of mp.solutions.pose in MediaPipe 0.10.14, static_image_mode, model_complexity 1, on flops/images/im04284.jpg: pixels
# of the detector's first two points, and of shoulders, hips and ankles.
PICTURE = "im04284.jpg"
THEIR_DETECTION = [[160.5, 199.26], [57.33, 191.01]]
THEIR_JOINTS = {
    "left_shoulder": [92.78, 213.33],
    "right_shoulder": [99.6, 185.91],
    "left_hip": [159.51, 202.47],
    "right_hip": [162.75, 194.05],
    "left_ankle": [208.8, 238.49],
    "right_ankle": [208.28, 236.82],
}


@pytest.fixture(scope="module")
def weights(shared) -> Path:
    return shared / "weights"


@pytest.fixture(scope="module")
def picture(shared) -> np.ndarray:
    return read_image(shared / "flops/images" / PICTURE)


@pytest.fixture(scope="module")
def blazepose(weights):
    return load_model(weights / f"{FULL}.tflite")


@pytest.fixture(scope="module")
def found(weights, picture):
    return load_model(weights / f"{DETECTOR}.tflite").predict([picture])[0]


def test_blazepose_says_what_it_is(blazepose):
    assert blazepose.input_size == (256, 256) and blazepose.needs_boxes and blazepose.licence == "Apache-2.0"
    assert blazepose.skeleton is SKELETON
    with pytest.raises(BadInput, match="needs the box of each person"):
        blazepose.predict([np.zeros((9, 9, 3), np.uint8)])


def test_the_detector_finds_whom_mediapipe_finds_where_it_does(found):
    assert np.abs(found[0].keypoints[:2] - THEIR_DETECTION).max() < 0.05


def test_a_turned_look_gives_the_joints_that_mediapipe_gives(blazepose, picture, found):
    pose = look_upright(blazepose, picture, found[0])
    off = [np.linalg.norm(pose.keypoints[JOINTS.index(name)] - point) for name, point in THEIR_JOINTS.items()]
    assert max(off) < 1.5 and np.median(off) < 0.5
    assert pose.score == found[0].score


def test_a_turned_picture_turns_what_the_detector_finds(weights, picture, found):
    model = load_model(weights / f"{DETECTOR}.tflite")
    turned = model.predict([np.ascontiguousarray(np.rot90(picture, -1))])[0][0]  # a quarter clockwise
    change = lean(turned.keypoints, ALIGNMENT) - lean(found[0].keypoints, ALIGNMENT)
    assert np.cos(change - np.pi / 2) > 0.95


def test_a_grey_picture_shows_nobody(weights, blazepose):
    grey = np.full((200, 300, 3), 114, np.uint8)
    assert load_model(weights / f"{DETECTOR}.tflite").predict([grey]) == [[]]
    assert BoxProvider(blazepose, str(weights / f"{DETECTOR}.tflite")).predict([grey], []) == [[]]
    (pose,) = blazepose.predict([grey], [np.array([[50.0, 20, 250, 180]])])[0]
    assert pose.score < 0.1


@pytest.mark.parametrize("name", [FULL, MOVENET])
def test_an_upright_person_is_found_in_the_labelled_box(name, shared, weights, skeletons):
    """Of the real photographs of upright people the typical joint lies within a tenth of the box."""
    labels = read_coco(shared / "lspe/annotations.json", skeletons["lsp14"], shared / "lspe/images")
    upright = [
        frame
        for frame in labels.frames
        if frame.people and lean(frame.people[0].keypoints, labels.skeleton) ** 2 < 0.02
    ][:8]
    model = load_model(weights / f"{name}.tflite", skeletons["coco17"])
    place = labels.skeleton.match(model.skeleton.joints)
    errors = []
    for frame in upright:
        person = frame.people[0]
        (pose,) = model.predict([read_image(shared / "lspe/images" / frame.file_name)], [person.box[None]])[0]
        both = person.labelled & (place >= 0)
        off = np.linalg.norm(pose.keypoints[place[both]] - person.keypoints[both], axis=1)
        errors.append(np.median(off) / (person.box[2:] - person.box[:2]).max())
        assert ((pose.confidence >= 0) & (pose.confidence <= 1)).all()
    assert np.median(errors) < 0.1, errors


def test_movenet_has_cocos_joints(weights, skeletons):
    model = load_model(weights / f"{MOVENET}.tflite", skeletons["coco17"])
    assert model.skeleton is skeletons["coco17"] and model.input_size == (192, 192)
    with pytest.raises(BadInput, match="does not name them"):
        load_model(weights / f"{MOVENET}.tflite")


def test_a_model_that_is_no_finder_gives_no_boxes(weights, blazepose):
    with pytest.raises(BadInput, match="does not find people by itself"):
        BoxProvider(blazepose, str(weights / f"{FULL}.tflite"))


def test_its_image_size_is_its_own(weights):
    """An evaluation in the pipeline gives one to all its models."""
    assert open_model(weights / f"{FULL}.tflite", image_size=448).input_size == (256, 256)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04 something else", "is not a TFLite file"),
        (b"\x1c\0\0\0TFL3", "is damaged"),
        (b"\x1c\0\0\0TFL3" + b"\xff" * 500, "is damaged"),
        (b"\xff\xff\xff\x7fTFL3" + b"\0" * 500, "is damaged"),
    ],
)
def test_what_is_no_network_is_refused_in_a_sentence(tmp_path, content, problem):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=problem):
        open_model(path)


def test_a_cut_off_network_is_refused(weights, tmp_path):
    content = (weights / f"{MOVENET}.tflite").read_bytes()
    for share in (0.1, 0.5, 0.99):
        (tmp_path / "cut.tflite").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(BadInput, match=r"cut\.tflite"):
            open_model(tmp_path / "cut.tflite")


def test_another_network_is_refused_before_it_is_run(weights, tmp_path):
    """The detector, made to claim an input of 225 rows: LiteRT opens it, and its shape is no known one's."""
    content = (weights / f"{DETECTOR}.tflite").read_bytes()
    shape, other = (np.array([1, rows, 224, 3], "<i4").tobytes() for rows in (224, 225))
    assert content.count(shape) >= 1
    (tmp_path / "other.tflite").write_bytes(content.replace(shape, other))
    with pytest.raises(BadInput, match=r"other\.tflite: takes 1 x 225 x 224 x 3 and answers 1 x 2254 x 12, which"):
        open_model(tmp_path / "other.tflite")


def test_what_litert_prints_stays_off_the_terminal(weights, capfd):
    load_model(weights / f"{DETECTOR}.tflite").predict([np.zeros((50, 60, 3), np.uint8)])
    assert capfd.readouterr() == ("", "")


def test_a_detector_has_no_joint_to_vote_with(shared, weights):
    from fosbury.inference.labelled_set import evaluate_on_set
    from fosbury.refinement import Refinement

    detector = str(weights / f"{DETECTOR}.tflite")
    with pytest.raises(BadInput, match=f"{DETECTOR}.*has no joint of {FULL}"):
        evaluate_on_set(
            weights / f"{FULL}.tflite", shared / "flops", refinement=Refinement(how="vote", also=(detector,))
        )
