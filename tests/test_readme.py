"""README quotes what the pipeline measured, and nothing else."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def quoted_rows() -> dict[str, list[str]]:
    block = README.split("<!-- table: metrics/by_phase.csv -->")[1].split("<!-- end of table -->")[0]
    lines = [[cell.strip(" *") for cell in line.strip("|\n ").split("|")] for line in block.strip().splitlines()]
    return {line[0]: line[1:] for line in lines[2:]}


def measured() -> dict[tuple[str, str], dict[str, str]]:
    with (ROOT / "metrics/by_phase.csv").open() as file:
        return {(row["phase"], row["model"]): row for row in csv.DictReader(file)}


def error_of(row: dict[str, str]) -> str:
    return f"{float(row['error_mm']):.1f} [{float(row['error_mm_low']):.0f}, {float(row['error_mm_high']):.0f}]"


def test_the_table_is_the_one_that_was_measured():
    rows, figures = quoted_rows(), measured()
    assert set(rows) == {phase for phase, _ in figures}
    for phase, (frames, before, after, pck_before, pck_after) in rows.items():
        baseline, finetuned = figures[phase, "baseline"], figures[phase, "finetuned"]
        assert frames == baseline["frames"]
        assert before == error_of(baseline)
        change = 100 * (float(finetuned["error_mm"]) / float(baseline["error_mm"]) - 1)
        assert after == f"{error_of(finetuned)} ({change:+.0f} %)"
        assert pck_before == f"{float(baseline['pck10']):.3f}"
        assert pck_after == f"{float(finetuned['pck10']):.3f}"


def test_figures_of_the_exported_files_and_the_starter_are_the_measured_ones():
    export = json.loads((ROOT / "metrics/export.json").read_text())
    starter = json.loads((ROOT / "models/starter/metrics.json").read_text())
    text = " ".join(README.split())
    assert f"ONNX file {export['arch_error_mm_onnx']:.1f} mm" in text
    assert f"CoreML package {export['arch_error_mm_coreml']:.1f} mm" in text
    summary = json.loads((ROOT / "metrics/summary.json").read_text())
    assert f"({summary['oks_ap_baseline']:.3f} before, {summary['oks_ap']:.3f} after)" in text
    assert f"PCK@0.2 of {starter['pck20']:.3f}" in text


def test_nothing_is_left_to_fill_in():
    assert not re.search(r"\{[a-z_]+\}", README)
