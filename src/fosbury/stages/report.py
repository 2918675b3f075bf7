"""Stage report: the table of the baseline, the fine-tuned and the exported model by phase."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from fosbury.report.table import read_json, table_page, terminal_table, write_text
from fosbury.stages.running import run

EVALUATIONS = (Path("metrics/evaluation.json"), Path("metrics/export_evaluation.json"))
PAGE = Path("reports/table.md")


def main() -> None:
    """Print the table and write reports/table.md."""
    evaluations = {name: each for path in EVALUATIONS for name, each in read_json(path).items()}
    write_text(PAGE, table_page(evaluations))
    Console().print(terminal_table(evaluations))


if __name__ == "__main__":
    run(main)
