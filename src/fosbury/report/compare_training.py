"""What a model was trained on, as far as the repository records it.

Its training and validation frames, and those behind its starting weights, where a run of the same repository made them.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fosbury.documents import parse_yaml
from fosbury.errors import BadInput
from fosbury.pose import Frame

SPLITS = ("data/dataset/train.json", "data/dataset/val.json")  # the checkpoint is chosen on the latter
LOCK = "dvc.lock"
STARTERS = "models/starter/"  # trained on the built-in athlete's upright clips, which no test split holds

Read = Callable[[str, str], bytes]  # path, revision -> content; BadInput where it is not to be had


@dataclass(frozen=True)
class Training:
    """Frames that shaped a model.

    Attributes
    ----------
    names : frozenset of str
        Their file names, clips and groups.
    notes : tuple of str
        What could not be found out.
    """

    names: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def holds(self, frame: Frame) -> bool:
        """Whether a frame, or another of its clip or group, is among them."""
        return not self.names.isdisjoint({frame.file_name, frame.video, frame.group} - {None})


def training_of(revision: str, *, tuned: bool, read: Read, repository: Path) -> Training:
    """Find out what one model of a revision was trained on.

    Starting weights are known by their hash in dvc.lock: if a commit of the repository, experiments included, trained a
    checkpoint of that hash, then what that training saw counts, and so on back.

    Parameters
    ----------
    revision : str
    tuned : bool
        Whether that revision trained the model; its baseline is the starting weights as they came.
    read : callable
        Gives a file of a revision.
    repository : Path
    """
    names: set[str] = set()
    notes: list[str] = []
    visited: list[str] = []
    trained = revision if tuned else None
    while True:
        if trained is not None:
            visited.append(trained)
            try:
                names |= _names(trained, read)
            except BadInput as error:
                notes.append(f"what {trained} was trained on could not be read: {error.where}: {error.problem}")
        weights = _starting_weights(revision, read)
        if weights is None:
            break
        trained = _trained_by(_digest(revision, weights, read), repository)
        if trained is None:
            notes.append(f"{revision} starts from {weights}, which no commit here trained: its pictures are not known")
        if trained is None or trained in visited:
            break
        revision = trained
    return Training(frozenset(names), tuple(notes))


def _names(revision: str, read: Read) -> set[str]:
    """File names, clips and groups of the frames that a revision trained on."""
    names: set[str] = set()
    for path in SPLITS:
        content = read(path, revision)
        try:
            images = json.loads(content)["images"]
            names |= {image[key] for image in images for key in ("file_name", "video", "group") if image.get(key)}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BadInput(f"{path} of {revision}", "is no COCO file", "run 'dvc repro' there again") from None
    return names


def _starting_weights(revision: str, read: Read) -> str | None:
    """Path of the weights that a revision starts from; None for those whose pictures are none of this repository."""
    try:
        model = parse_yaml(read("params.yaml", revision), "params.yaml", "")["model"]
        weights, url = str(model["weights"]), model.get("url")
    except (BadInput, KeyError, TypeError, AttributeError):
        return None
    return None if url or weights.startswith(STARTERS) else weights


def _digest(revision: str, weights: str, read: Read) -> str | None:
    """Hash of the starting weights, as the lock of a revision has it."""
    try:
        deps = parse_yaml(read(LOCK, revision), LOCK, "")["stages"]["train"]["deps"]
        return next(str(dep["md5"]) for dep in deps if dep["path"] == weights)
    except (BadInput, KeyError, TypeError, StopIteration):
        return None


def _trained_by(digest: str | None, repository: Path) -> str | None:
    """Find the commit whose training left a checkpoint of this hash."""
    if digest is None:
        return None
    commits = _git(repository, "log", "--all", "--format=%H", f"-S{digest}", "--", LOCK)
    for commit in (commits or b"").decode().split():
        lock = _git(repository, "show", f"{commit}:./{LOCK}") or b""
        try:
            outs = parse_yaml(lock, LOCK, "")["stages"]["train"]["outs"]
            if any(out.get("md5") == digest for out in outs):
                return commit
        except (BadInput, KeyError, TypeError, AttributeError):
            continue
    return None


def _git(repository: Path, *words: str) -> bytes | None:
    """Return what git prints; None where it fails."""
    done = subprocess.run(["git", *words], cwd=repository, capture_output=True, check=False)
    return None if done.returncode else done.stdout
