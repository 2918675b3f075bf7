"""How stages end, and what they refuse to load."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fosbury.errors import BadInput, BadInputs, WorkFailed
from fosbury.formats.coco import write_coco
from fosbury.pose import VISIBLE, Dataset, Frame, Person
from fosbury.stages import dataset, evaluate
from fosbury.stages.running import run

ROOT = Path(__file__).parents[1]
STAGES = sorted(path.stem for path in Path(evaluate.__file__).parent.glob("*.py") if "def main(" in path.read_text())


def run_source(source: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(source), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


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
        (
            raising(BadInputs("a.json", ["one", "two"], "correct them")),
            2,
            "a.json: 2 problems; correct them.\n  - one\n",
        ),
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


@pytest.mark.parametrize("name", [name for name in STAGES if name not in ("starter", "code")])
def test_every_stage_answers_a_folder_without_anything_in_one_sentence(tmp_path, name):
    done = run_source(ROOT / "src", name, folder=tmp_path)
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


@pytest.fixture
def stills(tmp_path, monkeypatch, skeletons):
    """The folder of a run whose annotations are sixteen stills of one labelled person each."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    skeleton = skeletons["coco17"]
    keypoints = rng.uniform(2, 30, (len(skeleton), 2))
    person = Person(keypoints, np.full(len(skeleton), VISIBLE), np.array([0.0, 0.0, 32.0, 32.0]), 1024.0)
    frames = tuple(Frame(f"{number:02d}.png", 32, 32, (person,)) for number in range(16))
    for frame in frames:
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), np.uint8)).save(frame.file_name)
    Path("data/annotations").mkdir(parents=True)
    write_coco(Dataset(skeleton, frames), Path("data/annotations/stills.json"))
    return tmp_path


def splits_of(root: Path, **seeds: int) -> list[bytes]:
    params = OmegaConf.load(ROOT / "params.yaml")
    for key, seed in seeds.items():
        OmegaConf.update(params, key.replace("_", "."), seed)
    OmegaConf.save(params, root / "params.yaml")
    dataset.main()
    return [(root / f"data/dataset/{name}.json").read_bytes() for name in ("train", "val", "test")]


def test_the_seed_of_training_leaves_the_split_alone(stills):
    first = splits_of(stills, seed=0, split_seed=0)
    assert splits_of(stills, seed=7, split_seed=0) == first
    assert splits_of(stills, seed=0, split_seed=7) != first


def test_over_the_folds_the_dataset_stage_tests_every_still_once(stills):
    tested = []
    for fold in range(4):
        params = OmegaConf.merge(OmegaConf.load(ROOT / "params.yaml"), {"split": {"folds": 4, "fold": fold}})
        OmegaConf.save(params, stills / "params.yaml")
        dataset.main()
        assert "| test | 25.0% |" in (stills / "reports/dataset.md").read_text(encoding="utf-8")
        tested += [
            image["file_name"] for image in json.loads((stills / "data/dataset/test.json").read_text())["images"]
        ]
    assert sorted(tested) == [f"{number:02d}.png" for number in range(16)]


def test_the_dataset_stage_is_up_to_date_for_another_seed_of_training():
    stages = OmegaConf.load(ROOT / "dvc.yaml").stages
    assert {"split", "seed"} & set(stages.dataset.params) == {"split"}
    assert "seed" in stages.train.params


@pytest.mark.parametrize("words", [[], ["trian"], ["running"], ["../train"], [""]])
def test_what_is_no_stage_is_answered_with_their_names(tmp_path, words):
    done = run_source(ROOT / "src", *words, folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert all(name in done.stderr for name in STAGES)


def test_a_stage_is_the_one_beside_it_whatever_is_installed_or_first_on_the_path(tmp_path, monkeypatch):
    beside, elsewhere = tmp_path / "experiment/src", tmp_path / "workspace/src"
    for source, words in ((beside, "queued"), (elsewhere, "live")):
        stages = source / "fosbury/stages"
        stages.mkdir(parents=True)
        shutil.copy(ROOT / "src/__main__.py", source)
        shutil.copy(ROOT / "src/fosbury/stages/running.py", stages)
        for module in ("errors.py", "machine.py"):
            shutil.copy(ROOT / "src/fosbury" / module, source / "fosbury")
        for package in (stages, stages.parent):
            (package / "__init__.py").touch()
        moves = "import os\n\ndef main(folder):\n    os.chdir(folder)\n    from fosbury import late\n"
        (stages / "frames.py").write_text(f"{moves}    print({words!r}, late.HERE)\n")
        (source / "fosbury/late.py").write_text(f"HERE = {words!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(elsewhere))
    done = run_source(Path("src"), "frames", "../workspace", folder=beside.parent)
    assert done.stdout == "queued queued\n", done.stderr
