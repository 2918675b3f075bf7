"""Stage check_params: the root of the pipeline, which refuses a params.yaml that conf/ has outgrown."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import check, load_params
from fosbury.environment import check_versions
from fosbury.files import write_text
from fosbury.inference.weights import verify_checksum

OUTPUT = Path("reports/params_ok.txt")


def main() -> None:
    """Check params.yaml, the packages and weights it names, print overrides in effect, and write a constant output."""
    overrides = check(Path.cwd())
    params = load_params()
    model = params.model
    check_versions(params.versions, model.backend)
    verify_checksum(model.weights, model.sha256, model.name, model.url)
    for line in overrides:
        print(f"override in effect: {line}")
    write_text(OUTPUT, "ok\n")
