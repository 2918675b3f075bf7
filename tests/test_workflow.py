"""The workflow that compares a pull request with its base: its own commands, in a scratch repository."""

from __future__ import annotations

import re

import pytest
import yaml
from scratch import COMMAND_LINE, ROOT, stages_run

TEXT = (ROOT / ".github/workflows/compare.yml").read_text(encoding="utf-8")
STEPS = yaml.safe_load(TEXT)["jobs"]["compare"]["steps"]


def test_actions_are_pinned_to_commits():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)


@pytest.mark.pipeline
def test_a_change_in_params_yaml_alone_is_seen(pipeline, tmp_path):
    scratch = pipeline.copy(tmp_path / "repository")
    scratch.run("git", "branch", "base")
    scratch.compose("evaluate.image_size=96")
    assert scratch.run("git", "status", "--porcelain").split() == ["M", "params.yaml"]
    scratch.commit()
    (script,) = [step["run"] for step in STEPS if "dvc exp save" in step.get("run", "")]
    installing = ("make setup\n", ". .venv/bin/activate\n")  # what a scratch repository cannot do, and has
    for line in installing:
        assert line in script
        script = script.replace(line, "true\n")
    given = f'export BASE=base GITHUB_STEP_SUMMARY=summary.md; fosbury() {{ python -c "{COMMAND_LINE}" "$@"; }}'
    output = scratch.run("bash", "-e", "-c", f"{given}\n{script}")
    assert "evaluate" in stages_run(output) and not {"frames", "dataset", "train"} & stages_run(output)
    compared = (scratch.root / "compare.md").read_text(encoding="utf-8")
    assert compared == (scratch.root / "summary.md").read_text(encoding="utf-8")
    assert "| evaluate.image_size | 64 | 96 |" in compared.replace("\\", "")
