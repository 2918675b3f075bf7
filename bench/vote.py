"""Choose the settings of the vote on labelled pictures, and calibrate its doubt on others that are kept apart.

Of the pictures whose trunk leans by 60 degrees or more every other one chooses and every other one calibrates. Printed
are the error and the passes a picture of one look, of an upright look, and of votes by views, rounds, bandwidth, margin
and cheap form; then, for the settings of conf, error by dissent (the constant CALIBRATION of inference/vote.py), how
well the doubt tells people who are off by more than 100 mm (AUC; beside it what confidence tells), and the error of
those that are left where the most doubtful are put aside (risk and coverage).

    python bench/vote.py --model MODEL.tflite --annotations LSPE/annotations.json --images LSPE/images
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pictures import add_arguments, labelled_pictures
from refinement import tilted
from scipy.optimize import isotonic_regression
from scipy.stats import mannwhitneyu
from timing import positive

from fosbury.config import named_skeleton
from fosbury.inference.joints import poses_in
from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.inference.refine import CropRefiner
from fosbury.inference.registry import load_model
from fosbury.inference.vote import STRICT, Vote, dissent, elect
from fosbury.media.image import read_image
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.pose import Dataset, Pose
from fosbury.progress import progress
from fosbury.refinement import Refinement, VoteSettings

FAR = 100.0  # mm-equivalents, mean of a person's joints
COVERAGE = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)
VIEWS_AND_ROUNDS = ((4, 2), (6, 2), (9, 2), (12, 0), (12, 1), (12, 2), (12, 3), (18, 1), (18, 2), (36, 0))
BANDWIDTHS = (0.03, 0.05, 0.08, 0.12, 0.2)
CHEAP = (0.01, 0.02, 0.03, 0.05, 0.08)
KNOTS = 8


class Remembering:
    """A model that is asked once about each picture, so that settings are compared at the cost of the dearest."""

    def __init__(self, model: PoseModel):
        self.model, self.known = model, {}
        self.skeleton, self.input_size, self.licence = model.skeleton, model.input_size, model.licence
        self.needs_boxes, self.temperature = model.needs_boxes, model.temperature

    def predict(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray] | None = None) -> list[list[Pose]]:
        """Answer as ``PoseModel.predict``."""
        given = boxes if boxes is not None else [None] * len(images)
        keys = [_key(image, box) for image, box in zip(images, given, strict=True)]
        new = [index for index, key in enumerate(keys) if key not in self.known]
        answers = self.model.predict([images[i] for i in new], None if boxes is None else [boxes[i] for i in new])
        self.known |= {keys[index]: found for index, found in zip(new, answers, strict=True)}
        return [self.known[key] for key in keys]


def _key(image: np.ndarray, box: np.ndarray | None) -> bytes:
    content = image.tobytes() + repr(image.shape).encode() + (b"" if box is None else np.asarray(box).tobytes())
    return hashlib.blake2b(content, digest_size=16).digest()


def main() -> None:
    """Choose on one half, calibrate on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--image-size", type=positive)
    parser.add_argument("--pictures", type=positive, default=60, help="for each half")
    parser.add_argument("--margins", type=float, nargs="*", default=[1.25, 1.5, 2.0])
    asked = parser.parse_args()
    model = Remembering(load_model(asked.model, named_skeleton("coco17"), asked.image_size))
    with TemporaryDirectory() as work:
        dataset, root = labelled_pictures(asked, Path(work))
        both = tilted(dataset, 2 * asked.pictures)
        choosing, apart = (replace(both, frames=both.frames[start::2]) for start in (0, 1))
        choose(model, choosing, root, asked.margins)
        calibrate(model, apart, root)


def choose(model: PoseModel, dataset: Dataset, root: Path, margins: Sequence[float]) -> None:
    """Print what each setting costs and how far off it is."""
    conf = Refinement()
    print(f"{len(dataset)} pictures, labelled boxes\n\n{'':44}   mm  passes a picture")
    show("margin, one look", CropRefiner(model, conf.margin), dataset, root)
    show("upright look", CropRefiner(model, conf.margin, upright_looks=2), dataset, root)
    for views, rounds in VIEWS_AND_ROUNDS:
        show(f"{views} views, {rounds} rounds", changed(model, conf, views=views, rounds=rounds), dataset, root)
    for bandwidth in BANDWIDTHS:
        show(f"bandwidth {bandwidth}", changed(model, conf, bandwidth=bandwidth), dataset, root)
    for cheap in CHEAP:
        show(f"cheap {cheap}", changed(model, conf, cheap=cheap), dataset, root)
    for margin in margins:
        show(f"margin {margin}", Vote(model, margin, conf.vote), dataset, root)


def changed(model: PoseModel, conf: Refinement, **settings: float) -> Vote:
    """Vote by other settings than those of conf."""
    return Vote(model, conf.margin, VoteSettings(**(conf.vote.model_dump() | settings)))


def show(name: str, model: Vote | CropRefiner, dataset: Dataset, root: Path) -> None:
    """Print the mean error, and passes."""
    found = measured(dataset, predict_dataset(model, dataset, root, boxes="labels", title=name), model)
    print(f"{name:40} {found.group_metrics().error_mm:8.1f} {model.passes / len(dataset):8.1f}", flush=True)


def measured(dataset: Dataset, poses: list[list[Pose]], model: PoseModel) -> Evaluation:
    """Errors of the joints that model and labels share."""
    return evaluate(dataset, poses, known=dataset.skeleton.match(model.skeleton.joints) >= 0, ap=False)


def calibrate(model: PoseModel, dataset: Dataset, root: Path) -> None:
    """Print error by dissent, and what the doubt tells of people."""
    conf, poses = Refinement(), []
    vote = Vote(model, conf.margin, conf.vote)
    for frame in progress(dataset.frames, "calibrate", "frame"):
        picture, found = read_image(root / frame.file_name), []
        for ballot in vote.ballots([(picture, box) for box in frame.boxes]):
            if ballot.candidates:
                pose = elect(ballot, conf.vote.bandwidth)
                found.append(replace(pose, doubt=dissent(ballot, pose.keypoints, STRICT * conf.vote.bandwidth)))
        poses.append(poses_in(found, vote.skeleton, dataset.skeleton))
    rows = measured(dataset, poses, vote)
    share, confidence = (of_rows(rows, dataset, poses, part) for part in ("doubt", "confidence"))
    known = np.isfinite(share)
    print(f"\nkept apart: {len(dataset)} pictures, {rows.group_metrics().error_mm:.1f} mm")
    print("CALIBRATION =", fitted(share[known], rows.error_mm[known]))
    people = np.unique(rows.person[known])
    mean = {
        name: np.array([values[known & (rows.person == each)].mean() for each in people])
        for name, values in (("error", rows.error_mm), ("dissent", share), ("unsure", -confidence))
    }
    far = mean["error"] > FAR
    print(f"{far.sum()} of {len(people)} people are off by more than {FAR:.0f} mm")
    for name in ("dissent", "unsure"):
        print(f"AUC by {'doubt' if name == 'dissent' else 'confidence':10} {auc(mean[name], far):.3f}")
    print("\nshare kept   mean error, mm: by doubt   by confidence   by the error itself")
    for share in COVERAGE:
        kept = max(1, round(share * len(people)))
        risks = [
            mean["error"][np.argsort(mean[name], kind="stable")[:kept]].mean()
            for name in ("dissent", "unsure", "error")
        ]
        print(f"{share:10.0%} {risks[0]:26.0f} {risks[1]:15.0f} {risks[2]:21.0f}")


def of_rows(rows: Evaluation, dataset: Dataset, poses: list[list[Pose]], part: str) -> np.ndarray:
    """Value of each row's joint in the pose whose keypoints the row's person was matched with."""
    result = np.full(len(rows.joint), np.nan)
    for index, (frame, person, joint) in enumerate(zip(rows.frame, rows.person, rows.joint, strict=True)):
        for pose in poses[frame]:
            if np.allclose(pose.keypoints[joint], rows.predicted[person, joint], equal_nan=False):
                result[index] = getattr(pose, part)[joint]
    return result


def fitted(share: np.ndarray, error: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Mean error of equal parts of the joints by dissent, made monotone."""
    parts = np.array_split(np.argsort(share, kind="stable"), KNOTS)
    means = isotonic_regression([error[part].mean() for part in parts], weights=[len(part) for part in parts]).x
    return tuple(
        (round(float(share[part].mean()), 3), round(float(mean), 1)) for part, mean in zip(parts, means, strict=True)
    )


def auc(value: np.ndarray, positive: np.ndarray) -> float:
    """Chance that somebody of whom ``positive`` is true has the larger value."""
    if positive.all() or not positive.any():
        return float("nan")
    return float(mannwhitneyu(value[positive], value[~positive]).statistic / (positive.sum() * (~positive).sum()))


if __name__ == "__main__":
    main()
