"""The page about a run: what stands in it, that it needs nothing else, and that a browser shows it."""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shutil
import subprocess
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import vl_convert
from dvc_render import render_html
from dvc_render.vega import VegaRenderer
from test_compare import dataset, off

from fosbury.media.image import write_image
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.paired import verdicts
from fosbury.pose import Dataset
from fosbury.report.charts import bars, dvc_templates
from fosbury.report.compare import Comparison
from fosbury.report.compare_page import page as compare_page
from fosbury.report.html import VEGA_LITE, table, vega
from fosbury.report.html import markdown as html_of
from fosbury.report.page import Run, digest, page
from fosbury.report.plot_templates import FOLDER, PAGE
from fosbury.report.shots import group_errors, select_frames

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
QUIET = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
STICKING_OUT = """[...document.querySelectorAll('body *')].filter(each=>{const box=each.getBoundingClientRect();
const head=each.closest('thead');if(head&&head.getBoundingClientRect().width<=1)return false;
return box.width>1&&(box.right>document.documentElement.clientWidth+1||box.left<-1)
}).map(each=>each.outerHTML.slice(0,80))"""
BAR = """(()=>{const bar=document.querySelector('[data-part="by_phase"] .mark-rect path');
bar.scrollIntoView({block:'center'});
const box=bar.getBoundingClientRect();return [box.x+box.width/2,box.y+box.height/2]})()"""


@pytest.fixture(scope="module")
def made(skeletons, tmp_path_factory) -> tuple[Run, Path]:
    root = tmp_path_factory.mktemp("page")
    data = dataset(skeletons["coco17"], clips=8)
    named = replace(data, frames=tuple(replace(f, file_name=f"<i>{f.video}/{f.frame}.png") for f in data.frames))
    for frame in named.frames:
        (root / frame.file_name).parent.mkdir(parents=True, exist_ok=True)
        write_image(root / frame.file_name, np.full((200, 200, 3), 90, np.uint8))
    return run_of(named, root), root


@pytest.fixture(scope="module")
def compared(skeletons) -> Comparison:
    data = dataset(skeletons["coco17"], clips=8)
    sides = [(evaluate(data, off(data, pixels)),) for pixels in (6.0, 4.0)]
    names = ("main", "a-branch-with-a-long-name")
    found = {names[1]: verdicts(*sides)}
    return Comparison(names, tuple((name,) for name in names), {"train.lr0": [0.1, 0.2]}, data, tuple(sides), found, ())


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


def specifications(text: str) -> list[dict]:
    found = re.findall(r'<figure class="chart".*?<script type="application/json">(.*?)</script>', text, re.DOTALL)
    return [json.loads(each) for each in found]


def test_it_holds_everything_and_needs_nothing(made):
    text = page(*made)
    run = made[0]
    before = run.evaluations["baseline"]
    error = before.group_metrics(before.phase == "arch").error_mm
    assert f"arch: before {error:.0f} mm" in text
    assert "Of these two trained models, after is better than before" in text and "another seed may change" in text
    assert "Jitter, median" in text and "told where they are" in text
    assert text.count(vega()) == 1
    plain = re.sub(r"<script>.*?</script>|base64,[^\"]+", "", text, flags=re.DOTALL)
    assert {start[:5] for start in re.findall(r"(?:src|href)=\"([^#].{4}|#)", plain)} == {"#", "data:"}
    assert "http" not in plain.replace('"$schema":"https://vega.github.io', "")
    assert text.count("data:image/jpeg;base64,") == 4 * text.count("<div data-shot=")
    assert len(specifications(text)) == 6
    assert 'data-label="images">30</td>' in text and digest(run.files["model.pt"]) in text
    assert "<i>" not in text and "&lt;i&gt;" in text


def test_the_same_run_gives_the_same_bytes(made):
    assert page(*made) == page(*made)


def test_a_page_stays_small(made):
    assert len(page(*made).encode()) < 4_000_000


def test_the_contents_bar_leads_somewhere(made):
    text = page(*made)
    links, places = re.findall(r'href="#([^"]+)"', text), re.findall(r'<section id="([^"]+)"', text)
    assert links == places and len(set(places)) == len(places) == 10


def test_a_chart_is_drawn_and_is_a_table_without_javascript(made):
    text = page(*made)
    figures = re.findall(r'<figure class="chart".*?</figure>', text, re.DOTALL)
    for figure, specification in zip(figures, specifications(text), strict=True):
        assert specification["description"] in figure
        alternative = figure[figure.index("<details open>") :]
        rows = [row for row in specification["data"]["values"] if row["model"] != "as it should be"]
        value = next(name for name in ("error_mm", "val_error_mm", "right") if name in rows[0])
        for row in rows:
            assert f"{row[value]:.{3 if value == 'right' else 1}f}" in alternative
        drawn = vl_convert.vegalite_to_svg({**specification, "width": 600}, vl_version=VEGA_LITE)
        if value == "error_mm":
            assert drawn.count('aria-roledescription="bar"') == len(rows)
        else:
            models = {row["model"] for row in specification["data"]["values"]}
            assert drawn.count('class="mark-line role-mark lines_marks"') == len(models)
    assert text.count("<details open>") == len(figures) == 6
    assert re.findall(r"<[^>]* hidden>", text) == ['<div class="choose" id="choose" hidden>']  # every frame is shown


def test_a_mark_says_what_it_stands_for(made):
    for specification in specifications(page(*made)):
        shown = [layer["encoding"]["tooltip"] for layer in specification["layer"] if "tooltip" in layer["encoding"]]
        assert {"side", "shown", "low", "high"} <= {each["field"] for each in shown[0]}


def test_label_noise_is_a_line_in_the_charts(made):
    run, root = made
    plain, noisy = (specifications(page(replace(run, label_noise_mm=noise), root)) for noise in (None, 27.0))
    assert ["label noise, 27 mm" in json.dumps(each) for each in noisy] == [True, *[False] * 4, True]
    assert not any("label noise" in json.dumps(each) for each in plain)


def test_the_line_of_label_noise_is_in_sight():
    rows = [{"phase": "arch", "model": "finetuned", "error_mm": 15.0}]
    chart = bars(rows, group="phase", value="error_mm", title="t", labels=("a", "b"), levels={"label noise": 29.0})
    compiled = vl_convert.vegalite_to_svg({**chart, "width": 600}, vl_version=VEGA_LITE)
    assert "label noise" in compiled and ">30<" in compiled


@pytest.mark.parametrize("models", [["finetuned"], ["baseline", "finetuned"]])
def test_the_name_of_a_line_stands_above_the_first_bar(models):
    rows = [{"phase": phase, "model": model, "error_mm": 60.0} for phase in ("approach", "arch") for model in models]
    chart = bars(rows, group="phase", value="error_mm", title="t", labels=("a", "b"), levels={"label noise": 29.0})
    compiled = vl_convert.vegalite_to_svg({**chart, "width": 600}, vl_version=VEGA_LITE)
    baseline = float(re.search(r"translate\([\d.]+,([\d.]+)\)[^>]*>label noise<", compiled)[1])
    tops = [float(top) for top in re.findall(r'="bar" d="M0,([\d.]+)h', compiled)]
    assert len(tops) == 2 * len(models) and baseline + 3 <= min(tops)  # of letters 11 px high, 3 are below it


def test_every_bar_has_frames_the_worst_first(made):
    run, _ = made
    tuned = run.evaluations["finetuned"]
    chosen = list(select_frames(run.test, tuned))
    groups = group_errors(run.evaluations, chosen)
    assert set(groups) == {f"{part}/{name}" for part, masks in tuned.groups().items() for name in masks}
    for key, shots in groups.items():
        part, name = key.split("/")
        errors = dict(zip(*tuned.frame_errors(tuned.groups()[part][name]), strict=True))
        assert shots and [shot[2] for shot in shots] == sorted((shot[2] for shot in shots), reverse=True)
        assert all(shot[2] == pytest.approx(errors[chosen[shot[0]]], abs=0.06) for shot in shots)
        assert max(errors.values()) == pytest.approx(shots[0][2], abs=0.06)


def test_a_narrow_screen_gets_each_cell_with_its_heading():
    by_hand = table(("joint", "a & b"), [("knee", "1.0 [0.5, 1.5]")], "knee")
    assert 'data-label="a &amp; b">1.0 [0.5,\N{NO-BREAK SPACE}1.5]</td>' in by_hand and 'class="bold"' in by_hand
    read = html_of("| joint | a & b |\n| --- | ---: |\n| knee <i> | 2 |\n")
    assert '<th scope="row" role="rowheader">knee &lt;i&gt;</th><td role="cell" data-label="a &amp; b">2</td>' in read


# dvc plots


def test_dvc_plots_draws_the_same_charts(tmp_path):
    for name, template in dvc_templates().items():
        assert json.loads((ROOT / FOLDER / f"{name}.json").read_text()) == template, (
            "run python -m fosbury.report.plot_templates"
        )
    for name, x, y in (("fosbury_bars", "error_mm", "phase"), ("fosbury_line", "epoch", "val_error_mm")):
        html = plotted(tmp_path, name, x, y)
        assert "<DVC_METRIC" not in html and "cdn.jsdelivr" not in html
        specification = json.loads(re.search(r"var spec = (\{.*\});\n", html)[1])
        drawn = vl_convert.vegalite_to_svg(specification, vl_version=VEGA_LITE)
        assert drawn.count('class="mark-rect role-mark' if x == "error_mm" else 'class="mark-line role-mark') >= 1


def test_the_page_of_dvc_plots_holds_vega():
    text = (ROOT / FOLDER / PAGE).read_text()
    packed = re.search(r'id="vega">([^<]*)<', text)[1]
    assert zlib.decompress(base64.b64decode(packed)).decode() == vega(), "run python -m fosbury.report.plot_templates"
    assert "{plot_divs}" in text and "src=" not in text
    settings = (ROOT / ".dvc/config").read_text()
    assert "html_template = plots/page.html" in settings


def plotted(folder: Path, name: str, x: str, y: str) -> str:
    """What ``dvc plots show`` writes of a file of metrics/, for two revisions."""
    file = {"phase": "by_phase.csv", "val_error_mm": "train.csv"}[y]
    with (ROOT / "metrics" / file).open() as source:
        rows = list(csv.DictReader(source))
    data = [{**row, "rev": revision} for revision in ("main", "mine") for row in rows]
    plot = VegaRenderer(data, file, template=name, template_dir=str(ROOT / FOLDER), x=x, y=y, title="A title")
    return render_html([plot], folder / f"{name}.html", html_template=ROOT / FOLDER / PAGE).read_text()


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


@NEEDS_CHROMIUM
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it(made, tmp_path, width):
    file = tmp_path / "index.html"
    file.write_text(page(*made))
    with _Browser(tmp_path / "user", file.as_uri(), width) as browser:
        assert browser.value("drawn.then(() => document.querySelectorAll('figure.chart .plot svg').length)") == 6
        assert (
            browser.value(
                "[...document.querySelectorAll('figure.chart')].map(each => each.dataset.failed).filter(Boolean)"
            )
            == []
        )
        browser.value("document.querySelectorAll('details').forEach(each => { each.open = true })")
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(STICKING_OUT) == []
        assert browser.value("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")


@NEEDS_CHROMIUM
def test_a_bar_tells_its_figures_and_a_click_shows_its_frames(made, tmp_path):
    file = tmp_path / "index.html"
    file.write_text(page(*made))
    with _Browser(tmp_path / "user", file.as_uri()) as browser:
        browser.value("drawn.then(() => true)")
        x, y = browser.value(BAR)
        browser.mouse("mouseMoved", x, y)
        while not browser.value("document.querySelector('#vg-tooltip-element.visible')?.textContent"):
            time.sleep(0.05)
        said = browser.value("document.querySelector('#vg-tooltip-element').textContent")
        assert "approach" in said and "before" in said and "from" in said
        for kind in ("mousePressed", "mouseReleased"):
            browser.mouse(kind, x, y)
        assert browser.value("group.value") == "by_phase/approach"
        shown = browser.value("shots.filter(each => !each.hidden).map(each => each.dataset.shot)")
        assert len(shown) == 1 and shown[0].startswith("approach, ")
        assert browser.value("document.activeElement.id") == "slider"


@NEEDS_CHROMIUM
def test_the_keyboard_chooses_frames(made, tmp_path):
    file = tmp_path / "index.html"
    file.write_text(page(*made))
    with _Browser(tmp_path / "user", file.as_uri()) as browser:
        browser.value("drawn.then(() => true)")
        shown = "JSON.parse(document.getElementById('groups').textContent).frames[group.value].findIndex("
        shown += "each => !shots[each[0]].hidden)"
        assert browser.value(shown) == 0 and browser.value("group.value") == "by_phase/arch"
        last, focused = browser.value("+slider.max"), []
        while "slider" not in focused:
            browser.press("Tab")
            focused.append(browser.value("document.activeElement.id || document.activeElement.tagName"))
            assert len(focused) < 40, focused
        assert focused.count("A") == 10 and "SUMMARY" in focused and "group" in focused
        for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("Home", 0)):
            browser.press(key)
            assert browser.value(shown) == place, key
        assert browser.value("getComputedStyle(slider).outlineStyle") == "solid"  # one sees where one is


@NEEDS_CHROMIUM
def test_a_browser_shows_what_dvc_plots_without_a_network(tmp_path):
    plotted(tmp_path, "fosbury_bars", "error_mm", "phase")
    with _Browser(tmp_path / "user", (tmp_path / "fosbury_bars.html").as_uri()) as browser:
        assert browser.value("unpacked.then(() => true)")
        while not browser.value("document.querySelectorAll('.mark-rect path').length"):
            time.sleep(0.05)


@NEEDS_CHROMIUM
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_a_comparison(compared, tmp_path, width):
    (tmp_path / "index.html").write_text(compare_page(compared))
    with _Browser(tmp_path / "user", (tmp_path / "index.html").as_uri(), width) as browser:
        assert browser.value("drawn.then(() => document.querySelectorAll('figure.chart .plot svg').length)") == 4
        assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.value(STICKING_OUT) == []


class _Browser:
    """Chromium with one page, driven through a pair of pipes (DevTools protocol)."""

    CODES: ClassVar = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}

    def __init__(self, user: Path, address: str, width: int = 1200):
        (theirs_in, self.out), (self.back, theirs_out) = os.pipe(), os.pipe()

        def wire() -> None:
            os.dup2(theirs_in, 3)
            os.dup2(theirs_out, 4)

        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *QUIET, OFFLINE, "--remote-debugging-pipe"]
        command += [f"--user-data-dir={user}", "about:blank"]
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(command, preexec_fn=wire, pass_fds=(3, 4), stdout=quiet, stderr=quiet)
        os.close(theirs_in)
        os.close(theirs_out)
        self.count, self.rest, self.session = 0, b"", None
        self.address, self.width = address, width

    def __enter__(self) -> _Browser:
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            self.call("Emulation.setFocusEmulationEnabled", enabled=True)
            size = {"width": self.width, "height": 900, "deviceScaleFactor": 1, "mobile": self.width < 600}
            self.call("Emulation.setDeviceMetricsOverride", **size)
            self.call("Page.navigate", url=self.address)
            while not self.value("location.protocol === 'file:' && document.readyState === 'complete'"):
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
            answer = json.loads(message)
            if answer.get("id") == self.count:
                assert "result" in answer, answer
                return answer["result"]

    def value(self, expression: str) -> object:
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def mouse(self, kind: str, x: float, y: float) -> None:
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

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
