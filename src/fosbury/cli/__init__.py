"""The commands a person types. Each module holds one group of them and calls what does the work.

A new group is a new module with a ``typer.Typer`` named ``app``, and one entry in `GROUPS`.
"""

from __future__ import annotations

from typing import Annotated

import typer

from fosbury.cli import compare, config, data, doctor, evaluate, labelling, predict
from fosbury.cli.running import Commands
from fosbury.machine import keep_freed_memory

GROUPS = (config, data, labelling, evaluate, predict, compare, doctor)
"""In the order of ``fosbury --help``. Commands of an ``app`` with a name are typed behind it: `fosbury config show`."""

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Fine-tune a pose model for the high jump, and prove what it gained.",
)
for group in GROUPS:
    app.add_typer(group.app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fosbury {version('fosbury')}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    keep_freed_memory()


def main() -> None:
    """Run the command line."""
    app()
