"""Stage export: the fine-tuned checkpoint as an ONNX file and a CoreML package."""

from __future__ import annotations

import sys
from pathlib import Path

from fosbury.config import load_params
from fosbury.errors import BadInput
from fosbury.models import export_model

WEIGHTS = Path("models/finetuned/model.pt")
ONNX = Path("models/exported/model.onnx")
COREML = Path("models/exported/model.mlpackage")


def main() -> int:
    """Write models/exported/model.onnx and models/exported/model.mlpackage."""
    try:
        export = load_params().export
        height, width = export.image_size
        export_model(WEIGHTS, ONNX, COREML, (height, width), export.quantize)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
