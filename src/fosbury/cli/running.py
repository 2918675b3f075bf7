"""How a command ends: with an exit code and, if something is wrong, one sentence instead of a traceback."""

from __future__ import annotations

import io
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from fosbury.errors import BadInput, WorkFailed

FAILED, BAD_INPUT = 1, 2


class Commands(TyperGroup):
    """Answer bad input in one sentence with exit code 2, and work that failed with exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
        try:
            return super().invoke(ctx)
        except BadInput as error:
            raise _exit(str(error), BAD_INPUT) from None
        except WorkFailed as error:
            raise _exit(str(error), FAILED) from None
        except OSError as error:
            if error.filename is None:
                raise
            raise _exit(f"{error.filename}: {(error.strerror or 'cannot be used').lower()}.", FAILED) from None


def _exit(sentence: str, code: int) -> typer.Exit:
    typer.echo(sentence, err=True)
    return typer.Exit(code)
