"""Pose networks as CoreML packages: written for an iPhone, and measured on any machine.

CoreML itself runs on Apple's systems only. Here the package's program and weights are run by ``mil``, so that the
file that goes into an app is the file that was measured.
"""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import coremltools as ct
import coremltools.optimize.coreml as weights_of
import numpy as np
import torch
from coremltools.converters.mil.frontend.milproto.load import load as load_program
from coremltools.converters.mil.mil import Function, types
from google.protobuf.message import DecodeError

from fosbury.errors import BadInput
from fosbury.export import mil
from fosbury.inference.decode import EXPORT_AGAIN
from fosbury.inference.letterbox import IOU
from fosbury.inference.metadata import ExportModule, check_size, read_entries
from fosbury.machine import default_threads
from fosbury.media.files import check_file
from fosbury.pose import Pose
from fosbury.skeleton import Skeleton

QUANTIZE = ("none", "fp16", "int8")
INPUT, OUTPUT = "image", "poses"
SMALLEST = 5000  # convolutions of fewer weights stay float16: 3 % of the space, a third of the error
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "com.apple.CoreML")
# What reading or running a program raises that is damaged, or asks for the impossible.
FAILURES = (
    *(RuntimeError, ValueError, KeyError, TypeError, AttributeError, AssertionError, IndexError),
    *(ArithmeticError, MemoryError),
)
LONGEST = 255  # letters of a path in a package
PARTS = Path("Data/com.apple.CoreML")
CHANGING = (
    "com.github.apple.coremltools.conversion_date",
    "com.github.apple.coremltools.source",
)


class CoreMLPose:
    """A CoreML package that answers ``PoseModel`` on any machine.

    Parameters
    ----------
    path : Path
        A ``.mlpackage`` of this project, or a plain Ultralytics export of a pose model.
    skeleton : Skeleton, optional
        Its joints, where the package does not name them.
    image_size : int or (int, int), optional
        Only to make sure: that of a package is fixed.
    confidence : float
        Least score of a person.
    iou : float
        Largest overlap of two people's boxes.
    half : bool
        Round as the program declares, to float16; otherwise compute in float32 with the stored weights.

    Raises
    ------
    BadInput
        If it is damaged, no pose model, uses an unknown operation, or does not name its joints.
    """

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        image_size: int | tuple[int, int] | None = None,
        confidence: float = 0.05,
        *,
        iou: float = IOU,
        half: bool = True,
    ):
        path = Path(path)
        spec, weights = read_package(path)
        metadata = read_entries(spec.description.metadata.userDefined, path, skeleton)
        self.metadata, self.skeleton, self.licence = metadata, metadata.skeleton, metadata.licence
        self.needs_boxes, self.temperature = metadata.decoder.needs_boxes, metadata.temperature
        self.confidence, self.iou = confidence, iou
        self.path = path
        self.feed, self.input_size, self.scale, self.channels = _input_of(spec, path)
        check_size(path, self.input_size, image_size)
        function = _function(spec, weights, path)
        shape = tuple(function.outputs[0].shape or ())
        if not all(isinstance(length, (int, np.integer)) for length in shape):
            raise BadInput(path, "has an output of open shape", EXPORT_AGAIN)
        metadata.check_output(shape, self.input_size, path)
        self.answer = function.outputs[0].name
        try:
            self.program = mil.Program(list(_operations(function)), [self.answer], half)
        except mil.UnknownOperationError as unknown:
            hint = "measure it on a Mac, or export the checkpoint with `fosbury`"
            raise BadInput(path, f"uses the operation {unknown}, which runs on Apple's systems only", hint) from None

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``."""
        return self.metadata.decoder.predict(
            images,
            boxes,
            self.forward,
            size=self.input_size,
            joints=len(self.skeleton),
            values=self.metadata.values,
            confidence=self.confidence,
            iou=self.iou,
        )

    def forward(self, batch: np.ndarray) -> np.ndarray:
        """Raw output for RGB in [0, 1], shape (1, 3, *input_size)."""
        torch.set_num_threads(default_threads())
        pixels = torch.from_numpy(batch[:, self.channels]) * self.scale
        try:
            output = self.program(**{self.feed: pixels})[self.answer].numpy()
        except FAILURES as error:
            raise BadInput(self.path, "holds a program that cannot be run on a picture", EXPORT_AGAIN) from error
        self.metadata.check_output(tuple(output.shape), self.input_size, self.path)
        return output


def open_model(
    path: Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
) -> CoreMLPose:
    """Open a CoreML package; see ``inference.registry.load_model``."""
    return CoreMLPose(path, skeleton, image_size, confidence)


def write_model(module: ExportModule, out: Path, *, quantize: str) -> Path:
    """Write a CoreML package; see ``write.export_model``."""
    return to_coreml(module, out, quantize)


def to_coreml(module: ExportModule, out: Path, quantize: str = "int8") -> Path:
    """Write a network as a CoreML package that takes a picture; the same weights give the same bytes.

    Parameters
    ----------
    module : ExportModule
    out : Path
        The folder to write, ``*.mlpackage``; one that is there is replaced.
    quantize : str
        ``none`` (float32), ``fp16``, or ``int8`` (float16 arithmetic, weights of convolutions in 8 bits).

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    BadInput
        If ``quantize`` is none of these.
    """
    if quantize not in QUANTIZE:
        raise BadInput("export.quantize", f"is '{quantize}'", f"use one of {', '.join(QUANTIZE)}")
    size = (int(module.example.shape[2]), int(module.example.shape[3]))
    metadata = replace(module.metadata, image_size=size)
    precision = ct.precision.FLOAT32 if quantize == "none" else ct.precision.FLOAT16
    with _quiet():
        with torch.no_grad():
            traced = torch.jit.trace(module.network.eval(), module.example, strict=False, check_trace=False)
        model = ct.convert(
            traced,
            inputs=[ct.ImageType(INPUT, shape=(1, 3, *size), scale=1 / 255, color_layout=ct.colorlayout.RGB)],
            outputs=[ct.TensorType(OUTPUT, dtype=np.float32)],
            convert_to="mlprogram",
            minimum_deployment_target=ct.target.iOS16,
            compute_precision=precision,
            skip_model_load=True,
        )
        if quantize == "int8":
            model = _quantized(model)
    model.author = "fosbury"
    model.license = metadata.licence
    model.version = "1"
    model.short_description = metadata.description(scaled=True)
    model.input_description[INPUT] = f"RGB picture, {size[1]} wide and {size[0]} high; see the description"
    model.output_description[OUTPUT] = metadata.decoder.output
    model.user_defined_metadata.update(metadata.entries())
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        draft = Path(folder) / "model.mlpackage"
        with _quiet():
            model.save(str(draft))
        normalise_package(draft)
        if out.exists():
            out.replace(Path(folder) / "before.mlpackage")
        draft.replace(out)
    return out


def _quantized(model: Any) -> Any:
    """Weights of the large convolutions in 8 bits, with a scale and a zero point for each output channel.

    On YOLO11n-pose this is nearer to the checkpoint than 8-bit k-means palettes (0.7 against 1.2 px on photographs of
    high jumps at 640 x 384) and takes 2 s instead of 25. Anything but convolutions must stay as it is: the
    anchor points and strides are constants too, and rounding them costs 6 px.
    """
    config = weights_of.OpLinearQuantizerConfig(mode="linear", granularity="per_channel", weight_threshold=SMALLEST)
    only_convolutions = weights_of.OptimizationConfig(op_type_configs={"conv": config})
    return weights_of.linear_quantize_weights(model, only_convolutions)


def normalise_package(package: Path) -> None:
    """Take the clock and random identifiers out of a package, so that the same model has the same bytes.

    Parameters
    ----------
    package : Path
        Changed in place.
    """
    spec, _ = read_package(package)
    for key in CHANGING:
        spec.description.metadata.userDefined.pop(key, None)
    (package / PARTS / "model.mlmodel").write_bytes(spec.SerializeToString(deterministic=True))
    manifest = json.loads((package / "Manifest.json").read_text())
    names = {old: str(uuid.uuid5(NAMESPACE, entry["path"])) for old, entry in manifest["itemInfoEntries"].items()}
    manifest["itemInfoEntries"] = {names[old]: entry for old, entry in manifest["itemInfoEntries"].items()}
    manifest["rootModelIdentifier"] = names[manifest["rootModelIdentifier"]]
    text = json.dumps(manifest, indent=4, sort_keys=True)
    (package / "Manifest.json").write_text(f"{text}\n")


def read_package(path: Path) -> tuple[Any, Path]:
    """Read the specification of a package.

    Parameters
    ----------
    path : Path

    Returns
    -------
    spec : Model
        CoreML's protocol buffer, without the weights.
    weights : Path
        Folder of the weights.

    Raises
    ------
    BadInput
        If it is not a package, is damaged, or points outside itself.
    """
    if not path.exists():
        raise BadInput(path, "is not there", EXPORT_AGAIN)
    if not path.is_dir():
        raise BadInput(path, "is not a CoreML package, which is a folder", EXPORT_AGAIN)
    check_file(path / "Manifest.json")
    try:
        manifest = json.loads((path / "Manifest.json").read_bytes())
        model = manifest["itemInfoEntries"][manifest["rootModelIdentifier"]]["path"]
        model_file = path / "Data" / model
        if len(model) > LONGEST:
            raise ValueError("no name of a file")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(path / "Manifest.json", "is damaged", EXPORT_AGAIN) from error
    weights = model_file.parent / "weights"
    for part in (model_file, *(sorted(weights.iterdir()) if weights.is_dir() else ())):
        if not _is_inside(part, path):
            raise BadInput(path, "points to a file outside itself", EXPORT_AGAIN)
        check_file(part)
    try:
        spec = ct.proto.Model_pb2.Model.FromString(model_file.read_bytes())
    except DecodeError as error:
        raise BadInput(model_file, "is damaged", EXPORT_AGAIN) from error
    if spec.WhichOneof("Type") != "mlProgram":
        raise BadInput(path, "holds no ML program", "export it as one (iOS 15 or later)")
    return spec, weights


def _is_inside(part: Path, package: Path) -> bool:
    try:
        return part.resolve().is_relative_to(package.resolve())
    except (OSError, RuntimeError, ValueError):  # a circle of links, or no name of a file
        return False


def _input_of(spec: Any, path: Path) -> tuple[str, tuple[int, int], float, list[int]]:
    """Name, height and width, factor on pixels in [0, 1], and order of the channels of the one input."""
    if len(spec.description.input) != 1:
        raise BadInput(path, f"takes {len(spec.description.input)} inputs, not one picture", EXPORT_AGAIN)
    first = spec.description.input[0]
    kind = first.type.WhichOneof("Type")
    if kind == "imageType" and first.type.imageType.colorSpace in (
        ct.proto.FeatureTypes_pb2.ImageFeatureType.RGB,
        ct.proto.FeatureTypes_pb2.ImageFeatureType.BGR,
    ):
        picture = first.type.imageType
        rgb = picture.colorSpace == ct.proto.FeatureTypes_pb2.ImageFeatureType.RGB
        return first.name, (picture.height, picture.width), 255.0, [0, 1, 2] if rgb else [2, 1, 0]
    shape = list(first.type.multiArrayType.shape)
    if len(shape) != 4 or shape[:2] != [1, 3]:
        raise BadInput(path, "does not take a colour picture", "export a YOLO pose model")
    return first.name, (shape[2], shape[3]), 1.0, [0, 1, 2]


def _function(spec: Any, weights: Path, path: Path) -> Function:
    try:
        with _quiet():
            program = load_program(spec, spec.specificationVersion, str(weights))
        function = program.functions["main"]
        _ = function.outputs[0]
    except FAILURES as error:
        raise BadInput(path, "holds a program or weights that cannot be read", EXPORT_AGAIN) from error
    return function


def _operations(function: Function) -> Iterator[mil.Operation]:
    constants: dict[str, Any] = {}
    for step in function.operations:
        if step.op_type == "const":
            constants[step.outputs[0].name] = step.outputs[0].val
            continue
        inputs = {key: _given(value, constants) for key, value in step.inputs.items() if value is not None}
        outputs = [(result.name, result.dtype == types.fp16) for result in step.outputs]
        yield mil.Operation(step.op_type, inputs, outputs)


def _given(value: Any, constants: dict[str, Any]) -> Any:
    if isinstance(value, (list, tuple)):
        return [_given(item, constants) for item in value]
    return constants[value.name] if value.name in constants else mil.Value(value.name)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bars and warnings of the converter."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
