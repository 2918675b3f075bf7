r"""What pre-labels are worth: joints within 50 mm, and minutes of correction saved, beside those of untuned YOLO11n.

    python bench/prelabels.py --json bench/results/prelabels.json --work ROWS

Nobody says where the athlete is: pre-labels are made as `fosbury prelabel` makes them. Measured on photographs of flops
and on frames of gym clips, as far as they are there (--flops, --gym); then on the built-in athlete's clips, what
following sides and smoothing paths does: to labels that noise and swaps were laid on, and to what models answered.

Only joints that all models have count. A joint of somebody who was not found counts as off. Intervals are 95 %, by a
bootstrap over photographs, or clips. What a model answered is kept in --work and not asked again.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from timing import positive

from fosbury.config import named_skeleton
from fosbury.dataset.merge import merge
from fosbury.dataset.relabel import limb_sides
from fosbury.files import write_json
from fosbury.formats.coco import read_coco
from fosbury.formats.sets import read_set
from fosbury.inference.answers import Asked
from fosbury.labelling.pictures import Picture
from fosbury.labelling.prelabel import DOUBT, Prelabels, ask
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.stature import pixel_stature
from fosbury.pose import NOT_LABELLED, Dataset, Frame, Person, Pose
from fosbury.refinement import Refinement
from fosbury.synth.sets import write_set
from fosbury.video.tracks import Track, repair_sides, smooth

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared/data"
COSTS = ROOT / "conf/labelling/costs.yaml"
NEAR_MM = 50.0
RESAMPLES, LEVEL = 10_000, 0.95
BASE = "YOLO11n, one look"
SLOW = ("BlazePose heavy, one look", "BlazePose heavy, vote", "BlazePose full and heavy, vote")
"""Not asked about gym clips and the built-in athlete unless --all: they take up to seconds a picture."""
SIZE = (256, 256)
CORRUPTED = {
    "exact labels": (0.0, 0.0, 1, 0.0),
    "noise of 20 mm": (20.0, 0.0, 1, 0.0),
    "noise of 40 mm, 5 % of limbs swapped in single frames": (40.0, 0.05, 1, 0.0),
    "noise of 40 mm, swaps of up to 4 frames": (40.0, 0.05, 4, 0.0),
    "noise of 40 mm, swaps of up to 3 frames, 5 % of joints off by 300 mm": (40.0, 0.05, 3, 0.05),
}
"""What is laid on exact labels: noise in mm, chance of a swap to begin in a frame, its longest, share of joints off."""


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flops", type=Path, default=DATA / "flops", help="annotations.json beside images/")
    parser.add_argument("--gym", type=Path, default=DATA / "form", help="folder of such folders")
    parser.add_argument("--weights", type=Path, default=DATA / "weights")
    parser.add_argument("--frames", type=positive, default=5, help="of each gym clip")
    parser.add_argument("--clips", type=positive, default=4, help="of the built-in athlete")
    parser.add_argument("--all", action="store_true", help="ask all models about all sets")
    parser.add_argument("--work", type=Path, help="keeps what models answered")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if not given.weights.is_dir():
        print(f"Pre-labels are measured with BlazePose and YOLO11n, and {given.weights} is not there.")
        return
    costs = {"seconds_per_joint_correct": 4, "seconds_per_frame_check": 10}
    if COSTS.is_file():
        costs = {key: yaml.safe_load(COSTS.read_text(encoding="utf-8"))[key] for key in costs}
    with TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        models = asked_models(given.weights)
        quick = {name: asked for name, asked in models.items() if given.all or name not in SLOW}
        result: dict[str, Any] = {"near_mm": NEAR_MM, "costs": costs, "sets": {}}
        for name, labels in (("flops", flops(given.flops)), ("gym", gym(given.gym, given.frames))):
            if labels is not None:
                asked = models if name == "flops" else quick
                result["sets"][name] = measured(name, labels, asked, costs=costs, work=work)
                keep(given.json, result)
        result["tracks"] = {"corrupted": corrupted(given.clips * 3)}
        keep(given.json, result)
        result["tracks"]["models"] = followed(given.clips, quick, work)
        keep(given.json, result)


def keep(path: Path | None, result: Mapping[str, Any]) -> None:
    """Write what is known so far."""
    if path:
        write_json(path, result)


def asked_models(weights: Path) -> dict[str, Asked]:
    """Models as `fosbury prelabel` asks them."""
    full, heavy = (weights / f"blazepose_landmark_{size}.tflite" for size in ("full", "heavy"))
    yolo = weights / "yolo11n-pose-coco-approx.pt"
    detector = str(weights / "blazepose_detection.tflite")
    return {
        BASE: Asked(model=yolo, boxes=None, refinement=Refinement()),
        "BlazePose full, one look": Asked(model=full, boxes=detector, refinement=Refinement()),
        "BlazePose full, vote": Asked(model=full, boxes=detector, refinement=Refinement(how="vote")),
        "BlazePose heavy, one look": Asked(model=heavy, boxes=detector, refinement=Refinement()),
        "BlazePose heavy, vote": Asked(model=heavy, boxes=detector, refinement=Refinement(how="vote")),
        "BlazePose full and heavy, vote": Asked(
            model=full, boxes=detector, refinement=Refinement(how="vote", also=(str(heavy),))
        ),
    }


@dataclass(frozen=True, eq=False)
class Labels:
    """Labelled frames, and where the picture of each is."""

    dataset: Dataset
    paths: Sequence[Path]


def flops(folder: Path) -> Labels | None:
    """Photographs of flops; None where there are none."""
    if not (folder / "annotations.json").is_file():
        return None
    dataset = read_coco(folder / "annotations.json", named_skeleton("lsp14"))
    return Labels(dataset, [folder / "images" / frame.file_name for frame in dataset.frames])


def gym(folder: Path, each: int) -> Labels | None:
    """So many frames, evenly, of each gym clip, which is the first number of a file's name; None without any."""
    frames, paths, skeleton = [], [], named_skeleton("coco17")
    for part in sorted(folder.glob("*/annotations.json")):
        clips: dict[str, list] = {}
        for frame in sorted(read_coco(part, skeleton, on_problem="drop").frames, key=lambda frame: frame.file_name):
            clips.setdefault(f"{part.parent.name}/{frame.file_name.split('_')[0]}", []).append(frame)
        for clip, members in clips.items():
            for at in np.unique(np.linspace(0, len(members) - 1, each).round().astype(int)):
                people = tuple(inside(person, members[at]) for person in members[at].people)
                frames.append(replace(members[at], group=clip, people=people))
                paths.append(part.parent / "images" / members[at].file_name)
    return Labels(Dataset(skeleton, tuple(frames)), paths) if frames else None


def inside(person: Person, frame: Frame) -> Person:
    """Leave out labels beyond the picture, which gym pictures cut to the person have: no pre-label is put there."""
    with np.errstate(invalid="ignore"):
        there = ((person.keypoints >= 0) & (person.keypoints <= (frame.width, frame.height))).all(axis=1)
    points = np.where(there[:, None], person.keypoints, np.nan)
    return replace(person, keypoints=points, visibility=np.where(there, person.visibility, NOT_LABELLED))


def poses_of(made: Prelabels) -> list[list[Pose]]:
    """Pre-labels as what a model predicted; the confidence is their weight."""
    return [
        [Pose(each.keypoints, each.training_weights, each.box, 1.0) for each in frame.people]
        for frame in made.dataset.frames
    ]


def measured(
    name: str, labels: Labels, models: Mapping[str, Asked], *, costs: Mapping[str, float], work: Path
) -> dict[str, Any]:
    """Figures of all models on a set."""
    dataset = labels.dataset
    pictures = [
        Picture(path, replace(frame, people=())) for path, frame in zip(labels.paths, dataset.frames, strict=True)
    ]
    made = {}
    known = np.ones(len(dataset.skeleton), dtype=bool)
    for model, asked in models.items():
        made[model] = ask(pictures, asked, work / f"{name}-{asked.digest()[:12]}.jsonl", skeletons=[dataset.skeleton])
        found = [person for person in made[model].people if person.training_weights.any()]
        known &= np.any([person.training_weights > 0 for person in found], axis=0)
    rows = {model: evaluate(dataset, poses_of(each), known=known, ap=False) for model, each in made.items()}
    base = rows[BASE]
    frames = len(np.unique(base.frame))
    print(f"\n{name}: {frames} frames, {len(base.joint)} joints\n{'':32}within 50 mm          minutes for 100 frames")
    by_hand = len(base.joint) * costs["seconds_per_joint_correct"] / 60 * 100 / frames
    figures = {model: row(each, base, made[model], costs=costs) for model, each in rows.items()}
    for model, each in figures.items():
        share, minutes = each["within"], each["minutes_per_100_frames"]
        print(f"{model:32}{share['value']:.3f} {span(share['ci'])}  {minutes['value']:.1f} {span(minutes['ci'])}")
    joints = [joint for joint, counts in zip(dataset.skeleton.joints, known, strict=True) if counts]
    return {
        "frames": frames,
        "units": int(base.cluster.max()) + 1,
        "labelled_joints": len(base.joint),
        "joints": joints,
        "minutes_per_100_frames_without_prelabels": round(by_hand, 1),
        "rows": figures,
    }


def row(rows: Evaluation, base: Evaluation, made: Prelabels, *, costs: Mapping[str, float]) -> dict[str, Any]:
    """Figures of one model, with the minutes that it saves against the base."""
    off, base_off = rows.error_mm > NEAR_MM, base.error_mm > NEAR_MM
    joint, check = costs["seconds_per_joint_correct"] / 60, costs["seconds_per_frame_check"] / 60
    count, units = np.ones(len(off)), rows.cluster
    frames = np.zeros(len(off))
    frames[np.unique(rows.frame, return_index=True)[1]] = 1.0
    marked = rows.confidence < DOUBT
    figures = rows.group_metrics().values
    return {
        "within": ratio(~off, count, units, 3),
        "error_mm": round(float(rows.error_mm.mean()), 1),
        "swapped": round(float(figures["swapped"]), 3) if "swapped" in figures else None,
        "missed_people": round(float(rows.missed[np.unique(rows.person, return_index=True)[1]].mean()), 3),
        "minutes_per_100_frames": ratio(100 * (joint * off + check * frames), frames, units, 1),
        "saved_per_100_frames": ratio(100 * joint * (base_off.astype(float) - off), frames, units, 1),
        "marked": ratio(marked, count, units, 3),
        "off_of_marked": round(float(off[marked].mean()), 3) if marked.any() else None,
        "off_of_others": round(float(off[~marked].mean()), 3) if (~marked).any() else None,
    }


def ratio(values: np.ndarray, counts: np.ndarray, units: np.ndarray, digits: int) -> dict[str, Any]:
    """Sum of values over sum of counts, with a bootstrap interval over units."""
    sums = np.array([np.bincount(units, weights=each.astype(float)) for each in (values, counts)])
    draws = np.random.default_rng(0).integers(0, sums.shape[1], size=(RESAMPLES, sums.shape[1]))
    drawn = sums[:, draws].sum(axis=-1)
    ends = np.percentile(drawn[0] / drawn[1], [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return {"value": round(float(sums[0].sum() / sums[1].sum()), digits), "ci": ends.round(digits).tolist()}


def span(ends: Sequence[float]) -> str:
    """Write an interval."""
    return f"[{ends[0]:g}, {ends[1]:g}]"


def built_in(folder: Path, clips: int) -> tuple[Dataset, list[Path]]:
    """Exact labels of clips of the built-in athlete, and their frames."""
    write_set(folder / "athlete", clips, 101, SIZE, fixed_every=3)
    skeleton = named_skeleton("coco17")
    dataset = merge({"athlete": read_set(folder / "athlete", folder / "frames", skeleton)})
    return dataset, [folder / frame.file_name for frame in dataset.frames]


def tracks_of(dataset: Dataset, keypoints: np.ndarray, trust: np.ndarray) -> list[tuple[np.ndarray, Track]]:
    """Rows of each clip in order of time, and the joints in them as a track."""
    found = []
    for clip in sorted({str(frame.video) for frame in dataset.frames}):
        rows = np.array([at for at, frame in enumerate(dataset.frames) if frame.video == clip])
        seconds = np.array([dataset.frames[at].timestamp_ms or 0.0 for at in rows]) / 1000
        rows, seconds = rows[np.argsort(seconds)], np.sort(seconds)
        boxes = np.array([dataset.frames[at].people[0].box for at in rows])
        sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
        found.append((rows, Track(keypoints[rows], trust[rows], seconds, sides)))
    return found


def statures(dataset: Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints (F, K, 2), whether each has a label, and mm in a pixel, of the one person of each frame."""
    people = [frame.people[0] for frame in dataset.frames]
    points, labelled = (np.array([getattr(person, part) for person in people]) for part in ("keypoints", "labelled"))
    clips = np.unique([str(frame.video) for frame in dataset.frames], return_inverse=True)[1]
    seconds = np.array([frame.timestamp_ms or 0.0 for frame in dataset.frames]) / 1000
    height = pixel_stature(points, labelled, dataset.skeleton.limbs, athlete=clips, seconds=seconds)
    return points, labelled, np.array([frame.stature_mm or 1850.0 for frame in dataset.frames]) / height


def corrupted(clips: int) -> dict[str, Any]:
    """Lay noise, swaps and gross errors on exact labels, and see what is left of them."""
    print(f"\nlabels of {clips} clips of the built-in athlete, before, after sides, after smoothing")
    with TemporaryDirectory() as folder:
        dataset, _ = built_in(Path(folder), clips)
    points, labelled, scale = statures(dataset)
    result = {}
    for name, settings in CORRUPTED.items():
        bad = spoilt(dataset, points, scale, settings)
        result[name] = steps(dataset, bad, labelled * 1.0)
        show(name, result[name])
    return result


def spoilt(
    dataset: Dataset, points: np.ndarray, scale: np.ndarray, settings: tuple[float, float, int, float]
) -> np.ndarray:
    """Lay noise, swaps and gross errors on labels; see `CORRUPTED`."""
    noise, begins, longest, gross = settings
    rng = np.random.default_rng(0)
    bad = points + rng.normal(size=points.shape) * noise / scale[:, None, None]
    for left, right in limb_sides(dataset.skeleton):
        here, there = np.concatenate([left, right]), np.concatenate([right, left])
        at = 0
        while at < len(bad):
            length = int(rng.integers(1, longest + 1)) if rng.random() < begins else 0
            bad[at : at + length, here] = bad[at : at + length, there]
            at += length + 1
    off = rng.random(bad.shape[:2]) < gross
    bad[off] += (rng.normal(size=bad.shape) * 300 / scale[:, None, None])[off]
    return bad


def steps(dataset: Dataset, keypoints: np.ndarray, trust: np.ndarray) -> dict[str, Any]:
    """Figures of tracks as they are, with their sides repaired, and smoothed."""
    stages = {name: keypoints.copy() for name in ("before", "sides", "smoothed")}
    for rows, track in tracks_of(dataset, keypoints, trust):
        repaired = repair_sides(track, dataset.skeleton)
        stages["sides"][rows] = repaired.keypoints
        stages["smoothed"][rows] = smooth(repaired).keypoints
    return {name: of_points(dataset, each) for name, each in stages.items()}


def of_points(dataset: Dataset, keypoints: np.ndarray) -> dict[str, float]:
    """Error, share within 50 mm, share of limbs' joints on the wrong side, and how much the error shakes."""
    truth, labelled, scale = statures(dataset)
    apart = np.where(labelled, np.linalg.norm(keypoints - truth, axis=-1) * scale[:, None], np.nan)
    limbs = np.concatenate([np.column_stack(limb) for limb in limb_sides(dataset.skeleton)])
    ways = [np.linalg.norm(keypoints[:, limbs] - truth[:, order], axis=-1) for order in (limbs, limbs[:, ::-1])]
    known = np.isfinite(ways[0] + ways[1]).all(axis=-1)
    shakes = [
        np.linalg.norm(np.diff((keypoints - truth)[rows], n=2, axis=0), axis=-1) * scale[rows[1:-1], None]
        for rows, _ in tracks_of(dataset, keypoints, labelled * 1.0)
    ]
    return {
        "error_mm": round(float(np.nanmean(np.minimum(apart, 925.0))), 1),
        "within": round(float(np.mean(apart[labelled & np.isfinite(apart)] <= NEAR_MM)), 3),
        "swapped": round(float((ways[1] < ways[0]).all(axis=-1)[known].mean()), 4),
        "jitter_mm": round(float(np.nanmean(np.concatenate(shakes))), 1),
    }


def followed(clips: int, models: Mapping[str, Asked], work: Path) -> dict[str, Any]:
    """Measure what models answer on clips, frame by frame and made steady."""
    print(f"\nmodels on {clips} clips of the built-in athlete, frame by frame and made steady")
    result: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        dataset, paths = built_in(Path(folder), clips)
        pictures = [Picture(path, replace(frame, people=())) for path, frame in zip(paths, dataset.frames, strict=True)]
        for name, asked in models.items():
            answers = work / f"athlete-{asked.digest()[:12]}.jsonl"
            result[name] = {}
            for stage, steady in (("before", False), ("steady", True)):
                made = ask(pictures, asked, answers, skeletons=[dataset.skeleton], steady=steady)
                points = np.array(
                    [
                        frame.people[0].keypoints if frame.people else np.full((len(dataset.skeleton), 2), np.nan)
                        for frame in made.dataset.frames
                    ]
                )
                result[name][stage] = of_points(dataset, points) | {"frames_without_anybody": len(made.empty)}
            show(name, result[name])
    return result


def show(name: str, stages: Mapping[str, Mapping[str, float]]) -> None:
    """Print the figures of each stage."""
    parts = [f"{each['error_mm']:.0f} mm, {each['swapped']:.1%} swapped" for each in stages.values()]
    print(f"{name:70} {'; '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
