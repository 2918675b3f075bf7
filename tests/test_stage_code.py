"""Which stages an edit of the code runs again: those that it concerns, and no other."""

from __future__ import annotations

import ast
import hashlib
import shutil
from pathlib import Path

import pytest
import yaml
from scratch import ROOT, Scratch, stages_run

from fosbury.formats.registry import FORMATS
from fosbury.model_kinds import KINDS
from fosbury.stage_code import BY_NAME, DECIDES_NO_OUTPUT, code_of, read_module, read_modules, stage_code, stages
from fosbury.video.outputs.registry import OUTPUTS

PACKAGE = ROOT / "src/fosbury"
OPEN_MODELS = {"train", "evaluate", "export", "starter", "teacher"}
MEASURE = {"evaluate", "evaluate_export", "report", "starter"}

SOURCE = '''
"""A module."""
from __future__ import annotations
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fosbury.metrics.evaluation import Evaluation

LIMIT = 3
"""Of what."""


def area(radius, scale=1.0):
    """Say it."""
    return math.pi * radius**2 * scale  # pi
'''


def same(*changes: tuple[str, str]) -> bool:
    text = SOURCE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return read_module(text).digest == read_module(SOURCE).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # pi", ""),
        ('"""Say it."""', '"""Say it.\n\n    At length.\n    """'),
        ('"""Of what."""\n', ""),
        ("radius, scale=1.0", "\n    radius: float,\n    scale: float = 1.0,\n"),
        ("1.0):", "1.0) -> float:"),
        ("metrics.evaluation import Evaluation", "metrics.paired import Verdict"),
        ("math.pi * radius**2 * scale", "(math.pi * (radius ** 2)) * scale"),
    ],
)
def test_what_decides_nothing_leaves_the_digest_as_it_is(old, new):
    assert same((old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [("= 3", "= 4"), ("= 3", "= 3.0"), ("= 3", "= None"), ("radius**2 * scale", "radius ** (2 * scale)"), ("=1.0", "")],
)
def test_what_decides_something_changes_it(old, new):
    assert not same((old, new))


def test_the_digest_is_the_same_on_every_python():
    """Written down once: 3.12 and 3.13 give the tree of a function more fields, which are empty."""
    assert read_module(SOURCE).digest == "e6b582e4ad88a5f4"
    tree = ast.parse(SOURCE)
    assert read_module(ast.unparse(tree)).digest == read_module(SOURCE).digest


def test_only_what_runs_is_an_import():
    assert read_module(SOURCE).imports == {"__future__.annotations", "math", "typing.TYPE_CHECKING"}
    modules = read_modules()
    assert "formats/coco/__init__.py" in code_of("train", modules), "a package runs before its modules"
    assert not [place for place in code_of("train", modules) if not modules[place].digest]


def test_modules_that_are_named_in_the_lists_exist():
    modules = read_modules()
    assert modules.keys() >= DECIDES_NO_OUTPUT
    assert {*BY_NAME} <= {*stages()}
    for names in BY_NAME.values():
        assert all((ROOT / "src" / f"{name.replace('.', '/')}.py").is_file() for name in names)


def test_every_module_that_is_imported_by_name_belongs_to_a_stage():
    """A text that is the name of a module, wherever it stands, is one that some stage reaches.

    Formats of labels and the files of `fosbury predict` are reached by commands, which no stage runs.
    """
    named = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("fosbury."):
                file = ROOT / "src" / f"{node.value.replace('.', '/')}.py"
                named |= {node.value} if node.value.count(".") > 1 and file.is_file() else set()
    assert {kind.module for kind in KINDS.values()} <= named
    reached_by_commands = {*FORMATS.values(), *(kind.module for kind in OUTPUTS.values())}
    assert named - reached_by_commands == {name for names in BY_NAME.values() for name in names}


def edited(package: Path, place: str, line: str) -> set[str]:
    """Stages whose digest changes with a line at the end of a module."""
    before = read_modules(package)
    text = (package / place).read_text(encoding="utf-8")
    after = {**before, place: read_module(f"{text}\n{line}\n")}
    return {name for name in stages() if stage_code(name, before) != stage_code(name, after)}


@pytest.mark.parametrize(
    ("place", "line", "concerned"),
    [
        ("skeleton.py", "# a remark", set()),
        ("skeleton.py", "X = 1", set(stages())),
        ("report/charts.py", "X = 1", {"report"}),
        ("report/montage.py", "X = 1", {"report"}),
        ("report/compare.py", "X = 1", set()),
        ("cli/__init__.py", "X = 1", set()),
        ("files.py", "X = 1", set()),
        ("metrics/angles.py", "X = 1", MEASURE),
        ("metrics/evaluation.py", "X = 1", MEASURE),
        ("metrics/tables.py", "X = 1", {"evaluate"}),
        ("metrics/agreement.py", "X = 1", set()),
        ("metrics/selection.py", "X = 1", OPEN_MODELS | MEASURE),
        ("media/video.py", "X = 1", {"synth", "frames", "annotations"}),
        ("backends/yolo.py", "X = 1", OPEN_MODELS),
        ("export/coreml.py", "X = 1", {"export", "evaluate_export"}),
        ("inference/refine.py", "X = 1", {"evaluate", "evaluate_export", "teacher", "teach"}),
        ("synth/body.py", "X = 1", {"synth", "starter"}),
    ],
)
def test_an_edit_concerns_the_stages_that_run_it(place, line, concerned):
    assert edited(PACKAGE, place, line) == concerned


def standing(output: str) -> set[str]:
    """Names of the stages that `dvc status` lists."""
    return {
        line.rstrip(":").rpartition(":")[2] for line in output.splitlines() if line.endswith(":") and line[0] != "\t"
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Scratch:
    """A scratch repository whose dvc.lock says that everything is up to date; what the stages made is a stub."""
    scratch = Scratch.create(tmp_path_factory.mktemp("code") / "repository")
    (scratch.root / "reports").mkdir(exist_ok=True)
    for path in ("dvc.yaml", "data/synthetic/dvc.yaml"):
        for stage in yaml.safe_load((scratch.root / path).read_text(encoding="utf-8"))["stages"].values():
            for kind in ("outs", "metrics", "plots"):
                for entry in stage.get(kind, []):
                    made = scratch.root / (entry if isinstance(entry, str) else next(iter(entry)))
                    if made.suffix and not made.exists():
                        made.parent.mkdir(parents=True, exist_ok=True)
                        made.write_text("{}\n", encoding="utf-8")
                    elif not made.suffix:
                        made.mkdir(parents=True, exist_ok=True)
                        (made / "stub").write_text("", encoding="utf-8")
    shutil.rmtree(scratch.root / "reports/code")
    scratch.run("python", "src", "code")
    scratch.run("dvc", "commit", "--force")
    scratch.commit()
    return scratch


def test_dvc_runs_again_what_an_edit_concerns(recorded, tmp_path):
    scratch = recorded.copy(tmp_path / "repository")
    package = scratch.root / "src/fosbury"
    assert standing(scratch.run("dvc", "status")) == set()
    edits = {
        "report/page.py": {"report"},
        "metrics/takeoff.py": {"evaluate", "evaluate_export", "report"},
        "media/video.py": {"synth", "frames", "annotations"},
    }
    for place, concerned in edits.items():
        text = (package / place).read_text(encoding="utf-8")
        for line, expected in (("# a remark", set()), ("X = 1", concerned)):
            (package / place).write_text(f"{text}\n{line}\n", encoding="utf-8")
            assert standing(scratch.run("dvc", "status")) == {"code"}, "only this stage reads the source"
            assert stages_run(scratch.run("dvc", "repro", "code")) == {"code"}
            assert standing(scratch.run("dvc", "status")) == expected
        (package / place).write_text(text, encoding="utf-8")
        scratch.run("dvc", "repro", "code")
        assert standing(scratch.run("dvc", "status")) == set()


def test_one_command_runs_the_digests_first_and_then_what_they_concern(recorded, tmp_path):
    """Stage `code` stands beside what needs it: DVC runs it first, since it makes what they depend on."""
    scratch = recorded.copy(tmp_path / "repository")
    code = scratch.root / "src/fosbury/stages/annotations.py"
    code.write_text(code.read_text(encoding="utf-8") + "\nX = 1\n", encoding="utf-8")
    output = scratch.run("dvc", "repro", "--dry", "annotations")
    assert stages_run(output) == {"code"}, "what follows is known when it has run"
    digest = scratch.root / "reports/code/annotations.txt"
    before = hashlib.md5(digest.read_bytes()).hexdigest()
    scratch.run("dvc", "repro", "annotations", fails=True)  # the stubs are no clips
    assert hashlib.md5(digest.read_bytes()).hexdigest() != before
