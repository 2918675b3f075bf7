"""Choose, pre-label, price and check frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fosbury.cli.options import JsonPath, check_output
from fosbury.errors import BadInput

app = typer.Typer()


@app.command()
def cost(
    frames: Annotated[int, typer.Option(min=1, help="How many to label.")] = 400,
    joints: Annotated[
        int | None, typer.Option(min=1, help="Of the skeleton; those of params.yaml if not given.")
    ] = None,
    json_path: JsonPath = None,
) -> None:
    """Say what labelling costs by every way of conf/labelling/costs.yaml, and what the next 100 frames would buy.

    Example: `fosbury cost --frames 400`
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Table

    from fosbury.config import find_root, load_params
    from fosbury.files import write_json
    from fosbury.labelling.cost import COSTS, LEVEL, estimate, next_frames, read_costs
    from fosbury.report.efficiency import experiments, learning_curve

    check_output(json_path, "--json")
    root = find_root()
    joints = joints or len(load_params(root / "params.yaml").pose_skeleton)
    found = estimate(read_costs(root / COSTS), frames, joints)
    table = Table("way", "dollars", "your hours", "quality", title=f"{frames} frames of {joints} joints")
    for each in found:
        dollars, hours = (_range(*values) for values in (each.dollars, each.hours))
        table.add_row(each.name, dollars, hours, each.quality)
    Console().print(table)
    try:
        curve = learning_curve(experiments(root))
        gain = next_frames({point.frames: point.errors for point in curve.points}, frames)
    except BadInput as error:
        gain = None
        typer.echo(f"What 100 frames more would buy is not known: {error}")
    if gain is not None:
        low, high = gain.ci
        typer.echo(
            f"By your experiments {gain.more} frames more would lower the error in the {curve.focus} by "
            f"{gain.millimetres:.1f} mm [{low:.1f}, {high:.1f}], {LEVEL:.0%} interval"
            f"{'; that is beyond what was tried' if gain.beyond else ''}."
        )
    if json_path is not None:
        write_json(json_path, {"options": [asdict(each) for each in found], "next": gain and asdict(gain)})


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
) -> None:
    """Choose the frames of clips that are worth labelling: the jump is found by what moves, without a model.

    Example: `fosbury select clips/ --output frames --budget 400`
    """
    from collections import Counter

    from fosbury.labelling.select import SHEET, find_clips, select_frames

    chosen, jumps = select_frames(find_clips(clips), output, budget, quality=quality)
    for name, jump in jumps.items():
        frames = Counter(each.phase or "outside" for each in chosen if each.clip == name)
        counts = ", ".join(f"{phase} {count}" for phase, count in sorted(frames.items()))
        found = f"clearance at frame {jump.clearance}" if jump.strength else "no jump found"
        typer.echo(f"{name}: {found}; {sum(frames.values())} frames ({counts})")
    typer.echo(f"{output}: {len(chosen)} frames of {len(jumps)} clips; look at {output / SHEET}")
