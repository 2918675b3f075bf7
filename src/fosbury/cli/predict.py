"""Run a model on clips."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fosbury.cli.evaluate import Refine
from fosbury.cli.options import fetched
from fosbury.cli.running import BAD_INPUT, FAILED
from fosbury.errors import BadInput

if TYPE_CHECKING:
    from fosbury.video.clips import Result

app = typer.Typer()
DIFFER = 0.05
"""Sides of the box by which two views differ where `auto` votes: docs/vote.md has what that costs."""


class Look(StrEnum):
    """How each person is looked at again; auto: by a vote, where the first two views differ."""

    none = "none"
    zoom = "zoom"
    upright = "upright"
    vote = "vote"
    auto = "auto"


@app.command()
def predict(
    clips: Annotated[
        list[Path], typer.Argument(metavar="VIDEO...", help="Clips, folders of clips, or quoted patterns.")
    ],
    model: Annotated[Path, typer.Option(help="Any model file.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The clip with the joints drawn on it (.mp4); a folder for many clips."),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="The joints as JSON; a folder for many clips.")
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option(
            "--write",
            help="Another file beside these: csv, openpose, trc, movement (DeepLabCut's table); may be given again.",
        ),
    ] = None,
    boxes: Annotated[
        str | None,
        typer.Option(
            help="Who finds people for a model that needs boxes: a model file, search, or track (where they were in "
            "the frame before); BlazePose's detector, fetched once, if not given."
        ),
    ] = None,
    refine: Annotated[
        Look, typer.Option(help="How each person is looked at again; auto: by a vote where two views differ.")
    ] = Look.none,
    cheap: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Vote only where two views are further apart than so many sides of the box."),
    ] = None,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Least score of a person.")] = 0.05,
    image_size: Annotated[int | None, typer.Option(min=32, help="Side of the model's input in pixels.")] = None,
    stride: Annotated[
        int, typer.Option(min=1, help="Look at every n-th frame, and at those between only where something moves.")
    ] = 1,
    motion: Annotated[
        float, typer.Option(min=0, help="With --stride: what counts as moving, in sides of the person's box.")
    ] = 0.05,
    batch: Annotated[int, typer.Option(min=1, help="Frames that the model is given at once.")] = 4,
    repair: Annotated[bool, typer.Option(help="Exchange left and right where the joints then move evenly.")] = True,
    smooth: Annotated[bool, typer.Option(help="Move joints to their path through the frames around.")] = True,
    joints: Annotated[bool, typer.Option(help="Draw joints and bones.")] = True,
    latency: Annotated[bool, typer.Option(help="Draw what the model took for the frame.")] = True,
    rate: Annotated[bool, typer.Option(help="Draw the frames a second that this allows.")] = True,
    overlap: Annotated[bool, typer.Option(help="Decode, look, draw and encode at the same time.")] = True,
    workers: Annotated[int, typer.Option(min=1, help="Clips that are gone through at the same time.")] = 1,
    resume: Annotated[bool, typer.Option(help="Go on where the same command was stopped.")] = True,
) -> None:
    """Find the athlete in every frame of clips: drawn on the clip, and as JSON.

    Example: `fosbury predict jump.mp4 --model models/exported/model.onnx --output out.mp4 --json out.json`
    """
    from fosbury.config import default_skeleton
    from fosbury.inference.answers import Asked
    from fosbury.inference.registry import load_model
    from fosbury.refinement import Refinement, VoteSettings
    from fosbury.video.clip import How
    from fosbury.video.clips import Job, plan, run
    from fosbury.video.look import Pace
    from fosbury.video.overlay import Overlay
    from fosbury.video.settle import Steps

    if cheap is not None and refine not in (Look.vote, Look.auto):
        raise BadInput("--cheap", "makes a vote shorter, and none was asked for", "add --refine vote")
    planned = plan(clips, output, json_path, write or ())
    if boxes is None and load_model(model, default_skeleton()).needs_boxes:
        boxes = str(fetched("blazepose_detector"))
    if refine is Look.auto:
        cheap = DIFFER if cheap is None else cheap
    how_again = Refine.vote if refine is Look.auto else Refine(refine.value)
    refinement = Refinement(how=how_again.value, vote=VoteSettings(cheap=cheap))
    how = How(
        asked=Asked(model=model, boxes=boxes, refinement=refinement),
        pace=Pace(batch=batch, depth=16 if overlap else 0, stride=stride, motion=motion),
        steps=Steps(repair=repair, smooth=smooth),
        overlay=Overlay(joints=joints, latency=latency, rate=rate),
    )
    jobs = [
        Job(
            clip=clip,
            targets=targets,
            how=how,
            skeleton=default_skeleton(),
            image_size=image_size,
            confidence=confidence,
            resume=resume,
        )
        for clip, targets in planned.items()
    ]
    codes = []
    for result in run(jobs, workers):
        if result.error is not None:
            codes.append(BAD_INPUT if result.bad_input else FAILED)
        typer.echo(_line(result), err=result.error is not None)
    if codes and len(jobs) > 1:
        typer.echo(f"{len(codes)} of {len(jobs)} clips failed; the others are done.", err=True)
    if codes:
        raise typer.Exit(min(codes))


def _line(result: Result) -> str:
    if result.error is not None:
        return result.error
    name, done = result.job.clip.name, result.done
    if done is None:
        return f"{name}: was finished before"
    rate, share = done.frames / max(done.seconds, 1e-9), done.look_seconds / max(done.seconds, 1e-9)
    passes = f" in {done.passes / max(done.looked, 1):.1f} passes each" if done.passes else ""
    line = (
        f"{name}: {done.frames} frames in {done.seconds:.1f} s ({rate:.1f} a second, the model {share:.0%} of it), "
        f"{done.looked} looked at{passes}, athlete in {done.seen}, {done.swapped} limbs exchanged"
    )
    notes = "".join(f"\nnote: {name}: {note}" for note in done.notes)
    return f"{line}; {', '.join(map(str, result.job.targets.values()))}{notes}"
