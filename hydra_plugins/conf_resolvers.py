"""Resolvers of conf/, found by DVC (``hydra.plugins_path`` in .dvc/config) and by ``fosbury.config``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parents[1] / "conf"


def conf_digest() -> str:
    """Digest of every file in conf/: names and contents, whatever the line endings of the checkout."""
    digest = hashlib.sha256()
    for path in sorted(CONF.rglob("*.yaml"), key=lambda path: path.relative_to(CONF).as_posix()):
        digest.update(path.relative_to(CONF).as_posix().encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:16]


OmegaConf.register_new_resolver("conf_digest", conf_digest, replace=True)
