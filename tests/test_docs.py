"""The documentation builds without a network, and what stands in it of the code is true."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import test_repository
import yaml

ROOT = Path(__file__).parents[1]
DESIGN = (ROOT / "docs/design.md").read_text(encoding="utf-8")


def test_the_site_builds_with_every_link_whole_and_asks_nobody_for_anything(tmp_path):
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("the group docs is not installed")
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert {page.stem for page in pages} >= {page.stem for page in (ROOT / "docs").glob("*.md")}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="?([^"\s>]+)', text)
        loaded += re.findall(r'<link[^>]*\shref="?([^"\s>]+)', text)
        assert loaded and not [address for address in loaded if "//" in address], page.name


def test_the_documented_layers_are_the_enforced_ones():
    table = DESIGN.split("## Layers")[1].split("## Rules")[0]
    rows = [re.findall(r"`([a-z_]+)(?:/|\.py)`", line.split("|")[1]) for line in table.splitlines() if "`" in line[:9]]
    here = {path.stem for path in (ROOT / "src/fosbury").iterdir() if path.suffix == ".py" or path.is_dir()}
    enforced = [set(layer) & here for layer in test_repository.LAYERS]
    assert [set(row) for row in reversed(rows)] == enforced


def test_the_documented_commands_are_there():
    from typer.main import get_command

    from fosbury.cli import app

    known = set(get_command(app).commands)
    named = [re.findall(r"`(?:fosbury )?([a-z-]+)`", line) for line in DESIGN.splitlines() if "| `fosbury" in line]
    words = {word for line in DESIGN.splitlines() for word in re.findall(r"`fosbury ([a-z-]+)", line)}
    words |= {word for line in named for word in line if word not in ("check", "show")}
    assert words == known


def test_the_citation_is_one_of_cff_1_2_0():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0" and citation["message"]
    assert citation["type"] in ("software", "dataset")
    assert (citation["title"], str(citation["version"])) == (project["name"], project["version"])
    assert citation["license"] == project["license"]
    assert citation["authors"] and all(set(author) == {"name"} for author in citation["authors"])
    known = {"cff-version", "message", "type", "title", "abstract", "authors", "version", "license", "keywords"}
    assert set(citation) <= known, "a DOI belongs here once there is one"


def test_actions_of_every_workflow_are_pinned_and_call_targets_that_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in sorted((ROOT / ".github/workflows").glob("*.yml")):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
        for step in (step for job in jobs.values() for step in job["steps"]):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", f"a@{'0' * 40}")), path.name
            for target in re.findall(r"^\s*make (\w+)", step.get("run", ""), re.MULTILINE):
                assert f"\n{target}:" in makefile, f"{path.name}: make {target}"
