"""Push and pull: against a small server in place of Label Studio, and a real one where it is given.

The small one answers with what Label Studio 1.23.2 answered (``label_studio_answers.json``; labels and configuration
are left out there) and names uploaded files as it does. The real one: FOSBURY_TEST_LABEL_STUDIO, its address, and
LABEL_STUDIO_API_KEY.
"""

from __future__ import annotations

import copy
import json
import os
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput, WorkFailed
from fosbury.formats.coco import read_coco, skeleton_of
from fosbury.formats.importing import import_labels
from fosbury.formats.label_studio import write_label_studio
from fosbury.labelling.servers.folder import STATE
from fosbury.labelling.servers.label_studio import TOKEN, Server, pull, push
from fosbury.pose import Dataset, Frame, Person

REAL = os.environ.get("FOSBURY_TEST_LABEL_STUDIO")
LEGACY, PERSONAL = "0123456789abcdef", "head.body.tail"
ANSWERS = json.loads(Path(__file__).with_name("label_studio_answers.json").read_text(encoding="utf-8"))
NAMES = ("left_hip", "right_hip", "left_knee")


class LabelStudio(BaseHTTPRequestHandler):
    """As much of Label Studio as push and pull use; the state is that of the server."""

    def do_GET(self) -> None:
        self.respond("GET")

    def do_POST(self) -> None:
        self.respond("POST")

    def log_message(self, *args) -> None:
        pass

    def respond(self, way: str) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        authority = self.headers.get("Authorization")
        if (way, parts.path) == ("POST", "/api/token/refresh"):
            good = json.loads(body) == {"refresh": PERSONAL}
            return self.answer(200 if good else 401, {"access": f"access{len(state['log'])}"} if good else {})
        state["log"].append((way, parts.path))
        if authority != f"Token {LEGACY}" and not re.fullmatch(r"Bearer access\d+", authority or ""):
            return self.answer(401, ANSWERS["refused token"])
        stopped = state["fail_after"] is not None and len(state["log"]) > state["fail_after"]
        if stopped and not state["lost"]:
            return self.answer(500, {"detail": authority})
        answer = self.route(way, parts.path, query, body)
        return self.answer(500, {"detail": authority}) if stopped else self.answer(*answer)

    def route(self, way, path, query, body):
        state = self.server.state
        projects, tasks, uploads = state["projects"], state["tasks"], state["uploads"]
        if path == "/api/projects/":
            if way == "GET":
                return 200, {"count": len(projects), "next": None, "previous": None, "results": projects}
            asked = json.loads(body)
            if len(asked["title"]) < 3:
                return 400, ANSWERS["refused project"]
            projects.append({**ANSWERS["GET project"], **asked, "id": len(projects) + 1})
            return 201, projects[-1]
        if path == "/api/tasks/":
            size, page = int(query["page_size"]), int(query["page"])
            there = tasks[(page - 1) * size : page * size]
            if page > 1 and not there:
                return 404, ANSWERS["no such page"]
            return 200, {**ANSWERS["GET tasks"], "total": len(tasks), "tasks": there}
        if match := re.fullmatch(r"/api/import/file-upload/(\d+)", path):
            return 200, {**ANSWERS["GET file-upload"], "id": int(match[1]), "file": uploads[int(match[1]) - 1][0]}
        number = int(re.match(r"/api/projects/(\d+)/", path)[1])
        if number > len(projects):
            return 404, ANSWERS["no such project"]
        if path.endswith("/export"):
            exported = ANSWERS["GET export"][0]
            return 200, [{**exported, **task, "predictions": [1]} for task in tasks if task["annotations"]]
        if not path.endswith("/import"):
            return 200, projects[number - 1]
        if query.get("commit_to_project") == "false":
            name = re.search(rb'filename="([^"]+)"', body)[1].decode().replace(" ", "_")
            name = re.sub(r"[^-.\w]", "", name)
            content = body.split(b"\r\n\r\n", 1)[1].rsplit(b"\r\n--", 1)[0]
            uploads.append((f"upload/{number}/{len(uploads):08x}-{name}", content))
            return 201, {**ANSWERS["POST import, a picture"], "file_upload_ids": [len(uploads)]}
        model = ANSWERS["GET tasks"]["tasks"][0]
        for task in json.loads(body):
            tasks.append({**model, **task, "id": len(tasks) + 1, "annotations": []})
        return 201, ANSWERS["POST import, a task"]

    def answer(self, code: int, content) -> None:
        text = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def studio(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), LabelStudio)
    server.state = {"projects": [], "tasks": [], "uploads": [], "log": [], "fail_after": None, "lost": False}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(TOKEN, LEGACY)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    server.server_close()


def prelabels(folder: Path) -> Dataset:
    frames = []
    for at, name in enumerate(("club/a+1 %41.png", "club/ü.png", "0a1b2c3d-c.png")):
        spots = np.array([[20.25, 30.5], [40.0, 31.0], [22.125, 70.75 + at]])
        person = Person(spots, np.array([2, 1, 2], np.uint8), np.array([10.0, 12.0, 60.0, 90.0]), 3900.0)
        other = Person(spots + 60, np.array([2, 2, 0], np.uint8), np.array([75.0, 80.0, 110.0, 99.0]), 665.0)
        other = replace(other, keypoints=np.where(other.visibility[:, None] > 0, other.keypoints, np.nan))
        people = tuple(replace(each, weights=np.array([1.0, 0.25, 1.0])) for each in (person, other))
        frames.append(Frame(name, 120, 100, people, phase="arch", video="jump.mp4", frame=at))
        place = folder / "images" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 100), (at * 40, 9, 200 - at * 50)).save(place)
    dataset = Dataset(skeleton_of("person", NAMES), tuple(frames))
    write_label_studio(dataset, folder)
    return dataset


def submit(tasks: list[dict]) -> None:
    """As a person does who accepts every pre-label."""
    for task in tasks:
        accepted = copy.deepcopy(task["predictions"][0]["result"])
        task["annotations"] = [{**ANSWERS["GET export"][0]["annotations"][0], "result": accepted}]


def check_identity(dataset: Dataset, tasks: Path, images: Path, root: Path) -> None:
    summary = import_labels(tasks, images, "back", root)
    back = read_coco(summary.folder / "annotations.json")
    assert back.skeleton.joints == dataset.skeleton.joints
    frames = {frame.file_name: frame for frame in back.frames}
    assert frames.keys() == {frame.file_name for frame in dataset.frames}
    for frame in dataset.frames:
        found = frames[frame.file_name]
        assert (found.video, found.frame, found.phase) == (frame.video, frame.frame, frame.phase)
        for person, again in zip(frame.people, found.people, strict=True):
            assert again.visibility.tolist() == person.visibility.tolist()
            np.testing.assert_allclose(again.keypoints, person.keypoints, atol=0.01)
            np.testing.assert_allclose(again.box, person.box, atol=0.01)
        assert (summary.folder / "images" / frame.file_name).read_bytes() == (images / frame.file_name).read_bytes()


@pytest.mark.parametrize("token", [LEGACY, PERSONAL])
def test_what_is_pushed_comes_back(studio, tmp_path, monkeypatch, token):
    monkeypatch.setenv(TOKEN, token)
    folder = tmp_path / "pre"
    dataset = prelabels(folder)
    result = CliRunner().invoke(app, ["push", str(folder), "--server", studio.url])
    assert result.exit_code == 0, result.output
    assert "project 1" in result.output
    assert "3 new pictures" in result.output
    assert sorted(content for _, content in studio.state["uploads"]) == sorted(
        (folder / "images" / frame.file_name).read_bytes() for frame in dataset.frames
    )
    submit(studio.state["tasks"])
    output = tmp_path / "back/tasks.json"
    result = CliRunner().invoke(app, ["pull", "--server", studio.url, "--project", "1", "-o", str(output)])
    assert result.exit_code == 0, result.output
    check_identity(dataset, output, folder / "images", tmp_path / "raw")
    for text in (result.output, output.read_text(), (folder / STATE).read_text(), repr(Server.connect(studio.url))):
        assert token not in text


@pytest.mark.parametrize("lost", [False, True], ids=["before the work", "before the answer"])
@pytest.mark.parametrize("requests", range(12))
def test_a_push_that_was_stopped_goes_on_and_sends_nothing_twice(studio, tmp_path, requests, lost):
    folder = tmp_path / "pre"
    prelabels(folder)
    studio.state |= {"fail_after": requests, "lost": lost}
    with pytest.raises(WorkFailed, match="failed with 500") as caught:
        push(folder, Server.connect(studio.url))
    assert LEGACY not in str(caught.value)
    studio.state["fail_after"] = None
    done = push(folder, Server.connect(studio.url))
    assert done.new + done.before == 3
    assert len(studio.state["projects"]) == 1
    assert sorted(task["data"]["file_name"] for task in studio.state["tasks"]) == [
        "0a1b2c3d-c.png",
        "club/a+1 %41.png",
        "club/ü.png",
    ]


def test_a_project_made_before_the_state_was_written_is_found_again(studio, tmp_path):
    folder = tmp_path / "pre"
    prelabels(folder)
    push(folder, Server.connect(studio.url))
    state = json.loads((folder / STATE).read_text())
    (folder / "images").rename(tmp_path / "images")
    (folder / STATE).write_text(json.dumps({**state, "project": None}))
    assert push(folder, Server.connect(studio.url)).before == 3
    assert len(studio.state["projects"]) == 1


def test_a_folder_with_a_short_name_makes_a_project(studio, tmp_path):
    prelabels(tmp_path / "j1")
    push(tmp_path / "j1", Server.connect(studio.url))
    assert studio.state["projects"][0]["title"] == "fosbury j1"


def test_what_is_wrong_is_said_and_nothing_is_written(studio, tmp_path, monkeypatch):
    folder = tmp_path / "pre"
    prelabels(folder)
    output = tmp_path / "tasks.json"
    with pytest.raises(BadInput, match=r"refuses the token; set LABEL_STUDIO_API_KEY"):
        push(folder, Server(studio.url, "wrong"))
    with pytest.raises(BadInput, match=r"knows no /api/projects/7/"):
        pull(Server.connect(studio.url), 7, output)
    push(folder, Server.connect(studio.url))
    with pytest.raises(BadInput, match="nothing of the project is labelled"):
        pull(Server.connect(studio.url), 1, output)
    with pytest.raises(WorkFailed, match="cannot be reached"):
        pull(Server("http://127.0.0.1:9", LEGACY), 1, output)
    with pytest.raises(BadInput, match="belongs to http"):
        push(folder, Server("http://127.0.0.1:9", LEGACY))
    assert not output.exists()
    (folder / "images/club/ü.png").unlink()
    sent = len(studio.state["log"])
    with pytest.raises(BadInput, match=r"has no picture club/ü.png \(1 are missing\); name the folder"):
        push(folder, Server.connect(studio.url))
    assert len(studio.state["log"]) == sent
    for url in ("labels.example.org", "https://me:secret@labels.example.org"):
        with pytest.raises(BadInput, match="no plain address") as caught:
            Server.connect(url)
        assert "secret" not in str(caught.value)
    monkeypatch.delenv(TOKEN)
    with pytest.raises(BadInput, match="is not set"):
        Server.connect(studio.url)


@pytest.mark.skipif(REAL is None, reason="needs FOSBURY_TEST_LABEL_STUDIO, the address of a server")
def test_a_real_server(tmp_path):
    folder = tmp_path / "pre"
    dataset = prelabels(folder)
    server = Server.connect(str(REAL))
    done = push(folder, server)
    assert push(folder, server).before == 3
    for task in server.ask("GET", f"/api/tasks/?project={done.project}&fields=all")["tasks"]:
        server.ask("POST", f"/api/tasks/{task['id']}/annotations/", {"result": task["predictions"][0]["result"]})
    pull(server, done.project, tmp_path / "back/tasks.json")
    check_identity(dataset, tmp_path / "back/tasks.json", folder / "images", tmp_path / "raw")
