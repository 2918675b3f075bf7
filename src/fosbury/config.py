"""params.yaml, typed and checked: the only module that knows it.

``conf/`` is composed by Hydra into params.yaml; the stages read params.yaml through :func:`load_params` and hand plain
values to the functions they call. Settings of a machine (device, threads) are environment variables, not parameters:
they must not invalidate what DVC has cached (see ``machine.py``).
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from fosbury.documents import read_yaml
from fosbury.errors import BadInput, BadInputs
from fosbury.files import write_text
from fosbury.model_kinds import BACKENDS
from fosbury.recipe import Positive, Recipe, Section, Share, Side
from fosbury.refinement import How, Margin, Refinement, UprightLooks, VoteSettings
from fosbury.skeleton import Skeleton, normalise
from fosbury.teaching import Teaching

GROUPS = ("data", "split", "skeleton", "model", "teach", "train", "evaluate", "export")
PARAMS = "params.yaml"
COMPOSE = "run `fosbury config compose`"


def _known_backend(value: str) -> str:
    if value not in BACKENDS:
        raise ValueError(f"should be {' or '.join(map(repr, BACKENDS))}")
    return value


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if not path.parts or path.is_absolute() or ".." in path.parts or re.search(r"[\\\x00-\x1f:]|^~", value):
        raise ValueError("should be a path inside the repository, with forward slashes, such as data/raw")
    return value


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
RepositoryPath = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")]
Part = Literal["train", "val", "test"]
Phase = Literal["approach", "takeoff", "flight", "arch", "landing", "stance", "swing"]


class Data(Section):
    """Which frames: ``source`` is a folder of sets, ``sets`` those that are taken (None: all).

    ``unlabelled`` sets have people with a box and no joints; they are taken beside the others, for training alone.
    ``figure`` is who the built-in clips show.
    """

    name: str
    figure: Literal["athlete", "walker"]
    source: RepositoryPath
    sets: list[str] | None
    unlabelled: list[str]
    every: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]
    stature_mm: Annotated[float, Field(ge=500, le=3000)]
    label_noise_mm: Positive | None


class Split(Section):
    """Shares of the frames, and what goes to a part whatever the shares; ``folds`` is None for one split."""

    name: str
    train: Share
    val: Share
    test: Share
    folds: Annotated[int, Field(ge=3)] | None
    fold: Annotated[int, Field(ge=0)]
    seed: Seed
    assign: dict[str, Part]
    near_duplicates: Annotated[int, Field(ge=0, le=256)]
    allow_duplicates: bool
    train_frames: Count | None
    draw: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _sums_to_one(self) -> Split:
        total = self.train + self.val + self.test
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"train, val and test should sum to 1, and sum to {total:g}")
        return self

    @model_validator(mode="after")
    def _fold_is_one_of_the_folds(self) -> Split:
        if self.folds is None and self.fold:
            raise ValueError(f"fold is {self.fold}, and folds is null: choose split=grouped_cv, or fold 0")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold should be from 0 to {self.folds - 1}, and is {self.fold}")
        if self.folds is not None and not self.train + self.val:
            raise ValueError("train and val should not both be 0: they part what a fold does not test")
        return self

    @property
    def ratios(self) -> dict[str, float]:
        """Share of the frames by part; of a cross-validation a fold for the test, the rest as train is to val."""
        if self.folds is None:
            return {"train": self.train, "val": self.val, "test": self.test}
        rest = (1 - 1 / self.folds) / (self.train + self.val)
        return {"train": self.train * rest, "val": self.val * rest, "test": 1 / self.folds}


class Model(Section):
    """The network and the weights it starts from; ``url`` and ``sha256`` where they can be fetched on request.

    ``boxes`` says where models look when they are measured: in the whole picture (None), or as ``boxes.SOURCES`` tell.
    """

    name: str
    backend: Annotated[str, AfterValidator(_known_backend)]
    boxes: Literal["labels", "search", "track"] | None
    architecture: str
    weights: RepositoryPath
    url: str | None
    sha256: Sha256 | None
    licence: str


class Teach(Teaching):
    """How the training frames are taught; a teacher's ``weights`` lie in the repository."""

    name: str
    sha256: Sha256 | None

    @field_validator("weights")
    @classmethod
    def _a_teacher_is_inside(cls, value: str, info: ValidationInfo) -> str:
        return value if info.data.get("how") == "none" else _inside(value)  # without one they are model.weights


class Evaluate(Section):
    """How models are measured: the same for all that are compared."""

    name: str
    confidence: Share
    image_size: Side
    refine: How
    margin: Margin
    upright_looks: UprightLooks
    vote: VoteSettings
    phase: Phase
    cap: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="before")
    @classmethod
    def _no_names_of_before(cls, values: Any) -> Any:
        old = [f"evaluate.{key}" for key in ("second_look", "upright") if isinstance(values, dict) and key in values]
        if old:
            raise ValueError(
                f"{' and '.join(old)}: set evaluate.refine (none, zoom, upright, vote) and evaluate.margin"
            )
        return values

    @property
    def refinement(self) -> Refinement:
        """How people are looked at again."""
        return Refinement(how=self.refine, margin=self.margin, upright_looks=self.upright_looks, vote=self.vote)


class Export(Section):
    """Input of the exported files (height, width) and the CoreML package's weights."""

    name: str
    image_size: Annotated[list[Side], Field(min_length=2, max_length=2)]
    quantize: Literal["int8", "fp16", "none"]


class Params(Section):
    """Everything in params.yaml.

    ``skeleton`` is the mapping of conf/skeleton; :attr:`pose_skeleton` is the :class:`~fosbury.skeleton.Skeleton` made
    from it. ``versions`` are those of requirements.lock, see ``environment.py``.
    """

    seed: Seed
    conf_digest: str
    experiment: str
    versions: dict[str, str | None]
    data: Data
    split: Split
    skeleton: dict[str, Any]
    model: Model
    teach: Teach
    train: Recipe
    evaluate: Evaluate
    export: Export

    @model_validator(mode="after")
    def _boxes_suit_the_model(self) -> Params:
        name, boxes = self.model.backend, self.model.boxes
        if BACKENDS[name].needs_boxes:
            if boxes is None:
                reason = f"{name} takes one person at a time, in a box"
                raise ValueError(f"model.boxes should be labels, search or track: {reason}")
            return self
        if boxes in ("search", "track"):
            raise ValueError(f"model.boxes should be null for {name}, which finds people by itself")
        if boxes is not None and self.evaluate.refine == "none":
            hint = "or evaluate.refine be zoom, upright or vote"
            raise ValueError(f"model.boxes should be null for {name}, {hint}")
        return self

    @model_validator(mode="after")
    def _backend_uses_the_recipe(self) -> Params:
        problems = [
            f"train.{key} is {value!r}, which {self.model.backend} would ignore: set it to {default!r}"
            for key, (value, default) in self.train.ignored_by(self.model.backend).items()
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def pose_skeleton(self) -> Skeleton:
        """The configured skeleton."""
        return Skeleton.from_mapping(self.skeleton, where=f"{PARAMS}: skeleton")


def find_root(start: Path | None = None) -> Path:
    """Find the repository's root: the nearest folder, from ``start`` upwards, with conf/config.yaml and dvc.yaml.

    Raises
    ------
    BadInput
        If there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "conf" / "config.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise BadInput("the current folder", "is not inside a fosbury repository", "change into your clone of it")


def parse_params(values: Any, where: str = PARAMS) -> Params:
    """Check a composed configuration.

    Parameters
    ----------
    values : mapping
        As :func:`compose` returns it.
    where : str
        The file that error messages name.

    Raises
    ------
    BadInputs
        Every problem at once, each with its key, its value and what is allowed.
    """
    if not isinstance(values, dict):
        raise BadInput(where, "does not hold a mapping of keys", COMPOSE)
    unset = [key for key, value in flat(values).items() if value == "???"]
    if unset:
        raise BadInput(where, f"{', '.join(unset)} must be set", "give it a value with -S KEY=VALUE or in conf/")
    try:
        params = Params.model_validate(values)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors(include_url=False)]
        raise BadInputs(where, problems, "correct the values in conf/ or in the overrides and compose again") from None
    _check_skeleton(params, where)
    return params


def _check_skeleton(params: Params, where: str) -> None:
    """Refuse a skeleton with which the pipeline trains and then cannot measure, or mirrors pictures wrongly.

    Without limbs nobody's size is known, so no error has millimetres. A left joint without its right one is taught the
    wrong side by every mirrored picture. A trunk is only needed where something turns people upright by it: legs have
    none. Pairs may be absent where no joint has a side, bones always: they are only drawn.
    """
    where = f"{where}: skeleton"
    skeleton = Skeleton.from_mapping(params.skeleton, where=where)
    if not skeleton.limbs:
        raise BadInput(where, "has no limbs, so no stature to measure errors by", "add limbs with their share of it")
    named = {normalise(joint): joint for joint in skeleton.joints}
    paired = {normalise(skeleton.joints[index]) for pair in skeleton.pairs for index in pair}
    lacking = [
        f"[{joint}, {named[key.replace('left', 'right')]}]"
        for key, joint in named.items()
        if "left" in key and key not in paired and key.replace("left", "right") in named
    ]
    if lacking:
        raise BadInput(where, f"does not pair left and right: {', '.join(lacking)}", "add them under 'pairs'")
    turning = {
        "evaluate.refine=zoom": params.evaluate.refine == "upright",
        "train.upright_crops=false": params.train.upright_crops,
    }
    instead = [setting for setting, on in turning.items() if on]
    if instead and not all(skeleton.trunk):
        keys = " and ".join(setting.partition("=")[0] for setting in instead)
        problem = f"has no trunk (shoulders and hips), by which {keys} would turn people"
        raise BadInput(where, problem, f"set {' and '.join(instead)}")


def load_params(path: str | Path = PARAMS) -> Params:
    """Read and check params.yaml.

    Raises
    ------
    BadInput
        If the file is missing or not YAML.
    BadInputs
        If values are wrong: all of them, each with its key, its value and what is allowed.
    """
    return parse_params(read_values(path), str(path))


def read_values(path: str | Path = PARAMS, hint: str = COMPOSE) -> Any:
    """Read params.yaml, or a file of conf/, without checking it.

    Raises
    ------
    BadInput
        If the file is missing or not YAML, or not what ``read_yaml`` takes; ``hint`` says what to do about it.
    """
    return read_yaml(path, hint)


def compose(overrides: tuple[str, ...] | list[str] = (), root: Path | None = None) -> dict[str, Any]:
    """Compose conf/ as ``dvc exp run`` does.

    Parameters
    ----------
    overrides : sequence of str
        In Hydra's grammar: ``model=yolo11n``, ``train.lr0=0.001``.
    root : Path, optional
        The repository; found from the current folder if not given.

    Returns
    -------
    dict
        Resolved, not checked: see :func:`parse_params`.

    Raises
    ------
    BadInput
        If conf/ or an override does not compose, or a file of conf/ carries another name than its own.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    root = root or find_root()
    check_names(root)
    try:
        with initialize_config_dir(str(root / "conf"), version_base=None):
            _resolvers(root)  # only now: Hydra, as it starts, loads those of the first hydra_plugins on Python's path
            config = hydra_compose("config", overrides=list(overrides))
        values: Any = OmegaConf.to_container(config, resolve=True)
        return values
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError, RecursionError) as error:
        raise BadInput("conf/", f"does not compose ({_one_line(error)})", "correct the override or the file") from None


def options(group: str, root: Path | None = None) -> list[str]:
    """Names of the option files of a group of conf/, such as ``model``."""
    return sorted(path.stem for path in ((root or find_root()) / "conf" / group).glob("*.yaml"))


def check_names(root: Path) -> None:
    """Refuse option files whose ``name`` (of an experiment: ``experiment``) is not that of the file.

    params.yaml tells by these names which options it was composed from.

    Raises
    ------
    BadInput
        The first such file, or one that is not a mapping in YAML; of any file of conf/, one that is not YAML.
    """
    files = sorted((root / "conf").rglob("*.yaml"))
    contents = {path.relative_to(root).as_posix(): read_values(path, "correct or remove it") for path in files}
    for group in (*GROUPS, "experiment"):
        key = "experiment" if group == "experiment" else "name"
        for option in options(group, root):
            where, line = f"conf/{group}/{option}.yaml", f"`{key}: {option}`"
            values = contents[where]
            if not isinstance(values, dict) or key not in values:
                raise BadInput(where, f"has no key '{key}'", f"write {line} into it")
            if values[key] != option:
                raise BadInput(where, f"says `{key}: {values[key]}`", f"write {line}, as the file is called")


def named_skeleton(name: str, root: Path | None = None) -> Skeleton:
    """Read a skeleton of conf/skeleton.

    Raises
    ------
    BadInput
        If there is no such skeleton.
    """
    root = root or find_root()
    known = options("skeleton", root)
    if name not in known:
        raise BadInput(f"skeleton '{name}'", "is not in conf/skeleton", f"use one of {', '.join(known)}")
    path = root / "conf" / "skeleton" / f"{name}.yaml"
    return Skeleton.from_mapping(read_values(path, "correct it"), where=f"conf/skeleton/{name}.yaml")


def default_skeleton() -> Skeleton | None:
    """COCO's joints, for weights that do not name theirs; None outside a repository."""
    try:
        return named_skeleton("coco17")
    except BadInput:
        return None


def nearest_skeleton(joints: Sequence[str], root: Path | None = None) -> tuple[Skeleton, list[str]]:
    """Find the skeleton of whose joints these names have the largest share, and the joints that they lack.

    The first by name where several share as much.
    """
    root = root or find_root()
    found = [named_skeleton(name, root) for name in options("skeleton", root)]
    best = max(found, key=lambda skeleton: (skeleton.match(joints) >= 0).mean())
    return best, [joint for joint, place in zip(best.joints, best.match(joints), strict=True) if place < 0]


def model_option(name: str, root: Path | None = None) -> Model:
    """Read a model of conf/model.

    Raises
    ------
    BadInput
        If there is no such model.
    """
    root = root or find_root()
    known = options("model", root)
    if name not in known:
        raise BadInput(f"model '{name}'", "is not in conf/model", f"use one of {', '.join(known)}")
    return parse_params(compose([f"model={name}"], root), "conf/").model


def to_yaml(values: dict[str, Any]) -> str:
    """Return the text of params.yaml, byte for byte as DVC writes it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_yaml(OmegaConf.create(values))


def conf_digest(values: Mapping[str, Any], root: Path | None = None) -> str:
    """Digest of what ``values``, composed or read from params.yaml, would be composed from now."""
    return _resolvers(root or find_root()).conf_digest(_root_=values)


def write_params(overrides: tuple[str, ...] | list[str] = (), root: Path | None = None) -> Params:
    """Compose, check, and only then replace params.yaml."""
    root = root or find_root()
    values = compose(overrides, root)
    params = parse_params(values, "conf/")
    write_text(root / PARAMS, to_yaml(values))
    return params


def check(root: Path | None = None) -> list[str]:
    """Refuse a params.yaml that is wrong or that conf/ has outgrown.

    Returns
    -------
    list of str
        The overrides in effect: what differs from conf/ with the same experiment, ``key=value (conf: value)``.

    Raises
    ------
    BadInput
        If params.yaml is missing, wrong, or was composed from another conf/, conf/ is wrong, or data.source is neither
        there nor something that DVC brings or makes.
    """
    root = root or find_root()
    values = read_values(root / PARAMS)
    if not isinstance(values, dict) or values.get("conf_digest") != conf_digest(values, root):
        raise BadInput(
            PARAMS,
            "is stale, for conf/ or requirements.lock changed after it was composed",
            f"{COMPOSE} or `dvc exp run`, with the overrides to keep",
        )
    params = parse_params(values)
    _check_source(params.data.source, root)
    return overrides_in_effect(params, values, root)


def _check_source(source: str, root: Path) -> None:
    """Refuse a folder of data that is not there, unless DVC can bring it (x.dvc) or make it (dvc.yaml beside it)."""
    around = [PurePosixPath(source), *PurePosixPath(source).parents][:-1]
    known = any((root / f"{folder}.dvc").is_file() or (root / folder / "dvc.yaml").is_file() for folder in around)
    if (root / source).is_dir() or (known and not (root / source).exists()):
        return
    hint = "bring a set in with 'fosbury import PATH --name NAME', or name a folder with -S data.source=FOLDER"
    raise BadInput(PARAMS, f"data.source is '{source}', which is no folder here", hint)


def overrides_in_effect(params: Params, values: dict[str, Any], root: Path) -> list[str]:
    """List what sets ``values`` apart from conf/ with the same experiment: options chosen, then single values.

    Raises
    ------
    BadInput
        If conf/ does not compose, or ``values`` carry a name that no file of conf/ has.
    """
    check_names(root)
    names = {f"{group}.name": (group, values[group].get("name")) for group in GROUPS}
    for key, (group, name) in {"experiment": ("experiment", params.experiment), **names}.items():
        if name not in options(group, root):
            raise BadInput(PARAMS, f"{key} is {name!r}, and conf/{group} has no such file", f"{COMPOSE} without it")
    experiment = f"experiment={params.experiment}"
    plain = compose([experiment], root)
    chosen = [
        (group, values[group]["name"], plain[group]["name"])
        for group in GROUPS
        if values[group].get("name") != plain[group].get("name")
    ]
    same_options = compose([experiment, *(f"{group}={name}" for group, name, _ in chosen)], root)
    have, want = flat(values), flat(same_options)
    lines = [f"{group}={name} (conf: {default})" for group, name, default in chosen]
    for key in sorted(have.keys() | want.keys()):
        if have.get(key) != want.get(key):
            lines.append(f"{key}={have.get(key)} (conf: {want.get(key)})")
    return lines


def _resolvers(root: Path) -> ModuleType:
    """Load the repository's own resolvers, as DVC does from ``hydra.plugins_path``."""
    path = root / "hydra_plugins" / "conf_resolvers.py"
    spec = importlib.util.spec_from_file_location("fosbury_conf_resolvers", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise BadInput(path, "is missing", "restore it with `git checkout hydra_plugins`")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def flat(node: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested values by their dotted names, such as ``train.lr0``."""
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= flat(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return found


def _explain(problem: Mapping[str, Any]) -> str:
    """One problem that pydantic found, as key, value and what is allowed."""
    place = problem["loc"]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")
    if problem["type"] == "missing":
        return f"{key} is missing"
    if problem["type"] == "extra_forbidden":
        allowed = _allowed_keys(place[:-1])
        near = difflib.get_close_matches(str(place[-1]), allowed, n=2)
        guess = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"{key} is not a known key{guess} (allowed: {', '.join(allowed)})"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not key:  # a check of several sections, whose message begins with the key
        return message
    if isinstance(problem["input"], dict):
        return f"{key}: {message}"
    return f"{key} is {problem['input']!r}, and {message}"


def _allowed_keys(place: tuple[str | int, ...]) -> list[str]:
    section: Any = Params
    for part in place:
        section = section.model_fields[part].annotation
    return list(section.model_fields)


def _one_line(error: Exception) -> str:
    """Strip a library's message of its layout, and of the search path that Hydra adds."""
    return " ".join(str(error).partition("Config search path")[0].split()).rstrip(".")
