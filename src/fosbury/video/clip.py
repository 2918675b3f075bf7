"""One clip from end to end: what a model sees in it, the athlete in every frame, and the files that hold them.

Two threads decode, one looks, one draws, and the encoder has its own: the model, which takes longest, hardly waits. The
answers of a shot are settled as a whole before they are drawn, so the clip is decoded a second time for the pictures,
which costs a few milliseconds a frame and no memory.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fosbury.errors import BadInput
from fosbury.files import DRAFT
from fosbury.inference.answers import Asked
from fosbury.inference.predict import Predictor
from fosbury.media.files import check_file, sha256_of
from fosbury.media.video import decode
from fosbury.progress import Bar
from fosbury.skeleton import Skeleton
from fosbury.video.ahead import ahead
from fosbury.video.encode import planes_of, writing
from fosbury.video.look import Answer, Kept, Pace, look
from fosbury.video.outputs.registry import Clip, open_output
from fosbury.video.overlay import Overlay, draw_frame
from fosbury.video.planes import Planes
from fosbury.video.settle import Settled, Steps, settle

VIDEO, JSON = "video", "json"
VERSION = 2
"""Raised when the same model would give other files of a clip: those of before are made again."""


@dataclass(frozen=True, kw_only=True)
class How:
    """How clips are gone through.

    Attributes
    ----------
    asked : Asked
    pace : Pace
    steps : Steps
    overlay : Overlay
    """

    asked: Asked
    pace: Pace = field(default_factory=Pace)
    steps: Steps = field(default_factory=Steps)
    overlay: Overlay = field(default_factory=Overlay)

    def digest(self, clip: Path) -> str:
        """Digest of all that decides what is written of a clip, but for the overlay."""
        parts = [VERSION, self.asked.digest(), sha256_of(clip), self.pace.batch, self.pace.stride, self.pace.motion]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(kw_only=True)
class Done:
    """What became of a clip.

    Attributes
    ----------
    frames, seen, looked, shots, swapped : int
        Frames that were decoded, that have an athlete, that the model looked at; shots; limb pairs, counted over
        frames, of which the sides were exchanged.
    passes : int
        Of a model that looks at each person again.
    seconds, look_seconds : float
        The whole took, and the model of it.
    notes : list of str
        What was odd about the clip.
    """

    frames: int = 0
    seen: int = 0
    looked: int = 0
    shots: int = 1
    swapped: int = 0
    passes: int = 0
    seconds: float = 0.0
    look_seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


def predict_clip(
    clip: Path,
    targets: Mapping[str, Path],
    predictor: Predictor,
    how: How,
    *,
    resume: bool = True,
) -> Done:
    """Find the athlete in every frame of a clip and write what was asked for.

    Parameters
    ----------
    clip : Path
    targets : mapping of str to Path
        Files to write: ``video``, and names of ``outputs.registry.OUTPUTS``.
    predictor : Predictor
        The model that ``how`` names.
    how : How
    resume : bool
        Go on where a run with the same settings was stopped.

    Raises
    ------
    BadInput
        If the clip cannot be read, or a target is the clip itself.
    WorkFailed
        If the disk is full.
    """
    check_file(clip)
    for target in targets.values():
        if target.exists() and target.samefile(clip):
            raise BadInput(target, "is the clip itself", "write to another file")
    begin = time.monotonic()
    first = next(iter(targets.values()))
    work = first.parent / f".{first.name}.predict{DRAFT}"
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    done, passes = Done(), getattr(predictor.model, "passes", 0)
    skeleton, settings = predictor.model.skeleton, how.digest(clip)
    outputs = []
    for name, target in targets.items():
        if name != VIDEO:
            folder = work / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            outputs.append(open_output(name, target, skeleton, folder))
    last: Answer | None = None
    with Kept(work / "answers.jsonl", settings) as kept:
        answers = _counted(ahead(look(clip, predictor, how.pace, kept, notes=done.notes), how.pace.depth), clip, done)
        frames = settle(answers, skeleton, how.steps)
        if VIDEO in targets:
            frames = _drawn(clip, targets[VIDEO], frames, skeleton, how)
        for settled in frames:
            last = settled.answer
            done.frames += 1
            done.seen += settled.pose is not None
            done.swapped += settled.swapped
            for output in outputs:
                output.add(settled)
    assert last is not None  # a clip without a frame is refused where it is decoded
    width, height = last.size
    span = last.timestamp_ms / 1000
    fps = (done.frames - 1) / span if span > 0 else 0.0
    made = Clip(fps=fps, width=width, height=height, frames=done.frames, settings=settings)
    for output in outputs:
        output.finish(made)
    shutil.rmtree(work, ignore_errors=True)
    done.passes = getattr(predictor.model, "passes", 0) - passes
    done.seconds = time.monotonic() - begin
    return done


def _counted(answers: Iterable[Answer], clip: Path, done: Done) -> Iterator[Answer]:
    with Bar(clip.name, "frame") as bar:
        for answer in answers:
            if answer.poses is not None:
                done.looked += 1
                done.look_seconds += answer.latency_ms / 1000
            done.shots += answer.cut
            bar.update()
            yield answer


def _drawn(clip: Path, target: Path, frames: Iterable[Settled], skeleton: Skeleton, how: How) -> Iterator[Settled]:
    """Draw and write the frames that are passed on."""
    depth = how.pace.depth
    pictures = ahead(((index, planes_of(frame)) for index, _, frame in decode(clip)), depth)

    def draw() -> Iterator[tuple[Settled, Planes]]:
        for settled, (index, planes) in zip(frames, pictures, strict=True):
            assert index == settled.answer.index
            draw_frame(planes, settled, skeleton, how.overlay)
            yield settled, planes

    with writing(target, clip, how.digest(clip)) as writer:
        for settled, planes in ahead(draw(), depth):
            writer.add(planes, settled.answer.timestamp_ms)
            yield settled
