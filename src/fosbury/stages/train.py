"""Stage train: fine-tune the configured model on the train split, choosing the checkpoint on the val split."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from fosbury.config import load_params
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.models import backend
from fosbury.models.recipe import Recipe

SPLITS = Path("data/dataset")
OUTPUT = Path("models/finetuned/model.pt")
CURVE = Path("metrics/train.csv")
WORK = Path("models/.work")
ROOT = Path()


def main() -> int:
    """Write models/finetuned/model.pt and metrics/train.csv."""
    try:
        params = load_params()
        values = params.train.model_dump()
        recipe = Recipe(**{field.name: values[field.name] for field in fields(Recipe)})
        splits = {name: read_coco(SPLITS / f"{name}.json", params.pose_skeleton) for name in ("train", "val")}
        backend(params.model.backend).finetune(
            splits,
            Path(params.model.weights),
            OUTPUT,
            CURVE,
            WORK,
            recipe,
            params.model.architecture,
            params.seed,
            ROOT,
        )
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
