"""Whether a model's confidence in a joint means anything: the share of joints that are right, by how sure it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

BINS = 10
EDGE = 1e-6  # confidence is kept this far from 0 and 1
COLDEST, HOTTEST = 0.02, 50.0


@dataclass(frozen=True, eq=False)
class Reliability:
    """Joints by confidence, in bins of equal width.

    Attributes
    ----------
    confidence, right : ndarray, shape (B,)
        Mean confidence, and share of joints that are right; NaN in an empty bin.
    count : ndarray of int, shape (B,)
    error : float
        Expected calibration error (Naeini et al. 2015): mean distance of the two, weighted by the joints.
    """

    confidence: np.ndarray
    right: np.ndarray
    count: np.ndarray
    error: float


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Reliability:
    """Sort joints by confidence and see how many are right.

    Parameters
    ----------
    confidence : ndarray, shape (N,)
        In [0, 1].
    right : ndarray of bool, shape (N,)
    bins : int
    """
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        sure = np.bincount(place, confidence, bins) / count
        share = np.bincount(place, np.asarray(right, dtype=float), bins) / count
    error = float(np.nansum(np.abs(sure - share) * count) / max(len(place), 1)) if len(place) else np.nan
    return Reliability(sure, share, count, error)


def temperature_scaled(confidence: np.ndarray, temperature: float) -> np.ndarray:
    """Confidence with its logit divided by a temperature (Guo et al. 2017): above 1, the model was too sure."""
    inside = np.clip(confidence, EDGE, 1 - EDGE)
    return 1 / (1 + np.exp(-np.log(inside / (1 - inside)) / temperature))


def fit_temperature(confidence: np.ndarray, right: np.ndarray) -> float:
    """Fit the temperature under which the joints are most likely, on frames that no reported figure uses.

    Parameters
    ----------
    confidence : ndarray, shape (N,)
    right : ndarray of bool, shape (N,)

    Returns
    -------
    float
        1 where there are no joints.
    """
    if not len(confidence):
        return 1.0

    def surprise(log_temperature: float) -> float:
        sure = np.clip(temperature_scaled(confidence, np.exp(log_temperature)), EDGE, 1 - EDGE)
        return float(-np.mean(np.where(right, np.log(sure), np.log(1 - sure))))

    ends = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(surprise, bounds=ends, method="bounded", options={"xatol": 1e-4}).x))
