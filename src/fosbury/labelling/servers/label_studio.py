"""A Label Studio server, by its HTTP interface: tasks with pre-labels go there, its export comes back."""

from __future__ import annotations

import json
import mimetypes
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.parse import quote, urlencode

from fosbury.documents import parse_json
from fosbury.errors import BadInput
from fosbury.files import write_json, write_text
from fosbury.formats.label_studio import TASKS, local_address, picture_names
from fosbury.formats.label_studio_config import CONFIG
from fosbury.labelling.servers.folder import Pulled, Pushed, State, find_pictures, read_state
from fosbury.labelling.servers.server import LabelServer
from fosbury.media.files import check_file
from fosbury.progress import progress

TOKEN = "LABEL_STUDIO_API_KEY"
"""Variable of the environment, the one of Label Studio's own SDK; a personal access token or a legacy one."""
NAME = "file_name"
"""Key of a task's data that keeps the name of its picture, which an upload changes."""
SHORTEST = 3
"""Letters of a project's title; Label Studio refuses fewer, and more than 50."""
PAGE = 100


@dataclass
class Server(LabelServer):
    """A Label Studio; a personal access token (a JWT) is exchanged for one that lives for minutes."""

    _access: str = field(default="", repr=False)
    tool: ClassVar[str] = "Label Studio"
    variable: ClassVar[str] = TOKEN
    given: ClassVar[str] = "of 'Account & Settings' of that server"

    def authority(self) -> str:
        """Return what the header ``Authorization`` says."""
        if self.token.count(".") != 2:
            return f"Token {self.token}"
        if not self._access:
            body, text = json.dumps({"refresh": self.token}).encode(), BytesIO()
            try:
                headers = {"Content-Type": "application/json"}
                self.exchange("POST", "/api/token/refresh", data=body, headers=headers, into=text)
            except HTTPError as error:
                raise self.refusal(error, "/api/token/refresh") from None
            answer = self.parsed(text)
            self._access = str(answer["access"]) if isinstance(answer, dict) and "access" in answer else ""
        return f"Bearer {self._access}"

    def renew(self) -> bool:
        """Forget the token that lives for minutes."""
        had, self._access = self._access, ""
        return bool(had)


def push(folder: Path, server: LabelServer, title: str | None = None, images: Path | None = None) -> Pushed:
    """Put the tasks of a folder, as the format ``label_studio`` writes it, into a project of the server.

    A push that was stopped goes on when it is called again: the project is in ``push.json``, and the server is asked
    which pictures it has. A task and its pre-labels come there in one request.

    Parameters
    ----------
    folder : Path
        With ``tasks.json`` and ``labelling_config.xml``.
    server : Server
    title : str, optional
        Of a new project; the folder's name if not given.
    images : Path, optional
        Folder of the pictures; ``images`` in the folder, or beside it, if not given.

    Raises
    ------
    BadInput
        If something is missing: nothing is sent.
    """
    tasks = parse_json(check_file(folder / TASKS).read_bytes(), folder / TASKS, "write the folder again")
    config = check_file(folder / CONFIG).read_text(encoding="utf-8")
    named = {_picture_of(task, folder / TASKS): task for task in tasks}
    pictures = find_pictures(folder, images, list(named), folder / TASKS)
    project = _project(read_state(folder, server.url), server, title or folder.resolve().name, config)
    there = _names_there(server, project)
    new = {name: task for name, task in named.items() if name not in there}
    for name, task in progress(sorted(new.items()), "pushing", "picture"):
        address = _upload(server, project, pictures / name)
        sent = {**task, "data": {**task["data"], "image": address, NAME: name}}
        server.ask("POST", f"/api/projects/{project}/import", [sent])
    return Pushed(project, len(new), len(named) - len(new))


def _picture_of(task: Any, where: Path) -> str:
    data = task.get("data") if isinstance(task, dict) else None
    address = data.get("image") if isinstance(data, dict) else None
    if not isinstance(address, str):
        raise BadInput(where, "holds a task without a picture", "write the folder again")
    return picture_names(address)[0]


def _project(state: State, server: LabelServer, title: str, config: str) -> int:
    """Return the project of the state file; without one it is made, and found again by its mark after a stop."""
    if isinstance(state.known["project"], int):
        return state.known["project"]
    found = [each["id"] for each in _pages(server, "/api/projects/", {}) if each.get("description") == state.mark]
    title = title if len(title) >= SHORTEST else f"fosbury {title}"
    body = {"title": title[:50], "description": state.mark, "label_config": config, "show_collab_predictions": True}
    number = int(found[0] if found else server.ask("POST", "/api/projects/", body)["id"])
    state.put(project=number)
    return number


def _pages(server: LabelServer, path: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All entries of a list that the server gives by pages; one past the last is answered with 404."""
    entries: list[dict[str, Any]] = []
    for page in range(1, 10_000):
        answer = server.ask("GET", f"{path}?{urlencode({**query, 'page': page, 'page_size': PAGE})}")
        listed = answer if isinstance(answer, list) else answer.get("results", answer.get("tasks", []))
        total = len(listed) if isinstance(answer, list) else answer.get("count", answer.get("total", 0))
        entries += listed
        if not listed or len(entries) >= total:
            break
    return entries


def _names_there(server: LabelServer, project: int) -> set[str]:
    tasks = _pages(server, "/api/tasks/", {"project": project, "fields": "all"})
    return {task["data"][NAME] for task in tasks if NAME in task.get("data", {})}


def _upload(server: LabelServer, project: int, picture: Path) -> str:
    """Send a picture, without making a task of it; returns its address on the server."""
    line = uuid.uuid4().hex
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    head = (
        f'--{line}\r\nContent-Disposition: form-data; name="file"; filename="{quote(picture.name, safe=" ")}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    body = head.encode() + picture.read_bytes() + f"\r\n--{line}--\r\n".encode()
    path = f"/api/projects/{project}/import?commit_to_project=false"
    answer = server.ask("POST", path, body, {"Content-Type": f"multipart/form-data; boundary={line}"})
    (number,) = answer["file_upload_ids"]
    return f"/data/{server.ask('GET', f'/api/import/file-upload/{number}')['file']}"


def pull(server: LabelServer, project: int, output: Path) -> Pulled:
    """Write a project's tasks as ``fosbury import`` reads them, with the names that the pictures had before the push.

    Parameters
    ----------
    server : Server
    project : int
    output : Path
        Gets the tasks; the labelling configuration, which gives the order of the joints, lies beside it.

    Returns
    -------
    Pulled
        With the number of tasks that were labelled.
    """
    config = server.ask("GET", f"/api/projects/{project}/")["label_config"]
    tasks = server.ask("GET", f"/api/projects/{project}/export?exportType=JSON")
    labelled = [_renamed(task) for task in _labelled(tasks, output)]
    write_text(output.with_name(CONFIG), config)
    write_json(output, labelled)
    return Pulled(len(labelled))


def _labelled(tasks: Any, output: Path) -> Sequence[dict[str, Any]]:
    if not isinstance(tasks, list) or not tasks:
        raise BadInput(output, "was not written, for nothing of the project is labelled", "submit a task there first")
    return tasks


def _renamed(task: dict[str, Any]) -> dict[str, Any]:
    data = task["data"]
    name = data.get(NAME)
    return {**task, "data": {**data, "image": local_address(name)}} if isinstance(name, str) else task
