"""Many clips: which files each gives, and several of them at a time.

`work` is the one function for a clip: it takes what a process can be sent, and an engine on other machines may call it.
"""

from __future__ import annotations

import glob
import json
import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from fosbury.errors import BadInput, WorkFailed
from fosbury.inference.predict import Predictor
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import load_model
from fosbury.media.video import SUFFIXES
from fosbury.skeleton import Skeleton
from fosbury.video.clip import JSON, VIDEO, Done, How, predict_clip
from fosbury.video.encode import settings_of
from fosbury.video.outputs.registry import OUTPUTS

HEAD = 1 << 16
"""Bytes of a JSON file that hold what comes before its frames."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A clip, and all that is needed to go through it.

    Attributes
    ----------
    clip : Path
    targets : mapping of str to Path
        As `clip.predict_clip` takes them.
    how : How
    skeleton : Skeleton or None
        Of a model file that does not name its joints.
    image_size : int or None
    confidence : float
        Least score of a person.
    resume : bool
    """

    clip: Path
    targets: Mapping[str, Path]
    how: How
    skeleton: Skeleton | None = None
    image_size: int | None = None
    confidence: float = 0.05
    resume: bool = True


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of a job.

    Attributes
    ----------
    job : Job
    done : Done or None
        None where it failed, or was finished before.
    error : str or None
        One sentence.
    bad_input : bool
        Whether a person can mend it.
    """

    job: Job
    done: Done | None = None
    error: str | None = None
    bad_input: bool = False


def run(jobs: Sequence[Job], workers: int = 1) -> Iterator[Result]:
    """Go through clips and yield what became of each: in order, or with several workers as they finish.

    A clip that fails stops no other. One whose files are there, made with the same settings, is passed over.

    Parameters
    ----------
    jobs : sequence of Job
    workers : int
        Processes.
    """
    left = []
    for job in jobs:
        if job.resume and _finished(job):
            yield Result(job=job)
        else:
            left.append(job)
    if workers == 1 or len(left) < 2:
        yield from map(work, left)
        return
    with ProcessPoolExecutor(min(workers, len(left)), multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(work, job) for job in left]):
            yield future.result()


def work(job: Job) -> Result:
    """Go through one clip."""
    try:
        # A source of boxes that follows an athlete remembers one; the model itself is opened once in a process.
        predictor = Predictor(_opened(job), job.how.asked.boxes)
        return Result(job=job, done=predict_clip(job.clip, job.targets, predictor, job.how, resume=job.resume))
    except (BadInput, WorkFailed) as error:
        return Result(job=job, error=str(error), bad_input=isinstance(error, BadInput))
    except OSError as error:
        return Result(job=job, error=f"{error.filename or job.clip}: {(error.strerror or str(error)).lower()}.")


_MODELS: dict[str, PoseModel] = {}
"""The model that this process uses: jobs of one command share one."""


def _opened(job: Job) -> PoseModel:
    asked = job.how.asked
    key = f"{asked.digest()} {job.skeleton and job.skeleton.name} {job.image_size} {job.confidence}"
    if key not in _MODELS:
        _MODELS.clear()
        _MODELS[key] = load_model(
            asked.model, job.skeleton, job.image_size, job.confidence, refinement=asked.refinement
        )
    return _MODELS[key]


def _finished(job: Job) -> bool:
    if not all(target.exists() for target in job.targets.values()):
        return False
    readers = {JSON: _settings_of_json, VIDEO: settings_of}
    known = [readers[name](target) for name, target in job.targets.items() if name in readers]
    try:
        settings = job.how.digest(job.clip)
    except (BadInput, OSError):
        return False
    return bool(known) and all(each == settings for each in known)


def _settings_of_json(path: Path) -> str | None:
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.readline(HEAD)
    try:
        return json.loads(head.rstrip().removesuffix("[") + "[]}").get("settings")
    except ValueError:
        return None


def plan(
    inputs: Sequence[Path], output: Path | None, json_path: Path | None, write: Sequence[str]
) -> dict[Path, dict[str, Path]]:
    """Say which files are written of which clip.

    Parameters
    ----------
    inputs : sequence of Path
        Clips, folders of clips, or patterns.
    output, json_path : Path, optional
        A file for one clip, else a folder.
    write : sequence of str
        Further names of ``OUTPUTS``, beside the first of these.

    Returns
    -------
    dict of Path to dict of str to Path
        For each clip, in order, its file by name.

    Raises
    ------
    BadInput
        If nothing is to be written, there is no clip, or two clips would give one file.
    """
    if output is None and json_path is None:
        raise BadInput("--output", "names no file, nor does --json", "give at least one of them")
    unknown = [name for name in write if name not in OUTPUTS]
    if unknown:
        raise BadInput("--write", f"is '{unknown[0]}'", f"choose from {', '.join(OUTPUTS)}")
    folders = len(inputs) > 1 or inputs[0].is_dir() or _is_pattern(inputs[0])
    jobs: dict[Path, dict[str, Path]] = {}
    owner: dict[Path, Path] = {}
    for clip, name in _clips(inputs):
        targets: dict[str, Path] = {}
        if output is not None:
            targets[VIDEO] = output / name.with_suffix(".mp4") if folders else output
        if json_path is not None:
            targets[JSON] = json_path / name.with_suffix(OUTPUTS[JSON].suffix) if folders else json_path
        beside = next(iter(targets.values()))
        for each in write:
            targets.setdefault(each, beside.with_name(beside.stem + OUTPUTS[each].suffix))
        for target in targets.values():
            if target in owner:
                problem = f"would be written of {owner[target]} and of {clip}"
                raise BadInput(target, problem, "give them different names or targets")
            if target.is_dir() and not target.name.endswith(OUTPUTS["openpose"].suffix):
                raise BadInput(target, "is a folder", "name a file for one clip")
            owner[target] = clip
        jobs[clip] = targets
    return jobs


def _is_pattern(given: Path) -> bool:
    """Say whether the shell has left a pattern such as ``clips/*.mp4`` as it is."""
    return glob.has_magic(str(given)) and not given.exists()


def _matching(given: Path) -> list[Path]:
    if not _is_pattern(given):
        return [given]
    matching = sorted(Path(given.anchor).glob(str(given.relative_to(given.anchor) if given.anchor else given)))
    if not matching:
        raise BadInput(given, "matches no file", "correct the pattern; ** goes into folders")
    return matching


def _clips(inputs: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Clips, each with its name below the folder that was given."""
    found: list[tuple[Path, Path]] = []
    for given in (each for pattern in inputs for each in _matching(pattern)):
        if not given.is_dir():
            found.append((given, Path(given.name)))
            continue
        inside = [path for path in sorted(given.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
        if not inside:
            raise BadInput(given, "holds no clip", f"clips end in {', '.join(SUFFIXES)}")
        found += [(path, path.relative_to(given)) for path in inside]
    return found
