"""One HTML page about a run, with everything in it: no network, no other file, no clock."""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from PIL import Image

from fosbury.metrics.evaluation import EVERY, Evaluation
from fosbury.metrics.paired import Verdict, verdicts
from fosbury.pose import Dataset, Pose
from fosbury.report.charts import NAMES, bars, lines
from fosbury.report.html import Section, chart, document, markdown, table
from fosbury.report.montage import cells
from fosbury.report.shots import group_errors, select_frames
from fosbury.report.table import kind_rows, phase_rows
from fosbury.report.verdict import VERDICT, sentence, too_few, verdict_cells

QUALITY = 75
PACKAGES = ("dvc", "numpy", "onnxruntime", "coremltools", "opencv-python-headless", "torch", "ultralytics", "mmpose")
PARTS = {
    "by_phase": ("phase", "phase"),
    "by_joint": ("joint", "joint"),
    "by_tilt": ("tilt", "trunk tilt in degrees"),
    "by_visibility": ("visibility", "visibility of the joint"),
}
"""Part -> the column that names its groups, and what it is called."""
ERROR = "mean joint error, mm-equivalents"
HELP = (
    "Click a bar to see its frames. Shift and the wheel, or Shift and dragging, zoom; a double click shows all again."
)
HELP_LINES = "Shift and the wheel, or Shift and dragging, zoom; a double click shows all again."

STYLE = """
.shots{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.4rem}
.shots figure{margin:0}.shots figcaption{font-size:.85rem;font-weight:normal}
.shots img{max-width:100%;height:auto;display:block;border:1px solid #111}
.choose{display:grid;grid-template-columns:auto 1fr;gap:.3rem 1rem;align-items:center;max-width:40rem}
.choose[hidden]{display:none}input[type=range]{width:100%;height:2rem;margin:0}select{font:inherit;max-width:100%}
"""
SCRIPT = """
const shots=[...document.querySelectorAll('[data-shot]')],slider=document.getElementById('slider'),
group=document.getElementById('group');
if(slider){
const groups=JSON.parse(document.getElementById('groups').textContent),said=document.getElementById('said');
const show=()=>{
const chosen=groups.frames[group.value],[place,...errors]=chosen[+slider.value];
shots.forEach((shot,number)=>{shot.hidden=number!==place});
said.textContent=group.selectedOptions[0].textContent+', frame '+(+slider.value+1)+' of '+chosen.length+
', the worst first: '+groups.models.map((model,number)=>model+' '+Math.round(errors[number])+' mm').join(', ');
slider.setAttribute('aria-valuetext',said.textContent+'; '+shots[place].dataset.shot)};
const choose=()=>{slider.max=groups.frames[group.value].length-1;slider.value=0;show()};
slider.addEventListener('input',show);group.addEventListener('change',choose);
document.addEventListener('group',event=>{if(!(event.detail in groups.frames))return;
group.value=event.detail;choose();document.getElementById('frames').scrollIntoView();slider.focus({preventScroll:true})});
document.getElementById('choose').hidden=false;choose()}
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
        Files and folders whose hash the page gives.
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
    figures = {name: evaluation.to_json() for name, evaluation in run.evaluations.items()}
    both = {name: figures[name] for name in ("baseline", "finetuned")}
    found = verdicts([run.evaluations["baseline"]], [run.evaluations["finetuned"]])
    focus = run.evaluations["finetuned"].focus
    headline = next((verdict for verdict in found if verdict.name == focus), found[0])
    notes = dict.fromkeys([*run.notes, *(note for each in run.evaluations.values() for note in each.notes)])
    said = (
        f'<p class="lead">{html.escape(_lead(figures, headline.name))}</p>',
        _unaided(figures, headline.name),
        _paragraph(sentence(headline, "before", "after")),
        _paragraph(run.seeds or ""),
    )
    charts = "".join(_bars(part, both, run.label_noise_mm) for part in PARTS)
    kinds = _kinds(figures, focus if focus in figures["finetuned"]["kinds"] else EVERY)
    sections = (
        Section("By phase", _phases(figures, focus) + "".join(_paragraph(f"Note: {note}") for note in notes), "Phases"),
        Section("Where the error is", charts, "Charts"),
        Section("Frames", _frames(run, root)),
        Section("Significant?", _verdict_tables(found, focus)),
        Section("Kinds of mistakes", kinds, "Mistakes"),
        Section("Angles", _angles(both, focus)),
        Section("Does the confidence mean anything?", _calibration(figures, focus), "Confidence"),
        Section("Learning curve", _learning(run.curve, run.label_noise_mm)),
        Section("Data", markdown(run.data.replace("# Data set", "", 1))),
        Section("Made with", _made(run.files)),
    )
    return document(
        f"Joint error in the {focus}, before and after fine-tuning", "".join(said), sections, style=STYLE, script=SCRIPT
    )


def _lead(figures: Mapping[str, Mapping[str, Any]], phase: str) -> str:
    said = []
    for name, figure in figures.items():
        part = figure["by_phase"].get(phase, figure)
        interval = part["ci"]["error_mm"]
        behind = f" [{interval[0]:.0f}, {interval[1]:.0f}]" if interval else ""
        said.append(f"{_named(name)} {part['error_mm']:.0f} mm{behind}")
    return f"{phase if phase != 'all' else 'all frames'}: " + "; ".join(said)


def _unaided(figures: Mapping[str, Mapping[str, Any]], phase: str) -> str:
    parts = {name: each["by_phase"].get(phase, each)["error_mm_unaided"] for name, each in figures.items()}
    said = "; ".join(f"{_named(name)} {error:.0f} mm" for name, error in parts.items() if error is not None)
    if not said:
        return ""
    what = "The labelled box chose the athlete among the people found. Unaided, with the best-scored person kept"
    return _paragraph(f"{what}: {said}")


def _named(model: str) -> str:
    return NAMES.get(model, model)


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text[0].upper() + text[1:])}.</p>" if text else ""


def _phases(figures: Mapping[str, Mapping[str, Any]], focus: str) -> str:
    """Return the table by phase, in two: errors, then the rest."""
    head, rows = phase_rows({_named(name): each for name, each in figures.items()}, focus=focus)
    errors = [column for column, name in enumerate(head) if column < 2 or name.endswith(" mm")]
    others = [column for column, name in enumerate(head) if column == 0 or column not in errors]
    tables = [
        table([head[column] for column in columns], [[row[column] for column in columns] for row in shown], focus)
        for columns, shown in ((errors, rows), (others, [row for row in rows if "unaided" not in row[0]]))
    ]
    return (
        "<p>Mean error in mm-equivalents; in square brackets the 95 % interval over clips, in round ones the change "
        f"against before.</p>{tables[0]}<p>Share of joints within a tenth of the trunk's length (PCK@0.1), and share "
        f"of athletes missed.</p>{tables[1]}"
    )


def _frames(run: Run, root: Path) -> str:
    """Pictures of chosen frames, and what chooses among them: a group of joints, then one of its frames."""
    focus = run.evaluations["finetuned"].focus
    chosen = select_frames(run.test, run.evaluations["finetuned"])
    if not chosen:
        return "<p>No frame to show.</p>"
    errors = {name: dict(zip(*each.frame_errors(), strict=True)) for name, each in run.evaluations.items()}
    shots = []
    for index, why in chosen.items():
        frame = run.test.frames[index]
        drawn = cells(run.test, root, index, [poses[index] for poses in run.poses.values()])
        captions = ["labelled", *(f"{_named(name)}: {errors[name][index]:.0f} mm" for name in run.poses)]
        pictures = "".join(
            f'<figure><img src="{_picture(cell)}" alt="{html.escape(caption)}" width="{cell.shape[1]}" '
            f'height="{cell.shape[0]}"><figcaption>{html.escape(caption)}</figcaption></figure>'
            for cell, caption in zip(drawn, captions, strict=True)
        )
        title = html.escape(f"{frame.phase or 'no phase'}, {why}: {frame.file_name}")
        shots.append(f'<div data-shot="{title}"><p>{title}</p><div class="shots">{pictures}</div></div>')
    return (
        _chooser(group_errors(run.evaluations, list(chosen)), [_named(name) for name in run.evaluations], focus)
        + "".join(shots)
        + "<p>Left: blue, solid. Right: orange, dashed. Ring: label; white line: error.</p>"
    )


def _chooser(groups: Mapping[str, Sequence[Sequence[float]]], models: Sequence[str], focus: str) -> str:
    start = f"by_phase/{focus}" if f"by_phase/{focus}" in groups else next(iter(groups))
    options = ""
    for part, (_, what) in PARTS.items():
        names = [key for key in groups if key.startswith(f"{part}/") and groups[key]]
        entries = "".join(
            f'<option value="{html.escape(key)}"{" selected" if key == start else ""}>'
            f"{html.escape(key.partition('/')[2].replace('_', ' '))}</option>"
            for key in names
        )
        options += f'<optgroup label="{html.escape(what)}">{entries}</optgroup>'
    data = json.dumps({"models": models, "frames": groups}, separators=(",", ":")).replace("<", "\\u003c")
    return (
        f'<script type="application/json" id="groups">{data}</script><div class="choose" id="choose" hidden>'
        f'<label for="group">Frames of</label><select id="group">{options}</select>'
        '<label for="slider">Frame</label><input id="slider" type="range" min="0" value="0"></div>'
        '<p id="said" aria-live="polite"></p>'
    )


def _picture(cell: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(cell).save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _bars(part: str, figures: Mapping[str, Mapping[str, Any]], noise: float | None) -> str:
    column, what = PARTS[part]
    groups = list(dict.fromkeys(group for each in figures.values() for group in each[part]))
    rows, cells_ = [], {group: [group.replace("_", " ")] for group in groups}
    for model, each in figures.items():
        for group in groups:
            figure = each[part].get(group)
            if figure is None:
                cells_[group].append("-")
                continue
            low, high = figure["ci"]["error_mm"] or (None, None)
            row = {column: group, "model": model, "frames": figure["frames"], "error_mm": figure["error_mm"]}
            rows.append(row | {"error_mm_low": low, "error_mm_high": high})
            interval = "" if low is None else f" [{low:.0f}, {high:.0f}]"
            cells_[group].append(f"{figure['error_mm']:.1f}{interval}")
    title, labels = f"Joint error by {what}", (what, ERROR)
    levels = {f"label noise, {noise:.0f} mm": noise} if noise is not None and part == "by_phase" else {}
    drawn = bars(rows, group=column, value="error_mm", title=title, labels=labels, levels=levels)
    alternative = table((what, *(f"{_named(model)}, mm" for model in figures)), list(cells_.values()))
    return chart(drawn, alternative, part=part, column=column, help=HELP)


def _verdict_tables(found: Sequence[Verdict], focus: str) -> str:
    """Return a table for each part, and in words where it has too few clips for any row to be significant."""
    text = ""
    for part, what in (("all", ""), ("by_phase", "phase"), ("by_joint", "joint")):
        shown = [verdict for verdict in found if verdict.part == part and verdict.units > 1]
        if not shown:
            continue
        rows = [(verdict.name.replace("_", " "), verdict.frames, *verdict_cells(verdict)) for verdict in shown]
        text += table((what or "all frames", "frames", *VERDICT), rows, focus)
        text += _paragraph(too_few(shown))
    if not text:
        return "<p>One clip says nothing of another.</p>"
    return text + (
        "<p>After against before. A difference is significant where its interval leaves 0 out and p, corrected for "
        "the number of rows of its table (Holm), is below 0.05. <q>No, after correction</q>: the interval, which is "
        "of its row alone, leaves 0 out, but the corrected p does not. P(better): level of the one-sided interval "
        "that ends at 0.</p>"
    )


def _kinds(figures: Mapping[str, Mapping[str, Any]], phase: str) -> str:
    head = (f"in {phase}", *(f"{_named(name)}{what}" for name in figures for what in (", share", ", mm")))
    rows = kind_rows([each["kinds"][phase] for each in figures.values()])
    return table(head, rows) + "<p>mm: the part of the mean error that this kind makes.</p>"


def _angles(figures: Mapping[str, Mapping[str, Any]], focus: str) -> str:
    """Errors of the angles in the phase of interest (or anywhere), of poses that were found; jitter in all frames."""
    angles = {name: each["angles"].get(focus, each["angles"][EVERY]) for name, each in figures.items()}
    rows = []
    for angle in dict.fromkeys(angle for each in angles.values() for angle in each):
        length = angle == "arch_depth"
        values = [each.get(angle) for each in angles.values()]
        texts = [f"{value['error']:.{2 if length else 1}f} ({value['poses']})" if value else "-" for value in values]
        rows.append((f"{angle.replace('_', ' ')}, {'line lengths' if length else 'degrees'}", *texts))
    said = [
        f"{_named(name)} {each['jitter']['predicted']:.1f} (labels {each['jitter']['labelled']:.1f})"
        for name, each in figures.items()
        if each["jitter"]
    ]
    jitter = f"Jitter, median acceleration in mm per frame squared: {'; '.join(said)}" if said else ""
    head = ("mean error (poses found)", *(_named(name) for name in figures))
    return table(head, rows) + _paragraph(jitter) + _takeoff(figures)


def _takeoff(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """How near the frame is in which the joints say that the ground was left."""
    takeoffs = {_named(name): each["takeoff"] for name, each in figures.items() if each["takeoff"]}
    if not takeoffs:
        return ""
    one = next(iter(takeoffs.values()))
    shares = [f"{name} {each['predicted_within']:.0%}" for name, each in takeoffs.items()]
    said = f"{', '.join(shares)} of {one['clips']} clips (by the labelled joints {one['labelled_within']:.0%})"
    return (
        "<p>Frame of take-off, by shoulders highest above the lower ankle: the last of the phase, or a neighbour of it "
        f"in the set, in {html.escape(said)}.</p>"
    )


def _calibration(figures: Mapping[str, Mapping[str, Any]], focus: str) -> str:
    """Before, after, and after with the temperature that the exported files carry."""
    rows, said, where = [], [], EVERY
    for name, each in figures.items():
        if name == "coreml":  # of 8 bits, which is another difference
            continue
        where = focus if focus in each["calibration"] else EVERY
        calibration = each["calibration"][where]
        rows += [
            {"model": name, **{key: bin_[key] for key in ("confidence", "right", "joints")}}
            for bin_ in calibration["bins"]
            if bin_["joints"]
        ]
        if calibration["ece"] is not None:
            said.append(f"{_named(name)} {calibration['ece']:.3f}")
    ideal = [{"model": "as it should be", "confidence": end, "right": end} for end in (0.0, 1.0)]
    title = f"Share of joints that are right, by confidence ({where if where != EVERY else 'all frames'})"
    labels = ("confidence", "share that is right")
    drawn = lines([*rows, *ideal], across="confidence", value="right", title=title, labels=labels, levels={})
    cells_ = [
        (_named(row["model"]), f"{row['confidence']:.3f}", f"{row['right']:.3f}", str(row["joints"])) for row in rows
    ]
    return chart(drawn, table(("model", *labels, "joints"), cells_), help=HELP_LINES) + (
        f"<p>Expected calibration error, {where}: {html.escape('; '.join(said))}. Right: similarity 0.5 or more. "
        "The exported file's is as the temperature has it that it carries, fitted on the validation frames.</p>"
    )


def _learning(curve: str, noise: float | None) -> str:
    columns = ("epoch", "val_error_mm")
    read = csv.DictReader(io.StringIO(curve))
    rows = [{"model": "validation", **{column: float(row[column]) for column in columns}} for row in read]
    title, labels = "Error on the validation frames that choose the checkpoint", ("epoch", ERROR)
    levels = {f"label noise, {noise:.0f} mm": noise} if noise is not None else {}
    drawn = lines(rows, across="epoch", value="val_error_mm", title=title, labels=labels, levels=levels)
    cells_ = [(f"{row['epoch']:.0f}", f"{row['val_error_mm']:.1f}") for row in rows]
    return chart(drawn, table(("epoch", "validation error, mm"), cells_), help=HELP_LINES)


def _made(files: Mapping[str, Path]) -> str:
    rows = [(name, digest(path)) for name, path in files.items() if path.exists()]
    packages = []
    for name in PACKAGES:
        try:
            packages.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return table(("file", "SHA-256"), rows) + table(("package", "version"), packages)


def digest(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their names, in order."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    total = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            total.update(file.relative_to(path).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()
