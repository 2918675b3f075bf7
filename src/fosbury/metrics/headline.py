"""The numbers that git keeps of a run: what fine-tuning gained, what exported files still do, and the calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from fosbury.metrics.calibration import fit_temperature, reliability, temperature_scaled
from fosbury.metrics.evaluation import UPRIGHT, Evaluation
from fosbury.metrics.registry import ERROR, METRICS, GroupMetrics, rounded

# Errors first, then shares.
_HEADLINE = sorted((metric for metric in METRICS if metric.headline), key=lambda metric: metric.interval != "mean")


def upright_metrics(evaluation: Evaluation) -> GroupMetrics:
    """Metrics of the frames in which the athlete is upright: approach and take-off together."""
    return evaluation.group_metrics(np.isin(evaluation.phase, UPRIGHT))


def headline(baseline: Evaluation, tuned: Evaluation) -> dict[str, float | int]:
    """Say in some twenty numbers what fine-tuning gained; a number that has no frames is left out.

    Parameters
    ----------
    baseline, tuned : Evaluation
        Before and after, on the same joints of the same frames.

    Returns
    -------
    dict
        Flat, for ``metrics/summary.json``: metrics of the phase of interest, the error of upright frames, OKS-AP.

    Raises
    ------
    ValueError
        If the two were not measured on the same joints.
    """
    if not (np.array_equal(baseline.frame, tuned.frame) and np.array_equal(baseline.joint, tuned.joint)):
        raise ValueError("the two evaluations were not measured on the same joints of the same frames")
    after, before = _numbers(tuned, ""), _numbers(baseline, "_baseline")
    paired = {name: value for pair in zip(after, before, strict=True) for each in pair for name, value in each.items()}
    frames = tuned.group_metrics(tuned.phase == tuned.focus).frames
    return _known(paired | {f"{tuned.focus}_frames": frames, "test_frames": tuned.group_metrics().frames})


def exported_headline(exported: Evaluation, suffix: str) -> dict[str, float | int]:
    """Metrics of an exported file, each name ending in ``_<suffix>``.

    Parameters
    ----------
    exported : Evaluation
    suffix : str
        Format of the file, as ``onnx``.

    Returns
    -------
    dict
        Flat, for ``metrics/export.json``; a number that has no frames is left out.
    """
    numbers = {name: value for each in _numbers(exported, "") for name, value in each.items()}
    return _known({f"{name}_{suffix}": value for name, value in numbers.items()})


def calibration_headline(val: Evaluation, test: Evaluation) -> dict[str, float | int]:
    """Fit the temperature that makes a model's confidence honest on ``val``, and say what it does on ``test``.

    Parameters
    ----------
    val, test : Evaluation
        Of the same model.

    Returns
    -------
    dict
        For ``metrics/calibration.json``: ``temperature``, by which to divide the logit of a joint's confidence;
        expected calibration errors with and without it, of all frames and of the phase of interest. What has no frames
        is left out.
    """
    confidence, right = val.judged(np.ones(len(val.joint), dtype=bool))
    if not len(confidence):
        return {"val_joints": 0}
    temperature = fit_temperature(confidence, right)
    numbers: dict[str, Any] = {"temperature": rounded(temperature, 3), "val_joints": len(confidence)}
    focus = test.phase == test.focus
    for name, rows in (("", np.ones(len(test.joint), dtype=bool)), (f"{test.focus}_", focus)):
        confidence, right = test.judged(rows)
        scaled = temperature_scaled(confidence, temperature)
        numbers[f"{name}ece"] = rounded(reliability(confidence, right).error, 4)
        numbers[f"{name}ece_cooled"] = rounded(reliability(scaled, right).error, 4)
    return _known(numbers)


def _numbers(evaluation: Evaluation, suffix: str) -> list[dict[str, Any]]:
    """Return the headline of one model, metric by metric: each with its interval where it is an error."""
    rows = evaluation.phase == evaluation.focus
    values = evaluation.group_metrics(rows).to_json()
    (intervals,) = evaluation.intervals([rows])
    found = []
    for metric in _HEADLINE:
        name = f"{evaluation.focus}_{metric.headline}{suffix}"
        numbers = {name: metric.of(values)}
        if metric.interval == "mean":
            numbers[f"{name}_low"], numbers[f"{name}_high"] = metric.of(intervals) or (None, None)
        found.append(numbers)
    upright = ERROR.of(upright_metrics(evaluation).to_json())
    return [*found, {f"upright_{ERROR.headline}{suffix}": upright}, {f"oks_ap{suffix}": rounded(evaluation.oks_ap, 4)}]


def _known(numbers: dict[str, Any]) -> dict[str, float | int]:
    return {name: number for name, number in numbers.items() if number is not None}
