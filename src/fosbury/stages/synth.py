"""Stage of data/synthetic/dvc.yaml: the built-in athlete's clips, their labels, and a montage."""

from __future__ import annotations

from pathlib import Path

from fosbury.synth.montage import write_montage
from fosbury.synth.sets import read_recipe, write_set

PARAMS = Path("data/synthetic/params.yaml")
SET = Path("data/synthetic/jumps/athlete")
MONTAGE = Path("reports/athlete.jpg")


def main() -> None:
    """Write data/synthetic/jumps/athlete and reports/athlete.jpg."""
    recipe = read_recipe(PARAMS)
    size = recipe.width, recipe.height
    write_set(SET, recipe.clips, recipe.seed, size, fps=recipe.fps, fixed_every=recipe.fixed_every)
    write_montage(MONTAGE, recipe.seed, size, recipe.fps, clips=min(4, recipe.clips), fixed_every=recipe.fixed_every)
