"""Stage frames: the labelled frames of every clip as JPEG files."""

from __future__ import annotations

from pathlib import Path

from fosbury.config import load_params
from fosbury.formats.sets import extract_sets

OUTPUT = Path("data/frames")


def main() -> None:
    """Write data/frames/<set>/<video stem>/<frame>.jpg."""
    data = load_params().data
    manifests = extract_sets(
        data.source,
        data.sets,
        OUTPUT,
        quality=data.jpeg_quality,
        every=data.every,
        unlabelled=data.unlabelled,
    )
    for name, clips in manifests.items():
        if not clips:
            print(f"{name}: stills, nothing to extract")
            continue
        print(f"{name}: {sum(len(clip.frames) for clip in clips)} frames of {len(clips)} clips")
        for clip in clips:
            for note in clip.notes:
                print(f"  {clip.video}: {note}")
