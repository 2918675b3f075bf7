"""Networks of plain convolutions in a .tflite file, as torch modules that can be trained.

What a file has no use for in training is left out: only the steps that lead to one output are read. The steps are
plain values, so that a checkpoint holds its network beside its weights and needs the file no more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from torch import nn
from torch.nn import functional

from fosbury.errors import BadInput
from fosbury.media.files import check_file

HINT = "give the landmark network of MediaPipe's BlazePose (.tflite), or a checkpoint trained from it (.pt)"
MOST_STEPS = 10_000
MOST_NUMBERS = 1 << 24  # in one intermediate result of one picture; BlazePose's largest has 2 ** 20
MOST_PRODUCTS = 10**11  # for one picture; the largest BlazePose takes 10 ** 9
ACTIVATIONS = {0: "none", 1: "relu", 3: "relu6"}  # numbers of the .tflite format
TYPES = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}

Index = Annotated[int, Field(ge=0, lt=MOST_STEPS)]
Count = Annotated[int, Field(ge=1, le=1 << 16)]
Small = Annotated[int, Field(ge=0, le=64)]
Sides = Annotated[list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=2, max_length=2)]
Activation = Literal["none", "relu", "relu6"]


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Convolution(_Step):
    """A convolution; ``padding`` is left, right, top, bottom, ``channels`` those that come in and go out."""

    kind: Literal["conv"] = "conv"
    inputs: Annotated[list[Index], Field(min_length=1, max_length=1)]
    channels: Annotated[list[Count], Field(min_length=2, max_length=2)]
    kernel: Sides
    stride: Sides
    padding: Annotated[list[Small], Field(min_length=4, max_length=4)]
    groups: Count
    activation: Activation


class Sum(_Step):
    """The sum of two results."""

    kind: Literal["add"] = "add"
    inputs: Annotated[list[Index], Field(min_length=2, max_length=2)]
    activation: Activation


class Pool(_Step):
    """The largest value of each cell."""

    kind: Literal["max_pool"] = "max_pool"
    inputs: Annotated[list[Index], Field(min_length=1, max_length=1)]
    kernel: Sides
    stride: Sides


class Resize(_Step):
    """Bilinear enlargement by whole factors, pixel centres at halves."""

    kind: Literal["resize"] = "resize"
    inputs: Annotated[list[Index], Field(min_length=1, max_length=1)]
    factor: Sides


class Widen(_Step):
    """Channels of zeros after those that are there."""

    kind: Literal["widen"] = "widen"
    inputs: Annotated[list[Index], Field(min_length=1, max_length=1)]
    channels: Count


Step = Annotated[Convolution | Sum | Pool | Resize | Widen, Field(discriminator="kind")]
STEPS: TypeAdapter[list[Step]] = TypeAdapter(Annotated[list[Step], Field(min_length=1, max_length=MOST_STEPS)])


class Layer(nn.Module):
    """A convolution with its padding and what follows it."""

    def __init__(self, step: Convolution):
        super().__init__()
        left, right, top, bottom = step.padding
        even = left == right and top == bottom
        self.extra = None if even else tuple(step.padding)
        before, after = step.channels
        self.conv = nn.Conv2d(
            before,
            after,
            (step.kernel[0], step.kernel[1]),
            (step.stride[0], step.stride[1]),
            (top, left) if even else 0,
            groups=step.groups,
        )
        self.depthwise = step.groups > 1
        self.activation = step.activation

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Convolve; depthwise in float32 always: processors have no fast backward pass for it in bfloat16."""
        if self.extra is not None:
            values = functional.pad(values, self.extra)
        device = values.device.type
        if self.depthwise and device == "cpu" and torch.is_autocast_enabled(device):
            with torch.autocast(device, enabled=False):
                return activate(self.conv(values.float()), self.activation)
        return activate(self.conv(values), self.activation)


def activate(values: torch.Tensor, activation: str) -> torch.Tensor:
    """Apply an activation by its name."""
    if activation == "none":
        return values
    return functional.relu6(values) if activation == "relu6" else functional.relu(values)


class Network(nn.Module):
    """The steps of a .tflite file, one after another.

    Parameters
    ----------
    steps : sequence of Step
        Step ``i`` gives result ``i + 1``; result 0 is the picture, the last one the answer.

    Attributes
    ----------
    layers : nn.ModuleDict
        The convolutions by the index of their step.
    """

    def __init__(self, steps: Sequence[Step]):
        super().__init__()
        self.steps = tuple(steps)
        self.layers = nn.ModuleDict(
            {str(index): Layer(step) for index, step in enumerate(steps) if isinstance(step, Convolution)}
        )
        last = {place: index for index, step in enumerate(steps) for place in step.inputs}
        self.done: list[list[int]] = [[] for _ in steps]
        for place, index in last.items():
            self.done[index].append(place)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Run all steps on RGB in [0, 1], shape (B, 3, H, W)."""
        results = {0: pictures}
        for index, step in enumerate(self.steps):
            results[index + 1] = self._result(index, [results[place] for place in step.inputs])
            for place in self.done[index]:
                del results[place]
        return results[len(self.steps)]

    def freeze(self, count: int) -> None:
        """Keep the first convolutions, from the input, as they are; let all others learn."""
        for index, layer in enumerate(self.layers.values()):
            layer.requires_grad_(index >= count)

    def _result(self, index: int, given: list[torch.Tensor]) -> torch.Tensor:
        step = self.steps[index]
        if isinstance(step, Convolution):
            return self.layers[str(index)](given[0])
        if isinstance(step, Sum):
            return activate(given[0] + given[1], step.activation)
        if isinstance(step, Pool):
            return functional.max_pool2d(given[0], step.kernel, step.stride)
        if isinstance(step, Widen):
            return functional.pad(given[0], (0, 0, 0, 0, 0, step.channels))
        factor = [float(side) for side in step.factor]
        return functional.interpolate(given[0], scale_factor=factor, mode="bilinear", align_corners=False)


def steps_of(values: Any, path: Path, size: tuple[int, int]) -> tuple[list[Step], tuple[int, ...]]:
    """Understand the steps that a checkpoint holds as plain values.

    Parameters
    ----------
    values : list of mapping
    path : Path
        The file, for messages.
    size : (int, int)
        Height and width of the picture.

    Returns
    -------
    steps : list of Step
    shape : tuple of int
        Channels, height and width of the last result.

    Raises
    ------
    BadInput
        If they are no network that takes such pictures within reasonable memory.
    """
    try:
        steps = STEPS.validate_python(values)
    except ValidationError as error:
        raise BadInput(path, "holds no list of the network's steps", HINT) from error
    shapes: list[tuple[int, ...]] = [(3, *size)]
    products = 0
    for index, step in enumerate(steps):
        if max(step.inputs) > index:
            raise BadInput(path, f"has a step {index} that reads a later one", HINT)
        shape = _shape(step, [shapes[place] for place in step.inputs])
        if shape is None or not 0 < math.prod(shape) <= MOST_NUMBERS:
            raise BadInput(path, f"has a step {index} that does not fit those before it", HINT)
        shapes.append(shape)
        if isinstance(step, Convolution):
            products += math.prod(shape) * math.prod(step.kernel) * step.channels[0] // step.groups
    if products > MOST_PRODUCTS:
        raise BadInput(path, "holds a network of too many steps for one picture", HINT)
    return steps, shapes[-1]


def _shape(step: Step, given: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Shape of a step's result; None where the step cannot be."""
    channels, *sides = given[0]
    if isinstance(step, Sum):
        return given[0] if given[0] == given[1] else None
    if isinstance(step, Resize):
        return channels, *(side * by for side, by in zip(sides, step.factor, strict=True))
    if isinstance(step, Widen):
        return channels + step.channels, *sides
    padding = [0, 0]
    if isinstance(step, Convolution):
        if step.channels[0] != channels or any(count % step.groups for count in step.channels):
            return None
        left, right, top, bottom = step.padding
        channels, padding = step.channels[1], [top + bottom, left + right]
    room = zip(sides, padding, step.kernel, step.stride, strict=True)
    return channels, *(
        (side + more - reach) // stride + 1 if side + more >= reach else 0 for side, more, reach, stride in room
    )


def read_tflite(path: Path, output: int = 0) -> tuple[Network, tuple[int, int]]:
    """Read the part of a .tflite file that leads to one of its outputs.

    Parameters
    ----------
    path : Path
    output : int
        Which one.

    Returns
    -------
    network : Network
        With the weights of the file, in float32 and evaluation mode; its answer has the shape (B, N, 1, 1).
    size : (int, int)
        Height and width of the picture in pixels. The network takes no other: its last convolution covers the whole of
        its last feature map.

    Raises
    ------
    BadInput
        If the file is absent, damaged, or holds anything but plain convolutions on the way to that output.
    """
    path = Path(path)
    check_file(path)
    try:
        import tflite
    except ModuleNotFoundError as error:
        hint = "install it with `make setup`, or `uv pip install '.[blazepose]'`"
        raise BadInput(path, "needs the package tflite", hint) from error
    try:
        reader = _Reader(tflite, path, path.read_bytes())
        network = reader.network(output)
    except BadInput:
        raise
    except Exception as error:  # whatever the reader of flat buffers makes of bytes that anybody may have written
        raise BadInput(path, "is not a .tflite file, or a damaged one", HINT) from error
    return network, reader.size


class _Reader:
    """Reads the operators of a file into steps; tensors are numbered as the file numbers them."""

    def __init__(self, tflite: Any, path: Path, content: bytes):
        self.tflite, self.path = tflite, path
        if not tflite.Model.ModelBufferHasIdentifier(content, 0):
            raise BadInput(path, "is not a .tflite file", HINT)
        self.model = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self.model.Subgraphs(0)
        shape = self._shape(int(self.graph.Inputs(0)))
        if len(shape) != 4 or shape[0] != 1 or shape[3] != 3:
            raise BadInput(path, f"takes {shape}, not one colour picture", HINT)
        self.size = (shape[1], shape[2])
        self.weights: dict[int, np.ndarray] = {}
        self.made: dict[int, Any] = {}
        codes = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
        for index in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(index)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            name = codes.get(max(code.BuiltinCode(), code.DeprecatedBuiltinCode()), "unknown")
            for made in operator.OutputsAsNumpy().tolist():
                self.made[made] = (name, operator)

    def network(self, output: int) -> Network:
        """Follow an output back to the picture; build what lies between, with its weights."""
        wanted = int(self.graph.Outputs(output))
        name, operator = self.made[wanted]
        while name == "RESHAPE" and self._shape(int(operator.Inputs(0)))[1:3] == [1, 1]:
            wanted = int(operator.Inputs(0))
            name, operator = self.made[wanted]
        waiting, needed = [wanted], set[int]()
        while waiting:
            tensor = waiting.pop()
            if tensor in needed or tensor == int(self.graph.Inputs(0)):
                continue
            needed.add(tensor)
            waiting += self._feeds(tensor)
        # Operators stand in the order of execution.
        order = [tensor for tensor in self.made if tensor in needed]
        place = {int(self.graph.Inputs(0)): 0}
        steps: list[Any] = []
        weights: dict[str, torch.Tensor] = {}
        for tensor in order:
            name, operator = self.made[tensor]
            if name == "PAD" and not self._pad(operator)[1]:
                continue  # a part of the convolution after it
            step = self._step(name, operator, tensor, place)
            if isinstance(step, Convolution):
                weight, bias = self._convolution_weights(operator, name)
                weights |= {f"layers.{len(steps)}.conv.weight": weight, f"layers.{len(steps)}.conv.bias": bias}
            steps.append(step)
            place[tensor] = len(steps)
        steps, _ = steps_of([step.model_dump() for step in steps], self.path, self.size)
        network = Network(steps)
        network.load_state_dict(weights)
        return network.eval()

    def _feeds(self, tensor: int) -> list[int]:
        """Tensors that are computed, and not stored, from which a tensor is."""
        _, operator = self.made[tensor]
        return [each for each in operator.InputsAsNumpy().tolist() if each >= 0 and self._stored(each) is None]

    def _step(self, name: str, operator: Any, tensor: int, place: Mapping[int, int]) -> Any:
        source = int(operator.Inputs(0))
        if name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            return self._convolution(name, operator, tensor, place)
        if name == "ADD":
            options = self._options(operator, self.tflite.AddOptions)
            inputs = [place[int(operator.Inputs(0))], place[int(operator.Inputs(1))]]
            return Sum(inputs=inputs, activation=self._activation(options))
        if name == "MAX_POOL_2D":
            options = self._options(operator, self.tflite.Pool2DOptions)
            kernel = [options.FilterHeight(), options.FilterWidth()]
            stride = [options.StrideH(), options.StrideW()]
            if (
                any(self._padding(options, self._shape(source)[1:3], kernel, stride))
                or self._activation(options) != "none"
            ):
                raise self._strange("MAX_POOL_2D beyond the edge")
            return Pool(inputs=[place[source]], kernel=kernel, stride=stride)
        if name == "RESIZE_BILINEAR":
            options = self._options(operator, self.tflite.ResizeBilinearOptions)
            before, after = self._shape(source)[1:3], self._shape(tensor)[1:3]
            whole = all(big % small == 0 for big, small in zip(after, before, strict=True))
            if not whole or not options.HalfPixelCenters() or options.AlignCorners():
                raise self._strange("RESIZE_BILINEAR by corners")
            factor = [big // small for big, small in zip(after, before, strict=True)]
            return Resize(inputs=[place[source]], factor=factor)
        if name == "PAD" and not any(self._pad(operator)[0]):
            return Widen(inputs=[place[source]], channels=self._pad(operator)[1])
        raise self._strange(name)

    def _convolution(self, name: str, operator: Any, tensor: int, place: Mapping[int, int]) -> Convolution:
        depthwise = name == "DEPTHWISE_CONV_2D"
        kind = self.tflite.DepthwiseConv2DOptions if depthwise else self.tflite.Conv2DOptions
        options, source = self._options(operator, kind), int(operator.Inputs(0))
        if options.DilationHFactor() != 1 or options.DilationWFactor() != 1:
            raise self._strange(f"{name} with dilation")
        shape = self._shape(int(operator.Inputs(1)))
        stride, sides = [options.StrideH(), options.StrideW()], self._shape(source)[1:3]
        padding = self._padding(options, sides, shape[1:3], stride)
        before, pad = self.made.get(source, ("", None))
        channels = self._shape(source)[3]
        if before == "PAD" and source not in place:
            source = int(pad.Inputs(0))
            padding = [more + own for more, own in zip(self._pad(pad)[0], padding, strict=True)]
        return Convolution(
            inputs=[place[source]],
            channels=[channels, shape[3] if depthwise else shape[0]],
            kernel=shape[1:3],
            stride=stride,
            padding=padding,
            groups=channels if depthwise else 1,
            activation=self._activation(options),
        )

    def _convolution_weights(self, operator: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Kernel and bias in torch's order: output channels first, then input channels, height, width."""
        kernel, bias = (self._stored(int(operator.Inputs(place))) for place in (1, 2))
        if kernel is None or bias is None:
            raise self._strange(f"{name} without stored weights")
        kernel = kernel.transpose((3, 0, 1, 2) if name == "DEPTHWISE_CONV_2D" else (0, 3, 1, 2))
        return tuple(torch.from_numpy(part.astype(np.float32)) for part in (kernel, bias))  # type: ignore[return-value]

    def _pad(self, operator: Any) -> tuple[list[int], int]:
        """Left, right, top, bottom of an operator PAD, and the channels that it adds."""
        amounts = self._stored(int(operator.Inputs(1)))
        if amounts is None or amounts.shape != (4, 2) or amounts[0].any() or amounts[3, 0]:
            raise self._strange("PAD before the channels")
        return [int(amounts[axis, end]) for axis in (2, 1) for end in (0, 1)], int(amounts[3, 1])

    def _padding(self, options: Any, sides: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[int]:
        """Left, right, top, bottom; TensorFlow puts what is odd to the right and to the bottom."""
        if options.Padding() != self.tflite.Padding.SAME:
            return [0, 0, 0, 0]
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sides, kernel, stride, strict=True)]
        return [part for whole in total[::-1] for part in (whole // 2, whole - whole // 2)]

    def _activation(self, options: Any) -> Any:
        number = options.FusedActivationFunction()
        if number not in ACTIVATIONS:
            raise self._strange(f"activation {number}")
        return ACTIVATIONS[number]

    def _options(self, operator: Any, kind: Any) -> Any:
        options, raw = kind(), operator.BuiltinOptions()
        options.Init(raw.Bytes, raw.Pos)
        return options

    def _shape(self, tensor: int) -> list[int]:
        about = self.graph.Tensors(tensor)
        return about.ShapeAsNumpy().tolist() if about.ShapeLength() else []

    def _stored(self, tensor: int) -> np.ndarray | None:
        """Values that the file holds, as such or behind an operator that only changes their type."""
        name, operator = self.made.get(tensor, ("", None))
        if name == "DEQUANTIZE":
            return self._stored(int(operator.Inputs(0)))
        about = self.graph.Tensors(tensor)
        buffer = self.model.Buffers(about.Buffer())
        if name or not buffer.DataLength():
            return None
        if about.Type() not in TYPES or about.Sparsity() is not None:
            raise self._strange("quantised or sparse weights")
        return np.frombuffer(buffer.DataAsNumpy().tobytes(), TYPES[about.Type()]).reshape(self._shape(tensor))

    def _strange(self, what: str) -> BadInput:
        return BadInput(self.path, f"uses {what}, which is no plain convolution", HINT)
