"""Figures of models by phase, joint and tilt as rows of CSV, for plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fosbury.files import write_csv

COLUMNS = (
    *("frames", "joints", "error_mm", "error_px", "error_trunk", "pck05", "pck10", "pck20"),
    *("missed", "swapped", "error_mm_low", "error_mm_high"),
)
PARTS = {"phase": "by_phase", "joint": "by_joint", "tilt": "by_tilt"}


def csv_rows(evaluations: Mapping[str, Mapping[str, Any]], part: str) -> list[list[object]]:
    """Figures of every model in one long table.

    Parameters
    ----------
    evaluations : mapping of str to mapping
        Name of the model -> ``Evaluation.to_json()``.
    part : {"phase", "joint", "tilt"}
        What a row stands for.

    Returns
    -------
    list of list
        The head (``part``, ``model`` and the figures), then the rows; a figure without meaning is None.
    """
    rows: list[list[object]] = [[part, "model", *COLUMNS]]
    for model, evaluation in evaluations.items():
        for name, figures in evaluation[PARTS[part]].items():
            pck = figures["pck"]
            low, high = figures["ci"]["error_mm"] or (None, None)
            flat = {
                **figures,
                "error_mm_low": low,
                "error_mm_high": high,
                "pck05": pck["0.05"],
                "pck10": pck["0.1"],
                "pck20": pck["0.2"],
            }
            rows.append([name, model, *(flat[column] for column in COLUMNS)])
    return rows


def write_csvs(folder: Path, evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``by_phase.csv``, ``by_joint.csv`` and ``by_tilt.csv`` into a folder."""
    for part in PARTS:
        write_csv(folder / f"by_{part}.csv", csv_rows(evaluations, part))
