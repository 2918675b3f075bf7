"""What is installed, what is missing, and what that means."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fosbury.config import Params, check, find_root, load_params, model_option, options
from fosbury.environment import check_versions, differences, environment, installed
from fosbury.errors import BadInput
from fosbury.inference.weights import verify_checksum
from fosbury.machine import default_device, default_threads, usable_device
from fosbury.model_kinds import BACKENDS

NEEDED = {
    "numpy": "arrays",
    "opencv-python-headless": "drawing and resizing",
    "av": "reading and writing video",
    "pillow": "reading photographs",
    "pycocotools": "OKS-AP",
    "hydra-core": "composing conf/",
    "dvc": "the pipeline",
    "torch": "training and inference",
    "onnx": "ONNX export",
    "onnxruntime": "running ONNX files",
    "coremltools": "CoreML export",
}
# Committed descriptions of a machine, and what was done there.
RECORDS = {
    "metrics/environment.json": "the model was trained",
    "metrics/evaluation_environment.json": "the figures were measured",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``state``: ``ok``, ``note`` (works without it), ``missing`` (must be put right)."""

    what: str
    state: str
    meaning: str


def examine(start: Path | None = None) -> Iterator[Finding]:
    """Look at the environment, and at the repository around ``start`` (the current folder if not given)."""
    yield from _environment()
    try:
        root = find_root(start)
    except BadInput as error:
        yield Finding("repository", "note", str(error))
        return
    yield from _repository(root)


def _environment() -> Iterator[Finding]:
    tested = "" if sys.version_info[:2] in ((3, 11), (3, 12)) else "; tested with 3.11 and 3.12"
    yield Finding("Python", "ok", platform.python_version() + tested)
    for package, purpose in NEEDED.items():
        version = installed(package)
        if version:
            yield Finding(package, "ok", f"{version}, {purpose}")
        else:
            yield Finding(package, "missing", f"{purpose} will not work; run `make setup`")
    for backend, kind in BACKENDS.items():
        packages = kind.packages.values()
        absent = [package for package in packages if not installed(package)]
        if absent:
            hint = f"`make setup`, or `uv pip install '.[{backend}]'`"
            meaning = f"{', '.join(absent)} not installed: no {backend} models; {hint}"
            yield Finding(f"backend {backend}", "note", meaning)
        else:
            yield Finding(f"backend {backend}", "ok", ", ".join(f"{name} {installed(name)}" for name in packages))
    git = shutil.which("git")
    yield Finding("git", "ok" if git else "missing", "found" if git else "DVC needs it; install git")
    yield _machine()


def _machine() -> Finding:
    try:
        device, threads = usable_device() if installed("torch") else default_device(), default_threads()
    except BadInput as error:
        return Finding("machine", "missing", str(error))
    chosen = "FOSBURY_DEVICE" if os.environ.get("FOSBURY_DEVICE") else "set FOSBURY_DEVICE for another"
    return Finding("machine", "ok", f"computes on {device} ({chosen}) with {threads} threads")


def _repository(root: Path) -> Iterator[Finding]:
    params: Params | None = None
    try:
        overrides = check(root)
        params = load_params(root / "params.yaml")
        meaning = f"composed from conf/, experiment {params.experiment}"
        check_versions(params.versions, params.model.backend)
        yield Finding("params.yaml", "ok", "; ".join([meaning, *overrides]))
    except BadInput as error:
        yield Finding("params.yaml", "missing", str(error))
    for name in options("model", root):
        used = params is not None and params.model.name == name
        try:
            model = model_option(name, root)
            verify_checksum(root / model.weights, model.sha256, name, model.url)
            yield Finding(f"weights {name}", "ok", f"{model.weights} ({model.licence})")
        except BadInput as error:
            meaning = str(error).replace(f"{root}{os.sep}", "")
            yield Finding(f"weights {name}", "missing" if used else "note", meaning)
    if installed("torch") and _machine().state == "ok":
        for path, made in RECORDS.items():
            yield _same_bytes(root, path, made)
    yield _pipeline(root)


def _same_bytes(root: Path, path: str, made: str) -> Finding:
    """Whether the committed results can be expected to come out here to the last byte."""
    what = f"record {path}"
    shown = subprocess.run(["git", "show", f"HEAD:{path}"], cwd=root, capture_output=True, text=True, check=False)
    try:
        recorded = json.loads(shown.stdout)
        if not isinstance(recorded, dict):
            raise ValueError
    except ValueError:
        return Finding(what, "note", f"the last commit does not say where {made}; run `make repro` and commit metrics/")
    other = differences(recorded, environment())
    if not other:
        return Finding(what, "ok", f"{made} on such a machine: the same commit gives the same bytes here")
    meaning = f"{made} elsewhere, so the last digits of figures may differ here: {'; '.join(other)}"
    return Finding(what, "note", meaning)


def _pipeline(root: Path) -> Finding:
    """State of the DVC pipeline, asked of its command line."""
    if not (root / ".dvc").is_dir():
        return Finding("pipeline", "missing", "the folder .dvc is not there; clone the repository again")
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["dvc status failed"]
        return Finding("pipeline", "missing", reason[0])
    stale = json.loads(done.stdout or "{}")
    if not stale:
        return Finding("pipeline", "ok", "up to date")
    return Finding("pipeline", "note", f"out of date: {', '.join(sorted(stale))}; run `make repro`")
