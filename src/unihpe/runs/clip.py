"""A clip to results, as the command does: what is done is on disk, whatever ends the run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

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
    folder: Path,
    progress: Callable[[int], None] = lambda done: None,
    boxes: FrameBoxes | None = None,
) -> _Filmed:
    """The people of a clip as a motion.

    However long the clip is, a few frames are in memory. Poses so far are kept in a folder, which
    is removed at the end, but after an error. Where the run is stopped (KeyboardInterrupt or
    SystemExit, as Ctrl-C raises), what is done becomes results that say so: `partial`.

    Args:
        folder: for poses so far; another run at the same time needs another one.
        progress: called with the number of frames done.
        boxes: of the people in each frame; without them they are found and followed.

    Raises:
        InputError: for a clip that cannot be read, or a folder that cannot be written.
    """
    parts, frames, stopped = Parts.begin(folder), 0, None
    try:
        poses = poses_in(predictor, clip, options, motion.min_confidence, boxes)
        for count, results in poses:
            frames += count
            if results is not None:
                parts.add(results)
            progress(frames)
    except (KeyboardInterrupt, SystemExit) as end:
        stopped = end
    except BaseException:
        parts.close(keep=True)
        raise
    raw, notes = parts.whole(), [f"{clip.name}: {fault}" for fault in clip.faults]
    if raw is not None:
        try:
            raw = made_steady(replace(raw, partial=stopped is not None), clip, motion)
        except InputError as error:  # hours of work are worth more than a wrong number
            notes.append(f"{error}; everybody is kept")
            motion = replace(motion, people="all")
            raw = made_steady(replace(raw, partial=stopped is not None), clip, motion)
    parts.close()
    return _Filmed(raw, frames, notes, stopped)
