"""Compare what was trained: branches, seeds, folds, numbers of labelled frames. No model is run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fosbury.cli.options import JsonPath, Markdown, check_output

app = typer.Typer()


@app.command()
def compare(
    revisions: Annotated[
        list[str],
        typer.Argument(
            help="Branches, tags, commits, experiments, or `workspace`; the others are compared with the first. "
            "`main:baseline` (or `:onnx`, `:coreml`) is another model of it than the fine-tuned one; "
            "`a1,a2,a3 b1,b2,b3` are several trainings a side."
        ),
    ],
    common: Annotated[
        bool, typer.Option("--common", help="Leave out test frames that not all have, or that one was trained on.")
    ] = False,
    md: Markdown = False,
    html_path: Annotated[Path | None, typer.Option("--html", help="Also write one HTML page to this file.")] = None,
) -> None:
    """Compare branches frame by frame: what differs, how sure that is, and where. No model is run, nothing checked out.

    Example: `fosbury compare main my-branch`

    What fine-tuning gained: `fosbury compare workspace:baseline workspace`

    What holds for other seeds, too: `fosbury compare seed0,seed1,seed2 new0,new1,new2`
    """
    from fosbury.files import write_text
    from fosbury.report.compare import compare
    from fosbury.report.compare_page import markdown, page, terminal
    from fosbury.report.compare_sides import load_sides

    check_output(html_path, "--html")
    comparison = compare(load_sides(revisions), common)
    typer.echo(markdown(comparison) if md else terminal(comparison))
    if html_path is not None:
        write_text(html_path, page(comparison))


@app.command()
def efficiency(
    html_path: Annotated[Path | None, typer.Option("--html", help="Also write the curve to this page.")] = None,
) -> None:
    """Show how the error falls with the number of labelled frames, over the experiments of HEAD that drew some.

    Example: `fosbury efficiency --html efficiency.html`, after the queue of conf/experiment/label_efficiency.yaml
    """
    from fosbury.files import write_text
    from fosbury.report.efficiency import efficiency_page, experiments, learning_curve

    check_output(html_path, "--html")
    curve = learning_curve(experiments())
    typer.echo(f"before fine-tuning: {curve.before:.1f} mm")
    for point in curve.points:
        ends = f"{point.errors[0]:.1f} to {point.errors[-1]:.1f}"
        typer.echo(f"{point.frames:>6} frames: {point.mean:.1f} mm, mean of {len(point.errors)} draws ({ends})")
    if html_path is not None:
        write_text(html_path, efficiency_page(curve))


@app.command()
def seeds(
    revisions: Annotated[
        list[str], typer.Argument(help="Runs that differ in `seed` alone: experiments, branches, or `workspace`.")
    ],
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also record it; the report quotes metrics/seeds.json.")
    ] = None,
) -> None:
    """Measure how far trainings are apart that differ in their seed alone.

    Example: `for s in 1 2 3 4; do dvc exp run --temp -n seed$s -S seed=$s evaluate; done`, then
    `fosbury seeds workspace seed1 seed2 seed3 seed4 --json metrics/seeds.json`
    """
    from fosbury.files import write_json
    from fosbury.report.compare_sides import load_run
    from fosbury.report.seeds import seed_spread, to_json

    check_output(json_path, "--json")
    spread = seed_spread([load_run(each) for each in revisions])
    for seed, inside, upright in zip(spread.seeds, spread.focus_error_mm, spread.upright_error_mm, strict=True):
        typer.echo(f"seed {seed}: {spread.focus} {inside:.1f} mm, upright {upright:.1f} mm")
    typer.echo(spread.sentence())
    if json_path is not None:
        write_json(json_path, to_json(spread))


@app.command()
def crossval(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="The folds: experiments, branches or commits; all experiments with folds if not given."),
    ] = None,
    md: Markdown = False,
    json_path: JsonPath = None,
) -> None:
    """Sum up a grouped cross-validation: before against after on all clips, each tested once. No model is run.

    Example: `fosbury crossval fold0 fold1 fold2 fold3 fold4`, after the runs of docs/compare.md
    """
    from rich.console import Console

    from fosbury.files import write_json
    from fosbury.report.compare_sides import load_run
    from fosbury.report.crossval import cross_validation, fold_runs
    from fosbury.report.efficiency import experiments
    from fosbury.report.table import markdown_table, terminal_table

    check_output(json_path, "--json")
    names = runs or fold_runs(experiments())
    found = cross_validation([(load_run(f"{name}:baseline"), load_run(name)) for name in names])
    values = found.to_json()
    tables = {name: values[name] for name in found.evaluations}
    if md:
        typer.echo("".join(f"{line}\n\n" for line in found.sentences()) + markdown_table(tables, found.focus), nl=False)
    else:
        Console().print(terminal_table(tables, found.focus))
        for line in found.sentences():
            typer.echo(line)
    if json_path is not None:
        write_json(json_path, values)
