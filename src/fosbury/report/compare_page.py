"""A comparison as people read it: in the terminal, as Markdown for a pull request, as one HTML page."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from fosbury.metrics.evaluation import UPRIGHT, Evaluation
from fosbury.metrics.paired import Verdict, sentence
from fosbury.report.compare import Comparison
from fosbury.report.table import VERDICT, kind_rows, rendered, verdict_cells

PARTS = {"by_phase": "phase", "by_tilt": "trunk tilt", "by_joint": "joint", "by_visibility": "visibility"}
READ = (
    "Errors are mm-equivalents; a difference below 0 means that the revision is better than the first one. Square "
    "brackets: 95 % interval of a bootstrap over clips. p: of exchanging the two clip by clip, raised for the number "
    "of rows of a table (Holm): with n clips and k rows it cannot come below 2k / 2^n. A row is told only where the "
    "interval leaves 0 out and p is below 0.05. ECE: expected calibration error, how far the confidence in a joint is "
    "from the share of such joints that are right."
)
WIDEST = 1000  # a table of text is as wide as it needs; a terminal breaks what is longer than itself
MARKS = re.compile(r"([\\`*_\[\]()!<>@#|~])")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#111;background:#fff}"
    "table{display:block;overflow-x:auto;border-collapse:collapse;margin:.5rem 0 1.5rem}"
    "td,th{border-bottom:1px solid #999;padding:.2rem .7rem;text-align:right;white-space:nowrap}"
    "td:first-child,th:first-child{text-align:left}"
)


@dataclass(frozen=True)
class Section:
    """A title, sentences, and a table (which may be empty)."""

    title: str
    text: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def sections(comparison: Comparison) -> list[Section]:
    """What is to be said of a comparison, in order."""
    first, names = comparison.names[0], comparison.names
    found = [
        Section(f"{' against '.join((', '.join(names[1:]), first))}", (*_headlines(comparison), *comparison.notes))
    ]
    rows = [(name, *(_value(value) for value in values)) for name, values in comparison.params.items()]
    if rows:
        found.append(Section("Parameters that differ", (), ("parameter", *names), tuple(rows)))
    else:
        found.append(Section("Parameters that differ", ("none",)))
    figures = tuple(_figures(name, own) for name, own in zip(names, comparison.evaluations, strict=True))
    head = ("", "arch mm", "upright mm", "all mm", "arch PCK@0.1", "arch missed", "arch swapped", "arch ECE", "OKS-AP")
    found.append(Section("Figures", (), head, figures))
    for name, verdicts in comparison.verdicts.items():
        for part, title in PARTS.items():
            own = [verdict for verdict in verdicts if verdict.part == part]
            head = (title, "frames", "clips", first, name, *VERDICT)
            if own:
                found.append(Section(f"{name} against {first}, by {title}", (), head, tuple(map(_row, own))))
        found.append(_kinds(comparison, name))
        changed = comparison.changed_frames(name)
        rows = [(f.file_name, f.phase or "-", f"{a:.0f}", f"{b:.0f}", f"{b - a:+.0f}") for f, a, b in changed]
        head = ("frame", "phase", first, name, "difference")
        if rows:
            found.append(Section(f"Frames that changed most, {name} against {first}", (), head, tuple(rows)))
    return [*found, Section("How to read this", (READ,))]


def _kinds(comparison: Comparison, name: str) -> Section:
    """What kinds of mistakes the arch (or, without one, every frame) has, and what each costs."""
    first, other = comparison.evaluations[0], comparison.evaluations[comparison.names.index(name)]
    rows = first.phase == "arch"
    where, rows = ("arch", rows) if rows.any() else ("all frames", np.ones(len(rows), dtype=bool))
    a, b = first.kinds(rows), other.kinds(rows)
    head = (where, f"{comparison.names[0]}, share", "mm", f"{name}, share", "mm")
    title = f"Kinds of mistakes, {name} against {comparison.names[0]}"
    return Section(title, (), head, tuple(kind_rows((a, b))))


def _headlines(comparison: Comparison) -> list[str]:
    said = []
    for name, verdicts in comparison.verdicts.items():
        arch = next((verdict for verdict in verdicts if verdict.name == "arch"), None)
        for where, verdict in (("arch", arch), ("all frames", verdicts[0])):
            if verdict is not None:
                said.append(f"{where}: {sentence(verdict, comparison.names[0], name)}")
    return said


def _figures(name: str, evaluation: Evaluation) -> tuple[str, ...]:
    arch, upright = evaluation.phase == "arch", np.isin(evaluation.phase, UPRIGHT)
    masks = [arch, upright, np.ones(len(arch), dtype=bool)]
    ends = evaluation.intervals(masks)
    figures = [evaluation.figures(mask) for mask in masks]
    errors = [_ended(own.error_mm, end["error_mm"], 1) for own, end in zip(figures, ends, strict=True)]
    shares = [
        _ended(figures[0].pck[0.1], ends[0]["pck"]["0.1"], 3),
        _ended(figures[0].missed, ends[0]["missed"], 3),
        _ended(figures[0].swapped, ends[0]["swapped"], 3),
    ]
    others = (evaluation.reliability(arch)["ece"], evaluation.oks_ap)
    return (name, *errors, *shares, *("-" if each is None else f"{each:.3f}" for each in others))


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
    console = Console(file=io.StringIO(), width=WIDEST, highlight=False)
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
    return console.file.getvalue()


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown."""
    lines = []
    for place, section in enumerate(sections(comparison)):
        lines += [f"{'#' * (2 if place == 0 else 3)} {_escaped(section.title)}", ""]
        lines += [f"- {_escaped(line)}" if len(section.text) > 1 else _escaped(line) for line in section.text]
        if section.head:
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
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><style>{STYLE}</style>"
    title = html.escape(" against ".join(comparison.names[::-1]))
    body = rendered(markdown(comparison))
    return f"<!doctype html><html lang=en><head>{head}<title>{title}</title></head><body>{body}</body></html>\n"
