"""Push to and pull from a small server in place of CVAT, which needs containers.

Paths, headers and answers are those of cvat-sdk 2.80, whose client is tried on it where that is installed; how
uploads, background work and equal names behave is that of cvat/apps/engine (views.py, mixins.py) of cvat-ai/cvat.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import uuid
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
from defusedxml.ElementTree import fromstring
from PIL import Image
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput, WorkFailed
from fosbury.formats.coco import read_coco, skeleton_of
from fosbury.formats.cvat.writing import write_cvat_labels, write_images
from fosbury.formats.importing import import_labels
from fosbury.labelling.servers import cvat, server
from fosbury.labelling.servers.cvat import TOKEN, Server, pull, push
from fosbury.labelling.servers.folder import STATE
from fosbury.labelling.servers.registry import tool_of_folder, tool_of_output
from fosbury.pose import Dataset, Frame, Person

ACCESS, OLD = "Kx81.s3cret-of-the-test", "0123456789abcdef0123456789abcdef01234567"
NAMES = ("left_hip", "right_hip", "left_knee")
PICTURES = ["0a1b2c3d-c.png", "club/a+1 %41.png", "club/ü.png"]
EMPTY = "<annotations><version>1.1</version></annotations>"
REQUESTS = 19
"""Of a whole push of one part to a new project."""
DATE = "2026-12-01T06:56:58.698270Z"


class Cvat(BaseHTTPRequestHandler):
    """As much of CVAT as push and pull use; the state is that of the server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.respond()

    def do_POST(self) -> None:
        self.respond()

    def do_PATCH(self) -> None:
        self.respond()

    def do_DELETE(self) -> None:
        self.respond()

    def log_message(self, *args) -> None:
        pass

    def respond(self) -> None:
        state = self.server.state
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        state["log"].append((self.command, parts.path))
        if state["moved"]:
            return self.answer(302, None, {"Location": f"{state['moved']}{self.path}"})
        if self.headers.get("Authorization") not in (f"Bearer {ACCESS}", f"Token {OLD}"):
            return self.answer(401, {"detail": "Authentication credentials were not provided."})
        stopped = state["fail_after"] is not None and len(state["log"]) > state["fail_after"]
        if stopped and not state["lost"]:
            return self.answer(500, {"detail": self.headers["Authorization"]})
        code, content, *headers = self.route(parts.path, query, body)
        if stopped:
            return self.answer(500, {"detail": self.headers["Authorization"]})
        return self.answer(code, content, *headers)

    def answer(self, code: int, content, headers=None) -> None:
        text = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        self.send_response(code)
        kind = "application/zip" if isinstance(content, bytes) else "application/vnd.cvat+json"
        sizes = {"Content-Length": str(len(text) + self.server.state["cut"]), "Content-Type": kind}
        for name, value in {**sizes, **(headers or {})}.items():
            self.send_header(name, value)
        if self.server.state["cut"]:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

    def route(self, path, query, body):
        state = self.server.state
        for pattern, handle in (
            (r"/api/server/about", lambda: (200, {"name": "CVAT", "version": "2.80.0", "description": ""})),
            (r"/api/projects", lambda: self.projects(query, body)),
            (r"/api/tasks", lambda: self.tasks(query, body)),
            (r"/api/jobs", lambda: page([job for task in state["tasks"].values() for job in task["jobs"]])),
            (r"/api/requests", lambda: self.requests(query)),
            (r"/api/requests/([^/]+)", lambda number: self.how_far(unquote(number))),
            (r"/api/projects/(\d+)", lambda number: found(state["projects"].get(int(number)))),
            (r"/api/projects/(\d+)/dataset/export", self.export),
            (r"/api/projects/(\d+)/dataset/download", lambda _: (200, state["export"])),
            (r"/api/tasks/(\d+)", self.task),
            (r"/api/tasks/(\d+)/data/meta", self.meta),
            (r"/api/tasks/(\d+)/(data|annotations)/", lambda *which: self.files(*which, query, body)),
            (r"/api/tasks/(\d+)/(data|annotations)/([-0-9a-f]{36})", lambda *which: self.part(*which, body)),
        ):
            if match := re.fullmatch(pattern, path):
                return handle(*match.groups())
        return 404, {"detail": "Not found."}

    def projects(self, query, body):
        projects = self.server.state["projects"]
        if self.command == "GET":
            return page([each for each in projects.values() if query.get("search", "") in each["name"]])
        asked = json.loads(body)
        number = len(projects) + 1
        summary = {"url": f"http://localhost:8080/api/labels?project_id={number}"}
        projects[number] = {
            "id": number,
            "name": asked["name"],
            "labels": summary,
            "tasks": {"count": 0, **summary},
            "target_storage": {"id": 1, "location": "local", "cloud_storage_id": None},
        }
        self.server.state["labels"][number] = asked["labels"]
        return 201, projects[number]

    def tasks(self, query, body):
        tasks = self.server.state["tasks"]
        if self.command == "GET":
            return page([public(each) for each in tasks.values() if str(each["project_id"]) == query["project_id"]])
        number = max(self.server.state["numbers"], default=0) + 1
        self.server.state["numbers"].append(number)
        asked = {key: value for key, value in json.loads(body).items() if key in ("name", "project_id")}
        tasks[number] = {"id": number, **asked, "frames": [], "jobs": [], "xml": None, "files": {}, "parts": {}}
        return 201, public(tasks[number])

    def task(self, number):
        tasks = self.server.state["tasks"]
        if self.command == "DELETE":
            del tasks[int(number)]
            return 204, None
        return found(public(tasks[int(number)]) if int(number) in tasks else None)

    def meta(self, number):
        frames = [
            {"name": name, "width": 120, "height": 100, "related_files": 0}
            for name in self.server.state["tasks"][int(number)]["frames"]
        ]
        return 200, {"chunks_updated_date": DATE, "frames": frames, "deleted_frames": [], "size": len(frames)}

    def files(self, number, what, query, body):
        state = self.server.state
        task = state["tasks"][int(number)]
        if what == "data" and task["frames"]:
            return 400, "Adding more data is not supported"
        if self.command == "GET":
            shapes = [] if task["xml"] is None else list(fromstring(task["xml"]).iter("skeleton"))
            return 200, {"version": 0, "tags": [], "shapes": [{"id": 1} for _ in shapes], "tracks": []}
        if "Upload-Start" in self.headers:
            return 202, None
        if "Upload-Length" in self.headers:
            key, text = self.headers["Upload-Metadata"].split(" ")
            assert key == "filename"
            name, place = base64.b64decode(text).decode(), str(uuid.uuid4())
            if name in task["files"]:
                return 409, "File with same name already exists"
            task["parts"][place] = [name, int(self.headers["Upload-Length"]), b""]
            # what a proxy makes of it: another host
            address = f"{self.server.state['host']}/api/tasks/{number}/{what}/{place}"
            return 201, None, {"Location": address, "Upload-Filename": name}
        assert "Upload-Finish" in self.headers
        if what == "data":
            assert json.loads(body)["image_quality"] == cvat.QUALITY
            return 202, {"rq_id": self.begin("create", int(number))}
        if query["filename"] not in task["files"] or query["format"] != "CVAT 1.1":
            return 400, "No such file were uploaded"
        return 202, {"rq_id": self.begin("import", int(number), query["filename"])}

    def part(self, number, what, place, body):
        task = self.server.state["tasks"][int(number)]
        name, size, there = task["parts"][place]
        if int(self.headers["Upload-Offset"]) != len(there):
            return 409, None
        task["parts"][place][2] = there = there + body
        if len(there) == size:
            task["files"][name] = there
        return 204, None, {"Upload-Offset": str(len(there)), "Upload-Filename": name}

    def begin(self, action, task, file=None):
        request = f"action={action}&target=task&id={task}"
        if file:
            request += "&subresource=annotations"
        operation = {"type": f"{action}:task", "target": "task", "task_id": task}
        made = {"id": request, "operation": operation, "created_date": DATE, "file": file}
        self.server.state["requests"][request] = {**made, "status": "queued", "message": ""}
        return request

    def requests(self, query):
        return page(
            [
                open_request(each)
                for each in self.server.state["requests"].values()
                if str(each["operation"].get("task_id")) == query["task_id"]
                and each["operation"]["type"].split(":")[0] == query["action"]
            ]
        )

    def how_far(self, number):
        state = self.server.state
        request = state["requests"][number]
        if request["status"] == "queued":
            request["status"] = "started"
            return 200, open_request({**request, "status": "queued"})
        if request["status"] == "started":
            task = state["tasks"].get(request["operation"].get("task_id"))
            request["status"] = "finished"
            if state["refuse"] == request["operation"]["type"]:
                request |= {"status": "failed", "message": "cvat.apps.dataset_manager: it broke"}
            elif request["operation"]["type"] == "create:task":
                with zipfile.ZipFile(io.BytesIO(task["files"]["pictures.zip"])) as archive:
                    task["frames"] = sorted(archive.namelist())
                    state["pictures"] |= {name: archive.read(name) for name in archive.namelist()}
                task["jobs"] = [{"id": task["id"], "task_id": task["id"], "state": "new", "type": "annotation"}]
            elif request["operation"]["type"] == "import:task":
                task["xml"] = task["files"][request["file"]].decode()
                state["imports"] += 1
        return 200, open_request(request)

    def export(self, number):
        state = self.server.state
        texts = [task["xml"] for task in state["tasks"].values() if task["xml"]]
        if state["export"] is None:
            state["export"] = zipped({"annotations.xml": (texts or [EMPTY])[0]})
        request = f"action=export&target=project&id={number}&subresource=dataset"
        operation = {"type": "export:dataset", "target": "project", "project_id": int(number)}
        address = f"{state['host']}/api/projects/{number}/dataset/download?rq_id=1"
        made = {"id": request, "operation": operation, "created_date": DATE, "result_url": address}
        state["requests"][request] = {**made, "status": "queued", "message": ""}
        return 202, {"rq_id": request}


def page(entries):
    return 200, {"count": len(entries), "next": None, "previous": None, "results": entries}


def found(entry):
    return (200, entry) if entry else (404, {"detail": "Not found."})


def public(task):
    summary = {"url": f"http://localhost:8080/api/jobs?task_id={task['id']}"}
    shown = {key: task[key] for key in ("id", "name", "project_id")}
    return {
        **shown,
        "size": len(task["frames"]),
        "jobs": {**summary, "count": 1, "completed": 0, "validation": 0},
        "labels": summary,
    }


def open_request(request):
    return {key: value for key, value in request.items() if key != "file"}


def zipped(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture
def site(monkeypatch):
    made = ThreadingHTTPServer(("127.0.0.1", 0), Cvat)
    made.state = {key: {} for key in ("projects", "tasks", "labels", "requests", "pictures")} | {
        "log": [],
        "numbers": [],
        "imports": 0,
        "export": None,
        "fail_after": None,
        "lost": False,
        "refuse": None,
        "moved": None,
        "host": "http://localhost:8080",
        "cut": 0,
    }
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv(TOKEN, ACCESS)
    monkeypatch.setattr(cvat, "PAUSE", 0.0)
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made.url = f"http://127.0.0.1:{made.server_port}"
    yield made
    made.shutdown()
    made.server_close()


def prelabels(folder: Path) -> Dataset:
    frames = []
    for at, name in enumerate(PICTURES):
        spots = np.array([[20.25, 30.5], [40.0, 31.0], [22.12, 70.75 + at]])
        person = Person(spots, np.array([2, 1, 2], np.uint8), np.array([10.0, 12.0, 60.0, 90.0]), 3900.0)
        other = Person(spots + 30, np.array([2, 2, 0], np.uint8), np.array([45.0, 50.0, 110.0, 99.0]), 3185.0)
        other = replace(other, keypoints=np.where(other.visibility[:, None] > 0, other.keypoints, np.nan))
        people = tuple(replace(each, weights=np.array([1.0, 0.25, 1.0])) for each in (person, other))
        frames.append(Frame(name, 120, 100, people, phase="arch", group="a club"))
        place = folder / "images" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (120, 100), (at * 40, 9, 200 - at * 50)).save(place)
    dataset = Dataset(skeleton_of("person", NAMES), tuple(frames))
    write_images(dataset, folder)
    write_cvat_labels(dataset.skeleton, folder / "skeleton.json")
    return dataset


@pytest.mark.parametrize("token", [ACCESS, OLD])
def test_what_is_pushed_comes_back(site, tmp_path, monkeypatch, token):
    monkeypatch.setenv(TOKEN, token)
    monkeypatch.setattr(cvat, "PART", 500)
    folder = tmp_path / "pre"
    dataset = prelabels(folder)
    result = CliRunner().invoke(app, ["push", str(folder), "--server", site.url])
    assert result.exit_code == 0, result.output
    assert "project 1" in result.output and "3 new pictures" in result.output
    assert site.state["pictures"] == {name: (folder / "images" / name).read_bytes() for name in PICTURES}
    assert [each["name"] for each in site.state["labels"][1][0]["sublabels"]] == list(NAMES)
    site.state["tasks"][1]["jobs"][0]["state"] = "completed"
    output = tmp_path / "back/annotations.xml"
    result = CliRunner().invoke(app, ["pull", "--server", site.url, "--project", "1", "-o", str(output)])
    assert result.exit_code == 0, result.output
    assert "3 labelled pictures" in result.output and "note" not in result.output
    summary = import_labels(output, folder / "images", "back", tmp_path / "raw")
    back = read_coco(summary.folder / "annotations.json")
    assert back.skeleton.joints == dataset.skeleton.joints
    frames = {frame.file_name: frame for frame in back.frames}
    assert sorted(frames) == PICTURES
    for frame in dataset.frames:
        assert (frames[frame.file_name].phase, frames[frame.file_name].group) == ("arch", "a club")
        for person, again in zip(frame.people, frames[frame.file_name].people, strict=True):
            assert again.visibility.tolist() == person.visibility.tolist()
            np.testing.assert_allclose(again.keypoints, person.keypoints, atol=0.01)
            np.testing.assert_allclose(again.box, person.box, atol=0.01)
    for text in (result.output, output.read_text(), (folder / STATE).read_text(), repr(Server.connect(site.url))):
        assert token not in text


@pytest.mark.parametrize("lost", [False, True], ids=["before the work", "before the answer"])
@pytest.mark.parametrize("requests", range(REQUESTS))
def test_a_push_that_was_stopped_goes_on_and_sends_nothing_twice(site, tmp_path, requests, lost):
    folder = tmp_path / "pre"
    prelabels(folder)
    site.state |= {"fail_after": requests, "lost": lost}
    with pytest.raises(WorkFailed, match="failed with 500") as caught:
        push(folder, Server.connect(site.url))
    assert ACCESS not in str(caught.value)
    site.state["fail_after"] = None
    done = push(folder, Server.connect(site.url))
    assert done.new + done.before == 3
    assert len(site.state["projects"]) == len(site.state["tasks"]) == site.state["imports"] == 1
    (task,) = site.state["tasks"].values()
    assert task["frames"] == PICTURES and "left_hip" in task["xml"]


def test_a_push_takes_as_many_requests_as_are_stopped_and_the_next_changes_nothing(site, tmp_path):
    folder = tmp_path / "pre"
    prelabels(folder)
    push(folder, Server.connect(site.url))
    assert len(site.state["log"]) == REQUESTS
    site.state["tasks"][1]["xml"] = corrected = site.state["tasks"][1]["xml"].replace("20.25", "21.25")
    assert push(folder, Server.connect(site.url)).before == 3
    (folder / STATE).write_text(json.dumps({**json.loads((folder / STATE).read_text()), "labelled": None}))
    assert push(folder, Server.connect(site.url)).before == 3
    assert site.state["tasks"][1]["xml"] == corrected
    assert {way for way, _ in site.state["log"][REQUESTS:]} == {"GET"}


def test_what_a_server_could_not_take_is_said_and_sent_again(site, tmp_path):
    folder = tmp_path / "pre"
    prelabels(folder)
    for work in ("create:task", "import:task"):
        site.state["refuse"] = work
        with pytest.raises(WorkFailed, match=r"could not do it: .* it broke; run this again"):
            push(folder, Server.connect(site.url))
    site.state["refuse"] = None
    push(folder, Server.connect(site.url))
    (task,) = site.state["tasks"].values()
    assert task["frames"] == PICTURES and site.state["imports"] == 1


def test_pre_labels_that_nobody_saw_are_not_taken_for_labels(site, tmp_path):
    folder, output = tmp_path / "pre", tmp_path / "annotations.xml"
    prelabels(folder)
    push(folder, Server.connect(site.url))
    with pytest.raises(BadInput, match="no job of the project was begun; set the state of a job"):
        pull(Server.connect(site.url), 1, output)
    assert not output.exists()
    site.state["tasks"][1]["jobs"][0]["state"] = "in progress"
    done = pull(Server.connect(site.url), 1, output)
    assert done.pictures == 3 and done.note.startswith("1 of 1 jobs are not completed")


def labelled(site, tmp_path) -> Server:
    prelabels(tmp_path / "pre")
    push(tmp_path / "pre", Server.connect(site.url))
    site.state["tasks"][1]["jobs"][0]["state"] = "completed"
    return Server.connect(site.url)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"../annotations.xml": "<annotations/>"}, "climbs out of its folder"),
        ({"/tmp/annotations.xml": "<annotations/>"}, "absolute path"),
        ({"else.xml": "<annotations/>"}, "holds no annotations.xml"),
        (
            {"annotations.xml": EMPTY},
            "nothing of the project is labelled",
        ),
        ({"annotations.xml": "<annotations><image name='a'"}, "XML"),
    ],
)
def test_an_export_that_is_none_writes_nothing(site, tmp_path, files, said):
    there = labelled(site, tmp_path)
    output = tmp_path / "out/annotations.xml"
    site.state["export"] = zipped(files)
    before = sorted(Path("/tmp").glob("annotations.xml"))
    with pytest.raises(BadInput, match=said):
        pull(there, 1, output)
    assert not output.exists() and sorted(Path("/tmp").glob("annotations.xml")) == before
    output.parent.mkdir(exist_ok=True)
    output.write_text("older labels")
    site.state["export"] = b"PK no archive"
    with pytest.raises(BadInput, match="damaged archive"):
        pull(there, 1, output)
    assert output.read_text() == "older labels"


def test_an_answer_that_is_huge_or_broken_off_is_refused(site, tmp_path, monkeypatch):
    there = labelled(site, tmp_path)
    site.state["export"] = bytes(3 * 2**20)
    monkeypatch.setattr(server, "MAX_ANSWER", 2 * 2**20)
    with pytest.raises(BadInput, match="answers more than 2 MiB"):
        pull(there, 1, tmp_path / "annotations.xml")
    site.state["cut"] = 1000
    with pytest.raises(WorkFailed, match="broke off in the middle"):
        pull(there, 1, tmp_path / "annotations.xml")
    assert not (tmp_path / "annotations.xml").exists()


def test_the_token_stays_with_its_server(site, tmp_path, monkeypatch):
    folder = tmp_path / "pre"
    prelabels(folder)
    other = ThreadingHTTPServer(("127.0.0.1", 0), Cvat)
    other.state = {**site.state, "log": []}
    threading.Thread(target=other.serve_forever, daemon=True).start()
    site.state["moved"] = f"http://127.0.0.1:{other.server_port}"
    with pytest.raises(BadInput, match="sends requests to another address; give that one as --server"):
        push(folder, Server.connect(site.url))
    assert other.state["log"] == []
    other.shutdown()
    other.server_close()
    site.state["moved"] = None
    with pytest.raises(BadInput, match=f"refuses the token; set {TOKEN} to one of 'Profile'") as caught:
        push(folder, Server(site.url, "wrong-token"))
    assert "wrong-token" not in str(caught.value)
    monkeypatch.setenv(TOKEN, "two\nlines")
    with pytest.raises(BadInput, match="holds more than a token") as caught:
        Server.connect(site.url)
    assert "lines" not in str(caught.value)


def test_a_folder_that_lacks_something_sends_nothing(site, tmp_path):
    folder = tmp_path / "pre"
    prelabels(folder)
    there = Server.connect(site.url)
    (folder / "images/club/ü.png").rename(tmp_path / "ü.png")
    with pytest.raises(BadInput, match=r"has no picture club/ü.png \(1 are missing\); name the folder"):
        push(folder, there)
    xml = (folder / "annotations.xml").read_text(encoding="utf-8")
    (folder / "annotations.xml").write_text(xml.replace("club/ü.png", "../ü.png"), encoding="utf-8")
    with pytest.raises(BadInput, match="climbs out of its folder"):
        push(folder, there)
    (folder / "skeleton.json").unlink()
    with pytest.raises(BadInput, match=r"skeleton\.json"):
        push(folder, there)
    assert site.state["log"] == [] and not (folder / STATE).exists()


def test_pictures_that_the_server_names_otherwise_get_no_labels(site, tmp_path):
    folder = tmp_path / "pre"
    prelabels(folder)
    site.state["fail_after"] = 10
    with pytest.raises(WorkFailed):
        push(folder, Server.connect(site.url))
    site.state["fail_after"] = None
    site.state["tasks"][1]["frames"] = [name.rpartition("/")[2] for name in PICTURES]
    with pytest.raises(BadInput, match=r"has no picture club/a\+1 %41.png in task 1 \(2 are missing\)"):
        push(folder, Server.connect(site.url))
    assert site.state["imports"] == 0


def test_the_tool_is_known_by_the_folder_and_by_the_output(tmp_path):
    prelabels(tmp_path)
    assert tool_of_folder(tmp_path).server is Server
    assert tool_of_output(tmp_path / "a.xml").server is Server
    assert tool_of_output(tmp_path / "a.json").server is not Server
    for wrong, said in (("a.csv", "does not end in .xml or .json"), ("a.json", "does not end in .xml")):
        with pytest.raises(BadInput, match=said):
            tool_of_output(tmp_path / wrong, "cvat" if wrong == "a.json" else None)
    with pytest.raises(BadInput, match="choose cvat or label_studio"):
        tool_of_folder(tmp_path, "paint")
    (tmp_path / "tasks.json").write_text("[]")
    with pytest.raises(BadInput, match="more than one tool; name the tool"):
        tool_of_folder(tmp_path)
    assert tool_of_folder(tmp_path, "cvat").server is Server
    with pytest.raises(BadInput, match=r"holds no annotations\.xml or tasks\.json"):
        tool_of_folder(tmp_path / "images")


def test_the_sdk_of_cvat_asks_the_same_and_reads_the_answers(site, tmp_path):
    sdk = pytest.importorskip("cvat_sdk")
    folder = tmp_path / "pre"
    prelabels(folder)
    push(folder, Server.connect(site.url))
    imported = site.state["log"][-6:]
    site.state["tasks"][1]["jobs"][0]["state"] = "completed"
    begin = len(site.state["log"])
    pull(Server.connect(site.url), 1, tmp_path / "ours.xml")
    ours = [each for each in site.state["log"][begin:] if each[1] != "/api/jobs"]
    site.state["host"] = site.url
    with sdk.make_client(site.url, access_token=ACCESS) as client:
        client.config.status_check_period = 0
        (project,) = client.projects.list()
        task = client.tasks.retrieve(1)
        assert (task.name, task.size, task.project_id) == (project.name, 3, project.id)
        assert [frame.name for frame in task.get_frames_info()] == PICTURES
        begin = len(site.state["log"])
        task.import_annotations("CVAT 1.1", folder / "annotations.xml")
        assert without_places(site.state["log"][begin:]) == without_places(imported)
        begin = len(site.state["log"])
        project.export_dataset("CVAT for images 1.1", tmp_path / "theirs.zip", include_images=False)
        assert site.state["log"][begin:] == ours
        labels = json.loads((folder / "skeleton.json").read_text())
        again = client.projects.create({"name": "by the SDK", "labels": labels})
        assert site.state["labels"][again.id] == site.state["labels"][1]
    with zipfile.ZipFile(tmp_path / "theirs.zip") as archive:
        assert archive.read("annotations.xml") == (tmp_path / "ours.xml").read_bytes()


def without_places(log):
    return [(way, re.sub(r"[-0-9a-f]{36}", "PLACE", path)) for way, path in log]
