"""Figures of models beside each other on one set, as JSON, and the Markdown table that is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from fosbury.metrics.box_pck import ROOM, THRESHOLD, box_pck
from fosbury.metrics.evaluation import Evaluation
from fosbury.metrics.intervals import holm
from fosbury.metrics.paired import verdicts
from fosbury.metrics.registry import ERROR, METRICS, UNAIDED, rounded

GIVEN_KEYS = ("error_mm", "pck10", "missed")
HEAD = ("model", "given the athlete, mm", "against the best free", "PCK@0.1", "missed", "unaided, mm")
HEAD += ("against the best free", "passes", "ms")


def figures(rows: Mapping[str, Mapping[str, Any]], evaluations: Mapping[str, Mapping[str, Evaluation]]) -> list[dict]:
    """Figures of every row.

    Parameters
    ----------
    rows : mapping of str to mapping
        By name what is to be said of a row beside its figures: ``group`` (``free`` for those that the others are
        compared with), ``look``, ``passes``, ``milliseconds``.
    evaluations : mapping of str to mapping of str to Evaluation
        By name of the row, then ``given`` and, where it was measured, ``unaided``: on the same joints.

    Returns
    -------
    list of dict
        For each row in order: what was given of it, ``given`` and ``unaided`` figures with intervals, and the paired
        difference to the free row of the least error by the same protocol, its p raised for the number of rows (Holm).
    """
    result = {name: {"name": name, **about} for name, about in rows.items()}
    for protocol in ("given", "unaided"):
        found = {name: each[protocol] for name, each in evaluations.items() if protocol in each}
        if protocol == "unaided":
            found = {name: replace(each, error_mm=each.unaided_mm) for name, each in found.items()}
        if not found:
            continue
        for name, each in found.items():
            result[name][protocol] = _given(each) if protocol == "given" else _unaided(each)
        free = [name for name in found if rows[name]["group"] == "free"]
        if free:
            best = min(free, key=lambda name: float(found[name].error_mm.mean()))
            _add_differences(result, found, best, protocol)
    return list(result.values())


def _given(found: Evaluation) -> dict[str, Any]:
    everything = np.ones(len(found.joint), dtype=bool)
    values, (ends,) = found.group_metrics().to_json(), found.intervals([everything])
    own = {metric.key: metric.of(values) for metric in METRICS if metric.key in GIVEN_KEYS}
    low_high = {f"{metric.key}_ci": metric.of(ends) for metric in METRICS if metric.key in ("error_mm", "pck10")}
    return own | low_high | {"box_pck05": rounded(_box_pck(found).mean, 4), "box_pck05_ci": _ends(_box_pck(found))}


def _unaided(found: Evaluation) -> dict[str, Any]:
    (ends,) = found.intervals([np.ones(len(found.joint), dtype=bool)])
    return {"error_mm": UNAIDED.rounded(found.error_mm.mean()), "error_mm_ci": UNAIDED.of(ends)}


def _box_pck(found: Evaluation):
    """PCK in sides of the box, of the people and joints that the errors are of."""
    counts = np.zeros(found.labels.shape[:2], dtype=bool)
    counts[found.person, found.joint] = True
    unit = np.full(len(counts), -1)
    unit[found.person] = found.cluster
    kept = counts.any(axis=1)
    around = np.isfinite(found.labels).all(axis=-1)
    return box_pck(found.predicted[kept], found.labels[kept], counts[kept], around=around[kept], unit=unit[kept])


def _ends(found) -> list[float] | None:
    return [round(found.low, 4), round(found.high, 4)] if np.isfinite([found.low, found.high]).all() else None


def _add_differences(result: dict, found: Mapping[str, Evaluation], best: str, protocol: str) -> None:
    result[best][protocol]["best_free"] = True
    others = [name for name in found if name != best]
    apart = {name: verdicts([found[best]], [found[name]])[0].difference for name in others}
    for name, p in zip(others, holm([apart[name].p for name in others]), strict=True):
        each = apart[name]
        low_high = [round(each.low, 2), round(each.high, 2)] if np.isfinite([each.low, each.high]).all() else None
        result[name][protocol]["difference"] = {"mm": round(each.mean, 2), "ci": low_high, "p_holm": rounded(p, 4)}


def markdown(record: Mapping[str, Any]) -> str:
    """Return the table of a record that ``bench/peers.py`` wrote, row by row in groups."""
    lines = [list(HEAD), ["---", *["---:"] * (len(HEAD) - 1)]]
    group = None
    for row in record["rows"]:
        if row["group"] != group:
            group = row["group"]
            lines.append([f"*{group}*", *[""] * (len(HEAD) - 1)])
        lines.append(_cells(row))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    given, unaided = row.get("given"), row.get("unaided")
    passes, milliseconds = row["passes"], row["milliseconds"]
    return [
        row["name"],
        _error(given),
        _difference(given),
        "-" if given is None else f"{given['pck10']:.3f}",
        "-" if given is None else f"{given['missed']:.3f}",
        _error(unaided),
        _difference(unaided),
        "-" if passes is None else f"{passes:g}",
        "-" if milliseconds is None else f"{milliseconds:.0f}",
    ]


def _error(part: Mapping[str, Any] | None) -> str:
    if part is None:
        return "-"
    ends = part["error_mm_ci"]
    text = ERROR.text(part["error_mm"]) + (" [{:.0f}, {:.0f}]".format(*ends) if ends else "")
    return f"**{text}**" if part.get("best_free") else text


def _difference(part: Mapping[str, Any] | None) -> str:
    if part is None or "difference" not in part:
        return "best free" if part and part.get("best_free") else "-"
    apart = part["difference"]
    ends = " [{:+.0f}, {:+.0f}]".format(*apart["ci"]) if apart["ci"] else ""
    p = "" if apart["p_holm"] is None else f", p {apart['p_holm']:.3f}"
    return f"{apart['mm']:+.1f}{ends}{p}"


def box_markdown(record: Mapping[str, Any]) -> str:
    """Return the table of PCK in sides of the box, given the athlete."""
    lines = [["model", f"PCK@{THRESHOLD:g} of {ROOM:g} boxes, %", "mm"], ["---", "---:", "---:"]]
    for row in record["rows"]:
        given = row["given"]
        ends = given["box_pck05_ci"]
        text = f"{100 * given['box_pck05']:.1f}" + (f" [{100 * ends[0]:.0f}, {100 * ends[1]:.0f}]" if ends else "")
        lines.append([row["name"], text, _error({**given, "best_free": False})])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
