"""Open model files of every kind behind one protocol; ``model_kinds`` lists the kinds."""

from __future__ import annotations

import importlib
import logging
from pathlib import Path
from types import ModuleType

from fosbury.errors import BadInput
from fosbury.inference.protocol import PoseModel
from fosbury.media.files import check_file
from fosbury.model_kinds import BACKENDS, KINDS
from fosbury.refinement import Refinement
from fosbury.skeleton import Skeleton

# On import coremltools warns of what only a Mac has and of packages that it was not tested with.
logging.getLogger("coremltools").setLevel(logging.ERROR)

REFINERS = {
    "zoom": "fosbury.inference.refine",
    "upright": "fosbury.inference.refine",
    "vote": "fosbury.inference.vote",
}
"""Where ``refined(model, refinement)`` of each way to look again is."""

OURS = ".pt"  # checkpoints of this project, whatever their backend, which they name if it is not that of the suffix


def load_model(
    path: str | Path,
    skeleton: Skeleton | None = None,
    image_size: int | tuple[int, int] | None = None,
    confidence: float = 0.05,
    *,
    refinement: Refinement | None = None,
) -> PoseModel:
    """Open any model file.

    Parameters
    ----------
    path : str or Path
        A checkpoint of YOLO (``.pt``), RTMPose (``.pt`` of this project, ``.pth`` of MMPose) or BlazePose (``.pt`` of
        this project), an ONNX file (``.onnx``), a CoreML package (``.mlpackage``), or BlazePose or MoveNet
        (``.tflite``).
    skeleton : Skeleton, optional
        Its joints, where the file does not name them.
    image_size : int or (int, int), optional
        Side, or height and width, of the input; an exported file has a fixed one.
    confidence : float
        Least score of a person.
    refinement : Refinement, optional
        How each person is looked at again; one look without it.

    Returns
    -------
    PoseModel

    Raises
    ------
    BadInput
        If the file is absent, damaged or of another kind, or needs a package that is not installed.
    """
    path = Path(path)
    model = import_kind(kind_of(path), path).open_model(path, skeleton, image_size, confidence)
    if refinement is None or refinement.how not in REFINERS:
        return model
    # By name, so that stages which never look twice do not depend on it.
    return importlib.import_module(REFINERS[refinement.how]).refined(model, refinement)


def kind_of(path: Path) -> str:
    """Name, in ``model_kinds.KINDS``, of what a model file is: by its suffix, or by what a checkpoint says of itself.

    Raises
    ------
    BadInput
        If there is no such file, or none of these.
    """
    names = {suffix: name for name, kind in KINDS.items() for suffix in kind.suffixes}
    suffix = path.suffix.lower()
    if suffix not in names:
        raise BadInput(path, f"has the suffix '{path.suffix}'", f"give a model file ({', '.join(names)})")
    if not path.exists():
        raise BadInput(path, "is not there", "check the path, or build it with `dvc repro`")
    if path.is_file():
        check_file(path)
    return (_named_backend(path) if suffix == OURS else None) or names[suffix]


def import_kind(name: str, where: str | Path) -> ModuleType:
    """Import the module of a kind of model file.

    Parameters
    ----------
    name : str
        One of ``model_kinds.KINDS``.
    where : str or Path
        The file or key that asks for it, for messages.

    Raises
    ------
    BadInput
        If it needs a package that is not installed.
    """
    kind = KINDS[name]
    try:
        return importlib.import_module(kind.module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in kind.packages:
            raise
        hint = f"install it with `make setup`, or `uv pip install '.[{name}]'`"
        raise BadInput(where, f"needs the package {package}", hint) from error


def _named_backend(path: Path) -> str | None:
    """Return the backend that a checkpoint names; None where it names none, or cannot be read."""
    from fosbury.inference.checkpoint import read_checkpoint  # imports torch, which an exported file does without

    try:
        about = read_checkpoint(path, "", device="meta").get("fosbury")
    except BadInput:  # the class that reads it says why
        return None
    name = about.get("kind") if isinstance(about, dict) else None
    return name if isinstance(name, str) and name in BACKENDS else None
