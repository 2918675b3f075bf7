r"""Trainings of one recipe that differ in their seed alone, on one labelled set: their mean, and where the error is.

    python bench/trainings.py FLOPS --model a/model.pt b/model.pt c/model.pt \
        --free pose_landmark_heavy.tflite --detector pose_detection.tflite

Each model looks once, once more upright, and twice more upright at the labelled boxes. The interval is over pictures
and over trainings, crossed: the squared error of the mean is that over pictures (of the errors averaged over the
trainings) plus that over trainings. The difference to the free model, called as MediaPipe calls it, is paired over
pictures, with the same two parts (`metrics.intervals.differences`). Then, for the look of --where, the error by kind of
mistake, joint, trunk tilt and size of the athlete in pixels, averaged over the trainings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from peer_rows import FREE, GIVEN, MEDIAPIPE, ONCE, ONE, OURS, UPRIGHT, ModelFile, Row, answer, known_joints
from pictures import labelled_pictures
from scipy.stats import t as student

from fosbury.dataset.phases import assign_phases
from fosbury.errors import BadInput, BadInputs
from fosbury.files import write_json
from fosbury.formats.sets import ANNOTATIONS, IMAGES
from fosbury.inference.boxes import LABELS
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.intervals import LEVEL, jackknife, sums_by_unit
from fosbury.metrics.paired import verdicts
from fosbury.pose import Dataset

LOOKS = [ONE, ONCE, UPRIGHT]
STARTER = ModelFile("starter", Path(__file__).parents[1] / "models/starter/rtmpose/rtmpose-t.pt")
TERCILES = ("small", "middle", "large")


def main() -> None:
    """Predict, average, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "set", type=Path, nargs="?", help="annotations.json and images/; without it the built-in athlete"
    )
    parser.add_argument("--skeleton", default="lsp14", help="of the labels")
    parser.add_argument("--annotations", type=Path, help="COCO keypoints, in place of a set")
    parser.add_argument("--images", type=Path, help="folder of their pictures")
    parser.add_argument("--model", type=ModelFile.read, nargs="+", default=[STARTER], help="one for each training")
    parser.add_argument("--free", type=ModelFile.read, help="a landmark network of MediaPipe to compare with")
    parser.add_argument("--detector", type=Path, help="its detector")
    parser.add_argument("--where", choices=LOOKS, default=ONCE)
    parser.add_argument("--work", type=Path, help="folder that keeps what was predicted")
    parser.add_argument("--json", type=Path, help="record of the figures")
    asked = parser.parse_args()
    if asked.set:
        asked.annotations, asked.images = asked.set / ANNOTATIONS, asked.set / IMAGES
    try:
        with TemporaryDirectory() as scratch:
            show(asked, Path(scratch))
    except (BadInput, BadInputs) as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def show(asked: argparse.Namespace, scratch: Path) -> None:
    """Measure all looks of all models, and the free one."""
    dataset, root = labelled_pictures(asked, scratch)
    dataset = assign_phases(dataset)
    work = asked.work or scratch / "rows"
    rows = {look: [Row(file, OURS, look, LABELS, None) for file in asked.model] for look in LOOKS}
    answers = {look: [answer(row, dataset, root, work, unaided=False) for row in each] for look, each in rows.items()}
    free = []
    if asked.free:
        called = Row(asked.free, FREE, MEDIAPIPE, str(asked.detector), None)
        free = [answer(called, dataset, root, work, unaided=False)]
    known = known_joints(dataset.skeleton, [*free, *(each for found in answers.values() for each in found)])
    measured = {
        look: [evaluate(dataset, each.poses[GIVEN], known=known, ap=False) for each in found]
        for look, found in answers.items()
    }
    base = [evaluate(dataset, each.poses[GIVEN], known=known, ap=False) for each in free]
    record = {look: _figures(found, base) for look, found in measured.items()}
    record["where"] = {name: dict(lines) for name, lines in _where(measured[asked.where], dataset)}
    print("| look | each training, mm | mean, pictures and trainings | against the free model |\n|---|---|---:|---:|")
    for look in LOOKS:
        print("| " + " | ".join([look, *_texts(record[look])]) + " |")
    if base:
        everything = np.ones(len(base[0].joint), dtype=bool)
        print(f"| {asked.free.name}, {MEDIAPIPE} | | {_with_ends(*mean_interval(base, everything))} | |")
    for name, lines in record["where"].items():
        print(f"\n| {name} | share | mm | of the mean error |\n|---|---:|---:|---:|")
        for label, (share, error, part) in lines.items():
            print(f"| {label} | {100 * share:.0f} % | {error:.0f} | {part:.1f} |")
    if asked.json:
        write_json(asked.json, record)


def _figures(found: Sequence[Evaluation], base: Sequence[Evaluation]) -> dict:
    result = {}
    for name, rows in (("all", np.ones(len(found[0].joint), dtype=bool)), ("arch", found[0].phase == "arch")):
        if rows.any():
            each = [float(one.error_mm[rows].mean()) for one in found]
            mean, low, high = mean_interval(found, rows)
            result[name] = {"each": np.round(each, 1).tolist(), "mean": round(mean, 1), "ci": [low, high]}
    if base:
        apart = verdicts(base, found)[0].difference
        result["difference"] = {
            key: round(float(getattr(apart, key)), 4 if key == "p" else 1) for key in ("mean", "low", "high", "p")
        }
    return result


def _texts(figures: dict) -> Iterator[str]:
    yield ", ".join(f"{each:.1f}" for each in figures["all"]["each"])
    yield _with_ends(figures["all"]["mean"], *figures["all"]["ci"])
    apart = figures.get("difference")
    yield f"{apart['mean']:+.1f} [{apart['low']:+.0f}, {apart['high']:+.0f}], p {apart['p']:.3f}" if apart else ""


def _with_ends(mean: float, low: float, high: float) -> str:
    return f"{mean:.1f} [{low:.0f}, {high:.0f}]"


def mean_interval(found: Sequence[Evaluation], rows: np.ndarray) -> tuple[float, float, float]:
    """Mean error over joints and trainings, and its interval over pictures and trainings, on the logarithm.

    The degrees of freedom are Satterthwaite's, as in `metrics.intervals.differences`.
    """
    errors = np.mean([each.error_mm for each in found], axis=0)
    _, unit = np.unique(found[0].frame, return_inverse=True)
    sums, counts = sums_by_unit(unit, np.where(rows, errors, np.nan), rows[:, None])
    (mean,), (error,), (units,) = jackknife(sums, counts)
    over_pictures, pictures = error**2, units - 1
    means = [each.error_mm[rows].mean() for each in found]
    over_trainings = np.var(means, ddof=1) / len(means) if len(means) > 1 else 0.0
    total = over_pictures + over_trainings
    freedom = total**2 / (over_pictures**2 / pictures + over_trainings**2 / max(len(means) - 1, 1))
    reach = student.ppf((1 + LEVEL) / 2, freedom) * np.sqrt(total) / mean
    return float(mean), round(float(mean * np.exp(-reach)), 1), round(float(mean * np.exp(reach)), 1)


def _where(found: Sequence[Evaluation], dataset: Dataset) -> Iterator[tuple[str, Iterator]]:
    """Error, share of the joints, and part of the mean error of each group."""
    first = found[0]
    longer = np.array([max((box[2:] - box[:2]).max() for box in frame.boxes) for frame in dataset.frames])
    edges = np.quantile(longer[np.unique(first.frame)], (1 / 3, 2 / 3))
    place = np.searchsorted(edges, longer[first.frame], side="right")
    sizes = {f"{TERCILES[n]}, {_span(longer[first.frame][place == n])} px": place == n for n in range(3)}
    yield "kind of mistake", _kinds(found)
    for name, groups in (
        ("joint", _both_sides(first)),
        ("trunk tilt", first.groups()["by_tilt"]),
        ("longer side of the box", sizes),
    ):
        yield name, _parts(found, groups)


def _span(values: np.ndarray) -> str:
    return f"{values.min():.0f} to {values.max():.0f}" if len(values) else "none"


def _both_sides(found: Evaluation) -> dict[str, np.ndarray]:
    names = np.array([name.removeprefix("left_").removeprefix("right_") for name in found.skeleton.joints])[found.joint]
    return {str(name): names == name for name in dict.fromkeys(names.tolist())}


def _kinds(found: Sequence[Evaluation]) -> Iterator[tuple[str, tuple[float, float, float]]]:
    everything = np.ones(len(found[0].joint), dtype=bool)
    kinds = [each.kinds(everything) for each in found]
    for kind in kinds[0]:
        share, cost = (float(np.mean([each[kind][key] for each in kinds])) for key in ("share", "cost_mm"))
        yield kind, (share, cost / share if share else 0.0, cost)


def _parts(found: Sequence[Evaluation], groups: dict) -> Iterator[tuple[str, tuple[float, float, float]]]:
    errors = np.mean([each.error_mm for each in found], axis=0)
    for label, rows in groups.items():
        share = float(rows.mean())
        yield label, (share, float(errors[rows].mean()) if share else 0.0, float(errors[rows].sum() / len(errors)))


if __name__ == "__main__":
    main()
