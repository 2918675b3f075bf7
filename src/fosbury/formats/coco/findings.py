"""What a reader found wrong or odd in a file, and the two questions that every part of it asks of a value."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Findings:
    """Collects what is wrong (``problems``) and what was dropped, changed or odd (``notes``, by kind)."""

    problems: list[str] = field(default_factory=list)
    kinds: dict[str, list[str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    misplaced: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        """Add what is wrong."""
        self.problems.append(text)

    def note(self, kind: str, detail: str) -> None:
        """Add what was dropped, changed or found odd."""
        self.kinds.setdefault(kind, []).append(detail)

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each kind, with its number and details."""
        return tuple(f"{kind} ({len(details)}): {', '.join(details)}" for kind, details in self.kinds.items())


def is_id(value: Any) -> bool:
    """Whether a value can be an id: a number or a text."""
    return isinstance(value, int | str) and not isinstance(value, bool)


def number_of(value: Any) -> float | None:
    """Return a finite float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
