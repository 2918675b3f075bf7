"""Stage evaluate_export: what the exported ONNX file can still do, on the same joints of the same test frames."""

from __future__ import annotations

import sys
from pathlib import Path

from fosbury.config import load_params
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.metrics.evaluation import exported_headline
from fosbury.models import load_model
from fosbury.models.predicting import measure
from fosbury.report.table import read_json, write_json

TEST = Path("data/dataset/test.json")
EXPORTED = Path("models/exported/model.onnx")
EVALUATION = Path("metrics/evaluation.json")
HEADLINE = Path("metrics/export.json")
WHOLE = Path("metrics/export_evaluation.json")
ROOT = Path()


def main() -> int:
    """Measure the exported file and write metrics/export.json and metrics/export_evaluation.json."""
    try:
        params = load_params()
        dataset = read_coco(TEST, params.pose_skeleton)
        joints = list(read_json(EVALUATION)["finetuned"]["by_joint"])
        model = load_model(EXPORTED, dataset.skeleton, confidence=params.evaluate.confidence)
        stature, cap = params.data.stature_mm, params.evaluate.cap
        evaluation = measure({"onnx": model}, dataset, ROOT, stature, cap, joints)["onnx"].evaluation
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    write_json(HEADLINE, exported_headline(evaluation, "onnx"))
    write_json(WHOLE, {"onnx": evaluation.to_json()})
    return 0


if __name__ == "__main__":
    sys.exit(main())
