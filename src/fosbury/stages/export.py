"""Stage export: the fine-tuned checkpoint as an ONNX file and a CoreML package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fosbury.backends import backend_of
from fosbury.config import load_params
from fosbury.documents import read_json
from fosbury.export.write import export_model

WEIGHTS = Path("models/finetuned/model.pt")
EXPORTED = (Path("models/exported/model.onnx"), Path("models/exported/model.mlpackage"))
CALIBRATION = Path("metrics/calibration.json")


def main() -> None:
    """Write models/exported/model.onnx and models/exported/model.mlpackage."""
    export = load_params().export
    height, width = export.image_size
    temperature = read_json(CALIBRATION).get("temperature")
    module = backend_of(WEIGHTS).export_module(WEIGHTS, (height, width))
    export_model(replace(module, metadata=replace(module.metadata, temperature=temperature)), EXPORTED, export.quantize)
