"""Charts of the report, told apart without colour: each an SVG picture to put into a page."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

FILLS = (("#fff", "////"), ("#1f4e8c", ""))
DASHES = ("--", "-", ":", (0, (8, 3)))
SETTINGS = {"svg.hashsalt": "fosbury", "svg.fonttype": "none", "font.family": "sans-serif"}
Value = float | None


def bars(
    title: str,
    groups: Sequence[str],
    series: Mapping[str, Sequence[Value]],
    ends: Mapping[str, Sequence[Sequence[float] | None]],
    floor: float | None = None,
) -> str:
    """Bars side by side with the interval of each, in mm-equivalents.

    Parameters
    ----------
    title : str
    groups : sequence of str
    series : mapping of str to sequence of float or None
        For each model its value in every group.
    ends : mapping of str to sequence of (float, float) or None
    floor : float, optional
        A line across: the error of a model without error, measured on such labels.

    Returns
    -------
    str
        An ``img`` element.
    """
    figure, axes = _figure()
    wide = 0.8 / max(len(series), 1)
    for number, (name, own) in enumerate(series.items()):
        values = np.array([np.nan if value is None else value for value in own], dtype=float)
        reach = np.array([end or (np.nan, np.nan) for end in ends[name]], dtype=float).reshape(-1, 2)
        errors = np.clip(np.stack([values - reach[:, 0], reach[:, 1] - values]), 0, None)
        at = np.arange(len(groups)) + (number + 0.5) * wide - 0.4
        fill, hatch = FILLS[number % len(FILLS)]
        axes.bar(at, values, 0.94 * wide, yerr=errors, label=name, color=fill, hatch=hatch, edgecolor="#111", capsize=2)
    turned = {"rotation": 35, "ha": "right"} if len(groups) > 7 else {}
    axes.set_xticks(np.arange(len(groups)), groups, **turned)
    axes.set_ylabel("mm")
    _floor(axes, floor)
    return _image(figure, axes, title)


def lines(
    title: str,
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    across: str,
    up: str,
    floor: float | None = None,
) -> str:
    """Lines with a mark on each point.

    Parameters
    ----------
    title : str
    series : mapping of str to (x, y)
    across, up : str
        What the axes stand for.
    floor : float, optional
        As for `bars`.

    Returns
    -------
    str
        An ``img`` element.
    """
    figure, axes = _figure()
    for number, (name, (x, y)) in enumerate(series.items()):
        axes.plot(x, y, linestyle=DASHES[number % len(DASHES)], marker="o", markersize=3, color="#111", label=name)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    _floor(axes, floor)
    axes.set_ylim(bottom=0)
    return _image(figure, axes, title)


def _floor(axes: mpl.axes.Axes, height: float | None) -> None:
    if height is not None:
        axes.axhline(height, color="#111", linestyle="-.", linewidth=1, label=f"label noise, {height:.0f} mm")


def _figure() -> tuple[Figure, mpl.axes.Axes]:
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(axis="y", color="#ccc")
    axes.set_axisbelow(True)
    return figure, axes


def _image(figure: Figure, axes: mpl.axes.Axes, title: str) -> str:
    axes.set_title(title, fontsize=11)
    axes.legend(frameon=False)
    text = io.BytesIO()
    with mpl.rc_context(SETTINGS):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    data = base64.b64encode(text.getvalue()).decode()
    return f'<img class="chart" alt="{html.escape(title)}" src="data:image/svg+xml;base64,{data}">'
