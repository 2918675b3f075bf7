"""Reading checkpoints of strangers: tensors and plain values, and nothing that acts.

A checkpoint is a pickle, which names classes and functions to be called while it is read. Torch's restricted unpickler
refuses every name but those of tensors. The names of network layers and of training statistics, which official files
hold beside their tensors, stand for ``Inert`` here: nothing of another package is ever called, whatever a file asks.
"""

from __future__ import annotations

import contextlib
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from fosbury.errors import BadInput
from fosbury.media.files import check_file

DEEPEST = 16  # modules within modules; YOLO11 has 7
MOST_MODULES = 10_000
# Beside the tensors of MMEngine's checkpoints (its message hub), in whatever format of torch.
MESSAGE_HUB = (
    "builtins.getattr",
    "mmengine.logging.history_buffer.HistoryBuffer",
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *("numpy.ndarray", "numpy.dtype"),
)
# Beside those of Ultralytics' checkpoints: layers, losses, settings, paths.
LAYERS = re.compile(r"(torch\.nn\.modules|ultralytics)(\.\w+)+|pathlib(\._local)?\.\w*Path")


class Inert:
    """What an object of a checkpoint becomes: it keeps its state, and does nothing."""

    def __init__(self, *_: Any):
        self.state: dict[Any, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if type(state) is dict else {}

    @classmethod
    def part(cls, thing: Any, name: str) -> Any:
        """Return what ``thing`` holds by that name; None where it is nothing of the kind."""
        return getattr(thing, "state", {}).get(name) if type(thing) is cls else None


@contextlib.contextmanager
def _only(names: list[str]) -> Iterator[None]:
    """Let torch's restricted unpickler take tensors and plain values, and ``Inert`` for these names, without a word."""
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([(Inert, name) for name in names])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(before)


def read_checkpoint(path: Path, hint: str, device: str = "cpu") -> dict[Any, Any]:
    """Read a file of ``torch.save`` without running anything that it names.

    Parameters
    ----------
    path : Path
    hint : str
        What to do about a file that cannot be read.
    device : str
        ``cpu``, or ``meta`` for the shapes of the tensors without their values.

    Returns
    -------
    dict
        Tensors, plain values, and ``Inert`` for every other object.

    Raises
    ------
    BadInput
        If the file is absent, damaged, no mapping, or names what no checkpoint of a pose network needs.
    """
    check_file(path)
    names = [*MESSAGE_HUB]
    try:
        with _only(names):
            asked = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipfile.is_zipfile(path) else []
        names += [name for name in asked if LAYERS.fullmatch(name)]
        strange = sorted(set(asked) - set(names))
        with _only(names):
            content = None if strange else torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # whatever torch makes of bytes that anybody may have written
        raise BadInput(path, "is not a checkpoint that can be read safely", hint) from error
    if strange:
        raise BadInput(path, f"holds more than weights: it asks for {strange[0][:60]!r}, which may run code", hint)
    if type(content) is not dict:
        raise BadInput(path, "is not a checkpoint", hint)
    return content


def plain_weights(values: Any, path: Path, hint: str) -> dict[str, torch.Tensor]:
    """Make sure that a mapping holds numbers by name and nothing else.

    Parameters
    ----------
    values : mapping of str to Tensor
    path : Path
        The file, for messages.
    hint : str

    Returns
    -------
    dict of str to Tensor
        Without what a file may have attached to its tensors.

    Raises
    ------
    BadInput
        If anything else is in it, or a tensor claims more numbers than it stores.
    """
    if not isinstance(values, dict) or not values:
        raise BadInput(path, "holds no weights", hint)
    for name, value in values.items():
        plain = type(name) is str and type(value) in (torch.Tensor, torch.nn.Parameter)
        if not plain or value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise BadInput(path, "holds something else among its weights", hint)
        if value.is_complex() or value.numel() * value.element_size() > torch.Tensor.untyped_storage(value).nbytes():
            raise BadInput(path, f"has damaged weights ({name[:60]!r})", hint)
    return {name: torch.Tensor.detach(value) for name, value in values.items()}


def module_weights(module: Any) -> dict[Any, Any]:
    """Parameters and buffers of a module that was stored as an object, by the names of its ``state_dict``.

    Parameters
    ----------
    module : Inert

    Returns
    -------
    dict
        Unchecked, see ``plain_weights``; empty where the object is no module, or an impossible one.
    """
    found: dict[Any, Any] = {}
    waiting = [("", module, 0)]
    for _ in range(MOST_MODULES):
        if not waiting:
            return found
        prefix, here, depth = waiting.pop()
        if depth > DEEPEST:
            break
        lost = Inert.part(here, "_non_persistent_buffers_set")
        for kind in ("_parameters", "_buffers", "_modules"):
            parts = Inert.part(here, kind)
            for name, value in parts.items() if isinstance(parts, dict) else ():
                if value is None or type(name) is not str:
                    continue
                if kind == "_modules":
                    waiting.append((f"{prefix}{name}.", value, depth + 1))
                elif not (isinstance(lost, set) and name in lost):
                    found[f"{prefix}{name}"] = value
    return {}
