"""What is installed, and what is missing."""

from __future__ import annotations

import typer

from fosbury.errors import WorkFailed

app = typer.Typer()

MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and what that means.

    Example: `fosbury doctor`
    """
    from rich.console import Console
    from rich.table import Table

    from fosbury.doctor import examine

    table = Table("", "", "", box=None, show_header=False, pad_edge=False)
    findings = list(examine())
    for finding in findings:
        table.add_row(finding.what, MARKS[finding.state], finding.meaning.replace("[", r"\["))
    Console().print(table)
    if any(finding.state == "missing" for finding in findings):
        raise WorkFailed("doctor: something that is needed is missing.")
