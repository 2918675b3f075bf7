"""The notebook runs on what the pipeline made, from where people start it, and shows its pictures."""

from __future__ import annotations

import base64
import io

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image
from scratch import ROOT

NOTEBOOK = ROOT / "notebooks/explore.ipynb"


def pictures(notebook: nbformat.NotebookNode) -> list[Image.Image]:
    shown = [output for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    return [Image.open(io.BytesIO(base64.b64decode(o.data["image/png"]))) for o in shown if "image/png" in o.data]


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


@pytest.mark.pipeline
def test_it_runs_and_shows_the_data_and_the_errors(pipeline):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    where = {"metadata": {"path": str(pipeline.root / "notebooks")}}
    client = NotebookClient(notebook, timeout=None, resources=where)
    client.execute(env=pipeline.environment)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output for output in outputs if output.get("name") == "stderr" and "Warning" in output.text]
    drawn = pictures(notebook)
    assert len(drawn) == 7
    for picture in drawn:
        assert np.asarray(picture.convert("L")).std() > 5, "an empty picture"
    assert pipeline.run("git", "status", "--porcelain") == "", "it changes no file"
