"""Stage of data/synthetic/dvc.yaml: the built-in clips, their labels, and a montage."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.synth.montage import write_montage
from fosbury.synth.sets import read_recipe, write_set
from fosbury.synth.walkers import FPS, FRAMES, write_walkers

PARAMS = Path("data/synthetic/params.yaml")
SETS = Path("data/synthetic/jumps")
MONTAGE = Path("reports/athlete.jpg")


def main() -> None:
    """Write data/synthetic/jumps and reports/athlete.jpg."""
    recipe = read_recipe(PARAMS)
    size = recipe.width, recipe.height
    if load_params().data.figure == "walker":
        write_walkers(SETS / "walkers", recipe.clips, recipe.seed, size, fps=FPS, frames=FRAMES)
    else:
        write_set(SETS / "athlete", recipe.clips, recipe.seed, size, fps=recipe.fps, fixed_every=recipe.fixed_every)
    write_montage(MONTAGE, recipe.seed, size, recipe.fps, clips=min(4, recipe.clips), fixed_every=recipe.fixed_every)
