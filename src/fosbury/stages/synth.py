"""Stage of data/synthetic/dvc.yaml: the built-in athlete's clips, their labels, and a montage."""

from __future__ import annotations

import sys
from pathlib import Path

from fosbury.errors import BadInput
from fosbury.synth.montage import write_montage
from fosbury.synth.sets import read_recipe, write_set

PARAMS = Path("data/synthetic/params.yaml")
SET = Path("data/synthetic/jumps/athlete")
MONTAGE = Path("reports/athlete.jpg")


def main() -> int:
    """Write data/synthetic/jumps/athlete and reports/athlete.jpg."""
    try:
        recipe = read_recipe(PARAMS)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    size = recipe.width, recipe.height
    write_set(SET, recipe.clips, recipe.seed, size, recipe.fps)
    write_montage(MONTAGE, recipe.seed, size, recipe.fps, clips=min(4, recipe.clips))
    return 0


if __name__ == "__main__":
    sys.exit(main())
