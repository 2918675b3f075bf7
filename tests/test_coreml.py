"""CoreML packages: written as an iPhone wants them, and run here from the package's own program and weights."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

pytest.importorskip("ultralytics")
from exported_models import SIZE, exportable, forward, module, noise, tiny

from fosbury.errors import BadInput
from fosbury.export import coreml, mil
from fosbury.export.coreml import CoreMLPose, read_package, to_coreml
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.refinement import Refinement
from fosbury.skeleton import Skeleton

CONF = Path(__file__).parents[1] / "conf/skeleton"
COCO = Skeleton.from_mapping(yaml.safe_load((CONF / "coco17.yaml").read_text()))
MODEL = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS = Path("Data/com.apple.CoreML/weights/weight.bin")


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("coreml")
    return {kind: to_coreml(module(COCO), folder / f"{kind}.mlpackage", kind) for kind in coreml.QUANTIZE}


@pytest.fixture
def package(packages, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(packages["int8"], tmp_path / "spoilt.mlpackage"))


def files(package):
    return {str(path.relative_to(package)): path.read_bytes() for path in package.rglob("*") if path.is_file()}


def test_a_temperature_travels(packages, tmp_path):
    package = to_coreml(module(COCO, temperature=2.5), tmp_path / "c.mlpackage")
    about = read_package(package)[0].description.metadata
    assert about.userDefined["fosbury.temperature"] == "2.5" and "/ 2.5))" in about.shortDescription
    assert load_model(package).temperature == load_model(package, refinement=Refinement(how="zoom")).temperature == 2.5
    assert load_model(packages["int8"]).temperature is None


def test_an_app_developer_can_feed_a_picture(packages):
    spec, _ = read_package(packages["int8"])
    picture = spec.description.input[0]
    assert picture.name == "image" and len(spec.description.input) == 1
    assert (picture.type.imageType.height, picture.type.imageType.width) == SIZE
    assert picture.type.imageType.colorSpace == picture.type.imageType.RGB
    answer = spec.description.output[0]
    cells = 8 * 12 + 4 * 6 + 2 * 3
    assert answer.name == "poses" and list(answer.type.multiArrayType.shape) == [1, 56, cells]
    assert answer.type.multiArrayType.dataType == answer.type.multiArrayType.FLOAT32
    about = spec.description.metadata
    assert about.license == "AGPL-3.0" and "left_shoulder, right_shoulder" in about.shortDescription
    assert json.loads(about.userDefined["fosbury.skeleton"])["joints"] == list(COCO.joints)


def test_a_package_answers_the_protocol(packages):
    model = load_model(packages["int8"])
    assert isinstance(model, CoreMLPose) and isinstance(model, PoseModel)
    assert model.input_size == SIZE and model.licence == "AGPL-3.0"
    assert model.skeleton.to_mapping() == COCO.to_mapping()


@pytest.mark.parametrize(
    ("kind", "half", "pixels", "confidence"),
    [("none", False, 2e-3, 1e-5), ("fp16", False, 0.1, 1e-3), ("fp16", True, 0.3, 2e-3), ("int8", False, 2.0, 0.02)],
)
def test_it_answers_as_the_checkpoint_does(packages, kind, half, pixels, confidence):
    model, batch = CoreMLPose(packages[kind], half=half), noise()
    error = np.abs(model.forward(batch) - forward(tiny()[0], batch))[0]
    joints = error[5:].reshape(17, 3, -1)
    assert max(error[:4].max(), joints[:, :2].max()) < pixels
    assert max(error[4].max(), joints[:, 2].max()) < confidence


def test_quantised_weights_are_smaller(packages):
    sizes = [(packages[kind] / WEIGHTS).stat().st_size for kind in ("none", "fp16", "int8")]
    assert sizes[1] < 0.52 * sizes[0] and sizes[2] < 0.55 * sizes[1]


def test_only_weights_of_convolutions_are_quantised(packages):
    spec, weights = read_package(packages["int8"])
    function = coreml._function(spec, weights, packages["int8"])
    coded = {step.outputs[0].name for step in function.operations if step.op_type.startswith("constexpr")}
    read_by = {step.op_type for step in function.operations for given in step.inputs.values() if _reads(given, coded)}
    assert len(coded) > 40 and read_by == {"conv"}


def _reads(given, names):
    given = given if isinstance(given, (list, tuple)) else [given]
    return any(value is not None and value.name in names for value in given)


def test_two_exports_have_the_same_bytes(packages, tmp_path):
    out = tmp_path / "again.mlpackage"
    out.mkdir()
    (out / "stale").write_text("x")
    again = to_coreml(module(COCO), out)
    assert files(again) == files(packages["int8"])
    assert not any(str(tmp_path).encode() in content for content in files(again).values())
    assert [path.name for path in tmp_path.iterdir()] == ["again.mlpackage"]


def test_the_manifest_names_the_parts(packages):
    manifest = json.loads((packages["fp16"] / "Manifest.json").read_text())
    for entry in manifest["itemInfoEntries"].values():
        assert (packages["fp16"] / "Data" / entry["path"]).exists()
    assert manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["name"] == "model.mlmodel"


def test_boxes_lie_in_the_picture_the_most_confident_first(packages):
    picture = np.random.default_rng(1).integers(0, 256, (50, 120, 3), dtype=np.uint8)
    poses = load_model(packages["int8"], confidence=1e-4).predict([picture])[0]
    assert poses and [pose.score for pose in poses] == sorted((pose.score for pose in poses), reverse=True)
    assert all((pose.box >= 0).all() and (pose.box <= [120, 50, 120, 50]).all() for pose in poses)


def test_unknown_kind_of_quantisation(tmp_path):
    with pytest.raises(BadInput, match="is 'int3'; use one of none, fp16, int8"):
        to_coreml(module(COCO), tmp_path / "m.mlpackage", "int3")


@pytest.mark.parametrize(
    ("part", "content", "says"),
    [
        ("Manifest.json", b"{", "Manifest.json: is damaged"),
        ("Manifest.json", b'{"itemInfoEntries": {}, "rootModelIdentifier": "a"}', "Manifest.json: is damaged"),
        ("Manifest.json", b"[]", "Manifest.json: is damaged"),
        ("Manifest.json", None, "Manifest.json: does not exist"),
        (MODEL, b"", "model.mlmodel: is empty"),
        (MODEL, b"\xff" * 50, "model.mlmodel: is damaged"),
        (MODEL, b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (WEIGHTS, None, "cannot be read"),
        (WEIGHTS, b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (WEIGHTS, b"short", "cannot be read"),
    ],
)
def test_damaged_packages_are_refused(package, part, content, says):
    (package / part).unlink()
    if content is not None:
        (package / part).write_bytes(content)
    with pytest.raises(BadInput, match=says) as refusal:
        load_model(package)
    assert "spoilt.mlpackage" in str(refusal.value) and "\n" not in str(refusal.value)


def test_truncated_weights_are_refused(package):
    content = (package / WEIGHTS).read_bytes()
    (package / WEIGHTS).write_bytes(content[: len(content) // 2])
    with pytest.raises(BadInput, match="cannot be read"):
        load_model(package)


def test_a_package_that_points_outside_itself_is_refused(package, tmp_path):
    outside = tmp_path / "outside.bin"
    outside.write_bytes((package / WEIGHTS).read_bytes())
    (package / WEIGHTS).unlink()
    (package / WEIGHTS).symlink_to(outside)
    with pytest.raises(BadInput, match="points to a file outside itself"):
        load_model(package)
    manifest = json.loads((package / "Manifest.json").read_text())
    manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"] = "../../outside.bin"
    (package / "Manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match="points to a file outside itself"):
        load_model(package)


def test_a_file_is_not_a_package(tmp_path):
    (tmp_path / "m.mlpackage").write_text("x")
    with pytest.raises(BadInput, match="which is a folder"):
        load_model(tmp_path / "m.mlpackage")


def test_an_unknown_operation_is_named(packages, monkeypatch):
    monkeypatch.delitem(mil.OPERATIONS, "silu")
    with pytest.raises(BadInput, match="uses the operation silu, which runs on Apple's systems only"):
        load_model(packages["fp16"])


def run(kind, *results, half=False, **inputs):
    feeds = {key: value for key, value in inputs.items() if isinstance(value, torch.Tensor)}
    given = {key: mil.Value(key) if key in feeds else value for key, value in inputs.items()}
    outputs = [(f"out{index}", half) for index in range(len(results))]
    program = mil.Program([mil.Operation(kind, given, outputs)], [name for name, _ in outputs])
    for expected, found in zip(results, program(**feeds).values(), strict=True):
        np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


X = torch.tensor([[1.0, -2.0, 3.0]])


def test_operations_by_hand():
    run("sigmoid_hard", [[0.7, 0.1, 1.0]], x=X, alpha=0.2, beta=0.5)
    run("clip", [[1, -1, 2]], x=X, alpha=-1.0, beta=2.0)
    run("real_div", [[0.5, -1, 1.5]], x=X, y=np.float32(2))
    run("linear", [[1 - 4 + 9 + 0.5]], x=X, weight=np.array([[1.0, 2.0, 3.0]]), bias=np.array([0.5]))
    run("matmul", [[14.0]], x=X, y=X, transpose_y=True)
    run("reduce_l2_norm", [[14**0.5]], x=X, axes=[-1], keep_dims=True)
    run("expand_dims", [[[[1.0, -2.0, 3.0]]]], x=X, axes=[0, 2])
    run("squeeze", [1.0, -2.0, 3.0], x=X, axes=[0])
    run("split", [[1.0]], [[-2.0, 3.0]], x=X, split_sizes=[1, 2], axis=1)
    masks = {"end_mask": [False, True], "squeeze_mask": [True, False]}
    run("slice_by_index", [-2.0, 3.0], x=X, begin=[0, 1], end=[0, 0], **masks)
    run("max_pool", [[[[1.0, 3.0]]]], x=X[None, None], kernel_sizes=[1, 3], strides=[1, 2], pad_type="same")
    run("relu6", [[2.0, 0.0, 6.0]], x=2 * X)
    run("pad", [[9.0, 1.0, -2.0, 3.0, 9.0, 9.0]], x=X, pad=[0, 0, 1, 2], mode="constant", constant_val=9.0)
    twice = {"scale_factor_height": 1, "scale_factor_width": 2}
    run("upsample_bilinear", [[[[1.0, 0.25, -1.25, -0.75, 1.75, 3.0]]]], x=X[None, None], align_corners=False, **twice)
    run("upsample_bilinear", [[[[1.0, -0.2, -1.4, -1.0, 1.0, 3.0]]]], x=X[None, None], align_corners=True, **twice)
    run("cast", [[1.0, -2.0, 3.0]], x=X, dtype="fp16")
    run("cast", [[1, -1, 3]], x=X + 0.25, dtype="int32")


def test_compressed_constants_by_hand():
    program = mil.Program(
        [
            mil.Operation(
                "constexpr_affine_dequantize",
                {
                    "quantized_data": np.array([[1, 3], [5, -7]], dtype=np.int8),
                    "zero_point": np.array([1, -1], dtype=np.int8),
                    "scale": np.array([0.5, 2.0]),
                    "axis": 0,
                },
                [("affine", True)],
            ),
            mil.Operation(
                "constexpr_lut_to_dense",
                {
                    "indices": np.array([0b11100100], dtype=np.uint8),
                    "lut": np.array([10.0, 20, 30, 40]),
                    "shape": [2, 2],
                },
                [("table", True)],
            ),
        ],
        ["affine", "table"],
    )
    found = program()
    assert not program.steps
    assert found["affine"].tolist() == [[0.0, 1.0], [12.0, -12.0]]
    assert found["table"].tolist() == [[10.0, 20.0], [30.0, 40.0]]


def test_float16_is_rounded_where_it_is_declared():
    fine = torch.tensor([1000.3])
    run("add", [1000.5], half=True, x=fine, y=np.float32(0))
    run("add", [1000.3], half=False, x=fine, y=np.float32(0))


def test_parameters_and_settings_that_are_not_known_are_refused():
    for kind, inputs in (("relu", {"x": mil.Value("x"), "slope": 1.0}), ("teleport", {})):
        with pytest.raises(mil.UnknownOperationError, match=kind):
            mil.Program([mil.Operation(kind, inputs, [("y", False)])], ["y"])
    with pytest.raises(mil.UnknownOperationError, match="pad by 'reflect'"):
        run("pad", X, x=X, pad=[0, 0, 1, 1], mode="reflect")
    with pytest.raises(mil.UnknownOperationError, match="by edges"):
        run("upsample_bilinear", X, x=X[None, None], align_corners=False, half_pixel_centers=False)


class _Everything(torch.nn.Module):
    """Layers whose conversion covers padding, pooling, attention, splitting and resizing."""

    def __init__(self):
        super().__init__()
        self.wide = torch.nn.Conv2d(3, 8, 5, stride=2, padding=(2, 1), dilation=(1, 2))
        self.depth = torch.nn.Conv2d(8, 8, 3, padding="same", groups=8)
        self.flat = torch.nn.Linear(8, 6)

    def forward(self, x):
        x = self.wide(x)
        x = torch.cat([self.depth(x), torch.nn.functional.max_pool2d(x, 3, 1, 1)], 1)
        first, second = x.chunk(2, 1)
        x = torch.nn.functional.interpolate(first * second.sigmoid(), scale_factor=2.0, mode="nearest")
        tokens = x.flatten(2).transpose(1, 2)[:, ::3]
        tokens = self.flat(tokens / tokens.norm(dim=-1, keepdim=True).clamp(min=1e-3))
        attention = (tokens @ tokens.transpose(1, 2)).softmax(-1)
        return torch.nn.functional.hardsigmoid((attention @ tokens).mean(1, keepdim=True)).clamp(0.1, 0.9)


def test_converted_layers_answer_as_torch_does():
    import coremltools as ct

    torch.manual_seed(0)
    network, x = _Everything().eval(), torch.randn(1, 3, 17, 23)
    with coreml._quiet():
        converted = ct.convert(
            torch.jit.trace(network, x),
            inputs=[ct.TensorType("x", shape=x.shape)],
            outputs=[ct.TensorType("y")],
            compute_precision=ct.precision.FLOAT32,
            minimum_deployment_target=ct.target.iOS16,
            skip_model_load=True,
        )
    function = coreml._function(converted.get_spec(), Path(converted.weights_dir), Path("m"))
    program = mil.Program(list(coreml._operations(function)), ["y"])
    np.testing.assert_allclose(program(x=x)["y"].numpy(), network(x).detach().numpy(), atol=1e-5)


@pytest.mark.real
def test_real_weights_find_the_same_people(shared, tmp_path):
    from fosbury.backends.yolo import load_module
    from fosbury.media.image import read_image

    size = (256, 256)
    weights = shared / "weights/yolo11n-pose-coco-approx.pt"
    checkpoint = load_model(weights, COCO, image_size=size)
    network = exportable(load_module(weights)[0], size)
    images = [read_image(path) for path in sorted((shared / "flops/images").iterdir())[:3]]
    expected = [poses[0] for poses in checkpoint.predict(images)]
    model = load_model(to_coreml(module(COCO, network=network), tmp_path / "real.mlpackage"))
    for poses, pose in zip(model.predict(images), expected, strict=True):
        assert np.linalg.norm(poses[0].keypoints - pose.keypoints, axis=1).mean() < 2.0
