"""conf/, its composition, and the messages that a person gets for a wrong value."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import get_args

import pytest
from scratch import Scratch

from fosbury import config
from fosbury.errors import BadInput, BadInputs
from fosbury.inference.packages import package_file
from fosbury.inference.registry import REFINERS
from fosbury.model_kinds import BACKENDS
from fosbury.recipe import Recipe, Section
from fosbury.refinement import How, Refinement

ROOT = Path(__file__).parents[1]
OPTIONS = [(group, name) for group in config.GROUPS for name in config.options(group, ROOT) if name != "base"]
EXPERIMENTS = config.options("experiment", ROOT)
PRIVATE = "# @package _global_\ndefaults:\n  - label_efficiency\n  - _self_\nexperiment: private\nseed: 7\n"


def composed(*overrides: str) -> config.Params:
    return config.parse_params(config.compose(overrides, ROOT), "conf/")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with this repository's conf/ and nothing to spoil."""
    for folder in ("conf", "hydra_plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "data/synthetic/jumps").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(("group", "name"), OPTIONS)
def test_every_option_composes_and_carries_its_name(group, name):
    params = composed(f"{group}={name}")
    section = getattr(params, group)
    assert (section["name"] if isinstance(section, dict) else section.name) == name
    assert len(params.pose_skeleton) == len(params.skeleton["joints"])


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_composes_and_is_free_of_overrides(name):
    values = config.compose([f"experiment={name}"], ROOT)
    params = config.parse_params(values, "conf/")
    assert params.experiment == name
    assert config.overrides_in_effect(params, values, ROOT) == []


def test_highjump_is_the_real_recipe():
    params = composed("experiment=highjump")
    assert (params.model.name, params.train.epochs, params.train.image_size) == ("yolo11m", 100, 640)
    assert (params.train.batch, params.export.image_size, params.export.quantize) == (16, [640, 384], "int8")
    assert params.model.sha256 and params.model.url


def test_photos_never_trains_on_the_set_it_tests():
    params = composed("experiment=photos")
    assert set(params.data.sets) == {"lspe", "flops"}
    assert params.split.assign == {"flops": "test"}
    assert params.split.test == 0, "no frame of the training set may be drawn into the test"


def test_photos_takes_the_overrides_that_its_comment_names():
    params = composed("experiment=photos", "data.sets=[mine]", "split=by_video", "~split.assign.flops")
    assert (params.data.sets, params.split.assign, params.split.test) == (["mine"], {}, 0.15)
    assert params.train.image_size == composed("experiment=photos").train.image_size
    held_out = ("data.sets=[mine,theirs]", "~split.assign.flops", "+split.assign.theirs=test")
    assert composed("experiment=photos", *held_out).split.assign == {"theirs": "test"}


def test_refinement_is_one_of_four_and_names_of_before_are_answered_with_those_of_today():
    asked = composed("evaluate.refine=vote", "evaluate.margin=2.0", "evaluate.vote.views=9").evaluate.refinement
    assert (asked.how, asked.margin, asked.vote.views) == ("vote", 2.0, 9)
    assert composed().evaluate.refinement == Refinement(margin=composed().evaluate.margin), "the defaults are conf's"
    with pytest.raises(BadInputs, match=r"evaluate\.refine.*'upright'"):
        composed("evaluate.refine=turned")
    for key, value in (("upright", "true"), ("second_look", "1.5")):
        with pytest.raises(BadInput, match=r"evaluate\.(refine|upright_looks)"):
            composed(f"evaluate.{key}={value}")
        with pytest.raises(BadInputs, match=r"evaluate\.refine.*evaluate\.margin"):
            composed(f"+evaluate.{key}={value}")


def test_every_refinement_has_its_module():
    assert {"none", *REFINERS} == set(get_args(How))


def test_boxes_suit_the_model():
    assert composed("model=rtmpose_s").model.boxes == "labels"
    with pytest.raises(BadInputs) as caught:
        composed("model=rtmpose_s", "model.boxes=null")
    assert caught.value.problems[0].startswith("model.boxes should be labels")
    with pytest.raises(BadInputs, match=r"evaluate\.refine"):
        composed("model=yolo11n", "model.boxes=labels")
    assert composed("model=yolo11n", "model.boxes=labels", "evaluate.refine=zoom").model.boxes == "labels"


def test_the_default_needs_no_download():
    params = composed()
    assert params.experiment == "demo"
    assert params.model.url is None
    assert params.model.licence == "Apache-2.0"
    assert params.data.source.startswith("data/synthetic/")


@pytest.mark.parametrize("name", config.options("model", ROOT))
def test_weights_that_can_be_fetched_can_be_verified(name):
    model = config.model_option(name, ROOT)
    assert (model.url is None) == (model.sha256 is None)
    assert model.url is None or model.url.startswith("https://") or package_file(model.url)


@pytest.mark.parametrize(
    ("override", "key", "value", "allowed"),
    [
        ("train.epochs=0", "train.epochs", "0", "greater than or equal to 1"),
        ("train.lr0=many", "train.lr0", "'many'", "number"),
        ("train.lr0=nan", "train.lr0", "nan", "finite"),
        ("train.lr0=-0.1", "train.lr0", "-0.1", "greater than 0"),
        ("train.image_size=250", "train.image_size", "250", "multiple of 32"),
        ("train.batch=2.5", "train.batch", "2.5", "integer"),
        ("train.degrees=270", "train.degrees", "270", "less than or equal to 180"),
        ("train.freeze_batch_norm='yes'", "train.freeze_batch_norm", "'yes'", "boolean"),
        ("model.backend=tensorflow", "model.backend", "'tensorflow'", "should be 'yolo'"),
        ("export.quantize=int4", "export.quantize", "'int4'", "'int8', 'fp16' or 'none'"),
        ("export.image_size=[640]", "export.image_size", "[640]", "at least 2 items"),
        ("export.image_size=[640,100]", "export.image_size[1]", "100", "multiple of 32"),
        ("+split.assign.club=dev", "split.assign.club", "'dev'", "'train', 'val' or 'test'"),
        ("split.test=0.5", "split", "1.275", "sum to 1"),
        ("split.fold=1", "split", "fold is 1", "choose split=grouped_cv"),
        ("split.folds=2", "split.folds", "2", "greater than or equal to 3"),
        ("data.source=../elsewhere", "data.source", "'../elsewhere'", "inside the repository"),
        ("data.source=/srv/clips", "data.source", "'/srv/clips'", "inside the repository"),
        ("data.source='C:/clips'", "data.source", "'C:/clips'", "inside the repository"),
        ("data.source='~/clips'", "data.source", "'~/clips'", "inside the repository"),
        ("data.source=.", "data.source", "'.'", "inside the repository"),
        ("data.source=null", "data.source", "None", "valid string"),
        ("~data.source", "data.source", "missing", ""),
        (f"train.epochs={10**15}", "train.epochs", str(10**15), "less than or equal to 10000"),
        ("train.batch=5000", "train.batch", "5000", "less than or equal to 4096"),
        ("data.every=10000000", "data.every", "10000000", "less than or equal to 1000000"),
        ("train.yolo.pose_gain=1e300", "train.yolo.pose_gain", "1e+300", "less than or equal to 1000000"),
        ("train.oversample_arch=99999", "train.oversample_arch", "99999", "less than or equal to 1000"),
        ("model.weights=/etc/passwd", "model.weights", "'/etc/passwd'", "inside the repository"),
        ("model.sha256=abc", "model.sha256", "'abc'", "match pattern"),
        ("seed=-1", "seed", "-1", "greater than or equal to 0"),
        ("+train.epoch=3", "train.epoch", "did you mean epochs?", "allowed: name, epochs"),
        ("+optimiser=adam", "optimiser", "not a known key", "allowed: seed"),
        ("~train.lr0", "train.lr0", "missing", ""),
    ],
)
def test_a_wrong_value_is_named_with_key_value_and_what_is_allowed(override, key, value, allowed):
    with pytest.raises(BadInputs) as caught:
        composed(override)
    (problem,) = caught.value.problems
    assert problem.startswith(key)
    assert value in problem
    assert allowed in problem


def test_a_fold_is_one_of_the_folds_whatever_the_experiment_says_of_shares():
    params = composed("split=grouped_cv", "split.fold=4")
    assert params.experiment == "demo" and params.split.train == 0.65
    assert params.split.ratios == pytest.approx({"train": 0.8 * 0.65 / 0.775, "val": 0.8 * 0.125 / 0.775, "test": 0.2})
    with pytest.raises(BadInputs, match="fold should be from 0 to 4, and is 5"):
        composed("split=grouped_cv", "split.fold=5")
    with pytest.raises(BadInputs, match="should not both be 0"):
        composed("split=grouped_cv", "split.train=0", "split.val=0", "split.test=1")


def test_all_wrong_values_come_in_one_report():
    with pytest.raises(BadInputs) as caught:
        composed("train.epochs=0", "model.backend=tf", "seed=-1")
    assert len(caught.value.problems) == 3
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model=yolo99", ["model/yolo99", "yolo11n"]),
        ("train.epoch=3", ["train.epoch"]),
        ("train.lr0=???", ["train.lr0", "must be set"]),
        ("a=b=[", ["override"]),
        ("skeleton.joints=[]", ["skeleton", "no joints"]),
        ("skeleton.pairs=[[nose,tail]]", ["skeleton", "tail"]),
    ],
)
def test_an_override_that_does_not_fit_is_answered_in_one_sentence(override, words):
    with pytest.raises(BadInput) as caught:
        composed(override)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert all(word in message for word in words), message
    assert "file://" not in message


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["skeleton.limbs=[]"], ["no limbs", "share"]),
        (["~skeleton.limbs"], ["no limbs"]),
        (["skeleton.pairs=[]"], ["pair left and right", "[left_eye, right_eye]", "'pairs'"]),
        (["skeleton=lsp14", "skeleton.pairs=[[left_hip,right_hip]]"], ["[left_knee, right_knee]"]),
        (["skeleton.trunk.hips=[]", "evaluate.refine=upright"], ["evaluate.refine=zoom"]),
        (["skeleton=lowerbody10", "train.upright_crops=true"], ["no trunk", "train.upright_crops=false"]),
    ],
)
def test_a_skeleton_that_the_pipeline_cannot_use_is_refused_before_it_trains(overrides, words):
    with pytest.raises(BadInput) as caught:
        composed(*overrides)
    assert all(word in str(caught.value) for word in ["skeleton", *words]), str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "overrides", [["skeleton=lowerbody10"], ["skeleton.trunk.shoulders=[]"], ["~skeleton.trunk"], ["skeleton.bones=[]"]]
)
def test_what_a_skeleton_can_be_without(overrides):
    composed(*overrides)


def test_a_skeleton_without_sides_needs_no_pairs():
    joints = ["neck", "left_hip", "bar"]
    skeleton = {"name": "lift", "joints": joints, "sigmas": dict.fromkeys(joints, 0.1)}
    values = config.compose([], ROOT) | {"skeleton": skeleton | {"limbs": [["neck", "left_hip", 0.3]]}}
    assert config.parse_params(values).pose_skeleton.pairs == ()


@pytest.mark.parametrize("made_by", [None, "dvc file", "pipeline", "file"])
def test_a_source_that_is_not_there_is_refused_unless_dvc_knows_it(repository, made_by):
    config.write_params(["data.source=data/club/clips"], root=repository)
    (repository / "data/club").mkdir()
    if made_by == "dvc file":
        (repository / "data/club.dvc").touch()
    if made_by == "pipeline":
        (repository / "data/club/dvc.yaml").touch()
    if made_by == "file":
        (repository / "data/club/clips").touch()
    if made_by in ("dvc file", "pipeline"):
        assert config.check(repository) == ["data.source=data/club/clips (conf: data/synthetic/jumps)"]
        return
    with pytest.raises(BadInput, match=r"data.source is 'data/club/clips', which is no folder here; .*fosbury import"):
        config.check(repository)


@pytest.mark.parametrize("file", ["config.yaml", "train/full.yaml", "experiment/demo.yaml"])
def test_a_key_that_stands_twice_in_conf_is_named(repository, file):
    path = repository / "conf" / file
    lines = path.read_text(encoding="utf-8").splitlines()
    (key, *_) = [line for line in lines if line[:1].isalpha() and not line.startswith("defaults")]
    path.write_text("\n".join([*lines, key, ""]), encoding="utf-8")
    with pytest.raises(BadInput, match=rf"conf/{file}: .*line {len(lines) + 1} names the key '.*' a second time"):
        config.compose([], repository)


def test_a_key_that_stands_twice_in_params_is_named(repository):
    config.write_params(root=repository)
    with (repository / "params.yaml").open("a") as file:
        file.write("seed: 1\n")
    with pytest.raises(BadInput, match="names the key 'seed' a second time"):
        config.check(repository)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.lr=0.1", ["train.lr is not a known key", "train.lr0"]),
        ("sed=3", ["sed is not a known key", "did you mean seed?"]),
        ("model.backnd=yolo", ["did you mean model.backend?"]),
    ],
)
def test_an_unknown_key_is_answered_with_the_one_meant(override, words):
    with pytest.raises(BadInput) as caught:
        composed(override)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_dvc_answers_an_unknown_key_with_the_one_meant(tmp_path):
    output = Scratch.create(tmp_path / "repository").run("dvc", "exp", "run", "-S", "train.lr=0.1", fails=True)
    assert "train.lr is not a known key; did you mean train." in output
    assert "train.lr0" in output


def test_params_yaml_survives_the_round_trip(repository, monkeypatch):
    monkeypatch.chdir(repository)
    written = config.write_params(["train.lr0=1e-5", "data.sets=[a,b]", "+split.assign.a=test"])
    assert config.load_params() == written
    assert written.train.lr0 == 1e-5
    assert written.split.assign == {"a": "test"}
    assert config.check() == [
        "data.sets=['a', 'b'] (conf: None)",
        "split.assign.a=test (conf: None)",
        "train.lr0=1e-05 (conf: 1e-3)".replace("1e-3", str(composed().train.lr0)),
    ]


def test_another_option_is_reported_as_one_line(repository, monkeypatch):
    monkeypatch.chdir(repository)
    config.write_params(["model=yolo11m"])
    assert config.check() == ["model=yolo11m (conf: rtmpose_t)"]


@pytest.mark.parametrize(
    "change",
    [
        lambda conf: (conf / "train" / "demo.yaml").open("a").write("# a thought\n"),
        lambda conf: (conf / "train" / "demo.yaml").rename(conf / "train" / "other.yaml"),
        lambda conf: (conf / "experiment" / "demo.yaml").open("a").write("seed: 1\n"),
        lambda conf: (conf / "config.yaml").open("a").write("# a thought\n"),
    ],
)
def test_a_change_of_what_is_in_use_makes_params_stale(repository, change):
    config.write_params(root=repository)
    assert config.check(repository) == []
    change(repository / "conf")
    with pytest.raises(BadInput, match=r"stale.*fosbury config compose"):
        config.check(repository)


@pytest.mark.parametrize(
    "change",
    [
        lambda conf: (conf / "train" / "full.yaml").unlink(),
        lambda conf: (conf / "train" / "full.yaml").open("a").write("# a thought\n"),
        lambda conf: (conf / "train" / "new.yaml").write_text("name: new\n"),
        lambda conf: (conf / "experiment" / "private.yaml").write_text(PRIVATE),
    ],
)
def test_a_change_of_what_nobody_uses_leaves_params_good(repository, change):
    config.write_params(root=repository)
    change(repository / "conf")
    assert config.check(repository) == []


def test_what_an_experiment_begins_with_is_in_use(repository):
    (repository / "conf/experiment/private.yaml").write_text(PRIVATE)
    config.write_params(["experiment=private"], repository)
    assert config.check(repository) == []
    with (repository / "conf/experiment/label_efficiency.yaml").open("a") as file:
        file.write("# a thought\n")
    with pytest.raises(BadInput, match="stale"):
        config.check(repository)


LOCK = """numpy==2.3.5 \\
    --hash=sha256:00
scipy==1.17.1 ; python_full_version < '3.12' \\
    --hash=sha256:01
scipy==1.18.1 ; python_full_version >= '3.12' \\
    --hash=sha256:02
rich==13.0 \\
    --hash=sha256:03
"""


def test_versions_are_those_of_the_lock_and_params_of_another_lock_are_stale(repository):
    lock = repository / "requirements.lock"
    lock.write_text(LOCK)
    versions = config.write_params(root=repository).versions
    assert (versions["numpy"], versions["scipy"], versions["torch"]) == ("2.3.5", "1.17.1 or 1.18.1", None)
    lock.write_text(LOCK.replace("rich==13.0", "rich==14.0"))
    assert config.check(repository) == []
    lock.write_text(LOCK.replace("scipy==1.18.1", "scipy==1.18.2"))
    with pytest.raises(BadInput, match=r"requirements.lock changed.*fosbury config compose"):
        config.check(repository)
    config.write_params(["versions.numpy=2.3.6"], repository)
    assert config.check(repository) == ["versions.numpy=2.3.6 (conf: 2.3.5)"]


@pytest.mark.parametrize("group", [*config.GROUPS, "experiment"])
@pytest.mark.parametrize("wrong", ["another", None, ""])
def test_a_file_of_conf_carries_its_own_name(repository, group, wrong):
    key = "experiment" if group == "experiment" else "name"
    first = next(name for name in config.options(group, repository) if name != "base")
    text = (repository / f"conf/{group}/{first}.yaml").read_text(encoding="utf-8")
    path = repository / f"conf/{group}/gym17.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=rf"conf/{group}/gym17.yaml: says `{key}: {first}`; write `{key}: gym17`"):
        config.compose([f"{group}=gym17"], repository)
    path.write_text(text.replace(f"{key}: {first}\n", f"{key}: {wrong}\n" if wrong is not None else ""))
    with pytest.raises(BadInput, match=rf"conf/{group}/gym17.yaml: .*write `{key}: gym17`"):
        config.compose([], repository)
    path.write_text(text.replace(f"{key}: {first}\n", f"{key}: gym17\n"))
    values = config.compose([f"{group}=gym17"], repository)
    params = config.parse_params(values)
    assert config.overrides_in_effect(params, values, repository)[1:] == []


@pytest.mark.parametrize("text", ["- 1\n", "", ": ["])
def test_a_file_of_conf_that_is_no_mapping_is_named(repository, text):
    (repository / "conf/train/mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=r"conf/train/mine.yaml"):
        config.compose([], repository)


@pytest.mark.parametrize("override", ["skeleton.name=gym", "~skeleton.name", "train.name=gym"])
def test_a_name_that_no_file_has_is_answered_in_one_sentence(repository, override):
    config.write_params([override], root=repository)
    with pytest.raises(BadInput, match=r"params.yaml: (skeleton|train).name is .*no such file"):
        config.check(repository)


def test_line_endings_of_a_checkout_do_not_make_params_stale(repository):
    config.write_params(root=repository)
    path = repository / "conf" / "config.yaml"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert config.check(repository) == []


def test_a_wrong_composition_leaves_params_as_they_were(repository):
    config.write_params(root=repository)
    before = (repository / "params.yaml").read_bytes()
    with pytest.raises(BadInput):
        config.write_params(["train.epochs=0"], root=repository)
    assert (repository / "params.yaml").read_bytes() == before
    assert not list(repository.glob(".params*"))


@pytest.mark.parametrize(
    ("text", "words"), [(None, "missing"), (": [", "YAML"), ("- 1\n", "mapping"), ("\x00", "YAML"), ("", "mapping")]
)
def test_a_broken_params_file_is_answered_with_the_mend(tmp_path, text, words):
    path = tmp_path / "params.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadInput, match=words):
        config.load_params(path)


def test_every_recipe_begins_with_the_defaults_of_the_class():
    base = config.read_values(ROOT / "conf/train/base.yaml")
    chosen = {"epochs": 1, "batch": 1, "image_size": 32, "lr0": 1.0}
    assert base | {"name": "", **chosen} == Recipe(**chosen).model_dump()
    assert list(base) == list(Recipe.model_fields)


@pytest.mark.parametrize(
    ("overrides", "problems"),
    [
        (
            ["model=yolo11n", "train.rtmpose.half_body=0.3"],
            ["train.rtmpose.half_body is 0.3, which yolo would ignore: set it to 0.0"],
        ),
        (
            ["train.yolo.pose_gain=1.0", "train.yolo.mosaic=0.5"],
            ["train.yolo.pose_gain is 1.0, which rtmpose would ignore", "train.yolo.mosaic is 0.5", "set it to 12.0"],
        ),
    ],
)
def test_a_value_that_the_backend_would_ignore_is_refused(overrides, problems):
    with pytest.raises(BadInputs) as caught:
        composed(*overrides)
    assert all(problem in str(caught.value) for problem in problems), str(caught.value)


def test_sections_of_a_recipe_are_named_as_their_backends():
    sections = {key for key, field in Recipe.model_fields.items() if isinstance(field.default, Section)}
    assert sections <= set(BACKENDS)


def test_a_recipe_alone_is_not_complete():
    with pytest.raises(BadInput, match=r"train.epochs, train.image_size must be set"):
        composed("train=base")


def test_outside_a_repository_there_is_one_sentence(tmp_path):
    with pytest.raises(BadInput, match="not inside a fosbury repository"):
        config.find_root(tmp_path)


def test_named_skeletons():
    assert len(config.named_skeleton("lsp14", ROOT)) == 14
    with pytest.raises(BadInput, match="body21, coco17, jump20, lowerbody10, lsp14"):
        config.named_skeleton("../config", ROOT)
