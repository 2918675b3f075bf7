"""Backends, exported formats and decoders: each is one module and one entry in a table."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch

from fosbury import config
from fosbury.backends import Backend, backend, backend_of
from fosbury.errors import BadInput
from fosbury.export.write import ExportFormat, export_model
from fosbury.inference import decode
from fosbury.inference.metadata import ExportModule, ModelMetadata, read_entries
from fosbury.inference.protocol import PoseModel
from fosbury.inference.registry import import_kind, load_model
from fosbury.model_kinds import BACKENDS, EXPORTED, KINDS, ModelKind
from fosbury.recipe import Recipe
from fosbury.synth.stills import write_stills
from fosbury.training.job import TrainingJob
from fosbury.training.resume import read_state

ROOT = Path(__file__).parents[1]
TOY = '''
"""A backend whose network is one number: how far to the right of the middle of the box every joint is."""

from pathlib import Path

import torch

from fosbury.inference.checkpoint import read_checkpoint
from fosbury.inference.metadata import skeleton_of
from fosbury.machine import usable_device
from fosbury.pose import Pose
from fosbury.training.checkpoint import write_checkpoint
from fosbury.training.run import TrainingRun, checked


class Toy:
    licence, needs_boxes, temperature, input_size = "MIT", True, None, (8, 8)

    def __init__(self, shift, skeleton):
        self.shift, self.skeleton = shift, skeleton

    def predict(self, images, boxes=None):
        return [[pose(box, float(self.shift), len(self.skeleton)) for box in found] for found in boxes]


def pose(box, shift, joints):
    middle = (box[:2] + box[2:]) / 2 + (shift, 0)
    return Pose(middle[None].repeat(joints, 0), middle.repeat(joints)[:joints] * 0 + 1, box, 1.0)


def open_model(path, skeleton=None, image_size=None, confidence=0.05):
    content = read_checkpoint(path, "give a toy")
    return Toy(content["shift"], skeleton_of(path, 17, content["fosbury"], skeleton))


def finetune(job):
    job = checked(job, "toy", usable_device())
    run = TrainingRun(job)
    shift = run.resumed["shift"] if run.resumed else torch.tensor(60.0)
    progress = run.start_progress(1)
    boxes = [frame.boxes for frame in run.selection.dataset.frames]
    for epoch in range(run.next_epoch, job.recipe.epochs):
        shift = shift - 30
        progress.step(abs(float(shift)))
        scores = run.score(Toy(shift, job.val.skeleton).predict(None, boxes), lambda: {"shift": shift})
        run.end_epoch({"epoch": epoch + 1, "lr": job.recipe.lr0, **scores}, {"shift": shift})
        if job.recipe.degrees == epoch + 1:
            raise KeyboardInterrupt
    about = {"kind": "toy", "skeleton": job.val.skeleton.to_mapping()}
    run.finish(lambda best: write_checkpoint({**best, "fosbury": about}, job.out))
    return job.out


def export_module(path, image_size):
    raise NotImplementedError
'''


@pytest.fixture
def toy(tmp_path, monkeypatch) -> str:
    (tmp_path / "toy_backend.py").write_text(TOY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    kind = ModelKind(module="toy_backend", suffixes=(".toy",), needs_boxes=True)
    monkeypatch.setitem(BACKENDS, "toy", kind)
    monkeypatch.setitem(KINDS, "toy", kind)
    return "toy"


@pytest.fixture
def job(tmp_path, skeletons) -> TrainingJob:
    stills = write_stills(tmp_path / "stills", 3, seed=3, size=(64, 64), skeleton=skeletons["coco17"])
    return TrainingJob(
        train=stills.where([True, True, False]),
        val=stills.where([False, False, True]),
        root=tmp_path / "stills",
        weights=None,
        architecture="toy",
        recipe=Recipe(epochs=4, batch=1, image_size=32, lr0=1e-3),
        out=tmp_path / "out/model.pt",
        curve=tmp_path / "out/curve.csv",
        work=tmp_path / "work",
    )


def test_a_backend_is_a_module_and_an_entry(toy, job, tmp_path):
    """It has the choice of the checkpoint, the resume after a kill, the curve and the progress from training/."""
    out = backend(toy).finetune(job)
    model = load_model(out)
    assert isinstance(model, PoseModel) and model.skeleton.joints == job.train.skeleton.joints
    assert model.shift == 0  # of 30, 0, -30, -60 that with the least error, not the last
    assert backend_of(out) is backend(toy)
    curve = job.curve.read_bytes()
    assert len(curve.splitlines()) == 5 and not (job.work / "state.pt").exists()

    whole = out.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        backend(toy).finetune(job_with(job, degrees=3.0))
    assert read_state(job.work / "state.pt", "another run") is None
    assert backend(toy).finetune(job).read_bytes() == whole  # another recipe is another run
    assert job.curve.read_bytes() == curve


def job_with(job: TrainingJob, **recipe) -> TrainingJob:
    values = {name: getattr(job, name) for name in TrainingJob.__dataclass_fields__}
    return TrainingJob(**{**values, "recipe": job.recipe.model_copy(update=recipe)})


def test_a_killed_run_of_any_backend_goes_on(toy, job, monkeypatch):
    module, begun = import_kind(toy, "here"), []
    step = module.TrainingRun.score

    def die(self, *given):
        begun.append(self.next_epoch)
        if begun == [0, 1, 2]:
            raise KeyboardInterrupt
        return step(self, *given)

    monkeypatch.setattr(module.TrainingRun, "score", die)
    with pytest.raises(KeyboardInterrupt):
        module.finetune(job)
    module.finetune(job)
    assert begun == [0, 1, 2, 2, 3]
    assert load_model(job.out).shift == 0


def test_params_take_a_backend_of_the_table_and_no_other(toy):
    values = config.compose([], ROOT)
    values["model"] |= {"backend": toy, "boxes": "labels"}
    assert config.parse_params(values).model.backend == toy
    values["model"] |= {"boxes": None}
    with pytest.raises(BadInput, match=r"model\.boxes should be labels, search or track"):
        config.parse_params(values)
    values["model"] |= {"backend": "tensorflow"}
    with pytest.raises(BadInput, match="should be 'yolo' or 'rtmpose' or 'blazepose' or 'toy'"):
        config.parse_params(values)
    with pytest.raises(BadInput, match=r"model\.backend: is 'tensorflow'; choose one of yolo, rtmpose, blazepose, toy"):
        backend("tensorflow")


@pytest.mark.parametrize(
    ("name", "protocol"), [*((n, Backend) for n in BACKENDS), *((n, ExportFormat) for n in EXPORTED)]
)
def test_a_module_of_the_table_has_the_functions_of_its_protocol(name, protocol):
    for package in KINDS[name].packages:
        pytest.importorskip(package, reason=f"needs the extra {name}")
    module = import_kind(name, "here")
    for function in (each for each in vars(protocol) if not each.startswith("_")):
        if name in EXPORTED and EXPORTED[name].read_only and function == "write_model":
            continue
        wanted = list(inspect.signature(getattr(protocol, function)).parameters)[1:]
        assert list(inspect.signature(getattr(module, function)).parameters) == wanted, f"{name}: {function}"


@pytest.mark.parametrize("name", decode.DECODERS)
def test_what_a_decoder_writes_into_a_file_names_it(name, skeletons):
    decoder = decode.DECODERS[name]
    metadata = ModelMetadata(skeletons["lsp14"], "MIT", image_size=(64, 96), decoder=decoder, temperature=1.5)
    back = read_entries(metadata.entries(), "here")
    assert back.decoder is decoder and back.image_size == (64, 96) and back.temperature == 1.5
    assert "64 high" in metadata.description(scaled=True) and "confidence c" in metadata.description(scaled=True)
    with pytest.raises(BadInput, match="has an output of 1 x 2 x 3"):
        metadata.check_output((1, 2, 3), (64, 96), "here")


def test_an_exported_format_is_known_by_its_suffix(tmp_path, skeletons, capsys):
    module = ExportModule(torch.nn.Identity(), torch.zeros(1, 3, 32, 32), ModelMetadata(skeletons["coco17"], "MIT"))
    with pytest.raises(BadInput, match=r"suffix '\.tflite'; choose one of \.onnx, \.mlpackage"):
        export_model(module, [tmp_path / "model.tflite"])
    export_model(module, [tmp_path / "model.onnx"])
    assert f"export 1/1: {tmp_path / 'model.onnx'}" in capsys.readouterr().err
    with pytest.raises(BadInput, match="is an exported file, not a checkpoint"):
        backend_of(tmp_path / "model.onnx")
