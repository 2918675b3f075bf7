"""Clips: decoded upright and in presentation order, encoded the same way every time.

What the container says of itself (frame count, rate, first timestamp) is not trusted: frames are counted by decoding
and timed by their own timestamps, relative to the first. Pixels are taken as stored (a pixel aspect ratio other than
1 is not stretched), since labelling tools do the same.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import av.error
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from fosbury.errors import BadInput
from fosbury.files import draft
from fosbury.media.files import check_file

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mts", ".m2ts", ".ts", ".3gp", ".mpg", ".mpeg", ".wmv")

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,ogg,flv,asf,mxf,dv"
"""What is opened. FFmpeg knows more, among them playlists that name other files and text drawn as a picture."""
_NO_VIDEO = "is not a video or is cut off before its index"
_FALLBACK_RATE = 25
_MAX_LEADING = 32
ENCODER_THREADS = 4
X264 = "mbtree=0"
"""x264's macroblock tree reads memory that it never set: the bytes of a small clip then depend on what ran before."""
_FIXED_POINT = 1 << 16
_THREAD = threading.local()
"""Each thread's converter: setting one up costs several times as much as converting a frame."""


@dataclass(frozen=True)
class VideoInfo:
    """What a clip really holds.

    Attributes
    ----------
    width, height : int
        Pixels, upright.
    rotation : int
        Degrees clockwise that the stored picture is turned by to stand upright: 0, 90, 180 or 270.
    fps : float
        Mean rate over the decoded timestamps; the declared rate where there is one frame.
    frames : int
        Frames that decode.
    declared_frames : int
        Frames that the header claims; 0 where it is silent.
    codec : str
        For example ``h264``.
    duration_s : float
        From the first to the last frame, plus one mean interval.
    notes : tuple of str
        What was odd: a header that lies, damaged packets, a cut-off end.
    """

    width: int
    height: int
    rotation: int
    fps: float
    frames: int
    declared_frames: int
    codec: str
    duration_s: float
    notes: tuple[str, ...] = ()


def _display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Signs (a, b, c, d) of the display matrix: stored (x, y) is shown at (a x + c y, b x + d y)."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(bytes(data), dtype="<i4", count=9).reshape(3, 3)[:2, :2] / _FIXED_POINT
    a, b, c, d = np.where(np.abs(matrix) > 0.5, np.sign(matrix), 0).astype(int).ravel().tolist()
    turned = (a, d) == (0, 0) and b and c
    level = (b, c) == (0, 0) and a and d
    return (a, b, c, d) if turned or level else (1, 0, 0, 1)


def upright(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turn or mirror pixels of a frame, shape (H, W) or (H, W, 3), as its container says."""
    a, b, c, d = _display_matrix(frame)
    if a == 0:
        image = image.swapaxes(0, 1)
    across, down = (a, d) if a else (c, b)
    image = image[:: down or 1, :: across or 1]
    return np.ascontiguousarray(image)


def _rotation(matrix: tuple[int, int, int, int]) -> int:
    return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[matrix[:2]]


def _decoded(path: Path, notes: list[str]) -> Iterator[tuple[av.VideoFrame, av.VideoStream]]:
    check_file(path)
    try:
        container = av.open(
            f"file:{path}",
            metadata_errors="replace",
            options={"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"},
        )
    except (av.error.FFmpegError, ValueError):
        raise BadInput(path, _NO_VIDEO, "copy or export the clip again") from None
    with container:
        if not any(stream.type != "data" for stream in container.streams):
            raise BadInput(path, _NO_VIDEO, "copy or export the clip again")
        stream = next((s for s in container.streams.video if s.codec_context is not None), None)
        if not container.streams.video:
            raise BadInput(path, "holds no video stream", "export the clip with its picture")
        if stream is None:
            raise BadInput(path, "is in a codec that cannot be decoded here", "convert it to H.264")
        stream.thread_type = "AUTO"
        damaged, decoded, packets = 0, 0, container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                break
            except av.error.FFmpegError as error:
                notes.append(f"cut off or damaged after {decoded} frames ({error.strerror}); the rest is lost")
                break
            try:
                frames = packet.decode()
            except av.error.EOFError:
                continue
            except av.error.FFmpegError:
                damaged += 1
                continue
            for frame in frames:
                damaged += bool(frame.is_corrupt)
                decoded += 1
                yield frame, stream
        if damaged:
            notes.append(f"{damaged} damaged packets or frames")
        declared = stream.frames
        if declared and declared != decoded:
            notes.append(f"the header claims {declared} frames, {decoded} decode")
        if not decoded:
            raise BadInput(path, "holds a video stream without one frame that decodes", "export the clip again")


def _timed(path: Path, notes: list[str]) -> Iterator[tuple[int, float, av.VideoFrame, av.VideoStream]]:
    """Yield the frames with number and time, from 0 and always onwards.

    Where a timestamp is absent (Matroska has none below zero) or goes back (AVI stores decoding order), the declared
    rate takes its place.
    """
    index, placed, last = 0, 0, Fraction(0)
    begin: Fraction | None = None
    leading: list[av.VideoFrame] = []
    for frame, stream in _decoded(path, notes):
        step = 1 / Fraction(stream.average_rate or _FALLBACK_RATE)
        time = Fraction(frame.pts) * frame.time_base if frame.pts is not None and frame.time_base else None
        if begin is None and time is None and len(leading) < _MAX_LEADING:
            leading.append(frame)
            continue
        if begin is None:
            begin = (time or Fraction(0)) - len(leading) * step
            placed += len(leading)
            for early in leading:
                yield index, _milliseconds(index * step), early, stream
                index += 1
            last = begin + (index - 1) * step
        if time is None or time <= last:
            time = last + step
            placed += 1
        yield index, _milliseconds(time - begin), frame, stream
        index, last = index + 1, time
    if begin is None:
        for early in leading:
            yield index, _milliseconds(index * step), early, stream
            index += 1
        placed += len(leading)
    if placed:
        notes.append(f"{placed} frames without a usable timestamp, placed by the declared rate")


def _milliseconds(seconds: Fraction) -> float:
    return round(float(seconds * 1000), 3)


def to_image(frame: av.VideoFrame, pixels: Literal["rgb24", "bgr24"] = "rgb24") -> np.ndarray:
    """Convert a decoded frame to upright uint8, shape (H, W, 3): the container's rotation or mirroring is applied."""
    if not hasattr(_THREAD, "converter"):
        _THREAD.converter = VideoReformatter()
    converted = _THREAD.converter.reformat(frame, format=pixels)
    return upright(converted.to_ndarray(), frame)


def decode(
    path: str | Path,
    *,
    every: int = 1,
    start: int | None = None,
    stop: int | None = None,
    only: Collection[int] | None = None,
    notes: list[str] | None = None,
) -> Iterator[tuple[int, float, av.VideoFrame]]:
    """Decode a clip in presentation order; ``to_image`` is left to whoever has a core to spare.

    Parameters
    ----------
    path : str or Path
    every : int
        Yield every n-th frame, counted from ``start``.
    start, stop : int, optional
        Frame indices; ``stop`` is not included.
    only : collection of int, optional
        Yield these frames only. Nothing is decoded past the last of them.
    notes : list of str, optional
        Is appended to: what was odd about the file. Complete when the whole file has been read.

    Yields
    ------
    index, timestamp_ms, frame
        Position from 0, milliseconds since the first frame, and the frame as stored, not turned upright.

    Raises
    ------
    BadInput
        If the file is absent, empty, a Git LFS pointer, not a video, without a picture, or changes its size.
    """
    path, begin = Path(path), start or 0
    if only is not None:
        last = max(only, default=-1) + 1
        stop = last if stop is None else min(stop, last)
    if every < 1:
        raise ValueError(f"every must be at least 1, not {every}")
    size = None
    for index, timestamp_ms, frame, _ in _timed(path, [] if notes is None else notes):
        if stop is not None and index >= stop:
            return
        if index < begin or (index - begin) % every or (only is not None and index not in only):
            continue
        size = size or (frame.width, frame.height)
        if (frame.width, frame.height) != size:
            raise BadInput(path, f"changes its picture size at frame {index}", "convert it to one size")
        yield index, timestamp_ms, frame


def probe(path: str | Path) -> VideoInfo:
    """Decode a clip once and say what it holds.

    Raises
    ------
    BadInput
        As ``decode``.
    """
    notes: list[str] = []
    times: list[float] = []
    first: tuple[int, int, tuple[int, int, int, int]] | None = None
    stream: av.VideoStream | None = None
    for _, timestamp_ms, frame, stream in _timed(Path(path), notes):  # noqa: B007
        first = first or (frame.width, frame.height, _display_matrix(frame))
        times.append(timestamp_ms)
    assert first is not None and stream is not None  # a clip without a frame is refused where it is decoded
    width, height, matrix = first
    if matrix[0] == 0:
        width, height = height, width
    span = max(times) / 1000
    declared = float(stream.average_rate or 0)
    fps = (len(times) - 1) / span if span > 0 else declared
    return VideoInfo(
        width=width,
        height=height,
        rotation=_rotation(matrix),
        fps=fps,
        frames=len(times),
        declared_frames=stream.frames,
        codec=stream.codec_context.codec.canonical_name,
        duration_s=span + (1 / fps if fps else 0.0),
        notes=tuple(notes),
    )


def write_video(
    path: str | Path, images: Iterable[np.ndarray], fps: float | Fraction, *, crf: float = 20, preset: str = "medium"
) -> None:
    """Write an H.264 clip (yuv420p, BT.601) that is the same, byte for byte, each time.

    Parameters
    ----------
    path : str or Path
        ``.mp4``; written under a temporary name and moved in place.
    images : iterable of ndarray of uint8, shape (H, W, 3)
        RGB; H and W even and the same for all.
    fps : float or Fraction
    crf : float
        x264's quality: 0 lossless, 51 worst.
    preset : str
        x264's speed.
    """
    rate = Fraction(fps).limit_denominator(1001)
    shape = None
    options = {"fflags": "+bitexact", "movflags": "+faststart"}
    with draft(path) as unfinished, av.open(str(unfinished), "w", options=options) as container:
        for index, image in enumerate(images):
            if shape is None:
                shape = image.shape
                stream = container.add_stream("libx264", rate=rate)
                stream.height, stream.width = shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.flags |= av.codec.context.Flags.bitexact
                stream.codec_context.thread_count = ENCODER_THREADS
                stream.codec_context.color_range = 1
                stream.codec_context.colorspace = 6
                stream.options = {"crf": str(crf), "preset": preset, "x264-params": X264}
            if image.shape != shape or shape[0] % 2 or shape[1] % 2:
                raise ValueError(f"frame {index} has shape {image.shape}: all must be alike, with even sides")
            planes: Any = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
        if shape is None:
            raise ValueError("no frames to write")
        container.mux(stream.encode(None))
