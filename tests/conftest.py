"""What several tests need: the real files beside the repository, the skeletons of conf/, and a pipeline that ran."""

from pathlib import Path

import hypothesis
import pytest
from omegaconf import OmegaConf
from scratch import CLIPS, Scratch

from fosbury.skeleton import Skeleton

ROOT = Path(__file__).parents[1]
# Hypothesis refuses examples that take longer than 200 ms, which a slower machine needs for any of them.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file in one process, so that its fixtures are made once, and all that needs the pipeline in one, too."""
    for item in items:
        group = "pipeline" if "pipeline" in getattr(item, "fixturenames", ()) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the real data; tests that ask for it are skipped where it is absent."""
    folder = (ROOT / "../shared/data").resolve()
    if not folder.is_dir():
        pytest.skip("needs ../shared/data")
    return folder


@pytest.fixture(scope="session")
def skeletons() -> dict[str, Skeleton]:
    """The skeletons of conf/skeleton by name."""
    return {
        path.stem: Skeleton.from_mapping(OmegaConf.to_container(OmegaConf.load(path)), where=path.name)
        for path in sorted((ROOT / "conf/skeleton").glob("*.yaml"))
    }


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory) -> Scratch:
    """A scratch repository in which `dvc repro` has run once. Tests that change something take a copy of it."""
    folder = tmp_path_factory.mktemp("pipeline")
    scratch = Scratch.create(folder / "repository")
    scratch.athlete(clips=CLIPS, width=96, height=96)
    scratch.compose()
    output = scratch.run("dvc", "repro")
    (folder / "first.txt").write_text(output, encoding="utf-8")
    scratch.commit()
    return scratch
