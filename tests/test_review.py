"""Going through pictures in the browser: what is decided is in the table, and nobody else can decide."""

from __future__ import annotations

import csv
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from browser import Page, find_browser
from PIL import Image
from typer.testing import CliRunner

from fosbury.cli import app
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.formats.importing import NOTES, import_labels
from fosbury.labelling.review import HEAD, MOST_LETTERS, Decision, Review, clean, find_pictures
from fosbury.labelling.review_server import LARGEST_POST, ReviewServer

JOINTS = ["left_hip", "right_hip", "left_knee", "right_knee"]
NAMES = ["sprung an der latte/größe 1.png", "b.png", "<img src=x onerror=alert(1)>.png", "d.png"]


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)).save(path)


def labels(folder: Path, names: list[str] = NAMES, **first: str) -> Path:
    """A set of one athlete a picture; ``first`` are fields of the first picture."""
    images, annotations = [], []
    for number, name in enumerate(names, 1):
        picture(folder / "images" / name, number)
        images.append({"id": number, "file_name": name, "width": 60, "height": 40} | (first if number == 1 else {}))
        keypoints = [value for joint in range(4) for value in (10 + 5 * joint, 12 + 2 * joint + number, 2)]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "keypoints": keypoints})
    category = {"id": 1, "name": "person", "keypoints": JOINTS, "skeleton": [[1, 3], [2, 4]]}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return folder / "annotations.json"


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@contextmanager
def serving(review: Review) -> Iterator[ReviewServer]:
    with ReviewServer(review) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path) -> Iterator[ReviewServer]:
    with serving(Review(find_pictures(labels(tmp_path / "set")), tmp_path / "review.csv")) as running:
        yield running


def ask(server: ReviewServer, method: str, path: str, body: object = None, **headers: str | None):
    """Status, headers and content of one request; a header that is None is not sent."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    usual: dict[str, str | None] = {"Host": f"127.0.0.1:{server.server_port}"}
    if method == "POST":
        usual |= {"X-Fosbury-Token": server.token, "Content-Type": "application/json"}
        usual["Content-Length"] = str(len(content or b""))
    given = usual | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in given.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(content)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders()), data


def decision(**fields: object) -> dict[str, object]:
    return {"keep": None, "label": "", "description": "", "note": ""} | fields


class TestServer:
    def test_what_is_decided_is_in_the_table_at_once(self, server, tmp_path):
        token = server.token
        said = decision(keep=True, label="  correct   form ", description='a "straight",\nback', note="groß")
        assert ask(server, "POST", f"/{token}/decide/0", said)[0] == 200
        assert rows(tmp_path / "review.csv") == [
            dict(zip(HEAD, (NAMES[0], "correct form", 'a "straight",\nback', "yes", "groß"), strict=True))
        ]
        assert ask(server, "POST", f"/{token}/decide/3", decision(keep=False, label="lumbar"))[0] == 200
        assert [(row["frame_path"], row["label"], row["keep"]) for row in rows(tmp_path / "review.csv")] == [
            (NAMES[0], "correct form", "yes"),
            ("d.png", "", "no"),
        ]
        state = json.loads(ask(server, "GET", f"/{token}/state")[2])
        assert [frame["name"] for frame in state["frames"]] == NAMES
        assert state["decisions"][3] == decision(keep=False, label="lumbar")
        assert state["frames"][1]["people"] == [[[10, 14, 2], [15, 16, 2], [20, 18, 2], [25, 20, 2]]]
        assert (state["pairs"], state["bones"]) == ([[0, 1], [2, 3]], [[0, 2], [1, 3]])

    def test_a_label_is_renamed_in_every_picture(self, server, tmp_path):
        for index, label in enumerate(("corect", "corect", "lumbar")):
            ask(server, "POST", f"/{server.token}/decide/{index}", decision(keep=True, label=label))
        status, _, answer = ask(server, "POST", f"/{server.token}/rename", {"old": "corect", "new": "correct"})
        assert (status, json.loads(answer)) == (200, {"renamed": 2})
        assert [row["label"] for row in rows(tmp_path / "review.csv")] == ["correct", "correct", "lumbar"]

    def test_pictures_are_those_of_the_list(self, server, tmp_path):
        for index, name in enumerate(NAMES):
            status, headers, data = ask(server, "GET", f"/{server.token}/picture/{index}")
            assert (status, headers["Content-Type"]) == (200, "image/png")
            assert data == (tmp_path / "set/images" / name).read_bytes()
        status, headers, data = ask(server, "GET", f"/{server.token}/small/0")
        assert (status, headers["Content-Type"], data[:2]) == (200, "image/jpeg", b"\xff\xd8")

    @pytest.mark.parametrize(
        "path",
        ["picture/4", "picture/-1", "picture/b.png", "picture/0/..", "picture/..%2f..%2fetc%2fpasswd", "x"],
    )
    def test_nothing_else_is_served(self, server, path):
        assert ask(server, "GET", f"/{server.token}/{path}")[0] == 404

    def test_a_picture_that_is_gone_is_said_to_be(self, server, tmp_path):
        (tmp_path / "set/images/b.png").unlink()
        status, _, data = ask(server, "GET", f"/{server.token}/picture/1")
        assert status == 404 and "does not exist" in json.loads(data)["problem"]
        assert ask(server, "GET", f"/{server.token}/picture/0")[0] == 200

    def test_it_listens_on_this_machine_alone(self, server):
        assert server.socket.getsockname()[0] == "127.0.0.1"

    @pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", None])
    @pytest.mark.parametrize("path", ["/{token}/", "/{token}/state", "/{token}/picture/0"])
    def test_a_page_of_another_name_gets_nothing(self, server, host, path):
        host = host and host.format(port=server.server_port)
        status, _, data = ask(server, "GET", path.format(token=server.token), Host=host)
        assert status in (400, 403) and b"b.png" not in data and len(data) < 300

    def test_without_the_token_nothing_is_shown_or_changed(self, server, tmp_path):
        other = "A" * len(server.token)
        for path in ("/", "/state", f"/{other}/", f"/{other}/state", f"/{other}/picture/0", "/picture/0"):
            assert ask(server, "GET", path)[0] == 403
        path, said = f"/{server.token}/decide/0", decision(keep=True)
        assert ask(server, "POST", f"/{other}/decide/0", said)[0] == 403
        assert ask(server, "POST", path, said, X_Fosbury_Token=None)[0] == 403
        assert ask(server, "POST", path, said, X_Fosbury_Token=other)[0] == 403
        assert ask(server, "POST", path, said, X_Fosbury_Token="ü")[0] == 403
        assert ask(server, "POST", path, said, Host="evil.example")[0] == 403
        assert ask(server, "POST", path, said, Origin="http://evil.example")[0] == 403
        assert ask(server, "POST", path, said, Origin="null")[0] == 403
        assert not (tmp_path / "review.csv").exists()
        assert ask(server, "POST", path, said, Origin=f"http://127.0.0.1:{server.server_port}")[0] == 200

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            (b"x" * (LARGEST_POST + 1), {}, 413),
            (b"", {"Content_Length": "99999999999999"}, 411),
            (b"{}", {"Content_Length": None}, 411),
            (b"{}", {"Content_Length": "-1"}, 411),
            (b"{", {}, 400),
            (b"[" * 60000, {}, 400),
            (b"[]", {}, 400),
            (b"\xff", {}, 400),
            (decision(keep="yes"), {}, 400),
            (decision(label=3), {}, 400),
            (decision(label="x" * (MOST_LETTERS["label"] + 1)), {}, 400),
            ({"keep": True}, {}, 400),
            (decision(keep=True), {"Content_Type": "text/plain"}, 415),
        ],
    )
    def test_what_is_no_decision_is_refused(self, server, tmp_path, body, headers, status):
        found, _, answer = ask(server, "POST", f"/{server.token}/decide/0", body, **headers)
        assert found == status and json.loads(answer)["problem"]
        assert not (tmp_path / "review.csv").exists()
        assert ask(server, "POST", f"/{server.token}/decide/9", decision(keep=True))[0] == 404
        assert ask(server, "GET", f"/{server.token}/state")[0] == 200

    def test_other_methods_are_refused(self, server):
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "HEAD"):
            assert ask(server, method, f"/{server.token}/")[0] == 501

    def test_the_page_may_load_nothing_from_elsewhere(self, server):
        status, headers, page = ask(server, "GET", f"/{server.token}/")
        assert status == 200
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert (
            policy["default-src"]
            == policy["frame-ancestors"]
            == policy["base-uri"]
            == policy["form-action"]
            == "'none'"
        )
        assert policy["img-src"] == policy["connect-src"] == "'self'"
        assert policy["script-src"].startswith("'nonce-") and "unsafe" not in headers["Content-Security-Policy"]
        assert page.count(policy["script-src"][7:-1].encode()) == 2 and b"NONCE" not in page
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
        assert b"innerHTML" not in page and b"//" not in page.split(b"<style")[0]
        second = ask(server, "GET", f"/{server.token}/")[1]["Content-Security-Policy"]
        assert second != headers["Content-Security-Policy"]

    def test_a_table_that_another_program_changed_is_left_alone(self, server, tmp_path):
        path = f"/{server.token}/decide/0"
        assert ask(server, "POST", path, decision(keep=True))[0] == 200
        (tmp_path / "review.csv").write_text("frame_path,label\nb.png,by hand\n")
        status, _, answer = ask(server, "POST", path, decision(keep=False))
        assert status == 409 and "changed by another program" in json.loads(answer)["problem"]
        assert (tmp_path / "review.csv").read_text() == "frame_path,label\nb.png,by hand\n"

    def test_many_at_once_lose_nothing(self, server, tmp_path):
        def one(index: int) -> None:
            for turn in range(10):
                ask(server, "POST", f"/{server.token}/decide/{index}", decision(keep=True, note=f"{index}-{turn}"))

        threads = [threading.Thread(target=one, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row["note"] for row in rows(tmp_path / "review.csv")] == [f"{index}-9" for index in range(4)]


class TestTable:
    def test_it_is_gone_on_from_and_what_else_is_in_it_stays(self, tmp_path):
        path = labels(tmp_path / "set", label="lumbar", description="from the tool")
        table = tmp_path / "review.csv"
        table.write_text(
            "frame_path,coach,label,keep\nb.png,Ann,correct,yes\nelsewhere/9.png,Bob,x,\nd.png,,,no\n", encoding="utf-8"
        )
        review = Review(find_pictures(path), table)
        assert review.decisions[0] == Decision(None, "lumbar", "from the tool")
        assert review.decisions[1] == Decision(True, "correct")
        assert (review.counts(), len(review.strangers)) == ((1, 1, 2), 1)
        review.decide(1, Decision(True, "correct", note="seen"))
        assert rows(table) == [
            dict(zip((*HEAD, "coach"), row, strict=True))
            for row in (
                (NAMES[0], "lumbar", "from the tool", "", "", ""),
                ("b.png", "correct", "", "yes", "seen", "Ann"),
                ("d.png", "", "", "no", "", ""),
                ("elsewhere/9.png", "x", "", "", "", "Bob"),
            )
        ]
        assert Review(find_pictures(path), table).decisions == review.decisions

    def test_what_is_typed_is_made_plain(self):
        assert clean("a\x00b\ud800\r\nc ", "note") == "ab\nc" and clean(" a \n b\t", "label") == "a b"
        with pytest.raises(BadInput, match="at most"):
            clean("x" * 101, "label")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("a,b\n1,2\n", "no columns"),
            ("frame_path,label,keep\nb.png,,perhaps\n", "line 2 says 'perhaps' under keep"),
            (f"frame_path,label\nb.png,{'x' * 101}\n", "line 2: label has 101 letters"),
        ],
    )
    def test_one_that_cannot_be_read_is_refused_and_stays(self, tmp_path, text, problem):
        table = tmp_path / "review.csv"
        table.write_text(text)
        with pytest.raises(BadInput, match=problem):
            Review(find_pictures(labels(tmp_path / "set")), table)
        assert table.read_text() == text

    def test_import_takes_the_labels_and_leaves_out_what_was_dropped(self, tmp_path):
        path = labels(tmp_path / "set")
        review = Review(find_pictures(path), tmp_path / "review.csv")
        review.decide(0, Decision(True, "correct", "gerade, ruhig"))
        review.decide(1, Decision(False, "correct", note="blurred"))
        review.decide(2, Decision(True, "lumbar"))
        (tmp_path / "set/images/b.png").write_bytes((tmp_path / "set/images/b.png").read_bytes()[:300])  # damaged
        with pytest.raises(BadInput, match=r"b\.png"):
            import_labels(path, name="whole", root=tmp_path / "raw")
        done = import_labels(path, name="club", root=tmp_path / "raw", label_table=review.table)
        assert (done.frames, dict(done.labels)) == (3, {"correct": 1, "lumbar": 1})
        frames = {frame.file_name: frame for frame in read_coco(done.folder / "annotations.json").frames}
        assert frames[NAMES[0]].description == "gerade, ruhig" and frames["d.png"].label is None
        assert sorted(p.relative_to(done.folder / "images").as_posix() for p in done.folder.rglob("*.png")) == sorted(
            frames
        )
        assert "review.csv does not keep, left out (1): b.png" in (done.folder / NOTES).read_text(encoding="utf-8")

    def test_names_of_a_folder_of_pictures_fit_the_labels_made_of_it(self, tmp_path):
        folder = tmp_path / "jump 1"
        path = labels(folder, ["000001.png", "000002.png"])
        review = Review(find_pictures(folder / "images"), tmp_path / "review.csv")
        assert [each.frame.file_name for each in review.pictures] == ["images/000001.png", "images/000002.png"]
        assert review.skeleton is None
        review.decide(1, Decision(False))
        done = import_labels(path, name="club", root=tmp_path / "raw", label_table=review.table)
        assert done.frames == 1

    def test_a_table_that_keeps_nothing_is_refused(self, tmp_path):
        path = labels(tmp_path / "set", ["a.png"])
        (tmp_path / "t.csv").write_text("frame_path,label,keep\na.png,,no\n")
        with pytest.raises(BadInput, match="keeps none of the pictures"):
            import_labels(path, name="club", root=tmp_path / "raw", label_table=tmp_path / "t.csv")
        assert not (tmp_path / "raw/club").exists()


class TestSources:
    def test_real_labels_of_tools(self, shared):
        found = find_pictures(shared / "form/lumbar")
        assert len(found.pictures) == 205 and found.skeleton is not None and len(found.skeleton) == 17
        assert all(each.path.is_file() for each in found.pictures)
        named = [[found.skeleton.joints[joint] for joint in bone] for bone in found.skeleton.bones]
        assert ["Left knee", "Left ankle"] in [[name.capitalize() for name in bone] for bone in named]  # of coco17
        flops = find_pictures(shared / "flops/annotations.json", shared / "flops/images")
        assert len(flops.pictures) == 27

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("absent", "does not exist"),
            ("empty", "holds no pictures"),
            ("text.txt", "holds no labels that can be read"),
        ],
    )
    def test_what_holds_nothing(self, tmp_path, name, problem):
        (tmp_path / "empty").mkdir()
        (tmp_path / "text.txt").write_text("hello")
        with pytest.raises(BadInput, match=problem):
            find_pictures(tmp_path / name)

    def test_labels_without_their_pictures(self, tmp_path):
        path = labels(tmp_path / "set", ["a.png"])
        (tmp_path / "set/images/a.png").unlink()
        with pytest.raises(BadInput, match="none of its 1 pictures"):
            find_pictures(path)


def start(folder: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    """`fosbury review` of the set in a folder, and the address that it prints."""
    command = [sys.executable, "-m", "fosbury.cli", "review", "set", "--no-browser", *more]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background ignore it
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, bufsize=1)
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("http://"):
            return process, line.strip()
    raise AssertionError("the command ended")


def test_a_review_that_is_killed_goes_on_where_it_was(tmp_path):
    labels(tmp_path / "set")
    process, address = start(tmp_path)
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.netloc)
    headers = {"X-Fosbury-Token": place.path.strip("/"), "Content-Type": "application/json"}
    for index in range(3):
        body = json.dumps(decision(keep=index != 1, label="correct", note=f"note {index}"))
        connection.request("POST", f"{place.path}decide/{index}", body, headers)
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process, _ = start(tmp_path)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 0 and "review.csv: 2 kept, 1 dropped, 1 open" in said
    assert [row["note"] for row in rows(tmp_path / "review.csv")] == ["note 0", "note 1", "note 2"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["review.csv", "set"]


def test_the_command_answers_bad_input_in_a_sentence(tmp_path):
    labels(tmp_path / "set")
    for arguments, problem in (
        (["review", str(tmp_path / "nowhere")], "does not exist"),
        (["review", str(tmp_path / "set"), "-o", str(tmp_path)], "is a folder"),
        (["review", str(tmp_path / "set"), "--images", str(tmp_path / "no")], "is not a folder"),
    ):
        done = CliRunner().invoke(app, [*arguments, "--no-browser"])
        assert done.exit_code == 2 and problem in done.output
    with ReviewServer(Review(find_pictures(tmp_path / "set"), tmp_path / "r.csv")) as taken:
        port = str(taken.server_port)
        done = CliRunner().invoke(app, ["review", str(tmp_path / "set"), "--port", port, "--no-browser"])
    assert done.exit_code == 2 and "cannot be used" in done.output


@pytest.fixture
def page() -> Iterator[Page]:
    browser = find_browser()
    if browser is None:
        pytest.skip("needs a Chromium")
    with Page(browser) as opened:
        yield opened


def test_a_person_goes_through_the_pictures_with_the_keyboard(server, tmp_path, page):
    table = tmp_path / "review.csv"
    page.open(server.url)
    page.wait("document.querySelectorAll('#strip img').length == 4")
    page.wait("document.getElementById('picture').naturalWidth == 60")
    assert page.ask("document.querySelectorAll('#pose circle').length") == 4
    page.press("j")
    assert page.ask("document.querySelectorAll('#pose circle').length") == 0
    page.press("l")
    page.write("correct")
    page.press("Enter")
    page.press("e")
    page.write("ruhig & gerade <b>")
    page.press("Escape")
    page.press("ArrowRight")
    page.press("1")
    page.press("ArrowRight")
    page.press("d")
    page.wait("document.getElementById('saved').textContent == 'saved'")
    assert [tuple(row.values()) for row in rows(table)] == [
        (NAMES[0], "correct", "ruhig & gerade <b>", "yes", ""),
        ("b.png", "correct", "", "yes", ""),
        (NAMES[2], "", "", "no", ""),
    ]
    assert page.ask("document.getElementById('name').textContent") == "d.png"
    page.press("t")
    page.write("still typing")  # no key ends it: it is saved all the same
    page.wait("document.getElementById('saved').textContent == 'saved' && decisions[3].note")
    assert rows(table)[3]["note"] == "still typing"
    page.press("Escape")
    page.press("ArrowLeft")
    assert page.ask("document.getElementById('name').textContent") == NAMES[2]
    page.ask("window.prompt = () => 'straight back'")
    page.ask("document.querySelector('[aria-label=\"rename correct\"]').click()")
    page.wait("document.querySelector('#labels .pick').textContent.includes('straight back (2)')")
    assert [row["label"] for row in rows(table)] == ["straight back", "straight back", "", ""]
    page.press("u")
    assert page.ask("document.getElementById('name').textContent") == "d.png"
    assert page.complaints() == []


def test_the_page_says_when_nothing_is_saved_and_opens_where_it_was(tmp_path, page):
    path, table = labels(tmp_path / "set"), tmp_path / "review.csv"
    with serving(Review(find_pictures(path), table)) as server:
        page.open(server.url)
        page.wait("document.querySelectorAll('#strip img').length == 4")
        page.press("k")
        page.wait("document.getElementById('saved').textContent == 'saved'")
    with serving(Review(find_pictures(path), table)) as server:
        page.open(server.url)
        page.wait("document.querySelectorAll('#strip img').length == 4")
        assert page.ask("document.getElementById('name').textContent") == "b.png"
        table.write_text("frame_path,label\n")
        page.press("k")
        page.wait("!document.getElementById('problem').hidden")
        assert "changed by another program" in page.ask("document.getElementById('problem').textContent")
