"""Families of models that can be fine-tuned, each in one module; ``model_kinds.BACKENDS`` lists them."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, cast

from fosbury.errors import BadInput
from fosbury.inference.metadata import ExportModule
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import import_kind, kind_of
from fosbury.model_kinds import BACKENDS
from fosbury.skeleton import Skeleton
from fosbury.training.job import TrainingJob


class Backend(Protocol):
    """What the module of a backend has."""

    def open_model(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        image_size: int | tuple[int, int] | None = None,
        confidence: float = 0.05,
    ) -> PoseModel:
        """Open a checkpoint; see ``inference.registry.load_model``."""
        ...

    def finetune(self, job: TrainingJob) -> Path:
        """Fine-tune, or train from scratch; return ``job.out``.

        The same job gives the same bytes on a processor, killed and continued or not.

        Raises
        ------
        BadInput
            If the weights cannot be read, a split is empty, or the recipe sets what only another backend uses.
        """
        ...

    def export_module(self, path: Path, image_size: tuple[int, int]) -> ExportModule:
        """Give a checkpoint ready to be traced.

        Parameters
        ----------
        path : Path
            A checkpoint that names its joints.
        image_size : (int, int)
            Height and width of the input in pixels, multiples of 32, for a network that leaves them open.

        Raises
        ------
        BadInput
            If it cannot be read.
        """
        ...


def backend(name: str) -> Backend:
    """Return the backend of a name.

    Parameters
    ----------
    name : str
        One of ``model_kinds.BACKENDS``.

    Raises
    ------
    BadInput
        If it is not known, or needs a package that is not installed.
    """
    if name not in BACKENDS:
        raise BadInput("model.backend", f"is '{name}'", f"choose one of {', '.join(BACKENDS)}")
    return cast(Backend, import_kind(name, "model.backend"))


def backend_of(checkpoint: Path) -> Backend:
    """Return the backend that a checkpoint belongs to.

    Raises
    ------
    BadInput
        If the file is absent, an exported one, or no model, or the backend needs a package that is not installed.
    """
    name = kind_of(checkpoint)
    if name not in BACKENDS:
        raise BadInput(checkpoint, "is an exported file, not a checkpoint", "give a checkpoint (.pt)")
    return cast(Backend, import_kind(name, checkpoint))
