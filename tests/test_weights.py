"""Fetching official weights: once, on request, and never anything but the file meant."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import os
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import pytest

from fosbury.errors import BadInput, WorkFailed
from fosbury.inference.packages import copy_member, package_file
from fosbury.inference.weights import fetch_weights, source_url, verify_checksum
from fosbury.media.files import sha256_of

CONTENT = bytes(range(256)) * 5000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    folder.mkdir()
    (folder / "pose.pt").write_bytes(CONTENT)
    return folder


@pytest.fixture
def server(mirror: Path):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    handler = functools.partial(Quiet, directory=str(mirror))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def leftovers(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*")) if folder.exists() else []


def test_a_file_comes_over_http_whole(server, tmp_path):
    target = tmp_path / "pretrained" / "pose.pt"
    assert fetch_weights(f"{server}/pose.pt", target, DIGEST, mirror="") is True
    assert target.read_bytes() == CONTENT
    assert leftovers(target.parent) == [target]


def test_the_mirror_replaces_the_address(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("FOSBURY_WEIGHTS_MIRROR", mirror.as_uri() + "/")
    target = tmp_path / "pose.pt"
    assert fetch_weights("https://example.invalid/v8/pose.pt", target, DIGEST) is True
    assert sha256_of(target) == DIGEST
    assert source_url("https://example.invalid/v8/pose.pt") == f"{mirror.as_uri()}/pose.pt"


def test_weights_that_are_there_are_not_fetched_again(tmp_path):
    target = tmp_path / "pose.pt"
    target.write_bytes(CONTENT)
    assert fetch_weights("https://example.invalid/pose.pt", target, DIGEST, mirror="") is False


def test_another_file_in_the_way_is_not_overwritten(mirror, tmp_path):
    target = tmp_path / "pose.pt"
    target.write_bytes(b"mine")
    with pytest.raises(BadInput, match="in the way"):
        fetch_weights((mirror / "pose.pt").as_uri(), target, DIGEST, mirror="")
    assert target.read_bytes() == b"mine"


def test_a_wrong_digest_leaves_nothing(mirror, tmp_path):
    target = tmp_path / "pretrained" / "pose.pt"
    with pytest.raises(BadInput, match="SHA-256"):
        fetch_weights((mirror / "pose.pt").as_uri(), target, "0" * 64, mirror="")
    assert leftovers(target.parent) == []


@pytest.mark.parametrize("name", ["absent.pt", "pose.pt/deeper.pt"])
def test_a_file_that_cannot_be_fetched_leaves_nothing(server, tmp_path, name):
    target = tmp_path / "pretrained" / "pose.pt"
    with pytest.raises(WorkFailed, match=r"could not be fetched.*FOSBURY_WEIGHTS_MIRROR"):
        fetch_weights(f"{server}/{name}", target, DIGEST, mirror="")
    assert leftovers(target.parent) == []


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "data:text/plain,x", "not an address"])
def test_only_plain_addresses_are_opened(tmp_path, address):
    with pytest.raises(BadInput, match="address"):
        fetch_weights("https://example.invalid/pose.pt", tmp_path / "pose.pt", DIGEST, mirror=address)


def test_missing_weights_are_answered_with_the_command(tmp_path):
    with pytest.raises(BadInput, match="run `fosbury fetch yolo11m`"):
        verify_checksum(tmp_path / "m.pt", DIGEST, "yolo11m", "https://example.invalid/m.pt")
    with pytest.raises(BadInput, match="put it there"):
        verify_checksum(tmp_path / "m.pt", None, "mine", None)


def test_other_weights_under_an_official_name_are_refused(tmp_path):
    path = tmp_path / "m.pt"
    path.write_bytes(b"something else")
    with pytest.raises(BadInput, match="SHA-256"):
        verify_checksum(path, DIGEST, "yolo11m", "https://example.invalid/m.pt")
    assert verify_checksum(path, None, "yolo11m", "https://example.invalid/m.pt") == path
    path.write_bytes(CONTENT)
    assert verify_checksum(str(path), DIGEST, "yolo11m", "https://example.invalid/m.pt") == path


def test_the_beginning_of_a_digest_is_checked_where_no_more_is_known(mirror, tmp_path):
    right, wrong, target = DIGEST[:8], DIGEST[1:9], tmp_path / "pose.pt"
    address = (mirror / "pose.pt").as_uri()
    with pytest.raises(BadInput, match="SHA-256"):
        fetch_weights(address, target, wrong, mirror="")
    assert not target.exists()
    assert fetch_weights(address, target, right, mirror="") is True
    assert fetch_weights(address, target, right, mirror="") is False
    assert verify_checksum(target, right, "rtmpose_s", address) == target
    with pytest.raises(BadInput, match="SHA-256"):
        verify_checksum(target, wrong, "rtmpose_s", address)


# A file out of a package.

WHEEL = "pypi:toyweights==1.0:toyweights/net.tflite"


def wheel(folder: Path, content: bytes = CONTENT) -> Path:
    """A wheel as pip takes it."""
    path = folder / "toyweights-1.0-py3-none-any.whl"
    about = "toyweights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("toyweights/net.tflite", content)
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: toyweights\nVersion: 1.0\n")
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def no_index(monkeypatch, tmp_path):
    """A pip that knows one folder, and no index."""
    if not any(shutil.which(each) for each in ("pip", "pip3")):
        pytest.skip("needs pip")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))


def test_a_file_comes_out_of_a_wheel_and_nothing_else_is_left(no_index, tmp_path):
    wheel(tmp_path)
    target = tmp_path / "pretrained" / "net.tflite"
    assert fetch_weights(WHEEL, target, DIGEST, mirror="") is True
    assert target.read_bytes() == CONTENT and leftovers(target.parent) == [target]
    assert fetch_weights(WHEEL, target, DIGEST, mirror="") is False


def test_a_wheel_with_another_file_leaves_nothing(no_index, tmp_path):
    wheel(tmp_path, b"something else")
    with pytest.raises(BadInput, match="SHA-256"):
        fetch_weights(WHEEL, tmp_path / "pretrained" / "net.tflite", DIGEST, mirror="")
    assert leftovers(tmp_path / "pretrained") == []


def test_without_an_index_there_is_a_sentence(no_index, tmp_path):
    with pytest.raises(WorkFailed, match=r"toyweights==1\.0: could not be fetched"):
        fetch_weights(WHEEL, tmp_path / "pretrained" / "net.tflite", DIGEST, mirror="")
    assert leftovers(tmp_path / "pretrained") == []


def test_the_mirror_stands_for_a_package_too(mirror, tmp_path):
    target = tmp_path / "net.pt"
    assert fetch_weights("npm:@toy/net@1.0:package/pose.pt", target, DIGEST, mirror=mirror.as_uri()) is True


def packed(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as file:
        for member in members:
            file.addfile(member, io.BytesIO(CONTENT) if member.isfile() else None)
    return path


def test_one_member_is_copied_out_of_an_archive_whatever_else_is_in_it(tmp_path):
    good, climbing = tarfile.TarInfo("package/net.tflite"), tarfile.TarInfo("../evil")
    good.size = climbing.size = len(CONTENT)
    link = tarfile.TarInfo("package/link.tflite")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    archive, out = packed(tmp_path / "net.tgz", climbing, good, link), tmp_path / "out"
    copy_member(archive, package_file("npm:@toy/net@1.0:package/net.tflite"), out)
    assert out.read_bytes() == CONTENT and not (tmp_path.parent / "evil").exists()
    for member in ("package/link.tflite", "package/absent.tflite"):
        with pytest.raises(WorkFailed, match="holds no package"):
            copy_member(archive, package_file(f"npm:@toy/net@1.0:{member}"), out)
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(WorkFailed, match="that can be read"):
        copy_member(archive, package_file("npm:@toy/net@1.0:package/net.tflite"), out)


@pytest.mark.parametrize("url", ["https://example.invalid/pose.pt", "pypi:name:path", "npm:--flag@1:x", "pypi:a==1"])
def test_what_names_no_file_in_a_package_is_an_address(url):
    assert package_file(url) is None
