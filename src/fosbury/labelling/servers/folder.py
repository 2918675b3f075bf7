"""What a push knows of its folder: the pictures, and which server and project they go to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fosbury.documents import parse_json
from fosbury.errors import BadInput
from fosbury.files import write_json
from fosbury.media.files import unsafe_name

STATE = "push.json"
"""In the folder that is pushed: which server and project it goes to. What is there already, the server says."""


@dataclass(frozen=True)
class Pushed:
    """Project, and how many pictures it got and had."""

    project: int
    new: int
    before: int


@dataclass(frozen=True)
class Pulled:
    """How many pictures were labelled, and what else is to be said."""

    pictures: int
    note: str | None = None


def find_pictures(folder: Path, images: Path | None, names: Sequence[str], where: Path) -> Path:
    """Return the folder of the pictures.

    Parameters
    ----------
    folder : Path
        Has them in ``images``, or lies beside it.
    images : Path or None
        Where they are if not there.
    names : sequence of str
    where : Path
        File that names them.

    Raises
    ------
    BadInput
        If one is missing, or its name leads elsewhere.
    """
    for name in names:
        if reason := unsafe_name(name):
            raise BadInput(where, f"names a picture that {reason}", "write the folder again")
    beside = next((each for each in (folder, folder.resolve().parent) if (each / "images").is_dir()), folder)
    pictures = beside / "images" if images is None else images
    missing = [name for name in names if not (pictures / name).is_file()]
    if missing:
        problem = f"has no picture {missing[0]} ({len(missing)} are missing)"
        raise BadInput(pictures, problem, "name the folder of the pictures with --images")
    return pictures


@dataclass
class State:
    """The file of a push; it is written before the server is asked for anything."""

    path: Path
    known: dict[str, Any]

    @property
    def mark(self) -> str:
        """What a project of this push is found by again, should it be made and the file not know."""
        return f"fosbury push {self.known['mark']}"

    def put(self, **values: Any) -> None:
        """Write more into the file."""
        self.known |= values
        write_json(self.path, self.known)


def read_state(folder: Path, url: str) -> State:
    """Return the state of a folder's push, a new one where there is none.

    Raises
    ------
    BadInput
        If it belongs to another server, or is none.
    """
    path = folder / STATE
    known = parse_json(path.read_bytes(), path, "remove it to push to a new project") if path.exists() else None
    if known is None:
        known = {"server": url, "mark": uuid.uuid4().hex, "project": None}
        write_json(path, known)
    if not isinstance(known, dict) or not {"server", "mark", "project"} <= known.keys():
        raise BadInput(path, "is no state of a push", "remove it to push to a new project")
    if known["server"] != url:
        raise BadInput(path, f"belongs to {known['server']}", "push there, or remove it to push to a new project")
    return State(path, known)
