"""Write a network as the files that an app takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from fosbury.errors import BadInput
from fosbury.inference.metadata import ExportModule
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import import_kind
from fosbury.model_kinds import EXPORTED
from fosbury.skeleton import Skeleton


class ExportFormat(Protocol):
    """What a module of ``export/`` that is in ``model_kinds.EXPORTED`` has."""

    def open_model(
        self,
        path: Path,
        skeleton: Skeleton | None = None,
        image_size: int | tuple[int, int] | None = None,
        confidence: float = 0.05,
    ) -> PoseModel:
        """Open a file of this format."""
        ...

    def write_model(self, module: ExportModule, out: Path, *, quantize: str) -> Path:
        """Write a network as a file of this format; what is there is replaced."""
        ...


def export_model(module: ExportModule, files: Sequence[Path], quantize: str = "int8") -> None:
    """Write a network as files, each in the format that its suffix names.

    Parameters
    ----------
    module : ExportModule
        What ``export_module`` of the checkpoint's backend gives.
    files : sequence of Path
        Where to write; what is there is replaced.
    quantize : str
        As for ``coreml.to_coreml``; other formats keep the weights as they are.

    Raises
    ------
    BadInput
        If a suffix or ``quantize`` is not known.
    """
    names = {suffix: name for name, kind in EXPORTED.items() if not kind.read_only for suffix in kind.suffixes}
    for number, out in enumerate(files, start=1):
        if out.suffix not in names:
            raise BadInput(out, f"has the suffix '{out.suffix}'", f"choose one of {', '.join(names)}")
        print(f"export {number}/{len(files)}: {out}", file=sys.stderr, flush=True)
        cast(ExportFormat, import_kind(names[out.suffix], out)).write_model(module, out, quantize=quantize)
