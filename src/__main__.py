"""Run one stage of the pipeline by the code beside this file.

    python src STAGE [ARGUMENT...]

The commands in dvc.yaml say it so, and not ``python -m``, because DVC runs queued and temporary experiments in folders
of their own, while the installed package is the workspace's.
"""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
NO_STAGE = ("__init__", "running")
sys.path.insert(0, str(SOURCE))  # `src` itself, as Python puts it there, ends with a change of the working folder


def main() -> None:
    """Run the stage that the command line names; its further arguments go to its ``main``."""
    from fosbury.stages.running import BAD_INPUT, leave, run

    known = sorted(path.stem for path in (SOURCE / "fosbury/stages").glob("*.py") if path.stem not in NO_STAGE)
    stage, *arguments = sys.argv[1:] or [""]
    if stage not in known:
        leave(BAD_INPUT, f"python src: '{stage}' is no stage; name one of {', '.join(known)}.")
    run(partial(import_module(f"fosbury.stages.{stage}").main, *arguments))


if __name__ == "__main__":
    main()
