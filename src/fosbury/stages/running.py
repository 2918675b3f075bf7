"""How a stage ends: with an exit code and, if something is wrong, one sentence instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from fosbury.errors import BadInput, WorkFailed
from fosbury.machine import keep_freed_memory

DONE, FAILED, BAD_INPUT = 0, 1, 2


def run(work: Callable[[], object]) -> NoReturn:
    """Do the work of a stage, then leave the process.

    The exit code is 0 if it was done; 2 if a person has to correct the input (``BadInput``); 1 if the input was sound
    and the work failed all the same (``WorkFailed``, or the operating system refused). Any other exception is a mistake
    in the code and keeps its traceback.

    Parameters
    ----------
    work : callable
        The stage's ``main``; what it returns is ignored.
    """
    keep_freed_memory()
    try:
        work()
    except BadInput as error:
        leave(BAD_INPUT, str(error))
    except WorkFailed as error:
        leave(FAILED, str(error))
    except OSError as error:
        if error.strerror is None:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        leave(FAILED, f"{where}{error.strerror.lower()}.")
    sys.exit(DONE)


def outdate(*metrics: Path) -> None:
    """Remove metrics of later stages: they belong to what this stage has just replaced.

    A run that ends here would otherwise show them as its own in ``dvc exp show``. The stages that write them, if they
    run, write them again.
    """
    for path in metrics:
        path.unlink(missing_ok=True)


def leave(code: int, sentence: str) -> NoReturn:
    """End the process with an exit code and a sentence on stderr."""
    print(sentence, file=sys.stderr)
    sys.exit(code)
