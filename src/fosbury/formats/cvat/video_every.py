"""CVAT's XML of a video with the frames between keyframes, whose joints CVAT drew and nobody set."""

from functools import partial

from fosbury.formats.cvat.video import read_cvat_video, video_format

FORMAT = video_format(
    "cvat_video_every",
    "CVAT's XML of a video, with the frames between keyframes",
    partial(read_cvat_video, every=True),
)
