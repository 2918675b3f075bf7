"""ONNX files: what is written, what is read, what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml

pytest.importorskip("ultralytics")
from exported_models import SIZE, exportable, forward, module, noise, tiny

from fosbury.errors import BadInput
from fosbury.export.onnx import OnnxPose, describe, to_onnx
from fosbury.inference.metadata import ModelMetadata
from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.media.image import write_image
from fosbury.pose import Dataset, Frame
from fosbury.skeleton import Skeleton

CONF = Path(__file__).parents[1] / "conf/skeleton"


def skeleton(name):
    return Skeleton.from_mapping(yaml.safe_load((CONF / f"{name}.yaml").read_text()))


COCO, LSP = skeleton("coco17"), skeleton("lsp14")
ABOUT = ModelMetadata(COCO, "AGPL-3.0")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return to_onnx(module(COCO), tmp_path_factory.mktemp("onnx") / "model.onnx")


def plain(path, file, **changes):
    """The same network as Ultralytics writes it, apart from ``changes`` to the metadata (None: left out)."""
    model = onnx.load(file)
    told = {"task": "pose", "kpt_shape": "[17, 3]", "imgsz": "[64, 96]", "names": "{0: 'person'}", "date": "2026"}
    told |= {"license": "AGPL-3.0 License (https://ultralytics.com/license)", "end2end": "False"} | changes
    del model.metadata_props[:]
    for key, value in told.items():
        if value is not None:
            model.metadata_props.add(key=key, value=value)
    onnx.save(model, path)
    return path


def test_the_file_says_what_it_is(file):
    model = load_model(file)
    assert isinstance(model, OnnxPose) and isinstance(model, PoseModel)
    assert model.input_size == SIZE and model.licence == "AGPL-3.0"
    assert model.skeleton.to_mapping() == COCO.to_mapping()
    told = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(told["fosbury.skeleton"])["joints"] == list(COCO.joints)
    assert list(told) == sorted(told)


def test_it_answers_as_the_checkpoint_does(file):
    batch = noise()
    np.testing.assert_allclose(OnnxPose(file).forward(batch), forward(tiny()[0], batch), atol=2e-3)


def test_its_poses_are_those_that_ultralytics_reads_from_it(file):
    import torch
    from ultralytics import YOLO

    picture = np.random.default_rng(1).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    ours = OnnxPose(file, confidence=1e-4).predict([picture])[0]
    torch.manual_seed(0)
    theirs = YOLO(file, task="pose").predict(picture[..., ::-1], conf=1e-4, imgsz=list(SIZE), verbose=False)[0]
    assert len(ours) == len(theirs.boxes) > 0
    for pose, box, joints in zip(ours, theirs.boxes, theirs.keypoints, strict=True):
        np.testing.assert_allclose(pose.score, box.conf[0], atol=1e-5)
        np.testing.assert_allclose(pose.box, box.xyxy[0], atol=0.01)
        inside = np.clip(pose.keypoints, 0, (120, 50))  # where Ultralytics moves a joint beyond the edge
        np.testing.assert_allclose(inside, joints.xy[0], atol=0.01)


def test_two_exports_have_the_same_bytes(file, tmp_path):
    again = to_onnx(module(COCO), tmp_path / "other-name.onnx")
    assert again.read_bytes() == file.read_bytes()
    assert str(tmp_path).encode() not in again.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["other-name.onnx"]


def test_describe_takes_out_clock_and_makers_notes(file, tmp_path):
    one, two = (plain(tmp_path / f"{year}.onnx", file, date=year, args="{'data': '/home/x'}") for year in "12")
    one_model = onnx.load(one)
    one_model.doc_string = one_model.graph.node[0].doc_string = "/home/someone/train.py(3)"
    onnx.save(one_model, one)
    assert describe(one, ABOUT).read_bytes() == describe(two, ABOUT).read_bytes()
    assert b"/home" not in one.read_bytes()
    assert one.read_bytes() == file.read_bytes()


def test_a_temperature_travels_and_cools_the_confidence(file, tmp_path):
    path = to_onnx(module(COCO, temperature=2.0), tmp_path / "temperature_scaled.onnx")
    told = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert told["fosbury.temperature"] == "2.0" and list(told) == sorted(told)
    assert "exp(-ln(c / (1 - c)) / 2.0)" in onnx.load(path).doc_string
    picture = np.random.default_rng(1).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    write_image(tmp_path / "a.png", picture)
    data = Dataset(COCO, (Frame("a.png", 120, 50),))
    raw, cool = (predict_dataset(OnnxPose(each, confidence=1e-4), data, tmp_path)[0] for each in (file, path))
    assert len(raw) == len(cool) > 0
    for before, after in zip(raw, cool, strict=True):
        np.testing.assert_array_equal(before.keypoints, after.keypoints)
        odds = before.confidence / (1 - before.confidence)
        np.testing.assert_allclose(after.confidence, np.sqrt(odds) / (1 + np.sqrt(odds)), atol=1e-6)
        assert before.score == after.score


@pytest.mark.parametrize("text", ["warm", "0", "-1", "inf", "nan"])
def test_a_temperature_that_is_none_is_refused(file, tmp_path, text):
    path = plain(tmp_path / "spoilt.onnx", file, **{"fosbury.temperature": text})
    with pytest.raises(BadInput, match=f"says that its temperature is '{text}', no number above 0"):
        load_model(path, skeleton=COCO)


def test_other_skeletons_travel(tmp_path):
    path = to_onnx(module(LSP), tmp_path / "lsp.onnx")
    assert load_model(path).skeleton.joints == LSP.joints
    assert load_model(path, skeleton=COCO).skeleton.joints == LSP.joints


def test_a_plain_ultralytics_file(file, tmp_path):
    path = plain(tmp_path / "plain.onnx", file)
    with pytest.raises(BadInput, match="predicts 17 joints and does not name them; name its skeleton"):
        load_model(path)
    model = load_model(path, skeleton=COCO)
    assert model.skeleton is COCO and model.licence == "AGPL-3.0"
    assert load_model(path, skeleton=LSP).skeleton.joints == COCO.joints
    picture = np.random.default_rng(1).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    expected = OnnxPose(file, confidence=1e-4).predict([picture])[0]
    found = load_model(path, skeleton=COCO, confidence=1e-4).predict([picture])[0]
    np.testing.assert_array_equal(expected[0].keypoints, found[0].keypoints)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task": "detect"}, "is not a pose model"),
        ({"kpt_shape": None}, "is not a pose model"),
        ({"kpt_shape": "[17, 4]"}, "is not a pose model"),
        ({"kpt_shape": "__import__('os')"}, "is not a pose model"),
        ({"end2end": "True"}, "suppression"),
        ({"kpt_shape": "[14, 3]"}, "predicts 14 joints, but skeleton 'coco17' has 17"),
        ({"fosbury.skeleton": "{}", "fosbury.format": "1"}, "has no joints"),
        ({"fosbury.skeleton": "{", "fosbury.format": "1"}, "damaged skeleton"),
        ({"fosbury.skeleton": "[1]", "fosbury.format": "1"}, "damaged skeleton"),
        ({"fosbury.skeleton": "{}", "fosbury.format": "9"}, "has format 9, and this version reads 1"),
    ],
)
def test_metadata_that_does_not_fit_is_refused(file, tmp_path, changes, says):
    path = plain(tmp_path / "odd.onnx", file, **changes)
    with pytest.raises(BadInput, match=says) as refusal:
        load_model(path, skeleton=COCO)
    assert "odd.onnx" in str(refusal.value) and "\n" not in str(refusal.value)


def test_damaged_files_are_refused(file, tmp_path):
    content = file.read_bytes()
    cases = {
        "empty": (b"", "is empty"),
        "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer"),
        "half": (content[: len(content) // 2], "damaged"),
        "text": (b"<html>not found</html>", "damaged"),
        "zeros": (bytes(1000), "damaged"),
    }
    for name, (start, says) in cases.items():
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(start)
        with pytest.raises(BadInput, match=says):
            load_model(path)
    with pytest.raises(BadInput, match="is not there"):
        load_model(tmp_path / "absent.onnx")
    with pytest.raises(BadInput, match=r"suffix '\.h5'.*\.pt, \.pth, \.onnx, \.mlpackage, \.tflite"):
        load_model(tmp_path / "model.h5")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(BadInput, match="is a folder"):
        load_model(tmp_path / "folder.onnx")


def test_an_onnx_file_answers_without_torch(file):
    code = (
        "import sys, numpy as np\n"
        "from fosbury.inference.registry import load_model\n"
        "load_model(sys.argv[1]).predict([np.zeros((64, 64, 3), np.uint8)])\n"
        "print([name for name in ('torch', 'ultralytics', 'coremltools') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_another_kind_of_network_is_refused(tmp_path):
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Relu", ["a"], ["b"])
    shape = [1, 3, *SIZE]
    graph = onnx.helper.make_graph([node], "g", [value("a", 1, shape)], [value("b", 1, shape)])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "relu.onnx")
    with pytest.raises(BadInput, match="is not a pose model"):
        load_model(tmp_path / "relu.onnx", skeleton=COCO)
    path = plain(tmp_path / "claims.onnx", tmp_path / "relu.onnx")
    with pytest.raises(BadInput, match="has an output of 1 x 3 x 64 x 96, not the raw answer of a YOLO pose head"):
        load_model(path, skeleton=COCO)
    node.op_type = "NoSuchOperator"
    graph = onnx.helper.make_graph([node], "g", [value("a", 1, shape)], [value("b", 1, shape)])
    onnx.save(onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=10), tmp_path / "odd.onnx")
    with pytest.raises(BadInput, match="ONNX Runtime can run"):
        load_model(tmp_path / "odd.onnx", skeleton=COCO)


def test_weights_in_another_file_are_refused(file, tmp_path):
    path = tmp_path / "split.onnx"
    onnx.save(onnx.load(file), path, save_as_external_data=True, location="weights.bin")
    with pytest.raises(BadInput, match="keeps its weights in another file"):
        load_model(path)


def test_only_the_size_it_was_exported_for(file):
    assert load_model(file, image_size=SIZE).input_size == SIZE
    with pytest.raises(BadInput, match=r"takes pictures of 64 x 96 \(height x width\) only, not 640 x 640"):
        load_model(file, image_size=640)


def test_threads_are_checked(file, monkeypatch):
    monkeypatch.setenv("FOSBURY_THREADS", "many")
    with pytest.raises(BadInput, match="FOSBURY_THREADS: is 'many'"):
        load_model(file)


def test_the_answer_does_not_depend_on_threads(file, monkeypatch):
    picture = np.random.default_rng(1).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    answers = []
    for threads in "12":
        monkeypatch.setenv("FOSBURY_THREADS", threads)
        answers.append(OnnxPose(file, confidence=1e-4).predict([picture])[0][0].keypoints)
    np.testing.assert_array_equal(*answers)


def test_a_backend_that_is_not_installed(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.partition(".")[0] == "ultralytics"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "fosbury.backends.yolo", raising=False)
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    (tmp_path / "model.pt").write_bytes(b"x" * 2000)
    with pytest.raises(BadInput, match=r"needs the package ultralytics; install .*'\.\[yolo\]'"):
        load_model(tmp_path / "model.pt")


def test_skeletons_survive_the_mapping():
    for path in sorted(CONF.glob("*.yaml")):
        given = skeleton(path.stem)
        back = Skeleton.from_mapping(json.loads(json.dumps(given.to_mapping())))
        for name in ("name", "joints", "bones", "pairs", "shoulders", "hips", "limbs"):
            assert getattr(back, name) == getattr(given, name)
        np.testing.assert_array_equal(back.sigmas, given.sigmas)


@pytest.mark.real
def test_real_weights_find_the_same_people(shared, tmp_path):
    from fosbury.media.image import read_image

    weights = shared / "weights/yolo11n-pose-coco-approx.pt"
    size = (256, 256)
    checkpoint = load_model(weights, COCO, image_size=size)
    from fosbury.backends.yolo import load_module

    network = exportable(load_module(weights)[0], size)
    exported = load_model(to_onnx(module(COCO, network=network), tmp_path / "real.onnx"))
    images = [read_image(path) for path in sorted((shared / "flops/images").iterdir())[:4]]
    for before, after in zip(checkpoint.predict(images), exported.predict(images), strict=True):
        assert len(before) == len(after) > 0
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(other.keypoints, one.keypoints, atol=0.05)
