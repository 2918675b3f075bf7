"""A scratch copy of the repository in which the pipeline really runs, small enough for a test."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CLIPS = 6
SMALL = (
    *("data.every=4", "train.epochs=1", "train.image_size=64", "evaluate.image_size=64"),
    *("export.image_size=[64,64]", "export.quantize=fp16"),  # int8 takes twice as long
)
TINY = ("experiment=demo_yolo", *SMALL)  # trains and looks in a third of the default's time
PERSON = {f"GIT_{role}_{what}": "pipeline@test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


AGPL = ("ultralytics",)
COMPILED = "xtcocotools"  # asks for a C compiler
MMPOSE = ("mmpose", "mmengine", "mmcv")
NOTE = """
import atexit, pathlib


def note():
    if sys.argv[:1] == ["src"] and len(sys.argv) > 1:
        names = sorted(name for name in sys.modules if name.partition(".")[0] == "fosbury")
        with (pathlib.Path(__file__).parent / f"{sys.argv[1]}.txt").open("a") as file:
            file.writelines(f"{name}\\n" for name in names)


atexit.register(note)
"""  # of each stage that runs, the modules of the package that it imported
COMMAND_LINE = "import sys; sys.path.insert(0, 'src'); from fosbury.cli import main; main()"


@dataclass(frozen=True)
class Scratch:
    """A repository of its own: the files that git holds, a git history, a DVC cache.

    ``without`` names packages that its commands do not find, as if they were not installed.
    """

    root: Path
    without: tuple[str, ...] = MMPOSE

    @classmethod
    def create(cls, root: Path) -> Scratch:
        """Copy the files that git holds and commit them."""
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        scratch = cls(root)
        scratch.run("git", "init", "--quiet")
        scratch.commit()
        return scratch

    def copy(self, root: Path) -> Scratch:
        """The same with all that the pipeline has made, to be changed without harm to the first."""
        shutil.copytree(self.root, root, symlinks=True)
        return replace(self, root=root)

    def commit(self) -> None:
        """Commit everything."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--no-verify", "--message", "test")

    @property
    def _hidden(self) -> Path:
        return self.root.parent / f"without-{'-'.join(self.without)}"

    def imported_by(self, stage: str) -> set[str]:
        """Modules of the package that a stage has imported whenever it ran here."""
        return set((self._hidden / f"{stage}.txt").read_text(encoding="utf-8").split())

    @property
    def environment(self) -> dict[str, str]:
        """The environment's `python` and `dvc`, and nothing that tells a stage where its code is."""
        foreign = ("GIT_", "DVC_", "MAKE", "PYTEST_", "COV_")
        hidden = self._hidden
        hidden.mkdir(exist_ok=True)
        lines = [f"sys.modules[{name!r}] = None\n" for name in self.without]
        (hidden / "sitecustomize.py").write_text("".join(["import sys\n", *lines, NOTE]), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **kept,
            **PERSON,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(hidden),
            "DVC_SITE_CACHE_DIR": str(self.root.parent / "dvc-site"),
            "DVC_NO_ANALYTICS": "1",
        }

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command in the root and return what it printed; ``fails`` says that it must not succeed.

        ``fosbury`` is the command line of the scratch's source: the installed one is that of ROOT or of another clone.
        """
        if command[0] == "fosbury":
            command = (sys.executable, "-c", COMMAND_LINE, *command[1:])
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert bool(done.returncode) == fails, f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def compose(self, *overrides: str) -> None:
        """Write params.yaml for the tiny run."""
        self.run("fosbury", "config", "compose", *TINY, *overrides)

    def athlete(self, **values: int) -> None:
        """Change data/synthetic/params.yaml."""
        path = self.root / "data/synthetic/params.yaml"
        recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump({**recipe, **values}), encoding="utf-8")


def stages_run(output: str) -> set[str]:
    """Names of the stages that DVC says it ran."""
    return {name.rpartition(":")[2] for name in re.findall(r"Running stage '([^']+)'", output)}
