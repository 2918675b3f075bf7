"""Going on after a kill: what a run leaves behind, and whether it is the very same run."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from fosbury.files import draft
from fosbury.media.files import sha256_of
from fosbury.training.job import TrainingJob


def run_key(job: TrainingJob) -> str:
    """Digest of everything that decides a training run, so that only the very same run is resumed.

    Parameters
    ----------
    job : TrainingJob
        Of its data sets count labels, phases and skeleton, and the bytes of the pictures.

    Returns
    -------
    str
        Hexadecimal SHA-256.
    """
    parts = {"train": job.train, "val": job.val}
    skeletons = [part.skeleton.to_mapping() for part in parts.values()]
    settings = [job.recipe.model_dump(exclude={"name"}), job.seed, job.architecture, job.focus, skeletons]
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, part in parts.items():
        for frame in part.frames:
            about = [name, frame.file_name, frame.width, frame.height, frame.phase, frame.video, frame.stature_mm]
            digest.update(json.dumps(about).encode())
            digest.update(sha256_of(job.root / frame.file_name).encode())
            for person in frame.people:
                digest.update(person.keypoints.tobytes() + person.visibility.tobytes() + person.box.tobytes())
                if person.weights is not None:
                    digest.update(person.weights.tobytes())
    if job.weights is not None:
        digest.update(sha256_of(job.weights).encode())
    return digest.hexdigest()


def read_state(path: Path, key: str) -> dict[str, Any] | None:
    """Read what a killed run left behind; None where there is nothing, or it belongs to another run."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True)
    except Exception:  # whatever torch makes of bytes that a kill, or anybody, has left there
        return None
    return state if isinstance(state, dict) and state.get("key") == key else None


def save_state(state: dict[str, Any], path: Path) -> None:
    """Write what a run needs to go on, so that a kill leaves the former state or this one."""
    with draft(path) as unfinished:
        torch.save(state, unfinished)
