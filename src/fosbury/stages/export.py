"""Stage export: the fine-tuned checkpoint as an ONNX file and a CoreML package."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.inference.registry import export_model
from fosbury.report.table import read_json

WEIGHTS = Path("models/finetuned/model.pt")
ONNX = Path("models/exported/model.onnx")
COREML = Path("models/exported/model.mlpackage")
CALIBRATION = Path("metrics/calibration.json")


def main() -> None:
    """Write models/exported/model.onnx and models/exported/model.mlpackage."""
    export = load_params().export
    height, width = export.image_size
    temperature = read_json(CALIBRATION).get("temperature")
    export_model(WEIGHTS, ONNX, COREML, (height, width), export.quantize, temperature)
