"""Every metric of joints, in one table.

JSON, intervals, CSVs, tables, comparisons and headline loop over ``METRICS``. A new metric is an entry here, with a
module for what it computes if that is more than an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from fosbury.metrics.evaluation import Evaluation

PCK = (0.05, 0.1, 0.2)
"""Thresholds of PCK in trunk lengths."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A mean over joints, or over people.

    Attributes
    ----------
    key : str
        Column of CSV files, attribute of ``GroupMetrics``.
    path : tuple of str
        Keys under which JSON has it; ``(key,)`` if not given.
    label : str
        What a table calls it.
    unit : str
        Of its values.
    digits : int
        To which JSON rounds it; tables show one less.
    per_row : callable
        The value of every row of an evaluation, an array of shape (N,); NaN where it has none.
    denominator : {"joints", "people"}
        What the mean is over. A person has the value of his first row.
    interval : {"mean", "share", None}
        Kind of its confidence interval; see ``intervals.mean_intervals`` and ``share_intervals``. None: it has none.
    in_csv, in_table, in_comparison : bool
        Whether CSV files, the table by phase and comparisons of revisions have it.
    headline : str or None
        Its name in metrics/summary.json, behind the phase.
    """

    key: str
    path: tuple[str, ...] = ()
    label: str
    unit: str
    digits: int
    per_row: Callable[[Evaluation], np.ndarray]
    denominator: Literal["joints", "people"] = "joints"
    interval: Literal["mean", "share"] | None = None
    in_csv: bool = True
    in_table: bool = False
    in_comparison: bool = False
    headline: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.path or (self.key,))

    def rounded(self, value: float | None) -> float | None:
        """Return a value as JSON holds it: None where it has no meaning."""
        return rounded(value, self.digits)

    def rounded_ci(self, ci: np.ndarray) -> list[float] | None:
        """Return an interval as JSON holds it: None where there is none."""
        return [round(float(end), self.digits) for end in ci] if np.isfinite(ci).all() else None

    def of(self, values: Mapping[str, Any]) -> Any:
        """Look the metric, or its interval, up in what JSON holds of a group."""
        found: Any = values
        for key in self.path:
            found = found[key]
        return found

    def text(self, value: float | None) -> str:
        """Return a value as tables show it."""
        return "-" if value is None else f"{value:.{self.digits - 1}f}"


def _error(key: str, label: str, unit: str, digits: int, **more: Any) -> Metric:
    return Metric(key=key, label=label, unit=unit, digits=digits, per_row=lambda rows: getattr(rows, key), **more)


def _pck(threshold: float, **more: Any) -> Metric:
    """Share of joints within ``threshold`` trunk lengths."""
    return Metric(
        key=f"pck{round(100 * threshold):02}",
        path=("pck", str(threshold)),
        label=f"PCK@{threshold}",
        unit="share",
        digits=4,
        per_row=lambda rows: (rows.error_trunk <= threshold).astype(float),
        interval="share",
        **more,
    )


METRICS = (
    _error(
        "error_mm",
        "mm",
        "mm-equivalents",
        2,
        interval="mean",
        in_table=True,
        in_comparison=True,
        headline="error_mm",
    ),
    _error("error_px", "px", "pixels", 3),
    _error("error_trunk", "trunk lengths", "trunk lengths", 4),
    _pck(0.05),
    _pck(0.1, in_table=True, in_comparison=True, headline="pck10"),
    _pck(0.2),
    Metric(
        key="missed",
        label="missed",
        unit="share",
        digits=4,
        per_row=lambda rows: rows.missed.astype(float),
        denominator="people",
        interval="share",
        in_table=True,
        in_comparison=True,
        headline="missed",
    ),
    Metric(
        key="swapped",
        label="swapped",
        unit="share",
        digits=4,
        per_row=lambda rows: rows.swapped,
        interval="share",
        in_comparison=True,
        headline="swap",
    ),
    Metric(
        key="error_mm_unaided",
        label="mm, unaided",
        unit="mm-equivalents",
        digits=2,
        per_row=lambda rows: rows.unaided_mm,
        interval="mean",
        in_csv=False,
        headline="error_mm_unaided",
    ),
)
ERROR, UNAIDED = METRICS[0], METRICS[-1]
"""The headline, and the same where nobody says who the athlete is."""


@dataclass(frozen=True)
class GroupMetrics:
    """What a group of joints comes to: every metric is an attribute, by its key.

    Attributes
    ----------
    frames, joints : int
        How many frames and labelled joints the group holds.
    values : mapping of str to float
        By the key of each metric; NaN where it has no meaning.
    """

    frames: int
    joints: int
    values: Mapping[str, float]

    def __getattr__(self, key: str) -> float:
        try:
            return self.__dict__["values"][key]
        except KeyError:
            raise AttributeError(key) from None

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as JSON holds them: rounded, NaN as null."""
        values = nested({metric: metric.rounded(self.values[metric.key]) for metric in METRICS})
        return {"frames": self.frames, "joints": self.joints, **values}


def nested(values: Mapping[Metric, Any]) -> dict[str, Any]:
    """Put a value of each metric where JSON has it."""
    found: dict[str, Any] = {}
    for metric, value in values.items():
        place = found
        for key in metric.path[:-1]:
            place = place.setdefault(key, {})
        place[metric.path[-1]] = value
    return found


def rounded(value: float | None, digits: int) -> float | None:
    """Round a number; None where it is none or not finite."""
    return round(float(value), digits) if value is not None and np.isfinite(value) else None
