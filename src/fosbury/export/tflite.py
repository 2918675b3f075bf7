"""TFLite files that others published, run by LiteRT: BlazePose and MoveNet.

This project reads them and writes none. A file is known by the shapes of its inputs and outputs.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from fosbury.errors import BadInput
from fosbury.inference import blazepose
from fosbury.inference.landmarks import PADDING, Answer, SquareCrop, predict_landmarks, read_landmarks
from fosbury.inference.metadata import skeleton_of
from fosbury.machine import default_threads
from fosbury.media.files import check_file
from fosbury.pose import Pose
from fosbury.skeleton import Skeleton

IDENTIFIER = b"TFL3"
LARGEST_FILE = 200_000_000
AGAIN = "fetch it again"
KNOWN = "BlazePose's landmark network, its detector, or MoveNet SinglePose"

Shape = tuple[int, ...]


class Network:
    """A TFLite file: its inputs and outputs, and one run of it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    BadInput
        If the file is damaged, or holds an operation that LiteRT does not know.
    """

    def __init__(self, path: Path):
        self.path = path
        content = _content(path)
        with _refused(path), _silenced():
            self.interpreter = Interpreter(model_content=content, num_threads=default_threads())
            inputs, outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        self.inputs = [(tuple(map(int, each["shape"])), np.dtype(each["dtype"]).name) for each in inputs]
        self.outputs = [(tuple(map(int, each["shape"])), np.dtype(each["dtype"]).name) for each in outputs]
        self._at = [each["index"] for each in inputs], [each["index"] for each in outputs]

    def prepare(self) -> None:
        """Take the memory that a run needs; for networks whose shapes were checked."""
        with _refused(self.path), _silenced():
            self.interpreter.allocate_tensors()

    def run(self, picture: np.ndarray) -> list[np.ndarray]:
        """Answer one input."""
        with _refused(self.path):
            self.interpreter.set_tensor(self._at[0][0], picture)
            self.interpreter.invoke()
            return [self.interpreter.get_tensor(index) for index in self._at[1]]


@contextlib.contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, RuntimeError, TypeError, MemoryError) as error:
        raise BadInput(path, "is damaged, or holds what LiteRT cannot run", AGAIN) from error


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Keep what LiteRT's native code prints while it opens a file off the terminal."""
    with tempfile.TemporaryFile() as sink:
        kept = os.dup(2)
        os.dup2(sink.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _content(path: Path) -> bytes:
    check_file(path)
    if path.stat().st_size > LARGEST_FILE:
        raise BadInput(path, f"has more than {LARGEST_FILE // 1_000_000} MB", f"give {KNOWN}")
    content = path.read_bytes()
    if content[4:8] != IDENTIFIER:
        raise BadInput(path, "is not a TFLite file", f"give {KNOWN}")
    return content


class TflitePose:
    """A network that answers with the points of one person in a square, as ``PoseModel``.

    Parameters
    ----------
    network : Network
    skeleton : Skeleton
    size : (int, int)
        Height and width of the input.
    answer : callable
        From RGB in [0, 1], shape (1, 3, *size), to an ``Answer``.
    padding : float
        Side of the square in longer sides of the box.
    as_mediapipe : bool
        Cut out as MediaPipe does, see ``predict_landmarks``.
    """

    licence, needs_boxes, temperature, turns_boxes = blazepose.LICENCE, True, None, True

    def __init__(
        self,
        network: Network,
        skeleton: Skeleton,
        size: tuple[int, int],
        answer: Callable[[np.ndarray], Answer],
        *,
        padding: float,
        as_mediapipe: bool = False,
    ):
        network.prepare()
        self.network, self.skeleton, self.input_size = network, skeleton, size
        self.answer, self.padding, self.as_mediapipe = answer, padding, as_mediapipe

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the person in each box; see ``PoseModel.predict``."""
        return predict_landmarks(
            images, boxes, self.answer, self.input_size, padding=self.padding, as_mediapipe=self.as_mediapipe
        )


def _blazepose(network: Network, skeleton: Skeleton | None, confidence: float) -> TflitePose | None:
    """Open BlazePose's landmark network: lite, full or heavy."""
    points, person, heat = (1, blazepose.POINTS * blazepose.VALUES), (1, 1), (1, *blazepose.HEAT_MAPS)
    shapes = [shape for shape, kind in network.outputs if kind == "float32"]
    if network.inputs != [((1, *blazepose.INPUT, 3), "float32")] or {points, person, heat} - {*shapes}:
        return None

    def answer(pixels: np.ndarray) -> Answer:
        found = network.run(np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)))
        by_shape = {value.shape: value for value in found}
        return blazepose.read_answer(by_shape[points][0], by_shape[person][0], by_shape[heat][0])

    return TflitePose(network, blazepose.SKELETON, blazepose.INPUT, answer, padding=PADDING, as_mediapipe=True)


MOVENET_JOINTS, MOVENET_SIDES, MOVENET_PADDING = 17, (192, 256), 1.2
"""Joints, sides of the input of Lightning and Thunder, and the room around a body that Google's tutorial gives them."""


def _movenet(network: Network, skeleton: Skeleton | None, confidence: float) -> TflitePose | None:
    """Open MoveNet SinglePose: Lightning or Thunder, with 8-bit pixels."""
    if len(network.inputs) != 1 or network.outputs != [((1, 1, MOVENET_JOINTS, 3), "float32")]:
        return None
    shape, kind = network.inputs[0]
    if shape not in [(1, side, side, 3) for side in MOVENET_SIDES] or kind not in ("uint8", "int32"):
        return None
    height, width = size = shape[1], shape[2]

    def answer(pixels: np.ndarray) -> Answer:
        grey_levels = np.rint(pixels.transpose(0, 2, 3, 1) * 255).astype(kind)
        y, x, confidence = np.moveaxis(network.run(grey_levels)[0][:, 0], -1, 0)
        return read_landmarks(np.stack([x * width, y * height, confidence], axis=-1))

    joints = skeleton_of(network.path, MOVENET_JOINTS, {}, skeleton)
    return TflitePose(network, joints, size, answer, padding=MOVENET_PADDING)


class DetectorPose:
    """BlazePose's detector, as ``PoseModel``: its poses are the alignment points of people in the whole picture.

    Parameters
    ----------
    network : Network
    confidence : float
        Least score of a person; not below MediaPipe's, for the detector marks one person many times.
    """

    licence, needs_boxes, temperature = blazepose.LICENCE, False, None
    skeleton, input_size = blazepose.ALIGNMENT, blazepose.DETECTOR_INPUT

    def __init__(self, network: Network, confidence: float):
        network.prepare()
        self.network, self.confidence = network, max(confidence, blazepose.DETECTED)

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Find the people in each RGB image; see ``PoseModel.predict``."""
        if boxes is not None:
            raise BadInput("boxes", "were given to a detector, which finds people by itself", "leave them out")
        return [self._look(image) for image in images]

    def _look(self, image: np.ndarray) -> list[Pose]:
        height, width = image.shape[:2]
        crop = SquareCrop.around(np.array([0.0, 0.0, width, height]), self.input_size, padding=1.0)
        values, logits = self.network.run(crop.warp(image, as_mediapipe=True)[None].astype(np.float32) / 127.5 - 1)
        found = blazepose.read_detections(values[0], logits[0, :, 0], self.confidence)
        poses = []
        for points, score in found:
            points = crop.to_image(points)
            poses.append(Pose(points, np.full(len(points), score), blazepose.place_of(points), score))
        return poses


def _detector(network: Network, skeleton: Skeleton | None, confidence: float) -> DetectorPose | None:
    """Open BlazePose's detector."""
    inputs = [((1, *blazepose.DETECTOR_INPUT, 3), "float32")]
    outputs = [((1, blazepose.ANCHORS, values), "float32") for values in (blazepose.DETECTOR_VALUES, 1)]
    return DetectorPose(network, confidence) if (network.inputs, network.outputs) == (inputs, outputs) else None


OPENERS = (_blazepose, _movenet, _detector)


def open_model(
    path: Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
) -> TflitePose | DetectorPose:
    """Open a TFLite file; see ``inference.registry.load_model``.

    The size of its input is fixed, whatever ``image_size`` says: an evaluation may give one for all its models.

    Raises
    ------
    BadInput
        If it is damaged, or none of the networks that are known.
    """
    network = Network(Path(path))
    for opener in OPENERS:
        model: TflitePose | DetectorPose | None = opener(network, skeleton, confidence)
        if model is not None:
            return model
    shapes = [" x ".join(map(str, shape)) for shape, _ in (*network.inputs[:1], *network.outputs[:1])]
    found = f"takes {shapes[0]} and answers {shapes[1]}" if len(shapes) == 2 else "has no input or no output"
    raise BadInput(path, f"{found}, which is no network that is known here"[:160], f"give {KNOWN}")
