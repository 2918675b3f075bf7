"""Model files of strangers: what is damaged, odd or impossible is refused in one sentence with exit code 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from onnx import TensorProto, helper
from typer.testing import CliRunner

pytest.importorskip("ultralytics")
from exported_models import SIZE, module

from fosbury.backends import yolo
from fosbury.cli import app
from fosbury.export import coreml
from fosbury.export import onnx as onnx_models
from fosbury.formats.coco import write_coco
from fosbury.inference.metadata import ModelMetadata
from fosbury.inference.registry import load_model
from fosbury.skeleton import Skeleton
from fosbury.synth.stills import write_stills

CONF = Path(__file__).parents[1] / "conf/skeleton"
COCO = Skeleton.from_mapping(yaml.safe_load((CONF / "coco17.yaml").read_text()))
ABOUT = ModelMetadata(COCO, "MIT", image_size=SIZE)
ANCHORS = 8 * 12 + 4 * 6 + 2 * 3  # of a picture of 64 x 96
DEEP = "[" * 100_000
FLOAT, HALF, INT, BYTE, STRING = (
    getattr(TensorProto, name) for name in ("FLOAT", "FLOAT16", "INT64", "UINT8", "STRING")
)
RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> tuple[Path, Path]:
    """Labels of one picture, and the folder of the picture."""
    folder = tmp_path_factory.mktemp("labels")
    write_coco(write_stills(folder, 1, seed=3, size=(64, 64), skeleton=COCO), folder / "labels.json")
    return folder / "labels.json", folder


@pytest.fixture
def refused(labels) -> Callable[..., str]:
    """What `fosbury evaluate` says of a model that it refuses."""

    def ask(model: Path, *more: str) -> str:
        words = ["evaluate", "--model", model, "--annotations", labels[0], "--images", labels[1], *more]
        result = RUNNER.invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        message = result.stderr.strip()
        assert result.exit_code == 2, result.output
        assert len(message.splitlines()) == 1 and message.endswith(".") and model.name in message, message
        assert len(message) < 1000
        return message

    return ask


# ONNX: a graph by hand, whose answer is a constant that hangs on the picture.


def value(name: str, shape: list | None, kind: int = FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name: str, array: np.ndarray) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(array, name)


def network(
    inputs: list | None = None,
    nodes: list | None = None,
    outputs: list | None = None,
    metadata: dict[str, str | None] | None = None,
    constants: list | None = None,
) -> onnx.ModelProto:
    """A network of poses as small as can be, with these parts in the place of its own."""
    usual = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "poses"], ["output0"]),
    ]
    graph = helper.make_graph(
        usual if nodes is None else nodes,
        "poses",
        [value("images", [1, 3, *SIZE])] if inputs is None else inputs,
        [value("output0", [1, 56, ANCHORS])] if outputs is None else outputs,
        [constant("poses", np.zeros((1, 56, ANCHORS), np.float32)), *(constants or [])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    for key, text in (ABOUT.entries() | (metadata or {})).items():
        if text is not None:
            model.metadata_props.add(key=key, value=text)
    return model


def test_the_network_by_hand_is_one(tmp_path):
    onnx.save(network(), tmp_path / "whole.onnx")
    assert load_model(tmp_path / "whole.onnx", confidence=0.9).predict([np.zeros((40, 40, 3), np.uint8)]) == [[]]


def mapping(**changes) -> str:
    return json.dumps(COCO.to_mapping() | changes)


METADATA = {
    "skeleton a list": {"fosbury.skeleton": "[1, 2]"},
    "skeleton a number": {"fosbury.skeleton": "17"},
    "skeleton a text": {"fosbury.skeleton": '"coco17"'},
    "skeleton null": {"fosbury.skeleton": "null"},
    "skeleton deep": {"fosbury.skeleton": DEEP},
    "skeleton deep inside": {"fosbury.skeleton": '{"joints": ' + DEEP},
    "joints a number": {"fosbury.skeleton": mapping(joints=17)},
    "joints null": {"fosbury.skeleton": mapping(joints=None)},
    "joints lists": {"fosbury.skeleton": mapping(joints=[[index] for index in range(17)])},
    "sigmas a list": {"fosbury.skeleton": mapping(sigmas=[0.1] * 17)},
    "sigmas texts": {"fosbury.skeleton": mapping(sigmas=dict.fromkeys(COCO.joints, "wide"))},
    "sigmas not numbers": {"fosbury.skeleton": mapping(sigmas=dict.fromkeys(COCO.joints, float("nan")))},
    "bones numbers": {"fosbury.skeleton": mapping(bones=[[0, 1]])},
    "pairs a text": {"fosbury.skeleton": mapping(pairs="left")},
    "trunk a list": {"fosbury.skeleton": mapping(trunk=[1])},
    "limbs deep": {"fosbury.skeleton": mapping(limbs=[[[[]]]])},
    "another format": {"fosbury.format": "two"},
    "joints of another number": {"kpt_shape": "[16, 3]"},
    "shape a number": {"kpt_shape": "17"},
    "shape of one": {"kpt_shape": "[17]"},
    "shape of three": {"kpt_shape": "[17, 3, 3]"},
    "shape of texts": {"kpt_shape": '["17", "3"]'},
    "shape of fractions": {"kpt_shape": "[17.0, 3.0]"},
    "shape negative": {"kpt_shape": "[-17, 3]"},
    "shape huge": {"kpt_shape": "[1000000000, 3]", "fosbury.skeleton": None},
    "shape of many digits": {"kpt_shape": f"[{'9' * 5000}, 3]"},
    "shape deep": {"kpt_shape": DEEP},
    "no shape": {"kpt_shape": None},
    "size a text": {"imgsz": "wide"},
    "size of texts": {"imgsz": '["64", "96"]'},
    "size negative": {"imgsz": "[-64, -96]"},
    "size deep": {"imgsz": DEEP},
    "temperature a text": {"fosbury.temperature": "warm"},
    "temperature a list": {"fosbury.temperature": "[1]"},
    "another task": {"task": "detect"},
    "another head": {"fosbury.head": "heatmap"},
    "the other head": {"fosbury.head": "simcc"},
    "no metadata": dict.fromkeys(ABOUT.entries()),
}


@pytest.mark.parametrize("case", METADATA)
def test_metadata_of_onnx(case, tmp_path, refused):
    onnx.save(network(metadata=METADATA[case]), tmp_path / "odd.onnx")
    refused(tmp_path / "odd.onnx")


PICTURE = value("images", [1, 3, *SIZE])


def endless() -> onnx.ModelProto:
    """A loop whose condition stays true."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["still"]),
            helper.make_node("Add", ["carried", "carried"], ["next"]),
        ],
        "body",
        [value("turn", [], INT), value("on", [], TensorProto.BOOL), value("carried", [1, 3, *SIZE])],
        [value("still", [], TensorProto.BOOL), value("next", [1, 3, *SIZE])],
    )
    nodes = [
        helper.make_node("Loop", ["", "true", "images"], ["last"], body=body),
        helper.make_node("ReduceMean", ["last"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "poses"], ["output0"]),
    ]
    return network(nodes=nodes, constants=[constant("true", np.array(True))])


def cast(kind: int, shape: list) -> onnx.ModelProto:
    """Takes a picture of another type or shape."""
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "poses"], ["output0"]),
    ]
    return network(inputs=[value("images", shape, kind)], nodes=nodes)


def reshaped(shape: list[int], told: list) -> onnx.ModelProto:
    """Says that it takes any size, and reshapes what it is given."""
    nodes = [
        helper.make_node("Reshape", ["images", "shape"], ["flat"]),
        helper.make_node("Identity", ["flat"], ["output0"]),
    ]
    shape_of = constant("shape", np.array(shape, np.int64))
    inputs = [value("images", ["n", 3, "h", "w"])]
    return network(inputs=inputs, nodes=nodes, outputs=[value("output0", told)], constants=[shape_of])


def answering(*last: onnx.NodeProto, output: onnx.ValueInfoProto) -> onnx.ModelProto:
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "poses"], ["sum"]),
        *last,
    ]
    return network(nodes=nodes, outputs=[output])


def foreign() -> onnx.ModelProto:
    model = network(nodes=[helper.make_node("Steal", ["images"], ["output0"], domain="com.example")])
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


def elsewhere(inside_function: bool = False) -> onnx.ModelProto:
    """Weights in another file, that of the passwords, by the graph or by a function that it calls."""
    tensor = TensorProto(name="poses", data_type=FLOAT, dims=[1, 56, ANCHORS], data_location=TensorProto.EXTERNAL)
    for key, text in (("location", "../../../../etc/passwd"), ("offset", "0"), ("length", "64")):
        tensor.external_data.add(key=key, value=text)
    if not inside_function:
        model = network()
        model.graph.initializer[0].CopyFrom(tensor)
        return model
    steps = [helper.make_node("Constant", [], ["c"], value=tensor), helper.make_node("Add", ["x", "c"], ["y"])]
    function = helper.make_function("local", "Take", ["x"], ["y"], steps, [helper.make_opsetid("", 18)])
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0),
        helper.make_node("Take", ["mean"], ["output0"], domain="local"),
    ]
    model = network(nodes=nodes)
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local", 1))
    return model


def nested(depth: int) -> bytes:
    """Conditions within conditions, written by hand since no library goes so deep: graph.node.attribute.g and so on."""
    content = b""
    for tag in (*(0x32, 0x2A, 0x0A) * depth, 0x3A):  # g, attribute, node; graph
        length = len(content)
        size = bytearray()
        while length >= 0x80:
            size.append(length & 0x7F | 0x80)
            length >>= 7
        content = bytes([tag, *size, length]) + content
    return content


GRAPHS: dict[str, Callable[[], onnx.ModelProto]] = {
    "input of whole numbers": lambda: cast(INT, [1, 3, *SIZE]),
    "input of bytes": lambda: cast(BYTE, [1, 3, *SIZE]),
    "input of texts": lambda: cast(STRING, [1, 3, *SIZE]),
    "input without channels": lambda: cast(FLOAT, list(SIZE)),
    "input of one channel": lambda: cast(FLOAT, [1, 1, *SIZE]),
    "input of four pictures": lambda: cast(FLOAT, [4, 3, *SIZE]),
    "input a number": lambda: cast(FLOAT, []),
    "input huge": lambda: cast(FLOAT, [1, 3, 100_000, 100_000]),
    "input of no size": lambda: cast(FLOAT, [1, 3, 0, 0]),
    "two inputs": lambda: network(inputs=[PICTURE, value("more", [1])]),
    "no input": lambda: network(inputs=[], nodes=[helper.make_node("Identity", ["poses"], ["output0"])]),
    "no node": lambda: network(nodes=[]),
    "no output": lambda: network(outputs=[]),
    "output a sequence": lambda: answering(
        helper.make_node("SequenceConstruct", ["sum"], ["output0"]),
        output=helper.make_tensor_sequence_value_info("output0", FLOAT, None),
    ),
    "output optional": lambda: answering(
        helper.make_node("Optional", ["sum"], ["output0"]),
        output=helper.make_value_info(
            "output0", helper.make_optional_type_proto(helper.make_tensor_type_proto(FLOAT, None))
        ),
    ),
    "output a number": lambda: answering(
        helper.make_node("ReduceMean", ["sum"], ["output0"], keepdims=0), output=value("output0", [])
    ),
    "output of whole numbers": lambda: answering(
        helper.make_node("Cast", ["sum"], ["output0"], to=INT), output=value("output0", [1, 56, ANCHORS], INT)
    ),
    "output of texts": lambda: answering(
        helper.make_node("Cast", ["sum"], ["output0"], to=STRING), output=value("output0", [1, 56, ANCHORS], STRING)
    ),
    "output of another shape": lambda: answering(
        helper.make_node("Transpose", ["sum"], ["output0"], perm=[0, 2, 1]), output=value("output0", [1, ANCHORS, 56])
    ),
    "open output of another shape": lambda: reshaped([1, -1], ["a", "b"]),
    "open output of another length": lambda: reshaped([1, 64, -1], ["a", "b", "c"]),
    "open input that cannot be reshaped": lambda: reshaped([1, 57, 7], ["a", "b", "c"]),
    "unknown operation": lambda: network(nodes=[helper.make_node("NoSuch", ["images"], ["output0"])]),
    "operation of a library": foreign,
    "weights elsewhere": elsewhere,
    "weights of a function elsewhere": lambda: elsewhere(inside_function=True),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_graphs_of_onnx(case, tmp_path, refused):
    (tmp_path / "odd.onnx").write_bytes(GRAPHS[case]().SerializeToString())
    refused(tmp_path / "odd.onnx")


@pytest.mark.parametrize("depth", [20, 40, 5000])
def test_conditions_within_conditions(depth, tmp_path, refused):
    (tmp_path / "deep.onnx").write_bytes(nested(depth))
    refused(tmp_path / "deep.onnx")


def test_a_loop_without_end_is_left(tmp_path, refused, monkeypatch):
    monkeypatch.setattr(onnx_models, "MOST_SECONDS", 0.5)
    (tmp_path / "endless.onnx").write_bytes(endless().SerializeToString())
    assert "took more than 0.5 s for one picture" in refused(tmp_path / "endless.onnx")


def test_an_open_input_of_a_huge_size(tmp_path, refused):
    model = reshaped([1, 64, -1], ["a", "b", "c"])
    for entry in model.metadata_props:
        entry.value = "[100000, 100000]" if entry.key == "imgsz" else entry.value
    (tmp_path / "huge.onnx").write_bytes(model.SerializeToString())
    assert "up to 4096" in refused(tmp_path / "huge.onnx")


@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".pth", ".mlpackage"])
@pytest.mark.parametrize("content", [b"", b"\0" * 64, b"PK\x03\x04 not an archive", b"\x80\x04.", b"{}"])
def test_files_of_nothing(suffix, content, tmp_path, refused):
    path = tmp_path / f"nothing{suffix}"
    path.write_bytes(content)
    refused(path)


# Checkpoints.


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """A checkpoint of this project with weights at random."""
    torch.manual_seed(0)
    module = yolo.YoloModule(yolo._layout("yolo11n-pose"), ch=3, nc=1, data_kpt_shape=(17, 3), verbose=False)
    path = tmp_path_factory.mktemp("checkpoint") / "model.pt"
    yolo.save_module(module, path, COCO, 64)
    return path


@pytest.mark.parametrize("side", ["100000", "4128", "100"])
def test_an_image_size_that_no_network_takes(side, checkpoint, refused):
    assert "multiple of 32 up to 4096" in refused(checkpoint, "--image-size", side)


def head(module: torch.nn.Module) -> torch.nn.Module:
    return module.model[-1]


def many_joints(content: dict) -> None:
    """Claims a milliard of joints, with weights that are one number repeated."""
    content["model"].yaml["kpt_shape"] = [10**9, 3]
    last = head(content["model"]).cv4[0][2]
    last.weight = torch.nn.Parameter(torch.zeros(1, 1, 1, 1).expand(3 * 10**9, 51, 1, 1), requires_grad=False)


def spoil(where: str, what: object) -> Callable[[dict], None]:
    return lambda content: content["fosbury"].update({where: what})


def put(name: str, what: object) -> Callable[[dict], None]:
    return lambda content: content.update({name: what})


YOLO = {
    "skeleton a list": spoil("skeleton", [1, 2]),
    "skeleton a number": spoil("skeleton", 17),
    "joints of another number": spoil("skeleton", {"joints": ["a"], "sigmas": {"a": 0.1}}),
    "size a text": spoil("image_size", "wide"),
    "size negative": spoil("image_size", -64),
    "size huge": spoil("image_size", 10**9),
    "size of three": spoil("image_size", [64, 64, 64]),
    "no model": put("model", None),
    "model a number": put("model", 3),
    "model a tensor": put("model", torch.zeros(3)),
    "model a list": put("model", [1]),
    "model weights only": put("model", {"a": torch.zeros(3)}),
    "model another module": put("model", torch.nn.Linear(2, 2)),
    "description gone": lambda content: delattr(content["model"], "yaml"),
    "description a list": lambda content: setattr(content["model"], "yaml", [1]),
    "joints in texts": lambda content: content["model"].yaml.update(kpt_shape=["17", "3"]),
    "joints of another shape": lambda content: content["model"].yaml.update(kpt_shape=[16, 3]),
    "a milliard of joints": many_joints,
    "a layer gone": lambda content: content["model"].model.pop(3),
    "a layer of another width": lambda content: setattr(content["model"].model[0], "conv", torch.nn.Conv2d(3, 16, 5)),
    "weights of texts": lambda content: content["model"].model[0].conv._parameters.update(weight="heavy"),
    "weights without numbers": lambda content: (
        content["model"]
        .model[0]
        .conv._parameters.update(weight=torch.nn.Parameter(torch.empty(16, 3, 3, 3, device="meta")))
    ),
    "sparse weights": lambda content: (
        content["model"].model[0].conv._buffers.update(more=torch.zeros(2, 2).to_sparse())
    ),
    "modules in a circle": lambda content: content["model"]._modules.update(again=content["model"]),
}


@pytest.mark.parametrize("case", YOLO)
def test_checkpoints_of_yolo(case, checkpoint, tmp_path, refused):
    content = torch.load(checkpoint, weights_only=False)
    YOLO[case](content)
    torch.save(content, tmp_path / "odd.pt")
    refused(tmp_path / "odd.pt", "--skeleton", "coco17")


@pytest.fixture(scope="module")
def crops() -> dict:
    """Content of the committed checkpoint of RTMPose."""
    return torch.load(Path(__file__).parents[1] / "models/starter/rtmpose/rtmpose-t.pt", weights_only=True)


def last_layer(weight: torch.Tensor) -> Callable[[dict], None]:
    return lambda content: content["state_dict"].update({"head.final_layer.weight": weight})


RTMPOSE = {
    "architecture a list": spoil("architecture", ["rtmpose-t"]),
    "architecture a number": spoil("architecture", 3),
    "architecture a mapping": spoil("architecture", {"rtmpose-t": 1}),
    "architecture unknown": spoil("architecture", "../rtmpose-t"),
    "architecture another": spoil("architecture", "rtmpose-m"),
    "skeleton a list": spoil("skeleton", [1, 2]),
    "skeleton a number": spoil("skeleton", 17),
    "weights a number": put("state_dict", 3),
    "weights a list": put("state_dict", [torch.zeros(3)]),
    "no weights": put("state_dict", {}),
    "a weight a number": lambda content: content["state_dict"].update({"head.final_layer.bias": 0.5}),
    "a weight by number": lambda content: content["state_dict"].update({3: torch.zeros(3)}),
    "joints a scalar": last_layer(torch.tensor(17.0)),
    "no joints": last_layer(torch.zeros(0, 384, 7, 7)),
    "a milliard of joints": last_layer(torch.zeros(1, 1, 1, 1).expand(10**9, 384, 7, 7)),
    "no last layer": lambda content: content["state_dict"].pop("head.final_layer.weight"),
    "complex weights": last_layer(torch.zeros(17, 384, 7, 7, dtype=torch.complex64)),
}


@pytest.mark.parametrize("case", RTMPOSE)
def test_checkpoints_of_rtmpose(case, crops, tmp_path, refused):
    pytest.importorskip("mmpose", reason="needs the extra rtmpose")
    content = {key: dict(part) if isinstance(part, dict) else part for key, part in crops.items()}
    RTMPOSE[case](content)
    torch.save(content, tmp_path / "odd.pt")
    refused(tmp_path / "odd.pt", "--skeleton", "coco17")


# CoreML packages.


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    return coreml.to_coreml(module(COCO, "MIT"), tmp_path_factory.mktemp("coreml") / "m.mlpackage", "fp16")


def change(work: Callable) -> Callable[[Path], None]:
    """Change the specification of a package."""

    def apply(package: Path) -> None:
        spec, _ = coreml.read_package(package)
        work(spec)
        (package / coreml.PARTS / "model.mlmodel").write_bytes(spec.SerializeToString())

    return apply


def manifest(text: str | None = None, **entry: object) -> Callable[[Path], None]:
    def apply(package: Path) -> None:
        found = json.loads((package / "Manifest.json").read_text())
        found["itemInfoEntries"][found["rootModelIdentifier"]].update(entry)
        (package / "Manifest.json").write_text(json.dumps(found) if text is None else text)

    return apply


def tell(key: str, text: str) -> Callable[[Path], None]:
    return change(lambda spec: spec.description.metadata.userDefined.update({key: text}))


def side(length: int) -> Callable[[Path], None]:
    return change(lambda spec: setattr(spec.description.input[0].type.imageType, "height", length))


def blobs(spec):
    for block in spec.mlProgram.functions["main"].block_specializations.values():
        for step in block.operations:
            for attribute in step.attributes.values():
                if attribute.WhichOneof("value") == "blobFileValue":
                    yield attribute.blobFileValue


def offsets(where: int) -> Callable[[Path], None]:
    return change(lambda spec: [setattr(blob, "offset", where) for blob in blobs(spec)])


def circle(package: Path) -> None:
    weights = package / coreml.PARTS / "weights/weight.bin"
    weights.unlink()
    weights.symlink_to(weights.name)


PACKAGES = {
    "manifest deep": manifest(DEEP),
    "manifest a list": manifest("[]"),
    "manifest a number": manifest("3"),
    "path a number": manifest(path=3),
    "path a list": manifest(path=["a"]),
    "path with a zero": manifest(path="a\0b"),
    "path with half a letter": manifest(path="a\ud800b"),
    "path absolute": manifest(path="/etc/passwd"),
    "path upwards": manifest(path="../../../../etc/passwd"),
    "path a folder": manifest(path="com.apple.CoreML"),
    "path too long": manifest(path="a" * 5000),
    "skeleton a list": tell("fosbury.skeleton", "[1, 2]"),
    "skeleton deep": tell("fosbury.skeleton", DEEP),
    "size a text": tell("imgsz", "wide"),
    "shape huge": tell("kpt_shape", "[1000000000, 3]"),
    "another head": tell("fosbury.head", "heatmap"),
    "the other head": tell("fosbury.head", "simcc"),
    "no input": change(lambda spec: spec.description.ClearField("input")),
    "two inputs": change(lambda spec: spec.description.input.add(name="more")),
    "input of another type": change(lambda spec: spec.description.input[0].type.ClearField("imageType")),
    "input grey": change(lambda spec: setattr(spec.description.input[0].type.imageType, "colorSpace", 10)),
    "input another name": change(lambda spec: setattr(spec.description.input[0], "name", "picture")),
    "size zero": side(0),
    "size negative": side(-64),
    "size huge": side(10**9),
    "size another": side(128),
    "no function": change(lambda spec: spec.mlProgram.functions.clear()),
    "no operation": change(
        lambda spec: [
            block.ClearField("operations") for block in spec.mlProgram.functions["main"].block_specializations.values()
        ]
    ),
    "no output": change(
        lambda spec: [
            block.ClearField("outputs") for block in spec.mlProgram.functions["main"].block_specializations.values()
        ]
    ),
    "weights beyond the file": offsets(1 << 40),
    "weights at a wrong place": offsets(1),
    "weights linked in a circle": circle,
    "weights gone": lambda package: (package / coreml.PARTS / "weights/weight.bin").unlink(),
}


@pytest.mark.parametrize("case", PACKAGES)
def test_packages_of_coreml(case, package, tmp_path, refused):
    spoilt = Path(shutil.copytree(package, tmp_path / "odd.mlpackage"))
    PACKAGES[case](spoilt)
    refused(spoilt)
