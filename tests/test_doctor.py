"""What `fosbury doctor` says of the environment and the repository."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from fosbury import config
from fosbury.doctor import Finding, examine
from fosbury.environment import environment
from fosbury.model_kinds import BACKENDS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    for folder in ("conf", "hydra_plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dvc.yaml").touch()
    config.write_params(root=tmp_path)
    return tmp_path


def test_it_names_the_backends_that_can_be_chosen_and_no_other(tmp_path):
    named = {found.what.removeprefix("backend ") for found in examine(tmp_path) if found.what.startswith("backend ")}
    assert named == set(BACKENDS)


def test_a_device_that_torch_cannot_use_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("FOSBURY_DEVICE", "cuda:77")
    (machine,) = [found for found in examine(tmp_path) if found.what == "machine"]
    assert machine.state == "missing" and "cuda:77" in machine.meaning


def committed(root: Path, record: dict | str) -> dict[str, Finding]:
    """What is found where the last commit holds this record of where the model was trained."""
    path = root / "metrics/environment.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    about = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "metrics"], [*about, "commit", "-qm", "test"]):
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    path.write_text("what a run here has made since")
    return {finding.what: finding for finding in examine(root)}


def test_it_says_whether_the_committed_bytes_can_be_expected_here(repository):
    here = environment()
    name = "record metrics/environment.json"
    same = committed(repository, here)[name]
    assert same.state == "ok" and "same bytes" in same.meaning
    other = committed(repository, {**here, "threads": 99, "processor": "Z80"})[name]
    assert other.state == "note"
    assert f"threads {here['threads']} instead of 99" in other.meaning and "instead of Z80" in other.meaning
    for text in ("no json", "[1]"):
        unknown = committed(repository, text)[name]
        assert unknown.state == "note" and "make repro" in unknown.meaning


def test_other_packages_than_params_yaml_records_are_missing(repository):
    (repository / "data/synthetic/jumps").mkdir(parents=True)
    config.write_params(["versions.numpy=1.0.1"], repository)
    found = {finding.what: finding for finding in examine(repository)}["params.yaml"]
    assert found.state == "missing" and "not 1.0.1" in found.meaning


def test_a_mistake_in_conf_is_a_finding_like_others(repository):
    (repository / "conf/model/mine.yaml").write_text("backend: yolo\n", encoding="utf-8")
    found = {finding.what: finding for finding in examine(repository)}
    assert found["weights mine"].state == "note"
    assert "conf/model/mine.yaml: has no key 'name'" in found["weights mine"].meaning
    assert found["pipeline"].state == "missing", "what comes after it is still looked at"
