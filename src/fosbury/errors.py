"""What a person did wrong, said in one sentence: which file, what is wrong, what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class BadInput(Exception):
    """Input that a person has to correct; the command line shows it without a traceback and exits with code 2.

    Parameters
    ----------
    where : str or Path
        The file, folder, or configuration key at fault.
    problem : str
        What is wrong, without a full stop.
    hint : str
        What to do about it, without a full stop.

    Examples
    --------
    >>> str(BadInput("clip.mp4", "holds no video stream", "export the clip again"))
    'clip.mp4: holds no video stream; export the clip again.'
    """

    def __init__(self, where: str | Path, problem: str, hint: str):
        self.where, self.problem, self.hint = str(where), problem, hint
        super().__init__(f"{self.where}: {problem}; {hint}.")


class BadInputs(BadInput):
    """Every problem of one input, reported at once: one headline, then one line for each problem."""

    def __init__(self, where: str | Path, problems: Iterable[str], hint: str):
        self.problems = list(problems)
        count = len(self.problems)
        super().__init__(where, f"{count} problem{'s' if count != 1 else ''}", hint)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  - {problem}" for problem in self.problems)])


class WorkFailed(Exception):
    """The input was sound, yet the work could not be done (exit code 1)."""
