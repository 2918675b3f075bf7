"""The learning curve of a training: a table with a row for each epoch."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from fosbury.files import draft

COLUMNS = (
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


def write_curve(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Write the learning curve as CSV: one row an epoch, ``COLUMNS``; what a backend does not have is empty."""
    with draft(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: int(value) if name == "epoch" else f"{value:.6g}" for name, value in row.items()} for row in rows
        )


def chosen_epoch(curve: Path) -> int:
    """Return the epoch, from 1, whose checkpoint was kept: the first with the least pose error of a learning curve."""
    with curve.open(newline="") as file:
        rows = list(csv.DictReader(file))
    best = min(rows, key=lambda row: float(row["val_error_mm"]))
    return int(best["epoch"])
