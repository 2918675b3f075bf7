"""What `fosbury doctor` says of the environment and the repository."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest

from fosbury import config, models
from fosbury.doctor import examine

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
    assert named == set(models.BACKENDS) == set(get_args(config.Model.model_fields["backend"].annotation))


def test_a_device_that_torch_cannot_use_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("FOSBURY_DEVICE", "cuda:77")
    (machine,) = [found for found in examine(tmp_path) if found.what == "machine"]
    assert machine.state == "missing" and "cuda:77" in machine.meaning


def test_a_mistake_in_conf_is_a_finding_like_others(repository):
    (repository / "conf/model/mine.yaml").write_text("backend: yolo\n", encoding="utf-8")
    found = {finding.what: finding for finding in examine(repository)}
    assert found["weights mine"].state == "note"
    assert "conf/model/mine.yaml: has no key 'name'" in found["weights mine"].meaning
    assert found["pipeline"].state == "missing", "what comes after it is still looked at"
