"""Charts as Vega-Lite specifications: those of the report page, and the same ones as templates of ``dvc plots``.

The columns of a chart are those of the CSV files that DVC plots: a group, ``model``, a value, and the ends of its
interval in two columns named after it. Models differ in brightness and outline, so that a chart reads in grey, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt

INK = "#111"
HATCHED = "#fefefe"
"""Fill of the model that the others are compared with; a page hatches what has it (see ``html.HATCH``)."""
FILLS = (HATCHED, "#1f4e8c", "#9ec5e8", "#f0a500")
DASHES = ([6, 4], [1, 0], [2, 2], [8, 2, 2, 2], [4, 1])
SHAPES = ("circle", "square", "diamond", "cross", "triangle-up")
NAMES = {"baseline": "before", "finetuned": "after", "onnx": "ONNX", "coreml": "CoreML"}
WORDS = "replace(datum.label, /_/g, ' ')"
STEP = 22
"""Pixels of height for a group of bars."""
ROOM = 0.45
"""Height above the first group of bars that holds a line of text, as a share of a group's."""
HEIGHT = 260
ROWS = alt.NamedData("rows")
DATA = "<DVC_METRIC_DATA>"
Row = Mapping[str, Any]
Specification = dict[str, Any]


def bars(
    rows: Sequence[Row], *, group: str, value: str, title: str, labels: tuple[str, str], levels: Mapping[str, float]
) -> Specification:
    """Horizontal bars side by side, each with its interval.

    Parameters
    ----------
    rows : sequence of mapping
        With the columns ``group``, ``model``, ``value``, and the ends of its interval, ``{value}_low`` and
        ``{value}_high``, where it has one.
    group, value : str
    title : str
        What the chart shows, as a sentence: it is read out by a screen reader.
    labels : (str, str)
        Of the groups and of the value, with its unit.
    levels : mapping of str to float
        Lines across all bars, by what they stand for.

    Returns
    -------
    dict
        A Vega-Lite specification.
    """
    layers = [*_bar_layers(group, labels, _legend(rows), room=bool(levels)), *_levels(levels, "x")]
    chart = alt.LayerChart(layer=layers, data=ROWS)
    return _finished(_in_page(_numbers(chart, value), title).properties(height=alt.Step(STEP)), rows)


def lines(
    rows: Sequence[Row], *, across: str, value: str, title: str, labels: tuple[str, str], levels: Mapping[str, float]
) -> Specification:
    """Lines with a mark on each point.

    Parameters
    ----------
    rows : sequence of mapping
        With the columns ``model``, ``across``, ``value``, and the ends of a range around it where it has one.
    across, value : str
    title : str
    labels : (str, str)
        Of the two axes.
    levels : mapping of str to float

    Returns
    -------
    dict
        A Vega-Lite specification.
    """
    chart = alt.LayerChart(layer=[*_line_layers(across, labels, _legend(rows)), *_levels(levels, "y")], data=ROWS)
    return _finished(_in_page(_numbers(chart, value), title).properties(height=HEIGHT), rows)


def dvc_templates() -> dict[str, Specification]:
    """Return the templates of ``.dvc/plots`` by name.

    They are the charts above: the bars of each revision beside those of the others, all lines in one.
    """
    labels = ("<DVC_METRIC_Y_LABEL>", "<DVC_METRIC_X_LABEL>")
    by_group = _numbers(alt.LayerChart(layer=[*_bar_layers("<DVC_METRIC_Y>", labels, {})]), "<DVC_METRIC_X>")
    curve = _numbers(
        alt.LayerChart(layer=[*_line_layers("<DVC_METRIC_X>", labels[::-1], {})], data=ROWS), "<DVC_METRIC_Y>"
    )
    by_group = by_group.properties(width=300, height=alt.Step(STEP))
    beside = by_group.facet(data=ROWS, column=alt.Column("rev:N", sort=None, title=None))
    return {
        name: _finished(chart.properties(title=alt.TitleParams("<DVC_METRIC_TITLE>", anchor="middle")), DATA)
        for name, chart in (("fosbury_bars", beside), ("fosbury_line", curve.properties(width=600, height=HEIGHT)))
    }


def _bar_layers(group: str, labels: tuple[str, str], legend: Row, room: bool = False) -> tuple[alt.Chart, ...]:
    """Bars and their intervals, with ``room`` for the name of a line above the first."""
    base = alt.Chart()
    scale = alt.Scale(paddingOuter=ROOM) if room else alt.Undefined
    place: dict[str, Any] = {
        "y": alt.Y(field=group, type="nominal", sort=None, title=None, scale=scale, axis=alt.Axis(labelExpr=WORDS)),
        "yOffset": alt.YOffset(field="side", type="nominal", sort=None),
    }
    shown = [alt.Tooltip(field=group, type="nominal", title=labels[0]), *_tooltip(labels[1])]
    bar = base.mark_bar(stroke=INK, strokeWidth=1, cursor="pointer").encode(
        x=alt.X(field="shown", type="quantitative", title=labels[1]),
        fill=alt.Fill(
            field="side", type="nominal", sort=None, title=None, scale=alt.Scale(range=list(FILLS)), **legend
        ),
        tooltip=shown,
        **place,
    )
    interval = base.transform_filter("isValid(datum.low)").encode(tooltip=shown, **place)
    ends = [
        interval.mark_tick(color=INK, thickness=1.5, size=6).encode(x=alt.X(field=end, type="quantitative"))
        for end in ("low", "high")
    ]
    span = interval.mark_rule(color=INK, strokeWidth=1.5).encode(
        x=alt.X(field="low", type="quantitative"), x2=alt.X2(field="high")
    )
    return bar.properties(name="bars").add_params(_zoom("x")), span, *ends


def _line_layers(across: str, labels: tuple[str, str], legend: Row) -> tuple[alt.Chart, ...]:
    base = alt.Chart().transform_calculate(across=f"toNumber(datum['{across}'])")
    x = alt.X(field="across", type="quantitative", title=labels[0], scale=alt.Scale(zero=False, nice=False, padding=8))
    side: dict[str, Any] = {"field": "side", "type": "nominal", "sort": None, "title": None}
    line = base.mark_line(color=INK, strokeWidth=1.5).encode(
        x=x,
        y=alt.Y(field="shown", type="quantitative", title=labels[1], scale=alt.Scale(zero=True)),
        strokeDash=alt.StrokeDash(**side, scale=alt.Scale(range=list(DASHES)), **legend),
    )
    point = base.mark_point(color=INK, filled=True, size=45).encode(
        x=x,
        y=alt.Y(field="shown", type="quantitative"),
        shape=alt.Shape(**side, scale=alt.Scale(range=list(SHAPES)), legend=None),
        tooltip=[alt.Tooltip(field="across", type="quantitative", title=labels[0]), *_tooltip(labels[1])],
    )
    span = base.transform_filter("isValid(datum.low)").mark_rule(color=INK, strokeWidth=1)
    span = span.encode(x=x, y=alt.Y(field="low", type="quantitative"), y2=alt.Y2(field="high"))
    return line.properties(name="lines").add_params(_zoom("x", "y")), span, point


def _legend(rows: Sequence[Row]) -> dict[str, Any]:
    """Leave a legend of one entry out."""
    return {} if len({row["model"] for row in rows}) > 1 else {"legend": None}


def _numbers(chart: alt.LayerChart, value: str) -> alt.LayerChart:
    """Name what the marks show. Numbers of a CSV are text; one that is not there is null or empty."""
    names = ", ".join(f"'{key}': '{name}'" for key, name in NAMES.items())
    chart = chart.transform_calculate(side=f"{{{names}}}[datum.model] || datum.model || datum.rev || ''")
    for name, column in (("shown", value), ("low", f"{value}_low"), ("high", f"{value}_high")):
        cell = f"datum['{column}']"
        chart = chart.transform_calculate(**{name: f"isValid({cell}) && {cell} !== '' ? toNumber({cell}) : null"})
    return chart


def _tooltip(label: str) -> list[alt.Tooltip]:
    return [
        alt.Tooltip(field="side", type="nominal", title="model"),
        *(
            alt.Tooltip(field=field, type="quantitative", title=title, format=".4~g")
            for field, title in (("shown", label), ("low", "from"), ("high", "to"))
        ),
        alt.Tooltip(field="frames", type="quantitative", title="frames"),
    ]


def _zoom(*encodings: Literal["x", "y"]) -> alt.Parameter:
    """Shift and the wheel, or Shift and dragging: the wheel alone and a finger still scroll the page."""
    return alt.selection_interval(
        name="zoom",
        bind="scales",
        encodings=list(encodings),
        translate="[pointerdown[event.shiftKey], window:pointerup] > window:pointermove!",
        zoom="wheel![event.shiftKey]",
    )


def _levels(levels: Mapping[str, float], channel: str) -> list[alt.Chart]:
    """Draw lines, each with its name at its end."""
    layers = []
    for name, level in levels.items():
        data = alt.Chart(alt.InlineData(values=[{"level": level, "name": name}]))
        at = {channel: (alt.X if channel == "x" else alt.Y)(field="level", type="quantitative")}
        rule = data.mark_rule(color=INK, strokeDash=[8, 3, 2, 3]).encode(**at, tooltip=alt.Tooltip(field="name"))
        if channel == "x":
            text, edge = data.mark_text(color=INK, align="left", baseline="top", dx=4), {"y": alt.value(0)}
        else:
            text, edge = data.mark_text(color=INK, align="right", baseline="bottom", dy=-3), {"x": alt.value("width")}
        layers += [rule, text.encode(**at, **edge, text=alt.Text(field="name"))]
    return layers


def _in_page(chart: alt.LayerChart, title: str) -> alt.LayerChart:
    """As wide as the page; its title is text of the page, and what a screen reader is given."""
    return chart.properties(width="container", description=title, autosize={"type": "fit-x", "contains": "padding"})


def _finished(chart: alt.TopLevelMixin, rows: Sequence[Row] | str) -> Specification:
    config: dict[str, Any] = {
        "font": "system-ui, sans-serif",
        "axis": {"labelLimit": 260, "labelFontSize": 12, "titleFontSize": 12, "gridColor": "#ddd"},
        "axisX": {"tickCount": 8},
        "legend": {
            "orient": "top",
            "labelFontSize": 12,
            "labelLimit": 260,
            "symbolStrokeColor": INK,
            "symbolSize": 140,
        },
        "view": {"stroke": None},
    }
    chart = chart.properties(usermeta={"embedOptions": {"renderer": "svg", "actions": False}})
    return {**chart.to_dict(), "data": {"values": rows}, "config": config}
