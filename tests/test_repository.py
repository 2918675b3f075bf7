"""The rules that a machine can check: what may import what, what git holds, what the pipeline depends on."""

from __future__ import annotations

import ast
import os
import re
import shutil
import stat
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from fosbury import config
from fosbury.model_kinds import KINDS
from fosbury.stage_code import code_of, places, read_modules, stages

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "fosbury"

# The layers, lowest first: a package imports only from layers below its own (and from itself).
LAYERS = (
    ("errors", "files", "documents", "progress", "model_kinds"),
    ("skeleton", "media", "machine", "environment", "recipe", "refinement", "teaching"),
    ("pose", "config"),
    ("formats", "dataset", "metrics"),
    ("training", "inference"),
    ("backends", "export", "synth", "video"),
    ("report", "labelling", "stage_code"),
    ("stages", "doctor"),
    ("cli",),
)
LAYER = {package: number for number, packages in enumerate(LAYERS) for package in packages}
# Packages of one layer that may import each other all the same: nothing of them points back up.
NEIGHBOURS = {
    ("files", "errors"),
    ("documents", "errors"),
    ("config", "skeleton"),
    ("refinement", "recipe"),
    ("teaching", "recipe"),
    ("teaching", "refinement"),
    ("formats", "media"),
    ("training", "inference"),
    ("environment", "machine"),
}
# Frameworks that stay in their modules.
CONFINED = {
    "ultralytics": {"backends/yolo.py"},
    "mmpose": {"backends/rtmpose.py"},
    "mmengine": {"backends/rtmpose.py"},
    "mmcv": {"backends/rtmpose.py"},
    "tflite": {"backends/tflite_network.py"},
    "coremltools": {"export/coreml.py"},
    "ai_edge_litert": {"export/tflite.py"},
    "h5py": {"formats/hdf5.py"},
    "altair": {"report/charts.py"},
    "vl_convert": {"report/html.py"},
    "dvc": {"report/compare_sides.py", "report/efficiency.py", "config.py"},
    "hydra": {"config.py"},
    "omegaconf": {"config.py"},
    "typer": {f"cli/{module.name}" for module in (PACKAGE / "cli").glob("*.py")},
}
# Functions that still take more than four parameters by position; the list only gets shorter.
MANY_BY_POSITION: set[str] = set()
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "mmcv": "mmcv-lite",
    "vl_convert": "vl-convert-python",
}
PIPELINES = [ROOT / "dvc.yaml", *sorted(ROOT.glob("data/*/dvc.yaml")), *sorted(ROOT.glob("models/**/dvc.yaml"))]
STAGES = {
    name: stage
    for path in PIPELINES
    for name, stage in yaml.safe_load(path.read_text(encoding="utf-8"))["stages"].items()
    if not stage.get("frozen")  # kept as it was made, whatever the code has become
}
MODULES = sorted(PACKAGE.rglob("*.py"))
CODE = read_modules()


def place(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> frozenset[str]:
    """Dotted names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{place(path)}: relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(names)


def own_files(path: Path) -> set[Path]:
    """Files of the package that a module imports."""
    return {PACKAGE / ran[-1] for name in imports(path) if (ran := places(name, CODE))} - {path}


def tracked() -> list[Path]:
    """Files that git holds or would take."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in sorted(set(done.stdout.split("\0"))) if name and (ROOT / name).is_file()]


def outputs(stage: dict, *kinds: str) -> dict[str, dict]:
    found: dict[str, dict] = {}
    for kind in kinds:
        for entry in stage.get(kind, []):
            found.update({entry: {}} if isinstance(entry, str) else entry)
    return found


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_imports_come_from_layers_below(path):
    here = package(path)
    if here == "__init__":
        assert not own_files(path)
        return
    assert here in LAYER, f"{here} has no layer"
    for module in own_files(path):
        there = package(module)
        if there in (here, "__init__") or (here, there) in NEIGHBOURS:
            continue
        assert LAYER[there] < LAYER[here], f"{place(path)} imports {place(module)}, which is not below it"


@pytest.mark.parametrize("path", MODULES, ids=place)
def test_frameworks_stay_in_their_modules(path):
    for name in imports(path):
        allowed = CONFINED.get(name.partition(".")[0])
        assert allowed is None or place(path) in allowed, f"{place(path)} imports {name}"


@pytest.mark.parametrize("path", [path for path in MODULES if package(path) != "cli"], ids=place)
def test_beyond_four_parameters_they_are_given_by_name(path):
    """Of what other modules call: functions and methods without an underscore. Commands are typed, not called."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    for node in (node for body in bodies for node in body if isinstance(node, ast.FunctionDef)):
        names = [each.arg for each in (*node.args.posonlyargs, *node.args.args) if each.arg not in ("self", "cls")]
        known = f"{place(path)}:{node.name}" in MANY_BY_POSITION
        assert len(names) <= 4 or node.name.startswith("_") or known, f"{place(path)}:{node.lineno} {node.name}{names}"


def test_params_yaml_is_the_composition_of_conf():
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert text == config.to_yaml(config.compose(root=ROOT)), "run `fosbury config compose`"


def test_conf_asks_nothing_of_the_machine():
    for path in (ROOT / "conf").rglob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\$\{(oc\.env|now|hydra)", text), path.name


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_depends_on_the_code_that_it_runs(name):
    assert STAGES[name]["cmd"].split() == ["python", "src", name]
    assert (f"reports/code/{name}.txt" in STAGES[name]["deps"]) == (name in stages())
    assert name == "code" or not any(entry.startswith("src") for entry in STAGES[name]["deps"])


def test_what_starts_a_stage_decides_no_output():
    """It is no dependency of any: it hands the work to the stage's module, and does no more."""
    source = ast.parse((PACKAGE.parent / "__main__.py").read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(source) if isinstance(node, ast.ImportFrom)}
    assert {name for name in modules if name.startswith("fosbury")} == {"fosbury.stages.running"}


@pytest.mark.parametrize("name", sorted(STAGES.keys() & set(stages())))
def test_a_stage_depends_on_the_versions_of_the_packages_that_it_imports(name):
    imported = {each.partition(".")[0] for place in code_of(name, CODE) for each in CODE[place].imports}
    versions = config.read_values(ROOT / "params.yaml")["versions"]
    used = {DISTRIBUTIONS.get(each, each) for each in imported} & versions.keys()
    params = [key for key in STAGES[name].get("params", []) if isinstance(key, str)]
    listed = {key.removeprefix("versions.") for key in params if key.startswith("versions.")}
    needed = {package for kind in KINDS.values() for package in kind.packages.values()}
    assert used <= listed, f"add to params of stage {name}: {sorted(used - listed)}"
    assert listed <= used | needed, f"take from params of stage {name}: {sorted(listed - used - needed)}"


@pytest.mark.parametrize("name", STAGES)
def test_the_run_cache_works_for_a_stage(name):
    # DVC switches the run cache off for a stage with `cache: false` under `outs`.
    assert all(options.get("cache", True) for options in outputs(STAGES[name], "outs").values())


@pytest.mark.parametrize("name", STAGES)
def test_params_of_a_stage_exist(name):
    values = config.read_values(ROOT / "params.yaml")
    for key in STAGES[name].get("params", []):
        if isinstance(key, dict):  # keys of another file
            assert all((ROOT / file).is_file() for file in key)
            continue
        section = values
        for part in key.split("."):
            assert part in section, f"{name}: {key}"
            section = section[part]


def test_dvc_keeps_large_outputs_and_git_the_small_ones():
    cached, in_git = set(), set()
    for stage in STAGES.values():
        for path, options in outputs(stage, "outs", "metrics", "plots").items():
            if stage.get("wdir", "../..") != "../..":
                continue
            (cached if options.get("cache", True) else in_git).add(path)
    command = [
        "git",
        "check-ignore",
        "--no-index",
        "--",
        *sorted(f"{path}/x" for path in cached),
        *sorted(cached | in_git),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        pytest.skip("not a git checkout")
    ignored = {line.removesuffix("/x") for line in done.stdout.splitlines()}
    assert cached - ignored == set(), "DVC's outputs belong in .gitignore"
    assert in_git & ignored == set(), "git's outputs do not"


def test_what_a_person_gives_to_dvc_is_seen_by_it():
    """DVC passes over a tracked path in a folder that git ignores as a whole."""
    seen = ["data/raw.dvc", "models/pretrained/", "models/pretrained/mine.pt.dvc"]
    unseen = [
        "data/raw/club/annotations.json",
        "models/pretrained/mine.pt",
        "models/pretrained/mine.tflite",
        "frames/jump/000000.jpg",
        "export.zip",
    ]
    command = ["git", "check-ignore", "--no-index", "--", *seen, *unseen]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        pytest.skip("not a git checkout")
    assert done.stdout.splitlines() == unseen


def test_requirements_are_locked_by_hash_without_addresses():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert " @ " not in text
    blocks = re.split(r"\n(?=[A-Za-z0-9])", text[text.index("\naddict") + 1 :])
    assert len(blocks) > 100
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]
    locked = {re.split(r"==", block)[0].lower() for block in blocks}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"]]
    groups = (*project["project"]["optional-dependencies"].values(), *project["dependency-groups"].values())
    wanted += [name for group in groups for name in group]
    names = {re.split(r"[<>=\[; ]", name)[0].lower() for name in wanted}
    assert names - locked == set(), "lock again"


def test_no_file_tells_of_a_machine_or_a_registry():
    forbidden = re.compile("|".join([r"(?<![\w.\-/])/(?:work|root)/\w", "pypi" + r"\.org", "python" + "hosted"]))
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        found = forbidden.search(data.decode("utf-8", errors="replace"))
        assert not found, f"{path.relative_to(ROOT)}: {found.group()}"


def test_git_holds_no_large_file():
    for path in tracked():
        limit = 7_000_000 if path.suffix == ".pt" else 1_000_000
        assert path.stat().st_size <= limit, path.relative_to(ROOT)
    montage = ROOT / "reports" / "montage.jpg"
    assert not montage.exists() or montage.stat().st_size <= 300_000


def test_hooks_are_local_and_ci_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repository["repo"] for repository in hooks["repos"]] == ["local"]
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_make_names_its_targets():
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    quiet = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, env=quiet).stdout
    for target in ("setup", "repro", "test", "lint", "docs", "bench"):
        assert f"make {target}" in text
        subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, check=True, env=quiet)


def test_packages_of_a_persons_choice_stay_and_move_no_locked_version(tmp_path):
    """The line of the Makefile that turns the lock into constraints, run on the lock."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in makefile if "requirements.lock > .uv/constraints.txt" in line]
    (tmp_path / ".uv").mkdir()
    shutil.copy(ROOT / "requirements.lock", tmp_path)
    command = line.strip().removesuffix("\\").strip().replace("$$", "$")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    made = (tmp_path / ".uv/constraints.txt").read_text(encoding="utf-8").splitlines()
    locked = re.findall(
        r"^([^ \n#]+==[^ \n]+)( ;[^\\\n]*)?", (tmp_path / "requirements.lock").read_text(), re.MULTILINE
    )
    assert [each.rstrip() for each in made] == [f"{package}{marker}".rstrip() for package, marker in locked]
    assert len(made) > 100
    command = ["git", "check-ignore", "--no-index", "--", "requirements.local.txt"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode in (0, 128)


def test_licences_are_named():
    assert "Version 2.0, January 2004" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert "AGPL-3.0" in notice
    assert "models/starter" in notice


def test_dvc_says_nothing_to_the_outside_and_composes_conf():
    settings = (ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    assert re.search(r"analytics = false", settings)
    assert re.search(r"enabled = true", settings)
    assert "remote" not in settings


def test_no_test_asserts_a_time():
    """A slower machine is not wrong: speed is a ratio in bench/, growth a count of calls (tests/counting.py)."""
    clocks = {"perf_counter", "process_time", "monotonic", "thread_time", "time", "time_ns", "timeit", "now"}
    clocks |= {f"{clock}_ns" for clock in clocks}
    for path in sorted((ROOT / "tests").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in clocks:
                assert node.value.id not in ("time", "datetime", "timeit"), f"{path.name}:{node.lineno} reads a clock"
            if isinstance(node, ast.ImportFrom) and node.module in ("time", "timeit"):
                assert {alias.name for alias in node.names} <= {"sleep"}, f"{path.name}:{node.lineno} reads a clock"
            if isinstance(node, ast.keyword) and node.arg in ("timeout", "deadline", "max_seconds"):
                limit = node.value.value if isinstance(node.value, ast.Constant) else "?"
                assert limit is None, f"{path.name}:{node.value.lineno}: a time limit of its own"
