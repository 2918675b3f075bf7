"""How far networks that are equal but for rounding end up apart: one look, a nearer look, a nearer look turned upright.

The networks are one checkpoint and copies of it whose weights differ by a millionth part (standard deviation), or an
exported file of it (--exported). The same pictures go through each; printed are the mean error and how far the copies'
joints lie from the checkpoint's, as mean and as that of the worst picture.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from pictures import add_arguments, labelled_pictures
from timing import positive

from fosbury.config import named_skeleton
from fosbury.inference.predict import predict_dataset
from fosbury.inference.protocol import PoseModel
from fosbury.inference.refine import CropRefiner
from fosbury.inference.registry import load_model
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.selection import STATURE_MM
from fosbury.metrics.stature import athletes, pixel_stature, times
from fosbury.pose import Dataset, trunk_tilt

PART = 1e-6  # of a weight, standard deviation
LOOKS = {"one look": None, "nearer": 0, "nearer, upright": 2}


def main() -> None:
    """Measure the spread on labelled stills whose trunk leans by 60 degrees or more."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--exported", type=Path, nargs="*", default=[], help="exported files of it")
    parser.add_argument("--image-size", type=positive, default=320)
    parser.add_argument("--pictures", type=positive, default=36)
    parser.add_argument("--copies", type=int, default=3)
    asked = parser.parse_args()
    with TemporaryDirectory() as work:
        dataset, root = labelled_pictures(asked, Path(work))
        compare(asked, tilted(dataset, asked.pictures), root)


def compare(asked: argparse.Namespace, dataset: Dataset, root: Path) -> None:
    """Print the spread of every kind of look."""
    models = {"checkpoint": load_model(asked.model, named_skeleton("coco17"), asked.image_size)}
    models |= {f"copy {number}": perturbed(asked, number) for number in range(1, asked.copies + 1)}
    models |= {path.suffix: load_model(path) for path in asked.exported}
    known = dataset.skeleton.match(models["checkpoint"].skeleton.joints) >= 0
    print(f"{len(dataset)} pictures, {len(models)} networks: {', '.join(models)}")
    for look, upright_looks in LOOKS.items():
        found = []
        for name, model in models.items():
            looking = model if upright_looks is None else CropRefiner(model, 1.5, upright_looks)
            poses = predict_dataset(looking, dataset, root, title=f"{look}, {name}")
            found.append(evaluate(dataset, poses, known=known, ap=False))
        print(f"{look:16} {spread(found, mm_per_px(dataset))}")


def tilted(dataset: Dataset, pictures: int) -> Dataset:
    """So many pictures, evenly drawn, of those whose first person's trunk leans by 60 degrees or more."""
    people = [frame.people[0] for frame in dataset.frames]
    points = np.array([np.where(person.labelled[:, None], person.keypoints, np.nan) for person in people])
    leaning = np.flatnonzero(trunk_tilt(points, dataset.skeleton) >= 60)
    drawn = leaning[:: max(1, len(leaning) // pictures)][:pictures]
    return replace(dataset, frames=tuple(dataset.frames[index] for index in drawn))


def perturbed(asked: argparse.Namespace, seed: int) -> PoseModel:
    """Change every weight of the checkpoint by about a millionth part."""
    model = load_model(asked.model, named_skeleton("coco17"), asked.image_size)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in model.module.parameters():
            weights.mul_(1 + PART * torch.randn(weights.shape, generator=generator))
    return model


def mm_per_px(dataset: Dataset) -> np.ndarray:
    """Millimetres that a pixel stands for in each person, shape (P,)."""
    people = [person for frame in dataset.frames for person in frame.people]
    points = np.array([person.keypoints for person in people])
    labelled = np.array([person.labelled for person in people])
    number = {"athlete": athletes(dataset), "seconds": times(dataset)}
    return STATURE_MM / pixel_stature(points, labelled, dataset.skeleton.limbs, **number)


def spread(found: list[Evaluation], scale: np.ndarray) -> str:
    """Compare several networks' joints in the same pictures; ``scale`` in mm a pixel, shape (P,)."""
    means = [each.group_metrics().error_mm for each in found]
    joints = np.array([np.linalg.norm(each.predicted - found[0].predicted, axis=-1) for each in found[1:]])
    joints = (joints * scale[:, None])[:, np.isfinite(joints).any(axis=2).all(axis=0)]  # people whom all found
    picture = np.nanmean(joints, axis=2).max(axis=0)
    far = np.count_nonzero(picture > 1)
    return (
        f"mean error {min(means):.2f} to {max(means):.2f} mm; joints {np.nanmean(joints):.3f} mm apart in the mean, "
        f"{np.nanmax(picture):.2f} in the worst picture; more than 1 mm apart in {far} pictures"
    )


if __name__ == "__main__":
    main()
