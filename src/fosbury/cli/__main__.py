"""Run the command line: ``python -m fosbury.cli``."""

from fosbury.cli import main

main()
