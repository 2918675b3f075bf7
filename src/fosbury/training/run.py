"""The frame of every fine-tuning: what comes before the first epoch, between epochs, and after the last one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from fosbury.errors import BadInput, WorkFailed
from fosbury.machine import chosen_bfloat16, computes_bfloat16
from fosbury.pose import Pose
from fosbury.recipe import Recipe
from fosbury.training.curve import write_curve
from fosbury.training.job import TrainingJob
from fosbury.training.progress import Progress
from fosbury.training.resume import read_state, run_key, save_state
from fosbury.training.sampling import shown_frames
from fosbury.training.selection import Selection, is_best

Weights = Mapping[str, torch.Tensor]


def checked(job: TrainingJob, backend: str, device: str) -> TrainingJob:
    """Refuse what cannot be trained, warn of what would be slow, and settle what is left to the machine.

    Parameters
    ----------
    job : TrainingJob
    backend : str
        Name of the backend that trains it.
    device : str
        As ``machine.usable_device`` gives it.

    Returns
    -------
    TrainingJob
        Its recipe says whether to train in bfloat16.

    Raises
    ------
    BadInput
        If a split is empty, or the recipe sets what only another backend uses.
    """
    for name, part in (("train", job.train), ("val", job.val)):
        if not len(part):
            raise BadInput(f"split '{name}'", "has no frames", "label more clips or change split ratios")
    for key, (value, default) in job.recipe.ignored_by(backend).items():
        raise BadInput(f"train.{key}", f"is {value!r}, which {backend} would ignore", f"set it to {default!r}")
    recipe = job.recipe.model_copy(update={"bfloat16": chosen_bfloat16(job.recipe.bfloat16)})
    warn_of_bfloat16(recipe, device)
    return replace(job, recipe=recipe)


def warn_of_bfloat16(recipe: Recipe, device: str) -> None:
    """Say before a training that bfloat16 will make it slow, where the machine has no instructions for it."""
    if recipe.bfloat16 and not computes_bfloat16(device):
        print(
            "train.bfloat16: is true, and this processor has no instructions for it, so that training takes several "
            "times as long; stop it and set train.bfloat16=false.",
            file=sys.stderr,
            flush=True,
        )


class TrainingRun:
    """A fine-tuning from its first epoch to its checkpoint, whether or not it was killed on the way.

    A backend trains the epochs from ``next_epoch`` on. Of each it calls ``start_progress`` once, ``progress.step``
    after a batch, ``score`` with what the network predicts, and ``end_epoch``; after the last one ``finish``.

    Parameters
    ----------
    job : TrainingJob

    Attributes
    ----------
    shown : Dataset
        What an epoch shows.
    selection : Selection
        Frames whose pose error chooses the checkpoint.
    next_epoch : int
        From 0; ``job.recipe.epochs`` where all are done.
    resumed : dict or None
        What the backend gave ``end_epoch`` in the run that was killed; None at the first epoch.

    Raises
    ------
    BadInput
        If the pose error of no validation frame can be measured, or a picture cannot be read.
    """

    def __init__(self, job: TrainingJob):
        self.job = job
        job.work.mkdir(parents=True, exist_ok=True)
        self._file, self._key = job.work / "state.pt", run_key(job)
        self.shown = shown_frames(job)
        self.selection = Selection.of(job.val, job.root, job.focus)
        state = read_state(self._file, self._key) or {"epoch": -1, "history": [], "best": {}, "backend": None}
        self.next_epoch: int = state["epoch"] + 1
        self.resumed: dict[str, Any] | None = state["backend"]
        self._history: list[dict[str, float]] = state["history"]
        self._best: dict[str, torch.Tensor] = state["best"]
        self.progress: Progress | None = None

    def start_progress(self, batches: int) -> Progress:
        """Show how far the training is, ``batches`` to an epoch."""
        self.progress = Progress(self.job.recipe.epochs, batches, self.next_epoch)
        return self.progress

    def score(self, predictions: Sequence[Sequence[Pose]], weights: Callable[[], Weights]) -> dict[str, float]:
        """Measure an epoch, and keep its weights if none before it was as good.

        Parameters
        ----------
        predictions : sequence of sequence of Pose
            On the frames of ``selection``.
        weights : callable
            Gives the weights of the network that predicted.

        Returns
        -------
        dict
            ``val_error_mm``, ``val_pck10``.
        """
        scores = self.selection.score(predictions)
        if self.progress is not None:
            self.progress.validated(scores["val_error_mm"])
        if is_best([*self._history, scores]):
            self._best = {name: value.detach().cpu().clone() for name, value in weights().items()}
        return scores

    def end_epoch(self, row: dict[str, float], state: dict[str, Any]) -> None:
        """Write the learning curve, and what the run needs to go on after a kill.

        Parameters
        ----------
        row : dict
            Of the learning curve.
        state : dict
            Tensors and plain values; comes back as ``resumed``.
        """
        self._history.append(row)
        content = {"key": self._key, "epoch": self.next_epoch, "history": self._history, "best": self._best}
        save_state({**content, "backend": state}, self._file)
        write_curve(self._history, self.job.curve)
        self.next_epoch += 1

    def finish(self, save: Callable[[Weights], None]) -> None:
        """Write the learning curve and, by ``save``, the best weights; then nothing is left to resume.

        Raises
        ------
        WorkFailed
            If no epoch has ended.
        """
        if self.progress is not None:
            self.progress.close()
        if not self._best:
            raise WorkFailed(f"{self.job.work}: the training left no weights behind")
        write_curve(self._history, self.job.curve)
        save(self._best)
        self._file.unlink()
