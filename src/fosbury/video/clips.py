"""Many clips: which files each gives, and several of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fosbury.errors import BadInput
from fosbury.media.video import SUFFIXES
from fosbury.video.clip import JSON, VIDEO
from fosbury.video.outputs.registry import OUTPUTS


def plan(
    inputs: Sequence[Path], output: Path | None, json_path: Path | None, write: Sequence[str]
) -> dict[Path, dict[str, Path]]:
    """Say which files are written of which clip.

    Parameters
    ----------
    inputs : sequence of Path
        Clips, or folders of clips.
    output, json_path : Path, optional
        A file for one clip, else a folder.
    write : sequence of str
        Further names of ``OUTPUTS``, beside the first of these.

    Returns
    -------
    dict of Path to dict of str to Path
        For each clip, in order, its file by name.

    Raises
    ------
    BadInput
        If nothing is to be written, there is no clip, or two clips would give one file.
    """
    if output is None and json_path is None:
        raise BadInput("--output", "names no file, nor does --json", "give at least one of them")
    unknown = [name for name in write if name not in OUTPUTS]
    if unknown:
        raise BadInput("--write", f"is '{unknown[0]}'", f"choose from {', '.join(OUTPUTS)}")
    folders = len(inputs) > 1 or inputs[0].is_dir()
    jobs: dict[Path, dict[str, Path]] = {}
    owner: dict[Path, Path] = {}
    for clip, name in _clips(inputs):
        targets: dict[str, Path] = {}
        if output is not None:
            targets[VIDEO] = output / name.with_suffix(".mp4") if folders else output
        if json_path is not None:
            targets[JSON] = json_path / name.with_suffix(OUTPUTS[JSON].suffix) if folders else json_path
        beside = next(iter(targets.values()))
        for each in write:
            targets.setdefault(each, beside.with_name(beside.stem + OUTPUTS[each].suffix))
        for target in targets.values():
            if target in owner:
                problem = f"would be written of {owner[target]} and of {clip}"
                raise BadInput(target, problem, "give them different names or targets")
            if target.is_dir() and not target.name.endswith(OUTPUTS["openpose"].suffix):
                raise BadInput(target, "is a folder", "name a file for one clip")
            owner[target] = clip
        jobs[clip] = targets
    return jobs


def _clips(inputs: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Clips, each with its name below the folder that was given."""
    found: list[tuple[Path, Path]] = []
    for given in inputs:
        if not given.is_dir():
            found.append((given, Path(given.name)))
            continue
        inside = [path for path in sorted(given.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]
        if not inside:
            raise BadInput(given, "holds no clip", f"clips end in {', '.join(SUFFIXES)}")
        found += [(path, path.relative_to(given)) for path in inside]
    return found
