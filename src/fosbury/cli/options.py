"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fosbury.errors import BadInput

JsonPath = Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")]
Markdown = Annotated[bool, typer.Option("--md", help="Print Markdown, for a pull request.")]
Stature = Annotated[
    float, typer.Option(min=500, max=3000, help="Stature in mm of athletes whose labels do not state it.")
]
STATURE_MM = 1850.0


def fetched(name: str) -> Path:
    """Fetch weights of conf/model once, and return where they are."""
    from fosbury.config import find_root, model_option
    from fosbury.inference.weights import obtain_weights

    root = find_root()
    option = model_option(name, root)
    obtain_weights(root / option.weights, option.sha256, option.name, option.url)
    return root / option.weights


def check_output(path: Path | None, option: str) -> None:
    """Refuse a folder, or a name below a file, before any work is done for it; an empty name is the current folder."""
    if path is None:
        return
    if path.is_dir():
        raise BadInput(path, "is a folder", f"name a file with {option}")
    around = next(folder for folder in path.absolute().parents if folder.exists())
    if not around.is_dir():
        raise BadInput(path, f"cannot be written, for {around} is a file", f"name another place with {option}")
