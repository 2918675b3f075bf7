"""A comparison as people read it: in the terminal, as Markdown for a pull request, as one HTML page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from fosbury.metrics.evaluation import UPRIGHT, Evaluation
from fosbury.metrics.paired import Verdict
from fosbury.report import html as html_page
from fosbury.report.charts import bars
from fosbury.report.compare import Comparison
from fosbury.report.table import kind_rows
from fosbury.report.verdict import VERDICT, sentence, too_few, verdict_cells

PARTS = {"by_phase": "phase", "by_tilt": "trunk tilt", "by_joint": "joint", "by_visibility": "visibility"}
READ = (
    "Errors are mm-equivalents; below 0, a difference means that the side is better than the first one. Square "
    "brackets: 95 % interval over clips, by Student's t: on the logarithm of an error, on the logit of a share, on a "
    "difference as it is. P(better): level of the one-sided interval that ends at 0; of two equal models it is 0.95 or "
    "more, or 0.05 or less, in one comparison of ten. p: of exchanging the two clip by clip, raised for the number of "
    "rows of a table (Holm): with n clips and k rows it cannot come below 2k / 2^n, and where that is 0.05 or more the "
    "table says how many clips it takes, in place of p. A row is significant only where its interval leaves 0 out and "
    "p is below 0.05; 'no, after correction': the interval, which is of its row alone, leaves 0 out, p is not. ECE: "
    "expected calibration error, how far the confidence in a joint is from the share of such joints that are right."
)
ONE_RUN = (
    "One training of a side is one draw of its seed: what is said holds for these two trained models, and another seed "
    "may change it. Several runs a side, as in A1,A2,A3 B1,B2,B3, account for it."
)
SEVERAL_RUNS = (
    "With several runs a side, the interval and p are of Student's t with runs and clips as crossed random effects: "
    "what another seed and what other clips would change. Errors are means over the runs of a side."
)
WIDEST = 1000  # a table of text is as wide as it needs; a terminal breaks what is longer than itself
MARKS = re.compile(r"([\\`*_\[\]()!<>@#|~])")


@dataclass(frozen=True)
class Section:
    """A title, sentences, and a table (which may be empty).

    Attributes
    ----------
    title : str
    text, head : tuple of str
    rows : tuple of tuple of str
    chart : dict or None
        What a page draws above the table, a Vega-Lite specification.
    short : str
        What the contents bar of a page calls it.
    """

    title: str
    text: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    chart: Mapping[str, Any] | None = None
    short: str = ""


def sections(comparison: Comparison) -> list[Section]:
    """Say what holds of a comparison, in order."""
    first, names = comparison.names[0], comparison.names
    runs = tuple(chain.from_iterable(comparison.runs))
    found = [
        Section(f"{' against '.join((', '.join(names[1:]), first))}", (*_headlines(comparison), *comparison.notes))
    ]
    rows = [(name, *(_value(value) for value in values)) for name, values in comparison.params.items()]
    if rows:
        found.append(Section("Parameters that differ", (), ("parameter", *runs), tuple(rows), short="Parameters"))
    else:
        found.append(Section("Parameters that differ", ("none",), short="Parameters"))
    figures = tuple(chain.from_iterable(map(_side_figures, names, comparison.runs, comparison.evaluations)))
    errors = (f"{where} mm" for where in (comparison.focus, "upright", "all"))
    others = (f"{comparison.focus} {what}" for what in ("PCK@0.1", "missed", "swapped", "ECE"))
    head = ("", *errors, *others, "OKS-AP")
    found.append(Section("Figures", (), head, figures))
    for name, verdicts in comparison.verdicts.items():
        for part, title in PARTS.items():
            shown = [verdict for verdict in verdicts if verdict.part == part]
            head = (title, "frames", "clips", _mean_of(comparison, first), _mean_of(comparison, name), *VERDICT)
            if shown:
                heading = f"{name} against {first}, by {title}"
                few = (f"{said[0].upper()}{said[1:]}.",) if (said := too_few(shown)) else ()
                drawn = _chart(heading, title, f"{name} against {first}", shown)
                found.append(
                    Section(heading, few, head, tuple(map(_row, shown)), drawn, _short(comparison, name, f"By {title}"))
                )
        found.append(_kinds(comparison, name))
        changed = comparison.changed_frames(name)
        rows = [(f.file_name, f.phase or "-", f"{a:.0f}", f"{b:.0f}", f"{b - a:+.0f}") for f, a, b in changed]
        if rows:
            columns = ("frame", "phase", _mean_of(comparison, first), _mean_of(comparison, name), "difference")
            title, short = f"Frames that changed most, {name} against {first}", _short(comparison, name, "Frames")
            found.append(Section(title, (), columns, tuple(rows), short=short))
    several = any(len(side) > 1 for side in comparison.runs)
    return [*found, Section("How to read this", (READ, SEVERAL_RUNS if several else ONE_RUN))]


def _chart(heading: str, title: str, sides: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Differences with their intervals."""
    values = ("difference_mm", "difference_mm_low", "difference_mm_high")
    rows = [
        {title: verdict.name, "model": sides, "frames": verdict.frames}
        | {
            value: round(end, 2) if np.isfinite(end) else None
            for value, end in zip(
                values, (verdict.difference.mean, verdict.difference.low, verdict.difference.high), strict=True
            )
        }
        for verdict in verdicts
    ]
    labels = (title, "difference, mm (below 0: better)")
    return bars(rows, group=title, value=values[0], title=heading, labels=labels, levels={})


def _short(comparison: Comparison, name: str, title: str) -> str:
    """Name a section about one of the sides in the contents bar."""
    return title if len(comparison.names) == 2 else f"{title}, {name}"


def _mean_of(comparison: Comparison, name: str) -> str:
    count = len(comparison.side(name))
    return name if count == 1 else f"{name}, mean of {count}"


def _kinds(comparison: Comparison, name: str) -> Section:
    """List the kinds of mistakes of the phase of interest (or, without one, every frame), and what each costs."""
    sides = (comparison.evaluations[0], comparison.side(name))
    rows = sides[0][0].phase == comparison.focus
    where, rows = (comparison.focus, rows) if rows.any() else ("all frames", np.ones(len(rows), dtype=bool))
    a, b = (_mean_kinds([run.kinds(rows) for run in side]) for side in sides)
    head = (where, f"{comparison.names[0]}, share", "mm", f"{name}, share", "mm")
    title = f"Kinds of mistakes, {name} against {comparison.names[0]}"
    return Section(title, (), head, tuple(kind_rows((a, b))), short=_short(comparison, name, "Mistakes"))


def _mean_kinds(kinds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Shares and costs of each kind of mistake, averaged over runs."""
    return {
        kind: {part: float(np.mean([each[kind][part] for each in kinds])) for part in kinds[0][kind]}
        for kind in kinds[0]
    }


def _headlines(comparison: Comparison) -> list[str]:
    said = []
    for name, verdicts in comparison.verdicts.items():
        focus = next((verdict for verdict in verdicts if verdict.name == comparison.focus), None)
        for where, verdict in ((comparison.focus, focus), ("all frames", verdicts[0])):
            if verdict is not None:
                said.append(f"{where}: {sentence(verdict, comparison.names[0], name)}")
    return said


def _side_figures(name: str, runs: Sequence[str], evaluations: Sequence[Evaluation]) -> list[tuple[str, ...]]:
    """Make a row for each run of a side and, of several, one of their means with, in round brackets, their range."""
    rows = [_figures(run, each) for run, each in zip(runs, evaluations, strict=True)]
    if len(rows) > 1:
        columns = zip(*([value for value, _, _ in cells] for cells in map(_cells, evaluations)), strict=True)
        digits = [digits for _, _, digits in _cells(evaluations[0])]
        rows.append((f"{name}, mean and range", *map(_ranged, columns, digits)))
    return rows


def _figures(name: str, evaluation: Evaluation) -> tuple[str, ...]:
    return (name, *(_ended(value, ends, digits) for value, ends, digits in _cells(evaluation)))


def _cells(evaluation: Evaluation) -> list[tuple[float, Sequence[float] | None, int]]:
    """Of each column under *Figures*: the value (NaN where it has none), its interval, and how many digits it has."""
    focus, upright = evaluation.phase == evaluation.focus, np.isin(evaluation.phase, UPRIGHT)
    masks = [focus, upright, np.ones(len(focus), dtype=bool)]
    ends = evaluation.intervals(masks)
    figures = [evaluation.group_metrics(mask) for mask in masks]
    others = (evaluation.reliability(focus)["ece"], evaluation.oks_ap)
    return [
        *((group.error_mm, end["error_mm"], 1) for group, end in zip(figures, ends, strict=True)),
        (figures[0].pck10, ends[0]["pck"]["0.1"], 3),
        (figures[0].missed, ends[0]["missed"], 3),
        (figures[0].swapped, ends[0]["swapped"], 3),
        *((np.nan if each is None else each, None, 3) for each in others),
    ]


def _ranged(values: Sequence[float], digits: int) -> str:
    if not np.isfinite(values).all():
        return "-"
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def _ended(value: float, ends: Sequence[float] | None, digits: int) -> str:
    if not np.isfinite(value):
        return "-"
    text = f"{value:.{digits}f}"
    return text if ends is None else f"{text} [{ends[0]:.{max(0, digits - 1)}f}, {ends[1]:.{max(0, digits - 1)}f}]"


def _row(verdict: Verdict) -> tuple[str, ...]:
    errors = (f"{verdict.before:.1f}", f"{verdict.after:.1f}")
    return (verdict.name, str(verdict.frames), str(verdict.units), *errors, *verdict_cells(verdict))


def _value(value: Any) -> str:
    return "-" if value is None else str(value)


def terminal(comparison: Comparison) -> str:
    """Return the comparison as tables of text."""
    text = io.StringIO()
    console = Console(file=text, width=WIDEST, highlight=False)
    for section in sections(comparison):
        console.print(f"\n[bold]{section.title}[/bold]", markup=True)
        for line in section.text:
            console.print(line, markup=False)
        if section.head:
            table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
            for column, name in enumerate(section.head):
                table.add_column(name, justify="right" if column else "left", no_wrap=True)
            for row in section.rows:
                table.add_row(*[cell.replace("[", "\\[") for cell in row])
            console.print(table)
    return text.getvalue()


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown."""
    lines = []
    for place, section in enumerate(sections(comparison)):
        lines += [f"{'#' * (2 if place == 0 else 3)} {_escaped(section.title)}", ""]
        lines += [f"- {_escaped(line)}" if len(section.text) > 1 else _escaped(line) for line in section.text]
        if section.head:
            lines += [""] if section.text else []
            lines += [_bar(section.head), _bar(("---", *["---:"] * (len(section.head) - 1))), *map(_bar, section.rows)]
        lines.append("")
    return "\n".join(lines)


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    """Text that may come from strangers (file names, branches), so that Markdown shows it as it is."""
    return MARKS.sub(r"\\\1", text) if re.search("[A-Za-z]", text) else text


def page(comparison: Comparison) -> str:
    """Return the comparison as one HTML page that needs nothing else."""
    opening, *rest = sections(comparison)
    lead = "".join(f"<p>{html.escape(line)}</p>" for line in opening.text)
    parts = [html_page.Section(section.title, _content(section, comparison.focus), section.short) for section in rest]
    return html_page.document(" against ".join(comparison.names[::-1]), lead, parts)


def _content(section: Section, focus: str) -> str:
    text = "".join(f"<p>{html.escape(line)}</p>" for line in section.text)
    shown = html_page.table(section.head, section.rows, focus) if section.head else ""
    return text + (html_page.chart(section.chart, shown) if section.chart else shown)
