"""Resolvers of conf/, found by DVC (``hydra.plugins_path`` in .dvc/config) and by ``fosbury.config``."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
RENAMED = {
    "evaluate.second_look": ["refine=zoom", "refine=upright"],
    "evaluate.upright": ["refine=upright"],
}
"""Keys of before, and what takes their place in the same section."""

LOCK = ROOT / "requirements.lock"


def locked(package: str) -> str | None:
    """Version of a package in requirements.lock.

    Returns
    -------
    str or None
        ``A or B`` where it depends on the version of Python; None where the package is not in the file.
    """
    text = LOCK.read_text(encoding="utf-8") if LOCK.is_file() else ""
    versions = re.findall(rf"^{re.escape(package)}==([^\s;\\]+)", text, re.MULTILINE)
    return " or ".join(dict.fromkeys(versions)) or None


def conf_digest(*, _root_: Mapping[str, Any]) -> str:
    """Digest of what a composition was made from: the files of conf/ in use, and the versions that it names.

    Parameters
    ----------
    _root_ : mapping
        The composition, or params.yaml.
    """
    digest = hashlib.sha256()
    for path in in_use(_root_):
        digest.update(path.relative_to(CONF).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    versions = _root_.get("versions")
    for package in sorted(map(str, versions)) if isinstance(versions, Mapping) else ():
        digest.update(f"{package}=={locked(package)}\0".encode())
    return digest.hexdigest()[:16]


def in_use(values: Mapping[str, Any]) -> list[Path]:
    """Files of conf/ that a composition was made from, sorted.

    These are config.yaml, the option of each group, which a section carries as its ``name``, the experiment, and the
    options of the same group that one of them begins with in its defaults list.
    """
    waiting = []
    for group in sorted(path for path in CONF.iterdir() if path.is_dir()):
        section = values.get(group.name)
        name = section.get("name") if isinstance(section, Mapping) else section
        waiting.extend(path for path in group.glob("*.yaml") if path.stem == name)
    found = {CONF / "config.yaml"}
    while waiting:
        path = waiting.pop()
        if path.is_file() and path not in found:
            found.add(path)
            waiting.extend(path.with_name(f"{option}.yaml") for option in _inherited(path))
    return sorted(found)


def _inherited(path: Path) -> list[str]:
    try:
        values = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError:  # composing says what is wrong with it
        return []
    defaults = values.get("defaults") if isinstance(values, dict) else None
    return [entry for entry in defaults or () if isinstance(entry, str)]


def _below(known: Any, key: str) -> list[str]:
    """Where a key is in the sections of a mapping, such as ``yolo.mosaic`` for ``mosaic``."""
    if not isinstance(known, Mapping):
        return []
    return [f"{section}.{key}" for section, values in known.items() if isinstance(values, Mapping) and key in values]


def suggesting(apply: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """Wrap how Hydra applies overrides, so that an unknown key is answered with those that it may stand for.

    ``dvc exp run -S`` composes by itself: nothing else of this project runs before it fails.
    """

    def applied(overrides: Any, cfg: Any) -> None:
        try:
            apply(overrides, cfg)
        except ConfigCompositionException as error:
            unknown = re.match(r"Could not override '([^']+)'", str(error))
            section, _, key = unknown[1].rpartition(".") if unknown else ("", "", "")
            known = OmegaConf.select(cfg, section) if section else cfg
            near = difflib.get_close_matches(key, map(str, known), n=2) if isinstance(known, Mapping) else []
            near = near or _below(known, key) or RENAMED.get(unknown[1] if unknown else "", [])
            if not near:
                raise
            meant = " or ".join(f"{section}.{each}".lstrip(".") for each in near)
            raise ConfigCompositionException(f"{unknown[1]} is not a known key; did you mean {meant}?") from error

    applied.suggests = True
    return applied


if not hasattr(ConfigLoaderImpl._apply_overrides_to_config, "suggests"):
    ConfigLoaderImpl._apply_overrides_to_config = staticmethod(suggesting(ConfigLoaderImpl._apply_overrides_to_config))
OmegaConf.register_new_resolver("conf_digest", conf_digest, replace=True)
OmegaConf.register_new_resolver("locked", locked, replace=True)
