"""How stages end, and what they refuse to load."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fosbury.errors import BadInput, BadInputs, WorkFailed
from fosbury.stages import evaluate
from fosbury.stages.running import run

ROOT = Path(__file__).parents[1]
STAGES = sorted(path.stem for path in Path(evaluate.__file__).parent.glob("*.py") if "__main__" in path.read_text())


def raising(error: BaseException):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: 3, 0, ""),
        (raising(BadInput("a.mp4", "is empty", "copy it again")), 2, "a.mp4: is empty; copy it again.\n"),
        (raising(BadInputs("a.json", ["one", "two"], "mend them")), 2, "a.json: 2 problems; mend them.\n  - one\n"),
        (raising(WorkFailed("The loss is not a number.")), 1, "The loss is not a number.\n"),
        (raising(PermissionError(errno.EACCES, "Permission denied", "out.csv")), 1, "out.csv: permission denied.\n"),
        (raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), 1, "no space left on device.\n"),
    ],
)
def test_a_stage_ends_with_a_code_and_a_sentence(capsys, work, code, said):
    with pytest.raises(SystemExit) as left:
        run(work)
    assert left.value.code == code
    told = capsys.readouterr().err
    assert told.startswith(said)
    assert bool(told) == bool(said)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("no errno"), KeyboardInterrupt()])
def test_a_mistake_in_the_code_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        run(raising(error))


@pytest.mark.parametrize("name", [name for name in STAGES if name != "starter"])
def test_every_stage_answers_a_folder_without_anything_in_one_sentence(tmp_path, name):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", f"fosbury.stages.{name}"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_weights_that_changed_after_the_check_are_not_loaded(tmp_path, monkeypatch, capsys):
    params = OmegaConf.load(ROOT / "params.yaml")
    params.model.weights, params.model.sha256 = "start.pt", "0" * 64
    OmegaConf.save(params, tmp_path / "params.yaml")
    (tmp_path / "start.pt").write_bytes(b"another file")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        run(evaluate.main)
    assert left.value.code == 2
    assert "start.pt: is not the file that model" in capsys.readouterr().err
