"""A Label Studio server, by its HTTP interface: tasks with pre-labels go there, its export comes back.

Nothing beyond the standard library is needed. The token comes from the environment only and is never shown.
"""

from __future__ import annotations

import json
import mimetypes
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from fosbury.documents import parse_json
from fosbury.errors import BadInput, WorkFailed
from fosbury.files import write_json, write_text
from fosbury.formats.label_studio import TASKS, local_address, picture_names
from fosbury.formats.label_studio_config import CONFIG
from fosbury.media.files import check_file, unsafe_name
from fosbury.progress import progress

TOKEN = "LABEL_STUDIO_API_KEY"
"""Variable of the environment, the one of Label Studio's own SDK; a personal access token or a legacy one."""
STATE = "push.json"
"""In the folder that is pushed: which server and project it goes to. What is there already, the server says."""
NAME = "file_name"
"""Key of a task's data that keeps the name of its picture, which an upload changes."""
SECONDS = 120
PAGE = 100


class _NoRedirect(HTTPRedirectHandler):
    """A redirect would carry the token to another address."""

    def redirect_request(self, *args: Any, **keywords: Any) -> None:
        return None


@dataclass
class Server:
    """A server and the right to use it.

    Attributes
    ----------
    url : str
    token : str
        As the person has it; a personal access token (a JWT) is exchanged for one that lives for minutes.
    """

    url: str
    token: str = field(repr=False)
    _access: str = field(default="", repr=False)

    def ask(self, way: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Send a request and return the JSON of the answer.

        Raises
        ------
        BadInput
            If the server refuses the token or the request.
        WorkFailed
            If it cannot be reached or fails.
        """
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            return self._send(way, path, data, kind, self._authority())
        except HTTPError as error:
            if error.code == 401 and self._access:
                self._access = ""
                try:
                    return self._send(way, path, data, kind, self._authority())
                except HTTPError as again:
                    error = again
            raise self._refusal(error, path) from None

    def _send(self, way: str, path: str, data: bytes | None, kind: str, authority: str | None) -> Any:
        headers = {"Content-Type": kind} | ({} if authority is None else {"Authorization": authority})
        request = Request(f"{self.url}{path}", data=data, headers=headers, method=way)
        try:
            with build_opener(_NoRedirect).open(request, timeout=SECONDS) as response:
                text = response.read()
        except HTTPError:
            raise
        except (HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise WorkFailed(f"{self.url}: cannot be reached ({reason}); check --server, and run this again.") from None
        return parse_json(text, Path(self.url), "check that --server is a Label Studio") if text else None

    def _authority(self) -> str:
        if self.token.count(".") != 2:
            return f"Token {self.token}"
        if not self._access:
            body = json.dumps({"refresh": self.token}).encode()
            try:
                answer = self._send("POST", "/api/token/refresh", body, "application/json", None)
            except HTTPError as error:
                raise self._refusal(error, "/api/token/refresh") from None
            self._access = str(answer["access"]) if isinstance(answer, dict) and "access" in answer else ""
        return f"Bearer {self._access}"

    def _refusal(self, error: HTTPError, path: str) -> Exception:
        if error.code in (401, 403):
            return BadInput(self.url, "refuses the token", f"set {TOKEN} to one of 'Account & Settings' of that server")
        if error.code == 404:
            return BadInput(self.url, f"knows no {path.split('?')[0]}", "check --server and --project")
        said = error.read(300).decode("utf-8", "replace").replace(self.token, "***")
        if error.code < 500:
            return BadInput(self.url, f"answers {error.code} to {path.split('?')[0]}: {said}", "correct what it names")
        return WorkFailed(f"{self.url}: failed with {error.code} at {path.split('?')[0]}; run this again later.")


def connect(url: str) -> Server:
    """Return the server of an address, with the token of the environment.

    Raises
    ------
    BadInput
        If the address is none, or there is no token.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
        hint = "give it as https://labels.example.org"
        raise BadInput("--server", f"is '{parts.hostname or url}', no plain address", hint)
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise BadInput(TOKEN, "is not set", "export it with the access token of 'Account & Settings' of the server")
    return Server(url.rstrip("/"), token)


@dataclass(frozen=True)
class Pushed:
    """Project, and how many tasks it got and had."""

    project: int
    new: int
    before: int


def push(folder: Path, server: Server, title: str | None = None, images: Path | None = None) -> Pushed:
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
    beside = next((each for each in (folder, folder.resolve().parent) if (each / "images").is_dir()), folder)
    pictures = beside / "images" if images is None else images
    named = {_picture_of(task, folder / TASKS): task for task in tasks}
    missing = [name for name in named if not (pictures / name).is_file()]
    if missing:
        problem = f"has no picture {missing[0]} ({len(missing)} are missing)"
        raise BadInput(pictures, problem, "name the folder of the pictures with --images")
    project = _project(folder / STATE, server, title or folder.resolve().name, config)
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
    name = picture_names(address)[0]
    if reason := unsafe_name(name):
        raise BadInput(where, f"names a picture that {reason}", "write the folder again")
    return name


def _project(path: Path, server: Server, title: str, config: str) -> int:
    """Return the project of the state file; without one it is made, and found again by its mark after a stop."""
    state = parse_json(path.read_bytes(), path, "remove it to push to a new project") if path.exists() else None
    if state is None:
        state = {"server": server.url, "mark": uuid.uuid4().hex, "project": None}
        write_json(path, state)
    if not isinstance(state, dict) or not {"server", "mark", "project"} <= state.keys():
        raise BadInput(path, "is no state of a push", "remove it to push to a new project")
    if state["server"] != server.url:
        raise BadInput(path, f"belongs to {state['server']}", "push there, or remove it to push to a new project")
    if isinstance(state["project"], int):
        return state["project"]
    mark = f"fosbury push {state['mark']}"
    found = [each["id"] for each in _pages(server, "/api/projects/", {}) if each.get("description") == mark]
    body = {"title": title[:50], "description": mark, "label_config": config, "show_collab_predictions": True}
    number = int(found[0] if found else server.ask("POST", "/api/projects/", body)["id"])
    write_json(path, {**state, "project": number})
    return number


def _pages(server: Server, path: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
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


def _names_there(server: Server, project: int) -> set[str]:
    tasks = _pages(server, "/api/tasks/", {"project": project, "fields": "all"})
    return {task["data"][NAME] for task in tasks if NAME in task.get("data", {})}


def _upload(server: Server, project: int, picture: Path) -> str:
    """Send a picture, without making a task of it; returns its address on the server."""
    line = uuid.uuid4().hex
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    head = (
        f'--{line}\r\nContent-Disposition: form-data; name="file"; filename="{quote(picture.name, safe=" ")}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    )
    body = head.encode() + picture.read_bytes() + f"\r\n--{line}--\r\n".encode()
    path = f"/api/projects/{project}/import?commit_to_project=false"
    answer = server.ask("POST", path, body, f"multipart/form-data; boundary={line}")
    (number,) = answer["file_upload_ids"]
    return f"/data/{server.ask('GET', f'/api/import/file-upload/{number}')['file']}"


def pull(server: Server, project: int, output: Path) -> int:
    """Write a project's tasks as ``fosbury import`` reads them, with the names that the pictures had before the push.

    Parameters
    ----------
    server : Server
    project : int
    output : Path
        Gets the tasks; the labelling configuration, which gives the order of the joints, lies beside it.

    Returns
    -------
    int
        How many tasks were labelled.
    """
    config = server.ask("GET", f"/api/projects/{project}/")["label_config"]
    tasks = server.ask("GET", f"/api/projects/{project}/export?exportType=JSON")
    labelled = [_renamed(task) for task in _labelled(tasks, output)]
    write_text(output.with_name(CONFIG), config)
    write_json(output, labelled)
    return len(labelled)


def _labelled(tasks: Any, output: Path) -> Sequence[dict[str, Any]]:
    if not isinstance(tasks, list) or not tasks:
        raise BadInput(output, "was not written, for nothing of the project is labelled", "submit a task there first")
    return tasks


def _renamed(task: dict[str, Any]) -> dict[str, Any]:
    data = task["data"]
    name = data.get(NAME)
    return {**task, "data": {**data, "image": local_address(name)}} if isinstance(name, str) else task
