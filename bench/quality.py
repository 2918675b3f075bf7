r"""How well `fosbury quality` finds errors that are planted into real labels.

    python bench/quality.py --json bench/results/quality.json

Planted, each kind alone, into a twentieth of the people: left and right of the legs below the hips exchanged;
those of the whole body; one joint moved by a fifth of the box's side; the labels of two pictures
exchanged. Printed are the area under the curve (0.5 is chance) and the share of planted labels among as many of the
worst, means over draws. What is wrong in the labels already counts as sound, so that both are lower bounds.

With --model its answers are compared, too; it is asked again only where a planted error moved a box.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from fosbury.config import default_skeleton
from fosbury.dataset.relabel import limb_sides
from fosbury.files import write_json
from fosbury.inference.registry import load_model
from fosbury.labelling.quality import Check, Labels, labels_of, severity
from fosbury.labelling.quality_clips import check_clips
from fosbury.labelling.quality_model import answers, check_model
from fosbury.labelling.quality_run import read_labels
from fosbury.labelling.quality_shape import check_crossed, check_lengths, check_place
from fosbury.pose import Dataset, Person, body_area

DATA = Path(__file__).parents[1].parent / "shared/data"
SETS = {
    "flops": "flops",
    "lspe, 400 of 2,400": "lspe",
    "gym rows, correct": "form/correct",
    "gym rows, lumbar": "form/lumbar",
}
SHARE, MOVED, MOST = 0.05, 0.2, 400


def leg(labels: Labels, row: int, _: np.random.Generator) -> np.ndarray:
    """Exchange left and right below the hips."""
    left, right = limb_sides(labels.skeleton)[-1]
    points = labels.keypoints[row].copy()
    points[[*left[1:], *right[1:]]] = points[[*right[1:], *left[1:]]]
    return points


def body(labels: Labels, row: int, _: np.random.Generator) -> np.ndarray:
    """Exchange left and right throughout."""
    return labels.keypoints[row][labels.skeleton.flip_index]


def joint(labels: Labels, row: int, chance: np.random.Generator) -> np.ndarray:
    """Move a joint."""
    points = labels.keypoints[row].copy()
    angle = chance.uniform(0, 2 * np.pi)
    moved = chance.choice(np.flatnonzero(labels.known[row]))
    points[moved] += MOVED * labels.side[row] * np.array([np.cos(angle), np.sin(angle)])
    return points


KINDS: dict[str, Callable[[Labels, int, np.random.Generator], np.ndarray]] = {
    "sides of the legs": leg, "sides of the body": body, "a joint by 0.2 of the box": joint,
}  # fmt: skip
EXCHANGED = "labels of two pictures"


def planted(labels: Labels, kind: str, chance: np.random.Generator) -> tuple[Labels, np.ndarray]:
    """Labels with errors, and a mask of the people who have one."""
    count = max(2, round(SHARE * len(labels.frame)) // 2 * 2)
    flip = labels.skeleton.flip_index
    able = np.flatnonzero(labels.known.sum(axis=1) >= 4)
    if kind == "sides of the legs":
        left, right = limb_sides(labels.skeleton)[-1]
        able = np.flatnonzero(labels.known[:, [*left[1:], *right[1:]]].all(axis=1))
    elif kind == "sides of the body":
        able = np.flatnonzero((labels.known & labels.known[:, flip]).sum(axis=1) >= 8)
    rows = chance.permutation(able)[:count]
    points, boxes = labels.keypoints.copy(), labels.boxes.copy()
    if kind == EXCHANGED:
        half = len(rows) // 2
        order = np.concatenate([rows[half:], rows[:half]])
        points[rows], boxes[rows] = points[order], boxes[order]
    else:
        for row in rows:
            points[row] = KINDS[kind](labels, int(row), chance)
    return replace(labels, keypoints=points, boxes=boxes), np.isin(np.arange(len(labels.frame)), rows)


def auc(score: np.ndarray, wrong: np.ndarray) -> float:
    """Area under the curve."""
    ranks = rankdata(score)
    ones, zeros = int(wrong.sum()), int((~wrong).sum())
    return float((ranks[wrong].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def checks(labels: Labels, dataset: Dataset) -> list[Check]:
    """All checks without a model."""
    return [*check_lengths(labels), *check_crossed(labels), *check_place(labels), *check_clips(labels, dataset.frames)]


def asked_again(dataset: Dataset, labels: Labels, rows: np.ndarray, ask: Callable) -> np.ndarray:
    """Answers of a model where the boxes were moved."""
    frames = []
    for row in rows:
        person = Person(
            labels.keypoints[row], labels.known[row] * np.uint8(2), labels.boxes[row], body_area(labels.boxes[row])
        )
        frames.append(replace(dataset.frames[labels.frame[row]], people=(person,)))
    part = replace(dataset, frames=tuple(frames))
    return ask(part, labels_of(part))


def main() -> None:
    """Print the table, and write it with --json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    given = parser.parse_args()
    model = None if given.model is None else load_model(given.model, default_skeleton())
    result: dict[str, Any] = {}
    for name in given.sets:
        if not (DATA / SETS[name]).is_dir():
            print(f"{name}: not there")
            continue
        dataset, root = read_labels(DATA / SETS[name])
        if len(dataset) > MOST:
            chosen = np.random.default_rng(0).permutation(len(dataset))[:MOST]
            dataset = dataset.where(np.isin(np.arange(len(dataset)), chosen))
        labels = labels_of(dataset)
        said = None if model is None else answers(model, dataset, labels, root)
        print(f"{name}: {len(labels.frame)} people", flush=True)
        result[name] = {"people": len(labels.frame)}
        for kind in (*KINDS, EXCHANGED):
            values: dict[str, list[tuple[float, float]]] = {}
            for draw in range(given.draws if model is None or kind != EXCHANGED else min(given.draws, 3)):
                made, wrong = planted(labels, kind, np.random.default_rng(draw))
                found = {"labels alone": checks(made, dataset)}
                if said is not None and model is not None:
                    now = said
                    if kind == EXCHANGED:
                        now, rows = said.copy(), np.flatnonzero(wrong)
                        now[rows] = asked_again(dataset, made, rows, partial(answers, model, root=root))
                    found["with the model"] = [*found["labels alone"], *check_model(made, now)]
                    found["the model alone"] = check_model(made, now)
                else:
                    found |= {f"  {each.kind}": [each] for each in found["labels alone"]}
                for way, each in found.items():
                    score = severity(each)
                    worst = np.argsort(-score, kind="stable")[: wrong.sum()]
                    values.setdefault(way, []).append((auc(score, wrong), float(wrong[worst].mean())))
            means = {way: np.mean(rows, axis=0) for way, rows in values.items()}
            result[name][kind] = {
                way.strip(): {"auc": round(float(a), 3), "precision": round(float(b), 3)}
                for way, (a, b) in means.items()
            } | {"planted": int(wrong.sum())}
            words = "; ".join(f"{way.strip()} {a:.2f}, {b:.0%}" for way, (a, b) in means.items())
            print(f"  {kind} ({wrong.sum()}): {words}", flush=True)
    if given.json is not None:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
