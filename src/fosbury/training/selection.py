"""What the training loops of all backends share: the choice of the checkpoint, the learning curve, the progress that is
shown, and going on after a kill."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from tqdm import tqdm

from fosbury.errors import BadInput
from fosbury.files import draft
from fosbury.inference.protocol import PoseModel
from fosbury.machine import computes_bfloat16
from fosbury.media.image import read_image
from fosbury.metrics.evaluation import evaluate, upright_figures
from fosbury.pose import Dataset, Pose
from fosbury.training.recipe import Recipe, selection_frames
from fosbury.training.upright_crops import upright_crops

BATCH = 16  # pictures in memory at once
CURVE = (
    "epoch",
    "box_loss",
    "pose_loss",
    "kobj_loss",
    "cls_loss",
    "dfl_loss",
    "lr",
    "val_error_mm",
    "val_pck10",
)
FIRST_LINE, NEXT_LINE = 10.0, 60.0  # seconds until a log has the first line of progress, and between later ones


class Progress:
    """How far a training is, and how long it will take: a bar on a terminal, in a log a line now and then.

    Parameters
    ----------
    epochs, batches : int
        Epochs of the whole training, batches of each.
    done : int
        Epochs that a run before this one has finished.
    stream : text stream, optional
        stderr if not given.
    clock : callable
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        epochs: int,
        batches: int,
        done: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.epochs, self.batches, self.stream, self.clock = epochs, batches, stream or sys.stderr, clock
        self.skipped = self.count = done * batches
        self.error: float | None = None
        self.begin = clock()
        self.due = self.begin + FIRST_LINE
        self.bar = tqdm(total=epochs * batches, initial=self.count, file=self.stream, disable=None, unit="batch")

    def step(self, loss: float) -> None:
        """Count a batch; ``loss`` is the mean of its epoch so far."""
        epoch, batch = divmod(self.count, self.batches)
        self.count += 1
        title, shown = f"epoch {epoch + 1}/{self.epochs}", f"loss {loss:.4g}"
        if self.error is not None:
            shown += f", validation error {self.error:.0f} mm"
        if not self.bar.disable:
            self.bar.set_description(title, refresh=False)
            self.bar.set_postfix_str(shown, refresh=False)
            self.bar.update()
        elif self.clock() >= self.due:
            self.due = self.clock() + NEXT_LINE
            left = duration(self.seconds_left())
            print(
                f"{title}, batch {batch + 1}/{self.batches}, {shown}: about {left} left", file=self.stream, flush=True
            )

    def seconds_left(self) -> float:
        """Seconds until the end, at the pace of this run so far, validation included."""
        pace = (self.clock() - self.begin) / (self.count - self.skipped)
        return pace * (self.epochs * self.batches - self.count)

    def validated(self, error_mm: float) -> None:
        """Take note of the pose error on the validation frames."""
        self.error = error_mm

    def close(self) -> None:
        """Leave the bar as it is."""
        self.bar.close()


def duration(seconds: float) -> str:
    """A length of time in words.

    Examples
    --------
    >>> duration(42), duration(1830), duration(9000)
    ('42 s', '30 min', '2 h 30 min')
    """
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def warn_of_bfloat16(recipe: Recipe, device: str) -> None:
    """Say before a training that bfloat16 will make it slow, where the machine has no instructions for it."""
    if recipe.bfloat16 and not computes_bfloat16(device):
        print(
            "train.bfloat16: is true, and this processor has no instructions for it, so that training takes several "
            "times as long; stop it and set train.bfloat16=false.",
            file=sys.stderr,
            flush=True,
        )


@dataclass(frozen=True, eq=False)
class Selection:
    """The frames whose pose error chooses the checkpoint.

    Attributes
    ----------
    dataset : Dataset
        Arch frames of ``val``, or all of its frames where there is none.
    images : list of ndarray of uint8, shape (H, W, 3)
        Their pictures, RGB.
    """

    dataset: Dataset
    images: list[np.ndarray]

    @classmethod
    def of(cls, val: Dataset, root: Path) -> Selection:
        """Take the frames of a validation split and read their pictures.

        Raises
        ------
        BadInput
            If the error of none of them can be measured, or a picture cannot be read.
        """
        select = selection_frames(val)
        if not len(evaluate(select, [[] for _ in select.frames], ap=False).joint):
            hint = "label both ends of a limb that the skeleton names under 'limbs'"
            raise BadInput("split 'val'", "has no one whose pose error can be measured", hint)
        return cls(select, [read_image(root / frame.file_name) for frame in select.frames])

    def score(self, predictions: Sequence[Sequence[Pose]]) -> dict[str, float]:
        """``val_error_mm``, the less the better, and ``val_pck10`` of predictions on these frames."""
        scores = evaluate(self.dataset, predictions, ap=False).figures().to_json()
        return {"val_error_mm": float(scores["error_mm"]), "val_pck10": float(scores["pck"]["0.1"])}


def is_best(history: Sequence[dict[str, float]]) -> bool:
    """Whether the last epoch has less pose error than every one before it."""
    *before, last = [row["val_error_mm"] for row in history]
    return all(last < error for error in before)


def chosen_epoch(curve: Path) -> int:
    """Return the epoch, from 1, whose checkpoint was kept: the first with the least pose error of a learning curve."""
    with curve.open(newline="") as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: float(row["val_error_mm"]))
    return int(best["epoch"])


def validate(model: PoseModel, val: Dataset, root: Path) -> dict[str, float | int]:
    """Measure a checkpoint on the validation frames, as its selection did: labelled boxes where it needs boxes.

    Parameters
    ----------
    model : PoseModel
        Its joints in the order of the data set's skeleton.
    val : Dataset
    root : Path
        Folder that file names are relative to.

    Returns
    -------
    dict
        ``val_arch_error_mm``, ``val_arch_pck10`` (a share), ``val_upright_error_mm`` (approach and take-off),
        ``val_all_error_mm`` (every frame) and ``val_frames``. Millimetres are equivalents at the stature of the
        label, or at 1850 mm. A figure that has no frames is left out.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    poses: list[list[Pose]] = []
    for start in range(0, len(val), BATCH):
        frames = val.frames[start : start + BATCH]
        boxes = [np.array([person.box for person in frame.people]).reshape(-1, 4) for frame in frames]
        images = [read_image(root / frame.file_name) for frame in frames]
        poses += model.predict(images, boxes if model.needs_boxes else None)
    evaluation = evaluate(val, poses, ap=False)
    arch = evaluation.figures(evaluation.phase == "arch").to_json()
    upright, every = upright_figures(evaluation).to_json(), evaluation.figures().to_json()
    figures = {
        "val_arch_error_mm": arch["error_mm"],
        "val_arch_pck10": arch["pck"]["0.1"],
        "val_upright_error_mm": upright["error_mm"],
        "val_all_error_mm": every["error_mm"],
        "val_frames": every["frames"],
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def shown_frames(train: Dataset, root: Path, work: Path, recipe: Recipe, seed: int) -> Dataset:
    """What an epoch shows: the training frames, and upright crops of them where the recipe asks for these."""
    if not recipe.upright_crops:
        return train
    crops = upright_crops(train, root, work / "crops", seed)
    return replace(train, frames=train.frames + crops.frames)


def check_splits(splits: Mapping[str, Dataset]) -> None:
    """Refuse an empty ``train`` or ``val``.

    Raises
    ------
    BadInput
    """
    for name in ("train", "val"):
        if not len(splits[name]):
            raise BadInput(f"split '{name}'", "has no frames", "label more clips or change split ratios")


def read_state(path: Path, key: str) -> dict[str, Any] | None:
    """Read what a killed run left behind; None where there is nothing, or it belongs to another run."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True)
    except Exception:  # whatever torch makes of bytes that a kill, or anybody, has left there
        return None
    return state if isinstance(state, dict) and state.get("key") == key else None


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write what a run needs to go on, so that a kill leaves the former state or this one."""
    with draft(path) as unfinished:
        torch.save(state, unfinished)


def write_curve(rows: Sequence[dict[str, float]], path: Path) -> None:
    """Write the learning curve as CSV: one row an epoch, the columns of ``CURVE``; what a backend has not is empty."""
    with draft(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, CURVE, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: int(value) if name == "epoch" else f"{value:.6g}" for name, value in row.items()} for row in rows
        )
