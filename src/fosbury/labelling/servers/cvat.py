"""A CVAT server, by its HTTP interface: pictures and pre-labels go there as one task, its export comes back.

The requests are those of CVAT's own SDK (cvat-sdk 2.80), which is not needed.
"""

from __future__ import annotations

import base64
import re
import time
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, BinaryIO, ClassVar
from urllib.parse import quote, urlencode

from fosbury.documents import parse_json
from fosbury.errors import BadInput, WorkFailed
from fosbury.files import write_bytes
from fosbury.formats.archive import unpack
from fosbury.formats.cvat.document import elements
from fosbury.formats.cvat.meta import Meta
from fosbury.formats.cvat.writing import ANNOTATIONS
from fosbury.labelling.servers.folder import Pulled, Pushed, State, find_pictures, read_state
from fosbury.labelling.servers.server import LabelServer
from fosbury.media.files import check_file
from fosbury.progress import progress

TOKEN = "CVAT_ACCESS_TOKEN"
"""Variable of the environment, the one of CVAT's own SDK; a personal access token, or a key of older servers."""
LABELS = "skeleton.json"
PAGE = 100
PART = 10 * 2**20
"""Bytes of a file that go in one request, as in CVAT's SDK."""
QUALITY = 95
"""Of the JPEGs that a person sees; CVAT's own 70 blurs a wrist."""
PAUSE = 2.0
"""Seconds between two questions whether the server has finished."""
PATIENCE = 1800
"""Seconds until it is left alone; it goes on, and the next call finds out."""
_TUS = {"Tus-Resumable": "1.0.0"}


@dataclass
class Server(LabelServer):
    """A CVAT; its old keys are 40 hexadecimal digits, everything else is an access token."""

    tool: ClassVar[str] = "CVAT"
    variable: ClassVar[str] = TOKEN
    given: ClassVar[str] = "of 'Profile', 'Security' of that server"
    accept: ClassVar[str] = "application/vnd.cvat+json, */*;q=0.1"

    def authority(self) -> str:
        """Return what the header ``Authorization`` says."""
        return f"Token {self.token}" if re.fullmatch("[0-9a-f]{40}", self.token) else f"Bearer {self.token}"


def push(folder: Path, server: LabelServer, title: str | None = None, images: Path | None = None) -> Pushed:
    """Put the pictures and pre-labels of a folder, as ``fosbury prelabel`` writes it for CVAT, into a new project.

    A push that was stopped goes on when it is called again: the project is in ``push.json``, and the server is asked
    whether it has the pictures and the labels. A task whose pictures did not all arrive is removed and sent again,
    for CVAT appends to a picture that is sent twice. Labels never replace any that are there.

    Parameters
    ----------
    folder : Path
        With ``annotations.xml`` and ``skeleton.json``.
    server : LabelServer
    title : str, optional
        Of the project; the folder's name if not given.
    images : Path, optional
        Folder of the pictures; ``images`` in the folder, or beside it, if not given.

    Raises
    ------
    BadInput
        If something is missing: nothing is sent.
    WorkFailed
        If the server could not take it.
    """
    labels = parse_json(check_file(folder / LABELS).read_bytes(), folder / LABELS, "write the folder again")
    annotations = check_file(folder / ANNOTATIONS)
    names = sorted(element.get("name") or "" for _, element in elements(annotations, Meta()) if element.tag == "image")
    if not names:
        raise BadInput(annotations, "holds no pictures", "write the folder again")
    pictures = find_pictures(folder, images, names, annotations)
    state = read_state(folder, server.url)
    name = f"{(title or folder.resolve().name)[:200]} ({_short(state)})"
    project = _project(state, server, name, labels)
    task, sent = _task(state, server, project, name, pictures, names)
    if state.known.get("labelled") != task:
        _check_names(server, task, names)
        _label(server, task, annotations)
        state.put(labelled=task)
    return Pushed(project, len(names) if sent else 0, 0 if sent else len(names))


def _short(state: State) -> str:
    """Return what the names of a push's project and task end in; neither has a description."""
    return f"fosbury {state.known['mark'][:8]}"


def _project(state: State, server: LabelServer, name: str, labels: Any) -> int:
    if isinstance(state.known["project"], int):
        return state.known["project"]
    there = _pages(server, "/api/projects", {"search": _short(state)})
    found = [each["id"] for each in there if _short(state) in each["name"]]
    number = int(found[0] if found else server.ask("POST", "/api/projects", {"name": name, "labels": labels})["id"])
    state.put(project=number)
    return number


def _task(
    state: State, server: LabelServer, project: int, name: str, pictures: Path, names: Sequence[str]
) -> tuple[int, bool]:
    """Return the task with the pictures, and whether they were sent now."""
    for each in _pages(server, "/api/tasks", {"project_id": project}):
        if _short(state) not in each["name"] and each["id"] != state.known.get("labelled"):
            continue
        number = int(each["id"])
        if not each.get("size"):
            _finish(server, number, "create")
            each = server.ask("GET", f"/api/tasks/{number}")
        if each.get("size"):
            return number, False
        server.ask("DELETE", f"/api/tasks/{number}")
    number = int(server.ask("POST", "/api/tasks", {"name": name, "project_id": project})["id"])
    with TemporaryFile() as packed:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
            for picture in names:
                archive.write(pictures / picture, picture)
        how = {"image_quality": QUALITY, "use_cache": True}
        _send(server, f"/api/tasks/{number}/data/", packed, "pictures.zip", body=how)
    return number, True


def _check_names(server: LabelServer, task: int, names: Sequence[str]) -> None:
    """Labels go to pictures by name, and CVAT passes silently over what it does not know."""
    frames = server.ask("GET", f"/api/tasks/{task}/data/meta")["frames"]
    there = {frame["name"] for frame in frames}
    if lost := sorted(set(names) - there):
        problem = f"has no picture {lost[0]} in task {task} ({len(lost)} are missing), so labels would be lost"
        raise BadInput(server.url, problem, "remove that task there and push again")


def _label(server: LabelServer, task: int, annotations: Path) -> None:
    _finish(server, task, "import")
    path = f"/api/tasks/{task}/annotations/"
    there = server.ask("GET", path)
    if any(there.get(kind) for kind in ("shapes", "tracks", "tags")):
        return
    with annotations.open("rb") as file:
        _send(server, path, file, f"{uuid.uuid4().hex}.xml", {"format": "CVAT 1.1"})


def _send(
    server: LabelServer,
    path: str,
    file: BinaryIO,
    name: str,
    query: Mapping[str, str] | None = None,
    *,
    body: Any = None,
) -> None:
    """Send a file by parts (the tus protocol), then wait until the server has taken it in.

    Parameters
    ----------
    server : LabelServer
    path : str
        Of what it is for.
    file : binary file
    name : str
        Of the file there.
    query : mapping, optional
        What the requests before and after the parts say.
    body : optional
        What the last says.
    """
    size = file.seek(0, 2)
    asked = f"?{urlencode({**(query or {}), 'filename': name})}"
    server.send("POST", path + asked, None, {"Upload-Start": ""}, into=BytesIO())
    metadata = f"filename {base64.b64encode(name.encode()).decode()}"
    begin = {**_TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
    place = server.send("POST", path, None, begin, into=BytesIO()).get("Location")
    if place is None:
        raise BadInput(server.url, "says no place for a file", "check that --server is a CVAT")
    kind = "application/offset+octet-stream"
    for start in progress(range(0, size, PART), "sending", "part"):
        file.seek(start)
        headers = {**_TUS, "Content-Type": kind, "Upload-Offset": str(start)}
        server.send("PATCH", server.own_path(place), file.read(PART), headers, into=BytesIO())
    answer = server.ask("POST", path + asked, body, {"Upload-Finish": ""})
    _wait(server, _request(server, answer))


def _request(server: LabelServer, answer: Any) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get("rq_id"), str):
        raise BadInput(server.url, "does not say how a work goes", "use a CVAT that has /api/requests")
    return answer["rq_id"]


def _finish(server: LabelServer, task: int, action: str) -> None:
    """Wait for what an earlier push has begun."""
    for each in _pages(server, "/api/requests", {"task_id": task, "action": action}):
        if each["status"] in ("queued", "started"):
            _wait(server, each["id"])


def _wait(server: LabelServer, request: str) -> dict[str, Any]:
    end = time.monotonic() + PATIENCE
    while True:
        answer: dict[str, Any] = server.ask("GET", f"/api/requests/{quote(request, safe='')}")
        if answer["status"] == "finished":
            return answer
        if answer["status"] == "failed":
            said = str(answer.get("message") or "no reason is given")[:300]
            raise WorkFailed(f"{server.url}: could not do it: {said}; run this again.")
        if time.monotonic() > end:
            raise WorkFailed(f"{server.url}: is still at work after {PATIENCE // 60} minutes; run this again later.")
        time.sleep(PAUSE)


def _pages(server: LabelServer, path: str, query: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for page in range(1, 10_000):
        answer = server.ask("GET", f"{path}?{urlencode({**query, 'page': page, 'page_size': PAGE})}")
        entries += answer["results"]
        if not answer.get("next"):
            break
    return entries


def pull(server: LabelServer, project: int, output: Path) -> Pulled:
    """Write a project's labels as ``fosbury import`` reads them.

    Pre-labels are labels to CVAT: a project where no job was begun is refused, and jobs that are not completed are
    counted in the note.

    Parameters
    ----------
    server : LabelServer
    project : int
    output : Path
        Gets the XML of images.

    Raises
    ------
    BadInput
        If nothing is labelled, or the export is none: nothing is written.
    """
    jobs = _pages(server, "/api/jobs", {"project_id": project})
    if not any(job["state"] != "new" for job in jobs):
        server.ask("GET", f"/api/projects/{project}")
        problem = "was not written, for no job of the project was begun"
        raise BadInput(output, problem, "set the state of a job there when its labels are good")
    query = urlencode({"format": "CVAT for images 1.1", "save_images": "false", "location": "local"})
    asked = server.ask("POST", f"/api/projects/{project}/dataset/export?{query}")
    address = _wait(server, _request(server, asked)).get("result_url")
    if not isinstance(address, str):
        raise BadInput(server.url, "gives no address of the export", "export 'CVAT for images 1.1' there by hand")
    with TemporaryDirectory() as folder:
        archive = Path(folder) / f"the export of project {project}.zip"
        with archive.open("wb") as file:
            server.send("GET", server.own_path(address), into=file)
        unpack(archive, Path(folder) / "export", (ANNOTATIONS,))
        made = Path(folder) / "export" / ANNOTATIONS
        if not made.is_file():
            raise BadInput(archive.name, f"holds no {ANNOTATIONS}", "check that --server is a CVAT")
        labelled = sum(
            any(shape.tag != "tag" for shape in element)
            for _, element in elements(made, Meta())
            if element.tag == "image"
        )
        if not labelled:
            raise BadInput(output, "was not written, for nothing of the project is labelled", "label a picture first")
        write_bytes(output, made.read_bytes())
    undone = sum(job["state"] != "completed" for job in jobs)
    note = f"{undone} of {len(jobs)} jobs are not completed, so pre-labels that nobody checked may be among these"
    return Pulled(labelled, note if undone else None)
