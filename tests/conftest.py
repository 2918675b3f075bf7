"""What several tests need: the real files beside the repository, and the skeletons of conf/."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from fosbury.skeleton import Skeleton

ROOT = Path(__file__).parents[1]


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
