"""The servers that labels go to and come from, one entry each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fosbury.errors import BadInput
from fosbury.formats.cvat.writing import ANNOTATIONS
from fosbury.formats.label_studio import TASKS
from fosbury.labelling.servers import cvat, label_studio
from fosbury.labelling.servers.folder import Pulled, Pushed
from fosbury.labelling.servers.server import LabelServer


@dataclass(frozen=True)
class Tool:
    """A labelling tool with a server.

    Attributes
    ----------
    file : str
        What a folder of its pre-labels holds.
    server : type of Server
    push : callable
        From a folder, a server, a title or None, and a folder of pictures or None.
    pull : callable
        From a server and a project's number to a file with the suffix of ``file``.
    """

    file: str
    server: type[LabelServer]
    push: Callable[[Path, LabelServer, str | None, Path | None], Pushed]
    pull: Callable[[LabelServer, int, Path], Pulled]


TOOLS = {
    "cvat": Tool(ANNOTATIONS, cvat.Server, cvat.push, cvat.pull),
    "label_studio": Tool(TASKS, label_studio.Server, label_studio.push, label_studio.pull),
}


def tool_of_folder(folder: Path, name: str | None = None) -> Tool:
    """Return the tool that a folder's pre-labels are for, or the one that is named.

    Raises
    ------
    BadInput
        If no tool, or more than one, fits.
    """
    if name is not None:
        return _named(name)
    fitting = [tool for tool in TOOLS.values() if (folder / tool.file).is_file()]
    if len(fitting) == 1:
        return fitting[0]
    files = " or ".join(tool.file for tool in TOOLS.values())
    problem = "holds the files of more than one tool" if fitting else f"holds no {files}"
    raise BadInput(folder, problem, "name the tool with --tool" if fitting else "write it by 'fosbury prelabel'")


def tool_of_output(output: Path, name: str | None = None) -> Tool:
    """Return the tool whose labels are files with the suffix of ``output``, or the one that is named.

    Raises
    ------
    BadInput
        If no tool has such files.
    """
    if name is not None and Path(_named(name).file).suffix == output.suffix.lower():
        return _named(name)
    suffixes = {Path(tool.file).suffix: tool for tool in TOOLS.values()}
    if name is not None or output.suffix.lower() not in suffixes:
        wanted = Path(_named(name).file).suffix if name else " or ".join(suffixes)
        raise BadInput(output, f"does not end in {wanted}", "name a file that does")
    return suffixes[output.suffix.lower()]


def _named(name: str) -> Tool:
    if name not in TOOLS:
        raise BadInput("--tool", f"is '{name}'", f"choose {' or '.join(TOOLS)}")
    return TOOLS[name]
