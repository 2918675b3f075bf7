"""Stage code: for each stage a file with digests of the code that decides its outputs."""

from __future__ import annotations

from pathlib import Path

from fosbury.files import write_text
from fosbury.stage_code import read_modules, stage_code, stages

OUTPUT = Path("reports/code")


def main() -> None:
    """Write reports/code/<stage>.txt for every stage; dvc.yaml names it as a dependency of that stage."""
    modules = read_modules()
    for stale in OUTPUT.glob("*.txt"):
        stale.unlink()
    for stage in stages():
        write_text(OUTPUT / f"{stage}.txt", stage_code(stage, modules))
