"""README and docs quote what the pipeline measured, and nothing else."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from fosbury.report.seeds import read_spread
from fosbury.report.table import markdown_table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs/results.md").read_text(encoding="utf-8")


def quoted_rows(page: str) -> dict[str, list[str]]:
    block = page.split("<!-- table: metrics/by_phase.csv -->")[1].split("<!-- end of table -->")[0]
    lines = [[cell.strip(" *") for cell in line.strip("|\n ").split("|")] for line in block.strip().splitlines()]
    return {line[0]: line[1:] for line in lines[2:]}


def measured() -> dict[tuple[str, str], dict[str, str]]:
    with (ROOT / "metrics/by_phase.csv").open() as file:
        return {(row["phase"], row["model"]): row for row in csv.DictReader(file)}


def error_of(row: dict[str, str]) -> str:
    return f"{float(row['error_mm']):.1f} [{float(row['error_mm_low']):.0f}, {float(row['error_mm_high']):.0f}]"


@pytest.mark.parametrize("page", [README, RESULTS], ids=["README", "results"])
def test_the_table_is_the_one_that_was_measured(page):
    rows, figures = quoted_rows(page), measured()
    assert set(rows) == {phase for phase, _ in figures}
    for phase, (frames, before, after, pck_before, pck_after) in rows.items():
        baseline, finetuned = figures[phase, "baseline"], figures[phase, "finetuned"]
        assert frames == baseline["frames"]
        assert before == error_of(baseline)
        change = 100 * (float(finetuned["error_mm"]) / float(baseline["error_mm"]) - 1)
        assert after == f"{error_of(finetuned)} ({change:+.0f} %)"
        assert pck_before == f"{float(baseline['pck10']):.3f}"
        assert pck_after == f"{float(finetuned['pck10']):.3f}"


def measured_json(name: str) -> dict[str, float]:
    return json.loads((ROOT / name).read_text())


def test_figures_beside_the_table_are_the_measured_ones():
    summary, export = measured_json("metrics/summary.json"), measured_json("metrics/export.json")
    validation, calibration = measured_json("metrics/validation.json"), measured_json("metrics/calibration.json")
    for page in (README, RESULTS):
        text = " ".join(page.split())
        assert f"ONNX file {export['arch_error_mm_onnx']:.1f} mm" in text
        assert f"CoreML package {export['arch_error_mm_coreml']:.1f} mm" in text
    before, after = summary["arch_error_mm_unaided_baseline"], summary["arch_error_mm_unaided"]
    assert f"the arch error is {before:.1f} mm before and {after:.1f} mm after" in text
    assert f"{summary['oks_ap_baseline']:.3f} before, {summary['oks_ap']:.3f} after" in text
    chosen = f"(epoch {validation['chosen_epoch']}) has {validation['val_arch_error_mm']:.2f} mm in the arch"
    assert chosen in text
    raw, scaled = calibration["arch_ece"], calibration["arch_ece_cooled"]
    assert f"{raw:.3f}, with the temperature fitted on the validation clips {scaled:.3f}" in text


def test_the_free_models_are_quoted_as_measured():
    block = README.split("<!-- table: bench/results/flops.json -->")[1].split("<!-- end of table -->")[0]
    rows = {row["name"]: row for row in measured_json("bench/results/flops.json")["rows"]}
    quoted = [[cell.strip() for cell in line.strip("| ").split("|")] for line in block.strip().splitlines()[2:]]
    assert len(quoted) > 2
    for name, given, unaided in quoted:
        row = rows[re.sub(r"\[(.*?)\]\(.*?\)", r"\1", name)]
        assert float(given) == round(row["given"]["error_mm"], 1)
        assert float(unaided) == round(row["unaided"]["error_mm"], 1)


def test_the_readme_is_read_aloud_in_five_minutes():
    assert len(README.split()) <= 700


def test_the_spread_of_seeds_is_the_recorded_one():
    spread = read_spread(ROOT / "metrics/seeds.json")
    for page in (README, RESULTS):
        assert spread.sentence() in " ".join(page.split())
    record = RESULTS.split("<!-- table: metrics/seeds.json -->")[1].split("<!-- end of table -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in record.strip().splitlines()[2:]]
    assert rows == [
        [str(seed), f"{inside:.1f}", f"{upright:.1f}"]
        for seed, inside, upright in zip(spread.seeds, spread.focus_error_mm, spread.upright_error_mm, strict=True)
    ]


def test_the_cross_validation_is_the_recorded_one():
    record = measured_json("metrics/crossval.json")
    models = {name: record[name] for name in ("baseline", "finetuned")}
    rows = markdown_table(models).strip().splitlines()
    block = RESULTS.split("<!-- table: metrics/crossval.json -->")[1].split("<!-- end of table -->")[0]
    assert [line for line in block.strip().splitlines() if line] == [line for line in rows if line.startswith("|")]
    before, after = (models[name]["by_phase"]["arch"] for name in models)
    low, high = after["ci"]["error_mm"]
    said = f"from {before['error_mm']:.1f} to {after['error_mm']:.1f} mm [{low:.0f}, {high:.0f}]"
    assert f"Over all {record['clips']} clips" in " ".join(README.split()) and said in " ".join(README.split())
    for name in ("arch", "approach"):
        own = record["differences"][name]
        text = f"{own['difference_mm']:+.1f} mm [{own['low']:+.1f}, {own['high']:+.1f}]"
        assert text in " ".join(RESULTS.split()), text


def test_the_starter_is_quoted_as_measured():
    starter = measured_json("models/starter/metrics.json")
    assert f"PCK@0.2 of {starter['pck20']:.3f}" in " ".join((ROOT / "docs/models.md").read_text().split())


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_nothing_is_left_to_fill_in_and_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert not re.search(r"\{[a-z_]+\}|@@", re.sub(r"`[^`]*`|```.*?```", "", text, flags=re.DOTALL))
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"
