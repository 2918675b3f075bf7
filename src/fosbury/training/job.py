"""What a backend is given to fine-tune."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fosbury.pose import FOCUS, Dataset
from fosbury.recipe import Recipe


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingJob:
    """One fine-tuning: from which weights, on which frames, how, and where the result goes.

    Attributes
    ----------
    train, val : Dataset
        Frames to learn from, and frames that choose the checkpoint; file names are relative to ``root``.
    root : Path
    weights : Path or None
        Where to start; None trains from scratch.
    architecture : str
        Name of a network of the backend.
    recipe : Recipe
    focus : str
        The phase of interest: its frames in ``val`` choose the checkpoint.
    seed : int
        Starts every random choice.
    out : Path
        The checkpoint to write: the epoch with the least pose error on ``val``.
    curve : Path
        Learning curve to write (CSV).
    work : Path
        Scratch folder that survives a kill; the same job continues from its last whole epoch, to the same result.
    """

    train: Dataset
    val: Dataset
    weights: Path | None
    architecture: str
    recipe: Recipe
    out: Path
    curve: Path
    work: Path
    focus: str = FOCUS
    seed: int = 0
    root: Path = Path()
