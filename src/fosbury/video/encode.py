"""Write the clip that people look at: H.264 with the times of the frames it was made from, and their sound.

A file that is still being written is a fragmented MP4 beside the target, which a player opens up to its last second;
at the end it is copied, stream by stream, into one with its index in front, which plays on phones and in browsers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from fosbury.errors import BadInput, WorkFailed
from fosbury.files import draft
from fosbury.media.video import ENCODER_THREADS, X264, upright
from fosbury.video.planes import BT709, FORMAT, FULL, LIMITED, Colours, Planes

USUAL_RATE = 25
TICKS = 90_000
"""Of a second: MPEG's clock, in which every usual frame rate is whole."""
CRF, PRESET = 20, "superfast"
PARTIAL = ".partial"
SETTINGS = "comment"
"""Key of MP4's metadata that holds the digest of the settings a file was made with."""
SOUND = ("aac", "mp3", "ac3", "eac3", "opus", "alac")
"""Codecs that MP4 holds and players know: copied. Others are encoded as AAC."""
_FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def partial_of(path: Path) -> Path:
    """Name of the unfinished file: ``jump.partial.mp4`` of ``jump.mp4``."""
    return path.with_name(f"{path.stem}{PARTIAL}{path.suffix}")


class Writer:
    """Takes pictures with their times; see `writing`."""

    def __init__(self, container: Any, rate: Fraction):
        self._container, self._rate = container, rate
        self._stream: Any = None
        self._last = -1

    def add(self, planes: Planes, timestamp_ms: float) -> None:
        """Append a picture.

        Parameters
        ----------
        planes : Planes
        timestamp_ms : float
            Since the first frame; ascending.
        """
        if self._stream is None:
            self._open(planes)
        frame = frame_of(planes)
        self._last = max(self._last + 1, round(timestamp_ms * TICKS / 1000))
        frame.pts, frame.time_base = self._last, Fraction(1, TICKS)
        frame.duration = round(TICKS / self._rate)
        self._container.mux(self._stream.encode(frame))

    def _open(self, planes: Planes) -> None:
        stream = self._container.add_stream("libx264", rate=self._rate)
        stream.height, stream.width = planes.luma.shape
        stream.pix_fmt = FORMAT
        stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
        colours, context = planes.colours, stream.codec_context
        context.colorspace, context.color_range = colours.matrix, colours.span
        context.color_primaries, context.color_trc = colours.primaries, colours.transfer
        context.thread_count = ENCODER_THREADS
        stream.options = {"crf": str(CRF), "preset": PRESET, "x264-params": X264}
        self._stream = stream

    def finish(self) -> None:
        """Write what the encoder still holds."""
        if self._stream is None:
            raise ValueError("no frames to write")
        self._container.mux(self._stream.encode(None))


@contextmanager
def writing(path: Path, source: Path, settings: str = "") -> Iterator[Writer]:
    """Yield a `Writer`; at the end the clip takes its place with the sound of the one it was made from.

    After an error or a kill the partial file stays, and the target is as it was.

    Parameters
    ----------
    path : Path
        ``.mp4``.
    source : Path
    settings : str
        Kept in the file, for `settings_of`.

    Raises
    ------
    BadInput
        If the name does not end in ``.mp4``.
    WorkFailed
        If the disk is full.
    """
    if path.suffix.lower() != ".mp4":
        raise BadInput(path, "does not end in .mp4", "name an .mp4 file")
    partial = partial_of(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rate, later = _rate_and_start(source)
    try:
        with av.open(str(partial), "w", format="mp4", options=_FRAGMENTS) as container:
            writer = Writer(container, rate)
            yield writer
            writer.finish()
        with draft(path) as whole:
            _join(partial, whole, source if later is not None else None, later or Fraction(0), settings)
    except OSError as error:
        if not isinstance(error, av.error.FFmpegError) and error.filename is not None:
            raise
        raise WorkFailed(f"{path}: cannot be written ({error.strerror or error})") from error
    partial.unlink()


def settings_of(path: Path) -> str | None:
    """Return what `writing` kept in a file; None if that is nothing."""
    try:
        with _opened(path) as container:
            return container.metadata.get(SETTINGS) or None
    except (av.error.FFmpegError, ValueError):
        return None


def _rate_and_start(source: Path) -> tuple[Fraction, Fraction | None]:
    """Read the declared rate of the pictures, for the encoder, and by how many seconds they begin after the sound.

    None where there is no sound that can be read.
    """
    with _opened(source) as container:
        video, sound = container.streams.video[0], next(iter(container.streams.audio), None)
        rate = Fraction(video.average_rate or USUAL_RATE).limit_denominator(1001)
        if sound is None or sound.codec_context is None:
            return rate, None
        heard, seen = _starts(container)
        return rate, max(Fraction(0), seen - heard)


def _starts(container: Any) -> tuple[Fraction, Fraction]:
    """When sound and picture begin, in seconds."""
    sound, video = (
        Fraction(each.start_time or 0) * each.time_base
        for each in (container.streams.audio[0], container.streams.video[0])
    )
    return sound, video


def _opened(source: Path) -> Any:
    options = {"protocol_whitelist": "file"}
    return av.open(f"file:{source}", metadata_errors="replace", options=options)


def _join(partial: Path, target: Path, source: Path | None, later: Fraction, settings: str) -> None:
    """Copy the pictures of one file, which begin at ``later``, and the sound of another into a third."""
    with av.open(str(partial)) as pictures, av.open(str(target), "w", options={"movflags": "+faststart"}) as joined:
        joined.metadata[SETTINGS] = settings
        shown = pictures.streams.video[0]
        seen = _shown(pictures, joined.add_stream_from_template(shown), later)
        if source is None:
            for packet in seen:
                joined.mux(packet)
            return
        with _opened(source) as original:
            heard = original.streams.audio[0]
            known = heard.codec_context.codec.canonical_name in SOUND
            spoken = joined.add_stream_from_template(heard) if known else joined.add_stream("aac", rate=heard.rate)
            for packet in merge(seen, _heard(original, spoken, known), key=_seconds):
                joined.mux(packet)


def _shown(pictures: Any, copy: Any, later: Fraction) -> Iterator[Any]:
    """Packets of the picture, the first of which is shown at ``later``: those that wait for others have moved it."""
    back: int | None = None
    for packet in pictures.demux(pictures.streams.video[0]):
        if packet.dts is None:
            continue
        if back is None:
            back = packet.pts - round(later / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - back, packet.dts - back, copy
        yield packet


def _heard(original: Any, spoken: Any, known: bool) -> Iterator[Any]:
    """Packets of the sound; time 0 is where picture or sound begin, whichever is first."""
    heard, begin = original.streams.audio[0], min(_starts(original))
    try:
        if known:
            for packet in original.demux(heard):
                if packet.dts is None:
                    continue
                back = round(begin / packet.time_base)
                packet.pts, packet.dts = packet.pts - back, packet.dts - back
                packet.stream = spoken
                yield packet
            return
        resampler = av.AudioResampler(format="fltp", layout=heard.layout, rate=heard.rate)
        for frame in original.decode(heard):
            if frame.pts is not None:
                frame.pts -= round(begin / frame.time_base)
            for part in resampler.resample(frame):
                yield from spoken.encode(part)
        yield from spoken.encode(None)
    except av.error.FFmpegError:
        return  # what is damaged of the sound is lost, the picture is not


def _seconds(packet: Any) -> Fraction:
    return Fraction(packet.dts if packet.dts is not None else 0) * packet.time_base


def planes_of(frame: av.VideoFrame) -> Planes:
    """Copy the planes of a decoded frame, upright; an odd side gets one more row or column.

    Other formats than 8-bit 4:2:0 are converted to it, RGB by BT.709.
    """
    if frame.format.is_rgb:
        converted = frame.reformat(format=FORMAT, dst_colorspace="ITU709", dst_color_range="MPEG")
        colours = Colours(BT709, LIMITED, BT709, BT709)
    else:
        full = frame.format.name.startswith("yuvj")
        converted = frame if frame.format.name in (FORMAT, "yuvj420p") else frame.reformat(format=FORMAT)
        span = FULL if full else int(frame.color_range)
        colours = Colours(int(frame.colorspace), span, int(frame.color_primaries), int(frame.color_trc))
    stored = [upright(_pixels(plane), frame) for plane in converted.planes]
    height, width = stored[0].shape
    height, width = height + height % 2, width + width % 2
    data = np.empty((height * 3 // 2, width), np.uint8)
    flat, half = data.reshape(-1), (height // 2, width // 2)
    begin, size = height * width, height * width // 4
    luma = flat[:begin].reshape(height, width)
    chroma = flat[begin : begin + size].reshape(half), flat[begin + size :].reshape(half)
    for plane, pixels in zip((luma, *chroma), stored, strict=True):
        rows, columns = pixels.shape
        plane[:rows, :columns] = pixels
        plane[rows:] = plane[rows - 1 : rows]
        plane[:, columns:] = plane[:, columns - 1 : columns]
    return Planes(data, luma, chroma, colours)


def frame_of(planes: Planes) -> av.VideoFrame:
    """Make a frame for an encoder."""
    return av.VideoFrame.from_ndarray(planes.data, format=FORMAT)


def _pixels(plane: av.video.plane.VideoPlane) -> np.ndarray:
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width]
