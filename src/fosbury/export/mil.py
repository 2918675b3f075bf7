"""Runs the ML programs inside CoreML packages with torch, so that an exported file can be measured on any machine.

A program is a list of operations of Apple's Model Intermediate Language (MIL) that read and write named values.
Arithmetic is in float32; what the program declares as float16 is rounded to float16 after each operation, as a device
that follows the declaration rounds it. Only what pose networks need is here; anything else is refused by name before
anything runs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


class UnknownOperationError(Exception):
    """The program uses an operation, or a setting of one, that is not among ``OPERATIONS``."""


@dataclass(frozen=True)
class Value:
    """The name of something that an operation reads."""

    name: str


@dataclass(frozen=True)
class Operation:
    """One step of a program.

    Attributes
    ----------
    kind : str
        MIL's name of the operation.
    inputs : mapping
        For each parameter a ``Value``, a list of them, or a constant (NumPy array, number, text or flag).
    outputs : sequence of (str, bool)
        Name of each result, and whether it is declared float16.
    """

    kind: str
    inputs: Mapping[str, Any]
    outputs: Sequence[tuple[str, bool]]


OPERATIONS: dict[str, Callable[..., Any]] = {}


def operation(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function of tensors and constants under MIL's name of an operation."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        OPERATIONS[name] = function
        return function

    return enter


class Program:
    """A program ready to run.

    Parameters
    ----------
    operations : sequence of Operation
        In the order of execution.
    outputs : sequence of str
        Names of the results.
    half : bool
        Round to float16 what is declared float16; otherwise compute with the stored weights in float32 throughout.

    Raises
    ------
    UnknownOperationError
        If an operation, or a parameter of one, is not known.
    """

    def __init__(self, operations: Sequence[Operation], outputs: Sequence[str], half: bool = True):
        self.outputs, self.half = tuple(outputs), half
        self.constants: dict[str, Any] = {}
        self.steps: list[Operation] = []
        for step in operations:
            _check(step)
            if all(_known(given, self.constants) for given in step.inputs.values()):
                self._run(step, self.constants)
            else:
                self.steps.append(step)

    def __call__(self, **feeds: Tensor) -> dict[str, Tensor]:
        """Run the program on named inputs, and return its named outputs in float32."""
        values = {**self.constants, **feeds}
        with torch.inference_mode():
            for step in self.steps:
                self._run(step, values)
        return {name: values[name] for name in self.outputs}

    def _run(self, step: Operation, values: dict[str, Any]) -> None:
        given = {key: _resolve(value, values) for key, value in step.inputs.items()}
        results = OPERATIONS[step.kind](**given)
        results = results if isinstance(results, (list, tuple)) else [results]
        for (name, is_half), result in zip(step.outputs, results, strict=True):
            if self.half and is_half and result.is_floating_point():
                result = result.half().float()
            values[name] = result


def _check(step: Operation) -> None:
    if step.kind not in OPERATIONS:
        raise UnknownOperationError(step.kind)
    allowed = inspect.signature(OPERATIONS[step.kind]).parameters
    unknown = sorted(set(step.inputs) - set(allowed))
    if unknown:
        raise UnknownOperationError(f"{step.kind} with {', '.join(unknown)}")


def _known(given: Any, constants: Mapping[str, Any]) -> bool:
    if isinstance(given, list):
        return all(_known(item, constants) for item in given)
    return not isinstance(given, Value) or given.name in constants


def _resolve(given: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(given, list):
        return [_resolve(item, values) for item in given]
    if isinstance(given, Value):
        return values[given.name]
    if isinstance(given, np.ndarray) and given.dtype.kind == "f":
        return torch.as_tensor(given.astype(np.float32))
    return given


def _tensor(value: Any) -> Tensor:
    value = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
    return value.float() if value.is_floating_point() else value


def _ints(values: Any) -> list[int]:
    return [int(value) for value in np.asarray(values).reshape(-1)]


def _flags(values: Any, count: int) -> list[bool]:
    return [False] * count if values is None else [bool(value) for value in np.asarray(values).reshape(-1)]


def _padding(
    kind: str, pad: Any, side: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Return the padding as torch wants it: last axis first, (before, after) of each."""
    if kind == "valid":
        return [0] * (2 * len(side))
    if kind == "custom":
        before_after = np.asarray(pad).reshape(-1, 2)
    elif kind in ("same", "same_lower"):
        reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
        total = [max((-(-n // s) - 1) * s + r - n, 0) for n, s, r in zip(side, stride, reach, strict=True)]
        before_after = np.array([(t // 2, t - t // 2) for t in total])
        before_after = before_after[:, ::-1] if kind == "same_lower" else before_after
    else:
        raise UnknownOperationError(f"padding '{kind}'")
    return [int(n) for pair in before_after[::-1] for n in pair]


@operation("identity")
def _identity(x):
    return _tensor(x)


@operation("cast")
def _cast(x, dtype):
    kinds = {"fp16": torch.float32, "fp32": torch.float32, "bool": torch.bool}
    return _tensor(x).to(kinds.get(str(dtype), torch.int64))


@operation("constexpr_lut_to_dense")
def _lut_to_dense(indices, lut, shape):
    shape, table = _ints(shape), _tensor(lut)
    count, bits = int(np.prod(shape)), int(table.numel()).bit_length() - 1
    packed = np.asarray(indices).astype(np.uint8)
    if bits != 8:
        ones = np.unpackbits(packed, bitorder="little")[: count * bits].reshape(count, bits)
        packed = (ones * (1 << np.arange(bits))).sum(axis=1)
    return table[torch.as_tensor(packed.reshape(-1)[:count].astype(np.int64))].reshape(shape)


@operation("constexpr_affine_dequantize")
def _affine_dequantize(quantized_data, zero_point, scale, axis):
    data = torch.as_tensor(np.asarray(quantized_data).astype(np.float32))

    def along(value: Any) -> Tensor:
        value = torch.as_tensor(np.asarray(value, dtype=np.float32))
        return value.reshape([-1 if i == int(axis) else 1 for i in range(data.ndim)]) if value.numel() > 1 else value

    return (data - along(zero_point)) * along(scale)


@operation("constexpr_cast")
def _constexpr_cast(source_val, output_dtype):
    return _tensor(source_val)


@operation("conv")
def _conv(x, weight, bias=None, strides=(1, 1), pad_type="valid", pad=None, dilations=(1, 1), groups=1):
    strides, dilations = _ints(strides), _ints(dilations)
    padding = _padding(str(pad_type), pad, x.shape[2:], weight.shape[2:], strides, dilations)
    convolve = {3: functional.conv1d, 4: functional.conv2d}[x.ndim]
    return convolve(functional.pad(x, padding), weight, bias, stride=strides, dilation=dilations, groups=int(groups))


@operation("max_pool")
def _max_pool(x, kernel_sizes, strides=(1, 1), pad_type="valid", pad=None, ceil_mode=False):
    kernel, strides = _ints(kernel_sizes), _ints(strides)
    padding = _padding(str(pad_type), pad, x.shape[2:], kernel, strides, [1] * len(kernel))
    return functional.max_pool2d(
        functional.pad(x, padding, value=float("-inf")), kernel, strides, ceil_mode=bool(ceil_mode)
    )


@operation("linear")
def _linear(x, weight, bias=None):
    return functional.linear(_tensor(x), weight, bias)


@operation("matmul")
def _matmul(x, y, transpose_x=False, transpose_y=False):
    x, y = _tensor(x), _tensor(y)
    return (x.mT if bool(transpose_x) else x) @ (y.mT if bool(transpose_y) else y)


@operation("batch_norm")
def _batch_norm(x, mean, variance, gamma=None, beta=None, epsilon=1e-5):
    return functional.batch_norm(x, mean, variance, gamma, beta, training=False, eps=float(epsilon))


@operation("add")
def _add(x, y):
    return _tensor(x) + _tensor(y)


@operation("sub")
def _sub(x, y):
    return _tensor(x) - _tensor(y)


@operation("mul")
def _mul(x, y):
    return _tensor(x) * _tensor(y)


@operation("real_div")
def _real_div(x, y):
    return _tensor(x) / _tensor(y)


@operation("pow")
def _pow(x, y):
    return _tensor(x) ** _tensor(y)


@operation("maximum")
def _maximum(x, y):
    return torch.maximum(*torch.broadcast_tensors(_tensor(x), _tensor(y)))


@operation("minimum")
def _minimum(x, y):
    return torch.minimum(*torch.broadcast_tensors(_tensor(x), _tensor(y)))


@operation("sqrt")
def _sqrt(x):
    return _tensor(x).sqrt()


@operation("exp")
def _exp(x):
    return _tensor(x).exp()


@operation("relu")
def _relu(x):
    return functional.relu(_tensor(x))


@operation("relu6")
def _relu6(x):
    return functional.relu6(_tensor(x))


@operation("silu")
def _silu(x):
    return functional.silu(_tensor(x))


@operation("sigmoid")
def _sigmoid(x):
    return torch.sigmoid(_tensor(x))


@operation("sigmoid_hard")
def _sigmoid_hard(x, alpha=0.2, beta=0.5):
    return torch.clamp(_tensor(x) * float(alpha) + float(beta), 0.0, 1.0)


@operation("clip")
def _clip(x, alpha, beta):
    return torch.clamp(_tensor(x), float(alpha), float(beta))


@operation("softmax")
def _softmax(x, axis=-1):
    return torch.softmax(_tensor(x), int(axis))


@operation("concat")
def _concat(values, axis, interleave=False):
    if bool(interleave):
        raise UnknownOperationError("concat with interleave")
    return torch.cat([_tensor(value) for value in values], int(axis))


@operation("stack")
def _stack(values, axis):
    return torch.stack([_tensor(value) for value in values], int(axis))


@operation("split")
def _split(x, axis, num_splits=None, split_sizes=None):
    x, axis = _tensor(x), int(axis)
    sizes = [x.shape[axis] // int(num_splits)] * int(num_splits) if split_sizes is None else _ints(split_sizes)
    return list(torch.split(x, sizes, axis))


@operation("reshape")
def _reshape(x, shape):
    return _tensor(x).reshape(_ints(shape))


@operation("transpose")
def _transpose(x, perm):
    return _tensor(x).permute(_ints(perm))


@operation("expand_dims")
def _expand_dims(x, axes):
    x = _tensor(x)
    rank = x.ndim + len(_ints(axes))
    for axis in sorted(axis % rank for axis in _ints(axes)):
        x = x.unsqueeze(axis)
    return x


@operation("squeeze")
def _squeeze(x, axes=None):
    x = _tensor(x)
    return x.squeeze() if axes is None else x.squeeze(tuple(_ints(axes)))


@operation("tile")
def _tile(x, reps):
    return _tensor(x).repeat(_ints(reps))


@operation("slice_by_index")
def _slice_by_index(x, begin, end, stride=None, begin_mask=None, end_mask=None, squeeze_mask=None):
    x, begin, end = _tensor(x), _ints(begin), _ints(end)
    count = len(begin)
    stride = [1] * count if stride is None else _ints(stride)
    if min(stride) < 1:
        raise UnknownOperationError("slice_by_index with a negative stride")
    from_start, to_end, squeeze = (_flags(mask, count) for mask in (begin_mask, end_mask, squeeze_mask))
    return x[
        tuple(
            begin[i]
            if squeeze[i]
            else slice(None if from_start[i] else begin[i], None if to_end[i] else end[i], stride[i])
            for i in range(count)
        )
    ]


@operation("pad")
def _pad(x, pad, mode="constant", constant_val=0.0):
    if str(mode) != "constant":
        raise UnknownOperationError(f"pad by '{mode}'")
    return functional.pad(_tensor(x), _padding("custom", pad, [], [], [], []), value=float(constant_val))


@operation("upsample_bilinear")
def _upsample_bilinear(x, scale_factor_height=1.0, scale_factor_width=1.0, align_corners=True, half_pixel_centers=None):
    if half_pixel_centers is not None and bool(half_pixel_centers) == bool(align_corners):
        raise UnknownOperationError("upsample_bilinear by edges")
    factors = (float(scale_factor_height), float(scale_factor_width))
    return functional.interpolate(x, scale_factor=factors, mode="bilinear", align_corners=bool(align_corners))


@operation("upsample_nearest_neighbor")
def _upsample_nearest(x, scale_factor_height=1.0, scale_factor_width=1.0):
    return functional.interpolate(
        x, scale_factor=(float(scale_factor_height), float(scale_factor_width)), mode="nearest"
    )


@operation("reduce_mean")
def _reduce_mean(x, axes, keep_dims=False):
    return _tensor(x).mean(_ints(axes), keepdim=bool(keep_dims))


@operation("reduce_sum")
def _reduce_sum(x, axes, keep_dims=False):
    return _tensor(x).sum(_ints(axes), keepdim=bool(keep_dims))


@operation("reduce_max")
def _reduce_max(x, axes, keep_dims=False):
    return _tensor(x).amax(_ints(axes), keepdim=bool(keep_dims))


@operation("reduce_l2_norm")
def _reduce_l2_norm(x, axes, keep_dims=False):
    return torch.linalg.vector_norm(_tensor(x), dim=_ints(axes), keepdim=bool(keep_dims))
