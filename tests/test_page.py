"""The page about a run: what stands in it, that it needs nothing else, and that a browser shows it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from test_compare import dataset, off

from fosbury.media.image import write_image
from fosbury.metrics.evaluation import evaluate
from fosbury.pose import Dataset
from fosbury.report import charts
from fosbury.report.page import Run, digest, page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update")
PROBE = (
    "<script>document.documentElement.dataset.wide=document.documentElement.scrollWidth;"
    "slider.value=1;slider.dispatchEvent(new Event('input'));"
    "document.documentElement.dataset.shown=shots.filter(each=>!each.hidden).map(each=>shots.indexOf(each))</script>"
)


@pytest.fixture(scope="module")
def made(skeletons, tmp_path_factory) -> tuple[Run, Path]:
    root = tmp_path_factory.mktemp("page")
    data = dataset(skeletons["coco17"], clips=8)
    named = replace(data, frames=tuple(replace(f, file_name=f"<i>{f.video}/{f.frame}.png") for f in data.frames))
    for frame in named.frames:
        (root / frame.file_name).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / frame.file_name, np.full((200, 200, 3), 90, np.uint8))
    return run_of(named, root), root


def run_of(data: Dataset, root: Path) -> Run:
    arch = np.array([frame.phase == "arch" for frame in data.frames])
    poses = {"baseline": off(data, np.where(arch, 30.0, 3.0)), "finetuned": off(data, 4.0), "coreml": off(data, 4.5)}
    (root / "model.pt").write_bytes(b"weights")
    return Run(
        data,
        {name: evaluate(data, own, ap=False) for name, own in poses.items()},
        poses,
        "epoch,val_error_mm\n1,300\n2,200\n",
        "# Data set\n\n| split | images |\n| --- | ---: |\n| test | 30 |\n",
        {"model.pt": root / "model.pt", "absent": root / "absent"},
        ("the models were told where they are",),
    )


def test_it_holds_everything_and_needs_nothing(made):
    text = page(*made)
    run = made[0]
    before = run.evaluations["baseline"]
    error = before.group_metrics(before.phase == "arch").error_mm
    assert f"arch: before {error:.0f} mm" in text
    assert "Of these two trained models, after is better than before" in text and "another seed may change" in text
    assert "Jitter, median" in text and "told where they are" in text
    assert set(re.findall(r"(?:src|href)=(.{5})", text)) == {'"data'}
    assert "http" not in re.sub(r"base64,[^\"]+", "", text)
    assert text.count("data:image/jpeg;base64,") == 4 * text.count("data-shot=")
    assert text.count("data:image/svg+xml;base64,") == 6
    assert "<td>test</td>" in text and digest(run.files["model.pt"]) in text
    assert "<i>" not in text and "&lt;i&gt;" in text


def test_the_same_run_gives_the_same_bytes(made):
    assert page(*made) == page(*made)


def test_label_noise_is_a_line_in_the_charts(made):
    run, root = made
    plain, noisy = page(run, root), page(replace(run, label_noise_mm=27.0), root)
    drawn = [base64.b64decode(data).decode() for data in re.findall(r"svg\+xml;base64,([^\"]+)", noisy)]
    assert ["label noise, 27 mm" in chart for chart in drawn] == [True, *[False] * 4, True]
    assert "label noise" not in base64.b64decode("".join(re.findall(r"svg\+xml;base64,([^\"]+)", plain)[:1])).decode()


def test_the_line_of_label_noise_is_in_sight(monkeypatch):
    seen = []
    monkeypatch.setattr(charts, "_image", lambda figure, axes, title: seen.append(axes.get_ylim()) or "")
    charts.lines("t", {"a": ([1, 2], [20.0, 15.0])}, "x", "mm", floor=29.0)
    assert seen[0][0] == 0 and seen[0][1] > 29


def test_it_tells_the_time_of_take_off(made):
    run, root = made
    found = {name: own.to_json()["takeoff"] for name, own in run.evaluations.items()}
    before, after, labels = (
        f"{share:.0%}"
        for share in (
            found["baseline"]["predicted_within"],
            found["finetuned"]["predicted_within"],
            found["finetuned"]["labelled_within"],
        )
    )
    said = f"before {before}, after {after} of 8 clips (by the labelled joints {labels})"
    assert "Frame of take-off" in page(run, root) and said in page(run, root)


def test_one_clip_is_no_evidence(skeletons, tmp_path):
    data = dataset(skeletons["coco17"], clips=1)
    for frame in data.frames:
        (tmp_path / frame.file_name).parent.mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / frame.file_name, np.full((200, 200, 3), 90, np.uint8))
    text = page(run_of(data, tmp_path), tmp_path)
    assert "intervals are over the 5 frames of one clip" in text


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [500, 1200])  # a headless window is never narrower
def test_a_browser_shows_it(made, tmp_path, width):
    file = tmp_path / "index.html"
    file.write_text(page(*made).replace("</body>", f"{PROBE}</body>"))
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, f"--user-data-dir={tmp_path / 'user'}"]
    command += [f"--window-size={width},900", "--dump-dom", file.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(re.search(r'data-wide="(\d+)"', dom)[1]) <= width  # nothing sticks out
    assert re.search(r'data-shown="1"', dom)  # the slider shows one frame, the one that it is moved to
    assert 'id="slider"' in dom and "hidden" not in re.search(r"<input id=\"slider\"[^>]*>", dom)[0]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_the_keyboard_moves_the_slider(made, tmp_path):
    file = tmp_path / "index.html"
    file.write_text(page(*made))
    with _Browser(tmp_path / "user", file.as_uri()) as browser:
        shown = "shots.findIndex(each => !each.hidden)"
        assert browser.value(shown) == 0
        last = browser.value("shots.length") - 1
        for _ in range(3):  # tables that are wider than the window take the focus, too
            if browser.value("document.activeElement.id") != "slider":
                browser.press("Tab")
        for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("Home", 0)):
            browser.press(key)
            assert browser.value(shown) == place, key
        assert browser.value("getComputedStyle(slider).outlineStyle") == "solid"  # one sees where one is


class _Browser:
    """Chromium with one page, told what to do through a pair of pipes (DevTools protocol)."""

    CODES: ClassVar = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}

    def __init__(self, user: Path, address: str):
        (theirs_in, self.out), (self.back, theirs_out) = os.pipe(), os.pipe()

        def wire() -> None:
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, "--remote-debugging-pipe"]
        command += [f"--user-data-dir={user}", "about:blank"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, preexec_fn=wire, pass_fds=(3, 4), stdout=quiet, stderr=quiet)
        os.close(theirs_in)
        os.close(theirs_out)
        self.count, self.rest, self.session = 0, b"", None
        self.address = address

    def __enter__(self) -> _Browser:
        try:
            target = self.call("Target.createTarget", url=self.address)["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.call("Emulation.setFocusEmulationEnabled", enabled=True)
            while not self.value("document.readyState === 'complete' && typeof shots !== 'undefined'"):
                time.sleep(0.05)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.back)

    def call(self, method: str, **params: object) -> dict:
        self.count += 1
        asked = {"id": self.count, "method": method, "params": params}
        os.write(self.out, json.dumps(asked | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                got = os.read(self.back, 1 << 16)
                assert got, "the browser is gone"
                self.rest += got
            message, _, self.rest = self.rest.partition(b"\0")
            told = json.loads(message)
            if told.get("id") == self.count:
                assert "result" in told, told
                return told["result"]

    def value(self, expression: str) -> object:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def press(self, key: str) -> None:
        code = {"key": key, "code": key, "windowsVirtualKeyCode": self.CODES[key]}
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **code)


def test_a_folder_has_one_digest(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.bin").write_bytes(b"1")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    (tmp_path / "b/y.bin").write_bytes(b"")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


def test_page_says_what_an_app_without_labels_would_get(made):
    run, root = made
    assert "Unaided" not in page(run, root)
    found = {name: evaluate(run.test, own, ap=False, unaided=0.25) for name, own in run.poses.items()}
    said = page(replace(run, evaluations=found), root)
    errors = {name: own.by_phase()["arch"].error_mm_unaided for name, own in found.items()}
    assert f"kept: before {errors['baseline']:.0f} mm; after {errors['finetuned']:.0f} mm" in said
