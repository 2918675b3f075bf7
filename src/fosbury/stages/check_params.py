"""Stage check_params: the root of the pipeline, which refuses a params.yaml that conf/ has outgrown."""

from __future__ import annotations

import sys
from pathlib import Path

from fosbury.config import check, load_params
from fosbury.errors import BadInput
from fosbury.models.weights import require_weights

OUTPUT = Path("reports/params_ok.txt")


def main() -> int:
    """Check params.yaml and the weights it names, print the overrides in effect, and write a constant output."""
    try:
        overrides = check(Path.cwd())
        model = load_params().model
        require_weights(model.weights, model.sha256, model.name, model.url)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    for line in overrides:
        print(f"override in effect: {line}")
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text("ok\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
