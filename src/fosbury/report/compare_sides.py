"""What one revision measured, read from git and the cache of DVC: no checkout, no model is run again."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dvc.api
import numpy as np
from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.scm import SCM, RevError, SCMError, resolve_rev

from fosbury.config import flat
from fosbury.documents import parse_yaml
from fosbury.errors import BadInput
from fosbury.formats.coco import read_coco
from fosbury.formats.predictions import Predictions, read_predictions
from fosbury.pose import FOCUS, PHASES, Dataset
from fosbury.report.compare_training import Training, training_of
from fosbury.report.provenance import require_current
from fosbury.skeleton import Skeleton

WORKSPACE = "workspace"
BASELINE, TUNED = "baseline", "finetuned"
LABELS = "data/dataset/test.json"
PREDICTIONS = {"metrics/predictions.npz": (BASELINE, TUNED), "metrics/export_predictions.npz": ("onnx", "coreml")}
LONGEST = 200
"""Letters of a revision's name; git keeps it as a file."""
SETTINGS = {"data.stature_mm": (500.0, 3000.0), "evaluate.cap": (0.0, 1.0)}
"""What a comparison measures with: parameters that are numbers above 0, from a least to a most."""
IMPLIED = ("conf_digest", "experiment")
"""Digest and name of what the other parameters say."""
IDLE = (
    *IMPLIED,
    "data.label_noise_mm",
    *("versions.altair", "versions.coremltools", "versions.onnx", "versions.onnxruntime", "versions.vl-convert-python"),
)
"""Parameters that no training and no evaluation of a checkpoint reads; those of the export are others."""
MODELS = tuple(model for models in PREDICTIONS.values() for model in models)


@dataclass(frozen=True, eq=False)
class Run:
    """One model of one revision.

    Attributes
    ----------
    name : str
        As it was asked for: ``main``, or ``main:baseline``.
    params : dict of str to Any
        params.yaml, flat.
    test : Dataset
    predictions : Predictions
        Of this model only.
    training : Training
    """

    name: str
    params: dict[str, Any]
    test: Dataset
    predictions: Predictions
    training: Training

    @property
    def focus(self) -> str:
        """The phase of interest."""
        phase = self.params.get("evaluate.phase")
        return phase if phase in PHASES else FOCUS


def decisive(params: Mapping[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """Keep the parameters that can decide a figure of a training or of its evaluation, but for those named."""
    return {
        name: value
        for name, value in params.items()
        if name not in IDLE and not name.startswith("export.") and name not in but
    }


def differing(one: Run, other: Run, but: Collection[str]) -> list[str]:
    """Name the parameters in which two trainings or their evaluations differ, but for those named."""
    a, b = decisive(one.params, but), decisive(other.params, but)
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


@dataclass(frozen=True, eq=False)
class Side:
    """What is compared: one run, or several trainings of one kind.

    Attributes
    ----------
    name : str
        As it was asked for: ``main``, or ``s0,s1,s2``.
    runs : tuple of Run
    """

    name: str
    runs: tuple[Run, ...]


def load_sides(asked: Sequence[str], repository: Path = Path()) -> list[Side]:
    """Read the sides of a comparison, two or more, each of another model.

    Parameters
    ----------
    asked : sequence of str
        As `load_side` takes them.
    repository : Path

    Raises
    ------
    BadInput
        If there is one alone, two are one and the same, or one cannot be read.
    """
    if len(asked) < 2:
        raise BadInput("fosbury compare", "was given one revision", "give two or more, such as main my-branch")
    check_distinct([run for side in asked for run in side.split(",")], repository)
    return [load_side(each, repository) for each in asked]


def load_side(asked: str, repository: Path = Path()) -> Side:
    """Read one side of a comparison.

    Parameters
    ----------
    asked : str
        What ``load_run`` takes, or several such, separated by commas.
    repository : Path

    Raises
    ------
    BadInput
        As ``load_run``; also if two runs of the side are one and the same.
    """
    runs = tuple(load_run(each, repository) for each in asked.split(","))
    for place, run in enumerate(runs):
        for other in runs[:place]:
            if _same_predictions(run.predictions, other.predictions):
                problem = f"{run.name} and {other.name} predict the same to the last digit"
                raise BadInput(asked, problem, "name trainings that differ in their seed")
    return Side(asked, runs)


def _same_predictions(a: Predictions, b: Predictions) -> bool:
    ((first,), (second,)) = (side.models.values() for side in (a, b))
    return (
        a.files == b.files
        and [len(poses) for poses in first] == [len(poses) for poses in second]
        and all(
            np.array_equal(pose.keypoints, other.keypoints, equal_nan=True)
            for poses, others in zip(first, second, strict=True)
            for pose, other in zip(poses, others, strict=True)
        )
    )


def load_run(asked: str, repository: Path = Path()) -> Run:
    """Read what one revision measured.

    Parameters
    ----------
    asked : str
        A git revision, the name of a DVC experiment or ``workspace``, with ``:baseline``, ``:onnx`` or ``:coreml`` for
        another than the fine-tuned model.
    repository : Path

    Raises
    ------
    BadInput
        If there is no such revision or model, or its results are not in the cache.
    """
    revision, _, model = asked.partition(":")
    model = model or TUNED
    if not revision:
        raise BadInput(asked, "names no revision", f"name one before the colon, or {WORKSPACE}")
    if model not in MODELS:
        raise BadInput(asked, f"names the model '{model}'", f"choose one of {', '.join(MODELS)}")
    path = next(path for path, models in PREDICTIONS.items() if model in models)
    where, hint = f"params.yaml of {revision}", "name a revision of this project"
    params = parse_yaml(_read("params.yaml", revision, repository), where, hint)
    if not isinstance(params, dict) or "skeleton" not in params:
        raise BadInput(where, "names no skeleton", hint)
    skeleton = Skeleton.from_mapping(params["skeleton"], where=where)
    params = flat(params)
    _check_settings(params, where)
    _refuse_stale(path, revision, repository)
    with tempfile.TemporaryDirectory() as folder:
        labels = Path(folder) / "test.json"
        labels.write_bytes(_read(LABELS, revision, repository))
        try:
            test = read_coco(labels, skeleton)
        except BadInput as error:
            raise BadInput(f"{LABELS} of {revision}", "cannot be read", "run 'dvc repro' there again") from error
    predictions = read_predictions(_read(path, revision, repository), f"{path} of {revision}")
    belongs = predictions.joints == test.skeleton.joints
    belongs &= predictions.files == tuple(frame.file_name for frame in test.frames)
    if not belongs or model not in predictions.models:
        raise BadInput(f"{path} of {revision}", "does not belong to its labels", "run 'dvc repro' there again")
    of_model = replace(predictions, models={model: predictions.models[model]})
    training = training_of(
        revision, tuned=model != BASELINE, read=lambda path, at: _read(path, at, repository), repository=repository
    )
    return Run(asked, params, test, of_model, training)


def _check_settings(params: Mapping[str, Any], where: str) -> None:
    for name, (least, most) in SETTINGS.items():
        value: Any = params.get(name)
        if type(value) not in (int, float) or not (least <= value <= most and value > 0):
            problem = f"has the {name} {value!r:.80}" if name in params else f"has no {name}"
            raise BadInput(where, problem, f"name a revision in which it is a number up to {most:g}")


def check_distinct(asked: Sequence[str], repository: Path = Path()) -> None:
    """Refuse one model of one revision under two names, such as ``@`` and ``HEAD``.

    Parameters
    ----------
    asked : sequence of str
        As `load_run` takes them.
    repository : Path

    Raises
    ------
    BadInput
        Naming both.
    """
    seen: dict[tuple[str, str], str] = {}
    for name in asked:
        revision, _, model = name.partition(":")
        key = _commit(revision, repository), model or TUNED
        if key in seen:
            both = name if name == seen[key] else f"{seen[key]} and {name}, which is the same"
            raise BadInput("fosbury compare", f"was given a revision twice ({both:.80})", "name each once")
        seen[key] = name


def _commit(revision: str, repository: Path) -> str:
    """Return the commit of a revision; the revision itself where there is none, which `load_run` answers."""
    if revision == WORKSPACE or not _can_be_revision(revision):
        return revision
    try:
        return resolve_rev(SCM(str(repository), search_parent_directories=True), revision)
    except (RevError, SCMError):
        return revision


def _can_be_revision(revision: str) -> bool:
    """Whether git can be asked for it: of a length that a file may have, and text."""
    return len(revision) <= LONGEST and revision.isprintable()


def _refuse_stale(path: str, revision: str, repository: Path) -> None:
    try:
        lock = _read("dvc.lock", revision, repository)
    except BadInput:  # no pipeline made it
        return
    require_current(lock, path, revision)


def _read(path: str, revision: str, repository: Path) -> bytes:
    if revision == WORKSPACE:
        try:
            return (repository / path).read_bytes()
        except OSError:
            raise BadInput(path, "is not in the workspace", "run 'dvc repro'") from None
    hint = "name a branch, a tag, a commit or an experiment ('dvc exp show' lists them)"
    if not _can_be_revision(revision):
        raise BadInput(f"{revision!r:.40}...", "is no revision of this repository", hint)
    try:
        return dvc.api.read(path, repo=str(repository), rev=revision, mode="rb")
    except RevError:
        raise BadInput(revision, "is no revision of this repository", hint) from None
    except (SCMError, NotDvcRepoError):
        raise BadInput(repository.absolute(), "is no repository of git and DVC", "go to the project's folder") from None
    except (DvcException, FileNotFoundError) as error:
        # DVC says the same of a file that a revision does not know, and of one whose content is nowhere.
        if any(isinstance(cause, KeyError) for cause in _causes(error)):
            hint = "name one whose pipeline keeps predictions, or run the present code there"
            raise BadInput(revision, f"its {path} was not made by that revision", hint) from None
        hint = f"run 'dvc fetch --all-branches --all-tags {path}', or 'dvc repro' on that revision"
        raise BadInput(revision, f"its {path} is not in the cache", hint) from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
