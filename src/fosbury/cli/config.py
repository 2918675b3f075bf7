"""params.yaml and conf/: compose, check, show."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(name="config", no_args_is_help=True, help="params.yaml and conf/: compose, check, show.")

Overrides = Annotated[list[str] | None, typer.Argument(help="Hydra overrides, such as model=yolo11n train.lr0=0.001.")]


@app.command()
def compose(overrides: Overrides = None) -> None:
    """Compose conf/ into params.yaml.

    Example: `fosbury config compose experiment=highjump train.epochs=50`
    """
    from fosbury.config import write_params

    params = write_params(overrides or [])
    typer.echo(f"params.yaml: experiment {params.experiment}, model {params.model.name}, data {params.data.name}")


@app.command()
def check() -> None:
    """Check that params.yaml is right and was composed from the present conf/.

    Example: `fosbury config check`
    """
    from fosbury.config import check

    for line in check():
        typer.echo(f"override in effect: {line}")
    typer.echo("params.yaml: good")


@app.command()
def show(overrides: Overrides = None) -> None:
    """Print what conf/ composes to, and write nothing.

    Example: `fosbury config show experiment=photos`
    """
    from fosbury.config import compose, parse_params, to_yaml

    values = compose(overrides or [])
    parse_params(values, "conf/")
    typer.echo(to_yaml(values), nl=False)
