"""Measure a model, or how far two people's labels are apart."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fosbury.cli.options import STATURE_MM, JsonPath, Stature, check_output
from fosbury.errors import BadInput

app = typer.Typer()


class Refine(StrEnum):
    """How each person is looked at again."""

    none = "none"
    zoom = "zoom"
    upright = "upright"
    vote = "vote"


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="A checkpoint (.pt), an ONNX file, a CoreML package or a .tflite file.")],
    annotations: Annotated[Path, typer.Option(help="Labels: a COCO keypoints file, or the folder of a set.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder that the file names in the labels are relative to; not for a set.")
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="Joints to measure, a name of conf/skeleton; those of the model if not given.")
    ] = None,
    json_path: JsonPath = None,
    image_size: Annotated[
        int | None, typer.Option(min=32, help="Side of the model's input in pixels; an exported file has its own.")
    ] = None,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Least score of a predicted person.")] = 0.05,
    refine: Annotated[
        Refine,
        typer.Option(
            help="Look again at each person: from nearer (zoom), from nearer and turned upright (upright), or in many "
            "turned views that vote (vote)."
        ),
    ] = Refine.none,
    margin: Annotated[
        float,
        typer.Option(min=1, max=4, help="Side of the square that is looked at again, in sides of the person's box."),
    ] = 1.5,
    upright_looks: Annotated[int, typer.Option(min=1, max=4, help="How often --refine upright looks again.")] = 2,
    cheap: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Vote only where the first two views are further apart than so many sides of the box."
        ),
    ] = None,
    also: Annotated[
        list[Path] | None, typer.Option(help="Another model file whose views vote, too; may be given again.")
    ] = None,
    second_look: Annotated[float | None, typer.Option(hidden=True)] = None,
    upright: Annotated[bool, typer.Option("--upright", hidden=True)] = False,
    boxes: Annotated[
        str | None,
        typer.Option(
            help="Where a top-down model looks: labels (the labelled boxes; the default), search (where its search of "
            "the picture finds the athlete), track (where the clip's last frame had them), or the file of a model that "
            "finds people: BlazePose's detector, YOLO."
        ),
    ] = None,
    stature: Stature = STATURE_MM,
) -> None:
    """Measure any model on any labelled set: joint error by phase, in mm-equivalents.

    Example: `fosbury evaluate --model models/exported/model.onnx --annotations data/raw/flops --json flops.json`

    Labels of another kind: `--annotations labels.json --images DIR`.
    """
    from rich.console import Console

    from fosbury.config import default_skeleton, named_skeleton
    from fosbury.files import write_json
    from fosbury.inference.labelled_set import evaluate_on_set
    from fosbury.refinement import Refinement, VoteSettings
    from fosbury.report.table import terminal_table

    check_output(json_path, "--json")
    if upright or second_look is not None:
        name, instead = ("--upright", "upright") if upright else ("--second-look", "zoom")
        raise BadInput(name, "is no option any more", f"write --refine {instead} --margin {second_look or margin:g}")
    if cheap is not None and refine is not Refine.vote:
        raise BadInput("--cheap", "makes a vote shorter, and none was asked for", "add --refine vote")
    if also and refine is not Refine.vote:
        raise BadInput("--also", "names a model that votes, and no vote was asked for", "add --refine vote")
    found = evaluate_on_set(
        model,
        annotations,
        images,
        skeleton=named_skeleton(skeleton) if skeleton else None,
        default_skeleton=default_skeleton(),
        image_size=image_size,
        confidence=confidence,
        refinement=Refinement(
            how=refine.value,
            margin=margin,
            upright_looks=upright_looks,
            vote=VoteSettings(cheap=cheap),
            also=tuple(map(str, also or ())),
        ),
        boxes=boxes,
        stature_mm=stature,
    )
    if json_path is not None:
        write_json(json_path, found.to_json())
    Console().print(terminal_table({model.name: found.figures}))
    height, width = found.input_size
    passes = f"; {found.passes:g} passes a picture" if found.passes is not None else ""
    typer.echo(f"input: {width} x {height} px; boxes: {found.boxes}{passes}")
    for note in found.notes:
        typer.echo(f"note: {note}")


@app.command()
def agreement(
    first: Annotated[Path, typer.Argument(help="Labels: a COCO keypoints file.")],
    second: Annotated[Path, typer.Argument(help="Other labels of the same pictures.")],
    skeleton: Annotated[str, typer.Option(help="Joints to compare, a name of conf/skeleton.")] = "coco17",
    json_path: JsonPath = None,
    stature: Stature = STATURE_MM,
) -> None:
    """Measure how far two labellings of the same pictures are apart: the floor under every model's error.

    Example: `fosbury agreement anna.json ben.json --skeleton coco17`
    """
    from rich.console import Console

    from fosbury.config import named_skeleton
    from fosbury.files import write_json
    from fosbury.formats.coco import read_coco
    from fosbury.metrics.agreement import agreement, to_json
    from fosbury.report.table import agreement_table

    check_output(json_path, "--json")
    joints = named_skeleton(skeleton)
    found, notes = agreement(read_coco(first, joints), read_coco(second, joints), stature)
    Console().print(agreement_table(found))
    if (floor := round(found[0].floor_mm, 1)) > 0:
        typer.echo(f"as a line in the charts of the report: -S data.label_noise_mm={floor}")
    for note in notes:
        typer.echo(f"note: {note}")
    if json_path is not None:
        write_json(json_path, to_json(found, notes))
