"""What labelling costs, and what more of it would buy."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy import stats

from fosbury.documents import read_yaml
from fosbury.errors import BadInput, BadInputs
from fosbury.media.files import check_file

COSTS = Path("conf/labelling/costs.yaml")
Range = tuple[float, float]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Range = tuple[_Amount, _Amount]
LEVEL = 0.95
"""Of the interval of what more frames buy."""
LEAST_COUNTS, LEAST_RUNS = 3, 5
PARAMETERS = 3
POWERS = np.arange(0.05, 2.01, 0.05)
"""Exponents that are tried. Those of learning curves lie between 0.07 and 0.5 (Hestness and others 2017)."""
RESAMPLES = 1000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hourly(_Strict):
    """So many frames in so many hours, paid by the hour."""

    frames: Annotated[int, Field(ge=1)]
    hours: _Range
    dollars_per_hour: _Range


class Option(_Strict):
    """A way to have frames labelled; prices as ``conf/labelling/costs.yaml`` explains them."""

    name: str
    quality: str
    dollars_per_frame: _Range | None = None
    dollars_per_joint: _Amount | None = None
    frames_in_hours: Hourly | None = None
    seconds_per_frame: _Range | None = None
    fee: _Amount = 0.0
    repeats: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _one_price(self) -> Option:
        if (
            sum(each is not None for each in (self.dollars_per_frame, self.dollars_per_joint, self.frames_in_hours))
            != 1
        ):
            raise ValueError("needs one of dollars_per_frame, dollars_per_joint and frames_in_hours")
        return self


class Costs(_Strict):
    """``conf/labelling/costs.yaml``."""

    name: str
    joints: Annotated[int, Field(ge=1)]
    seconds_per_frame_check: _Amount
    seconds_per_joint_correct: _Amount
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Estimate:
    """What an option costs.

    Attributes
    ----------
    name, quality : str
    dollars : tuple of float
        Low and high, with fees and repeats.
    hours : tuple of float
        Of your own: to label, or to check what others labelled.
    """

    name: str
    quality: str
    dollars: Range
    hours: Range


def read_costs(path: str | Path = COSTS) -> Costs:
    """Read the options.

    Raises
    ------
    BadInput, BadInputs
        If the file is not as `Costs` has it; every problem is listed.
    """
    values = read_yaml(path, "restore it with `git checkout conf/labelling`")
    try:
        return Costs.model_validate(values)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}" for each in error.errors()]
        raise BadInputs(path, problems, "correct them") from None


def estimate(costs: Costs, frames: int, joints: int) -> list[Estimate]:
    """Estimate every option for a number of frames with one athlete each.

    Parameters
    ----------
    costs : Costs
    frames : int
    joints : int
        Of the skeleton; prices and times are proportional to it.

    Returns
    -------
    list of Estimate
        In the order of the file.
    """
    share = joints / costs.joints
    check = frames * costs.seconds_per_frame_check / 3600
    found = []
    for option in costs.options:
        hours: Range = (check, check)
        if option.seconds_per_frame is not None:
            hours = _scaled(option.seconds_per_frame, frames * share / 3600)
        if option.frames_in_hours is not None:
            paid = option.frames_in_hours
            times = frames * share / paid.frames
            dollars = (
                times * paid.hours[0] * paid.dollars_per_hour[0],
                times * paid.hours[1] * paid.dollars_per_hour[1],
            )
        elif option.dollars_per_joint is not None:
            dollars = _scaled((option.dollars_per_joint, option.dollars_per_joint), frames * joints)
        else:
            dollars = _scaled(option.dollars_per_frame or (0.0, 0.0), frames * share)
        factor = (1 + option.fee) * option.repeats
        found.append(Estimate(option.name, option.quality, _scaled(dollars, factor), hours))
    return found


def _scaled(values: Range, factor: float) -> Range:
    return values[0] * factor, values[1] * factor


def correction_minutes(costs: Costs, wrong_joints: float, frames: int) -> float:
    """Minutes to look at frames and to move the joints that are wrong.

    Examples
    --------
    >>> options = {"name": "x", "joints": 17, "seconds_per_frame_check": 10, "seconds_per_joint_correct": 4}
    >>> correction_minutes(Costs(options=(), **options), wrong_joints=30, frames=6)
    3.0
    """
    return (frames * costs.seconds_per_frame_check + wrong_joints * costs.seconds_per_joint_correct) / 60


@dataclass(frozen=True)
class Gain:
    """How far more frames are expected to lower the error.

    Attributes
    ----------
    frames : int
        From which on.
    more : int
    millimetres : float
        Fall of the error, in mm-equivalents.
    ci : tuple of float
        Of ``millimetres``, at `LEVEL`.
    beyond : bool
        Whether this goes beyond the frames that were tried.
    """

    frames: int
    more: int
    millimetres: float
    ci: Range
    beyond: bool


def read_runs(path: str | Path) -> dict[int, list[float]]:
    """Read errors of trainings by their number of labelled frames: CSV with the columns ``frames`` and ``error_mm``.

    Raises
    ------
    BadInput
        If it cannot be read, lacks a column, or a value is no positive number.
    """
    path, hint = check_file(path), "give a table with the columns frames and error_mm, a row for each training"
    found: dict[int, list[float]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := {"frames", "error_mm"} - set(reader.fieldnames or ()):
                raise BadInput(path, f"has no column {', '.join(sorted(missing))}", hint)
            for row in reader:
                count, error = float(row["frames"] or "nan"), float(row["error_mm"] or "nan")
                if not (count >= 1 and count.is_integer() and 0 < error < np.inf):
                    raise BadInput(path, f"line {reader.line_num} has no positive numbers", hint)
                found.setdefault(int(count), []).append(error)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        raise BadInput(path, f"cannot be read as such a table ({error})", hint) from None
    return found


def next_frames(points: Mapping[int, Sequence[float]], frames: int, more: int = 100) -> Gain:
    """Say what more frames would buy, by an inverse power law through the errors: ``a * frames ** -b + c``.

    The interval is of a bootstrap of the residuals over all trainings, made as wide as few of them ask for (Student's t
    with the degrees of freedom that the fit leaves). In simulations it held the truth in 93 to 95 %.

    Parameters
    ----------
    points : mapping of int to sequence of float
        Error of each run by its number of labelled frames, in mm-equivalents.
    frames, more : int

    Raises
    ------
    BadInput
        If there are not three numbers of frames and five runs, or the runs do not tell whether more frames help.
    """
    counts = np.array([count for count, errors in points.items() for _ in errors], dtype=float)
    errors = np.array([error for each in points.values() for error in each], dtype=float)
    if len(set(counts)) < LEAST_COUNTS or len(counts) < LEAST_RUNS or counts.min() <= 0:
        problem = f"of {len(set(counts))} numbers of frames in {len(counts)} runs give no curve"
        hint = f"{LEAST_COUNTS} numbers and {LEAST_RUNS} runs do: queue those of conf/experiment/label_efficiency.yaml"
        raise BadInput("experiments", problem, hint)
    usual = np.array([np.mean(points[int(count)]) for count in counts])
    ends = np.array([frames, frames + more], dtype=float)
    fitted, (now, then) = _fit(counts, errors[:, None], usual, ends)
    left = len(errors) - PARAMETERS
    wider = np.sqrt(len(errors) / left) * stats.t.ppf(0.5 + LEVEL / 2, left) / stats.norm.ppf(0.5 + LEVEL / 2)
    relative = (errors - fitted[:, 0]) / usual * wider
    chance = np.random.default_rng(0).choice(relative, (len(errors), RESAMPLES))
    _, (resampled_now, resampled_then) = _fit(counts, fitted + chance * usual[:, None], usual, ends)
    fall = float(now[0] - then[0])
    low, high = np.quantile(resampled_now - resampled_then, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]).tolist()
    if low <= 0:
        between = f"{low:.1f} and {high:.1f} mm"
        problem = f"do not tell whether {more} frames more help: by between {between}, {LEVEL:.0%} interval"
        raise BadInput("experiments", problem, "run more draws, or numbers of frames that are further apart")
    return Gain(frames, more, fall, (low, high), bool(frames + more > counts.max()))


def _fit(counts: np.ndarray, errors: np.ndarray, usual: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit power laws to B columns of N errors by least squares of relative errors.

    ``c`` may be negative: were it held at 0, curves that end there would seem to end earlier, and the interval held the
    truth in 73 % of simulations.

    Returns
    -------
    fitted : ndarray, shape (N, B)
    answers : ndarray, shape (len(at), B)
    """
    least = np.full(errors.shape[1], np.inf)
    fitted, answers = np.empty_like(errors), np.empty((len(at), errors.shape[1]))
    wanted = errors / usual[:, None]
    for power in POWERS:
        falls = counts**-power / usual
        both = np.stack([falls, 1 / usual], axis=-1)
        factors = np.linalg.lstsq(both, wanted, rcond=None)[0]
        rest = ((both @ factors - wanted) ** 2).sum(axis=0)
        better = rest < least
        least = np.minimum(least, rest)
        fitted[:, better] = (both @ factors * usual[:, None])[:, better]
        answers[:, better] = (at[:, None] ** -power * factors[0] + factors[1])[:, better]
    return fitted, answers
