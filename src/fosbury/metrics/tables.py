"""Metrics of models by phase, joint and tilt as rows of CSV, for plots."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fosbury.files import write_csv
from fosbury.metrics.registry import ERROR, METRICS

COLUMNS = tuple(metric for metric in METRICS if metric.in_csv)
PARTS = {"phase": "by_phase", "joint": "by_joint", "tilt": "by_tilt"}


def csv_rows(evaluations: Mapping[str, Mapping[str, Any]], part: str) -> list[list[object]]:
    """Metrics of every model in one long table.

    Parameters
    ----------
    evaluations : mapping of str to mapping
        Name of the model -> ``Evaluation.to_json()``.
    part : {"phase", "joint", "tilt"}
        What a row stands for.

    Returns
    -------
    list of list
        The head (``part``, ``model``, counts, metrics, the interval of the error), then the rows; None where there is
        no value.
    """
    ends = (f"{ERROR.key}_low", f"{ERROR.key}_high")
    rows: list[list[object]] = [[part, "model", "frames", "joints", *(metric.key for metric in COLUMNS), *ends]]
    for model, evaluation in evaluations.items():
        for name, group in evaluation[PARTS[part]].items():
            values = (metric.of(group) for metric in COLUMNS)
            interval = ERROR.of(group["ci"]) or (None, None)
            rows.append([name, model, group["frames"], group["joints"], *values, *interval])
    return rows


def write_csvs(folder: Path, evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    """Write ``by_phase.csv``, ``by_joint.csv`` and ``by_tilt.csv`` into a folder."""
    for part in PARTS:
        write_csv(folder / f"by_{part}.csv", csv_rows(evaluations, part))
