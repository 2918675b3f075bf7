"""Stage frames: the labelled frames of every clip as JPEG files."""

from __future__ import annotations

import sys
from pathlib import Path

from fosbury.config import load_params
from fosbury.errors import BadInput
from fosbury.formats.sets import extract_sets

OUTPUT = Path("data/frames")


def main() -> int:
    """Write data/frames/<set>/<video stem>/<frame>.jpg."""
    try:
        data = load_params().data
        manifests = extract_sets(data.source, data.sets, OUTPUT, data.jpeg_quality, data.every)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    for name, clips in manifests.items():
        print(f"{name}: {sum(len(clip.frames) for clip in clips)} frames of {len(clips)} clips")
        for clip in clips:
            for note in clip.notes:
                print(f"  {clip.video}: {note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
