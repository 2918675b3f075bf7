"""One figure over all clips: the runs of a grouped cross-validation, pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from fosbury.errors import BadInput
from fosbury.metrics.evaluation import Evaluation, evaluate
from fosbury.metrics.paired import Verdict, verdicts
from fosbury.metrics.people import unaided_score
from fosbury.pose import Frame
from fosbury.report.compare_sides import Run, differing
from fosbury.report.efficiency import UNDONE

FOLD, FOLDS = "split.fold", "split.folds"
BEFORE, AFTER = "baseline", "finetuned"
SHARED = (
    "each fold's model was trained on most clips of the others, so that the clips are not quite independent and the "
    "intervals are a little too narrow; one run a fold: another seed may change this"
)


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Every clip tested once, by a model that did not learn from it.

    Attributes
    ----------
    runs : tuple of str
        In the order of the folds.
    clips : int
        How many clips (or groups, or pictures) were tested.
    evaluations : dict of str to Evaluation
        ``baseline`` and ``finetuned``, on the test frames of all folds.
    verdicts : list of Verdict
        Of the latter against the former.
    notes : tuple of str
        What could not be found out of the trainings.
    """

    runs: tuple[str, ...]
    clips: int
    evaluations: dict[str, Evaluation]
    verdicts: list[Verdict]
    notes: tuple[str, ...] = ()

    @property
    def focus(self) -> str:
        """The phase of interest."""
        return self.evaluations[AFTER].focus

    def sentences(self) -> list[str]:
        """Say what fine-tuning changed, in the phase of interest and in all frames, and how sure that is."""
        by_name = {verdict.name: verdict for verdict in self.verdicts if verdict.part in ("all", "by_phase")}
        said = [f"{len(self.runs)} folds, {self.clips} clips, each tested once"]
        said += [f"{name}: {_sentence(by_name[name])}" for name in (self.focus, "all") if name in by_name]
        return [*said, *self.notes, *self.evaluations[BEFORE].notes, SHARED]

    def to_json(self) -> dict[str, Any]:
        """Return what ``fosbury crossval --json`` writes."""
        differences = {
            verdict.name: {
                "difference_mm": _rounded(verdict.difference.mean, 2),
                "low": _rounded(verdict.difference.low, 2),
                "high": _rounded(verdict.difference.high, 2),
                "p": _rounded(verdict.p_holm, 6),
                "clips": verdict.units,
                "significant": bool(verdict.significant),
            }
            for verdict in self.verdicts
            if verdict.part in ("all", "by_phase")
        }
        figures = {name: each.to_json() for name, each in self.evaluations.items()}
        return {"runs": list(self.runs), "clips": self.clips, "differences": differences, **figures}


def _rounded(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None


def _sentence(verdict: Verdict) -> str:
    difference, over = verdict.difference, f"{verdict.frames} frames of {verdict.units} clips"
    size = f"{verdict.before:.1f} to {verdict.after:.1f} mm, {difference.mean:+.1f} mm"
    if verdict.units < 2:
        return f"{size}; one clip alone says nothing of another ({verdict.frames} frames)"
    size += f" [{difference.low:+.1f}, {difference.high:+.1f}], p {verdict.p_holm:.3g}, {over}"
    if verdict.significant:
        return f"{size}: significantly {'better' if difference.mean < 0 else 'worse'} after fine-tuning"
    few = f", and no result of {verdict.units} clips could be" if verdict.too_few_units else ""
    return f"{size}: not significant{few}"


def fold_runs(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the experiments that are folds of a cross-validation.

    Parameters
    ----------
    rows : sequence of mapping
        As ``dvc.api.exp_show`` gives them.

    Raises
    ------
    BadInput
        If there is none.
    """
    found = [
        str(row["Experiment"])
        for row in rows
        if row.get("Experiment") and row.get("State") not in UNDONE and isinstance(row.get(FOLDS), int | float)
    ]
    if not found:
        hint = "run each fold (docs/compare.md), or name the runs"
        raise BadInput("experiments", "of split=grouped_cv are not there", hint)
    return sorted(found)


def cross_validation(runs: Sequence[tuple[Run, Run]]) -> CrossValidation:
    """Pool the folds of one cross-validation and measure before against after.

    Parameters
    ----------
    runs : sequence of (Run, Run)
        Baseline and fine-tuned model of each fold, in any order.

    Returns
    -------
    CrossValidation

    Raises
    ------
    BadInput
        If the runs are not the folds of one cross-validation: they differ in another parameter, a fold is missing or
        there twice, a clip is tested twice or never, or was learnt from by the model that it tests.
    """
    _check_parameters([tuned for _, tuned in runs])
    ordered = sorted(runs, key=lambda pair: int(pair[1].params[FOLD]))
    _check_clips(ordered)
    params = ordered[0][1].params
    frames = tuple(chain.from_iterable(tuned.test.frames for _, tuned in ordered))
    test = replace(ordered[0][1].test, frames=frames)
    poses = {
        name: [found for pair in ordered for found in next(iter(pair[side].predictions.models.values()))]
        for side, name in enumerate((BEFORE, AFTER))
    }
    known = np.ones(len(test.skeleton), dtype=bool)
    for found in poses.values():
        there = [np.isfinite(pose.keypoints).all(axis=1) for frame in found for pose in frame]
        known &= np.any(there, axis=0) if there else True
    stature, cap, unaided = params["data.stature_mm"], params["evaluate.cap"], unaided_score(params.get("model.boxes"))
    evaluations = {
        name: evaluate(test, found, stature, cap=cap, known=known, ap=False, unaided=unaided, focus=ordered[0][1].focus)
        for name, found in poses.items()
    }
    names = tuple(tuned.name for _, tuned in ordered)
    compared = verdicts([evaluations[BEFORE]], [evaluations[AFTER]])
    notes = tuple(dict.fromkeys(note for _, tuned in ordered for note in tuned.training.notes))
    return CrossValidation(names, len({frame.unit for frame in frames}), evaluations, compared, notes)


def _check_parameters(runs: Sequence[Run]) -> None:
    """Refuse runs that are not all the folds of one cross-validation, each once."""
    first = runs[0]
    hint = "name the runs of one cross-validation, or remove what does not belong (`dvc exp remove`)"
    for run in runs:
        folds, fold = run.params.get(FOLDS), run.params.get(FOLD)
        if type(folds) is not int or type(fold) is not int:
            raise BadInput(run.name, "is no fold of a cross-validation", "run it with -S split=grouped_cv")
        if differ := differing(first, run, (FOLD,)):
            raise BadInput(run.name, f"differs from {first.name} in {', '.join(differ)}", hint)
    by_fold: dict[int, Run] = {}
    for run in runs:
        fold = run.params[FOLD]
        if fold in by_fold:
            raise BadInput(run.name, f"is fold {fold}, and so is {by_fold[fold].name}", hint)
        by_fold[fold] = run
    if missing := sorted(set(range(first.params[FOLDS])) - set(by_fold)):
        lacking = ", ".join(map(str, missing))
        raise BadInput("fosbury crossval", f"has no run of fold {lacking}", f"run it with -S split.fold={missing[0]}")


def _check_clips(runs: Sequence[tuple[Run, Run]]) -> None:
    """Refuse folds of different data: each clip is tested in one fold, and learnt from in the others."""
    hint = "run all folds again with the same data"
    tested: dict[str, Run] = {}
    for _, run in runs:
        for unit in sorted({frame.unit for frame in run.test.frames}):
            if unit in tested:
                raise BadInput(run.name, f"tests {unit}, as {tested[unit].name} does", hint)
            tested[unit] = run
    frames = [frame for _, run in runs for frame in run.test.frames]
    for _, run in runs:
        if not run.training.names or run.params.get("split.train_frames") is not None:
            continue  # not recorded, or of some clips no frame was drawn
        unknown = sorted({f.unit for f in frames if tested[f.unit] is not run and not run.training.holds(f)})
        if unknown:
            raise BadInput(run.name, f"did not learn from {unknown[0]}, which {tested[unknown[0]].name} tests", hint)
    names = frozenset(chain.from_iterable(_names(frame) for frame in frames))
    for before, run in runs:
        if seen := sorted({frame.unit for frame in run.test.frames if run.training.holds(frame)}):
            raise BadInput(run.name, f"learnt from {seen[0]}, which it tests", hint)
        learnt = run.training.names - before.training.names - names
        if learnt and not any(name.startswith("split.assign.") for name in run.params):
            raise BadInput(run.name, f"learnt from {min(learnt)}, which no fold tests", hint)


def _names(frame: Frame) -> set[str]:
    return {name for name in (frame.file_name, frame.video, frame.group) if name}
