"""Still pictures: read upright, measured upright, written."""

from __future__ import annotations

import struct
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import open as open_picture  # bound before Ultralytics puts its own in its place

from fosbury.errors import BadInput
from fosbury.files import write_bytes
from fosbury.media.files import check_file

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF")
"""What is opened; Pillow knows more, of which some (EPS) start other programs."""
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")

READ_BY_TRAINERS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Suffixes that Ultralytics takes for pictures; it passes over others, such as .jfif and .gif, without a word."""

_TRUE_SUFFIXES = {"PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif"}
_EXIF_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _open(path: Path) -> Image.Image:
    check_file(path)
    try:
        return open_picture(path, formats=FORMATS)
    except UnidentifiedImageError:
        raise BadInput(path, "is not a picture of a known kind", "save it as JPEG or PNG") from None
    except Image.DecompressionBombError:
        raise BadInput(path, "claims a size that no camera makes", "save it again at its true size") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadInput(path, f"cannot be read as a picture ({error})", "copy or export it again") from None


def orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where the tag is absent, out of range, or the EXIF block is broken."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, TypeError, struct.error):
        return 1
    return value if isinstance(value, int) and value in _TURNS else 1


def image_size(path: str | Path) -> tuple[int, int]:
    """Width and height in pixels as displayed (EXIF orientation applied); reads the header only.

    Raises
    ------
    BadInput
        If the file is absent, empty, a Git LFS pointer, or not a picture.
    """
    with _open(Path(path)) as image:
        width, height = image.size
        return (height, width) if orientation(image) >= 5 else (width, height)


def true_suffix(path: str | Path) -> str:
    """Suffix that says what a picture is by its content; ``.jpg`` for JPEG in all its variants.

    Raises
    ------
    BadInput
        As ``image_size``.
    """
    with _open(Path(path)) as image:
        return _TRUE_SUFFIXES.get(image.format or "", ".jpg")


def readable_name(name: str, true: str) -> str:
    """Name for a picture that ends in a suffix that trainers read.

    Parameters
    ----------
    name : str
        File name, maybe with folders.
    true : str
        See ``true_suffix``; a GIF is to be converted to PNG.

    Examples
    --------
    >>> [readable_name("a/im1.jfif", ".jpg"), readable_name("im1.JPG", ".jpg"), readable_name("im.1", ".gif")]
    ['a/im1.jpg', 'im1.JPG', 'im.1.png']
    """
    path = PurePosixPath(name)
    wanted = ".png" if true == ".gif" else true
    if path.suffix.lower() in READ_BY_TRAINERS and true != ".gif":
        return name
    picture = path.suffix.lower() in (*SUFFIXES, ".jfif", ".jpe", ".pjpeg", ".mpo", ".dib")
    return str(path.with_suffix(wanted)) if picture else f"{name}{wanted}"


def read_image(path: str | Path) -> np.ndarray:
    """Read a picture as it is displayed.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB, with the EXIF orientation (all eight) applied.

    Raises
    ------
    BadInput
        If the file is absent, empty, a Git LFS pointer, not a picture, or cut off.
    """
    with _open(Path(path)) as image:
        try:
            image.load()
            if image.mode.startswith("I;16") or image.mode == "I":
                deep = np.clip(np.asarray(image).astype(np.int64) >> 8, 0, 255).astype(np.uint8)
                turned = Image.fromarray(deep)
            else:
                turned = image
            turn = _TURNS.get(orientation(image))
            turned = turned.transpose(turn) if turn is not None else turned
            return np.array(turned.convert("RGB"))
        except Image.DecompressionBombError:
            raise BadInput(path, "claims a size that no camera makes", "save it again at its true size") from None
        except (OSError, SyntaxError, ValueError, struct.error) as error:
            raise BadInput(path, f"is cut off or damaged ({error})", "copy or export it again") from None


def encode_jpeg(rgb: np.ndarray, quality: int = 95) -> bytes:
    """Encode uint8 RGB, shape (H, W, 3), as JPEG bytes; ``quality`` is 1 to 100."""
    return encode_bgr(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality).tobytes()


def encode_bgr(bgr: np.ndarray, quality: int = 95) -> np.ndarray:
    """Encode uint8 BGR, shape (H, W, 3), as JPEG; the bytes come as a uint8 array."""
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]


def write_image(path: str | Path, rgb: np.ndarray, quality: int = 95) -> None:
    """Write uint8 RGB, shape (H, W, 3), as JPEG or PNG by the suffix, through a temporary name.

    Parameters
    ----------
    path : str or Path
        ``.jpg``, ``.jpeg`` or ``.png``; its folder is made.
    rgb : ndarray of uint8, shape (H, W, 3)
    quality : int
        JPEG quality, 1 to 100.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in (".jpg", ".jpeg"):
        data = encode_jpeg(rgb, quality)
    elif suffix == ".png":
        data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes()
    else:
        raise BadInput(path, f"has the suffix '{path.suffix}'", "name it .jpg or .png")
    write_bytes(path, data)
