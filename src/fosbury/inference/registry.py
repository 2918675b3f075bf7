"""Pose models of every kind behind one protocol."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fosbury.errors import BadInput
from fosbury.media.files import check_file

if TYPE_CHECKING:
    from fosbury.inference.protocol import PoseModel
    from fosbury.skeleton import Skeleton

# On import coremltools warns of what only a Mac has and of packages that it was not tested with.
logging.getLogger("coremltools").setLevel(logging.ERROR)

# Module, class, and the packages that an optional backend needs with what installs them.
YOLO = ("fosbury.backends.yolo", "YoloPose", (("ultralytics",), "`make setup`, or `uv pip install '.[yolo]'`"))
RTMPOSE = (
    "fosbury.backends.rtmpose",
    "RtmPose",
    (("mmpose", "mmengine", "mmcv", "xtcocotools"), "`make setup`, or `uv pip install '.[rtmpose]'`"),
)
EXPORTED = {
    ".onnx": ("fosbury.export.onnx", "OnnxPose", None),
    ".mlpackage": ("fosbury.export.coreml", "CoreMLPose", None),
}
SUFFIXES = (".pt", ".pth", *EXPORTED)
BACKENDS = {"yolo": YOLO, "rtmpose": RTMPOSE}


def backend(name: str) -> ModuleType:
    """The module that fine-tunes and exports models of one family.

    Parameters
    ----------
    name : str
        One of ``BACKENDS``.

    Raises
    ------
    BadInput
        If it is not known, or needs a package that is not installed.
    """
    if name not in BACKENDS:
        raise BadInput("model.backend", f"is '{name}'", f"choose one of {', '.join(BACKENDS)}")
    module, _, optional = BACKENDS[name]
    return _import("model.backend", module, optional)


def load_model(
    path: str | Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
    second_look: float | None = None,
    upright: bool = False,
) -> PoseModel:
    """Open any model file.

    Parameters
    ----------
    path : str or Path
        A checkpoint of YOLO (``.pt``) or RTMPose (``.pt`` of this project, ``.pth`` of MMPose), an ONNX file
        (``.onnx``) or a CoreML package (``.mlpackage``).
    skeleton : Skeleton, optional
        Its joints, where the file does not tell them.
    image_size : int or (int, int), optional
        Side, or height and width, of the input; an exported file has its own.
    confidence : float
        Least score of a person.
    second_look : float, optional
        Margin of a second look, see ``second_look.CropRefiner``; one look without it.
    upright : bool
        Whether the second look turns people upright.

    Returns
    -------
    PoseModel

    Raises
    ------
    BadInput
        If the file is absent, damaged or of another kind, or needs a package that is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        known = ", ".join(SUFFIXES)
        raise BadInput(path, f"has the suffix '{path.suffix}'", f"give a model file ({known})")
    if not path.exists():
        raise BadInput(path, "is not there", "check the path, or build it with `dvc repro`")
    if path.is_file():
        check_file(path)
    module, name, optional = _kind(path)
    model = getattr(_import(path, module, optional), name)(path, skeleton, image_size, confidence)
    if second_look is None:
        return model
    return importlib.import_module("fosbury.inference.refine").CropRefiner(model, second_look, upright)


def export_model(
    weights: Path,
    onnx_file: Path,
    coreml_package: Path,
    image_size: tuple[int, int],
    quantize: str = "int8",
    temperature: float | None = None,
) -> None:
    """Write a checkpoint as an ONNX file and a CoreML package.

    Parameters
    ----------
    weights : Path
        A checkpoint that ``load_model`` reads and that tells its joints.
    onnx_file, coreml_package : Path
        Where to write; what is there is replaced.
    image_size : (int, int)
        Height and width of the input, multiples of 32; RTMPose has its own.
    quantize : str
        As for ``coreml.to_coreml``.
    temperature : float, optional
        Of the confidence; see ``metadata.ModelMetadata``.

    Raises
    ------
    BadInput
        If the checkpoint is absent, damaged or of another kind, or ``quantize`` is not known.
    """
    model = load_model(weights)
    module, _, optional = _kind(weights)
    network, example = _import(weights, module, optional).export_module(weights, image_size)
    onnx, coreml = (importlib.import_module(f"fosbury.export.{name}") for name in ("onnx", "coreml"))
    head = "simcc" if model.needs_boxes else "yolo"
    onnx.to_onnx(network, example, onnx_file, model.skeleton, model.licence, head, temperature)
    coreml.to_coreml(network, example, coreml_package, model.skeleton, quantize, model.licence, head, temperature)


def _kind(path: Path) -> tuple[str, str, Any]:
    """Which class reads a model file: by its suffix, and of checkpoints by what they say of themselves."""
    suffix = path.suffix.lower()
    if suffix in EXPORTED:
        return EXPORTED[suffix]
    return RTMPOSE if suffix == ".pth" or _says_rtmpose(path) else YOLO


def _says_rtmpose(path: Path) -> bool:
    from fosbury.inference.checkpoint import read_checkpoint

    try:
        about = read_checkpoint(path, "", device="meta").get("fosbury")
    except BadInput:  # the class that reads it says why
        return False
    return isinstance(about, dict) and about.get("kind") == "rtmpose"


def _import(where: str | Path, module: str, optional: Any) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if optional is None or package not in optional[0]:
            raise
        raise BadInput(where, f"needs the package {package}", f"install it with {optional[1]}") from error
