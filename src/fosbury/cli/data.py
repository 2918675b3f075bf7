"""What a person brings in: frames of clips, labelled sets, official weights."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fosbury.formats.registry import AUTO, FORMATS

app = typer.Typer()


class Group(StrEnum):
    """What makes one group of stills on `fosbury import`."""

    auto = "auto"
    folder = "folder"
    set = "set"
    file = "file"


@app.command()
def fetch(
    models: Annotated[list[str], typer.Argument(help="Models of conf/model, such as yolo11m.")],
) -> None:
    """Fetch official weights once, checked by their SHA-256.

    BlazePose's come out of the packages of MediaPipe, by the pip or npm that is set up on this machine.

    FOSBURY_WEIGHTS_MIRROR names another place: the address of a folder that holds files of the same names.

    Example: `fosbury fetch yolo11n yolo11m`
    """
    from fosbury.config import find_root, model_option
    from fosbury.inference.weights import SHA256_DIGITS, obtain_weights

    root = find_root()
    for option in [model_option(name, root) for name in models]:
        fetched = obtain_weights(root / option.weights, option.sha256, option.name, option.url)
        typer.echo(f"{option.weights}: {'fetched' if fetched else 'is there'} ({option.licence})")
        if fetched and len(option.sha256 or "") < SHA256_DIGITS:
            typer.echo(f"  only the first {len(option.sha256 or '')} digits of its SHA-256 are known and were checked")
        if fetched:
            typer.echo("  queued experiments and other clones need it from DVC, and its hash in git:")
            typer.echo(f"  dvc add {option.weights} && git add {option.weights}.dvc")


class LabelBy(StrEnum):
    """What gives a frame its form label on `fosbury import` if its labels name none."""

    labels = "labels"
    path = "path"
    folder = "folder"


@app.command("import")
def import_set(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Labels: files, folders that hold some, or .zip of such.")
    ],
    name: Annotated[str, typer.Option(help="Name of the new set, a folder in data/raw.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images; looked for beside the labels if not given.")
    ] = None,
    format: Annotated[str, typer.Option(help=f"Of the labels: {', '.join(FORMATS)}, or the one found.")] = AUTO,
    drop_bad: Annotated[
        bool, typer.Option("--drop-bad", help="Leave out what has a problem instead of refusing the set.")
    ] = False,
    group_by: Annotated[
        Group, typer.Option(help="Pictures that no split may part; auto: frames of clips, as far as their names tell.")
    ] = Group.auto,
    label_by: Annotated[
        LabelBy, typer.Option(help="Form label of frames whose labels name none: the path's name, or their folder's.")
    ] = LabelBy.labels,
    label_table: Annotated[
        Path | None, typer.Option(help="CSV of form labels, which count first, such as fosbury review writes.")
    ] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(help="Of conf/skeleton: names the joints of labels that do not (YOLO), in order."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check everything, and make nothing.")] = False,
) -> None:
    """Bring labelled frames into data/raw, checked as a whole; several files become one set.

    Example: `fosbury import export/annotations.json --images export/images --name club2026`
    """
    from fosbury.config import find_root, nearest_skeleton
    from fosbury.formats.importing import import_labels

    root = find_root()
    done = import_labels(
        paths,
        images,
        name,
        root / "data" / "raw",
        format=format,
        drop_bad=drop_bad,
        group_by=group_by.value,
        label_by=label_by.value,
        label_table=label_table,
        skeleton=skeleton,
        trial=dry_run,
    )
    folder = done.folder.relative_to(root) if done.folder.is_relative_to(root) else done.folder
    for file in done.files if len(done.files) > 1 else ():
        typer.echo(f"{file.name} ({file.format}): {file.frames} frames, {file.people} people")
    typer.echo(
        f"{folder} ({done.format}): {done.frames} frames, {done.people} people, {done.joints} joints "
        f"({done.occluded} occluded), {done.videos} videos"
    )
    if done.labels:
        typer.echo("labels: " + ", ".join(f"{label} ({count})" for label, count in done.labels.items()))
    typer.echo(f"joints: {', '.join(done.joint_names)}")
    for note in done.notes:
        typer.echo(f"note: {note}")
    nearest, lacking = nearest_skeleton(done.joint_names, root)
    if lacking:
        typer.echo(
            f"note: {nearest.name} is the nearest skeleton of conf/skeleton; no joint is named as its "
            f"{', '.join(lacking)}, which would count as not labelled"
        )
    if dry_run:
        typer.echo("nothing was written: import again without --dry-run")
        return
    typer.echo(
        f"next: dvc add {folder.parent}, then dvc exp run -S experiment=clips -S 'data.sets=[{name}]'"
        f"{'' if nearest.name == 'coco17' else f' -S skeleton={nearest.name}'}"
    )


@app.command("export-labels")
def export_set(
    labels: Annotated[Path, typer.Argument(metavar="SET", help="A set such as data/raw/club2026, or a COCO file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")],
    format: Annotated[str, typer.Option(help=f"To write: {', '.join(FORMATS)}.")],
    pictures: Annotated[bool, typer.Option("--pictures", help="Copy the pictures beside the labels.")] = False,
) -> None:
    """Write a labelled set as a labelling tool takes it, and say what its format cannot hold.

    Example: `fosbury export-labels data/raw/club2026 --format coco --output export`
    """
    from fosbury.formats.exporting import export_labels

    done = export_labels(labels, output, format, pictures=pictures)
    typer.echo(f"{output} ({format}): {done.frames} frames, {done.people} people")
    for loss in done.losses:
        typer.echo(f"note: {loss}")


@app.command()
def frames(
    videos: Annotated[list[Path], typer.Argument(help="Clips of any format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Gets a folder of JPEG files for each clip.")],
    every: Annotated[int | None, typer.Option(min=1, help="Every n-th frame; 1, which is all, if not given.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.01, help="About so many frames a second instead.")] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality.")] = 95,
) -> None:
    """Extract the frames of clips, upright; a clip that is extracted already is skipped.

    Example: `fosbury frames jump1.mov jump2.mp4 -o frames --fps 10`
    """
    from fosbury.media.extract import extract_clips

    for folder, manifest in extract_clips(videos, output, every=every, fps=fps, quality=quality):
        typer.echo(f"{folder}: {len(manifest.frames)} frames of {manifest.width}x{manifest.height}")
        for note in manifest.notes:
            typer.echo(f"  {note}")
