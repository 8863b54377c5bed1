"""A clip to results, as the command does: what is done is on disk, whatever ends the run."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from unihpe.errors import InputError
from unihpe.export import Results
from unihpe.inference.clips import Motion, made_steady, poses_in
from unihpe.inference.predictor import Options, Predictor
from unihpe.inputs.clip_boxes import FrameBoxes
from unihpe.inputs.media import Clip
from unihpe.runs.parts import Parts


@dataclass(frozen=True)
class _Filmed:
    """What became of a clip."""

    results: Results | None  # None: nobody was seen
    frames: int  # how many were looked at
    notes: list[str]  # what was wrong with it
    stopped: BaseException | None = None  # what ended the run before the clip's end


def predict_clip(
    predictor: Predictor,
    clip: Clip,
    options: Options,
    motion: Motion,
    parts: Parts,
    progress: Callable[[int], None] = lambda done: None,
    boxes: FrameBoxes | None = None,
) -> _Filmed:
    """The people of a clip as a motion.

    However long the clip is, a few frames are in memory; poses so far are in a folder. Where the
    run is stopped (KeyboardInterrupt or SystemExit, as Ctrl-C raises), what is done becomes
    results that say so: `partial`.

    Args:
        parts: where poses so far are kept.
        progress: called with the number of frames done.
        boxes: of the people in each frame; without them they are found and followed.

    Raises:
        InputError: for a clip that cannot be read, or a folder that cannot be written.
    """
    frames, stopped = 0, None
    try:
        for count, results in poses_in(predictor, clip, options, motion.min_confidence, boxes):
            frames += count
            if results is not None:
                parts.add(results)
            progress(frames)
    except (KeyboardInterrupt, SystemExit) as end:
        stopped = end
    raw, notes = parts.whole(), [f"{clip.name}: {fault}" for fault in clip.faults]
    if raw is not None:
        raw = replace(raw, partial=stopped is not None)
        try:
            raw = made_steady(raw, clip, motion, boxes is not None)
        except InputError as error:  # hours of work are worth more than a wrong number
            notes.append(f"{error}; everybody is kept")
            raw = made_steady(raw, clip, replace(motion, people="all"), boxes is not None)
    return _Filmed(raw, frames, notes, stopped)
