"""Whether the results of a revision belong together, by the hashes in its dvc.lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from fosbury.errors import BadInput


@dataclass(frozen=True)
class Stale:
    """A stage that read another version of a file than the one that the revision has.

    Attributes
    ----------
    stage : str
        Which read it.
    path : str
    maker : str
        The stage that has written it anew since.
    """

    stage: str
    path: str
    maker: str


def stale(lock: Mapping[str, Any], path: str) -> Stale | None:
    """Find what an output was made from that the same lock has replaced since.

    Parameters
    ----------
    lock : mapping
        A dvc.lock.
    path : str
        An output of one of its stages.

    Returns
    -------
    Stale or None
        The first on the way from the output to the beginning of the pipeline, stage by stage; None where every stage
        on it has read what the one before has written, or the lock does not know the output.
    """
    stages = lock["stages"]
    outs = {each["path"]: (name, each.get("md5")) for name, stage in stages.items() for each in stage.get("outs", ())}
    waiting, seen = [outs[path][0]] if path in outs else [], set()
    while waiting:
        stage = waiting.pop(0)
        if stage in seen:
            continue
        seen.add(stage)
        for read in stages[stage].get("deps", ()):
            maker, digest = outs.get(read["path"], (None, None))
            if maker is None:
                continue
            if read.get("md5") != digest:
                return Stale(stage, read["path"], maker)
            waiting.append(maker)
    return None


def require_current(lock: bytes, path: str, revision: str) -> None:
    """Refuse an output that was made from files which its revision has replaced since.

    Parameters
    ----------
    lock : bytes
        dvc.lock of the revision.
    path : str
    revision : str

    Raises
    ------
    BadInput
        With the stage at fault and how to bring the output up to date; also if the lock is none.
    """
    again = f"run 'dvc repro' there ('git checkout {revision}', of an experiment 'dvc exp apply {revision}')"
    again = "run 'dvc repro'" if revision == "workspace" else f"{again} and commit or save what comes out"
    try:
        found = stale(yaml.safe_load(lock), path)
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        raise BadInput(f"dvc.lock of {revision}", "is not as DVC writes it", again) from None
    if found is not None:
        problem = f"its {path} is stale: stage {found.stage} read another {found.path} than stage {found.maker} wrote"
        raise BadInput(revision, problem, again)
