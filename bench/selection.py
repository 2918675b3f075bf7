r"""Learning curves by simulation: the frames that `fosbury select` chooses against as many of chance, or of even steps.

    python bench/selection.py --draws 0 1 2 --budgets 10 20 40 80 --json bench/results/selection.json --work WORK

The built-in clips, of which every label is known. Each draw takes ten clips at random; every way chooses the same
number of frames of them, a student (RTMPose-t from the starter weights) is trained on these for as many steps and crops
as every other, and measured in other clips at labelled boxes. The ways:

random   frames of all clips by chance
uniform  as many of each clip, in even steps of time
select   the first round of `fosbury select`: the jump by what moves, k-centre by time and look, by shares of phases
even     the same, but each phase by its length: without the dense flight
doubt    half by `select`; the other half by the doubts of the student that learnt from it (a later round)
chance   half by `select`, the other half random: what a later round has to beat

A training that is recorded in --json is not made again. The models of `select` are kept in --work.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from fosbury.backends import backend
from fosbury.config import named_skeleton
from fosbury.files import write_json
from fosbury.formats.coco import read_coco
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.inference.vote import Ballot, elect
from fosbury.labelling.jump import Jump, Motion, find_jump
from fosbury.labelling.later import LOOKS_A_SECOND, doubtful_and_diverse, turned_back
from fosbury.labelling.score import leaps, limb_unlikelihood, mean_rank
from fosbury.labelling.select import blurred, choose, motion_of, share_out
from fosbury.media.extract import extract
from fosbury.media.image import read_image
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.intervals import differences, mean_intervals, sums_by_unit
from fosbury.pose import FOCUS, Dataset, Frame
from fosbury.progress import progress
from fosbury.recipe import Recipe
from fosbury.refinement import VoteSettings
from fosbury.training.job import TrainingJob

ROOT = Path(__file__).parents[1]
STARTER = ROOT / "models/starter/rtmpose/rtmpose-t.pt"
FIRST, LATER = ("random", "uniform", "select", "even"), ("doubt", "chance")
BASE = "random"
CLIPS = 10
"""Of a draw: budgets of 10 to 80 frames are one to eight of each."""
VAL = 16
"""Arch frames of other clips that choose the checkpoint, the same for all."""
CROPS, BATCH, EPOCHS = 80, 8, 8
"""Of an epoch, whatever the budget: 80 steps for every student."""
BATCHED = 16

Place = tuple[str, int]


@dataclass(frozen=True, eq=False)
class World:
    """The clips: their labels by clip and frame, what moves in them, and which are for what."""

    frames: Mapping[Place, Frame]
    motions: Mapping[str, Motion]
    jumps: Mapping[str, Jump]
    pool: tuple[str, ...]
    val: Dataset
    test: Dataset
    root: Path


def read_world(folder: Path, work: Path) -> World:
    """Extract the frames of the clips, and part the clips: of eight, two test, one chooses checkpoints, five teach."""
    clips = sorted((folder / "videos").iterdir())
    for clip in progress(clips, "frames", "clip"):
        extract(clip, work / "frames" / clip.stem)
    dataset = read_coco(folder / "annotations.json", named_skeleton("coco17"), images=work / "frames")
    labelled = [frame for frame in dataset.frames if frame.people]
    frames = {(str(frame.video), int(frame.frame or 0)): frame for frame in labelled}
    motions = {clip.name: motion_of(clip, work / "motion") for clip in progress(clips, "what moves", "clip")}
    part = {
        clip.name: ("test", "val", "pool", "pool", "test", "pool", "pool", "pool")[n % 8]
        for n, clip in enumerate(clips)
    }
    arch = [frame for (video, _), frame in frames.items() if part[video] == "val" and frame.phase == FOCUS]
    val = [arch[n] for n in np.linspace(0, len(arch) - 1, VAL).round().astype(int)]
    test = [
        frame
        for (video, at), frame in frames.items()
        if part[video] == "test" and at % (2 if frame.phase == FOCUS else 4) == 0
    ]
    return World(
        frames,
        motions,
        {name: find_jump(motion) for name, motion in motions.items()},
        tuple(name for name, use in part.items() if use == "pool"),
        replace(dataset, frames=tuple(val)),
        replace(dataset, frames=tuple(test)),
        work / "frames",
    )


def first_round(world: World, clips: Sequence[str], way: str, budget: int, draw: int) -> list[Place]:
    """Frames that a way chooses of some clips."""
    lengths = {name: len(world.motions[name]) for name in clips}
    if way == "random":
        every = [(name, n) for name, length in lengths.items() for n in range(length)]
        order = np.random.default_rng([draw, 1]).permutation(len(every))
        return [every[n] for n in order[:budget]]
    chosen = []
    for name, quota in share_out(lengths, budget).items():
        motion, jump = world.motions[name], world.jumps[name]
        if way == "uniform":
            picked = ((np.arange(quota) + 0.5) / quota * len(motion)).astype(int).tolist()
        elif way == "even":
            inside = [phase for phase in jump.phases if phase]
            shares = {phase: inside.count(phase) / len(inside) for phase in ("flight", "approach", "landing")}
            picked = choose(motion, jump, quota, shares)
        else:
            picked = choose(motion, jump, quota)
        chosen += [(name, n) for n in picked]
    return chosen


def second_half(
    world: World, clips: Sequence[str], way: str, before: Sequence[Place], budget: int, draw: int, student: Path
) -> list[Place]:
    """As many frames as there are to ``budget``, none of those that are labelled."""
    more = budget - len(before)
    if way == "chance":
        every = [(name, n) for name in clips for n in range(len(world.motions[name])) if (name, n) not in before]
        order = np.random.default_rng([draw, 2]).permutation(len(every))
        return [every[n] for n in order[:more]]
    model = load_model(student)
    where, doubts = [], []
    for name in clips:
        motion = world.motions[name]
        step = max(1, round(1 / LOOKS_A_SECOND / float(np.median(np.diff(motion.times)))))
        seen = [n for n in range(0, len(motion), step) if (name, n) in world.frames]
        looks = [look(model, world, world.frames[name, n]) for n in seen]
        points, doubt, side = (np.array(column) for column in zip(*looks, strict=True))
        limbs = limb_unlikelihood(points, side, model.skeleton.limbs)
        doubts.append((doubt, leaps(points, motion.times[seen], side), limbs))
        where += [(name, n) for n in seen]
    scores = mean_rank([np.concatenate(part) for part in zip(*doubts, strict=True)])
    dull = {name: blurred(world.motions[name].sharpness) for name in clips}
    usable = {
        place: float(score)
        for place, score in zip(where, scores, strict=True)
        if np.isfinite(score) and place not in before and not dull[place[0]][place[1]]
    }
    found = doubtful_and_diverse(usable, {name: world.motions[name] for name in clips}, more)
    return [(name, n) for name, each in found.items() for n in each]


def look(model: PoseModel, world: World, frame: Frame) -> tuple[np.ndarray, float, float]:
    """As `later.look_turned`, at the labelled box: the search of whole pictures would take most of the hours."""
    picture = read_image(world.root / frame.file_name)
    height, width = picture.shape[:2]
    poses = []
    for turn in range(4):
        corners = frame.boxes[0].reshape(2, 2)
        for left in range(turn):
            corners = np.stack([corners[:, 1], (height if left % 2 else width) - corners[:, 0]], axis=-1)
        box = np.concatenate([corners.min(axis=0), corners.max(axis=0)])
        answer = model.predict([np.ascontiguousarray(np.rot90(picture, turn))], [box[None]])[0][0]
        poses.append(turned_back(answer, turn, width, height))
    ballot = Ballot(frame.boxes[0], tuple(poses), model.skeleton)
    chosen = elect(ballot, VoteSettings().bandwidth)
    known = chosen.doubt is not None and bool(np.isfinite(chosen.doubt).any())
    return chosen.keypoints, float(np.nanmean(chosen.doubt)) if known else np.nan, ballot.side  # type: ignore[arg-type]


def train(world: World, chosen: Sequence[Place], seed: int, out: Path) -> None:
    """Train a student for the same number of crops and steps, however few frames there are."""
    frames = [world.frames[place] for place in chosen if place in world.frames]
    repeated = (frames * -(-CROPS // len(frames)))[:CROPS]
    recipe = Recipe(
        epochs=EPOCHS,
        batch=BATCH,
        image_size=192,
        lr0=0.001,
        lrf=0.05,
        warmup_epochs=0.5,
        freeze_batch_norm=True,
        degrees=30.0,
        hsv_v=0.3,
    )  # conf/train/demo.yaml, but for epochs and batch
    with tempfile.TemporaryDirectory() as scratch:
        job = TrainingJob(
            train=replace(world.test, frames=tuple(repeated)),
            val=world.val,
            root=world.root,
            weights=STARTER,
            architecture="rtmpose-t",
            recipe=recipe,
            seed=seed,
            out=out,
            curve=Path(scratch) / "curve.csv",
            work=Path(scratch) / "work",
        )
        backend("rtmpose").finetune(job)


def measure(world: World, model: PoseModel) -> dict[str, list[list[float]]]:
    """Sum and count the joint errors of each test clip: in the arch, and in all else."""
    poses = []
    for start in range(0, len(world.test), BATCHED):
        frames = world.test.frames[start : start + BATCHED]
        images = [read_image(world.root / frame.file_name) for frame in frames]
        poses += model.predict(images, [frame.boxes for frame in frames])
    found = evaluate(world.test, poses, ap=False)
    rows = np.stack([found.phase == FOCUS, found.phase != FOCUS], axis=-1)
    sums, counts = sums_by_unit(found.cluster, found.error_mm, rows)
    return {"sums": sums.round(2).tolist(), "counts": counts.tolist()}


def run(world: World, way: str, budget: int, draw: int, work: Path) -> dict:
    """Choose, train and measure once."""
    begin = time.perf_counter()
    clips = [world.pool[n] for n in np.random.default_rng([draw, 0]).permutation(len(world.pool))[:CLIPS]]
    if way in LATER:
        chosen = first_round(world, clips, "select", budget // 2, draw)
        student = work / f"select-{budget // 2}-{draw}.pt"
        chosen += second_half(world, clips, way, chosen, budget, draw, student)
    else:
        chosen = first_round(world, clips, way, budget, draw)
    out = work / f"{way}-{budget}-{draw}.pt"
    train(world, chosen, draw, out)
    figures = measure(world, load_model(out))
    if way != "select":
        out.unlink()
    phases = [world.frames[place].phase for place in chosen if place in world.frames]
    record = {"way": way, "budget": budget, "draw": draw, "frames": len(phases), "arch": phases.count(FOCUS)}
    return {**record, "seconds": round(time.perf_counter() - begin, 1), **figures}


def report(record: Mapping[str, list]) -> None:
    """Print a row for each way and budget: error, its interval over clips, and the paired difference to chance."""
    runs: dict[tuple[str, int], list[dict]] = {}
    for each in record["runs"]:
        runs.setdefault((each["way"], each["budget"]), []).append(each)
    print("| way | frames | of the arch | arch, mm | against random, mm | elsewhere, mm | against random, mm |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for (way, budget), own in sorted(runs.items(), key=lambda pair: (pair[0][1], (*FIRST, *LATER).index(pair[0][0]))):
        draws = sorted(each["draw"] for each in own)
        sums = _sums(own, draws)
        counts = np.array(own[0]["counts"])
        cells = [way, str(budget), f"{np.mean([each['arch'] / each['frames'] for each in own]):.0%}"]
        base = runs.get((BASE, budget), [])
        both = [draw for draw in draws if draw in {each["draw"] for each in base}]
        ends = mean_intervals(sums.mean(axis=0), counts)
        apart = differences(_sums(base, both), _sums(own, both), counts) if both and way != BASE else None
        for figure in range(2):
            mean = sums.mean(axis=0)[:, figure].sum() / counts[:, figure].sum()
            cells.append(f"{mean:.0f} [{ends[figure][0]:.0f}, {ends[figure][1]:.0f}]")
            cells.append(
                f"{apart[figure].mean:+.0f} [{apart[figure].low:+.0f}, {apart[figure].high:+.0f}]" if apart else ""
            )
        print("| " + " | ".join(cells) + " |")
    print()
    for name, figure in (("arch", 0), ("elsewhere", 1)):
        curves = {
            way: {budget: _mean(own, figure) for (each, budget), own in sorted(runs.items()) if each == way}
            for way in (*FIRST, *LATER)
        }
        base_curve = curves[BASE]
        for way, curve in curves.items():
            if way != BASE and len(base_curve) > 1:
                texts = [f"{b} frames as {frames_for(base_curve, error)} random ones" for b, error in curve.items()]
                print(f"{name}, {way}: {'; '.join(texts)}")


def frames_for(curve: Mapping[int, float], error: float) -> str:
    """Frames at which a curve reaches an error, by lines between its points on logarithms of both.

    Examples
    --------
    >>> frames_for({10: 400.0, 40: 100.0}, 200.0), frames_for({10: 400.0, 40: 100.0}, 50.0)
    ('20', 'more than 40')
    """
    budgets = sorted(curve)
    if error > curve[budgets[0]]:
        return f"fewer than {budgets[0]}"
    for low, high in pairwise(budgets):
        if curve[low] >= error >= curve[high] and curve[low] > curve[high]:
            share = np.log(curve[low] / error) / np.log(curve[low] / curve[high])
            return f"{low * (high / low) ** share:.0f}"
    return f"more than {budgets[-1]}"


def _sums(runs: Sequence[dict], draws: Sequence[int]) -> np.ndarray:
    return np.array([next(each["sums"] for each in runs if each["draw"] == draw) for draw in draws])


def _mean(runs: Sequence[dict], figure: int) -> float:
    return float(
        np.mean([np.array(each["sums"])[:, figure].sum() / np.array(each["counts"])[:, figure].sum() for each in runs])
    )


def read_record(path: Path | None, otherwise: dict | None = None) -> dict:
    """Read what is known by now: another process may have added to it."""
    return json.loads(path.read_text()) if path and path.is_file() else otherwise or {"runs": []}


def done(record: Mapping[str, list]) -> set[tuple[str, int, int]]:
    """Trainings of a record."""
    return {(each["way"], each["budget"], each["draw"]) for each in record["runs"]}


def plan(draws: Sequence[int], budgets: Sequence[int], ways: Sequence[str]) -> list[tuple[str, int, int]]:
    """Every training, whole draws first; a later round after the students it needs."""
    later = [way for way in ways if way in LATER]
    first = [way for way in ways if way in FIRST]
    return [
        job
        for draw in draws
        for job in (
            *((way, budget, draw) for budget in budgets for way in first),
            *((way, budget, draw) for budget in budgets if budget // 2 in budgets for way in later),
        )
    ]


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, default=ROOT / "data/synthetic/jumps/athlete")
    parser.add_argument("--draws", type=int, nargs="+", default=[0])
    parser.add_argument("--budgets", type=int, nargs="+", default=[10, 20])
    parser.add_argument("--ways", nargs="+", choices=(*FIRST, *LATER), default=[*FIRST, *LATER])
    parser.add_argument("--work", type=Path, help="folder that keeps frames and students")
    parser.add_argument("--json", type=Path, help="record of every training; those in it are not made again")
    asked = parser.parse_args()
    if not asked.clips.is_dir():
        print(f"{asked.clips}: is not there; make it with `dvc repro data/synthetic/dvc.yaml`")
        return
    record = read_record(asked.json)
    with tempfile.TemporaryDirectory() as scratch:
        work = asked.work or Path(scratch)
        jobs = [job for job in plan(asked.draws, asked.budgets, asked.ways) if job not in done(record)]
        world = read_world(asked.clips, work) if jobs else None
        for job in progress(jobs, "students", "student"):
            if world is not None and job not in done(record := read_record(asked.json, record)):
                made = run(world, *job, work)
                print(*job, made["arch"], made["seconds"], round(_mean([made], 0)), file=sys.stderr, flush=True)
                record = read_record(asked.json, record)
                record["runs"].append(made)
                if asked.json:
                    write_json(asked.json, record)
    report(record)


if __name__ == "__main__":
    main()
