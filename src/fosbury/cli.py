"""The commands a person types; what they do is in the modules that they call."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from fosbury.errors import BadInput, WorkFailed


class _Commands(TyperGroup):
    """Answers bad input in one sentence with exit code 2, and work that failed with exit code 1."""

    def invoke(self, ctx: typer.Context) -> Any:
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
        try:
            return super().invoke(ctx)
        except BadInput as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from None
        except WorkFailed as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None
        except OSError as error:
            if error.filename is None:
                raise
            typer.echo(f"{error.filename}: {(error.strerror or 'cannot be used').lower()}.", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Fine-tune a pose model for the high jump, and prove what it gained.",
)
config_app = typer.Typer(no_args_is_help=True, help="params.yaml and conf/: compose, check, show.")
app.add_typer(config_app, name="config")

SHA256_DIGITS = 64

Overrides = Annotated[list[str] | None, typer.Argument(help="Hydra overrides, such as model=yolo11n train.lr0=0.001.")]


class Format(StrEnum):
    """Layouts that `fosbury import` reads."""

    auto = "auto"
    coco = "coco"


class Boxes(StrEnum):
    """Where a model can be told to look."""

    labels = "labels"
    search = "search"
    track = "track"


class Group(StrEnum):
    """What makes one group of stills on `fosbury import`."""

    auto = "auto"
    folder = "folder"
    set = "set"
    file = "file"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"fosbury {version('fosbury')}")
        raise typer.Exit()


def _check_output(path: Path | None, option: str) -> None:
    """Refuse a folder, or a name below a file, before any work is done for it; an empty name is the current folder."""
    if path is None:
        return
    if path.is_dir():
        raise BadInput(path, "is a folder", f"name a file with {option}")
    around = next(folder for folder in path.absolute().parents if folder.exists())
    if not around.is_dir():
        raise BadInput(path, f"cannot be written, for {around} is a file", f"name another place with {option}")


def _official_joints() -> Any:
    """COCO's joints, for weights that do not name theirs; None outside a repository."""
    from fosbury.config import named_skeleton

    try:
        return named_skeleton("coco17")
    except BadInput:
        return None


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@config_app.command("compose")
def config_compose(overrides: Overrides = None) -> None:
    """Compose conf/ into params.yaml.

    Example: `fosbury config compose experiment=highjump train.epochs=50`
    """
    from fosbury.config import write_params

    params = write_params(overrides or [])
    typer.echo(f"params.yaml: experiment {params.experiment}, model {params.model.name}, data {params.data.name}")


@config_app.command("check")
def config_check() -> None:
    """Check that params.yaml is right and was composed from the present conf/.

    Example: `fosbury config check`
    """
    from fosbury.config import check

    for line in check():
        typer.echo(f"override in effect: {line}")
    typer.echo("params.yaml: good")


@config_app.command("show")
def config_show(overrides: Overrides = None) -> None:
    """Print what conf/ composes to, and write nothing.

    Example: `fosbury config show experiment=photos`
    """
    from fosbury.config import compose, parse_params, to_yaml

    values = compose(overrides or [])
    parse_params(values, "conf/")
    typer.echo(to_yaml(values), nl=False)


@app.command()
def fetch(
    models: Annotated[list[str], typer.Argument(help="Models of conf/model, such as yolo11m.")],
) -> None:
    """Fetch official weights once, checked by their SHA-256.

    FOSBURY_WEIGHTS_MIRROR names another place: the address of a folder that holds files of the same names.

    Example: `fosbury fetch yolo11n yolo11m`
    """
    from fosbury.config import find_root, model_option
    from fosbury.inference.weights import fetch_weights, verify_checksum

    root = find_root()
    for option in [model_option(name, root) for name in models]:
        if option.url is None or option.sha256 is None:
            verify_checksum(root / option.weights, option.sha256, option.name, option.url)
            fetched = False
        else:
            fetched = fetch_weights(option.url, root / option.weights, option.sha256)
        typer.echo(f"{option.weights}: {'fetched' if fetched else 'is there'} ({option.licence})")
        if fetched and len(option.sha256) < SHA256_DIGITS:
            typer.echo(f"  only the first {len(option.sha256)} digits of its SHA-256 are known and were checked")
        if fetched:
            typer.echo("  queued experiments and other clones need it from DVC, and its hash in git:")
            typer.echo(f"  dvc add {option.weights} && git add {option.weights}.dvc")


@app.command("import")
def import_set(
    path: Annotated[Path, typer.Argument(help="Labels: a COCO keypoints file, a folder that holds one, or a .zip.")],
    name: Annotated[str, typer.Option(help="Name of the new set, a folder in data/raw.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images; looked for beside the labels if not given.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Layout of the labels.")] = Format.auto,
    drop_bad: Annotated[
        bool, typer.Option("--drop-bad", help="Leave out what has a problem instead of refusing the set.")
    ] = False,
    group_by: Annotated[
        Group, typer.Option(help="Pictures that no split may part; auto: frames of clips, as far as their names tell.")
    ] = Group.auto,
) -> None:
    """Bring labelled frames into data/raw, checked as a whole.

    Example: `fosbury import export/annotations.json --images export/images --name club2026`
    """
    from fosbury.config import find_root, nearest_skeleton
    from fosbury.formats.importing import import_coco

    root = find_root()
    done = import_coco(path, images, name, root / "data" / "raw", drop_bad, group_by.value)
    folder = done.folder.relative_to(root) if done.folder.is_relative_to(root) else done.folder
    typer.echo(
        f"{folder}: {done.frames} frames, {done.people} people, {done.joints} joints ({done.occluded} occluded), "
        f"{done.videos} videos"
    )
    typer.echo(f"joints: {', '.join(done.joint_names)}")
    for note in done.notes:
        typer.echo(f"note: {note}")
    skeleton, lacking = nearest_skeleton(done.joint_names, root)
    if lacking:
        typer.echo(
            f"note: {skeleton.name} is the nearest skeleton of conf/skeleton; no joint is named as its "
            f"{', '.join(lacking)}, which would count as not labelled"
        )
    typer.echo(
        f"next: dvc add {folder.parent}, then dvc exp run -S experiment=clips -S 'data.sets=[{name}]'"
        f"{'' if skeleton.name == 'coco17' else f' -S skeleton={skeleton.name}'}"
    )


@app.command()
def frames(
    videos: Annotated[list[Path], typer.Argument(help="Clips of any format.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Gets a folder of JPEG files for each clip.")],
    every: Annotated[int | None, typer.Option(min=1, help="Every n-th frame; 1, which is all, if not given.")] = None,
    fps: Annotated[float | None, typer.Option(min=0.01, help="ModelMetadata so many frames a second instead.")] = None,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality.")] = 95,
) -> None:
    """Extract the frames of clips, upright; a clip that is extracted already is skipped.

    Example: `fosbury frames jump1.mov jump2.mp4 -o frames --fps 10`
    """
    from fosbury.media.extract import extract_clips

    for folder, manifest in extract_clips(videos, output, every, fps, quality):
        typer.echo(f"{folder}: {len(manifest.frames)} frames of {manifest.width}x{manifest.height}")
        for note in manifest.notes:
            typer.echo(f"  {note}")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Option(help="A checkpoint (.pt), an ONNX file or a CoreML package.")],
    annotations: Annotated[Path, typer.Option(help="Labels: a COCO keypoints file, or the folder of a set.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder that the file names in the labels are relative to; not for a set.")
    ] = None,
    skeleton: Annotated[
        str | None, typer.Option(help="Joints to measure, a name of conf/skeleton; those of the model if not given.")
    ] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")] = None,
    image_size: Annotated[
        int | None, typer.Option(min=32, help="Side of the model's input in pixels; an exported file has its own.")
    ] = None,
    confidence: Annotated[float, typer.Option(min=0, max=1, help="Least score of a predicted person.")] = 0.05,
    second_look: Annotated[
        float | None, typer.Option(min=1, max=4, help="Look again at a square of so many boxes around each person.")
    ] = None,
    upright: Annotated[bool, typer.Option("--upright", help="Turn each person upright for the second look.")] = False,
    boxes: Annotated[
        Boxes | None,
        typer.Option(
            help="Where a top-down model looks: at the labelled boxes (the default), where its search of the picture "
            "finds the athlete, or where the clip's last frame had them."
        ),
    ] = None,
    stature: Annotated[
        float, typer.Option(min=500, max=3000, help="Stature in mm of athletes whose labels do not tell it.")
    ] = 1850.0,
) -> None:
    """Measure any model on any labelled set: joint error by phase, in mm-equivalents.

    Example: `fosbury evaluate --model models/exported/model.onnx --annotations data/raw/flops --json flops.json`

    Labels of another kind: `--annotations labels.json --images DIR`.
    """
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from fosbury.config import named_skeleton
    from fosbury.dataset.merge import merge
    from fosbury.dataset.phases import assign_phases, phases_from_tables
    from fosbury.formats.coco import read_coco
    from fosbury.formats.sets import read_set, set_of
    from fosbury.inference.predict import measure
    from fosbury.inference.registry import load_model
    from fosbury.report.table import terminal_table, write_json

    _check_output(json_path, "--json")
    if upright and second_look is None:
        raise BadInput("--upright", "turns the second look, and none was asked for", "add --second-look 1.5")
    named = named_skeleton(skeleton) if skeleton else None
    opened = load_model(model, named or _official_joints(), image_size, confidence, second_look, upright)
    joints = named or opened.skeleton
    with TemporaryDirectory() as work:
        if images is None:
            folder = set_of(annotations)
            root, sets = folder.parent, {folder.name: read_set(folder, work, joints)}
            dataset = assign_phases(merge(phases_from_tables(sets, root)))
        else:
            root, dataset = images, assign_phases(read_coco(annotations, joints, images))
        source = boxes.value if boxes else "labels" if opened.needs_boxes else None
        measured = measure({model.name: opened}, dataset, root, stature, boxes=source)
        figures = measured[model.name].evaluation.to_json()
    source = source or "the model's own"
    if json_path is not None:
        write_json(json_path, {"input_size": list(opened.input_size), "boxes": source, **figures})
    Console().print(terminal_table({model.name: figures}))
    height, width = opened.input_size
    typer.echo(f"input: {width} x {height} px; boxes: {source}")
    for note in (*dataset.notes, *figures["notes"]):
        typer.echo(f"note: {note}")


@app.command()
def compare(
    revisions: Annotated[
        list[str],
        typer.Argument(
            help="Branches, tags, commits, experiments, or `workspace`; the others are compared with the first. "
            "`main:baseline` (or `:onnx`, `:coreml`) is another model of it than the fine-tuned one; "
            "`a1,a2,a3 b1,b2,b3` are several trainings a side."
        ),
    ],
    common: Annotated[
        bool, typer.Option("--common", help="Leave out test frames that not all have, or that one was trained on.")
    ] = False,
    md: Annotated[bool, typer.Option("--md", help="Print Markdown, for a pull request.")] = False,
    html_path: Annotated[Path | None, typer.Option("--html", help="Also write one HTML page to this file.")] = None,
) -> None:
    """Compare branches frame by frame: what differs, how sure that is, and where. No model is run, nothing checked out.

    Example: `fosbury compare main my-branch`

    What fine-tuning gained: `fosbury compare workspace:baseline workspace`

    What holds for other seeds, too: `fosbury compare seed0,seed1,seed2 new0,new1,new2`
    """
    from fosbury.files import write_text
    from fosbury.report.compare import compare as compare_sides
    from fosbury.report.compare_page import markdown, page, terminal
    from fosbury.report.compare_sides import check_distinct, load_side

    _check_output(html_path, "--html")
    if len(revisions) < 2:
        raise BadInput("fosbury compare", "was given one revision", "give two or more, such as main my-branch")
    check_distinct([run for side in revisions for run in side.split(",")])
    comparison = compare_sides([load_side(each) for each in revisions], common)
    typer.echo(markdown(comparison) if md else terminal(comparison))
    if html_path is not None:
        write_text(html_path, page(comparison))


@app.command()
def agreement(
    first: Annotated[Path, typer.Argument(help="Labels: a COCO keypoints file.")],
    second: Annotated[Path, typer.Argument(help="Other labels of the same pictures.")],
    skeleton: Annotated[str, typer.Option(help="Joints to compare, a name of conf/skeleton.")] = "coco17",
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")] = None,
    stature: Annotated[
        float, typer.Option(min=500, max=3000, help="Stature in mm of athletes whose labels do not tell it.")
    ] = 1850.0,
) -> None:
    """Measure how far two labellings of the same pictures are apart: the floor under every model's error.

    Example: `fosbury agreement anna.json ben.json --skeleton coco17`
    """
    from rich.console import Console

    from fosbury.config import named_skeleton
    from fosbury.formats.coco import read_coco
    from fosbury.metrics.agreement import agreement as compare_labels
    from fosbury.report.table import agreement_json, agreement_table, write_json

    _check_output(json_path, "--json")
    joints = named_skeleton(skeleton)
    found, notes = compare_labels(read_coco(first, joints), read_coco(second, joints), stature)
    Console().print(agreement_table(found))
    if (floor := round(found[0].floor_mm, 1)) > 0:
        typer.echo(f"as a line in the charts of the report: -S data.label_noise_mm={floor}")
    for note in notes:
        typer.echo(f"note: {note}")
    if json_path is not None:
        write_json(json_path, agreement_json(found, notes))


@app.command()
def efficiency(
    html_path: Annotated[Path | None, typer.Option("--html", help="Also write the curve to this page.")] = None,
) -> None:
    """Show how the arch error falls with the number of labelled frames, over the experiments of HEAD that drew some.

    Example: `fosbury efficiency --html efficiency.html`, after the queue of conf/experiment/label_efficiency.yaml
    """
    from fosbury.files import write_text
    from fosbury.report.efficiency import efficiency_page, experiments, learning_points

    _check_output(html_path, "--html")
    points, before = learning_points(experiments())
    typer.echo(f"before fine-tuning: {before:.1f} mm")
    for point in points:
        ends = f"{point.errors[0]:.1f} to {point.errors[-1]:.1f}"
        typer.echo(f"{point.frames:>6} frames: {point.mean:.1f} mm, mean of {len(point.errors)} draws ({ends})")
    if html_path is not None:
        write_text(html_path, efficiency_page(points, before))


@app.command()
def seeds(
    revisions: Annotated[
        list[str], typer.Argument(help="Runs that differ in `seed` alone: experiments, branches, or `workspace`.")
    ],
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Also record it; the report quotes metrics/seeds.json.")
    ] = None,
) -> None:
    """Measure how far trainings are apart that differ in their seed alone.

    Example: `for s in 1 2 3 4; do dvc exp run --temp -n seed$s -S seed=$s evaluate; done`, then
    `fosbury seeds workspace seed1 seed2 seed3 seed4 --json metrics/seeds.json`
    """
    from fosbury.report.compare_sides import load_run
    from fosbury.report.seeds import seed_spread, to_json
    from fosbury.report.table import write_json

    _check_output(json_path, "--json")
    spread = seed_spread([load_run(each) for each in revisions])
    for seed, arch, upright in zip(spread.seeds, spread.arch_error_mm, spread.upright_error_mm, strict=True):
        typer.echo(f"seed {seed}: arch {arch:.1f} mm, upright {upright:.1f} mm")
    typer.echo(spread.sentence())
    if json_path is not None:
        write_json(json_path, to_json(spread))


@app.command()
def crossval(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="The folds: experiments, branches or commits; all experiments with folds if not given."),
    ] = None,
    md: Annotated[bool, typer.Option("--md", help="Print Markdown, for a pull request.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")] = None,
) -> None:
    """Sum up a grouped cross-validation: before against after on all clips, each tested once. No model is run.

    Example: `fosbury crossval fold0 fold1 fold2 fold3 fold4`, after the runs of docs/evaluating.md
    """
    from rich.console import Console

    from fosbury.report.compare_sides import load_run
    from fosbury.report.crossval import cross_validation, fold_runs
    from fosbury.report.efficiency import experiments
    from fosbury.report.table import markdown_table, terminal_table, write_json

    _check_output(json_path, "--json")
    names = runs or fold_runs(experiments())
    found = cross_validation([(load_run(f"{name}:baseline"), load_run(name)) for name in names])
    values = found.to_json()
    tables = {name: values[name] for name in found.evaluations}
    if md:
        typer.echo("".join(f"{line}\n\n" for line in found.sentences()) + markdown_table(tables), nl=False)
    else:
        Console().print(terminal_table(tables))
        for line in found.sentences():
            typer.echo(line)
    if json_path is not None:
        write_json(json_path, values)


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing, and what that means.

    Example: `fosbury doctor`
    """
    from rich.console import Console
    from rich.table import Table

    from fosbury.doctor import examine

    table = Table("", "", "", box=None, show_header=False, pad_edge=False)
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "missing": "[red]missing[/]"}
    states = []
    for finding in examine():
        states.append(finding.state)
        table.add_row(finding.what, marks[finding.state], finding.meaning.replace("[", r"\["))
    Console().print(table)
    if "missing" in states:
        raise WorkFailed("doctor: something that is needed is missing.")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
