"""Stage teacher: what the configured teacher says of the people of the train split; resumes after a kill."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.formats.coco import read_coco
from fosbury.inference.weights import verify_checksum
from fosbury.training.teach import ask_teacher

TRAIN = Path("data/dataset/train.json")
OUTPUT = Path("data/taught/answers.npz")
CODE = Path("reports/code/teacher.txt")
ROOT = Path()


def main() -> None:
    """Write data/taught/answers.npz."""
    params = load_params()
    settings = params.teach
    if settings.how != "none":
        verify_checksum(settings.weights, settings.sha256, settings.fetched_as, settings.url)
    train = read_coco(TRAIN, params.pose_skeleton, keep_empty=True)
    ask_teacher(train, ROOT, settings, out=OUTPUT, code=CODE)
