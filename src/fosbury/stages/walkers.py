"""Stage of data/walkers/dvc.yaml: clips of walkers from the hips down, with their labels."""

from __future__ import annotations

from pathlib import Path

import yaml

from fosbury.synth.walkers import write_walkers

PARAMS = Path("data/walkers/params.yaml")
SET = Path("data/walkers/sets/walkers")


def main() -> None:
    """Write data/walkers/sets/walkers."""
    recipe = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    size = recipe["width"], recipe["height"]
    write_walkers(SET, recipe["clips"], recipe["seed"], size, fps=recipe["fps"], frames=recipe["frames"])
