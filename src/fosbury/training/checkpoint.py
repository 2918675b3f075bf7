"""Writing checkpoints so that the same weights give the same bytes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def write_checkpoint(content: Mapping[str, Any], path: Path) -> None:
    """Write a file of ``torch.save``; one that is there is replaced once the new one is whole.

    Parameters
    ----------
    content : mapping
        Without clock, path, or host.
    path : Path
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        # torch writes the file's stem into the archive: one name, whatever the output is called.
        draft = Path(folder) / "model.pt"
        torch.save(dict(content), draft)
        draft.replace(path)
