"""What labelling costs, and what more of it would buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from scipy import stats

from fosbury.documents import read_yaml
from fosbury.errors import BadInput, BadInputs

COSTS = Path("conf/labelling/costs.yaml")
Range = tuple[float, float]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Range = tuple[_Amount, _Amount]
LEVEL = 0.95
"""Of the interval of what more frames buy."""


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


def next_frames(points: Mapping[int, Sequence[float]], frames: int, more: int = 100) -> Gain:
    """Say what more frames would buy, by a line through the error over the logarithm of the number of frames.

    Parameters
    ----------
    points : mapping of int to sequence of float
        Error of each run by its number of labelled frames, in mm-equivalents.
    frames, more : int

    Raises
    ------
    BadInput
        If there are not three numbers of frames and four runs.
    """
    counts = np.array([count for count, errors in points.items() for _ in errors], dtype=float)
    errors = np.array([error for each in points.values() for error in each], dtype=float)
    if len(set(counts)) < 3 or len(counts) < 4 or counts.min() <= 0:
        problem = f"of {len(set(counts))} numbers of frames in {len(counts)} runs give no curve"
        raise BadInput("experiments", problem, "run the queue of conf/experiment/label_efficiency.yaml")
    fit: Any = stats.linregress(np.log2(counts), errors)
    doublings = float(np.log2((frames + more) / frames))
    spread = float(stats.t.ppf(0.5 + LEVEL / 2, len(counts) - 2)) * fit.stderr
    fall = -fit.slope * doublings
    ci = (fall - spread * doublings, fall + spread * doublings)
    return Gain(frames, more, fall, ci, bool(frames + more > counts.max()))
