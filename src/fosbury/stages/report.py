"""Stage report: the table of the baseline, the fine-tuned and the exported model by phase."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from fosbury.errors import BadInput
from fosbury.report.table import read_json, table_page, terminal_table, write_text

EVALUATIONS = (Path("metrics/evaluation.json"), Path("metrics/export_evaluation.json"))
PAGE = Path("reports/table.md")


def main() -> int:
    """Print the table and write reports/table.md."""
    try:
        evaluations = {name: each for path in EVALUATIONS for name, each in read_json(path).items()}
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    write_text(PAGE, table_page(evaluations))
    Console().print(terminal_table(evaluations))
    return 0


if __name__ == "__main__":
    sys.exit(main())
