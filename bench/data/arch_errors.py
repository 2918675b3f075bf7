"""Write ``arch_errors.csv``: one row for each of 400 inverted athletes.

They are of Leeds Sports Pose Extended, as weights of
YOLO11n-pose that were not fine-tuned see them. ``bench/coverage.py`` draws its real errors from it.

    python bench/data/arch_errors.py --labels DIR/annotations.json --images DIR/images --weights FILE.pt
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from fosbury.config import named_skeleton
from fosbury.formats.coco import read_coco
from fosbury.inference.predict import measure
from fosbury.inference.registry import load_model
from fosbury.metrics.evaluation import Evaluation
from fosbury.pose import trunk_tilt

OUTPUT = Path(__file__).with_name("arch_errors.csv")
ARCH = 60.0  # least trunk tilt in degrees
COLUMNS = ("joints", "error_mm", "within_tenth", "missed")


def rows(evaluation: Evaluation) -> list[tuple[int, float, int, int]]:
    """Of each person: labelled joints, sum of their errors in mm, joints within a tenth of the trunk, missed or not."""
    found = []
    for person in np.unique(evaluation.person):
        own = evaluation.person == person
        near = int(np.count_nonzero(evaluation.error_trunk[own] <= 0.1))
        total = round(float(evaluation.error_mm[own].sum()), 1)
        found.append((int(own.sum()), total, near, int(evaluation.missed[own][0])))
    return found


def main() -> None:
    """Measure the pictures and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--image-size", type=int, default=640)
    options = parser.parse_args()
    joints = named_skeleton("lsp14")
    labelled = read_coco(options.labels, joints, options.images)
    points = np.array([frame.people[0].keypoints for frame in labelled.frames])
    inverted = np.flatnonzero(trunk_tilt(points, joints) >= ARCH)[: options.pictures]
    chosen = labelled.where(np.isin(np.arange(len(labelled)), inverted))
    model = load_model(options.weights, named_skeleton("coco17"), options.image_size)
    measured = measure({"model": model}, chosen, options.images)["model"]
    with OUTPUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(measured.evaluation))


if __name__ == "__main__":
    main()
