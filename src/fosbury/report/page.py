"""One HTML page about a run, with everything in it: no network, no other file, no clock."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from PIL import Image

from fosbury.metrics.evaluation import EVERY, Evaluation
from fosbury.metrics.paired import verdicts
from fosbury.pose import Dataset, Pose
from fosbury.report.charts import bars, lines
from fosbury.report.montage import cells, choose_frames
from fosbury.report.table import kind_rows, markdown_table, rendered
from fosbury.report.verdict import VERDICT, sentence, verdict_cells

WORST, TYPICAL = 9, 6  # frames in the slider
QUALITY = 78
PACKAGES = ("dvc", "numpy", "onnxruntime", "coremltools", "opencv-python-headless", "torch", "ultralytics", "mmpose")
PARTS = {
    "by_phase": "phase",
    "by_joint": "joint",
    "by_tilt": "trunk tilt in degrees",
    "by_visibility": "visibility of the joint",
}
NAMES = {"baseline": "before", "finetuned": "after", "onnx": "ONNX", "coreml": "CoreML"}

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem;color:#111;background:#fff}
h1{margin:.2em 0}h2{margin:2rem 0 .3rem;border-top:2px solid #111;padding-top:.5rem}
p.lead{font-size:1.3rem}section>div{overflow-x:auto}
table{border-collapse:collapse;margin:.5rem 0;font-size:.9rem}
td,th{border-bottom:1px solid #999;padding:.15rem .6rem;text-align:right;white-space:nowrap}
td:first-child,th:first-child{text-align:left}
img.chart{width:100%;max-width:46rem;height:auto;display:block;margin:.7rem 0}
figure{margin:.5rem 0}figure img{max-width:100%;height:auto;display:block;border:1px solid #111}
.shots{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.4rem}
.shots figcaption{font-size:.85rem}input[type=range]{width:100%;height:2rem}
input:focus-visible,a:focus-visible{outline:3px solid #1f4e8c}
@media print{input{display:none}[hidden]{display:block!important}}
"""
SCRIPT = """
const shots=[...document.querySelectorAll('[data-shot]')],slider=document.getElementById('slider');
function show(){shots.forEach((each,place)=>{each.hidden=place!==+slider.value});
slider.setAttribute('aria-valuetext',shots[+slider.value].dataset.shot)}
if(slider){slider.hidden=false;slider.addEventListener('input',show);show()}
"""


@dataclass(frozen=True, eq=False)
class Run:
    """What a pipeline left behind, as the page needs it.

    Attributes
    ----------
    test : Dataset
    evaluations : dict of str to Evaluation
        By model, ``baseline`` and ``finetuned`` among them.
    poses : dict of str to list of list of Pose
    curve : str
        Learning curve, CSV.
    data : str
        What the data set consists of, Markdown.
    files : dict of str to Path
        Files and folders whose hash the page tells.
    notes : tuple of str
        What was said when the models were measured.
    label_noise_mm : float or None
        Error of a model without error on such labels, over all joints; see ``metrics.agreement``.
    seeds : str or None
        How far trainings with other seeds are apart.
    """

    test: Dataset
    evaluations: dict[str, Evaluation]
    poses: dict[str, list[list[Pose]]]
    curve: str
    data: str
    files: dict[str, Path]
    notes: tuple[str, ...] = ()
    label_noise_mm: float | None = None
    seeds: str | None = None


def page(run: Run, root: Path) -> str:
    """Build the page.

    Parameters
    ----------
    run : Run
    root : Path
        Folder that the frames' ``file_name`` is relative to.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    BadInput
        If a picture cannot be read.
    """
    figures = {name: own.to_json() for name, own in run.evaluations.items()}
    both = {name: figures[name] for name in ("baseline", "finetuned")}
    found = verdicts([run.evaluations["baseline"]], [run.evaluations["finetuned"]])
    arch = next((each for each in found if each.name == "arch"), found[0])
    notes = dict.fromkeys([*run.notes, *(note for own in run.evaluations.values() for note in own.notes)])
    parts = [
        "<h1>Joint error in the arch, before and after fine-tuning</h1>",
        f'<p class="lead">{html.escape(_lead(figures, arch.name))}</p>',
        _unaided(figures, arch.name),
        f"<p>{html.escape(sentence(arch, 'before', 'after').capitalize())}.</p>",
        f"<p>{html.escape(run.seeds)}.</p>" if run.seeds else "",
        _section("By phase", rendered(markdown_table(figures)) + _list(notes)),
        _section("Look", _slider(run, root)),
        _section("Where the error is", "".join(_bars(part, both, run.label_noise_mm) for part in PARTS)),
        _section("Told from chance?", _verdict_table(found)),
        _section("Kinds of mistakes", _kinds(figures, "arch" if "arch" in figures["finetuned"]["kinds"] else "all")),
        _section("Angles", _angles(both)),
        _section("Does the confidence mean anything?", _calibration(figures)),
        _section("Learning curve", _learning(run.curve, run.label_noise_mm)),
        _section("Data", rendered(run.data.replace("# Data set", "", 1))),
        _section("Made with", _made(run.files)),
    ]
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Joint error in the arch</title><style>{STYLE}</style>"
    )
    body = "".join(parts)
    return (
        f'<!doctype html><html lang="en"><head>{head}</head><body><main>{body}</main>'
        f"<script>{SCRIPT}</script></body></html>\n"
    )


def _lead(figures: Mapping[str, Mapping[str, Any]], phase: str) -> str:
    said = []
    for name, own in figures.items():
        part = own["by_phase"].get(phase, own)
        ends = part["ci"]["error_mm"]
        said.append(
            f"{NAMES.get(name, name)} {part['error_mm']:.0f} mm" + (f" [{ends[0]:.0f}, {ends[1]:.0f}]" if ends else "")
        )
    return f"{phase if phase != 'all' else 'all frames'}: " + "; ".join(said)


def _unaided(figures: Mapping[str, Mapping[str, Any]], phase: str) -> str:
    parts = {name: own["by_phase"].get(phase, own)["error_mm_unaided"] for name, own in figures.items()}
    said = "; ".join(f"{NAMES.get(name, name)} {error:.0f} mm" for name, error in parts.items() if error is not None)
    if not said:
        return ""
    what = "The labelled box chose the athlete among the people found. Unaided, with the best-scored person kept"
    return f"<p>{html.escape(f'{what}: {said}')}.</p>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2><div>{content}</div></section>"


def _list(lines_: Sequence[str] | Mapping[str, None]) -> str:
    return "".join(f"<p>Note: {html.escape(line)}</p>" for line in lines_)


def _slider(run: Run, root: Path) -> str:
    choices = choose_frames(run.test, run.evaluations["finetuned"], typical=TYPICAL, worst=WORST)
    choices = sorted(choices, key=lambda choice: choice.kind == "typical")
    if not choices:
        return "<p>No frame to show.</p>"
    errors = {name: dict(zip(*own.frame_errors(), strict=True)) for name, own in run.evaluations.items()}
    shots = []
    for choice in choices:
        frame = run.test.frames[choice.frame]
        drawn = cells(run.test, root, choice.frame, [own[choice.frame] for own in run.poses.values()])
        captions = ["labelled"]
        captions += [f"{NAMES.get(name, name)}: {errors[name][choice.frame]:.0f} mm" for name in run.poses]
        figures = "".join(
            f'<figure><img src="{_picture(cell)}" alt="{html.escape(caption)}"><figcaption>{html.escape(caption)}'
            "</figcaption></figure>"
            for cell, caption in zip(drawn, captions, strict=True)
        )
        title = html.escape(f"{choice.kind}: {frame.file_name}")
        shots.append(f'<div data-shot="{title}"><p>{title}</p><div class="shots">{figures}</div></div>')
    slider = (
        f'<label>Frames, the worst first<input id="slider" type="range" min="0" max="{len(shots) - 1}" value="0" '
        "hidden></label>"
    )
    legend = "<p>Left: blue, solid. Right: orange, dashed. Ring: label; white line: error.</p>"
    return slider + "".join(shots) + legend


def _picture(cell: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(cell).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _bars(part: str, figures: Mapping[str, Mapping[str, Any]], floor: float | None) -> str:
    groups = list(dict.fromkeys(group for own in figures.values() for group in own[part]))
    series = {
        NAMES[name]: [own[part][group]["error_mm"] if group in own[part] else None for group in groups]
        for name, own in figures.items()
    }
    ends = {
        NAMES[name]: [own[part][group]["ci"]["error_mm"] if group in own[part] else None for group in groups]
        for name, own in figures.items()
    }
    return bars(f"Joint error by {PARTS[part]}", groups, series, ends, floor if part == "by_phase" else None)


def _verdict_table(found: Sequence[Any]) -> str:
    rows = []
    for each in found:
        if each.part not in ("all", "by_phase", "by_joint") or each.units < 2:
            continue
        rows.append((each.name, each.frames, *verdict_cells(each)))
    return _table(("", "frames", *VERDICT), rows) if rows else "<p>One clip says nothing of another.</p>"


def _kinds(figures: Mapping[str, Mapping[str, Any]], phase: str) -> str:
    head = (f"in {phase}", *(f"{NAMES.get(name, name)}{what}" for name in figures for what in (", share", ", mm")))
    rows = kind_rows([own["kinds"][phase] for own in figures.values()])
    return _table(head, rows) + "<p>mm: the part of the mean error that this kind makes.</p>"


def _angles(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Errors of the angles in the arch (or anywhere, without one), of poses that were found; jitter in all frames."""
    own = {name: each["angles"].get("arch", each["angles"][EVERY]) for name, each in figures.items()}
    rows = []
    for angle in dict.fromkeys(angle for each in own.values() for angle in each):
        length = angle == "arch_depth"
        values = [each.get(angle) for each in own.values()]
        texts = [f"{value['error']:.{2 if length else 1}f} ({value['poses']})" if value else "-" for value in values]
        rows.append((f"{angle.replace('_', ' ')}, {'line lengths' if length else 'degrees'}", *texts))
    said = [
        f"{NAMES[name]} {each['jitter']['predicted']:.1f} (labels {each['jitter']['labelled']:.1f})"
        for name, each in figures.items()
        if each["jitter"]
    ]
    jitter = (
        f"<p>Jitter, median acceleration in mm per frame squared: {html.escape('; '.join(said))}.</p>" if said else ""
    )
    table = _table(("mean error (poses found)", *(NAMES[name] for name in figures)), rows)
    return table + jitter + _takeoff(figures)


def _takeoff(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """How near the frame is in which the joints say that the ground was left."""
    own = {NAMES[name]: each["takeoff"] for name, each in figures.items() if each["takeoff"]}
    if not own:
        return ""
    one = next(iter(own.values()))
    shares = [f"{name} {each['predicted_within']:.0%}" for name, each in own.items()]
    said = f"{', '.join(shares)} of {one['clips']} clips (by the labelled joints {one['labelled_within']:.0%})"
    return (
        "<p>Frame of take-off, by shoulders highest above the lower ankle: the last of the phase, or a neighbour of it "
        f"in the set, in {html.escape(said)}.</p>"
    )


def _calibration(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """Before, after, and after with the temperature that the exported files carry."""
    series, said = {}, []
    for name, own in figures.items():
        if name == "coreml":  # of 8 bits, which is another difference
            continue
        where = "arch" if "arch" in own["calibration"] else EVERY
        calibration = own["calibration"][where]
        bins = [each for each in calibration["bins"] if each["joints"]]
        series[NAMES[name]] = [each["confidence"] for each in bins], [each["right"] for each in bins]
        if calibration["ece"] is not None:
            said.append(f"{NAMES[name]} {calibration['ece']:.3f}")
    series["as it should be"] = [0.0, 1.0], [0.0, 1.0]
    chart = lines("Share of joints that are right, by confidence", series, "confidence", "right")
    return (
        chart
        + f"<p>Expected calibration error, {where}: {html.escape('; '.join(said))}. Right: similarity 0.5 or more. "
        "The exported file's is as the temperature has it that it carries, fitted on the validation frames.</p>"
    )


def _learning(curve: str, floor: float | None) -> str:
    rows = list(csv.DictReader(io.StringIO(curve)))
    points = [float(row["epoch"]) for row in rows], [float(row["val_error_mm"]) for row in rows]
    title = "Error on the validation frames that choose the checkpoint"
    return lines(title, {"validation": points}, "epoch", "mm", floor)


def _made(files: Mapping[str, Path]) -> str:
    rows = [(name, digest(path)) for name, path in files.items() if path.exists()]
    packages = []
    for name in PACKAGES:
        try:
            packages.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return _table(("file", "SHA-256"), rows) + _table(("package", "version"), packages)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names, in order."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            total.update(file.relative_to(path).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    def line(tag: str, row: Sequence[object]) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(str(cell))}</{tag}>' for cell in row)}</tr>"

    return f"<table><thead>{line('th', head)}</thead><tbody>{''.join(line('td', row) for row in rows)}</tbody></table>"
