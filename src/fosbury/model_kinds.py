"""Every kind of model file: which module opens it, and which packages that module needs.

A new backend is a module in ``backends/`` and an entry in ``BACKENDS``; a new exported format is a module in
``export/`` and an entry in ``EXPORTED``. Nothing is imported here: the packages of a kind that nobody uses may be
missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """One kind of model file.

    Attributes
    ----------
    module : str
        Its code: ``open_model(path, skeleton, image_size, confidence)`` gives a ``PoseModel``. That of a backend has
        the functions of ``backends.Backend`` beside it.
    suffixes : tuple of str
        Of its files. A ``.pt`` file of this project may name another backend, see ``inference/registry.py``.
    packages : mapping of str to str
        Optional packages that the module needs: the name of the distribution by that of the import.
    needs_boxes : bool
        Whether its models have to be given the place of each person (top-down models).
    read_only : bool
        Whether such files are others': opened, never written.
    """

    module: str
    suffixes: tuple[str, ...]
    packages: Mapping[str, str] = field(default_factory=dict)
    needs_boxes: bool = False
    read_only: bool = False


# By the name that model.backend, and the extra of pyproject.toml, has.
BACKENDS = {
    "yolo": ModelKind(
        module="fosbury.backends.yolo",
        suffixes=(".pt",),
        packages={"ultralytics": "ultralytics", "torchvision": "torchvision"},
    ),
    "rtmpose": ModelKind(
        module="fosbury.backends.rtmpose",
        suffixes=(".pth",),
        packages={
            "mmpose": "mmpose",
            "mmengine": "mmengine",
            "mmcv": "mmcv-lite",
            "torchvision": "torchvision",
        },
        needs_boxes=True,
    ),
    "blazepose": ModelKind(
        module="fosbury.backends.blazepose", suffixes=(), packages={"tflite": "tflite"}, needs_boxes=True
    ),
}
EXPORTED = {
    "onnx": ModelKind(module="fosbury.export.onnx", suffixes=(".onnx",)),
    "coreml": ModelKind(module="fosbury.export.coreml", suffixes=(".mlpackage",)),
    "tflite": ModelKind(
        module="fosbury.export.tflite",
        suffixes=(".tflite",),
        packages={"ai_edge_litert": "ai-edge-litert"},
        needs_boxes=True,
        read_only=True,
    ),
}
KINDS = BACKENDS | EXPORTED
