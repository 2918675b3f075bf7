"""Pose networks as ONNX files: written so that they explain themselves, and run by ONNX Runtime."""

from __future__ import annotations

import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from fosbury.errors import BadInput
from fosbury.files import write_bytes
from fosbury.inference.decode import EXPORT_AGAIN
from fosbury.inference.letterbox import IOU
from fosbury.inference.metadata import ExportModule, ModelMetadata, check_size, open_size, read_entries
from fosbury.machine import default_threads
from fosbury.media.files import check_file
from fosbury.pose import Pose
from fosbury.skeleton import Skeleton

OPSET = 18
ONLY_ERRORS, SILENT = 3, 4
MOST_SECONDS = 120.0  # for one picture: a graph may hold a loop that never ends
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
DAMAGED = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NotImplemented,
    failures.RuntimeException,
)


class OnnxPose:
    """An ONNX file that answers ``PoseModel``.

    Parameters
    ----------
    path : Path
        A file of this project, or a plain Ultralytics export of a pose model.
    skeleton : Skeleton, optional
        Its joints, where the file does not name them.
    image_size : int or (int, int), optional
        Height and width of the input, for a file that leaves them open; others are fixed.
    confidence : float
        Least score of a person.
    iou : float
        Largest overlap of two people's boxes.

    Raises
    ------
    BadInput
        If the file is damaged, no pose model, keeps its weights elsewhere, or does not name its joints.
    """

    def __init__(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        image_size: int | tuple[int, int] | None = None,
        confidence: float = 0.05,
        *,
        iou: float = IOU,
    ):
        path = Path(path)
        content = _self_contained(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = default_threads()
        options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = ONLY_ERRORS
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except DAMAGED as error:
            raise BadInput(path, "is not a network that ONNX Runtime can run", EXPORT_AGAIN) from error
        metadata = read_entries(self.session.get_modelmeta().custom_metadata_map, path, skeleton)
        self.metadata, self.skeleton, self.licence = metadata, metadata.skeleton, metadata.licence
        self.needs_boxes, self.temperature = metadata.decoder.needs_boxes, metadata.temperature
        self.confidence, self.iou = confidence, iou
        self.path = path
        self.feed, self.dtype, sides = _picture_input(self.session, path)
        if sides is None:
            self.input_size = open_size(path, image_size or metadata.image_size or 640)
        else:
            self.input_size = sides
            check_size(path, self.input_size, image_size)
        shape = self.session.get_outputs()[0].shape
        if all(isinstance(length, int) for length in shape):
            metadata.check_output(tuple(shape), self.input_size, path)

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
        feed: dict[str, np.ndarray] = {self.feed: batch.astype(self.dtype)}
        options = onnxruntime.RunOptions()
        options.log_severity_level = SILENT
        watch = threading.Timer(MOST_SECONDS, setattr, (options, "terminate", True))
        watch.start()
        try:
            output = self.session.run([self.session.get_outputs()[0].name], feed, options)[0]
        except DAMAGED as error:
            if options.terminate:
                hint = "it may never end; give another file, or a smaller image size"
                raise BadInput(self.path, f"took more than {MOST_SECONDS:g} s for one picture", hint) from error
            raise BadInput(
                self.path, "cannot be run on a picture of {} x {}".format(*self.input_size), EXPORT_AGAIN
            ) from error
        finally:
            watch.cancel()
        self.metadata.check_output(output.shape, self.input_size, self.path)
        return output.astype(np.float32)


def _picture_input(session: onnxruntime.InferenceSession, path: Path) -> tuple[str, type, tuple[int, int] | None]:
    """Name, type and sides (None where one is open) of the one input, which takes a colour picture."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1:
        raise BadInput(path, f"takes {len(inputs)} inputs, not one picture", EXPORT_AGAIN)
    feed, another = inputs[0], "export a pose model, which takes one colour picture as float32"
    shape = [length if isinstance(length, int) else None for length in feed.shape]
    if feed.type not in TYPES or len(shape) != 4 or shape[0] not in (1, None) or shape[1] not in (3, None):
        raise BadInput(path, f"takes {feed.type} of shape {feed.shape}, not a picture"[:120], another)
    if outputs[0].type not in TYPES:
        raise BadInput(path, f"answers {outputs[0].type}, not numbers"[:120], another)
    height, width = shape[2:]
    return feed.name, TYPES[feed.type], None if height is None or width is None else (height, width)


def open_model(
    path: Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
) -> OnnxPose:
    """Open an ONNX file; see ``inference.registry.load_model``."""
    return OnnxPose(path, skeleton, image_size, confidence)


def write_model(module: ExportModule, out: Path, *, quantize: str) -> Path:
    """Write an ONNX file; ``quantize`` is for other formats. See ``write.export_model``."""
    return to_onnx(module, out)


def to_onnx(module: ExportModule, out: Path) -> Path:
    """Write a network as one ONNX file; the same weights give the same bytes.

    Parameters
    ----------
    module : ExportModule
    out : Path

    Returns
    -------
    Path
        ``out``.
    """
    import torch

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        draft = Path(folder) / "model.onnx"
        torch.onnx.export(
            module.network.eval(),
            (module.example,),
            str(draft),
            input_names=["images"],
            output_names=["output0"],
            opset_version=OPSET,
            dynamo=False,
        )
        describe(draft, module.metadata)
        draft.replace(out)
    return out


def describe(path: Path, metadata: ModelMetadata) -> Path:
    """Write into an ONNX file what it is, and take out clocks, paths and names of other tools.

    Parameters
    ----------
    path : Path
        Changed in place.
    metadata : ModelMetadata
        Its image size is that of the file, whatever it says.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    BadInput
        If it is not an ONNX file with a fixed input size.
    """
    model = _parse(path)
    size = tuple(axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[2:])
    if len(size) != 2 or min(size) < 1:
        raise BadInput(path, "has no fixed input size", "export it with dynamic=False")
    metadata = replace(metadata, image_size=size)
    del model.metadata_props[:]
    for key, value in metadata.entries().items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = metadata.description(scaled=False)
    for graph in _graphs(model.graph):
        graph.doc_string = ""
        del graph.metadata_props[:]
        for part in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
            part.doc_string = ""
            if hasattr(part, "metadata_props"):
                del part.metadata_props[:]
    write_bytes(path, model.SerializeToString(deterministic=True))
    return path


def _parse(path: Path) -> onnx.ModelProto:
    check_file(path)
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except DecodeError as error:
        raise BadInput(path, "is not an ONNX file, or a damaged one", EXPORT_AGAIN) from error
    if not model.graph.node or not model.graph.input or not model.graph.output:
        raise BadInput(path, "is not an ONNX file, or a damaged one", EXPORT_AGAIN)
    return model


def _self_contained(path: Path) -> bytes:
    """Content of the file, which must not point to another file for its weights."""
    model = _parse(path)
    bodies = [onnx.GraphProto(node=function.node) for function in model.functions]
    for graph in (inner for whole in (model.graph, *bodies) for inner in _graphs(whole)):
        tensors = [*graph.initializer]
        tensors += [tensor for sparse in graph.sparse_initializer for tensor in (sparse.values, sparse.indices)]
        tensors += [tensor for node in graph.node for part in node.attribute for tensor in (part.t, *part.tensors)]
        if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in tensors):
            raise BadInput(path, "keeps its weights in another file", "export it as one file")
    return path.read_bytes()


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)
