"""Choose, pre-label, price and check frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fosbury.cli.evaluate import Refine
from fosbury.cli.options import JsonPath, check_output, fetched
from fosbury.errors import BadInput

app = typer.Typer()


@app.command()
def cost(
    frames: Annotated[int, typer.Option(min=1, help="How many to label.")] = 400,
    joints: Annotated[
        int | None, typer.Option(min=1, help="Of the skeleton; those of params.yaml if not given.")
    ] = None,
    more: Annotated[int, typer.Option(min=1, help="Frames beyond these whose gain is asked for.")] = 100,
    runs: Annotated[
        Path | None,
        typer.Option(help="CSV of trainings with the columns frames and error_mm; experiments of DVC if not given."),
    ] = None,
    json_path: JsonPath = None,
) -> None:
    """Say what labelling costs by every way of conf/labelling/costs.yaml, and what the next frames would buy.

    Example: `fosbury cost --frames 400 --more 100`
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from fosbury.config import find_root, load_params
    from fosbury.files import write_json
    from fosbury.labelling.cost import COSTS, LEVEL, estimate, next_frames, read_costs, read_runs
    from fosbury.report.efficiency import experiments, learning_curve

    check_output(json_path, "--json")
    root = find_root()
    joints = joints or len(load_params(root / "params.yaml").pose_skeleton)
    costs = read_costs(root / COSTS)
    found = estimate(costs, frames, joints)
    further = estimate(costs, more, joints)
    heads = ("way", "dollars", "your hours", f"{more} more: dollars", "hours", "quality")
    table = Table(*heads, title=f"{frames} frames of {joints} joints")
    for each, then in zip(found, further, strict=True):
        ranges = (each.dollars, each.hours, then.dollars, then.hours)
        table.add_row(each.name, *(_range(*values) for values in ranges), each.quality)
    Console().print(table)
    try:
        if runs is not None:
            source, focus, points = str(runs), "phase of interest", read_runs(runs)
        else:
            curve = learning_curve(experiments(root))
            source, focus, points = (
                "your experiments",
                curve.focus,
                {each.frames: list(each.errors) for each in curve.points},
            )
        gain = next_frames(points, frames, more)
    except BadInput as error:
        if runs is not None:
            raise
        gain = None
        typer.echo(f"What {more} frames more would buy is not known: {error}")
    if gain is not None:
        low, high = gain.ci
        typer.echo(
            f"By {source} {gain.more} frames more would lower the error in the {focus} by "
            f"{gain.millimetres:.1f} mm [{low:.1f}, {high:.1f}], {LEVEL:.0%} interval"
            f"{'; that is beyond what was tried' if gain.beyond else ''}."
        )
    if json_path is not None:
        write_json(
            json_path,
            {
                "options": [asdict(each) for each in found],
                "next": gain and asdict(gain),
                "more": [asdict(each) for each in further],
            },
        )


def _range(low: float, high: float) -> str:
    digits = 0 if high >= 10 else 1
    ends = dict.fromkeys(f"{value:,.{digits}f}" for value in (low, high))
    return " to ".join(ends)


@app.command()
def select(
    clips: Annotated[list[Path], typer.Argument(help="Clips, or folders of clips.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Gets a folder of frames for each clip.")],
    budget: Annotated[int, typer.Option(min=1, help="Frames to label, of all clips together.")] = 400,
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality.")] = 95,
    model: Annotated[
        Path | None, typer.Option(help="A model that has learnt already: choose what it is in doubt of, a later round.")
    ] = None,
    already: Annotated[
        list[Path] | None,
        typer.Option(help="With --model: a folder of frames that are labelled, not to be chosen; may be given again."),
    ] = None,
) -> None:
    """Choose the frames of clips that are worth labelling: the jump is found by what moves, without a model.

    Example: `fosbury select clips/ --output frames --budget 400`
    """
    from collections import Counter

    from fosbury.labelling.select import SHEET, find_clips, select_frames

    found_clips, pick = find_clips(clips), None
    if model is None and already:
        raise BadInput(
            "--already", "is for later rounds", "give the model that has learnt from these frames by --model"
        )
    if model is not None:
        from fosbury.inference.registry import load_model
        from fosbury.labelling.later import Later, digest_of

        opened = load_model(model)
        pick = Later(found_clips, opened, digest_of(model), output, budget, already or ())
    chosen, jumps = select_frames(found_clips, output, budget, quality=quality, pick=pick)
    for name, jump in jumps.items():
        frames = Counter(each.phase or "outside" for each in chosen if each.clip == name)
        counts = ", ".join(f"{phase} {count}" for phase, count in sorted(frames.items()))
        found = f"clearance at frame {jump.clearance}" if jump.strength else "no jump found"
        typer.echo(f"{name}: {found}; {sum(frames.values())} frames ({counts})")
    typer.echo(f"{output}: {len(chosen)} frames of {len(jumps)} clips; look at {output / SHEET}")


@app.command()
def prelabel(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Frames of clips, stills, or sets with boxes.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder; gets one for each tool.")],
    model: Annotated[
        Path | None, typer.Option(help="Any model file; BlazePose full, fetched once, if not given.")
    ] = None,
    boxes: Annotated[
        str | None,
        typer.Option(
            help="Who finds people for a model that needs boxes: a model file, or search; BlazePose's detector, "
            "fetched once, if not given."
        ),
    ] = None,
    refine: Annotated[Refine, typer.Option(help="How each person is looked at again.")] = Refine.vote,
    also: Annotated[
        list[Path] | None, typer.Option(help="Another model file whose views vote, too; may be given again.")
    ] = None,
    skeleton: Annotated[
        str | None,
        typer.Option(help="Joints to label, a name of conf/skeleton; body21, or coco17 for a model without feet."),
    ] = None,
    tools: Annotated[
        list[str] | None,
        typer.Option("--for", help="cvat, label_studio or coco; may be given again; all without it."),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Label everybody, not only the athlete (in a still the largest).")
    ] = False,
    steady: Annotated[
        bool, typer.Option(help="Repair swapped sides and smooth paths over neighbouring frames of a clip.")
    ] = True,
    pictures: Annotated[bool, typer.Option("--pictures", help="Copy the pictures into the folder, too.")] = False,
) -> None:
    """Write pre-labels of pictures for CVAT, Label Studio and COCO, doubtful joints marked.

    A run that was killed goes on where it was when the same command is given again.

    Example: `fosbury prelabel frames/jump1 --output prelabels/jump1`
    """
    from fosbury.config import named_skeleton
    from fosbury.inference.answers import Asked
    from fosbury.inference.registry import load_model
    from fosbury.labelling.prelabel import prelabel as write
    from fosbury.refinement import Refinement

    chosen = model or fetched("blazepose_full")
    coco17 = named_skeleton("coco17")
    if boxes is None and load_model(chosen, coco17).needs_boxes:
        boxes = str(fetched("blazepose_detector"))
    done = write(
        inputs,
        output,
        Asked(
            model=chosen,
            boxes=boxes,
            refinement=Refinement(how=refine.value, also=tuple(map(str, also or ()))),
        ),
        skeletons=[named_skeleton(skeleton)] if skeleton else [named_skeleton("body21"), coco17],
        tools=tools or None,
        everyone=everyone,
        steady=steady,
        pictures=pictures,
    )
    names = done.dataset.skeleton
    typer.echo(
        f"{output}: {len(done.dataset)} pictures, {len(done.people)} people, {len(done.people) * len(names)} joints of "
        f"{names.name}, {done.doubtful} marked as doubtful"
    )
    for note in done.notes:
        typer.echo(f"note: {note}")


Url = Annotated[str, typer.Option("--server", help="Address of a Label Studio or a CVAT.")]


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="Pre-labels for one tool: cvat or label_studio of fosbury prelabel.")],
    server: Url,
    title: Annotated[str | None, typer.Option(help="Of a new project; the folder's name if not given.")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; images in the folder, or beside it, if not given.")
    ] = None,
    tool: Annotated[
        str | None, typer.Option(help="cvat or label_studio; what the folder is for, if not given.")
    ] = None,
) -> None:
    """Put pictures and pre-labels into a project of a Label Studio or a CVAT.

    The token is LABEL_STUDIO_API_KEY or CVAT_ACCESS_TOKEN. A push that was stopped goes on where it was when the same
    command is given again.

    Example: `fosbury push prelabels/jump1/label_studio --server http://127.0.0.1:8080 --images frames/jump1`
    """
    from fosbury.labelling.servers.registry import tool_of_folder

    chosen = tool_of_folder(folder, tool)
    done = chosen.push(folder, chosen.server.connect(server), title, images)
    before = f", {done.before} were there" if done.before else ""
    typer.echo(f"project {done.project} of {server}: {done.new} new pictures{before}")


@app.command()
def pull(
    server: Url,
    project: Annotated[int, typer.Option(min=1, help="Its number, as push prints it.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Gets the labels: .json of a Label Studio, .xml of a CVAT.")
    ],
    tool: Annotated[
        str | None, typer.Option(help="cvat or label_studio; by the output's suffix, if not given.")
    ] = None,
) -> None:
    """Fetch the labels of a project of a Label Studio or a CVAT.

    The token is LABEL_STUDIO_API_KEY or CVAT_ACCESS_TOKEN.

    Example: `fosbury pull --server http://127.0.0.1:8080 --project 1 --output labels/tasks.json`
    """
    from fosbury.labelling.servers.registry import tool_of_output

    chosen = tool_of_output(output, tool)
    check_output(output, "--output")
    done = chosen.pull(chosen.server.connect(server), project, output)
    typer.echo(
        f"{output}: {done.pictures} labelled pictures; bring them in with 'fosbury import {output} --images FOLDER'"
    )
    if done.note is not None:
        typer.echo(f"note: {done.note}")


@app.command()
def review(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|LABELS", help="A folder of pictures, or labels of any format.")
    ],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; looked for beside the labels if not given.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV table; an old one is gone on with.")] = Path(
        "review.csv"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page.")] = True,
) -> None:
    """Go through pictures in the browser: keep or drop, form label, description, note; saved at once.

    Only this machine sees the page. The table is for `fosbury import --label-table`.

    Example: `fosbury review frames/jump1 --output review.csv`
    """
    import webbrowser

    from fosbury.labelling.review import Review, find_pictures
    from fosbury.labelling.review_server import ReviewServer

    check_output(output, "--output")
    found = find_pictures(source, images)
    going = Review(found, output)
    with ReviewServer(going, port) as server:
        for note in found.notes:
            typer.echo(f"note: {note}")
        if going.strangers:
            typer.echo(f"note: {len(going.strangers)} rows of {output} are of other pictures; they stay")
        kept, dropped, left = going.counts()
        typer.echo(f"{len(going.pictures)} pictures: {kept} kept, {dropped} dropped, {left} open in {output}")
        try:
            typer.echo(f"{server.url}\nCtrl+C ends the review.")
            if browser:
                webbrowser.open(server.url)
            server.serve_forever()
        except KeyboardInterrupt:
            typer.echo("")
    kept, dropped, left = going.counts()
    typer.echo(f"{output}: {kept} kept, {dropped} dropped, {left} open")
    typer.echo(f"next: fosbury import LABELS --images FOLDER --name NAME --label-table {output}")


@app.command()
def quality(
    annotations: Annotated[Path, typer.Argument(metavar="LABELS", help="Labels of any format, or a set.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the pictures; looked for beside the labels if not given.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Any model file, to compare the labels with.")] = None,
    refine: Annotated[Refine, typer.Option(help="With --model: how it looks again at each person.")] = Refine.none,
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder.")] = Path("quality"),
) -> None:
    """List labels that may be wrong, the worst first, each with its reason; the labels are left as they are.

    Example: `fosbury quality data/raw/club2026 --output quality`
    """
    from fosbury.config import default_skeleton
    from fosbury.files import put_folder, work_folder
    from fosbury.inference.registry import load_model
    from fosbury.labelling.quality import FIGURES, SHEET, TABLE, write_suspects
    from fosbury.labelling.quality_run import check
    from fosbury.media.image import write_image
    from fosbury.refinement import Refinement
    from fosbury.report.quality_sheet import quality_sheet

    if output.exists():
        raise BadInput(output, "exists already", "choose another --output, or remove it first")
    again = Refinement(how=refine.value)
    opened = None if model is None else load_model(model, default_skeleton(), refinement=again)
    done = check(annotations, images, opened)
    with work_folder(output) as work:
        (work / "made").mkdir()
        about = {"labels": str(annotations), "model": model and str(model), "checks": list(done.checks)}
        write_suspects(work / "made", done.dataset, done.suspects, about)
        entries = [(each.frame, each.person, each.joints, each.reason) for each in done.suspects]
        said = f"{len(entries)} labels that may be wrong, the worst first"
        write_image(work / "made" / SHEET, quality_sheet(done.dataset, done.root, entries, said), 85)
        put_folder(work / "made", output)
    for rank, each in enumerate(done.suspects[:10], 1):
        name = done.dataset.frames[each.frame].file_name
        typer.echo(f"{rank}. {name}, person {each.person + 1} ({each.severity:.1f}): {each.reason}")
    more = f", {len(done.suspects) - 10} more" if len(done.suspects) > 10 else ""
    typer.echo(f"{len(done.suspects)} labels may be wrong{more}; look at {output / SHEET}, {TABLE} and {FIGURES}")
