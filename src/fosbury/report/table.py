"""Tables of models side by side: in the terminal and as Markdown.

They are made from what ``Evaluation.to_json`` gives, so that a stage can draw them from the files of earlier
stages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.table import Table

from fosbury.metrics.registry import ERROR, METRICS, UNAIDED, Metric
from fosbury.metrics.taxonomy import MEANING
from fosbury.pose import FOCUS

if TYPE_CHECKING:
    from fosbury.metrics.agreement import JointAgreement

EVERY = "all"
UNAIDED_ROW = "unaided"
OTHERS = tuple(metric for metric in METRICS if metric.in_table and metric is not ERROR)
"""What stands beside the error in the table by phase."""


def phase_rows(
    evaluations: Mapping[str, Mapping[str, Any]], *, ci: bool = True, focus: str = FOCUS
) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table by phase.

    Parameters
    ----------
    evaluations : mapping of str to mapping
        Name of the model -> ``Evaluation.to_json()``, the one that the others are compared with first.
    ci : bool
        Write the 95 % interval of each error behind it.
    focus : str
        The phase of interest.

    Returns
    -------
    head : list of str
        Phase, frames, then for every model its error in mm-equivalents (the others with their change against
        the first in per cent), then PCK@0.1 of the trunk and the share of missed athletes for every model.
    rows : list of list of str
        One for every phase that occurs, then one for all frames. Behind those of the phase of interest and of all
        frames stands one of the error without help, where a model was measured so.
    """
    names = list(evaluations)
    first = names[0]
    phases = list(dict.fromkeys(phase for each in evaluations.values() for phase in each["by_phase"]))
    head = ["phase", "frames", *(f"{name} {metric.label}" for metric in (ERROR, *OTHERS) for name in names)]
    rows = []
    for phase in [*phases, EVERY]:
        parts = {name: each if phase == EVERY else each["by_phase"].get(phase) for name, each in evaluations.items()}
        there = [part for part in parts.values() if part]
        if not there:
            continue
        reference = {name: None if name == first else parts[first] for name in names}
        frames = str(max(part["frames"] for part in there))
        errors = [_error(ERROR, parts[name], reference[name], ci) for name in names]
        others = [metric.text(metric.of(parts[name]) if parts[name] else None) for metric in OTHERS for name in names]
        rows.append([phase, frames, *errors, *others])
        if phase in (focus, EVERY) and any(UNAIDED.of(part) is not None for part in there):
            errors = [_error(UNAIDED, parts[name], reference[name], ci) for name in names]
            rows.append([f"{phase}, {UNAIDED_ROW}", frames, *errors, *["-"] * len(others)])
    return head, rows


def _error(metric: Metric, part: Mapping[str, Any] | None, reference: Mapping[str, Any] | None, ci: bool) -> str:
    value = metric.of(part) if part else None
    if part is None or value is None:
        return "-"
    text = metric.text(value)
    if ci and (interval := metric.of(part["ci"])):
        text += " [{:.0f}, {:.0f}]".format(*interval)
    if reference is None or not metric.of(reference):
        return text
    return f"{text} ({100 * (value / metric.of(reference) - 1):+.0f} %)"


def terminal_table(evaluations: Mapping[str, Mapping[str, Any]], focus: str = FOCUS) -> Table:
    """Return the table by phase for a terminal of 80 columns, the phase of interest in bold.

    Print it with a ``rich`` console. PCK stands for the first two models only, and the share of missed athletes is left
    to the page; so are, of more than two models, the intervals.
    """
    head, rows = phase_rows(evaluations, ci=len(evaluations) <= 2, focus=focus)
    shown = 2 + len(evaluations) + min(2, len(evaluations))
    title = "Joint error in mm-equivalents, and PCK@0.1 of the trunk, by phase"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for column, name in enumerate(head[:shown]):
        heading = name.removesuffix("@0.1").replace(" ", "\n")
        table.add_column(heading, justify="right" if column else "left", no_wrap=True)
    for row, after in zip_longest(rows, rows[1:], fillvalue=("",)):
        narrow = (f"  {UNAIDED_ROW}" if row[0].endswith(UNAIDED_ROW) else row[0], *row[1:shown])
        cells = [cell.translate(str.maketrans("", "", "()")).replace(" %", "%") for cell in narrow]
        table.add_row(*cells, style="bold" if row[0] == focus else None, end_section=after[0] == EVERY)
    return table


def markdown_table(evaluations: Mapping[str, Mapping[str, Any]], focus: str = FOCUS) -> str:
    """Return the table by phase as Markdown, the phase of interest in bold, ending in a line break."""
    head, rows = phase_rows(evaluations, focus=focus)
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    lines += [[f"**{cell}**" for cell in row] if row[0] == focus else row for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def kind_rows(kinds: Sequence[Mapping[str, Mapping[str, float]]]) -> list[tuple[str, ...]]:
    """Make a row for each kind of mistake: its name, then the share and the cost in mm of every model.

    Parameters
    ----------
    kinds : sequence of mapping
        For each model what ``Evaluation.kinds`` gives of the same joints.
    """
    return [
        (
            f"{kind.replace('_', ' ')}: {MEANING[kind]}",
            *(text for own in kinds for text in (f"{own[kind]['share']:.3f}", f"{own[kind]['cost_mm']:.1f}")),
        )
        for kind in kinds[0]
    ]


def agreement_table(joints: Sequence[JointAgreement]) -> Table:
    """Return the table of two labellings for a terminal."""
    table = Table(title="Two labellings, in mm-equivalents", title_justify="left", box=None)
    for column in ("joint", "pairs", "apart", "95 %", "floor", "PCK@0.1", "sigma", "one only"):
        table.add_column(column, justify="left" if column == "joint" else "right", no_wrap=True)
    for each in joints:
        ends = "-" if np.isnan(each.low) else f"{each.low:.1f}-{each.high:.1f}"
        apart, floor = _number(each.apart_mm, 1), _number(each.floor_mm, 1)
        row = (each.joint, str(each.pairs), apart, ends, floor, _number(each.pck10, 3), _number(each.sigma, 3))
        table.add_row(*row, str(each.one_only))
    return table


def _number(value: float, digits: int) -> str:
    return "-" if np.isnan(value) else f"{value:.{digits}f}"


def table_page(evaluations: Mapping[str, Mapping[str, Any]], seeds: str | None = None, focus: str = FOCUS) -> str:
    """Return ``reports/table.md``.

    The table by phase, how far other seeds are apart where that is known, how to read it, and what was left out of it.
    """
    text = "# Joint error by phase\n\n" + markdown_table(evaluations, focus)
    text += f"\n{seeds}.\n" if seeds else ""
    text += (
        "\nMean error of all labelled joints in mm-equivalents (error in pixels / stature in pixels x stature), each "
        "capped; a missed athlete costs the cap for every joint. In square brackets its 95 % interval over "
        "clips; in round ones the change against the first model. "
        "PCK@0.1: share of joints within a tenth of the trunk's length.\n"
        "The labelled box says who of the people found is the athlete. Rows called *unaided* do without: of each frame "
        "the person of the highest score is kept, as an app does, and where this is not the athlete the cap is "
        "charged.\n"
    )
    notes = dict.fromkeys(note for each in evaluations.values() for note in each["notes"])
    return text + "".join(f"\n- {note}" for note in notes) + ("\n" if notes else "")
