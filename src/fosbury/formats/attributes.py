"""What labelling tools say of a picture beside its joints: attributes and tags as the fields of a frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fosbury.pose import PHASES
from fosbury.skeleton import normalise

PHASE_NAMES = {"run": "approach", "runup": "approach", "approachrun": "approach", "land": "landing"}
"""Other names of phases, as `normalise` leaves them. A "jump" is takeoff, flight and arch in one, and no phase."""
FIELDS = {
    "phase": "phase",
    "label": "label",
    "form": "label",
    "formlabel": "label",
    "description": "description",
    "group": "group",
}
"""Names of attributes, as `normalise` leaves them, and the field of `Frame` that each gives."""
_NOTHING = ("", "none", "undefined", "unknown", "__undefined__")


def phase_of(name: str) -> str | None:
    """Return the phase that a tool's label names, or None.

    Examples
    --------
    >>> phase_of("Take-off"), phase_of("land"), phase_of("jump")
    ('takeoff', 'landing', None)
    """
    key = normalise(name)
    return key if key in PHASES else PHASE_NAMES.get(key)


def frame_fields(attributes: Mapping[str, Any], tags: Iterable[str] = ()) -> dict[str, str]:
    """Fields of a frame that its attributes and tags tell.

    Parameters
    ----------
    attributes : mapping of str to object
        Of the picture, or of the athlete in it; those that name no field are passed over.
    tags : iterable of str
        Of the picture: a phase's name is its phase, the first of the others its label.

    Returns
    -------
    dict of str to str
        ``phase``, ``label``, ``description`` and ``group``, as far as they are there; keys of an image of a COCO file.
    """
    fields: dict[str, str] = {}
    for name, value in attributes.items():
        field = FIELDS.get(normalise(name))
        if field is None or isinstance(value, bool) or not isinstance(value, str | int):
            continue
        text = str(value).strip()
        if text.lower() in _NOTHING:
            continue
        known = phase_of(text) if field == "phase" else text
        if known:
            fields.setdefault(field, known)
    for tag in tags:
        phase = phase_of(tag)
        fields.setdefault("phase" if phase else "label", phase or tag.strip())
    return fields
