"""Which code decides the outputs of each stage, and a digest of it that only a change of meaning changes.

The code of a stage is its module, all modules of this package that it imports, directly or not, and those that it
reaches by name through a registry. Stage ``code`` writes a file for each stage, with a line for each of these modules;
dvc.yaml names that file as a dependency, so that an edit runs again what it concerns and nothing else. A remark, a
docstring, a line break or the annotation of a function concerns nothing.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fosbury.model_kinds import BACKENDS, EXPORTED

PACKAGE = Path(__file__).parent
NO_STAGE = ("__init__", "running", "code", "check_params")
"""Modules of ``stages/`` whose code needs no digest: the last two make no part of a result."""

DECIDES_NO_OUTPUT = {
    # what is read and refused, and in which words
    *("config.py", "documents.py", "errors.py", "inference/weights.py", "formats/recognise.py", "stages/running.py"),
    # how a text gets to its place; tests/test_documents.py holds the bytes of JSON and CSV
    "files.py",
    # where things are, and what values may be
    *("backends/__init__.py", "inference/protocol.py", "inference/registry.py", "model_kinds.py"),
    *("recipe.py", "refinement.py", "teaching.py"),
    # what belongs to the machine, and a record of it beside the results
    *("environment.py", "machine.py"),
    # bars and lines of progress
    *("progress.py", "training/progress.py"),
}
"""Modules that no stage depends on, nor through them on what they import."""

_BACKENDS = tuple(kind.module for kind in BACKENDS.values())
_EXPORTED = tuple(kind.module for kind in EXPORTED.values() if not kind.read_only)
_READ_ONLY = tuple(kind.module for kind in EXPORTED.values() if kind.read_only)
_REFINE = ("fosbury.inference.refine", "fosbury.inference.vote")
BY_NAME = {
    "teacher": (*_BACKENDS, *_READ_ONLY),
    "train": _BACKENDS,
    "evaluate": (*_BACKENDS, *_READ_ONLY, *_REFINE),
    "export": (*_BACKENDS, *_EXPORTED),
    "evaluate_export": (*_EXPORTED, *_REFINE),
    "starter": _BACKENDS,
}
"""Modules that a stage reaches by name: model files are opened, trained and exported through ``model_kinds``."""

_UNSAID = ("kind", "type_comment", "type_ignores", "ctx")  # fields of the tree that say nothing of their own


@dataclass(frozen=True)
class Module:
    """What matters of a module.

    Attributes
    ----------
    imports : frozenset of str
        Dotted names that it imports, wherever in it, but for those that only type checkers read.
    digest : str
        Of its code; empty where it has none.
    """

    imports: frozenset[str]
    digest: str


class _Bare(ast.NodeTransformer):
    """Take away what decides nothing: docstrings, annotations of functions, imports for type checkers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            return [self.visit(each) for each in node.orelse] or None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def read_module(text: str) -> Module:
    """Read the source of a module.

    Its digest is the same on every Python that this package runs on.

    Examples
    --------
    >>> one = read_module("import math  # a remark" + chr(10) + "x = math.pi")
    >>> sorted(one.imports), one.digest == read_module("import math; x = math.pi").digest
    (['math'], True)
    """
    tree = _Bare().visit(ast.parse(text))
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.update(f"{node.module}.{alias.name}" for alias in node.names)
    digest = hashlib.sha256(ascii(_plain(tree)).encode()).hexdigest()[:16] if tree.body else ""
    return Module(frozenset(imports), digest)


def _plain(node: object) -> object:
    """Turn a tree into nested tuples; fields that are empty are left out, since newer Pythons have more of these."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name not in _UNSAID)
        return (type(node).__name__, *((name, _plain(value)) for name, value in fields if value not in (None, [])))
    return tuple(map(_plain, node)) if isinstance(node, list) else node


def read_modules(package: Path = PACKAGE) -> dict[str, Module]:
    """Read every module of the package, by its path in it such as ``metrics/error.py``."""
    return {
        path.relative_to(package).as_posix(): read_module(path.read_text(encoding="utf-8"))
        for path in sorted(package.rglob("*.py"))
    }


def places(name: str, modules: Mapping[str, Module]) -> list[str]:
    """Modules of the package that importing a dotted name runs: the one that holds it, and the packages around it.

    Parameters
    ----------
    name : str
        Of a module, or of something in one; of another package it runs none of this.
    modules : mapping of str to Module
    """
    root, *parts = name.split(".")
    if root != PACKAGE.name:
        return []
    stems = ["/".join(parts[:length]) for length in range(len(parts) + 1)]
    return [place for stem in stems for place in (f"{stem}.py", f"{stem}/__init__.py".lstrip("/")) if place in modules]


def code_of(stage: str, modules: Mapping[str, Module]) -> list[str]:
    """Modules that decide the outputs of a stage, ascending.

    Parameters
    ----------
    stage : str
        Name of a module in ``stages/``.
    modules : mapping of str to Module
        As ``read_modules`` gives them.
    """
    seen: set[str] = set()
    waiting = [f"stages/{stage}.py", *(place for name in BY_NAME.get(stage, ()) for place in places(name, modules))]
    while waiting:
        place = waiting.pop()
        if place not in seen and place not in DECIDES_NO_OUTPUT:
            seen.add(place)
            waiting += [each for name in modules[place].imports for each in places(name, modules)]
    return sorted(place for place in seen if modules[place].digest)


def stages(package: Path = PACKAGE) -> list[str]:
    """Names of the stages whose code decides a result."""
    return sorted(path.stem for path in (package / "stages").glob("*.py") if path.stem not in NO_STAGE)


def stage_code(stage: str, modules: Mapping[str, Module]) -> str:
    """Return what stage ``code`` writes for a stage: the digest and the path of each of its modules, a line each."""
    return "".join(f"{modules[place].digest}  {place}\n" for place in code_of(stage, modules))
