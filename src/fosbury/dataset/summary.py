"""What the data set consists of, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from fosbury.dataset.audit import LISTED, Audit
from fosbury.pose import OCCLUDED, PHASES, TILTS, Dataset, Person, phases_in, tilt_bins, trunk_tilt

UNKNOWN = "unknown"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown table: the first column to the left, the others to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, rule, *rows))


def summarise(
    splits: Mapping[str, Dataset],
    ratios: Mapping[str, float],
    audit: Audit | None = None,
    notes: Sequence[str] = (),
) -> str:
    """Describe splits: images, people, groups, joints; by phase and trunk tilt; asked against reached.

    Parameters
    ----------
    splits : mapping of str to Dataset
    ratios : mapping of str to float
        Share of the frames that was asked for each split.
    audit : Audit, optional
    notes : sequence of str
        What the steps before have to say.

    Returns
    -------
    str
        Markdown. It names neither machine nor time, so that equal data give equal bytes.
    """
    names = list(splits)
    there = phases_in(frame.phase for part in splits.values() for frame in part.frames)
    total = max(sum(len(part) for part in splits.values()), 1)
    reached = [len(splits[name]) / total for name in names]
    lines = [
        "# Data set",
        "",
        table(
            ("split", "asked", "reached", "images", "groups", "clips", "people", "joints", "occluded"),
            [
                _row(name, splits[name], ratios.get(name, 0.0), share)
                for name, share in zip(names, reached, strict=True)
            ],
        ),
        "",
        "## Images by phase",
        "",
        _counted("phase", (*there, UNKNOWN), {n: Counter(_phases(splits[n])) for n in names}),
        "",
        "## People by trunk tilt (degrees from upright)",
        "",
        _counted("tilt", (*TILTS, UNKNOWN), {n: Counter(_tilts(splits[n])) for n in names}),
        "",
        "## Images by source",
        "",
    ]
    sources = {name: Counter(frame.source or UNKNOWN for frame in splits[name].frames) for name in names}
    lines += [_counted("source", sorted({s for count in sources.values() for s in count}), sources), ""]
    lines += _warnings(splits)
    if audit is not None:
        lines += ["## Audit", "", *_audit(audit), ""]
    if notes:
        lines += ["## Notes", "", *(f"- {note}" for note in notes), ""]
    return "\n".join(lines)


def _row(name: str, part: Dataset, asked: float, reached: float) -> tuple[object, ...]:
    people = _people(part)
    occluded = sum(int((person.visibility == OCCLUDED).sum()) for person in people)
    joints = sum(int(person.labelled.sum()) for person in people)
    share = f"{occluded / joints:.0%}" if joints else "-"
    groups = len({frame.unit for frame in part.frames})
    clips = len({(frame.source, frame.video) for frame in part.frames if frame.video})
    return name, f"{asked:.1%}", f"{reached:.1%}", len(part), groups, clips, len(people), joints, share


def _people(part: Dataset) -> list[Person]:
    return [person for frame in part.frames for person in frame.people]


def _phases(part: Dataset) -> list[str]:
    return [frame.phase or UNKNOWN for frame in part.frames]


def _tilts(part: Dataset) -> list[str]:
    tilts = [float(trunk_tilt(person.keypoints, part.skeleton)) for person in _people(part)]
    return tilt_bins(np.array(tilts), UNKNOWN).tolist()


def _counted(head: str, rows: Sequence[str], counts: Mapping[str, Counter[str]]) -> str:
    body = [(row, *(counts[name][row] for name in counts)) for row in rows]
    return table((head, *counts), [row for row in body if row[0] != UNKNOWN or any(row[1:])])


def _warnings(splits: Mapping[str, Dataset]) -> list[str]:
    held = {name: Counter(_phases(part)) for name, part in splits.items()}
    lines = [
        f"- `{name}` holds no frame of the phase *{phase}*, although other splits do."
        for name in splits
        for phase in PHASES
        if not held[name][phase] and any(held[other][phase] for other in splits)
    ]
    return ["## To mind", "", *lines, ""] if lines else []


def _audit(audit: Audit) -> list[str]:
    if not audit.pairs:
        return [
            f"{audit.images} images: no file is there twice; no two frames of different splits show the same picture, "
            f"also mirrored, recompressed, letterboxed or halved (within {audit.distance} of 256 bits); and no still "
            "of no clip and no group shows the scene of a frame in another split, moved or cropped by up to 5 %. "
            "Larger crops, and one scene in two clips or groups, are not looked for."
        ]
    lines = [f"- {pair}" for pair in audit.pairs[:LISTED]]
    if len(audit.pairs) > LISTED:
        lines.append(f"- and {len(audit.pairs) - LISTED} more")
    return [f"{len(audit.pairs)} pairs among {audit.images} images, allowed by the configuration:", "", *lines]
