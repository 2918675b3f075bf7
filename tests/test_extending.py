"""The worked examples of docs/extending.md, applied to a copy of the repository as they stand, and used."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from fosbury.stage_code import read_modules, stage_code, stages

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/extending.md").read_text(encoding="utf-8")
BLOCK = re.compile(r'^```(\w+) title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
COPIED = ("src", "conf", "hydra_plugins", "tests", "data/synthetic/dvc.yaml", "models/starter")
COMMAND_LINE = "from fosbury.cli import main; main()"
# Two pictures of one upright athlete each, in the joints of coco17.
FRAMES = """
import numpy as np
from PIL import Image
from fosbury import config
from fosbury.pose import VISIBLE, Dataset, Frame, Person
from fosbury.skeleton import Skeleton

skeleton = config.load_params().pose_skeleton
chance = np.random.default_rng(0)
frames = []
for name in ("one.png", "two.png"):
    Image.fromarray(chance.integers(0, 255, (96, 64, 3), dtype=np.uint8)).save(name)
    keypoints = np.stack([np.linspace(20, 40, len(skeleton)), np.linspace(10, 90, len(skeleton))], axis=1)
    box = np.array([18.0, 8.0, 42.0, 92.0])
    people = (Person(keypoints, np.full(len(skeleton), VISIBLE, np.uint8), box, 1000.0),)
    frames.append(Frame(name, 64, 96, people, phase="arch"))
dataset = Dataset(skeleton, tuple(frames))
"""


@dataclass(frozen=True)
class Example:
    """A section of the page: new files by name, and changes of files that are there."""

    new: dict[str, str]
    changes: list[tuple[str, str]]

    def apply(self, root: Path) -> None:
        """Write the new files and make the changes."""
        for name, text in self.new.items():
            assert not (root / name).exists(), f"{name} is there"
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        for name, change in self.changes:
            lines = change.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            text = (root / name).read_text(encoding="utf-8")
            assert text.count(before) == 1, f"{name} holds {text.count(before)} times:\n{before}"
            (root / name).write_text(text.replace(before, after), encoding="utf-8")

    def size(self) -> str:
        """How many files and lines it takes, in words."""
        added = sum(text.count("\n") for text in self.new.values())
        changed = sum(sum(line[0] == "+" for line in change.splitlines()) for _, change in self.changes)
        files = len({name for name, _ in self.changes})
        return f"{len(self.new)} new file(s) of {added} lines; {changed} line(s) in {files} other file(s)"


@dataclass(frozen=True)
class Copy:
    """A copy of the repository with one example applied."""

    root: Path

    def run(self, *command: str) -> str:
        """Run Python in the copy, by its code; return what it printed."""
        hidden = ("GIT_", "DVC_", "PYTEST_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        kept["PYTHONPATH"] = str(self.root / "src")
        done = subprocess.run(
            [sys.executable, *command], cwd=self.root, env=kept, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def example(title: str) -> Example:
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = BLOCK.findall(section)
    new = {name: text for language, name, text in found if language != "diff"}
    return Example(new, [(name, text) for language, name, text in found if language == "diff"])


@pytest.fixture
def extended(tmp_path, capsys):
    def copy(title: str) -> Copy:
        for name in COPIED:
            source, target = ROOT / name, tmp_path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pt", ".work"))
            else:
                shutil.copy2(source, target)
        for source in ROOT.iterdir():
            if source.is_file() and source.suffix in (".yaml", ".lock", ".toml", ".md"):
                shutil.copy2(source, tmp_path)
        asked = example(title)
        asked.apply(tmp_path)
        with capsys.disabled():
            print(f"\n{title}: {asked.size()}")
        return Copy(tmp_path)

    return copy


def test_every_block_of_the_page_belongs_to_an_example_that_is_tested():
    titles = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert sorted(titles) == ["A backend", "A label format", "A metric", "A skeleton", "A stage"]
    for each in map(example, titles):
        assert len(each.new) == 1 and len({name for name, _ in each.changes}) <= 1
    assert len(re.findall(r"^```\w+", PAGE, re.MULTILINE)) == len(BLOCK.findall(PAGE))


def test_a_metric(extended):
    copy = extended("A metric")
    use = """
import json
from fosbury.metrics.evaluation import evaluate
from fosbury.metrics.tables import csv_rows
from fosbury.pose import Pose

sure = np.full(len(skeleton), 0.9)
people = [frame.people[0] for frame in frames]
poses = [[Pose(each.keypoints + (0, 40 * shift), sure, each.box, 0.9)] for shift, each in enumerate(people)]
values = evaluate(dataset, poses, ap=False).to_json()
print(json.dumps([values["by_phase"]["arch"], csv_rows({"model": values}, "phase")[0]]))
"""
    group, head = json.loads(copy.run("-c", FRAMES + use))
    assert group["overconfident"] == 0.5 and len(group["ci"]["overconfident"]) == 2
    assert "overconfident" in head
    copy.run("src", "code")
    before = read_modules()
    changed = {
        name
        for name in stages()
        if (copy.root / f"reports/code/{name}.txt").read_text(encoding="utf-8") != stage_code(name, before)
    }
    assert changed == {"evaluate", "evaluate_export", "report", "starter"}, "no training, no export"


def test_a_label_format(extended):
    copy = extended("A label format")
    table = """
rows = ["image,width,height," + ",".join(f"{joint}_x,{joint}_y" for joint in skeleton.joints)]
for frame in frames:
    cells = ",".join(f"{x},{y}" for x, y in frame.people[0].keypoints)
    rows.append(f"{frame.file_name},{frame.width},{frame.height},{cells}")
open("joints.csv", "w").write("\\n".join(rows) + "\\n")
"""
    copy.run("-c", FRAMES + table)
    copy.run("-c", COMMAND_LINE, "import", "joints.csv", "--images", ".", "--name", "club", "--group-by", "file")
    written = json.loads((copy.root / "data/raw/club/annotations.json").read_text(encoding="utf-8"))
    assert [annotation["num_keypoints"] for annotation in written["annotations"]] == [17, 17]


def test_a_backend(extended):
    copy = extended("A backend")
    use = """
from pathlib import Path
from fosbury.backends import backend
from fosbury.inference.registry import load_model
from fosbury.recipe import Recipe
from fosbury.training.job import TrainingJob

recipe = Recipe(epochs=1, batch=1, image_size=64, lr0=0.1)
paths = {"out": Path("mean.pt"), "curve": Path("curve.csv"), "work": Path("work")}
job = TrainingJob(train=dataset, val=dataset, weights=None, architecture="meanpose", recipe=recipe, **paths)
model = load_model(backend("meanpose").finetune(job))
poses = model.predict([], [frame.boxes for frame in dataset.frames])
print(type(model).__name__, max(abs(poses[0][0].keypoints - dataset.frames[0].people[0].keypoints).ravel()) < 1e-6)
"""
    assert copy.run("-c", FRAMES + use).split() == ["MeanPose", "True"]


def test_a_stage(extended):
    copy = extended("A stage")
    (copy.root / "data/dataset").mkdir(parents=True)
    write = "from fosbury.formats.coco import write_coco\nwrite_coco(dataset, 'data/dataset/train.json')\n"
    copy.run("-c", FRAMES + write)
    copy.run("src", "labels")
    labels = json.loads((copy.root / "metrics/labels.json").read_text(encoding="utf-8"))
    assert labels["left_hip"] == len(labels) - 15 == 2
    copy.run("src", "code")
    assert (copy.root / "reports/code/labels.txt").stat().st_size
    copy.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_repository.py", "-k", "labels")


def test_a_skeleton(extended):
    copy = extended("A skeleton")
    use = """
from fosbury import config
params = config.parse_params(config.compose(["skeleton=barbell6"]))
flip = params.pose_skeleton.flip_index
print(len(params.pose_skeleton), (flip[flip] == range(6)).all(), config.check())
"""
    assert copy.run("-c", use).split() == ["6", "True", "[]"]
