"""Stage teach: the labels of the train split as the teacher's answers judge them, and what has none labelled by it."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.files import write_json
from fosbury.formats.coco import read_coco, write_coco
from fosbury.media.image import write_image
from fosbury.report.teach_sheet import contact_sheet
from fosbury.training.teach import teach

TRAIN = Path("data/dataset/train.json")
ANSWERS = Path("data/taught/answers.npz")
OUTPUT = Path("data/taught/train.json")
COUNTS = Path("metrics/teach.json")
SHEET = Path("reports/teach.jpg")
ROOT = Path()
QUALITY = 80


def main() -> None:
    """Write data/taught/train.json, metrics/teach.json and reports/teach.jpg."""
    params = load_params()
    train = read_coco(TRAIN, params.pose_skeleton, keep_empty=True)
    taught = teach(train, ROOT, params.teach, ANSWERS)
    write_coco(taught.dataset, OUTPUT)
    write_json(COUNTS, taught.counts)
    write_image(SHEET, contact_sheet(taught.changed, ROOT, train.skeleton, taught.summary), QUALITY)
