"""Results that do not belong together are found by the hashes of the lock."""

from __future__ import annotations

import copy

import pytest
import yaml

from fosbury.errors import BadInput
from fosbury.report.provenance import require_current, stale

MODEL, ONNX, PACKAGE = "models/finetuned/model.pt", "models/exported/model.onnx", "models/exported/model.mlpackage"
PREDICTIONS, EXPORTED = "metrics/predictions.npz", "metrics/export_predictions.npz"


def stage(deps: dict[str, str], outs: dict[str, str]) -> dict:
    return {
        kind: [{"path": path, "md5": md5} for path, md5 in files.items()]
        for kind, files in (("deps", deps), ("outs", outs))
    }


def lock() -> dict:
    return {
        "stages": {
            "train": stage({"data": "d0"}, {MODEL: "m0"}),
            "evaluate": stage({MODEL: "m0"}, {PREDICTIONS: "p0"}),
            "export": stage({MODEL: "m0"}, {ONNX: "o0", PACKAGE: "c0.dir"}),
            "evaluate_export": stage({ONNX: "o0", PACKAGE: "c0.dir"}, {EXPORTED: "e0"}),
            "alone": {"cmd": "true"},
        }
    }


def run_again(values: dict, name: str) -> dict:
    """What the lock says after one stage alone was run, and all that it writes is new."""
    changed = copy.deepcopy(values)
    outs = {out["path"]: out["md5"] for made in changed["stages"].values() for out in made.get("outs", [])}
    for read in changed["stages"][name]["deps"]:
        read["md5"] = outs.get(read["path"], read["md5"])
    for written in changed["stages"][name]["outs"]:
        written["md5"] = f"new-{written['md5']}"
    return changed


def test_a_whole_run_is_current():
    for path in (MODEL, PREDICTIONS, ONNX, EXPORTED, "data", "never-made"):
        assert stale(lock(), path) is None


@pytest.mark.parametrize(
    ("ran", "fresh", "old"),
    [
        (["train"], [MODEL], {PREDICTIONS: "evaluate", ONNX: "export", EXPORTED: "export"}),
        (["train", "evaluate"], [MODEL, PREDICTIONS], {PACKAGE: "export", EXPORTED: "export"}),
        (["train", "evaluate", "export"], [PREDICTIONS, ONNX], {EXPORTED: "evaluate_export"}),
        (["train", "evaluate", "export", "evaluate_export"], [PREDICTIONS, EXPORTED], {}),
        (["export"], [PREDICTIONS], {EXPORTED: "evaluate_export"}),
    ],
)
def test_a_run_that_stopped_early_leaves_the_rest_stale(ran, fresh, old):
    values = lock()
    for name in ran:
        values = run_again(values, name)
    assert all(stale(values, path) is None for path in fresh)
    for path, stage_at_fault in old.items():
        assert stale(values, path).stage == stage_at_fault


def test_the_refusal_names_the_stage_and_what_repairs_it():
    half = yaml.safe_dump(run_again(run_again(lock(), "train"), "evaluate")).encode()
    require_current(half, PREDICTIONS, "sweep-3")
    with pytest.raises(BadInput) as caught:
        require_current(half, EXPORTED, "sweep-3")
    message = str(caught.value)
    assert message.startswith(
        f"sweep-3: its {EXPORTED} is stale: stage export read another {MODEL} than stage train wrote"
    )
    assert "dvc repro" in message and "dvc exp apply sweep-3" in message and len(message.splitlines()) == 1
    with pytest.raises(BadInput, match=r"; run 'dvc repro'\.$"):
        require_current(half, EXPORTED, "workspace")


@pytest.mark.parametrize(
    "text", [b"", b"- 1", b"stages: 3", b"stages: {a: {outs: [3]}}", b": [", b"\xff\xfe", b"stages: {a: 1}"]
)
def test_what_is_no_lock_is_refused_in_one_sentence(text):
    with pytest.raises(BadInput, match=r"dvc\.lock of main"):
        require_current(text, EXPORTED, "main")
